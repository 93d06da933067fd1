// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// loopback lets a client reach the servers of a test.
func loopback() *outbound.Guard {
	return outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, nil)
}

func newClient(t testing.TB, url string, changes ...func(*Options)) *Client {
	t.Helper()
	o := Options{URL: url, Guard: loopback(), Outbound: outbound.Options{Timeout: 10 * time.Second}}
	for _, change := range changes {
		change(&o)
	}
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// got is a request as it arrived.
type got struct {
	Method, URI string
	Header      http.Header
	Body        []byte
}

// member is one of the body's, nil if there is none.
func (g got) member(t testing.TB, path ...string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(g.Body, &value); err != nil {
		t.Fatalf("the body %q is not JSON: %v", g.Body, err)
	}
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

// script is a server that answers as it is told and keeps what it got.
type script struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	got    []got
}

func newScript(t testing.TB, answer http.HandlerFunc) *script {
	t.Helper()
	s := &script{answer: answer}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.got = append(s.got, got{r.Method, r.RequestURI, r.Header, body})
	answer := s.answer
	s.mu.Unlock()
	answer(w, r)
}

func (s *script) answers(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// take returns the requests since it was last called.
func (s *script) take() []got {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.got
	s.got = nil
	return taken
}

// one returns the only request since.
func (s *script) one(t testing.TB) got {
	t.Helper()
	taken := s.take()
	if len(taken) != 1 {
		t.Fatalf("there were %d requests, want 1: %+v", len(taken), taken)
	}
	return taken[0]
}

// status answers with a status, a body, and header lines as name and value in turn.
func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

const (
	instanceID = "1a57a9ce-0000-4000-8000-000000000001"
	bindingID  = "b19d19c0-0000-4000-8000-000000000001"
	serviceID  = "5e12ce00-0000-4000-8000-000000000001"
	planID     = "91a40000-0000-4000-8000-000000000001"
)

func params() Params {
	return Params{InstanceID: instanceID, ServiceID: serviceID, PlanID: planID, AcceptsIncomplete: true}
}

func within() Context {
	return Context{Namespace: "shop", ClusterID: "c1", InstanceName: "orders"}
}

func provisionRequest() ProvisionRequest {
	return ProvisionRequest{Params: params(), Context: within(), OrganizationGUID: "c1", SpaceGUID: "space"}
}

func bindRequest() BindRequest {
	return BindRequest{Params: params(), BindingID: bindingID, Context: Context{Namespace: "shop", ClusterID: "c1"}}
}

func removalRequest(binding string) RemovalRequest {
	return RemovalRequest{Params: params(), BindingID: binding}
}

func pollRequest(binding string) PollRequest {
	return PollRequest{Params: params(), BindingID: binding, Operation: "op"}
}

// a call is one of an operation, with everything that it can say.
type call func(context.Context, *Client) osbresult.Outcome

func callOf[R, T any](send func(*Client, context.Context, R) (T, osbresult.Outcome), r R) call {
	return func(ctx context.Context, c *Client) osbresult.Outcome { _, out := send(c, ctx, r); return out }
}

// calls are those of all operations, made by the user if there is one, and permitted to take
// their time or not.
func calls(user *Identity, incomplete bool) map[Operation]call {
	p, provision, bind := params(), provisionRequest(), bindRequest()
	p.Identity, p.AcceptsIncomplete = user, incomplete
	provision.Params, bind.Params = p, p
	return map[Operation]call{
		GetCatalog:          callOf((*Client).Catalog, ""),
		ProvisionInstance:   callOf((*Client).Provision, provision),
		GetInstance:         callOf((*Client).FetchInstance, p),
		UpdateInstance:      callOf((*Client).Update, UpdateRequest{Params: p, Context: within(), PreviousPlanID: "former"}),
		DeprovisionInstance: callOf((*Client).Deprovision, RemovalRequest{Params: p}),
		PollLastOperation:   callOf((*Client).Poll, PollRequest{Params: p, Operation: "op"}),
		Bind:                callOf((*Client).Bind, bind),
		GetBinding: func(ctx context.Context, c *Client) osbresult.Outcome {
			_, out := c.FetchBinding(ctx, p, bindingID)
			return out
		},
		Unbind:                   callOf((*Client).Unbind, RemovalRequest{Params: p, BindingID: bindingID}),
		PollBindingLastOperation: callOf((*Client).Poll, PollRequest{Params: p, BindingID: bindingID, Operation: "op"}),
	}
}

// good is a body that every call can read.
const good = `{"services":[],"state":"succeeded"}`

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
