// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package outbound

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/costtest"
)

// Certificates of a Secret are read in linear time.
func TestCostOfCertificates(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for why, shape := range map[string]func(n int) []byte{
		"one certificate, again and again": func(n int) []byte { return bytes.Repeat(certificate, n/len(certificate)) },
		"blocks of another type":           func(n int) []byte { return bytes.Repeat(pem.EncodeToMemory(&pem.Block{Type: "X"}), n/32) },
		"beginnings of blocks":             func(n int) []byte { return bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\n"), n/28) },
		"blocks that do not end":           func(n int) []byte { return bytes.Repeat([]byte("-----BEGIN A-----\nAAAA\n"), n/23) },
		"text":                             func(n int) []byte { return bytes.Repeat([]byte("-"), n) },
	} {
		t.Run(why, func(t *testing.T) {
			costtest.Linear(t, 512<<10, shape, func(text []byte) {
				_, _ = tlsConfig(Options{CABundle: text})
				_, _ = tlsConfig(Options{ClientCertificate: text, ClientKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})})
				_, _ = tlsConfig(Options{ClientCertificate: certificate, ClientKey: text})
			})
		})
	}
}

func TestCostOfRetryAfter(t *testing.T) {
	for _, unit := range []string{"1", "a", ", 1 Jan"} {
		costtest.Linear(t, 32<<10, func(n int) http.Header { return http.Header{"Retry-After": {strings.Repeat(unit, n/len(unit))}} }, func(h http.Header) { RetryAfter(h, time.Time{}) })
	}
}
