// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package event creates a Kubernetes Event about the Alert for each message: fired, updated and resolved. Events notify
// nobody: they are for people and tools that watch Events. The text is plain.
//
// The name of an Event is derived from the delivery key. A repeat after a lost response finds the Event of the first attempt,
// which is a success. Kubernetes deletes Events, by default after an hour; a later repeat creates a second Event.
//
// The package does not depend on Kubernetes: a Creator creates the Event.
package event

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Kubernetes Events to the registry. Their sender needs the API server's client, see New.
var Provider = notify.Provider[v1beta1.EventProvider]{
	Modes: []notify.Mode{{
		Repeat:  notify.Once + ", as long as Kubernetes keeps Events, by default an hour",
		Key:     "the name of the Event",
		Update:  notify.OwnMessage,
		Resolve: notify.OwnMessage,
		Links:   notify.Lines,
		Sent:    "the Event exists; it notifies no person",
	}},
}

// Event has the fields of an object of events.k8s.io/v1 that depend on the message.
type Event struct {
	Namespace     string // of the Event and of the Alert
	Name          string // a repeat of the message has the same
	RegardingName string // of the Alert
	RegardingUID  string
	Type          string // TypeNormal or TypeWarning
	Reason        string // AlertFired, AlertUpdated, AlertResolved
	Action        string
	Note          string // at most 1,024 bytes
	Time          time.Time
}

// The types of Events.
const (
	TypeNormal  = "Normal"
	TypeWarning = "Warning"
)

// Creator creates Events in a cluster.
type Creator interface {
	// Create makes one attempt. Where an Event of that name exists already, existed is true and err is nil.
	//
	// An error is a *result.Error. Its message does not have the API server's text, which may be an admission webhook's.
	//
	//	the namespace is being deleted, or gone            Permanent, Gone
	//	not valid, too large                               Permanent, Rejected
	//	forbidden (no right, a quota), not authenticated   Temporary, Unauthorized: the operator does not watch for the fix
	//	too many requests                                  Temporary, RateLimited, with the wait that the answer asks for
	//	the connection was refused                         Temporary, ConnectionFailed
	//	no answer before the deadline                      Unknown, Timeout
	//	canceled                                           Unknown, Canceled
	//	any other answer                                   Unknown, ServerError
	//	anything else                                      Unknown, ConnectionFailed
	Create(ctx context.Context, e Event) (existed bool, err error)
}

const (
	action  = "Notify"
	maxName = 253 // the API server's limit in characters, for all objects
)

// Sender is a notify.Sender. It has no address and no credential.
type Sender struct{ creator Creator }

var _ notify.Sender = (*Sender)(nil)

// New returns a sender.
func New(creator Creator) *Sender { return &Sender{creator: creator} }

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	e, cuts := render(m, k)
	existed, err := s.creator.Create(ctx, e)
	if err != nil {
		return receiptForError(m, err)
	}
	receipt := result.Receipt{ExternalID: e.Name, Note: "the event was created"}
	if existed {
		receipt.Note = "the event was there already"
	}
	receipt.Note += cuts
	return receipt, nil
}

// render returns the Event, and a note that says which parts were truncated; "": none.
func render(m notify.Message, k notify.Key) (e Event, cuts string) {
	e = Event{
		Namespace:     m.Namespace,
		Name:          eventName(m.Name, k.Delivery),
		RegardingName: m.Name,
		RegardingUID:  m.UID,
		Type:          TypeNormal,
		Reason:        "Alert" + string(m.Event),
		Action:        action,
		Time:          m.Time,
	}
	if m.Event != result.Resolved && (m.Severity == notify.Warning || m.Severity == notify.Critical) {
		e.Type = TypeWarning
	}
	note, cut, omitted := notify.CutWithLinks(m.TitleWithStatus()+"\n"+m.Content(), m.Links(), redact.MaxNote, notify.Bytes, notify.Link.Line)
	if cut {
		cuts = notify.CutNote("note", redact.MaxNote, "bytes")
	}
	e.Note = note
	return e, cuts + omitted
}

func receiptForError(m notify.Message, err error) (result.Receipt, error) {
	failure, ok := errors.AsType[*result.Error](err)
	if !ok {
		return result.Receipt{}, &result.Error{Class: result.Unknown, Reason: result.ReasonConnectionFailed, Message: "the event may not have been created"}
	}
	if m.Event == result.Resolved && failure.Reason == result.ReasonGone {
		return result.Receipt{Note: "the namespace is being deleted: no Event can be created in it"}, nil
	}
	return result.Receipt{}, failure
}

var hexadecimal = regexp.MustCompile(`^[0-9a-f]{16}`)

// eventName returns the Alert's name and the start of the key. Where the Alert's name is cut, it ends in a character that may
// be the last.
func eventName(alert, key string) string {
	if !hexadecimal.MatchString(key) {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	suffix := "." + key[:16]
	if room := maxName - len(suffix); len(alert) > room {
		alert = strings.TrimRight(alert[:room], ".-")
	}
	return alert + suffix
}

// Close does nothing.
func (*Sender) Close() {}
