// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gophernetes/bellhop/internal/pager/notify/grpcnotifier"
	notifierv1 "github.com/gophernetes/bellhop/proto/bellhop/notifier/v1"
)

const (
	maxText = 256
	// later is a value of an enumeration that no version has yet.
	later = 99
)

// suite makes calls as the operator does.
type suite struct {
	server     *grpcnotifier.Server
	token      string
	parameters map[string]string
	timeout    time.Duration
}

// testCase is one rule of the contract. Its error says what the server does wrong.
type testCase struct {
	name  string
	check func(*suite, context.Context) error
}

var cases = []testCase{
	{"Probe answers OK", (*suite).probe},
	{"an alert of each severity is delivered", (*suite).fired},
	{"a response has short, visible texts", (*suite).texts},
	{"an update is delivered", (*suite).updated},
	{"a resolve is delivered", (*suite).resolved},
	{"an alert that fires again is delivered again", (*suite).firedAgain},
	{"a resolve of an alert that the server does not know is accepted", (*suite).resolvedUnknown},
	{"a repeat is delivered once", (*suite).repeated},
	{"two repeats at the same time are delivered once", (*suite).concurrent},
	{"an unknown event is answered with OK", (*suite).unknownEvent},
	{"an unknown severity and unknown fields are ignored", (*suite).unknownFields},
	{"the longest message is delivered, or refused for good", (*suite).longest},
	{"calls without the right token are refused", (*suite).credentials},
}

// message returns a request with keys that no other has.
func (s *suite) message(event notifierv1.Event, incident string) *notifierv1.NotifyRequest {
	return &notifierv1.NotifyRequest{
		DeliveryKey: rand.Text(), IncidentKey: incident, Event: event, Title: "Conformance", Content: "A test of the notifier 👋\nPlease ignore it.",
		Severity: notifierv1.Severity_SEVERITY_INFO, Namespace: "conformance", Name: "test", Uid: "7d444840-9dc0-11d1-b245-5ffdce74fad2",
		Links: []*notifierv1.Link{{Text: "Runbook", Href: "https://example.com/runbook"}}, Time: timestamppb.Now(), Parameters: s.parameters,
	}
}

func (s *suite) notify(ctx context.Context, r *notifierv1.NotifyRequest) (*notifierv1.NotifyResponse, error) {
	return s.notifyAs(ctx, s.token, r)
}

func (s *suite) notifyAs(ctx context.Context, token string, r *notifierv1.NotifyRequest) (*notifierv1.NotifyResponse, error) {
	return call[notifierv1.NotifyRequest, notifierv1.NotifyResponse](ctx, s, token, notifierv1.Notifier_Notify_FullMethodName, r)
}

func (s *suite) probeAs(ctx context.Context, token string) error {
	_, err := call[notifierv1.ProbeRequest, notifierv1.ProbeResponse](ctx, s, token, notifierv1.Notifier_Probe_FullMethodName, &notifierv1.ProbeRequest{Parameters: s.parameters})
	return err
}

func call[Request, Response any](ctx context.Context, s *suite, token, method string, request *Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	authorization := ""
	if token != "" {
		authorization = "Bearer " + token
	}
	response, _, err := grpcnotifier.Call[Request, Response](ctx, s.server, authorization, method, request)
	return response, err
}

// deliver sends messages one after another, each of which must be accepted.
func (s *suite) deliver(ctx context.Context, events ...notifierv1.Event) error {
	incident := rand.Text()
	for _, event := range events {
		if _, err := s.notify(ctx, s.message(event, incident)); err != nil {
			return fmt.Errorf("%s: want OK, got %w", event, err)
		}
	}
	return nil
}

func (s *suite) probe(ctx context.Context) error {
	if err := s.probeAs(ctx, s.token); err != nil {
		return fmt.Errorf("want OK, got %w", err)
	}
	return nil
}

func (s *suite) fired(ctx context.Context) error {
	for severity := notifierv1.Severity_SEVERITY_INFO; severity <= notifierv1.Severity_SEVERITY_CRITICAL; severity++ {
		message := s.message(notifierv1.Event_EVENT_FIRED, rand.Text())
		message.Severity = severity
		if _, err := s.notify(ctx, message); err != nil {
			return fmt.Errorf("%s: want OK, got %w", severity, err)
		}
	}
	return nil
}

func (s *suite) updated(ctx context.Context) error {
	return s.deliver(ctx, notifierv1.Event_EVENT_FIRED, notifierv1.Event_EVENT_UPDATED)
}

func (s *suite) resolved(ctx context.Context) error {
	return s.deliver(ctx, notifierv1.Event_EVENT_FIRED, notifierv1.Event_EVENT_RESOLVED)
}

// firedAgain begins an alert, raises its severity, lets instances join, and begins it again after its end: each message has a delivery key of
// its own. Other cases judge the resolve, and repeats.
func (s *suite) firedAgain(ctx context.Context) error {
	incident := rand.Text()
	fired := func(why string, edit func(*notifierv1.NotifyRequest)) error {
		message := s.message(notifierv1.Event_EVENT_FIRED, incident)
		edit(message)
		if _, err := s.notify(ctx, message); err != nil {
			return fmt.Errorf("EVENT_FIRED with the same incident_key, as %s: want OK, got %w", why, err)
		}
		return nil
	}
	if err := fired("the alert begins", func(*notifierv1.NotifyRequest) {}); err != nil {
		return err
	}
	if err := fired("the severity rises", func(r *notifierv1.NotifyRequest) { r.Severity = notifierv1.Severity_SEVERITY_WARNING }); err != nil {
		return err
	}
	join := func(r *notifierv1.NotifyRequest) {
		r.Severity = notifierv1.Severity_SEVERITY_WARNING
		r.Instances = []*notifierv1.Instance{{Key: "a", Text: "disk a", StartsAt: timestamppb.Now()}, {Key: "b", Text: "disk b", StartsAt: timestamppb.Now()}}
	}
	if err := fired("instances join", join); err != nil {
		return err
	}
	_, _ = s.notify(ctx, s.message(notifierv1.Event_EVENT_RESOLVED, incident))
	return fired("the alert begins again", func(*notifierv1.NotifyRequest) {})
}

func (s *suite) resolvedUnknown(ctx context.Context) error {
	return s.deliver(ctx, notifierv1.Event_EVENT_RESOLVED)
}

func (s *suite) texts(ctx context.Context) error {
	r, err := s.notify(ctx, s.message(notifierv1.Event_EVENT_FIRED, rand.Text()))
	if err != nil {
		return fmt.Errorf("want OK, got %w", err)
	}
	for name, text := range map[string]string{"external_id": r.GetExternalId(), "note": r.GetNote()} {
		if len(text) > maxText {
			return fmt.Errorf("%s has %d bytes, at most %d are shown", name, len(text), maxText)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			return fmt.Errorf("%s has characters that are not visible: %q", name, text)
		}
	}
	return nil
}

func (s *suite) repeated(ctx context.Context) error {
	message := s.message(notifierv1.Event_EVENT_FIRED, rand.Text())
	first, err := s.notify(ctx, message)
	if err != nil {
		return fmt.Errorf("want OK, got %w", err)
	}
	again, err := s.notify(ctx, message)
	if err != nil {
		return fmt.Errorf("a repeat with the same delivery_key: want OK, got %w", err)
	}
	return sameID(first, again)
}

func (s *suite) concurrent(ctx context.Context) error {
	type answer struct {
		response *notifierv1.NotifyResponse
		err      error
	}
	for range 4 { // a race does not happen each time
		message, answers := s.message(notifierv1.Event_EVENT_FIRED, rand.Text()), make(chan answer)
		for range 2 {
			go func() {
				response, err := s.notify(ctx, message)
				answers <- answer{response, err}
			}()
		}
		first, second := <-answers, <-answers
		switch {
		case first.err != nil && second.err != nil:
			return fmt.Errorf("want OK of one of two calls at least, got %w", first.err)
		case first.err != nil || second.err != nil:
			if connect.CodeOf(errors.Join(first.err, second.err)) == connect.CodeInvalidArgument {
				return errors.New("one of two calls with the same delivery_key is refused: want OK or ABORTED")
			}
			continue // one of them may be told to come later
		}
		if err := sameID(first.response, second.response); err != nil {
			return err
		}
	}
	return nil
}

// sameID compares the ids of two answers to one delivery key. A server without ids says nothing about what people see.
func sameID(first, again *notifierv1.NotifyResponse) error {
	if first.GetExternalId() != again.GetExternalId() && again.GetExternalId() != "" {
		return fmt.Errorf("two calls with the same delivery_key have the ids %q and %q: the message was delivered twice", first.GetExternalId(), again.GetExternalId())
	}
	return nil
}

func (s *suite) unknownEvent(ctx context.Context) error {
	return s.deliver(ctx, later)
}

func (s *suite) unknownFields(ctx context.Context) error {
	message := s.message(notifierv1.Event_EVENT_FIRED, rand.Text())
	message.Severity = later
	message.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 1000, protowire.BytesType), "of a later version"))
	if _, err := s.notify(ctx, message); err != nil {
		return fmt.Errorf("want OK, got %w", err)
	}
	return nil
}

func (s *suite) longest(ctx context.Context) error {
	message := s.message(notifierv1.Event_EVENT_FIRED, rand.Text())
	message.Title, message.Content = strings.Repeat("👋", 256), strings.Repeat("👋", 16384)
	for i := range 200 {
		message.Instances = append(message.Instances, &notifierv1.Instance{Key: fmt.Sprint(i), Text: strings.Repeat("x", 256), StartsAt: timestamppb.Now()})
	}
	_, err := s.notify(ctx, message)
	if err == nil || grpcnotifier.IsRefusal(err) {
		return nil
	}
	return fmt.Errorf("want OK, or INVALID_ARGUMENT with the detail google.rpc.ErrorInfo, got %w: the operator would send the message for ever", err)
}

var errNoToken = errors.New("the variable TOKEN is not set")

func (s *suite) credentials(ctx context.Context) error {
	if s.token == "" {
		return errNoToken // the server has none, or takes client certificates
	}
	for _, token := range []string{"", "wrong-" + rand.Text()} {
		_, err := s.notifyAs(ctx, token, s.message(notifierv1.Event_EVENT_FIRED, rand.Text()))
		for method, err := range map[string]error{"Notify": err, "Probe": s.probeAs(ctx, token)} {
			if code := connect.CodeOf(err); err == nil || code != connect.CodeUnauthenticated && code != connect.CodePermissionDenied {
				return fmt.Errorf("%s with the token %q: want UNAUTHENTICATED or PERMISSION_DENIED, got %s", method, token, answerOf(err))
			}
		}
	}
	return nil
}

func answerOf(err error) string {
	if err == nil {
		return "OK"
	}
	return err.Error()
}
