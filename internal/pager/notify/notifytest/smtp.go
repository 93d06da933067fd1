// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/mail"
	"slices"
	"sync"
	"time"
)

// SMTPOptions are the extensions of a mail server and the credentials that it requires.
type SMTPOptions struct {
	StartTLS bool // offered, and required for AUTH
	Implicit bool // TLS from the first byte
	// Username and Password are required, where they are set.
	Username, Password string
	// Mechanisms for AUTH. Default: PLAIN LOGIN. SCRAM-SHA-256 is supported, too. With "none" the extension is not offered.
	Mechanisms string
	// OldForm offers the mechanisms as "AUTH=PLAIN LOGIN" only.
	OldForm bool
	// RefusesInitial and IgnoresInitial are about a response in the command AUTH.
	RefusesInitial, IgnoresInitial bool
	// Rounds is the number of iterations of SCRAM. Default: 4096.
	Rounds int
	// Names of the certificate, in addition to 127.0.0.1.
	Names []string
}

// Instead of an answer an SMTP server can do the following; see SMTP.Script.
const (
	SMTPHang  = "\x00hang"  // sends nothing more
	SMTPClose = "\x00close" // closes the connection
	SMTPFlood = "\x00flood" // sends endless lines
	SMTPLine  = "\x00line"  // sends an endless line
)

// SMTP is a mail server that checks the protocol. It shows mails with equal Message-IDs once, as many mail programs do. Unlike the library that is the
// mail server of test/pager, it scripts hostile answers, and has forms of AUTH that old servers have, and SCRAM.
type SMTP struct {
	Display
	options  SMTPOptions
	listener net.Listener
	tls      *tls.Config
	ca       []byte

	mu       sync.Mutex
	closed   bool
	conns    map[net.Conn]bool
	scripts  map[string][]string
	commands []string
	mails    []SMTPMail
	lose     int
	serving  sync.WaitGroup
}

// SMTPMail is a mail that was accepted.
type SMTPMail struct {
	From          string // of the envelope
	To            []string
	Raw           string
	Header        mail.Header
	Subject, Body string // decoded
}

// NewSMTP starts a server on a free port of the loopback address.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	if o.Mechanisms == "" {
		o.Mechanisms = "PLAIN LOGIN"
	}
	if o.Rounds == 0 {
		o.Rounds = 4096
	}
	s := &SMTP{options: o, conns: map[net.Conn]bool{}, scripts: map[string][]string{}}
	if err := s.makeCertificate(); err != nil {
		return nil, err
	}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil { //nolint:noctx // there is nothing to wait for
		return nil, err
	}
	s.serving.Go(s.accept)
	return s, nil
}

func (s *SMTP) makeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "smtp.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: s.options.Names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	s.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return nil
}

// Addr returns the address, as host:port.
func (s *SMTP) Addr() string { return s.listener.Addr().String() }

// CA returns the certificate, in PEM.
func (s *SMTP) CA() []byte { return s.ca }

// Close closes all connections, and waits until they have ended.
func (s *SMTP) Close() {
	s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// Script sets the answers to the next commands of a kind: "connect", "TLS" (the handshake), "EHLO", "MAIL", …, "mail" (before
// the server reads one) and "." (after that). The last answer is used for all further commands. An answer is a line without
// its line break, or one of the constants; "" is the correct answer. A command with any other answer has no effect.
func (s *SMTP) Script(command string, answers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[command] = answers
}

// LoseAnswers makes the server accept the next n mails, and close the connection without an answer.
func (s *SMTP) LoseAnswers(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = n
}

// Mails returns the accepted mails, including repeats.
func (s *SMTP) Mails() []SMTPMail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Received returns the number of accepted mails, including repeats.
func (s *SMTP) Received() int { return len(s.Mails()) }

// Commands returns the commands since the last call, without mails and credentials.
func (s *SMTP) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	commands := s.commands
	s.commands = nil
	return commands
}

func (s *SMTP) accept() {
	for conn, err := s.listener.Accept(); err == nil; conn, err = s.listener.Accept() {
		s.mu.Lock()
		if s.closed {
			conn.Close()
		} else {
			s.conns[conn] = true
			s.serving.Go(func() { s.serve(conn) })
		}
		s.mu.Unlock()
	}
}

func (s *SMTP) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, conn)
	}()
	c := &smtpConn{server: s}
	c.use(conn)
	if s.options.Implicit && !c.startTLS() || !c.answer("connect", "220 smtp.test ESMTP") {
		return
	}
	for {
		line, ok := c.line()
		if !ok || !c.handle(line) {
			return
		}
	}
}

func (s *SMTP) scripted(command string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	answers := s.scripts[command]
	if len(answers) == 0 {
		return ""
	}
	if len(answers) > 1 {
		s.scripts[command] = answers[1:]
	}
	return answers[0]
}
