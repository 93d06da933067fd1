// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gophernetes/bellhop/internal/httpserver/limits"
)

// selfSigned returns a certificate for servers and clients.
func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// secured serves TLS. A client of which a certificate is required has to have the same one.
func secured(t *testing.T, kind Kind, clients tls.ClientAuthType) (*fixture, tls.Certificate) {
	t.Helper()
	certificate := selfSigned(t)
	authorities := x509.NewCertPool()
	authorities.AddCert(certificate.Leaf)
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: authorities, ClientAuth: clients}
	return newSecuredFixture(t, kind, settings, echoLength), certificate
}

// F-S59: a client without a certificate is another client than an API server, and one with the certificate that is required is an API server,
// whatever its address.
func TestAPIServersAreKnownByTheirCertificate(t *testing.T) {
	for name, test := range map[string]struct {
		clients tls.ClientAuthType
		from    netip.Addr
		label   string
	}{
		"no certificate is required":          {tls.NoClientCert, aPod, "other"},
		"an address of an API server":         {tls.NoClientCert, theAPIServer, "api_server"},
		"the certificate, through a proxy":    {tls.RequireAndVerifyClientCert, aPod, "api_server"},
		"the certificate, of a known address": {tls.RequireAndVerifyClientCert, theAPIServer, "api_server"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, certificate := secured(t, Webhooks, test.clients)
			c := tls.Client(f.dial(test.from), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}})
			go fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
			answer, isOpen, _ := f.answer(c, time.Now())
			if answer != "200 2" || !isOpen || c.ConnectionState().NegotiatedProtocol != "http/1.1" {
				t.Errorf("%s: %q, open: %t, protocol %q", name, answer, isOpen, c.ConnectionState().NegotiatedProtocol)
			}
			if n := f.metric(t, "bellhop_http_server_requests_total", test.label); n != 1 {
				t.Errorf("%s: %v requests of %s", name, n, test.label)
			}
			_ = c.Close()
		})
	}
}

// F-S59: clients that begin handshakes and do not end them hold no turn of another client.
func TestHandshakesThatStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := secured(t, Webhooks, tls.NoClientCert)
		for range 100 {
			c := f.dial(aPod)
			defer c.Close()
			go tls.Client(deaf{c}, &tls.Config{InsecureSkipVerify: true}).Handshake() //nolint:errcheck // it never ends
		}
		synctest.Wait()
		began := time.Now()
		c := tls.Client(f.dial(netip.MustParseAddr("10.244.0.8")), &tls.Config{InsecureSkipVerify: true})
		if err := c.Handshake(); err != nil || time.Since(began) != 0 {
			t.Errorf("another client after %s: %v", time.Since(began), err)
		}
		_ = c.Close()
		synctest.Wait() // the server may not have read the client's last message
		if n := len(f.servers.handshakes); n != 0 {
			t.Errorf("%d turns are taken", n)
		}
		time.Sleep(limits.FirstRequest)
		synctest.Wait()
		if n := f.metric(t, "bellhop_http_server_connections_closed_total", "no_request"); n != 100 {
			t.Errorf("%v connections are closed", n)
		}
	})
}

// F-S59: the server signs in turn, also after a HelloRetryRequest, which is sent to a client without a key for the group that the server prefers.
func TestSignaturesAreMadeInTurn(t *testing.T) {
	for name, test := range map[string]struct {
		isAPIServer bool
		version     uint16
		groups      []tls.CurveID
		turns       int
	}{
		"TLS 1.2":                   {false, tls.VersionTLS12, nil, 1},
		"TLS 1.3":                   {false, tls.VersionTLS13, nil, 1},
		"TLS 1.3, a second message": {false, tls.VersionTLS13, []tls.CurveID{tls.X25519, tls.CurveP256}, 1},
		"an API server":             {true, tls.VersionTLS13, nil, 0},
	} {
		servers, err := New(Options{Metrics: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		if test.isAPIServer {
			servers.SetAPIServers([]netip.Addr{netip.MustParseAddr("127.0.0.1")})
		}
		signatures := 0
		certificate := selfSigned(t)
		certificate.PrivateKey = signer{certificate.PrivateKey.(crypto.Signer), func() {
			if signatures++; len(servers.handshakes) != test.turns {
				t.Errorf("%s: %d turns are taken", name, len(servers.handshakes))
			}
		}}
		server, listener, err := servers.Listen(t.Context(), Webhooks, "127.0.0.1:0",
			&tls.Config{Certificates: []tls.Certificate{certificate}, CurvePreferences: []tls.CurveID{tls.CurveP256, tls.X25519MLKEM768}}, http.HandlerFunc(echoLength))
		if err != nil {
			t.Fatal(err)
		}
		go server.Serve(listener) //nolint:errcheck // ends with Close
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: test.version, CurvePreferences: test.groups}}}
		response, err := client.Post("https://"+listener.Addr().String(), "application/json", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if signatures != 1 || response.TLS.HelloRetryRequest != (test.groups != nil) {
			t.Errorf("%s: %s, %d signatures, a second message: %t", name, response.Status, signatures, response.TLS.HelloRetryRequest)
		}
		if n := len(servers.handshakes); n != 0 {
			t.Errorf("%s: %d turns are taken at the end", name, n)
		}
		_ = server.Close()
	}
}

// signer is a key that says when it signs.
type signer struct {
	crypto.Signer
	signs func()
}

func (s signer) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	s.signs()
	return s.Signer.Sign(random, digest, options)
}

// deaf is a connection whose client takes what the server sends, and does not see it.
type deaf struct{ net.Conn }

func (d deaf) Read([]byte) (int, error) {
	_, err := io.Copy(io.Discard, d.Conn)
	return 0, cmp.Or(err, io.EOF)
}

// Panics and failed handshakes are in the log; of failed handshakes there is one line a minute.
func TestTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		o := (&metrics{}).observe("webhooks", funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}))
		for range 1000 {
			o.errorLog().Print("http: TLS handshake error from 10.0.0.1:1: EOF")
		}
		o.errorLog().Print("http: panic serving 10.0.0.1:1: boom")
		if len(lines) != 2 || !strings.Contains(lines[1], "boom") {
			t.Errorf("lines %q", lines)
		}
		time.Sleep(logInterval)
		o.errorLog().Print("http: TLS handshake error from 10.0.0.1:1: EOF")
		if len(lines) != 3 {
			t.Errorf("lines %q", lines)
		}
	})
}
