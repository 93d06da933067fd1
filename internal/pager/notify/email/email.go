// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package email sends over SMTP (RFC 5321): one mail in plain text for each message. All mails about an alert refer to one
// Message-ID that no mail has, by which mail programs show them as a thread; programs that also compare subjects, such as
// Gmail, show three threads.
//
// A repeat after a lost response is the same mail: its Message-ID is derived from the delivery key, and mail programs that
// merge mails with equal Message-IDs show it once. Only its date may be later, see dateOf.
//
// One transaction has all recipients. A refused recipient does not prevent the delivery to the others, who get each message at once, and only once. A
// recipient that the server refuses for good is reported. After a temporary refusal the mail is repeated to the recipients who do not have it: the
// error of the attempt says which have it (result.Error.Partial).
//
// Errors quote codes but no text of the server: at a user-supplied address it may be text that the author of the Receiver must not see. HTTP proxies
// are not used.
package email

import (
	"context"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes e-mail to the registry.
var Provider = notify.Provider[v1beta1.EmailProvider]{
	Addresses: func(s *v1beta1.EmailProvider) []notify.Address {
		return notify.HostAddress("host", s.Host, s.TLS == v1beta1.EmailTLSNone)
	},
	Check: func(s *v1beta1.EmailProvider) notify.Problems {
		return check(configOf(s))
	},
	Warn: func(s *v1beta1.EmailProvider) (problems notify.Problems) {
		if s.TLS == v1beta1.EmailTLSNone {
			problems.Add("tls", None, "with None no username and password of the Secret can be used: no mail is sent where it has them; set StartTLS or Implicit")
		}
		return problems
	},
	New: func(s *v1beta1.EmailProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.Username, config.Password = secret.Get("username"), secret.Get("password")
		return New(config, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"username", "password"},
		Repeat:     notify.Once + ", in mail programs that merge mails with equal `Message-ID`s, else twice",
		Key:        "`Message-ID`",
		Update:     notify.OwnMessage + ", in the thread",
		Resolve:    notify.OwnMessage + ", in the thread",
		Links:      notify.Lines,
		Sent:       "the mail server accepted the mail for every address that it does not refuse permanently",
		Probe:      "a login",
		ProbeGap:   "whether the sender and the recipients are accepted",
	}},
}

// The protection of the connection.
const (
	StartTLS = "StartTLS" // TLS before any command that matters, or no mail
	Implicit = "Implicit" // TLS from the first byte
	None     = "None"
)

// maxTo bounds the recipients of a mail.
const maxTo = 16

// Config is the configuration of a Sender.
type Config struct {
	// Host is the mail server, as host or host:port. The default port is 587, with Implicit 465 and with None 25.
	Host string
	// TLS is StartTLS, Implicit or None; StartTLS if empty.
	TLS string
	// From and To are addresses, with or without a name: alerts@example.com or Alerts <alerts@example.com>.
	From string
	To   []string
	// Hello is the name of the client in EHLO; its address if empty.
	Hello string
	// Headers are added to each mail.
	Headers []Header
	// Username and Password log in. They need TLS.
	Username string
	Password string
}

func configOf(s *v1beta1.EmailProvider) Config {
	c := Config{Host: s.Host, TLS: string(s.TLS), From: s.From, To: s.To, Hello: s.Hello}
	for _, h := range s.Headers {
		c.Headers = append(c.Headers, Header{Name: h.Name, Value: h.Value})
	}
	return c
}

// Header is a header of each mail.
type Header struct{ Name, Value string }

// Sender is a notify.Sender.
type Sender struct {
	config  Config
	host    string // without port
	address string // with
	from    *mail.Address
	to      []*mail.Address
	client  *outbound.Client
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
)

// check returns the problems of the settings in a spec.
func check(config Config) (problems notify.Problems) {
	if _, ok := ports[config.TLS]; !ok {
		problems.Add("tls", config.TLS, "must be StartTLS, Implicit or None")
	}
	if _, _, problem := endpoint(config); problem != "" {
		problems.AddURL("host", config.Host, problem)
	}
	if _, problem := parseAddress(config.From); problem != "" {
		problems.Add("from", config.From, problem)
	}
	if len(config.To) == 0 || len(config.To) > maxTo {
		problems.Add("to", strconv.Itoa(len(config.To)), "must have 1 to "+strconv.Itoa(maxTo)+" addresses")
	}
	for i, to := range config.To {
		if _, problem := parseAddress(to); problem != "" {
			problems.Add("to["+strconv.Itoa(i)+"]", to, problem)
		}
	}
	if config.Hello != "" && !hostName.MatchString(config.Hello) {
		problems.Add("hello", config.Hello, "must be a host name, such as cluster.example.com")
	}
	for i, h := range config.Headers {
		field := "headers[" + strconv.Itoa(i) + "]"
		switch name := textproto.CanonicalMIMEHeaderKey(h.Name); {
		case !headerName.MatchString(h.Name):
			problems.Add(field+".name", h.Name, "must be the name of a header: letters, digits and -")
		case ownHeaders[name] || strings.HasPrefix(name, "Content-") || strings.HasPrefix(name, "Resent-"):
			problems.Add(field+".name", h.Name, "cannot be set: it is bellhop's own")
		}
		problems.Line(field+".value", h.Value)
	}
	return problems
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// ownHeaders are set by compose, or would change who gets the mail or how it is read.
var ownHeaders = map[string]bool{
	"From": true, "Sender": true, "To": true, "Cc": true, "Bcc": true, "Return-Path": true, "Subject": true, "Date": true,
	"Message-Id": true, "In-Reply-To": true, "References": true, "Mime-Version": true, "Received": true, "Dkim-Signature": true,
	"Auto-Submitted": true, "X-Auto-Response-Suppress": true, "X-Mailer": true, "Importance": true, "X-Priority": true,
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.TLS == "" {
		config.TLS = StartTLS
	}
	if err := check(config).Err(); err != nil {
		return nil, err
	}
	s := &Sender{config: config, client: client}
	s.host, s.address, _ = endpoint(config)
	s.from, _ = parseAddress(config.From)
	for _, to := range config.To {
		address, _ := parseAddress(to)
		s.to = append(s.to, address)
	}
	if err := s.checkCredentials(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Sender) checkCredentials() error {
	c := &s.config
	c.Username = strings.TrimRight(c.Username, "\r\n") // the value of a Secret made with echo ends in a line break
	c.Password = strings.TrimRight(c.Password, "\r\n")
	switch {
	case c.Username == "" && c.Password == "":
		return nil
	case c.Username == "":
		return notify.Invalid("username", "must not be empty if there is a password")
	case c.Password == "":
		return notify.Invalid("password", "must not be empty if there is a username")
	case c.TLS == None:
		return notify.Invalid("tls", "must not be None if there is a username: the password would be sent unencrypted")
	case strings.ContainsFunc(c.Username+c.Password, unicode.IsControl):
		return notify.Invalid("username, password", "must not have control characters")
	}
	return nil
}

// addrSpec does not match quoted local parts and address literals, which are not in use.
var addrSpec = regexp.MustCompile("^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")

// parseAddress parses one address. A name before it may be in any language: it is encoded (RFC 2047).
func parseAddress(text string) (address *mail.Address, problem string) {
	address, err := mail.ParseAddress(text)
	if list, listErr := mail.ParseAddressList(text); listErr == nil && len(list) > 1 {
		return nil, fmt.Sprintf("must be one mail address, and this is %d: write each as an item of its own", len(list))
	}
	switch {
	case err != nil || !addrSpec.MatchString(address.Address) || strings.Contains(address.Address, ".."):
		return nil, "must be a mail address in ASCII, such as alerts@example.com, or with a name, such as Alerts <alerts@example.com>"
	case strings.ContainsFunc(address.Name, unicode.IsControl):
		return nil, "must have no control characters in its name"
	}
	return address, ""
}

// ports has the protections of the connection, with their default ports.
var ports = map[string]string{"": "587", StartTLS: "587", Implicit: "465", None: "25"}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9.])?$`)

// endpoint parses host or host:port.
func endpoint(config Config) (host, address, problem string) {
	text, port := strings.TrimSpace(config.Host), ports[config.TLS]
	host = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if h, p, err := net.SplitHostPort(text); err == nil && p == "" {
		return "", "", "must be a host with a port after its colon"
	} else if err == nil {
		host, port = h, p
	}
	ip, notIP := netip.ParseAddr(host)
	switch {
	case strings.Contains(text, "/"):
		return "", "", "must be a host, such as smtp.example.com or smtp.example.com:587, without a scheme and a path"
	case notIP != nil && !hostName.MatchString(host) || ip.Zone() != "":
		return "", "", "must be a host name or IP address, with or without a port, such as smtp.example.com:587"
	}
	return host, net.JoinHostPort(host, port), notify.HostProblem(host, port)
}

// Send makes one attempt: one transaction for all recipients that do not have the mail.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	if m.Event == result.Fired && s.followsFormer(k) {
		m.Event = result.Updated
	}
	text, err := s.compose(m, k)
	if err != nil {
		return result.Receipt{}, err
	}
	has := s.recipientsIn(k)
	outcome, failure := s.deliver(ctx, has, text)
	if failure != nil {
		return result.Receipt{}, failure
	}
	refused, err := s.settle(k, has|outcome.accepted, outcome.refused)
	if err != nil {
		return result.Receipt{}, err
	}
	receipt := result.Receipt{Note: accepted, Refused: refused}
	if refused != "" {
		receipt.Note = refused + "; for the others " + accepted
	}
	if id := s.messageID(k.Delivery); len(id) <= maxID {
		receipt.ExternalID = id
	}
	return receipt, nil
}

// accepted is the note of a mail that the server accepted.
const accepted = "accepted by the mail server, which does not report delivery"

// deliver sends the mail to the recipients that do not have it.
func (s *Sender) deliver(ctx context.Context, delivered recipients, text []byte) (outcome, *result.Error) {
	session, failure := s.connect(ctx)
	if failure != nil {
		return outcome{}, failure
	}
	defer session.close()
	return session.transact(ctx, s.from, s.to, delivered, text)
}

// Probe connects and logs in.
func (s *Sender) Probe(ctx context.Context) error {
	session, failure := s.connect(ctx)
	if failure != nil {
		return failure
	}
	session.close()
	return nil
}

// Close does nothing: every call closes its connection.
func (s *Sender) Close() {}
