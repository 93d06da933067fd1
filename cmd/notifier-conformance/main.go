// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command notifier-conformance checks a notifier, a server for receivers of the kind grpc, against the contract in
// proto/bellhop/notifier/v1/notifier.proto. It sends messages with the namespace conformance: people may see about twenty of them.
//
//	TOKEN=… go run github.com/gophernetes/bellhop/cmd/notifier-conformance@latest -address notifier.example.com:443
//
// With -send it sends a message instead, by the operator's own code, and repeats it as the operator does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/grpcnotifier"
)

func main() {
	address := flag.String("address", "", "the server, as host:port, over TLS; http://host:port is not encrypted")
	serverName := flag.String("server-name", "", "the name in the server's certificate; default: the host of the address")
	ca := flag.String("ca", "", "file of the only trusted authority, in PEM")
	certificate := flag.String("cert", "", "file of the client certificate, in PEM")
	key := flag.String("key", "", "file of its key, in PEM")
	timeout := flag.Duration("timeout", 15*time.Second, "timeout of a call: timeoutSeconds of the receiver")
	parameters := parameters{}
	flag.Var(parameters, "parameter", "NAME=VALUE, a parameter of the receiver; may be repeated")
	m := sending{firstGap: time.Second}
	flag.StringVar(&m.event, "send", "", "send one message instead: Fired, Updated or Resolved")
	flag.StringVar(&m.incident, "incident", "conformance", "with -send: the incident_key, and the name of the Alert")
	flag.StringVar(&m.title, "title", "Hello", "with -send: the title")
	flag.StringVar(&m.content, "content", "A message to a notifier", "with -send: the content")
	flag.Parse()
	if *address == "" {
		exit(errors.New("-address is not set: see -help"))
	}

	client, err := newClient(outbound.Options{Timeout: *timeout, CABundle: read(*ca), ClientCertificate: read(*certificate), ClientKey: read(*key)})
	if err != nil {
		exit(fmt.Errorf("-ca, -cert or -key: %w", err))
	}
	config := grpcnotifier.Config{Address: *address, ServerName: *serverName, Parameters: parameters, Token: os.Getenv("TOKEN")}
	if m.event != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		m.config, m.client = config, client
		if err := m.send(ctx, os.Stdout); err != nil {
			exit(err)
		}
		return
	}
	s := &suite{server: grpcnotifier.NewServer(config, client), token: config.Token, parameters: parameters, timeout: *timeout}
	if failed := s.run(context.Background(), os.Stdout); failed > 0 {
		os.Exit(1)
	}
}

// run prints a line for each case, and returns the number of those that failed. A skipped one is not passed.
func (s *suite) run(ctx context.Context, out io.Writer) (failed int) {
	skipped := 0
	for _, c := range cases {
		switch err := c.check(s, ctx); {
		case errors.Is(err, errNoToken):
			skipped++
			fmt.Fprintf(out, "skipped %s: %v\n", c.name, err)
		case err != nil:
			failed++
			fmt.Fprintf(out, "FAILED  %s: %v\n", c.name, err)
		default:
			fmt.Fprintf(out, "ok      %s\n", c.name)
		}
	}
	fmt.Fprintf(out, "%d of %d cases passed\n", len(cases)-failed-skipped, len(cases))
	return failed
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

// read returns the content of a file; nil without a name.
func read(name string) []byte {
	if name == "" {
		return nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		exit(err)
	}
	return content
}

// newClient returns a client that connects to each address: this is a program of its user.
func newClient(o outbound.Options) (*outbound.Client, error) {
	everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	return outbound.NewClient(outbound.NewGuard(everything, nil), o)
}

// parameters is a flag.Value.
type parameters map[string]string

func (p parameters) String() string { return "" }

func (p parameters) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("must be NAME=VALUE")
	}
	p[name] = value
	return nil
}
