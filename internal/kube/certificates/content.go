// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The Secret's keys, beside tls.crt and tls.key.
const (
	authoritiesKey  = "ca.crt" // the authority that signs, then those before it that are trusted still
	authorityKeyKey = "ca.key" // of the one that signs
)

const (
	day  = 24 * time.Hour
	year = 365 * day

	// An authority has to outlast the certificates that it signs.
	authorityLifetime, authorityRenewal = 10 * year, 2 * year
	servingLifetime, servingRenewal     = year, 90 * day

	// overlap is how long a replaced authority is trusted after the certificate that replaced its own was made: until then every
	// replica serves that one.
	overlap = day
	// clockSkew is how much a certificate's time begins before it is made: clocks of API servers may be behind.
	clockSkew = time.Hour
	// maxAuthorities bounds the trusted authorities, as each deletion of the Secret adds one.
	maxAuthorities = 4
)

// content is the part of the Secret that can be used.
type content struct {
	authorities []*x509.Certificate // whose time is not over
	signer      crypto.Signer       // key of the first of them, nil if there is no key or it is another certificate's
	serving     *tls.Certificate    // nil if the authorities or a client would not accept it
}

// parse reads the Secret.
func parse(data map[string][]byte, dnsNames []string, now time.Time) content {
	var c content
	for rest := data[authoritiesKey]; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && cert.IsCA && isCurrent(cert, now) {
			c.authorities = append(c.authorities, cert)
		}
	}
	if pair, err := tls.X509KeyPair(data[authoritiesKey], data[authorityKeyKey]); err == nil && len(c.authorities) > 0 && pair.Leaf.Equal(c.authorities[0]) {
		c.signer, _ = pair.PrivateKey.(crypto.Signer)
	}
	if pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey]); err == nil && c.accepts(pair.Leaf, dnsNames, now) {
		c.serving = &pair
	}
	return c
}

func isCurrent(cert *x509.Certificate, now time.Time) bool {
	return !now.Before(cert.NotBefore) && now.Before(cert.NotAfter)
}

// accepts reports whether a client that trusts the authorities accepts a certificate under each of the names.
func (c content) accepts(cert *x509.Certificate, dnsNames []string, now time.Time) bool {
	pool := x509.NewCertPool()
	for _, authority := range c.authorities {
		pool.AddCert(authority)
	}
	return !slices.ContainsFunc(dnsNames, func(name string) bool {
		_, err := cert.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: now})
		return err != nil
	})
}

// renew returns the content that the Secret has to have, and the reason if it differs from the present one. One of inUse signed the certificate that
// this process serves.
func (c content) renew(inUse []*x509.Certificate, dnsNames []string, now time.Time) (next content, reason string, err error) {
	next = c
	switch {
	case c.signer == nil:
		reason = "there is no authority with its key"
	case endsWithin(c.authorities[0], authorityRenewal, now):
		reason = "the authority ends soon"
	}
	if reason != "" {
		if c.serving == nil {
			next.authorities = nil // perhaps a stranger's
		}
		if next, err = next.replaceAuthority(inUse, now); err != nil {
			return content{}, "", err
		}
	}
	switch {
	case reason != "":
	case c.serving == nil:
		reason = "there is no certificate that fits"
	case endsWithin(c.serving.Leaf, servingRenewal, now):
		reason = "the certificate ends soon"
	case c.serving.Leaf.CheckSignatureFrom(c.authorities[0]) != nil:
		reason = "the certificate is not the authority's"
	case len(c.authorities) > 1 && !now.Before(c.serving.Leaf.NotBefore.Add(overlap)):
		next.authorities = c.authorities[:1]
		return next, "the authority before is not in use any more", nil
	default:
		return c, "", nil
	}
	next.serving, err = next.sign(dnsNames, now)
	return next, reason, err
}

func endsWithin(cert *x509.Certificate, limit time.Duration, now time.Time) bool {
	return cert.NotAfter.Sub(now) < limit
}

// replaceAuthority puts a new authority before those that are trusted.
func (c content) replaceAuthority(inUse []*x509.Certificate, now time.Time) (content, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return content{}, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "bellhop-webhook-ca", Organization: []string{"bellhop"}},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(authorityLifetime),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	authority, err := issue(template, template, key.Public(), key)
	if err != nil {
		return content{}, err
	}
	authorities := []*x509.Certificate{authority}
	for _, other := range slices.Concat(c.authorities, inUse) {
		if isCurrent(other, now) && !slices.ContainsFunc(authorities, other.Equal) && len(authorities) < maxAuthorities {
			authorities = append(authorities, other)
		}
	}
	return content{authorities: authorities, signer: key}, nil
}

// sign makes a certificate for the names.
func (c content) sign(dnsNames []string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := issue(&x509.Certificate{
		Subject:   pkix.Name{CommonName: dnsNames[0]},
		DNSNames:  dnsNames,
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(servingLifetime),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, c.authorities[0], key.Public(), c.signer)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

// issue signs a certificate; a serial number comes from crypto/x509.
func issue(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// nextCheck returns when renew will have something to do.
func (c content) nextCheck() time.Time {
	next := c.serving.Leaf.NotAfter.Add(-servingRenewal)
	if authority := c.authorities[0].NotAfter.Add(-authorityRenewal); authority.Before(next) {
		next = authority
	}
	if end := c.serving.Leaf.NotBefore.Add(overlap); len(c.authorities) > 1 && end.Before(next) {
		next = end
	}
	return next
}

// bundle returns the authorities, which the API server has to trust, as PEM.
func (c content) bundle() []byte {
	var out bytes.Buffer
	for _, authority := range c.authorities {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw}))
	}
	return out.Bytes()
}

// data returns the content of the Secret.
func (c content) data() (map[string][]byte, error) {
	data := map[string][]byte{authoritiesKey: c.bundle()}
	for name, key := range map[string]crypto.PrivateKey{authorityKeyKey: c.signer, corev1.TLSPrivateKeyKey: c.serving.PrivateKey} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		data[name] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	for _, der := range c.serving.Certificate {
		data[corev1.TLSCertKey] = append(data[corev1.TLSCertKey], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return data, nil
}
