// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command notifier is a server for receivers of the kind grpc. It prints each message to the terminal; a real one passes it on to a
// service. It keeps the delivery keys in memory, and a real one keeps them where they outlive a restart.
package main

import (
	"context"
	"crypto/subtle"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	notifierv1 "github.com/gophernetes/bellhop/proto/bellhop/notifier/v1"
)

// keep is how long a delivery key is kept: a repeat may come as late.
const keep = 24 * time.Hour

type server struct {
	notifierv1.UnimplementedNotifierServer
	token string
	out   io.Writer

	mu        sync.Mutex // held during a delivery, so that a repeat waits for its end
	delivered map[string]delivery
}

type delivery struct {
	id   string
	when time.Time
}

func main() {
	address := flag.String("listen", ":8443", "address to listen at")
	certificate := flag.String("cert", "", "file of the certificate, in PEM; empty: no TLS, which Bellhop permits for http:// only")
	key := flag.String("key", "", "file of the certificate's key, in PEM")
	flag.Parse()
	s := &server{token: os.Getenv("TOKEN"), out: os.Stdout, delivered: map[string]delivery{}}
	options := []grpc.ServerOption{grpc.UnaryInterceptor(s.authorize)}
	if *certificate != "" {
		c, err := credentials.NewServerTLSFromFile(*certificate, *key)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.Creds(c))
	}
	listener, err := net.Listen("tcp", *address) //nolint:noctx // there is nothing to wait for
	if err != nil {
		log.Fatal(err)
	}
	g := grpc.NewServer(options...)
	notifierv1.RegisterNotifierServer(g, s)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, g.GracefulStop)
	log.Printf("listening at %s", listener.Addr())
	if err := g.Serve(listener); err != nil {
		log.Print(err)
	}
}

// authorize refuses calls without the token.
func (s *server) authorize(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	header, _ := metadata.FromIncomingContext(ctx)
	values := header.Get("authorization")
	if s.token != "" && (len(values) != 1 || subtle.ConstantTimeCompare([]byte(values[0]), []byte("Bearer "+s.token)) != 1) {
		return nil, status.Error(codes.Unauthenticated, "the token is not valid")
	}
	return handle(ctx, request)
}

// Notify prints a message once for each delivery key.
func (s *server) Notify(_ context.Context, r *notifierv1.NotifyRequest) (*notifierv1.NotifyResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if done, ok := s.delivered[r.GetDeliveryKey()]; ok {
		return &notifierv1.NotifyResponse{ExternalId: done.id}, nil
	}
	switch r.GetEvent() {
	case notifierv1.Event_EVENT_FIRED, notifierv1.Event_EVENT_UPDATED, notifierv1.Event_EVENT_RESOLVED:
	default: // of a later version of Bellhop
		return &notifierv1.NotifyResponse{Note: "unknown event"}, nil
	}
	fmt.Fprintf(s.out, "%s %s %q %q (%s/%s)\n", r.GetEvent(), r.GetSeverity(), r.GetTitle(), r.GetContent(), r.GetNamespace(), r.GetName())
	for _, link := range r.GetLinks() {
		fmt.Fprintf(s.out, "  %q: %s\n", link.GetText(), link.GetHref())
	}
	now := time.Now()
	for key, d := range s.delivered {
		if now.Sub(d.when) > keep {
			delete(s.delivered, key)
		}
	}
	id := now.UTC().Format("20060102T150405.000000000")
	s.delivered[r.GetDeliveryKey()] = delivery{id, now}
	return &notifierv1.NotifyResponse{ExternalId: id}, nil
}

// Probe has nothing behind this server to check.
func (s *server) Probe(context.Context, *notifierv1.ProbeRequest) (*notifierv1.ProbeResponse, error) {
	return &notifierv1.ProbeResponse{}, nil
}
