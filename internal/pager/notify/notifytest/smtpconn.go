// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"bufio"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// smtpConn is a connection to an SMTP server. Its methods report whether the connection continues.
type smtpConn struct {
	server  *SMTP
	conn    net.Conn
	in      *bufio.Reader
	secured bool
	greeted bool
	authed  bool
	from    string
	to      []string
}

func (c *smtpConn) use(conn net.Conn) { c.conn, c.in = conn, bufio.NewReader(conn) }

func (c *smtpConn) startTLS() bool {
	if script := c.server.scripted("TLS"); script != "" {
		_, _ = c.in.Peek(1)                       // waits for the client's hello, which must not become part of the answer
		return c.play(script) && c.play(SMTPHang) // a closed connection could discard the answer
	}
	conn := tls.Server(c.conn, c.server.tls)
	if conn.Handshake() != nil { //nolint:noctx // Close ends it
		return false
	}
	c.use(conn)
	c.secured, c.greeted = true, false
	return true
}

// line reads a line. A line feed alone does not end it (RFC 5321, 2.3.8).
func (c *smtpConn) line() (string, bool) {
	line, err := c.in.ReadString('\n')
	text, ok := strings.CutSuffix(line, "\r\n")
	return text, err == nil && ok && c.record(text)
}

func (c *smtpConn) record(line string) bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if mechanism, _, ok := strings.Cut(line, " "); ok && strings.EqualFold(mechanism, "AUTH") {
		line = strings.Join(strings.Fields(line)[:2], " ")
	}
	c.server.commands = append(c.server.commands, line)
	return true
}

func (c *smtpConn) reply(text string) bool {
	_, err := io.WriteString(c.conn, text+"\r\n")
	return err == nil
}

// answer sends the correct answer, or the script's.
func (c *smtpConn) answer(command, right string) bool {
	if script := c.server.scripted(command); script != "" {
		return c.play(script)
	}
	return c.reply(right)
}

// do executes a command, unless the script has another answer.
func (c *smtpConn) do(command, right string, what func()) bool {
	script := c.server.scripted(command)
	if script == "" {
		what()
		return c.reply(right)
	}
	return c.play(script)
}

func (c *smtpConn) play(script string) bool {
	switch script {
	case SMTPHang:
		_, _ = io.Copy(io.Discard, c.conn)
		return false
	case SMTPClose:
		return false
	case SMTPFlood:
		for c.reply("250-" + strings.Repeat("x", 500)) {
		}
		return false
	case SMTPLine:
		for _, err := io.WriteString(c.conn, "250-"); err == nil; {
			_, err = c.conn.Write(make([]byte, 4096))
		}
		return false
	}
	return c.reply(script)
}

var (
	smtpMail = regexp.MustCompile(`^(?i:FROM):<([^<> ]+@[^<> ]+)>((?: [A-Z0-9]+(?:=[^ =]+)?)*)$`)
	smtpRcpt = regexp.MustCompile(`^(?i:TO):<([^<> ]+@[^<> ]+)>$`)
)

func (c *smtpConn) handle(line string) bool {
	o := c.server.options
	verb, rest, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	switch {
	case verb == "EHLO" || verb == "HELO":
		if !strings.Contains(rest, ".") && !strings.HasPrefix(rest, "[") {
			return c.reply("504 5.5.2 need a fully-qualified host name")
		}
		return c.do(verb, c.extensions(verb), func() { c.greeted, c.from, c.to = true, "", nil })
	case verb == "QUIT":
		c.answer(verb, "221 2.0.0 bye")
		return false
	case verb == "NOOP":
		return c.answer(verb, "250 2.0.0 ok")
	case verb == "RSET":
		return c.do(verb, "250 2.0.0 ok", func() { c.from, c.to = "", nil })
	case !c.greeted:
		return c.reply("503 5.5.1 EHLO first")
	case verb == "STARTTLS" && o.StartTLS && !c.secured:
		if script := c.server.scripted(verb); script != "" {
			return c.play(script)
		}
		return c.reply("220 2.0.0 go ahead") && c.startTLS()
	case verb == "AUTH" && o.Username != "" && c.secured && !c.authed:
		if script := c.server.scripted(verb); script != "" {
			return c.play(script)
		}
		return c.authenticate(rest)
	case o.Username != "" && !c.authed && slices.Contains([]string{"MAIL", "RCPT", "DATA"}, verb):
		return c.reply("530 5.7.0 authentication required")
	case verb == "MAIL" && c.from == "":
		got := smtpMail.FindStringSubmatch(rest)
		if got == nil {
			return c.reply("501 5.1.7 bad sender")
		}
		return c.do(verb, "250 2.1.0 ok", func() { c.from = got[1] })
	case verb == "RCPT" && c.from != "":
		got := smtpRcpt.FindStringSubmatch(rest)
		if got == nil {
			return c.reply("501 5.1.3 bad recipient")
		}
		return c.do(verb, "250 2.1.5 ok", func() { c.to = append(c.to, got[1]) })
	case verb == "DATA" && len(c.to) > 0:
		if script := c.server.scripted(verb); script != "" {
			return c.play(script)
		}
		return c.reply("354 end with a dot") && c.data()
	}
	return c.reply("503 5.5.1 not now")
}

func (c *smtpConn) extensions(verb string) string {
	if verb == "HELO" {
		return "250 smtp.test"
	}
	lines := "250-smtp.test\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING\r\n"
	if c.server.options.StartTLS && !c.secured {
		lines += "250-STARTTLS\r\n"
	}
	if c.server.options.Username != "" && c.secured && c.server.options.Mechanisms != "none" {
		separator := " "
		if c.server.options.OldForm {
			separator = "="
		}
		lines += "250-AUTH" + separator + c.server.options.Mechanisms + "\r\n"
	}
	return lines + "250 ENHANCEDSTATUSCODES"
}

// authenticate checks the credentials with an offered mechanism.
func (c *smtpConn) authenticate(rest string) bool {
	o := c.server.options
	mechanism, initial, _ := strings.Cut(rest, " ")
	if !slices.Contains(strings.Fields(o.Mechanisms), mechanism) {
		return c.reply("504 5.5.4 mechanism not offered")
	}
	if o.RefusesInitial && initial != "" {
		return c.reply("501 5.5.2 no initial response")
	}
	switch mechanism {
	case "PLAIN":
		got, err := base64.StdEncoding.DecodeString(initial)
		response, ok := string(got), err == nil
		if initial == "" || o.IgnoresInitial {
			response, ok = c.ask("")
		}
		c.authed = ok && response == "\x00"+o.Username+"\x00"+o.Password
	case "LOGIN":
		username, first := c.ask("Username:")
		password, second := c.ask("Password:")
		c.authed = first && second && username == o.Username && password == o.Password
	case "SCRAM-SHA-256":
		c.authed = c.scram()
	}
	if !c.authed {
		return c.reply("535 5.7.8 authentication failed")
	}
	return c.reply("235 2.7.0 welcome")
}

func (c *smtpConn) ask(challenge string) (string, bool) {
	if !c.reply("334 " + base64.StdEncoding.EncodeToString([]byte(challenge))) {
		return "", false
	}
	line, err := c.in.ReadString('\n')
	got, bad := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\r\n"))
	return string(got), err == nil && bad == nil
}

// scram is the exchange of RFC 7677, without channel binding.
func (c *smtpConn) scram() bool {
	o := c.server.options
	first, ok := c.ask("")
	bare, bound := strings.CutPrefix(first, "n,,")
	user, nonce, split := strings.Cut(strings.TrimPrefix(bare, "n="), ",r=")
	if !ok || !bound || !split || user != strings.NewReplacer("=", "=3D", ",", "=2C").Replace(o.Username) {
		return false
	}
	nonce += "server"
	salt := []byte("salt of the user")
	challenge := fmt.Sprintf("r=%s,s=%s,i=%d", nonce, base64.StdEncoding.EncodeToString(salt), o.Rounds)
	final, ok := c.ask(challenge)
	without, proof, split := strings.Cut(final, ",p=")
	if !ok || !split || without != "c=biws,r="+nonce {
		return false
	}
	salted, err := pbkdf2.Key(sha256.New, o.Password, salt, o.Rounds, sha256.Size)
	if err != nil {
		return false
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	messages := bare + "," + challenge + "," + without
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	for i, b := range mac(stored[:], messages) {
		key[i] ^= b
	}
	if base64.StdEncoding.EncodeToString(key) != proof {
		return false
	}
	_, ok = c.ask("v=" + base64.StdEncoding.EncodeToString(mac(mac(salted, "Server Key"), messages)))
	return ok
}

// data reads a mail.
func (c *smtpConn) data() bool {
	if script := c.server.scripted("mail"); script != "" {
		return c.play(script)
	}
	var text strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		switch {
		case err != nil:
			return false
		case !strings.HasSuffix(line, "\r\n") || len(line) > 1000:
			return c.reply("554 5.6.0 line without CRLF or too long")
		case line == ".\r\n":
			return c.accept(text.String())
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
}

func (c *smtpConn) accept(text string) bool {
	s := c.server
	got, err := readMail(text)
	if err != nil {
		return c.reply("554 5.6.0 " + err.Error())
	}
	got.From, got.To = c.from, c.to
	c.from, c.to = "", nil
	if script := s.scripted("."); script != "" {
		return c.play(script)
	}
	s.Put(Seen{ID: got.Header.Get("Message-ID"), Text: got.Subject + "\n" + got.Body})
	s.mu.Lock()
	s.mails = append(s.mails, got)
	lost := s.lose > 0
	if lost {
		s.lose--
	}
	n := len(s.mails)
	s.mu.Unlock()
	return !lost && c.reply("250 2.0.0 queued as "+strconv.Itoa(n))
}

var messageID = regexp.MustCompile("^<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+>$")

// readMail parses a mail, and checks it against RFC 5322.
func readMail(text string) (SMTPMail, error) {
	for _, b := range []byte(text) {
		if b >= 0x80 || b == 0 {
			return SMTPMail{}, fmt.Errorf("byte %#x in a mail of 7 bits", b)
		}
	}
	message, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		return SMTPMail{}, err
	}
	for _, name := range []string{"From", "To", "Date", "Subject", "Message-Id", "Mime-Version", "Content-Type"} {
		if len(message.Header[name]) != 1 {
			return SMTPMail{}, fmt.Errorf("%d headers %s", len(message.Header[name]), name)
		}
	}
	for _, name := range []string{"Message-ID", "In-Reply-To", "References"} {
		if id := message.Header.Get(name); id != "" && !messageID.MatchString(id) {
			return SMTPMail{}, fmt.Errorf("header %s is not an id", name)
		}
	}
	if _, err := message.Header.Date(); err != nil {
		return SMTPMail{}, err
	}
	for _, name := range []string{"From", "To"} {
		if _, err := message.Header.AddressList(name); err != nil {
			return SMTPMail{}, err
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil {
		return SMTPMail{}, err
	}
	body := message.Body
	if message.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	decoded, err := io.ReadAll(body)
	if err != nil {
		return SMTPMail{}, err
	}
	return SMTPMail{Raw: text, Header: message.Header, Subject: subject, Body: strings.ReplaceAll(string(decoded), "\r\n", "\n")}, nil
}
