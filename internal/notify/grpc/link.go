/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package grpcnotifier

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/version"
)

const (
	// maxMessage bounds a request and a response, in bytes.
	maxMessage = 256 << 10
	// maxHeader bounds the headers of a response, in bytes, as it does in package outbound.
	maxHeader = 64 << 10
	// idleTimeout is that of HTTP connections in package outbound.
	idleTimeout = 30 * time.Second
	// connectTimeout is longer than the timeout of any call: calls do not outlive theirs, and connections are retired after it.
	connectTimeout = time.Minute
	// lastWords is for how long the reason of a server is waited for that has closed the connection.
	lastWords = 100 * time.Millisecond
)

// link is a connection of a sender. It is used for no new call once a call got no answer: gRPC would fail the next ones with the error
// of that time, and dial again by a clock of its own.
type link struct {
	conn    *grpc.ClientConn
	failure atomic.Pointer[outbound.Error] // of the last dial; nil: it succeeded

	users   int // calls in progress
	retired bool
}

// dial returns a link. Its first call opens the connection.
func dial(client *outbound.Client, address, serverName string, isPlain bool, authorization string) (*link, error) {
	l := &link{}
	scheme, transport := "http", insecure.NewCredentials()
	if !isPlain {
		config := client.TLSConfig(serverName)
		config.VerifyConnection = verifyProtocol
		scheme, transport = "https", credentials.NewTLS(config)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(handshake{transport, l}),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			l.failure.Store(nil)
			conn, err := client.Connect(ctx, scheme, address)
			if err != nil {
				l.failure.Store(outbound.FromConn(ctx, err, outbound.Handshaking))
			}
			return conn, err
		}),
		grpc.WithNoProxy(), // Connect knows the operator's
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithDisableHealthCheck(),
		grpc.WithIdleTimeout(idleTimeout),
		grpc.WithUserAgent(version.UserAgent()),
		grpc.WithStatsHandler(observer{}),
		grpc.WithMaxHeaderListSize(maxHeader),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectTimeout}),
	}
	if authorization != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer{authorization, isPlain}))
	}
	var err error
	l.conn, err = grpc.NewClient("passthrough:///"+address, options...)
	return l, err
}

// verifyProtocol says what is wrong with a server without ALPN. gRPC refuses it, too, with an error that looks like one of TLS itself.
func verifyProtocol(state tls.ConnectionState) error {
	if state.NegotiatedProtocol == "" {
		return &outbound.Error{Kind: outbound.TLS, Message: "the server does not offer HTTP/2 in the TLS handshake, by the extension ALPN"}
	}
	return nil
}

// handshake records why TLS failed, which gRPC has as a text only.
type handshake struct {
	credentials.TransportCredentials
	link *link
}

func (h handshake) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		h.link.failure.Store(outbound.FromConn(ctx, err, outbound.Handshaking))
		return nil, nil, err
	}
	return watch(conn, h.link), info, nil
}

func (h handshake) Clone() credentials.TransportCredentials {
	return handshake{h.TransportCredentials.Clone(), h.link}
}

// watched records why a connection ended. A server of TLS 1.3 refuses a client certificate only after the handshake.
type watched struct {
	net.Conn
	link *link
	once *sync.Once
	// ended is closed once a Read has failed.
	ended chan struct{}
}

func watch(conn net.Conn, l *link) watched {
	return watched{conn, l, &sync.Once{}, make(chan struct{})}
}

func (w watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		w.link.failure.CompareAndSwap(nil, outbound.FromConn(context.Background(), err, outbound.Handshaking))
		w.once.Do(func() { close(w.ended) })
	}
	return n, err
}

// Write waits after an error for that of Read, since gRPC closes the connection at once, and only Read gets what the server said last.
func (w watched) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if err != nil {
		select {
		case <-w.ended:
		case <-time.After(lastWords):
		}
	}
	return n, err
}

// links has the link of a sender.
type links struct {
	open func() (*link, error)

	mu      sync.Mutex
	current *link // nil: the next call opens one
	closed  bool
}

// take returns the link for a call. The caller must release it.
func (s *links) take() (*link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		l, err := s.open()
		if err != nil {
			return nil, err
		}
		s.current = l
	}
	s.current.users++
	return s.current, nil
}

// release ends the use of a link. A retired one is closed after its last call.
func (s *links) release(l *link, retire bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.users--
	if retire || s.closed {
		s.retire(l)
	}
	if l.retired && l.users == 0 {
		_ = l.conn.Close()
	}
}

func (s *links) retire(l *link) {
	l.retired = true
	if s.current == l {
		s.current = nil
	}
}

// close closes the link, and those of later calls after each.
func (s *links) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if l := s.current; l != nil {
		s.retire(l)
		if l.users == 0 {
			_ = l.conn.Close()
		}
	}
}

// progress is how far a call has come.
type progress struct {
	sent     atomic.Bool // the server may have the request
	began    atomic.Bool // the answer began with headers of gRPC
	answered atomic.Bool // the server ended the call with a status of gRPC
}

type progressKey struct{}

// observer records the progress of calls.
type observer struct{}

var _ stats.Handler = observer{}

func (observer) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (observer) HandleRPC(ctx context.Context, event stats.RPCStats) {
	p, ok := ctx.Value(progressKey{}).(*progress)
	if !ok {
		return
	}
	switch event.(type) {
	case *stats.OutHeader:
		p.sent.Store(true)
	case *stats.InHeader:
		p.began.Store(true)
	case *stats.InTrailer:
		p.answered.Store(true)
	}
}

func (observer) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (observer) HandleConn(context.Context, stats.ConnStats) {}
