// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"net/textproto"
	"strconv"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// quitTimeout bounds the wait for the reply to QUIT.
const quitTimeout = 500 * time.Millisecond

// session is a connection to the mail server. It uses go-mail's client of the protocol. The library's client of mails sends
// to no recipient where one is refused.
type session struct {
	conn   net.Conn
	client *smtp.Client // nil: no QUIT is sent
}

// connect returns a session that is ready for a transaction.
func (s *Sender) connect(ctx context.Context) (*session, *result.Error) {
	conn, err := s.client.Dial(ctx, s.address)
	if err != nil {
		return nil, notify.FromRequest(err)
	}
	session := &session{conn: conn}
	if failure := session.handshake(ctx, s); failure != nil {
		session.close()
		return nil, failure
	}
	return session, nil
}

func (sess *session) handshake(ctx context.Context, s *Sender) *result.Error {
	transport := sess.conn
	if s.config.TLS == Implicit {
		secured := tls.Client(sess.conn, s.client.TLSConfig(s.host))
		if err := secured.HandshakeContext(ctx); err != nil {
			return errorOfStep(ctx, "TLS", err, outbound.Handshaking)
		}
		transport = secured
	}
	client, err := smtp.NewClient(transport, s.host)
	if err != nil {
		return errorOfStep(ctx, "greeting", err, outbound.Talking)
	}
	sess.client = client
	client.SkipSMTPUTF8(true) // all addresses are ASCII; with SMTPUTF8 a later server might refuse the mail
	if err := client.Hello(cmp.Or(s.config.Hello, addressLiteral(sess.conn.LocalAddr()))); err != nil {
		return s.withHintAtName(errorOfStep(ctx, "EHLO", err, outbound.Talking), err)
	}
	if s.config.TLS == StartTLS {
		if offered, _ := client.Extension("STARTTLS"); !offered { // the same reason as for an invalid certificate
			return &result.Error{Class: result.Configuration, Reason: result.ReasonTLSFailed, Message: "the mail server does not offer STARTTLS"}
		}
		if err := client.StartTLS(s.client.TLSConfig(s.host)); err != nil {
			return errorOfStep(ctx, "STARTTLS", err, outbound.Handshaking)
		}
	}
	if s.config.Username == "" {
		return nil
	}
	return sess.login(ctx, s)
}

// withHintAtName adds to the error of a refused EHLO that the client's name may be the cause.
func (s *Sender) withHintAtName(failure *result.Error, err error) *result.Error {
	_, refused := errors.AsType[*textproto.Error](err)
	if refused && s.config.Hello == "" {
		failure.Message += "; the client's name was its address, which some servers refuse: set email.hello to a host name"
	}
	if refused && s.config.Hello != "" {
		failure.Message += "; the server may refuse the client's name, email.hello"
	}
	return failure
}

// addressLiteral returns the name of a client without a host name (RFC 5321, 4.1.3).
func addressLiteral(local net.Addr) string {
	address, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return "localhost"
	}
	ip := address.Addr().Unmap().WithZone("")
	if ip.Is6() {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + ip.String() + "]"
}

// outcome is the outcome of a transaction for its recipients.
type outcome struct {
	accepted recipients
	refused  []*result.Error // one for each refused recipient
}

// combine returns the error of refused recipients. It is Temporary where one of them is.
func combine(refused []*result.Error) *result.Error {
	failure := *refused[0]
	for _, refusal := range refused[1:] {
		if refusal.Class == result.Temporary {
			failure.Class, failure.Reason = refusal.Class, refusal.Reason
		}
		failure.Message += "; " + refusal.Message
	}
	return &failure
}

// transact sends the mail to the recipients that do not have it. An error is one of the whole transaction.
func (sess *session) transact(ctx context.Context, from *mail.Address, to []*mail.Address, delivered recipients, text []byte) (outcome, *result.Error) {
	var o outcome
	if err := sess.client.Mail("<" + from.Address + ">"); err != nil {
		return o, errorOfStep(ctx, "MAIL FROM", err, outbound.Talking)
	}
	for i, address := range to {
		if delivered.has(i) {
			continue
		}
		err := sess.client.Rcpt("<" + address.Address + ">")
		answer, answered := errors.AsType[*textproto.Error](err)
		switch {
		case err == nil:
			o.accepted.add(i)
		case answered && answer.Code != 421 && (answer.Code/100 == 4 || answer.Code/100 == 5):
			failure := errorOfStep(ctx, "to["+strconv.Itoa(i)+"]", err, outbound.Talking)
			if answer.Code == 552 { // a full mailbox, like 452 (RFC 5321, 4.5.3.1.10)
				failure.Class, failure.Reason = result.Temporary, result.ReasonServerError
			}
			o.refused = append(o.refused, failure)
		default:
			return o, errorOfStep(ctx, "RCPT TO", err, outbound.Talking)
		}
	}
	if o.accepted == 0 {
		return o, nil
	}
	return o, sess.data(ctx, text)
}

// data sends the mail. The outcome is unknown between the final dot and its reply.
func (sess *session) data(ctx context.Context, text []byte) *result.Error {
	w, err := sess.client.Data()
	if err != nil {
		return errorOfStep(ctx, "DATA", err, outbound.Talking)
	}
	if _, err := w.Write(text); err != nil {
		sess.client = nil // QUIT would end the mail, and the server would deliver its first part
		return errorOfStep(ctx, "DATA", err, outbound.Talking)
	}
	if err := w.Close(); err != nil {
		return errorOfStep(ctx, "end of DATA", err, outbound.Asked)
	}
	return nil
}

// close sends QUIT and closes the connection. Errors have no effect.
func (sess *session) close() {
	if sess.client != nil {
		_ = sess.conn.SetDeadline(time.Now().Add(quitTimeout))
		_ = sess.client.Quit()
	}
	sess.conn.Close()
}
