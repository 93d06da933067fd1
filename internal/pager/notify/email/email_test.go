// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/outbound/redact/redacttest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/version"
)

const (
	username = "canary-us3r@example.com"
	password = `canary p4ss&wörd/+=,"\`
	note     = "accepted by the mail server, which does not report delivery"
)

func newServer(t *testing.T, o notifytest.SMTPOptions) *notifytest.SMTP {
	t.Helper()
	server, err := notifytest.NewSMTP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

var loopback = outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, nil)

// newClient returns a client that may reach loopback addresses and trusts the server.
func newClient(t *testing.T, ca []byte) *outbound.Client {
	t.Helper()
	client, err := outbound.NewClient(loopback, outbound.Options{Timeout: 10 * time.Second, CABundle: ca})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func newSender(t *testing.T, server *notifytest.SMTP, config Config) *Sender {
	t.Helper()
	if config.Host == "" {
		config.Host = server.Addr()
	}
	config.From = "Bellhop <bellhop@example.com>"
	if config.To == nil {
		config.To = []string{"oncall@example.com"}
	}
	s, err := New(config, newClient(t, server.CA()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func send(ctx context.Context, s *Sender, event result.Event, delivery string) (result.Receipt, error) {
	return s.Send(ctx, notifytest.Message(event), notifytest.Key(delivery, ""))
}

// failure sends a message, and returns its error, which is required within 3 seconds.
func failure(ctx context.Context, t *testing.T, s *Sender) result.Error {
	t.Helper()
	began := time.Now()
	receipt, err := send(ctx, s, result.Fired, "delivery")
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	own, ok := errors.AsType[*result.Error](err)
	if !ok {
		t.Fatalf("got %+v, %v, want a *result.Error", receipt, err)
	}
	return *own
}

func TestSend(t *testing.T) {
	const thread = "In-Reply-To: <incident@example.com>\r\nMIME-Version: 1.0\r\nMessage-ID: <delivery@example.com>\r\nReferences: <incident@example.com>\r\n"
	auto := "X-Auto-Response-Suppress: All\r\nX-Mailer: " + version.UserAgent() + "\r\n"
	const rest = "From: \"Bellhop\" <bellhop@example.com>\r\nTo: <oncall@example.com>, <boss@example.org>\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n"
	const content = "Hello KubeCon =F0=9F=91=8B\r\n\r\n--=20\r\nAlert shop/kubecon-alert, severity Critical\r\n"
	for event, want := range map[result.Event]string{
		result.Fired: "Auto-Submitted: auto-generated\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\nImportance: high\r\n" + thread +
			"Subject: =?UTF-8?q?[Critical]_Hi_=F0=9F=8E=89?=\r\n" + auto + "X-Priority: 1\r\n" + rest + content,
		result.Updated: "Auto-Submitted: auto-generated\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\nImportance: high\r\n" + thread +
			"Subject: =?UTF-8?q?Updated:_[Critical]_Hi_=F0=9F=8E=89?=\r\n" + auto + "X-Priority: 1\r\n" + rest + content,
		result.Resolved: "Auto-Submitted: auto-generated\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\n" + thread +
			"Subject: =?UTF-8?q?Resolved:_[Critical]_Hi_=F0=9F=8E=89?=\r\n" + auto + rest + "Resolved. The alert was:\r\n\r\n" + content,
	} {
		t.Run(string(event), func(t *testing.T) {
			server := newServer(t, notifytest.SMTPOptions{StartTLS: true, Username: username, Password: password})
			s := newSender(t, server, Config{Username: username + "\n", Password: password + "\r\n", To: []string{"oncall@example.com", " boss@example.org"}})
			got, err := send(t.Context(), s, event, "delivery")
			if wanted := (result.Receipt{ExternalID: "delivery@example.com", Note: note}); err != nil || got != wanted {
				t.Fatalf("got %+v, %v; want %+v", got, err, wanted)
			}
			mails := server.Mails()
			if len(mails) != 1 || mails[0].Raw != want {
				t.Errorf("got %d mails: %q, want %q", len(mails), mails[0].Raw, want)
			}
			commands := []string{"EHLO [127.0.0.1]", "STARTTLS", "EHLO [127.0.0.1]", "AUTH PLAIN", "MAIL FROM:<bellhop@example.com> BODY=8BITMIME",
				"RCPT TO:<oncall@example.com>", "RCPT TO:<boss@example.org>", "DATA", "QUIT"}
			if got := server.Commands(); !slices.Equal(got, commands) {
				t.Errorf("got %q, want %q", got, commands)
			}
		})
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		why     string
		options notifytest.SMTPOptions
		config  Config
	}{
		{"plain text", notifytest.SMTPOptions{}, Config{TLS: None}},
		{"plain text, though TLS is offered", notifytest.SMTPOptions{StartTLS: true}, Config{TLS: None}},
		{"STARTTLS", notifytest.SMTPOptions{StartTLS: true}, Config{TLS: StartTLS}},
		{"TLS from the start", notifytest.SMTPOptions{Implicit: true}, Config{TLS: Implicit}},
		{"TLS from the start, PLAIN", notifytest.SMTPOptions{Implicit: true, Username: username}, Config{TLS: Implicit}},
		{"LOGIN", notifytest.SMTPOptions{StartTLS: true, Username: username, Mechanisms: "XOAUTH2 LOGIN"}, Config{}},
		{"SCRAM", notifytest.SMTPOptions{StartTLS: true, Username: username, Mechanisms: "SCRAM-SHA-256-PLUS SCRAM-SHA-256"}, Config{}},
	} {
		t.Run(c.why, func(t *testing.T) {
			if c.options.Username != "" {
				c.options.Password, c.config.Username, c.config.Password = password, username, password
			}
			server := newServer(t, c.options)
			s := newSender(t, server, c.config)
			if err := s.Probe(t.Context()); err != nil || server.Received() != 0 {
				t.Errorf("probe: got %v, %d mails", err, server.Received())
			}
			if _, err := send(t.Context(), s, result.Fired, "delivery"); err != nil || server.Received() != 1 {
				t.Errorf("got %v, %d mails", err, server.Received())
			}
		})
	}
}

// A repeat has the same Message-ID, by which mail programs may merge it.
func TestRepeat(t *testing.T) {
	server := newServer(t, notifytest.SMTPOptions{})
	server.LoseAnswers(1)
	s := newSender(t, server, Config{TLS: None})
	if e := failure(t.Context(), t, s); e.Class != result.Unknown || e.Message != "end of DATA: the connection broke before a complete answer came" {
		t.Errorf("got %+v", e)
	}
	for _, c := range []struct {
		event          result.Event
		delivery       string
		received, seen int
	}{
		{result.Fired, "delivery", 2, 1},
		{result.Updated, "update", 3, 2},
		{result.Resolved, "resolve", 4, 3},
	} {
		if _, err := send(t.Context(), s, c.event, c.delivery); err != nil {
			t.Fatal(err)
		}
		if got := server.Received(); got != c.received || len(server.Seen()) != c.seen {
			t.Errorf("%s: got %d mails, of which %d are seen; want %d, %d", c.event, got, len(server.Seen()), c.received, c.seen)
		}
	}
	if mails := server.Mails(); mails[0].Raw != mails[1].Raw {
		t.Errorf("a repeat differs: %q, %q", mails[0].Raw, mails[1].Raw)
	}
}

// steps are the commands of a session in their order, with the class of a missing answer.
var steps = []struct {
	command string
	class   result.Class
}{
	{"connect", result.Temporary}, {"EHLO", result.Temporary}, {"STARTTLS", result.Temporary}, {"TLS", result.Temporary}, {"AUTH", result.Temporary},
	{"MAIL", result.Temporary}, {"RCPT", result.Temporary}, {"DATA", result.Temporary}, {".", result.Unknown},
}

func newAuthenticated(t *testing.T) (*notifytest.SMTP, *Sender) {
	t.Helper()
	server := newServer(t, notifytest.SMTPOptions{StartTLS: true, Username: username, Password: password})
	return server, newSender(t, server, Config{Username: username, Password: password})
}

func TestNoAnswer(t *testing.T) {
	for _, step := range steps {
		for _, c := range []struct {
			why, answer string
			reasons     []string
		}{
			{"hang", notifytest.SMTPHang, []string{result.ReasonTimeout}},
			{"closed connection", notifytest.SMTPClose, []string{result.ReasonConnectionFailed}},
			{"flood", notifytest.SMTPFlood, []string{result.ReasonConnectionFailed, result.ReasonTLSFailed}},
			{"endless line", notifytest.SMTPLine, []string{result.ReasonConnectionFailed, result.ReasonTLSFailed}},
			{"garbage", "<html>", []string{result.ReasonBadAnswer, result.ReasonTLSFailed}},
			{"another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n<html>", []string{result.ReasonBadAnswer, result.ReasonTLSFailed}},
			{"an invalid code", "999 5.1.1 canary", []string{result.ReasonBadAnswer, result.ReasonTLSFailed}},
			{"an answer to something else", "214 2.0.0 canary", []string{result.ReasonBadAnswer, result.ReasonTLSFailed}},
		} {
			t.Run(step.command+", "+c.why, func(t *testing.T) {
				server, s := newAuthenticated(t)
				server.Script(step.command, c.answer)
				server.Script("HELO", c.answer)
				limit := 5 * time.Second
				if c.answer == notifytest.SMTPHang {
					limit = time.Second
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				e := failure(ctx, t, s)
				want := step.class
				if misconfigured := []string{result.ReasonBadAnswer, result.ReasonTLSFailed}; want == result.Temporary && slices.Contains(misconfigured, e.Reason) {
					want = result.Configuration
				}
				if e.Reason == result.ReasonBadAnswer && want == result.Unknown { // F-B1: the mail may have been accepted
					want = result.Unconfirmed
				}
				if e.Class != want || !slices.Contains(c.reasons, e.Reason) {
					t.Errorf("got %s, %s (%s); want %s, one of %s", e.Class, e.Reason, e.Message, want, c.reasons)
				}
				if strings.Contains(e.Message, "canary") || strings.Contains(e.Message, "html") {
					t.Errorf("the server is quoted: %s", e.Message)
				}
				if server.Received() != 0 {
					t.Error("the server accepted a mail")
				}
			})
		}
	}
}

// An incomplete mail is not delivered.
func TestCloseWithinTheMail(t *testing.T) {
	server, s := newAuthenticated(t)
	server.Script("mail", notifytest.SMTPClose)
	m := notifytest.Message(result.Fired)
	m.RawContent = strings.Repeat("more than any buffer on the way holds\n", 1<<18)
	_, err := s.Send(t.Context(), m, notifytest.Key("delivery", ""))
	if result.ClassOf(err) != result.Temporary || err.Error() != "DATA: the connection broke before a complete answer came" {
		t.Errorf("got %v", err)
	}
}

func TestTimeLimits(t *testing.T) {
	server, _ := newAuthenticated(t)
	server.Script("DATA", notifytest.SMTPHang)
	client, err := outbound.NewClient(loopback, outbound.Options{Timeout: time.Second, CABundle: server.CA()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Host: server.Addr(), From: "a@example.com", To: []string{"b@example.com"}, Username: username, Password: password}, client)
	if err != nil {
		t.Fatal(err)
	}
	if e := failure(t.Context(), t, s); e.Reason != result.ReasonTimeout {
		t.Errorf("the client's time limit: got %+v", e)
	}
	server, s = newAuthenticated(t)
	server.Script(".", notifytest.SMTPHang)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, cancel)
	if e := failure(ctx, t, s); e.Class != result.Unknown || e.Reason != result.ReasonCanceled {
		t.Errorf("canceled: got %+v", e)
	}
}

// The answer to QUIT has no effect.
func TestQuit(t *testing.T) {
	for _, answer := range []string{notifytest.SMTPHang, notifytest.SMTPClose, notifytest.SMTPFlood, "421 4.3.0 tired"} {
		server, s := newAuthenticated(t)
		server.Script("QUIT", answer)
		began := time.Now()
		if _, err := send(t.Context(), s, result.Fired, "delivery"); err != nil || time.Since(began) > 3*time.Second {
			t.Errorf("%q: got %v after %s", answer, err, time.Since(began))
		}
	}
}

func TestFailures(t *testing.T) {
	const from, to = "MAIL FROM: ", "to[0]: "
	const hint = "; the client's name was its address, which some servers refuse: set email.hello to a host name" // F-U37
	type want struct {
		class   result.Class
		reason  string
		message string
	}
	for _, c := range []struct {
		command, answer string
		want            want
	}{
		{"connect", "421 4.3.2 canary", want{result.Temporary, result.ReasonServerError, "greeting: SMTP 421 4.3.2"}},
		{"connect", "554 5.7.1 canary", want{result.Configuration, result.ReasonRejected, "greeting: SMTP 554 5.7.1"}},
		{"EHLO", "421-canary\r\n421 canary", want{result.Temporary, result.ReasonServerError, "EHLO: SMTP 421" + hint}},
		{"EHLO", "550 5.7.1 canary", want{result.Configuration, result.ReasonRejected, "EHLO: SMTP 550 5.7.1" + hint}},
		{"STARTTLS", "454 4.7.0 canary", want{result.Temporary, result.ReasonServerError, "STARTTLS: SMTP 454 4.7.0"}},
		{"STARTTLS", "502 5.5.1 canary", want{result.Configuration, result.ReasonRejected, "STARTTLS: SMTP 502 5.5.1"}},
		{"AUTH", "535 5.7.8 canary", want{result.Configuration, result.ReasonUnauthorized, "AUTH: SMTP 535 5.7.8"}},
		{"AUTH", "534-5.7.9 canary\r\n534 5.7.9 canary", want{result.Configuration, result.ReasonUnauthorized, "AUTH: SMTP 534 5.7.9"}},
		{"AUTH", "454 4.7.0 canary", want{result.Temporary, result.ReasonServerError, "AUTH: SMTP 454 4.7.0"}},
		{"AUTH", "334 canary!", want{result.Configuration, result.ReasonBadAnswer, "AUTH: the answer is not one of SMTP"}},
		{"AUTH", "334 Y2FuYXJ5", want{result.Configuration, result.ReasonBadAnswer, "AUTH: the answer is not one of SMTP"}},
		{"MAIL", "450 4.7.1 canary", want{result.Temporary, result.ReasonServerError, from + "SMTP 450 4.7.1"}},
		{"MAIL", "421 4.7.0 canary", want{result.Temporary, result.ReasonServerError, from + "SMTP 421 4.7.0"}},
		{"MAIL", "530 5.7.0 canary", want{result.Configuration, result.ReasonUnauthorized, from + "SMTP 530 5.7.0"}},
		{"MAIL", "553 5.7.1 canary", want{result.Configuration, result.ReasonRejected, from + "SMTP 553 5.7.1"}},
		{"RCPT", "421 4.7.0 canary", want{result.Temporary, result.ReasonServerError, "RCPT TO: SMTP 421 4.7.0"}},
		{"RCPT", "450 4.2.0 canary", want{result.Temporary, result.ReasonServerError, to + "SMTP 450 4.2.0"}},
		{"RCPT", "452 4.2.2 canary", want{result.Temporary, result.ReasonServerError, to + "SMTP 452 4.2.2"}},
		{"RCPT", "552 5.2.2 canary", want{result.Temporary, result.ReasonServerError, to + "SMTP 552 5.2.2"}},
		{"RCPT", "550 5.1.1 canary", want{result.Configuration, result.ReasonRejected, to + "SMTP 550 5.1.1"}},
		{"RCPT", "554 5.7.1 canary", want{result.Configuration, result.ReasonRejected, to + "SMTP 554 5.7.1"}},
		{"DATA", "451 4.3.0 canary", want{result.Temporary, result.ReasonServerError, "DATA: SMTP 451 4.3.0"}},
		{"DATA", "554 5.5.1 canary", want{result.Configuration, result.ReasonRejected, "DATA: SMTP 554 5.5.1"}},
		{".", "421 4.3.0 canary", want{result.Temporary, result.ReasonServerError, "end of DATA: SMTP 421 4.3.0"}},
		{".", "451 4.7.1 canary", want{result.Temporary, result.ReasonServerError, "end of DATA: SMTP 451 4.7.1"}},
		{"F-P35 .", "550 5.7.26 canary", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 550 5.7.26"}},
		{"F-P35 .", "551 5.7.1 canary", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 551 5.7.1"}},
		{"F-P35 .", "553 5.7.1 canary", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 553 5.7.1"}},
		{".", "552 5.3.4 canary", want{result.Permanent, result.ReasonRejected, "end of DATA: SMTP 552 5.3.4"}},
		{".", "554 5.6.0 canary", want{result.Permanent, result.ReasonRejected, "end of DATA: SMTP 554 5.6.0"}},
		{"F-P35 .", "550 5.4.5 canary", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 550 5.4.5"}}, // the sender's quota
		{"F-P35 .", "554 5.7.1 canary", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 554 5.7.1"}}, // a block list
		{"F-P35 .", "552 5.2.2 canary", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 552 5.2.2"}}, // a full mailbox
		{"F-P35 .", "552 canary", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 552"}},
		{".", "552 5.2.3 canary", want{result.Permanent, result.ReasonRejected, "end of DATA: SMTP 552 5.2.3"}},
		{".", "550 5.6.7 canary", want{result.Permanent, result.ReasonRejected, "end of DATA: SMTP 550 5.6.7"}},
		{".", "554 4.6.0 a code that contradicts", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 554"}},
		{".", "554 5.6.0canary", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 554"}},
		{".", "554 5.6.1234 canary", want{result.Configuration, result.ReasonRejected, "end of DATA: SMTP 554"}},
	} {
		t.Run(c.command+" "+c.answer, func(t *testing.T) {
			server, s := newAuthenticated(t)
			server.Script(strings.TrimPrefix(c.command, "F-P35 "), c.answer)
			server.Script("HELO", c.answer)
			e := failure(t.Context(), t, s)
			if got := (want{e.Class, e.Reason, e.Message}); got != c.want || e.RetryAfter != 0 {
				t.Errorf("got %+v, want %+v", e, c.want)
			}
			if server.Received() != 0 {
				t.Error("the server accepted a mail")
			}
		})
	}
}

// Without TLS, credentials and mails are not sent.
func TestNeverUnencrypted(t *testing.T) {
	for _, c := range []struct {
		why    string
		server notifytest.SMTPOptions
		config Config
		want   string
	}{
		{"STARTTLS is not offered", notifytest.SMTPOptions{}, Config{}, "the mail server does not offer STARTTLS"},
		{"TLS is expected at once, but not spoken", notifytest.SMTPOptions{}, Config{TLS: Implicit},
			"TLS: the TLS handshake failed; the server may not support TLS 1.2 or later"},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := newServer(t, c.server)
			c.config.Username, c.config.Password = username, password
			e := failure(t.Context(), t, newSender(t, server, c.config))
			if e.Class != result.Configuration || e.Reason != result.ReasonTLSFailed || e.Message != c.want {
				t.Errorf("F-P1: got %+v", e)
			}
			for _, command := range server.Commands() {
				if !strings.HasPrefix(command, "EHLO") && command != "QUIT" {
					t.Errorf("the server received %q", command)
				}
			}
		})
	}
}

func TestCertificate(t *testing.T) {
	for _, options := range []notifytest.SMTPOptions{{StartTLS: true}, {Implicit: true}} {
		server := newServer(t, options)
		config := Config{TLS: StartTLS}
		if options.Implicit {
			config.TLS = Implicit
		}
		untrusting := newSender(t, newServer(t, notifytest.SMTPOptions{}), Config{TLS: config.TLS, Host: server.Addr()})
		e := failure(t.Context(), t, untrusting)
		if e.Class != result.Configuration || e.Reason != result.ReasonTLSFailed || !strings.HasSuffix(e.Message, ": the certificate is signed by an unknown authority") {
			t.Errorf("unknown authority: got %+v", e)
		}
		_, port, _ := net.SplitHostPort(server.Addr())
		config.Host = "localhost:" + port
		e = failure(t.Context(), t, newSender(t, server, config))
		if e.Reason != result.ReasonTLSFailed || !strings.HasSuffix(e.Message, ": the certificate is for another host name") {
			t.Errorf("another name: got %+v", e)
		}
	}
}

func TestUnreachable(t *testing.T) {
	server := newServer(t, notifytest.SMTPOptions{})
	strict, err := outbound.NewClient(&outbound.Guard{}, outbound.Options{})
	if err != nil {
		t.Fatal(err)
	}
	gone := newServer(t, notifytest.SMTPOptions{})
	gone.Close()
	for _, c := range []struct {
		why, host, reason string
		client            *outbound.Client
		class             result.Class
	}{
		{"a closed port", gone.Addr(), result.ReasonConnectionFailed, newClient(t, nil), result.Temporary},
		{"an address that the guard refuses", server.Addr(), result.ReasonAddressRefused, strict, result.Configuration},
	} {
		s, err := New(Config{Host: c.host, TLS: None, From: "a@example.com", To: []string{"b@example.com"}}, c.client)
		if err != nil {
			t.Fatal(err)
		}
		if e := failure(t.Context(), t, s); e.Class != c.class || e.Reason != c.reason || strings.Contains(e.Message, "127.0.0.1") {
			t.Errorf("%s: got %+v", c.why, e)
		}
	}
	if commands := server.Commands(); len(commands) != 0 {
		t.Errorf("the server received %q", commands)
	}
}

// F-P29, F-P30: a refused recipient does not prevent the delivery to the others, who get each message at once and once: a repeat is sent
// only to the refused, also by the sender of another version, and what is refused for good is not repeated.
func TestPartlyRefused(t *testing.T) {
	type attempt struct {
		class   result.Class // "": a success
		message string       // the receipt's note after a success
	}
	const kept = "; the others have the message, and are not sent it again"
	for _, c := range []struct {
		why      string
		event    result.Event
		answers  []string // to RCPT, for all attempts
		attempts []attempt
		to       []string // of the mails that arrived
	}{
		{
			"temporarily", result.Fired, []string{"", "450 4.2.1 later", "", ""},
			[]attempt{{result.Temporary, "1 of 3 recipients refused: to[1]: SMTP 450 4.2.1" + kept}, {"", note}},
			[]string{"a@example.com c@example.com", "b@example.com"},
		},
		{
			"temporarily, three times", result.Updated, []string{"450 4.2.1 later", "", "", "450 4.2.1 later", "450 4.2.1 later", ""},
			[]attempt{
				{result.Temporary, "1 of 3 recipients refused: to[0]: SMTP 450 4.2.1" + kept}, {result.Temporary, "1 of 3 recipients refused: to[0]: SMTP 450 4.2.1" + kept},
				{result.Temporary, "1 of 3 recipients refused: to[0]: SMTP 450 4.2.1" + kept}, {"", note},
			},
			[]string{"b@example.com c@example.com", "a@example.com"},
		},
		{
			"permanently", result.Fired, []string{"", "550 5.1.1 unknown", ""},
			[]attempt{{"", "1 of 3 recipients refused: to[1]: SMTP 550 5.1.1; for the others " + note}},
			[]string{"a@example.com c@example.com"},
		},
		{
			"permanently and temporarily", result.Fired, []string{"550 5.1.1 unknown", "", "450 4.2.1 later", "550 5.1.1 unknown", ""},
			[]attempt{
				{result.Temporary, "2 of 3 recipients refused: to[0]: SMTP 550 5.1.1; to[2]: SMTP 450 4.2.1" + kept},
				{"", "1 of 3 recipients refused: to[0]: SMTP 550 5.1.1; for the others " + note},
			},
			[]string{"b@example.com", "c@example.com"},
		},
		{
			"all, in different ways", result.Fired, []string{"550 5.1.1 unknown", "550 5.1.1 unknown", "450 4.2.1 later"},
			[]attempt{{result.Temporary, "to[0]: SMTP 550 5.1.1; to[1]: SMTP 550 5.1.1; to[2]: SMTP 450 4.2.1"}},
			nil,
		},
		{
			"a resolve, permanently", result.Resolved, []string{"", "550 5.1.1 unknown", ""},
			[]attempt{{"", "1 of 3 recipients refused: to[1]: SMTP 550 5.1.1; for the others " + note}},
			[]string{"a@example.com c@example.com"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := newServer(t, notifytest.SMTPOptions{})
			server.Script("RCPT", c.answers...)
			key := notifytest.Key("delivery", "")
			for i, want := range c.attempts {
				s := newSender(t, server, Config{TLS: None, To: []string{"a@example.com", "b@example.com", "c@example.com"}}) // of another version, or after a restart
				receipt, err := s.Send(t.Context(), notifytest.Message(c.event), key)
				got := attempt{result.ClassOf(err), receipt.Note}
				if own, ok := errors.AsType[*result.Error](err); ok {
					got.message = own.Message
					key.Partial = cmp.Or(own.Partial, key.Partial)
				}
				if got != want || (receipt.Refused != "") != strings.Contains(receipt.Note, "refused") {
					t.Errorf("attempt %d: got %+v, %q, want %+v", i+1, got, receipt.Refused, want)
				}
			}
			var to []string
			for _, mail := range server.Mails() {
				to = append(to, strings.Join(mail.To, " "))
			}
			if !slices.Equal(to, c.to) {
				t.Errorf("mails went to %q, want %q", to, c.to)
			}
		})
	}
}

// F-P30: who has the message is known by address, so that an edited list of recipients misses none of them; the addresses cannot be
// read from it, since users of a ClusterReceiver see it.
func TestPartial(t *testing.T) {
	server := newServer(t, notifytest.SMTPOptions{})
	before := newSender(t, server, Config{TLS: None, To: []string{"a@example.com", "b@example.com"}})
	after := newSender(t, server, Config{TLS: None, To: []string{"c@example.com", "a@example.com"}})
	key := notifytest.Key("delivery", "")
	key.Partial = before.partialOf(key, 1)
	other := notifytest.Key("other", "")
	other.Partial = key.Partial
	if has := after.recipientsIn(key); has != 1<<1 || strings.Contains(key.Partial, "a@") || after.recipientsIn(other) != 0 {
		t.Errorf("%q: got %b", key.Partial, has)
	}
	many := make([]string, maxTo)
	for i := range many {
		many[i] = fmt.Sprintf("a%d@example.com", i)
	}
	key.Partial = "of a former message"
	if n := len(newSender(t, server, Config{TLS: None, To: many}).partialOf(key, 1<<16-1)); n > 256 {
		t.Errorf("%d bytes are more than the status takes", n)
	}
}

// F-P70: content that is edited while some recipients do not have it is an update, for the rest of its attempts too.
func TestAnEditOfAPartlyRefusedMail(t *testing.T) {
	server := newServer(t, notifytest.SMTPOptions{})
	key := notify.Key{Incident: "incident"}
	for i, c := range []struct {
		delivery, answer string   // to RCPT for the second recipient
		to               []string // of the receiver
		event            result.Event
		want             string // subject
	}{
		{"first", "450 4.2.1 later", []string{"a@example.com", "b@example.com"}, result.Fired, "[Critical] Hi 🎉"},
		{"first", "450 4.2.1 later", []string{"c@example.com", "b@example.com"}, result.Fired, "[Critical] Hi 🎉"}, // a has left the list
		{"edited", "450 4.2.1 later", []string{"a@example.com", "b@example.com"}, result.Fired, "Updated: [Critical] Hi 🎉"},
		{"edited", "450 4.2.1 later", []string{"c@example.com", "b@example.com"}, result.Fired, "Updated: [Critical] Hi 🎉"},
		{"resolved", "450 4.2.1 later", []string{"a@example.com", "b@example.com"}, result.Resolved, "Resolved: [Critical] Hi 🎉"},
		{"again", "", []string{"a@example.com", "b@example.com"}, result.Fired, "Updated: [Critical] Hi 🎉"},
	} {
		server.Script("RCPT", "", c.answer)
		key.Delivery = c.delivery
		_, err := newSender(t, server, Config{TLS: None, To: c.to}).Send(t.Context(), notifytest.Message(c.event), key)
		if own, ok := errors.AsType[*result.Error](err); ok {
			key.Partial = own.Partial
		}
		if mails := server.Mails(); len(mails) != i+1 || mails[i].Subject != c.want {
			t.Fatalf("attempt %d: got %v, %+v, want %q", i+1, err, mails, c.want)
		}
	}
}

// F-P70: mail programs sort by date.
func TestDateOfALateMail(t *testing.T) {
	m := notifytest.Message(result.Fired)
	for late, want := range map[time.Duration]time.Duration{
		-time.Hour: 0, 0: 0, 9 * time.Minute: 0, dateStep: dateStep, dateStep + time.Minute: dateStep, 2*time.Hour + time.Second: 2 * time.Hour,
	} {
		m.AttemptTime = m.Time.Add(late)
		if got := dateOf(m).Sub(m.Time); got != want {
			t.Errorf("%s late: the date is %s after the event, want %s", late, got, want)
		}
	}
	m.AttemptTime = time.Time{}
	if !dateOf(m).Equal(m.Time) {
		t.Errorf("got %s", dateOf(m))
	}
}

// An answer to the mail is about all accepted recipients.
func TestPartlyRefusedThenRefused(t *testing.T) {
	server := newServer(t, notifytest.SMTPOptions{})
	server.Script("RCPT", "", "550 5.1.1 unknown", "")
	server.Script(".", "451 4.3.0 later", "")
	s := newSender(t, server, Config{TLS: None, To: []string{"a@example.com", "b@example.com"}})
	if e := failure(t.Context(), t, s); e.Class != result.Temporary || e.Message != "end of DATA: SMTP 451 4.3.0" {
		t.Errorf("got %+v", e)
	}
	if _, err := send(t.Context(), s, result.Fired, "delivery"); err != nil || len(server.Mails()[0].To) != 2 {
		t.Errorf("got %v, %q", err, server.Mails())
	}
}

// The server's challenges bound neither the computation nor the use of the password.
func TestAuth(t *testing.T) {
	for _, c := range []struct {
		why, want string
		options   notifytest.SMTPOptions
		class     result.Class
	}{
		{"too many iterations", "AUTH: the answer is not one of SMTP", notifytest.SMTPOptions{Mechanisms: "SCRAM-SHA-256", Rounds: 1 << 40}, result.Configuration},
		{"F-B25: no supported mechanism", "the mail server offers AUTH only by CRAM-MD5, NTLM, XOAUTH2; the operator has PLAIN, LOGIN, SCRAM-SHA-256 and SCRAM-SHA-1",
			notifytest.SMTPOptions{Mechanisms: "NTLM CRAM-MD5 XOAUTH2 canary"}, result.Configuration},
		{"F-B25: no supported mechanism in the old form", "the mail server offers AUTH only by NTLM; ", notifytest.SMTPOptions{Mechanisms: "NTLM canary", OldForm: true}, result.Configuration},
		{"F-B25: only a mechanism of unknown name", "the mail server offers AUTH only by unknown mechanisms; ", notifytest.SMTPOptions{Mechanisms: "canary"}, result.Configuration},
		{"F-B25: no login", "the mail server offers no login (AUTH): remove username and password from the Secret", notifytest.SMTPOptions{Mechanisms: "none"}, result.Configuration},
		{"another password", "AUTH: SMTP 535 5.7.8", notifytest.SMTPOptions{Password: "other"}, result.Configuration},
		{"another password, LOGIN", "AUTH: SMTP 535 5.7.8", notifytest.SMTPOptions{Password: "other", Mechanisms: "LOGIN"}, result.Configuration},
		{"another password, SCRAM", "AUTH: SMTP 535 5.7.8", notifytest.SMTPOptions{Password: "other", Mechanisms: "SCRAM-SHA-256"}, result.Configuration},
	} {
		t.Run(c.why, func(t *testing.T) {
			c.options.StartTLS, c.options.Username = true, username
			server := newServer(t, c.options)
			s := newSender(t, server, Config{Username: username, Password: password})
			e := failure(t.Context(), t, s)
			if e.Class != c.class || !strings.HasPrefix(e.Message, c.want) {
				t.Errorf("got %+v, want %s", e, c.want)
			}
			if err := s.Probe(t.Context()); result.ClassOf(err) != c.class {
				t.Errorf("probe: got %v", err)
			}
		})
	}
}

// F-B25: a mechanism that the server does not support after all is followed by the next, and one that refuses the password is not.
func TestAuthByTheNextMechanism(t *testing.T) {
	for _, c := range []struct {
		why     string
		options notifytest.SMTPOptions
		answers []string // to AUTH, in this order; "" is the correct one
		want    []string // mechanisms that were tried
		message string   // of the error, if there is one
	}{
		{"the old form", notifytest.SMTPOptions{Mechanisms: "LOGIN PLAIN", OldForm: true}, []string{""}, []string{"PLAIN"}, ""},
		{"the old form without PLAIN", notifytest.SMTPOptions{Mechanisms: "LOGIN", OldForm: true}, []string{""}, []string{"LOGIN"}, ""},
		{"no initial response", notifytest.SMTPOptions{RefusesInitial: true}, []string{""}, []string{"PLAIN", "PLAIN"}, ""},
		{"an ignored initial response", notifytest.SMTPOptions{IgnoresInitial: true}, []string{""}, []string{"PLAIN"}, ""},
		{"no PLAIN", notifytest.SMTPOptions{}, []string{"504 5.5.4 canary", "504 5.5.4 canary", ""}, []string{"PLAIN", "PLAIN", "LOGIN"}, ""},
		{"no PLAIN and no LOGIN", notifytest.SMTPOptions{Mechanisms: "PLAIN LOGIN SCRAM-SHA-256"}, []string{"502 canary", "502 canary", "504 canary", ""},
			[]string{"PLAIN", "PLAIN", "LOGIN", "SCRAM-SHA-256"}, ""},
		{"none after all", notifytest.SMTPOptions{Mechanisms: "NTLM PLAIN LOGIN"}, []string{"504 5.5.4 canary"}, []string{"PLAIN", "PLAIN", "LOGIN"},
			"AUTH: SMTP 504 5.5.4; the mail server refuses LOGIN, PLAIN, and offers LOGIN, NTLM, PLAIN"},
		{"a wrong password", notifytest.SMTPOptions{}, []string{"535 5.7.8 canary"}, []string{"PLAIN"}, "AUTH: SMTP 535 5.7.8"},
		{"a password for applications", notifytest.SMTPOptions{}, []string{"534 5.7.9 canary"}, []string{"PLAIN"}, "AUTH: SMTP 534 5.7.9"},
		{"a server that is busy", notifytest.SMTPOptions{}, []string{"454 4.7.0 canary"}, []string{"PLAIN"}, "AUTH: SMTP 454 4.7.0"},
		{"then a wrong password", notifytest.SMTPOptions{}, []string{"504 5.5.4 canary", "504 5.5.4 canary", "535 5.7.8 canary"}, []string{"PLAIN", "PLAIN", "LOGIN"}, "AUTH: SMTP 535 5.7.8"},
	} {
		t.Run(c.why, func(t *testing.T) {
			c.options.StartTLS, c.options.Username, c.options.Password = true, username, password
			server := newServer(t, c.options)
			server.Script("AUTH", c.answers...)
			s := newSender(t, server, Config{Username: username, Password: password})
			_, err := send(t.Context(), s, result.Fired, "delivery")
			message := ""
			if own, ok := errors.AsType[*result.Error](err); ok {
				message = own.Message
			}
			if message != c.message {
				t.Errorf("got %v, want %q", err, c.message)
			}
			var tried []string
			for _, command := range server.Commands() {
				if mechanism, ok := strings.CutPrefix(command, "AUTH "); ok {
					tried = append(tried, mechanism)
				}
			}
			if !slices.Equal(tried, c.want) {
				t.Errorf("tried %q, want %q", tried, c.want)
			}
			if delivered := server.Received() == 1; delivered != (c.message == "") {
				t.Errorf("delivered: %t", delivered)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		why, command, answer string
		class                result.Class
	}{
		{"all is well", "", "", ""},
		{"no answer to QUIT", "QUIT", notifytest.SMTPHang, ""},
		{"wrong password", "AUTH", "535 5.7.8 no", result.Configuration},
		{"a rate limit", "connect", "421 4.7.0 no", result.Temporary},
		{"no answer", "EHLO", notifytest.SMTPHang, result.Temporary},
	} {
		t.Run(c.why, func(t *testing.T) {
			server, s := newAuthenticated(t)
			server.Script(c.command, c.answer)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := s.Probe(ctx); result.ClassOf(err) != c.class {
				t.Errorf("got %v, want %q", err, c.class)
			}
			for _, command := range server.Commands() {
				if strings.HasPrefix(command, "MAIL") {
					t.Errorf("the probe sent %s", command)
				}
			}
		})
	}
}

// Answers of the server may contain the credentials in any encoding, at any step.
func TestLeaks(t *testing.T) {
	forms := map[string]string{}
	for _, canary := range []string{username, password, "canary-us3r"} {
		for encoding, form := range redacttest.Encodings(canary) {
			forms[form] = canary + ", " + encoding
		}
	}
	var answers []string
	for form := range forms {
		answers = append(answers, form, "550 "+form)
	}
	for _, code := range []string{"250", "334", "450", "535", "999"} {
		lines := ""
		for form := range forms {
			lines += code + "-" + form + "\r\n"
		}
		answers = append(answers, lines+code+" 5.1.1")
	}
	for _, step := range steps {
		if step.command == "TLS" {
			continue // no credential is sent before
		}
		server, s := newAuthenticated(t)
		for _, answer := range answers {
			server.Script(step.command, answer)
			server.Script("HELO", answer)
			receipt, err := send(t.Context(), s, result.Fired, "delivery")
			text := fmt.Sprint(receipt, err)
			for form, what := range forms {
				if strings.Contains(text, form) {
					t.Errorf("%s: %s is in %q", step.command, what, text)
				}
			}
		}
	}
}

func TestText(t *testing.T) {
	server := newServer(t, notifytest.SMTPOptions{})
	s := newSender(t, server, Config{TLS: None})
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		why, title, content string
		subject, body       string
	}{
		{"a header in the title", "Hi\r\nBcc: eve@example.com\r\n\r\nboo", "x", "Hi Bcc: eve@example.com boo", "x"},
		{"other control characters", "a\x01b\tc\vd\u0085e\u2028f\x7fg", "x", "a b c d e f g", "x"},
		{"a text like an encoded word", "=?utf-8?q?a=0D=0Ab?=", "x", "=\u200b?utf-8?q?a=0D=0Ab?=", "x"},
		{"a title of one word", long, "x", long, "x"},
		{"a title of emoji", strings.Repeat("👩‍💻", 85), "x", strings.Repeat("👩‍💻", 85), "x"},
		{"lines with dots", "x", "a\n.\nb\n..\n", "x", "a\n.\nb\n..\n"},
		{"lines with dots and carriage returns", "x", "a\r\n.\r\nQUIT\r\n", "x", "a\n.\nQUIT\n"},
		{"a long line", "x", strings.Repeat("👋x", 2000), "x", strings.Repeat("👋x", 2000)},
		{"blanks at the end of a line", "x", "a \nb\t\n", "x", "a \nb\t\n"},
		{"markup", "<b>*x*</b>", "<b>*x*</b> &amp; [x](y) @everyone", "<b>*x*</b>", "<b>*x*</b> &amp; [x](y) @everyone"},
		{"not UTF-8, which an API server does not take", "x", "a\x01\xffb", "x", "a\x01\uFFFDb"},
	} {
		t.Run(c.why, func(t *testing.T) {
			m := notifytest.Message(result.Fired)
			m.Severity, m.RawTitle, m.RawContent = notify.Info, c.title, c.content
			if _, err := s.Send(t.Context(), m, notifytest.Key("delivery", "")); err != nil {
				t.Fatal(err)
			}
			mails := server.Mails()
			got := mails[len(mails)-1]
			body, footer, _ := strings.Cut(got.Body, "\n\n-- \n")
			if got.Subject != c.subject || body != c.body || footer != "Alert shop/kubecon-alert, severity Info\n" {
				t.Errorf("got %q, %q, %q; want %q, %q", got.Subject, body, footer, c.subject, c.body)
			}
			if len(got.Header) != 13 || got.Header.Get("Importance") != "" || got.Header.Get("Bcc") != "" {
				t.Errorf("got %d headers: %q", len(got.Header), got.Header)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want string
		change    func(*Config)
	}{
		{"no host", "host: must be", func(c *Config) { c.Host = " " }},
		{"a URL", "host: must be", func(c *Config) { c.Host = "smtp://canary" }},
		{"not a port", "host: must be", func(c *Config) { c.Host = "canary:smtp" }},
		{"port 0", "host: must be", func(c *Config) { c.Host = "canary:0" }},
		{"too high a port", "host: must be", func(c *Config) { c.Host = "canary:65536" }},
		{"a line break", "host: must be", func(c *Config) { c.Host = "canary\r\nQUIT" }},
		{"a zone", "host: must be", func(c *Config) { c.Host = "[fe80::1%canary]:25" }},
		{"another kind of TLS", "tls: must be", func(c *Config) { c.TLS = "canary" }},
		{"no sender", "from: must be", func(c *Config) { c.From = "" }},
		{"two senders", "from: must be", func(c *Config) { c.From = "canary@example.com, b@example.com" }},
		{"a sender without domain", "from: must be", func(c *Config) { c.From = "canary" }},
		{"a line break in the sender", "from: must be", func(c *Config) { c.From = "canary@example.com\r\nRCPT" }},
		{"a line break in quotes", "from: must be", func(c *Config) { c.From = "\"a\r\nb\"@example.com" }},
		{"not ASCII", "to[0]: must be", func(c *Config) { c.To[0] = "ö@example.com" }},
		{"no recipient", "to: must have 1 to 16", func(c *Config) { c.To = nil }},
		{"too many", "to: must have 1 to 16", func(c *Config) { c.To = make([]string, 17) }},
		{"one that is not good", "to[1]: must be", func(c *Config) { c.To = append(c.To, "canary@") }},
		{"dots", "to[1]: must be", func(c *Config) { c.To = append(c.To, "canary@example..com") }},
		{"no username", "username: must not be", func(c *Config) { c.Password = "canary" }},
		{"no password", "password: must not be", func(c *Config) { c.Username = "canary" }},
		{"a password in the clear", "tls: must not be None", func(c *Config) { c.Username, c.Password, c.TLS = "canary", "canary", None }},
		{"a control character", "username, password: must not have", func(c *Config) { c.Username, c.Password = "canary", "canary\x00" }},
	} {
		config := Config{Host: "smtp.example.com", From: "a@example.com", To: []string{"b@example.com"}}
		c.change(&config)
		_, err := New(config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
}

func TestEndpoint(t *testing.T) {
	for _, c := range []struct{ host, tls, name, address string }{
		{"smtp.example.com", "", "smtp.example.com", "smtp.example.com:587"},
		{"smtp.example.com\n", Implicit, "smtp.example.com", "smtp.example.com:465"},
		{"mail_relay.mail.svc.", None, "mail_relay.mail.svc.", "mail_relay.mail.svc.:25"},
		{"smtp.example.com:2525", StartTLS, "smtp.example.com", "smtp.example.com:2525"},
		{"192.0.2.1:2525", StartTLS, "192.0.2.1", "192.0.2.1:2525"},
		{"2001:db8::1", StartTLS, "2001:db8::1", "[2001:db8::1]:587"},
		{"[2001:db8::1]", StartTLS, "2001:db8::1", "[2001:db8::1]:587"},
		{"[2001:db8::1]:25", StartTLS, "2001:db8::1", "[2001:db8::1]:25"},
	} {
		s, err := New(Config{Host: c.host, TLS: c.tls, From: "a@example.com", To: []string{"b@example.com"}}, outboundtest.Client(t))
		if err != nil || s.host != c.name || s.address != c.address {
			t.Errorf("%s: got %+v, %v; want %s, %s", c.host, s, err, c.name, c.address)
		}
	}
}

func TestAddressLiteral(t *testing.T) {
	for want, address := range map[string]net.Addr{
		"[192.0.2.1]":        &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 1},
		"[IPv6:2001:db8::1]": &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1},
		"[IPv6:fe80::1]":     &net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 1, Zone: "eth0"},
		"localhost":          &net.UnixAddr{Name: "x"},
	} {
		if got := addressLiteral(address); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A Message-ID that is too long is not in the receipt.
func TestLongID(t *testing.T) {
	server := newServer(t, notifytest.SMTPOptions{})
	s := newSender(t, server, Config{TLS: None})
	s.from.Address = "a@" + strings.Repeat("a.", 124) + "example.com"
	if got, err := send(t.Context(), s, result.Fired, "delivery"); err != nil || got.ExternalID != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}
