// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/grpcnotifier"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	notifierv1 "github.com/gophernetes/bellhop/proto/bellhop/notifier/v1"
)

const token = "right"

// notifier is a server that is right but for one case.
type notifier struct {
	notifierv1.UnimplementedNotifierServer
	broken string // name of the case

	mu  sync.Mutex
	ids map[string]string // by delivery key
	has map[string]bool   // incidents
}

func (n *notifier) is(name string) bool { return strings.HasPrefix(n.broken, name) && name != "" }

func (n *notifier) authorize(ctx context.Context) error {
	header, _ := metadata.FromIncomingContext(ctx)
	if values := header.Get("authorization"); !n.is("calls without") && (len(values) != 1 || values[0] != "Bearer "+token) {
		return status.Error(codes.Unauthenticated, "the token is not valid")
	}
	return nil
}

func (n *notifier) Probe(ctx context.Context, _ *notifierv1.ProbeRequest) (*notifierv1.ProbeResponse, error) {
	if err := n.authorize(ctx); err != nil {
		return nil, err
	}
	if n.is("Probe") {
		return nil, status.Error(codes.Unimplemented, "no probe")
	}
	return &notifierv1.ProbeResponse{}, nil
}

// refused returns the error of a request that a broken server does not take.
func (n *notifier) refused(r *notifierv1.NotifyRequest, known bool) error {
	for name, isRefused := range map[string]bool{
		"an alert of":         r.GetSeverity() == notifierv1.Severity_SEVERITY_CRITICAL,
		"an update":           r.GetEvent() == notifierv1.Event_EVENT_UPDATED,
		"a resolve is":        r.GetEvent() == notifierv1.Event_EVENT_RESOLVED && known,
		"a resolve of":        r.GetEvent() == notifierv1.Event_EVENT_RESOLVED && !known,
		"an alert that":       r.GetEvent() == notifierv1.Event_EVENT_FIRED && known && n.ids[r.GetDeliveryKey()] == "",
		"an unknown event":    r.GetEvent() == later,
		"an unknown severity": r.GetSeverity() == later,
		"the longest":         len(r.GetContent()) > 10000,
	} {
		if n.is(name) && isRefused {
			return status.Error(codes.InvalidArgument, "not supported")
		}
	}
	return nil
}

func (n *notifier) Notify(ctx context.Context, r *notifierv1.NotifyRequest) (*notifierv1.NotifyResponse, error) {
	if err := n.authorize(ctx); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.refused(r, n.has[r.GetIncidentKey()]); err != nil {
		return nil, err
	}
	if id, ok := n.ids[r.GetDeliveryKey()]; ok {
		if n.is("a repeat") {
			return nil, status.Error(codes.AlreadyExists, "seen")
		}
		return &notifierv1.NotifyResponse{ExternalId: id}, nil
	}
	if n.is("two repeats") { // it looks, and delivers later
		n.mu.Unlock()
		time.Sleep(50 * time.Millisecond)
		n.mu.Lock()
	}
	id := rand.Text()
	n.ids[r.GetDeliveryKey()], n.has[r.GetIncidentKey()] = id, true
	note := ""
	if n.is("a response") {
		note = strings.Repeat("x", 257)
	}
	return &notifierv1.NotifyResponse{ExternalId: id, Note: note}, nil
}

// serverAt returns the server at an address, without TLS.
func serverAt(t *testing.T, address string) *grpcnotifier.Server {
	t.Helper()
	client, err := newClient(outbound.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return grpcnotifier.NewServer(grpcnotifier.Config{Address: "http://" + address}, client)
}

// failures returns the names of the cases that a server fails.
func failures(t *testing.T, n *notifier) (names []string) {
	t.Helper()
	n.ids, n.has = map[string]string{}, map[string]bool{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	notifierv1.RegisterNotifierServer(server, n)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	s := &suite{server: serverAt(t, listener.Addr().String()), token: token, timeout: 10 * time.Second}
	for _, c := range cases {
		if err := c.check(s, t.Context()); err != nil {
			t.Logf("%s: %v", c.name, err)
			names = append(names, c.name)
		}
	}
	return names
}

// A message is repeated with its key until the server has it, and not after a refusal.
func TestSend(t *testing.T) {
	fake := notifytest.NewGRPC(token)
	server := notifytest.Serve(fake)
	t.Cleanup(server.Close)
	client, err := newClient(outbound.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := sending{client: client, config: grpcnotifier.Config{Address: server.URL, Token: token}, event: "Fired", incident: "i", title: "t", content: "c", firstGap: time.Millisecond}
	calls := 0
	fake.Answer(func(context.Context) (*notifierv1.NotifyResponse, error) {
		if calls++; calls < 3 {
			return nil, status.Error(codes.Unavailable, "later")
		}
		return &notifierv1.NotifyResponse{ExternalId: "7"}, nil
	})
	var out strings.Builder
	if err := m.send(t.Context(), &out); err != nil {
		t.Error(err)
	}
	want := "attempt 1: Unknown, ServerError: gRPC UNAVAILABLE: later\nattempt 2: Unknown, ServerError: gRPC UNAVAILABLE: later\n" +
		"attempt 3: Sent, externalID \"7\": the notifier accepted the message\n"
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
	requests := fake.Requests()
	if len(requests) != 3 || requests[0].GetDeliveryKey() != requests[2].GetDeliveryKey() {
		t.Errorf("got %v", requests)
	}
	m.config.Token = "wrong"
	if err := m.send(t.Context(), &out); err == nil || !strings.Contains(out.String(), "Configuration, Unauthorized") {
		t.Errorf("got %v, %s", err, out.String())
	}
}

// F-P63: a right server fails no case, and each of 13 broken ones fails one.
func TestCases(t *testing.T) {
	if names := failures(t, &notifier{}); len(names) > 0 {
		t.Errorf("a right server fails %q", names)
	}
	if len(cases) != 13 {
		t.Errorf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if names := failures(t, &notifier{broken: c.name}); len(names) != 1 || names[0] != c.name {
				t.Errorf("fails %q", names)
			}
		})
	}
}

// Without a token, nothing shows that the server refuses a wrong one. All other cases fail if the server cannot be reached.
func TestWithoutToken(t *testing.T) {
	var out strings.Builder
	s := &suite{server: serverAt(t, "127.0.0.1:1"), timeout: 10 * time.Millisecond}
	if failed := s.run(t.Context(), &out); failed != len(cases)-1 || !strings.Contains(out.String(), "skipped calls without the right token are refused: the variable TOKEN is not set\n") {
		t.Errorf("%d failed: %s", failed, out.String())
	}
}
