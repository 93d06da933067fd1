// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// keyPair is a certificate of its own authority, with its key, in PEM form.
func keyPair(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "platform"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// authority is that of a test's server.
func authority(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// newTLSServer says good to everything, and nothing of handshakes that fail.
func newTLSServer(t *testing.T, config *tls.Config) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(status(200, good))
	s.TLS = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func verification(t *testing.T) {
	s := newTLSServer(t, &tls.Config{MinVersion: tls.VersionTLS12})
	for operation, call := range calls(nil, true) {
		out := call(t.Context(), newClient(t, s.URL))
		if out.Class != osbresult.Misconfigured || out.Sent || !strings.Contains(out.Description, "unknown authority") {
			t.Errorf("%s, with an authority that is not known: got %+v", operation, out)
		}
		out = call(t.Context(), newClient(t, s.URL, func(o *Options) { o.Outbound = outboundOptions(authority(s)) }))
		want(t, string(operation)+", with the broker's own authority", out.Class, osbresult.Done)
	}
	_, out := newClient(t, s.URL, func(o *Options) { o.Outbound.InsecureSkipVerify = true }).Catalog(t.Context(), "")
	want(t, "without verification, as it is asked for", out.Class, osbresult.Done)
}

func clientCertificate(t *testing.T) {
	certificate, key := keyPair(t)
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(certificate)
	s := newTLSServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: known, MinVersion: tls.VersionTLS12})
	trusting := func(o *Options) { o.Outbound = outboundOptions(authority(s)) }
	for operation, call := range calls(nil, true) {
		out := call(t.Context(), newClient(t, s.URL, trusting))
		if out.Class == osbresult.Done {
			t.Errorf("%s works without a certificate: %+v", operation, out)
		}
		out = call(t.Context(), newClient(t, s.URL, trusting, func(o *Options) { o.Auth.ClientCertificate, o.Auth.ClientKey = certificate, key }))
		want(t, string(operation)+" with a certificate", out.Class, osbresult.Done)
	}
}
