// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"context"
	"encoding/base64"
	"errors"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// maxIterations bounds the work of SCRAM that a server can ask for, to about half a second.
const maxIterations = 1 << 20

// mechanism is a way to log in.
type mechanism struct {
	name string
	auth smtp.Auth
}

// mechanisms returns those that the sender has, in the order in which they are tried. PLAIN is preferred to SCRAM: within TLS only the
// server itself sees the password, and a server may offer SCRAM also to users without a suitable hash.
func (s *Sender) mechanisms() []mechanism {
	c := s.config
	plain := smtp.PlainAuth("", c.Username, c.Password, s.host, false)
	return []mechanism{
		{"PLAIN", &plainAuth{Auth: plain}},
		{"PLAIN", &plainAuth{Auth: plain, waits: true}},
		{"LOGIN", smtp.LoginAuth(c.Username, c.Password, s.host, false)},
		{"SCRAM-SHA-256", boundedSCRAM{smtp.ScramSHA256Auth(c.Username, c.Password)}},
		{"SCRAM-SHA-1", boundedSCRAM{smtp.ScramSHA1Auth(c.Username, c.Password)}},
	}
}

// shownMechanisms are the mechanisms of servers that an error may name: other names are text of the server.
var shownMechanisms = []string{
	"ANONYMOUS", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL", "GSS-SPNEGO", "GSSAPI", "KERBEROS_V4", "LOGIN", "NTLM", "OAUTHBEARER", "PLAIN",
	"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS", "XOAUTH2",
}

// login authenticates by the first mechanism that the server offers and takes.
func (sess *session) login(ctx context.Context, s *Sender) *result.Error {
	offered := offeredMechanisms(sess.client)
	var refused []string
	var last error
	for _, m := range s.mechanisms() {
		if !slices.Contains(offered, m.name) {
			continue
		}
		err := sess.authenticate(m.auth, s.host)
		if err == nil {
			return nil
		}
		if !isUnsupported(err) {
			return errorOfStep(ctx, "AUTH", err, outbound.Talking)
		}
		last, refused = err, append(refused, m.name)
	}
	if len(offered) == 0 {
		return unauthorized("the mail server offers no login (AUTH): remove username and password from the Secret if none is needed, else use the server's port for submission, such as 587")
	}
	if last == nil {
		return unauthorized("the mail server offers AUTH only by " + shown(offered) + "; the operator has PLAIN, LOGIN, SCRAM-SHA-256 and SCRAM-SHA-1")
	}
	failure := errorOfStep(ctx, "AUTH", last, outbound.Talking)
	failure.Message += "; the mail server refuses " + shown(refused) + ", and offers " + shown(offered)
	return failure
}

func unauthorized(message string) *result.Error {
	return &result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: message}
}

// offeredMechanisms returns the mechanisms of the server's reply to EHLO, from "AUTH PLAIN LOGIN", and from "AUTH=PLAIN LOGIN", the form before RFC
// 2554. There the first one is a part of the keyword, so that it is found only if it is known.
func offeredMechanisms(client *smtp.Client) []string {
	_, list := client.Extension("AUTH")
	offered := strings.Fields(strings.ToUpper(list))
	for _, first := range shownMechanisms {
		if found, others := client.Extension("AUTH=" + first); found {
			offered = append(append(offered, first), strings.Fields(strings.ToUpper(others))...)
		}
	}
	return offered
}

// shown returns the names of mechanisms for an error.
func shown(names []string) string {
	known := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(shownMechanisms, name) })
	slices.Sort(known)
	known = slices.Compact(known)
	if len(known) == 0 {
		return "unknown mechanisms"
	}
	return strings.Join(known, ", ")
}

// isUnsupported reports whether the server refused the mechanism or its form (RFC 4954, 4), and did not judge the credentials.
func isUnsupported(err error) bool {
	answer, answered := errors.AsType[*textproto.Error](err)
	return answered && (answer.Code == 501 || answer.Code == 502 || answer.Code == 504)
}

// authenticate makes the exchange of a mechanism. Unlike the library's, it leaves the session open for another one.
func (sess *session) authenticate(auth smtp.Auth, host string) error {
	_, secured := sess.client.TLSConnectionState()
	name, response, err := auth.Start(&smtp.ServerInfo{Name: host, TLS: secured})
	if err != nil {
		return err
	}
	command := "AUTH " + name
	if len(response) > 0 {
		command += " " + base64.StdEncoding.EncodeToString(response)
	}
	for {
		code, text, err := sess.exchange(command)
		if err != nil {
			return err
		}
		challenge := []byte(text)
		if code == 334 {
			challenge, err = base64.StdEncoding.DecodeString(text)
		} else if code != 235 {
			return &textproto.Error{Code: code, Msg: text}
		}
		if err == nil {
			response, err = auth.Next(challenge, code == 334)
		}
		if err != nil {
			sess.client = nil // the server waits for a response, and would take QUIT for one
			return errChallenge
		}
		if code == 235 {
			return nil
		}
		command = base64.StdEncoding.EncodeToString(response)
	}
}

// exchange sends a line and reads the reply to it.
func (sess *session) exchange(line string) (code int, text string, err error) {
	conn := sess.client.Text
	id, err := conn.Cmd("%s", line)
	if err != nil {
		return 0, "", err
	}
	conn.StartResponse(id)
	defer conn.EndResponse(id)
	return conn.ReadResponse(0)
}

// plainAuth is PLAIN also for servers that take its only response after an empty challenge.
type plainAuth struct {
	smtp.Auth
	waits    bool // the command has no response (RFC 4954, 4: "initial response")
	response []byte
}

func (p *plainAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	name, response, err := p.Auth.Start(server)
	p.response = response
	if p.waits {
		return name, nil, err
	}
	return name, response, err
}

func (p *plainAuth) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	if len(challenge) > 0 || p.response == nil {
		return nil, errChallenge
	}
	response := p.response
	p.response = nil
	return response, nil
}

// boundedSCRAM bounds the iterations that a server asks for: no timeout ends the computation.
type boundedSCRAM struct{ smtp.Auth }

// errChallenge is the error of a challenge that the mechanism does not permit.
var errChallenge = errors.New("bad challenge")

func (c boundedSCRAM) Next(challenge []byte, more bool) ([]byte, error) {
	for part := range strings.SplitSeq(string(challenge), ",") {
		if rounds, ok := strings.CutPrefix(part, "i="); more && ok {
			if n, err := strconv.Atoi(rounds); err != nil || n > maxIterations {
				return nil, errChallenge
			}
		}
	}
	return c.Auth.Next(challenge, more)
}
