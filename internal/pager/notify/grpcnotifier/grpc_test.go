// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package grpcnotifier

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	notifierv1 "github.com/gophernetes/bellhop/proto/bellhop/notifier/v1"
)

const token = "canaryT0ken.-_"

// notifier is a server with TLS that counts its connections.
type notifier struct {
	*notifytest.GRPC
	*httptest.Server

	mu    sync.Mutex
	conns map[net.Conn]http.ConnState
	total int
}

func start(t *testing.T, handler func(service http.Handler) http.Handler) *notifier {
	t.Helper()
	n := &notifier{GRPC: notifytest.NewGRPC(token), conns: map[net.Conn]http.ConnState{}}
	n.Server = httptest.NewUnstartedServer(handler(n.GRPC))
	n.EnableHTTP2 = true
	n.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if state == http.StateNew {
			n.total++
		}
		n.conns[conn] = state
	}
	n.StartTLS()
	t.Cleanup(n.Close)
	return n
}

func unchanged(service http.Handler) http.Handler { return service }

// open returns the number of open connections, and the number of all since the start.
func (n *notifier) open() (open, total int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, state := range n.conns {
		if state != http.StateClosed {
			open++
		}
	}
	return open, n.total
}

func (n *notifier) address() string { return n.Listener.Addr().String() }

// client returns a client that trusts the server.
func (n *notifier) client(t *testing.T, timeout time.Duration) *outbound.Client {
	t.Helper()
	guard := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.Certificate().Raw})
	client, err := outbound.NewClient(guard, outbound.Options{Timeout: timeout, CABundle: ca})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (n *notifier) sender(t *testing.T) *Sender {
	t.Helper()
	config := Config{Address: n.address(), Token: token + "\n", Parameters: map[string]string{"team": "storage"}} // the token as echo writes it
	return newSender(t, config, n.client(t, 10*time.Second))
}

func newSender(t *testing.T, config Config, client *outbound.Client) *Sender {
	t.Helper()
	s, err := New(config, client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func send(t *testing.T, s *Sender) (result.Receipt, error) {
	t.Helper()
	return s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
}

func TestSend(t *testing.T) {
	n := start(t, unchanged)
	s := n.sender(t)
	began := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	for event, want := range map[result.Event]notifierv1.Event{
		result.Fired: notifierv1.Event_EVENT_FIRED, result.Updated: notifierv1.Event_EVENT_UPDATED, result.Resolved: notifierv1.Event_EVENT_RESOLVED,
	} {
		m := notifytest.Message(event)
		m.RawLinks = []notify.Link{{Text: "Run\nbook", Href: "https://example.com/a b"}}
		m.RawInstances = []notify.Instance{{Key: "a", Text: "disk \x1b a", StartsAt: began}, {Key: "b", EndsAt: began}}
		got, err := s.Send(t.Context(), m, notifytest.Key("delivery-"+string(event), "24"))
		receipt := result.Receipt{ExternalID: "message-delivery-" + string(event), Note: "the notifier accepted the message"}
		if err != nil || got != receipt {
			t.Errorf("got %+v, %v; want %+v", got, err, receipt)
		}
		request := &notifierv1.NotifyRequest{
			DeliveryKey: "delivery-" + string(event), IncidentKey: "incident", Event: want, Title: "Hi 🎉", Content: "Hello KubeCon 👋",
			Severity: notifierv1.Severity_SEVERITY_CRITICAL, Namespace: "shop", Name: "kubecon-alert", Uid: "5f0c", Time: timestamppb.New(m.Time),
			Links: []*notifierv1.Link{{Text: "Run book", Href: "https://example.com/a%20b"}},
			Instances: []*notifierv1.Instance{
				{Key: "a", Text: "disk \uFFFD a", StartsAt: timestamppb.New(began)}, {Key: "b", EndsAt: timestamppb.New(began)},
			},
			Parameters: map[string]string{"team": "storage"},
		}
		if requests := n.Requests(); len(requests) != 1 || !proto.Equal(requests[0], request) {
			t.Errorf("got %v, want %v", requests, request)
		}
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if probes := n.Probes(); len(probes) != 1 || probes[0].GetParameters()["team"] != "storage" {
		t.Errorf("got %v", probes)
	}
}

// A repeat after a lost answer has the same key, and people see it once.
func TestRepeat(t *testing.T) {
	n := start(t, func(service http.Handler) http.Handler { return notifytest.LoseAnswers(service, 1) })
	s := n.sender(t)
	if _, err := send(t, s); result.ClassOf(err) != result.Unknown {
		t.Errorf("got %v", err)
	}
	if _, err := send(t, s); err != nil {
		t.Error(err)
	}
	if seen := n.Seen(); len(seen) != 1 || len(n.Requests()) != 2 {
		t.Errorf("people see %+v", seen)
	}
}

// Calls share a connection, and Close closes it.
func TestConnection(t *testing.T) {
	n := start(t, unchanged)
	s := n.sender(t)
	var calls sync.WaitGroup
	for i := range 20 {
		calls.Go(func() {
			if _, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key(strconv.Itoa(i), "")); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	waitForConnections(t, n, 1) // the first calls may have begun others
	_, before := n.open()
	if _, err := send(t, s); err != nil {
		t.Error(err)
	}
	if _, total := n.open(); total != before || len(n.Seen()) != 21 {
		t.Errorf("%d more connections, %d messages", total-before, len(n.Seen()))
	}
	s.Close()
	waitForConnections(t, n, 0)
	if _, err := send(t, s); err != nil { // of a caller that still has the sender
		t.Error(err)
	}
}

func waitForConnections(t *testing.T, n *notifier, want int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for open, _ := n.open(); open != want; open, _ = n.open() {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open, want %d", open, want)
		}
		time.Sleep(time.Millisecond)
	}
}

func failure(code codes.Code, text string, details ...protoadapt.MessageV1) error {
	s, err := status.New(code, text).WithDetails(details...)
	if err != nil {
		return status.New(code, text).Err()
	}
	return s.Err()
}

func TestStatuses(t *testing.T) {
	refused := &errdetails.ErrorInfo{Domain: "notifier.bellhop.gophernetes.io", Reason: "REFUSED"}
	wait := &errdetails.RetryInfo{RetryDelay: durationpb.New(7 * time.Second)}
	n := start(t, unchanged)
	s := n.sender(t)
	for _, c := range []struct {
		why    string
		answer error
		want   result.Error
	}{
		{"a refusal", failure(codes.InvalidArgument, "too long", refused),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "gRPC INVALID_ARGUMENT: too long"}},
		{"a refusal without its detail", failure(codes.InvalidArgument, "too long"),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "gRPC INVALID_ARGUMENT: too long"}},
		{"a refusal by another domain", failure(codes.InvalidArgument, "", &errdetails.ErrorInfo{Domain: "example.com", Reason: "REFUSED"}),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "gRPC INVALID_ARGUMENT"}},
		{"another reason", failure(codes.InvalidArgument, "", &errdetails.ErrorInfo{Domain: refused.GetDomain(), Reason: "LATER"}),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "gRPC INVALID_ARGUMENT"}},
		{"a refusal with another code", failure(codes.FailedPrecondition, "", refused),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "gRPC FAILED_PRECONDITION"}},
		{"a rate limit", failure(codes.ResourceExhausted, "", wait),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 7 * time.Second, Message: "gRPC RESOURCE_EXHAUSTED"}},
		{"a negative wait", failure(codes.ResourceExhausted, "", &errdetails.RetryInfo{RetryDelay: durationpb.New(-time.Second)}),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, Message: "gRPC RESOURCE_EXHAUSTED"}},
		{"a wait of a year", failure(codes.Unavailable, "", &errdetails.RetryInfo{RetryDelay: durationpb.New(8760 * time.Hour)}),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, RetryAfter: outbound.MaxRetryAfter, Message: "gRPC UNAVAILABLE"}},
		{"aborted", failure(codes.Aborted, ""), result.Error{Class: result.Temporary, Reason: result.ReasonServerError, Message: "gRPC ABORTED"}},
		{"unavailable", failure(codes.Unavailable, ""), result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "gRPC UNAVAILABLE"}},
		{"the server's deadline", failure(codes.DeadlineExceeded, ""), result.Error{Class: result.Unknown, Reason: result.ReasonTimeout, Message: "gRPC DEADLINE_EXCEEDED"}},
		{"internal", failure(codes.Internal, ""), result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "gRPC INTERNAL"}},
		{"unknown", failure(codes.Unknown, ""), result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "gRPC UNKNOWN"}},
		{"a wrong token", failure(codes.Unauthenticated, "", wait),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "gRPC UNAUTHENTICATED"}},
		{"no permission", failure(codes.PermissionDenied, ""), result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "gRPC PERMISSION_DENIED"}},
		{"another server", failure(codes.Unimplemented, ""), result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "gRPC UNIMPLEMENTED"}},
		{"cancelled by the server", failure(codes.Canceled, ""), result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "gRPC CANCELLED"}},
		{"a code of a later version", failure(codes.Code(77), ""), result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "gRPC Code(77)"}},
		{"a credential in the text", failure(codes.Internal, "got Bearer "+token+"\x1b[0m"),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "gRPC INTERNAL: got Bearer [redacted] [0m"}},
	} {
		n.Answer(func(context.Context) (*notifierv1.NotifyResponse, error) { return nil, c.answer })
		_, err := send(t, s)
		notifytest.WantError(t, c.why, err, c.want)
		err = s.Probe(t.Context())
		probe := c.want
		if probe.Class == result.Unknown { // a probe has no effect
			probe.Class = result.Temporary
		}
		notifytest.WantError(t, c.why+", of a probe", err, probe)
	}
	for code := codes.Code(1); code <= codes.Unauthenticated; code++ {
		if _, ok := meanings[connect.Code(code)]; !ok {
			t.Errorf("%s has no meaning", code)
		}
	}
	if _, total := n.open(); total != 1 {
		t.Errorf("%d connections: an answer of the server ends none", total)
	}
}

func TestTexts(t *testing.T) {
	n := start(t, unchanged)
	s := n.sender(t)
	long := strings.Repeat("x", 5000)
	n.Answer(func(context.Context) (*notifierv1.NotifyResponse, error) {
		return nil, status.Error(codes.Internal, long)
	})
	if _, err := send(t, s); len(err.Error()) > len("gRPC INTERNAL: ")+256 {
		t.Errorf("got %d bytes", len(err.Error()))
	}
	for _, c := range []struct {
		why      string
		response *notifierv1.NotifyResponse
		want     result.Receipt
	}{
		{"a note", &notifierv1.NotifyResponse{ExternalId: "1-é", Note: "in channel 7"}, result.Receipt{ExternalID: "1-é", Note: "the notifier accepted the message: in channel 7"}},
		{"the token", &notifierv1.NotifyResponse{ExternalId: token, Note: token}, result.Receipt{Note: "the notifier accepted the message: [redacted]"}},
		{"a line break", &notifierv1.NotifyResponse{ExternalId: "a\nb", Note: "\n"}, result.Receipt{Note: "the notifier accepted the message"}},
		{"long texts", &notifierv1.NotifyResponse{ExternalId: strings.Repeat("x", 257)}, result.Receipt{Note: "the notifier accepted the message"}},
	} {
		n.Answer(func(context.Context) (*notifierv1.NotifyResponse, error) { return c.response, nil })
		if got, err := send(t, s); err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", c.why, got, err, c.want)
		}
	}
	n.Answer(func(context.Context) (*notifierv1.NotifyResponse, error) {
		return &notifierv1.NotifyResponse{Note: strings.Repeat("x", maxMessage+1)}, nil
	})
	_, err := send(t, s)
	notifytest.WantError(t, "an answer that is too long", err, result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer,
		Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"})
}

// Calls without an answer. None is repeated here, and none shows a text of gRPC.
func TestNoAnswer(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	n := start(t, unchanged)
	http1 := start(t, unchanged)
	http1.TLS.NextProtos = nil
	hang := func(context.Context) (*notifierv1.NotifyResponse, error) { // longer than the caller waits, at whose limit a server of gRPC answers
		<-t.Context().Done()
		return nil, nil
	}
	n.Answer(hang)
	for _, c := range []struct {
		why     string
		address string
		client  *outbound.Client
		want    result.Error
	}{
		{"refused", closed.Addr().String(), n.client(t, time.Second),
			result.Error{Class: result.Temporary, Reason: result.ReasonConnectionFailed, Message: "the connection was refused"}},
		{"a server that does not speak", silent.Addr().String(), n.client(t, 200*time.Millisecond),
			result.Error{Class: result.Temporary, Reason: result.ReasonConnectionFailed, Message: "no connection within the time limit"}},
		{"a server that hangs", n.address(), n.client(t, 500*time.Millisecond),
			result.Error{Class: result.Unknown, Reason: result.ReasonTimeout, Message: "no complete answer within the time limit"}},
		{"an unknown authority", n.address(), outboundtest.Client(t),
			result.Error{Class: result.Configuration, Reason: result.ReasonTLSFailed, Message: "the certificate is signed by an unknown authority"}},
		{"no HTTP/2", http1.address(), http1.client(t, 5*time.Second), result.Error{Class: result.Configuration, Reason: result.ReasonTLSFailed,
			Message: "the server does not offer HTTP/2 in the TLS handshake, by the extension ALPN"}},
		{"an address that the guard refuses", "169.254.169.254:443", n.client(t, time.Second), result.Error{Class: result.Configuration,
			Reason: result.ReasonAddressRefused, Message: "the address is a cloud metadata address, and the operator's --allow-outbound does not list it"}},
	} {
		s := newSender(t, Config{Address: c.address, Token: token}, c.client)
		for range 2 { // the second one is not the error of the first
			_, err := send(t, s)
			notifytest.WantError(t, c.why, err, c.want)
		}
	}
	if requests := n.Requests(); len(requests) != 2 {
		t.Errorf("%d requests of 2 calls", len(requests))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = n.sender(t).Send(ctx, notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
	notifytest.WantError(t, "cancelled", err, result.Error{Class: result.Temporary, Reason: result.ReasonCanceled, Message: "the request was cancelled"})
}

// After an outage the next call opens a connection at once.
func TestOutage(t *testing.T) {
	n := start(t, unchanged)
	s := n.sender(t)
	for range 3 {
		if _, err := send(t, s); err != nil {
			t.Fatal(err)
		}
		n.CloseClientConnections()
		_, err := send(t, s)
		for range 3 { // the end of the connection may be seen only by a call
			if err != nil {
				_, err = send(t, s)
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func TestServerName(t *testing.T) {
	host := ""
	n := start(t, func(service http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			host = r.Host
			service.ServeHTTP(w, r)
		})
	})
	s := newSender(t, Config{Address: n.address(), ServerName: "example.com", Token: token}, n.client(t, 5*time.Second)) // in httptest's certificate
	if _, err := send(t, s); err != nil || host != "example.com" {
		t.Errorf("got %v, and the host is %q", err, host)
	}
	s = newSender(t, Config{Address: n.address(), ServerName: "other.example.org", Token: token}, n.client(t, 5*time.Second))
	_, err := send(t, s)
	notifytest.WantError(t, "another name", err, result.Error{Class: result.Configuration, Reason: result.ReasonTLSFailed, Message: "the certificate is for another host name"})
}

// Without a client certificate, what the server says depends on whether the alert or the request is first.
func TestClientCertificate(t *testing.T) {
	n := start(t, unchanged)
	n.TLS.ClientAuth = tls.RequireAnyClientCert
	for range 2 {
		_, err := send(t, n.sender(t))
		own, ok := errors.AsType[*result.Error](err)
		if !ok || own.Class != result.Configuration && own.Class != result.Temporary || !strings.Contains(own.Message, "it may want a client certificate") {
			t.Errorf("got %+v", err)
		}
	}
}

func TestPlain(t *testing.T) {
	fake := notifytest.NewGRPC(token)
	server := notifytest.Serve(fake)
	t.Cleanup(server.Close)
	if _, err := send(t, newSender(t, Config{Address: server.URL, Token: token}, outboundtest.Client(t))); err != nil {
		t.Error(err)
	}
	_, err := send(t, newSender(t, Config{Address: strings.TrimPrefix(server.URL, plainScheme), Token: token}, outboundtest.Client(t)))
	if result.ClassOf(err) != result.Configuration || len(fake.Seen()) != 1 {
		t.Errorf("without TLS: %v", err)
	}
}

// The longest texts of the schema fit into a message.
func TestLongest(t *testing.T) {
	n := start(t, unchanged)
	s := n.sender(t)
	s.parameters = map[string]string{}
	for i := range maxParameters {
		s.parameters[strconv.Itoa(i)+strings.Repeat("x", 60)] = strings.Repeat("👋", 512)
	}
	for _, unit := range []string{"x", "👋", "\x00", "é"} {
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent = strings.Repeat(unit, 256), strings.Repeat(unit, 16384)
		for range 4 {
			m.RawLinks = append(m.RawLinks, notify.Link{Text: strings.Repeat(unit, 64), Href: "https://example.com/" + strings.Repeat("(", 2000)})
		}
		for range 200 {
			m.RawInstances = append(m.RawInstances, notify.Instance{
				Key: strings.Repeat("👋", 64), Text: strings.Repeat(unit, 256/len(unit)), StartsAt: m.Time, EndsAt: m.Time,
			})
		}
		if _, err := s.Send(t.Context(), m, notifytest.Key("delivery", "")); err != nil {
			t.Errorf("%q: %v, %d bytes", unit, err, proto.Size(s.requestOf(m, notifytest.Key("delivery", ""))))
		}
	}
}

func TestNewRefuses(t *testing.T) {
	const address = "notifier.example.com:8443"
	many := map[string]string{}
	for i := range 17 {
		many[strconv.Itoa(i)] = "x"
	}
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no address", "address: must be a host and a port", Config{}},
		{"no port", "address: must be a host and a port", Config{Address: "canary.example.com"}},
		{"a URL", "address: must be a host and a port", Config{Address: "https://canary.example.com:8443"}},
		{"a path", "address: must be a host with a port", Config{Address: "canary.example.com:8443/x"}},
		{"a user", "address: must be a host and a port", Config{Address: "canary@example.com:8443"}},
		{"a Unix socket", "address: must be a host with a port", Config{Address: "unix:///canary.sock"}},
		{"a name of a port", "address: must be a host with a port", Config{Address: "canary.example.com:https"}},
		{"half an address", "address: must be a host name", Config{Address: "127.1:8443"}},
		{"a port in the name", "serverName: must be", Config{Address: address, ServerName: "canary:8443"}},
		{"a name without TLS", "serverName: must not be set", Config{Address: "http://" + address, ServerName: "canary"}},
		{"many parameters", "parameters: must be at most 16", Config{Address: address, Parameters: many}},
		{"a token with a control character", "token: must", Config{Address: address, Token: "canary\ncanary"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
	for _, good := range []string{address, "[2001:db8::1]:8443", "192.0.2.1:1", "http://notifier.shop.svc:8080", "notifier:8443"} {
		if problems := check(Config{Address: good}); !slices.Equal(problems, nil) {
			t.Errorf("%s: %+v", good, problems)
		}
	}
}
