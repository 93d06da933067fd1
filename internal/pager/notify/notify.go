// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package notify defines notifications: the message, the keys by which a service recognizes a repeat, and the results of a
// request. Each provider is a package below it.
//
// The package does not depend on Kubernetes. A Sender sends a message once per call and does not wait or repeat: the caller
// decides when to try again.
package notify

import (
	"context"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Severity is the severity of an alert.
type Severity string

const (
	Info     Severity = "Info"
	Warning  Severity = "Warning"
	Critical Severity = "Critical"
)

// Message is a message to one receiver.
type Message struct {
	Event      result.Event
	UID        string // of the Alert
	Namespace  string
	Name       string
	RawTitle   string // as the user wrote it; see Title
	RawContent string // as the user wrote it; see Content
	RawLinks   []Link // as the user wrote them; see Links
	// RawInstances are the instances in the content, as the Alert has them; see Instances.
	RawInstances []Instance
	Severity     Severity
	// BelowMinimum is the receiver's minimum where the event is Resolved because the severity fell below it; else empty.
	BelowMinimum Severity
	Receiver     string    // kind and name, such as ClusterReceiver/oncall
	Time         time.Time // of the event; a repeat has the same
	AttemptTime  time.Time // when this attempt begins
	// Quiet: nobody has to be told of it. An Editor changes its earlier message, or sends nothing.
	Quiet bool
	// Continues: this message, which is Fired, continues the one with the external id, which people may take for current; see Continue.
	Continues bool
	// IsContinued: another message continues this one, which is shown with a color of no severity.
	IsContinued bool
	// Last: the alert goes on, but is not sent again, where the provider has a RepostEvery.
	Last bool
}

// titleOrName returns the title, or one made of the Alert's name where the title is empty or only white space.
func (m Message) titleOrName() string {
	if strings.TrimSpace(m.RawTitle) != "" {
		return m.RawTitle
	}
	return "Kubernetes alert for " + m.Namespace + "/" + m.Name
}

// Key has the keys by which a service recognizes a repeat, so that people see a message once although it was sent twice.
type Key struct {
	Delivery   string // the same for every repeat of this message
	Incident   string // the same for all messages about this Alert to this receiver
	ExternalID string // of the receiver's last receipt; "" before the first
	Partial    string // of the last failed attempt, of this message or of a former one that was not confirmed, as in result.Error
}

// Sender delivers messages to one receiver. It is safe for concurrent use.
type Sender interface {
	// Send makes one attempt. An error is a *result.Error.
	Send(ctx context.Context, m Message, k Key) (result.Receipt, error)
	// Close closes idle connections.
	Close()
}

// Editor is implemented by a Sender that changes its earlier message where it is shown, so that a change notifies no recipient.
type Editor interface {
	// CanEdit reports whether it can change the message with an external id. Where a message turns out to be gone, Send returns
	// KeptBack for a Quiet one.
	CanEdit(externalID string) bool
}

// CanEdit reports whether a sender can change the message with an external id where it is shown.
func CanEdit(s Sender, externalID string) bool {
	editor, ok := s.(Editor)
	return ok && editor.CanEdit(externalID)
}

// KeptBack is the receipt for a Quiet message that would have to be a message of its own.
func KeptBack() result.Receipt { return result.Receipt{Note: result.NoteOfKeptBack, KeptBack: true} }

// BatchMessage is one of the messages of a batch.
type BatchMessage struct {
	Message Message
	Key     Key
}

// BatchSender is a Sender that can send several messages in one request. All senders of a provider with a RepostEvery can.
type BatchSender interface {
	// SendBatch makes one attempt at sending as many of the messages as fit into one request, the first one at least. It returns their number, and
	// their receipts. An error is a *result.Error, which counts for all of them.
	SendBatch(ctx context.Context, messages []BatchMessage) (n int, receipts []result.Receipt, err error)
}

// Prober is a Sender that can check its receiver without sending a message.
type Prober interface {
	// Probe makes requests without an effect. An error is a *result.Error.
	Probe(ctx context.Context) error
}
