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

// SMTPOptions say what a mail server offers and demands.
type SMTPOptions struct {
	StartTLS bool // offered, and needed for AUTH
	Implicit bool // TLS from the first byte
	// Username and Password must be given, if they are set.
	Username, Password string
	// Mechanisms are those for AUTH. Default: PLAIN LOGIN. It also knows SCRAM-SHA-256.
	Mechanisms string
	// Rounds are those of SCRAM. Default: 4096.
	Rounds int
	// Names are what the certificate is for, beside 127.0.0.1.
	Names []string
}

// What an SMTP server can do instead of answering; see SMTP.Script.
const (
	SMTPHang  = "\x00hang"  // says nothing more
	SMTPClose = "\x00close" // hangs up
	SMTPFlood = "\x00flood" // never ends its answer
	SMTPLine  = "\x00line"  // never ends the line
)

// SMTP is a mail server that holds who talks to it to the contract, and shows each mail once, however often it comes: as
// mail programs do that know it by its Message-ID.
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

// NewSMTP starts a server on a port of its own of the loopback address.
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

// Addr is where it listens, as host:port.
func (s *SMTP) Addr() string { return s.listener.Addr().String() }

// CA is its certificate, in PEM.
func (s *SMTP) CA() []byte { return s.ca }

// Close ends all connections, and waits until they have ended.
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

// Script sets how the next commands of a kind are answered: "connect", "TLS" (the handshake), "EHLO", "MAIL", …, "mail"
// (before one is read) and "." (after that). The last answer holds from then on. It is what is written, without the line
// break, or one of the constants; an empty one is the right answer. Whatever else is answered, the command is not carried
// out.
func (s *SMTP) Script(command string, answers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[command] = answers
}

// LoseAnswers lets the server accept the next n mails, and never tell who sent them.
func (s *SMTP) LoseAnswers(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = n
}

// Mails returns what was accepted, repeats included.
func (s *SMTP) Mails() []SMTPMail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Received is how many mails were accepted, repeats included.
func (s *SMTP) Received() int { return len(s.Mails()) }

// Commands returns what the server was told since it was last asked, but for mails and credentials.
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
