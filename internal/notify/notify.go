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

// Package notify says what a notification is: the message, the keys that make a repeat recognisable, and what a receiver can
// answer. Each receiver is a package below it.
//
// It knows receivers and what their answers mean. It knows nothing of Kubernetes, sends each message once per call and never
// waits or repeats: when to try again is decided by the caller.
package notify

import (
	"context"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/notify/result"
)

// Severity is how bad it is.
type Severity string

const (
	Info     Severity = "Info"
	Warning  Severity = "Warning"
	Critical Severity = "Critical"
)

// Message is a message to one receiver.
type Message struct {
	Event      result.Event
	UID        string // of the alert
	Namespace  string
	Name       string
	RawTitle   string // as the user wrote it; see Heading
	RawContent string // as the user wrote it
	Severity   Severity
	Receiver   string    // kind and name, such as ClusterReceiver/oncall
	Time       time.Time // of the event; the same in every repeat
}

// Heading is the title, or one made of the alert's name where the user gave none or only blanks.
func (m Message) titleOrName() string {
	if strings.TrimSpace(m.RawTitle) != "" {
		return m.RawTitle
	}
	return "Kubernetes alert for " + m.Namespace + "/" + m.Name
}

// Key identifies what is sent, so that it reaches people once although it may be sent twice.
type Key struct {
	Delivery   string // the same for every repeat of this message
	Incident   string // the same for everything about this alert at this receiver
	ExternalID string // from the receiver's last receipt, "" if there was none
}

// Sender delivers messages to one receiver. It is safe for concurrent use.
type Sender interface {
	// Send makes one attempt. An error is a *result.Error.
	Send(ctx context.Context, m Message, k Key) (result.Receipt, error)
	// Close closes idle connections.
	Close()
}

// Prober is a Sender whose receiver can be asked, without sending anything, whether it would take a message.
type Prober interface {
	// Probe makes one harmless request. An error is a *result.Error.
	Probe(ctx context.Context) error
}
