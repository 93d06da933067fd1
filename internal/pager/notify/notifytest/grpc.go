// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	notifierv1 "github.com/gophernetes/bellhop/proto/bellhop/notifier/v1"
)

func init() {
	register(Fixture{
		Provider:   "grpc",
		NewService: func(secret string) Service { return NewGRPC(secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{GRPC: &v1beta1.GRPCProvider{Address: urls[0], Parameters: map[string]v1beta1.GRPCParameter{"team": "storage"}}},
				map[string]string{"token": secret}
		},
	})
}

// GRPC is a fake of a notifier. It checks the requests, and shows a repeated delivery key once. It handles requests of HTTP/2.
type GRPC struct {
	Display
	notifierv1.UnimplementedNotifierServer
	token  string
	server *grpc.Server

	mu       sync.Mutex
	answer   func(context.Context) (*notifierv1.NotifyResponse, error)
	forward  http.Handler // a webhook that gets the messages; nil: they are shown
	refused  int
	requests []*notifierv1.NotifyRequest
	probes   []*notifierv1.ProbeRequest
}

var _ Service = (*GRPC)(nil)

// NewGRPC returns a notifier that requires a bearer token; "": none.
func NewGRPC(token string) *GRPC {
	g := &GRPC{token: token, server: grpc.NewServer()}
	notifierv1.RegisterNotifierServer(g.server, g)
	return g
}

// ServeHTTP handles a call.
func (g *GRPC) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.server.ServeHTTP(w, r) }

// Answer replaces the answers to valid calls.
func (g *GRPC) Answer(answer func(context.Context) (*notifierv1.NotifyResponse, error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = answer
}

// Requests returns the valid requests since the last call, including repeats.
func (g *GRPC) Requests() []*notifierv1.NotifyRequest {
	g.mu.Lock()
	defer g.mu.Unlock()
	requests := g.requests
	g.requests = nil
	return requests
}

// Probes returns the valid probes since the last call.
func (g *GRPC) Probes() []*notifierv1.ProbeRequest {
	g.mu.Lock()
	defer g.mu.Unlock()
	probes := g.probes
	g.probes = nil
	return probes
}

// Notify shows a message.
func (g *GRPC) Notify(ctx context.Context, r *notifierv1.NotifyRequest) (*notifierv1.NotifyResponse, error) {
	if err := g.authorize(ctx); err != nil {
		return nil, err
	}
	if r.GetDeliveryKey() == "" || r.GetIncidentKey() == "" || r.GetTitle() == "" || r.GetEvent() == 0 || r.GetSeverity() == 0 || !r.GetTime().IsValid() {
		return nil, g.refuse(codes.InvalidArgument, "a request that Bellhop does not send")
	}
	g.mu.Lock()
	g.requests = append(g.requests, r)
	answer, forward := g.answer, g.forward
	g.mu.Unlock()
	switch {
	case answer != nil:
		return answer(ctx)
	case forward != nil:
		return post(ctx, forward, r)
	}
	var links []notify.Link
	for _, l := range r.GetLinks() {
		links = append(links, notify.Link{Text: l.GetText(), Href: l.GetHref()})
	}
	g.Put(Seen{
		ID: r.GetDeliveryKey(), Text: r.GetTitle() + "\n" + r.GetContent(), Links: linkLines(links),
		Resolved: r.GetEvent() == notifierv1.Event_EVENT_RESOLVED,
	})
	return &notifierv1.NotifyResponse{ExternalId: "message-" + r.GetDeliveryKey()}, nil
}

// Probe answers OK, or as Answer says.
func (g *GRPC) Probe(ctx context.Context, r *notifierv1.ProbeRequest) (*notifierv1.ProbeResponse, error) {
	if err := g.authorize(ctx); err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.probes = append(g.probes, r)
	answer := g.answer
	g.mu.Unlock()
	if answer != nil {
		_, err := answer(ctx)
		return &notifierv1.ProbeResponse{}, err
	}
	return &notifierv1.ProbeResponse{}, nil
}

func (g *GRPC) authorize(ctx context.Context) error {
	header, _ := metadata.FromIncomingContext(ctx)
	if values := header.Get("authorization"); g.token != "" && (len(values) != 1 || values[0] != "Bearer "+g.token) {
		return g.refuse(codes.Unauthenticated, "the token is not valid")
	}
	return nil
}

// refuse counts a call that Bellhop should not have made, and returns its error.
func (g *GRPC) refuse(code codes.Code, why string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused++
	return status.Error(code, why)
}

// Refused counts calls with a wrong token, and requests that Bellhop does not send.
func (g *GRPC) Refused() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused
}

// Serve starts a server for a service. It also takes HTTP/2 without encryption, which clients of gRPC use. The caller must close it.
func Serve(service http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(service)
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	return server
}
