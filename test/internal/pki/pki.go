// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pki makes certificates for tests.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

// Pair is a certificate with its key.
type Pair struct {
	tls.Certificate
	CertificatePEM, KeyPEM []byte
}

// Issue makes a certificate from a template whose time begins an hour ago. authority signs it; nil: it signs itself, and is an authority.
func Issue(template *x509.Certificate, authority *tls.Certificate) Pair {
	ginkgo.GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	template.NotBefore, template.BasicConstraintsValid = time.Now().Add(-time.Hour), true
	parent, signer := template, any(key)
	if authority == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	} else {
		parent, signer = authority.Leaf, authority.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	text, err := x509.MarshalPKCS8PrivateKey(key)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	p := Pair{CertificatePEM: encode("CERTIFICATE", der), KeyPEM: encode("PRIVATE KEY", text)}
	p.Certificate, err = tls.X509KeyPair(p.CertificatePEM, p.KeyPEM)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return p
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
