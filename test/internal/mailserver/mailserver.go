// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package mailserver is a mail server for tests. The server and the parser of mails are libraries that the operator does not use.
package mailserver

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/test/internal/pki"
)

// Server is a mail server that accepts a mail only after STARTTLS and a login. It offers PLAIN alone: go-sasl has no server for LOGIN.
type Server struct {
	Addr string // host:port
	CA   []byte // PEM

	username, password string

	mu    sync.Mutex
	mails []Mail
	lose  bool
}

// Mail is a mail that was accepted.
type Mail struct {
	Recipients []string // of the envelope
	ID         string   // the Message-ID, without brackets
	To         []*mail.Address
	// Subject and Body are decoded.
	Subject, Body string
}

// Start starts a server on a free port of the loopback address. It ends with the spec.
func Start(username, password string) *Server {
	ginkgo.GinkgoHelper()
	certificate := pki.Issue(&x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // there is nothing to wait for
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	s := &Server{Addr: listener.Addr().String(), CA: certificate.CertificatePEM, username: username, password: password}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate.Certificate}}
	server.ErrorLog = log.New(ginkgo.GinkgoWriter, "the mail server: ", 0)
	go func() { _ = server.Serve(listener) }()
	ginkgo.DeferCleanup(server.Close)
	return s
}

// Mails returns the accepted mails, including repeats.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// LoseNextAnswer makes the server accept the next mail, and close the connection without an answer.
func (s *Server) LoseNextAnswer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = true
}

// accept stores a mail, and returns whether its answer is lost.
func (s *Server) accept(m Mail) (isLost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, m)
	isLost, s.lose = s.lose, false
	return isLost
}

// session is a connection of a client.
type session struct {
	server     *Server
	conn       *smtp.Conn
	isLoggedIn bool
	recipients []string
}

var _ smtp.AuthSession = (*session)(nil)

func (*session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	if mechanism != sasl.Plain {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.server.username || password != s.server.password {
			return smtp.ErrAuthFailed
		}
		s.isLoggedIn = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.isLoggedIn {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.recipients = append(s.recipients, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	m, err := parse(r)
	if err != nil {
		fmt.Fprintln(ginkgo.GinkgoWriter, "the mail server refused a mail:", err)
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: err.Error()}
	}
	m.Recipients = s.recipients
	if s.server.accept(m) {
		return s.conn.Conn().Close()
	}
	return nil
}

func (s *session) Reset() { s.recipients = nil }

func (*session) Logout() error { return nil }

// parse reads a mail whose only part is a text.
func parse(r io.Reader) (m Mail, err error) {
	reader, err := mail.CreateReader(r)
	if err != nil {
		return m, err
	}
	if m.ID, err = reader.Header.MessageID(); err != nil {
		return m, err
	}
	if m.To, err = reader.Header.AddressList("To"); err != nil {
		return m, err
	}
	if m.Subject, err = reader.Header.Subject(); err != nil {
		return m, err
	}
	part, err := reader.NextPart()
	if err != nil {
		return m, err
	}
	text, err := io.ReadAll(part.Body)
	m.Body = strings.ReplaceAll(string(text), "\r\n", "\n")
	return m, err
}
