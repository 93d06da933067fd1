// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
)

// A process may be stopped while it makes a connection, or before it writes to one that was kept.
func TestNothingIsWrittenWhileAnotherProcessMayLead(t *testing.T) {
	for name, isHTTP2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			var ended, endsInHandshake atomic.Bool
			var arrived atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
			server.EnableHTTP2 = isHTTP2
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				ended.Store(endsInHandshake.Load())
				return nil, nil //nolint:nilnil // the server's own
			}}
			server.StartTLS()
			t.Cleanup(server.Close)
			guard := NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
			guard.WriteWhile(func() error {
				if ended.Load() {
					return errors.New("the lease has ended")
				}
				return nil
			})
			client := testClient(t, guard, Options{CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})})
			send := func() error {
				_, err := client.Do(t.Context(), post(t, server.URL+secretPath))
				return err
			}
			if err := send(); err != nil || arrived.Load() != 1 {
				t.Fatalf("%d requests arrived: %v", arrived.Load(), err)
			}
			ended.Store(true)
			wantError(t, send(), Canceled, isHTTP2, "another process") // a connection of HTTP/2 may have written a part of the request
			client.CloseIdleConnections()
			ended.Store(false)
			endsInHandshake.Store(true)
			wantError(t, send(), Canceled, false, "another process")
			if n := arrived.Load(); n != 1 {
				t.Errorf("%d requests arrived after the lease had ended", n-1)
			}
			ended.Store(false)
			endsInHandshake.Store(false)
			if err := send(); err != nil || arrived.Load() != 2 {
				t.Errorf("%d requests arrived once it is renewed: %v", arrived.Load()-1, err)
			}
		})
	}
}

// A mail is sent in many writes, between any two of which the process may be stopped.
func TestNothingIsWrittenToADialledConnectionWhileAnotherProcessMayLead(t *testing.T) {
	var ended atomic.Bool
	address := peer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	guard := NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
	guard.WriteWhile(func() error {
		if ended.Load() {
			return errors.New("the lease has ended")
		}
		return nil
	})
	made := dial(t.Context(), t, testClient(t, guard, Options{}), address)
	if _, err := io.WriteString(made, "MAIL FROM:<a@example.com>\r\n"); err != nil {
		t.Fatal(err)
	}
	ended.Store(true)
	_, err := io.WriteString(made, "DATA\r\n")
	wantError(t, FromConn(t.Context(), err, Talking), Canceled, false, "another process")
}
