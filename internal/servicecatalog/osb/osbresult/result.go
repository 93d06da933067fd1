// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package osbresult has the results of requests to a broker: their class, and the content of the answer. It knows no HTTP but status codes.
package osbresult

import (
	"encoding/json"
	"time"
)

// Class is the meaning of an answer, or of its absence. The set is closed.
type Class string

const (
	// Done: the broker has carried out the request, now or before.
	Done Class = "Done"
	// Accepted: the broker has begun an asynchronous operation, which is polled.
	Accepted Class = "Accepted"
	// Rejected: the broker refuses the content of the request, which had no effect. The same request will be refused again.
	Rejected Class = "Rejected"
	// Retry: the request had no effect, and may succeed later, not before Outcome.RetryAfter. If Outcome.Sent is false it has not
	// arrived.
	Retry Class = "Retry"
	// Misconfigured: the request had no effect, and succeeds once a person corrects credentials, an address, a certificate or a
	// proxy. It is no refusal of the content. If Outcome.Sent is false it has not arrived.
	Misconfigured Class = "Misconfigured"
	// Unknown: the request may have been carried out, completely or in part. A provisioning or binding may have left a resource; a
	// change or removal is repeated.
	Unknown Class = "Unknown"
	// Gone: the broker does not have the resource. It is the answer to an unnecessary removal.
	Gone Class = "Gone"
	// Conflict: the broker has a resource with other attributes under the id of a request that creates one.
	Conflict Class = "Conflict"
	// NeedsAsync: the broker requires AcceptsIncomplete.
	NeedsAsync Class = "NeedsAsync"
	// NeedsApp: the broker requires an app_guid.
	NeedsApp Class = "NeedsApp"
	// NeedsCatalog: the catalog has changed since it was read, or the broker no longer supports the version of the API, which a
	// relist settles. The request had no effect.
	NeedsCatalog Class = "NeedsCatalog"
	// Concurrency: another operation of the resource is in progress; the request had no effect. It must not be followed by a
	// removal.
	Concurrency Class = "Concurrency"
	// Malformed: the answer cannot be understood, and does not mean that anything was left.
	Malformed Class = "Malformed"
)

// Outcome is the result of a request.
type Outcome struct {
	Class Class
	// Status of the answer; 0: there was none.
	Status int
	// Code is the broker's error code, such as ConcurrencyError; often empty.
	Code string
	// Description is the broker's description: shortened, without control characters and secrets. Without an answer it describes
	// the failure. It must not be used for decisions.
	Description string
	// Withheld: text of the broker was left out, since not all Params.Secrets are known, or since there are too many to look for.
	Withheld, TooManySecrets bool
	// RetryAfter is the broker's Retry-After; 0: none.
	RetryAfter time.Duration
	// Sent reports whether the broker may have received the request.
	Sent bool
	// Canceled: this process stops, or another one may lead. The outcome says nothing about the broker.
	Canceled bool
	// Incomplete: the answer was cut off.
	Incomplete bool
	// InstanceUnusable and UpdateNotRepeatable are of failed updates and deprovisionings only.
	InstanceUnusable, UpdateNotRepeatable bool
}

// IsSuccess reports whether the broker has carried out the request, or has begun to.
func (o Outcome) IsSuccess() bool { return o.Class == Done || o.Class == Accepted }

// Unauthorized reports whether the broker refused the credentials.
func (o Outcome) Unauthorized() bool { return o.Status == 401 }

// Misconfigured reports whether the outcome looks like a misconfiguration, or like another program in the broker's place: the
// request is retried, after three quick retries slowly, and never fails for good.
func (o Outcome) Misconfigured() bool {
	switch o.Class {
	case Misconfigured:
		return true
	case Malformed: // a 404 or 410 to a poll, which replicas answer that lag behind, is no misconfiguration
		return o.Status/100 == 2
	case NeedsCatalog:
		return o.Status == 412
	default:
		return false
	}
}

// NotFound reports whether the broker does not know the resource. It proves nothing: a broker that follows the specification
// answers a removal with Gone.
func (o Outcome) NotFound() bool { return o.Status == 404 }

// Unfit reports whether the broker refuses a request as one that does not match its resource, such as by naming another plan.
func (o Outcome) Unfit() bool { return o.Class == Rejected && o.Status == 400 }

// Throttled reports whether the broker wants fewer requests.
func (o Outcome) Throttled() bool { return o.Status == 429 }

// Unavailable reports whether there was no complete answer, or one that the broker is unavailable.
func (o Outcome) Unavailable() bool {
	switch o.Status {
	case 0, 502, 503, 504:
		return true
	}
	return o.Incomplete
}

// BrokerFailed reports whether the broker answered with an internal error.
func (o Outcome) BrokerFailed() bool { return o.Status >= 500 }

// Instance is an instance as the broker returned it; missing fields are empty.
type Instance struct {
	ServiceID, PlanID, DashboardURL string
	Parameters                      json.RawMessage
	MaintenanceVersion              string
}

// Binding is a binding as the broker returned it.
type Binding struct {
	// Created: this request has created the binding (201).
	Created bool
	// Credentials is an object; nil: the broker returned none. They are secret.
	Credentials json.RawMessage
	// ExpiresAt and RenewBefore are zero where the broker returned none.
	ExpiresAt, RenewBefore time.Time
	// SyslogDrainURL is where the platform would send logs; empty: nowhere. It is secret.
	SyslogDrainURL  string
	RouteServiceURL string
	VolumeMounts    json.RawMessage
	Endpoints       []Endpoint
	Parameters      json.RawMessage
	Operation       string // of Accepted; often empty
}

// noCredentials are the credentials of a service that needs none.
const noCredentials = "{}"

// IsWithoutCredentials reports whether it is the binding of a service without credentials, and without anything else for a Secret.
func (b *Binding) IsWithoutCredentials() bool {
	return string(b.Credentials) == noCredentials && b.SyslogDrainURL == ""
}

// WithoutCredentials returns the binding as one of a service without credentials.
func (b *Binding) WithoutCredentials() *Binding {
	none := *b
	none.Credentials = json.RawMessage(noCredentials)
	return &none
}

// syslogDrainKey is the key of a Secret that has SyslogDrainURL: its name in the protocol.
const syslogDrainKey = "syslog_drain_url"

// ForSecret returns the values for the Secret of the binding: the credentials, and the URL of the log drain under its own name, unless the
// credentials have that key. Credentials that are not an object are returned as they are.
func (b *Binding) ForSecret() json.RawMessage {
	if b.SyslogDrainURL == "" || b.Credentials == nil {
		return b.Credentials
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b.Credentials, &values); err != nil {
		return b.Credentials
	}
	if _, has := values[syslogDrainKey]; has {
		return b.Credentials
	}
	if values == nil { // null
		values = map[string]json.RawMessage{}
	}
	url, err := json.Marshal(b.SyslogDrainURL)
	if err != nil {
		return b.Credentials
	}
	values[syslogDrainKey] = url
	merged, err := json.Marshal(values)
	if err != nil {
		return b.Credentials
	}
	return merged
}

// Unsupported names the feature that a binding requires of the platform and no cluster has; empty: there is none.
func (b *Binding) Unsupported() string {
	switch {
	case b.RouteServiceURL != "":
		return "a route_service_url"
	case len(b.VolumeMounts) > 0:
		return "volume_mounts"
	}
	return ""
}

// Endpoint is an address of a service for applications.
type Endpoint struct {
	Host     string
	Ports    []string // "443", or a range as "9000-9010"
	Protocol string   // tcp, udp or all
}

// State is the state of an operation.
type State string

// States of an operation.
const (
	InProgress State = "in progress"
	Succeeded  State = "succeeded"
	Failed     State = "failed"
)

// LastOperation is the answer to a poll.
type LastOperation struct {
	State State
	// Description as Outcome.Description. It is empty for an operation in progress with Params.Secrets, which are not read for
	// that.
	Description string
}
