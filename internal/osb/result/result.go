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

// Package result has what came of a request to a broker: its class, and what the broker told. It knows no HTTP but status codes.
package result

import (
	"encoding/json"
	"time"
)

// Class is what an answer, or its absence, means. The set is closed.
type Class string

const (
	// Done: the broker has carried it out, or had before.
	Done Class = "Done"
	// Accepted: the broker works on it; last_operation says how far it is.
	Accepted Class = "Accepted"
	// Rejected: the broker refuses the content of this request, and nothing has changed
	// there. The same request will be refused again.
	Rejected Class = "Rejected"
	// Retry: nothing has changed, and the same request may succeed later, not before
	// Outcome.RetryAfter. If Outcome.Sent is false it has not even arrived.
	Retry Class = "Retry"
	// Misconfigured: nothing has changed, and the same request succeeds once a person mends
	// something else: credentials, an address, a certificate, a proxy. It is no refusal of
	// the content. If Outcome.Sent is false it has not even arrived.
	Misconfigured Class = "Misconfigured"
	// Unknown: it may have been carried out, wholly or in part. Of a provisioning or a
	// binding something may be left behind; a change or a removal is to be sent again.
	Unknown Class = "Unknown"
	// Gone: the broker does not have it. The answer to a removal that was not needed.
	Gone Class = "Gone"
	// Conflict: the broker has something else under this id.
	Conflict Class = "Conflict"
	// NeedsAsync: only with AcceptsIncomplete.
	NeedsAsync Class = "NeedsAsync"
	// NeedsApp: only with an app_guid.
	NeedsApp Class = "NeedsApp"
	// NeedsCatalog: the catalog has changed since it was read, or the broker takes our
	// version of the API no more, which reading the catalog settles. Nothing has changed.
	NeedsCatalog Class = "NeedsCatalog"
	// Concurrency: another operation holds the resource; nothing has changed. It must
	// not be answered by a removal.
	Concurrency Class = "Concurrency"
	// Malformed: the answer cannot be understood, and does not mean that anything is
	// left behind.
	Malformed Class = "Malformed"
)

// Outcome is what came of a request.
type Outcome struct {
	Class Class
	// Status is that of the answer, 0 if there was none.
	Status int
	// Code is the broker's error, such as ConcurrencyError; often empty.
	Code string
	// Description is what the broker says about it, for people: shortened, without
	// control characters and without our own secrets. Without an answer it says what
	// happened to the request. It must not be used to decide anything.
	Description string
	// Withheld: text of the broker was left out, since not all Params.Secrets are known.
	Withheld bool
	// RetryAfter is how long the broker asks to be left alone; 0: it does not say.
	RetryAfter time.Duration
	// Sent says whether the broker may have got the request.
	Sent bool
	// Incomplete: the answer began, and did not come whole.
	Incomplete bool
	// InstanceUnusable and UpdateNotRepeatable are said of failed updates and
	// deprovisionings only.
	InstanceUnusable, UpdateNotRepeatable bool
}

// Unauthorized says whether the broker wants to know who asks.
func (o Outcome) Unauthorized() bool { return o.Status == 401 }

// Misconfigured says whether the outcome looks like a misconfiguration between here and the
// broker, or like another program in the broker's place: the request is to be repeated, after
// three quick repeats seldom, and is never refused for good.
func (o Outcome) Misconfigured() bool {
	switch o.Class {
	case Misconfigured:
		return true
	case Malformed: // a 404 or 410 to a poll, which replicas say that lag behind, is none
		return o.Status/100 == 2
	case NeedsCatalog:
		return o.Status == 412
	default:
		return false
	}
}

// NotFound says whether the broker does not know what it was asked about. That proves
// nothing: whoever knows the protocol says Gone to a removal.
func (o Outcome) NotFound() bool { return o.Status == 404 }

// Unfit says whether the broker refuses a request as one that does not fit what it has, such as
// by another plan.
func (o Outcome) Unfit() bool { return o.Class == Rejected && o.Status == 400 }

// Throttled says whether the broker wants fewer requests.
func (o Outcome) Throttled() bool { return o.Status == 429 }

// Unavailable says whether there was no answer, or only one that there is none now, or one
// without an end.
func (o Outcome) Unavailable() bool {
	switch o.Status {
	case 0, 502, 503, 504:
		return true
	}
	return o.Incomplete
}

// BrokerFailed says whether the broker answered that something went wrong there.
func (o Outcome) BrokerFailed() bool { return o.Status >= 500 }

// Instance is what a broker says of an instance; what it does not tell is empty.
type Instance struct {
	ServiceID, PlanID, DashboardURL string
	Parameters                      json.RawMessage
	MaintenanceVersion              string
}

// Binding is what a broker says of a binding.
type Binding struct {
	// Created: this request has created the binding (201), and not one before.
	Created bool
	// Credentials is an object; nil: the broker told none. They are secret.
	Credentials json.RawMessage
	// ExpiresAt and RenewBefore are zero where the broker does not say.
	ExpiresAt, RenewBefore time.Time
	SyslogDrainURL         string
	RouteServiceURL        string
	VolumeMounts           json.RawMessage
	Endpoints              []Endpoint
	Parameters             json.RawMessage
	Operation              string // of Accepted; often empty
}

// Endpoint is where an application reaches a service.
type Endpoint struct {
	Host     string
	Ports    []string // "443", or a range as "9000-9010"
	Protocol string   // tcp, udp or all
}

// State is how far an operation is.
type State string

// What brokers say of operations.
const (
	InProgress State = "in progress"
	Succeeded  State = "succeeded"
	Failed     State = "failed"
)

// LastOperation is what a broker says of an operation.
type LastOperation struct {
	State State
	// Description is for people; prepared as Outcome.Description. It is empty for an operation
	// in progress that has Params.Secrets, which are not read for that.
	Description string
}
