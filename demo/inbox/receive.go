// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	resolved     = "Resolved" // the State of a message that ends an incident
	secretPrefix = "whsec_"
	maxBody      = 1 << 20 // bytes
	maxLine      = 160     // characters
)

// NewSecret returns a new random signing secret.
func NewSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // rand.Read never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// CheckSecret returns an error if a signing secret is malformed.
func CheckSecret(secret string) error {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	if key, err := base64.StdEncoding.DecodeString(encoded); !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return errors.New("a signing secret is " + secretPrefix + " followed by 24 to 64 random bytes in base64") // the error does not quote the secret
	}
	return nil
}

// Handler returns the HTTP service.
func (i *Inbox) Handler() http.Handler { return i.handler(nil) }

// handler returns the HTTP service, whose streams end when stop is closed.
func (i *Inbox) handler(stop <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", i.receive)
	mux.HandleFunc("PUT /", i.receive)
	mux.HandleFunc("GET /{$}", i.servePage)
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { i.serveEvents(w, r, stop) })
	mux.HandleFunc("GET /messages", i.serveMessages)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeResponse(w, http.StatusOK, nil, "ok") })
	return mux
}

// receive records a delivery, prints it if it is accepted, and answers it as the Responder decides.
func (i *Inbox) receive(w http.ResponseWriter, r *http.Request) {
	i.started.Add(1)
	i.inFlight.Add(1)
	defer i.inFlight.Add(-1)

	m, problem := i.parseRequest(w, r)
	if problem != nil {
		i.refused.Add(1)
		problem.write(w)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(m.Body)) // the Responder may read it again
	attempt, respond := i.recordAttempt(m)
	if respond == nil { // by default, all deliveries are accepted
		respond = Answer(http.StatusNoContent, nil)
	}
	status, header, body := respond(r)
	if status == 0 { // the Responder gives no answer
		panic(http.ErrAbortHandler) // net/http closes the connection
	}
	if isAccepted := status/100 == 2; isAccepted {
		i.printMessage(m, attempt)
		i.recordAccepted(m.WebhookID)
	}
	writeResponse(w, status, header, body)
}

// parseRequest returns the message of a request, or the answer to an invalid request.
func (i *Inbox) parseRequest(w http.ResponseWriter, r *http.Request) (*Message, *problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &problem{http.StatusRequestEntityTooLarge, "Too large", fmt.Sprintf("%d bytes at most", maxBody)}
	}
	if err != nil {
		return nil, &problem{http.StatusBadRequest, "Not readable", err.Error()}
	}
	if err := i.verify(body, r.Header); err != nil {
		return nil, &problem{http.StatusUnauthorized, "Signature refused", err.Error()}
	}
	m, err := parseMessage(body)
	if err != nil {
		return nil, &problem{http.StatusBadRequest, "Not a message of Bellhop", err.Error()}
	}
	m.WebhookID = r.Header.Get(standardwebhooks.HeaderWebhookID)
	if m.WebhookID == "" {
		return nil, &problem{http.StatusBadRequest, "Not a message of Bellhop", "the header webhook-id is missing"}
	}
	m.ReceivedAt, m.Header, m.Body = time.Now(), r.Header.Clone(), body
	return m, nil
}

// verify checks the signature of a delivery, if the inbox has a secret. It uses the library that the documentation recommends to receivers.
func (i *Inbox) verify(body []byte, header http.Header) error {
	if i.secret == "" {
		return nil
	}
	if err := CheckSecret(i.secret); err != nil {
		return fmt.Errorf("the inbox cannot check it: %w", err)
	}
	webhook, err := standardwebhooks.NewWebhook(i.secret)
	if err != nil {
		return err
	}
	return webhook.Verify(body, header)
}

// parseMessage returns the message in the body of a delivery.
func parseMessage(body []byte) (*Message, error) {
	var delivery struct {
		Version string  `json:"version"`
		Type    string  `json:"type"`
		Data    Message `json:"data"`
	}
	if err := json.Unmarshal(body, &delivery); err != nil {
		return nil, err
	}
	if delivery.Version != "1" {
		return nil, fmt.Errorf("version %q is not known here, only \"1\" is", delivery.Version)
	}
	d := delivery.Data
	return &Message{ // a copy without the fields that the inbox itself sets
		Event: delivery.Type, Incident: d.Incident, UID: d.UID, Namespace: d.Namespace, Name: d.Name, Receiver: d.Receiver,
		Title: d.Title, Content: d.Content, RawContent: d.RawContent, Severity: d.Severity, State: d.State,
	}, nil
}

// printMessage prints a message on one line.
func (i *Inbox) printMessage(m *Message, attempt int) {
	label := m.Severity
	if m.State == resolved {
		label = resolved
	}
	line := fmt.Sprintf("📟 %s  %-8s  %s", m.ReceivedAt.Format(time.TimeOnly), sanitizeLine(label), sanitizeLine(m.Title+" · "+m.Content))
	if attempt > 1 {
		line += fmt.Sprintf("  (request %d of this message)", attempt)
	}
	i.printing.Lock()
	defer i.printing.Unlock()
	fmt.Fprintln(i.out, line)
}

// sanitizeLine makes text safe for a line of a terminal: control characters could move the cursor, and bidirectional controls could
// reverse the line. It cuts long text.
func sanitizeLine(text string) string {
	isControl := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
	text = strings.Join(strings.FieldsFunc(text, isControl), " ")
	if runes := []rune(text); len(runes) > maxLine {
		return string(runes[:maxLine-1]) + "…"
	}
	return text
}

// A problem is the body of an error response, in the form of RFC 9457.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (p *problem) write(w http.ResponseWriter) {
	body, _ := json.Marshal(p) // a struct of strings and numbers can always be encoded
	writeResponse(w, p.Status, http.Header{"Content-Type": {"application/problem+json"}}, string(body))
}
