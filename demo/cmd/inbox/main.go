// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command inbox runs the demo's inbox alone, for a trial of Bellhop in any cluster: an endpoint for a Receiver of type webhook.
//
//	SIGNING_SECRET=whsec_… inbox -listen :8080
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/gophernetes/bellhop/demo/inbox"
)

// secretVariable is the environment variable with the signing secret. A flag would show it in the list of processes.
const secretVariable = "SIGNING_SECRET"

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	unsigned := flag.Bool("unsigned", false, "accept deliveries without a signature; otherwise "+secretVariable+" has to be set")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *listen, *unsigned)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "inbox: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen string, unsigned bool) error {
	secret := strings.TrimSpace(os.Getenv(secretVariable))
	switch {
	case unsigned && secret != "":
		return errors.New("-unsigned and " + secretVariable + " exclude each other")
	case !unsigned:
		if err := inbox.CheckSecret(secret); err != nil {
			return fmt.Errorf("set %s to the signingSecret of the Receiver, or give -unsigned: %w", secretVariable, err)
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("choose another address with -listen: %w", err)
	}
	fmt.Printf("Inbox: listens on %s\n", listener.Addr())
	return inbox.New(inbox.Options{SigningSecret: secret, Out: os.Stdout}).Serve(ctx, listener)
}
