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

// Package event makes a notice a Kubernetes Event about the Alert: one for each message, fired, updated and resolved alike,
// beside the earlier ones. Nobody is paged; it is for those who watch a namespace's Events. The text is plain.
//
// An Event is named after the delivery key. To make it again after a lost answer finds that it exists, which is success: a
// message is there once. Kubernetes forgets Events, by default after an hour; a repeat after that would be another one.
//
// It knows what such an Event says, and nothing of Kubernetes: a Creator makes it.
package event

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

// Event is what the Creator makes: an object of events.k8s.io/v1, as far as it is ours to say.
type Event struct {
	Namespace     string // of the Event and of the Alert
	Name          string // the same for every repeat of a message
	RegardingName string // of the Alert
	RegardingUID  string
	Type          string // TypeNormal or TypeWarning
	Reason        string // AlertFired, AlertUpdated, AlertResolved
	Action        string
	Note          string // at most 1,024 bytes
	Time          time.Time
}

// The types that Kubernetes knows.
const (
	TypeNormal  = "Normal"
	TypeWarning = "Warning"
)

// Creator makes Events in a cluster.
type Creator interface {
	// Create makes one attempt. If there is an Event of that name already, existed is true and err is nil.
	//
	// An error is a *result.Error. Its message does not repeat what the API server said, which may come from some webhook.
	//
	//	the namespace is being deleted, or gone            Configuration, Gone
	//	not valid, too large                               Permanent, Rejected
	//	forbidden (no right, a quota), not authenticated   Temporary, Unauthorized: nobody here would notice that it was mended
	//	too many requests                                  Temporary, RateLimited, with the wait that was asked for
	//	the connection was refused                         Temporary, ConnectionFailed
	//	no answer in time                                  Unknown, Timeout
	//	cancelled                                          Unknown, Canceled
	//	any other answer                                   Unknown, ServerError
	//	anything else                                      Unknown, ConnectionFailed
	Create(ctx context.Context, e Event) (existed bool, err error)
}

const (
	action  = "Notify"
	maxNote = 1024 // bytes: the API server refuses more
	maxName = 253  // characters, of any object
)

// Sender is a notify.Sender. There is no address and no credential.
type Sender struct{ creator Creator }

var _ notify.Sender = (*Sender)(nil)

// New returns a sender.
func New(creator Creator) *Sender { return &Sender{creator: creator} }

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	e, cut := render(m, k)
	existed, err := s.creator.Create(ctx, e)
	if err != nil {
		return receiptForError(m, err)
	}
	receipt := result.Receipt{ExternalID: e.Name, Note: "the event was made"}
	if existed {
		receipt.Note = "the event was there already"
	}
	if cut {
		receipt.Note += notify.CutNote("note", maxNote, "bytes")
	}
	return receipt, nil
}

func render(m notify.Message, k notify.Key) (e Event, cut bool) {
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
	e.Note, cut = notify.Cut(m.TitleWithStatus()+"\n"+m.Content(), maxNote, notify.Bytes)
	return e, cut
}

func receiptForError(m notify.Message, err error) (result.Receipt, error) {
	failure, ok := errors.AsType[*result.Error](err)
	if !ok {
		return result.Receipt{}, &result.Error{Class: result.Unknown, Reason: result.ReasonConnectionFailed, Message: "the event may not have been made"}
	}
	if m.Event == result.Resolved && failure.Class == result.Configuration && failure.Reason == result.ReasonGone {
		return result.Receipt{Note: "the namespace is being deleted: nobody is left to tell"}, nil
	}
	return result.Receipt{}, failure
}

var hexadecimal = regexp.MustCompile(`^[0-9a-f]{16}`)

// name is the Alert's, and of the key as much as fits behind it. What is left of a name that is cut must not end where a name
// cannot.
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
