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

// Package osb speaks the Open Service Broker API, versions 2.13 to 2.17, from the
// platform's side. It makes one request for each call and says what came of it as an
// Outcome: what the caller may do next. It repeats none, but for two that were refused
// unread: where an OAuth2 token has ended, and a catalog in a version that the broker does
// not speak. It knows no Kubernetes.
package osb

import (
	"encoding/json"
	"net/http"
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
func (o Outcome) Unauthorized() bool { return o.Status == http.StatusUnauthorized }

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
		return o.Status == http.StatusPreconditionFailed
	default:
		return false
	}
}

// NotFound says whether the broker does not know what it was asked about. That proves
// nothing: whoever knows the protocol says Gone to a removal.
func (o Outcome) NotFound() bool { return o.Status == http.StatusNotFound }

// Unfit says whether the broker refuses a request as one that does not fit what it has, such as
// by another plan.
func (o Outcome) Unfit() bool { return o.Class == Rejected && o.Status == http.StatusBadRequest }

// Throttled says whether the broker wants fewer requests.
func (o Outcome) Throttled() bool { return o.Status == http.StatusTooManyRequests }

// Unavailable says whether there was no answer, or only one that there is none now, or one
// without an end.
func (o Outcome) Unavailable() bool {
	switch o.Status {
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return o.Incomplete
}

// BrokerFailed says whether the broker answered that something went wrong there.
func (o Outcome) BrokerFailed() bool { return o.Status >= http.StatusInternalServerError }

// MaintenanceInfo is which version of a service a plan offers or an instance has.
type MaintenanceInfo struct {
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

// Catalog is what a broker offers.
type Catalog struct {
	Services []Service
	// ETag is to be given with the next request.
	ETag string
	// Problems are what is wrong with single services, plans and schemas, most of which are
	// left out.
	Problems []string
	// LeftOut are the ids of services and plans that are left out, where they are known:
	// the broker has not taken them from its catalog.
	LeftOut []string
}

// Service is a service offering.
type Service struct {
	ID, Name, Description string
	Tags, Requires        []string
	Bindable              bool
	InstancesRetrievable  bool
	BindingsRetrievable   bool
	AllowContextUpdates   bool
	PlanUpdateable        bool
	Metadata              json.RawMessage
	Plans                 []Plan
}

// Plan is a service plan. What is nil is as its service says.
type Plan struct {
	ID, Name, Description  string
	Free                   bool
	Bindable               *bool
	PlanUpdateable         *bool
	BindingRotatable       bool
	MaximumPollingDuration time.Duration // 0: none
	MaintenanceInfo        *MaintenanceInfo
	Metadata               json.RawMessage
	// JSON Schemas of parameters; nil: none.
	CreateInstance, UpdateInstance, CreateBinding json.RawMessage
}

// Identity is who caused a request: the originating identity of the Kubernetes profile.
type Identity struct {
	Username string
	UID      string
	Groups   []string
	Extra    map[string][]string
}

// Context is the Kubernetes profile's context of an instance or binding.
type Context struct {
	Namespace    string
	ClusterID    string
	InstanceName string
}

// Params is what all requests about an instance or binding have in common.
type Params struct {
	// Identity of the user who caused the request; nil: nobody did.
	Identity *Identity
	// InstanceID, ServiceID and PlanID are required but where a request says otherwise.
	InstanceID, ServiceID, PlanID string
	// AcceptsIncomplete lets the broker answer before it is done.
	AcceptsIncomplete bool
	// Secrets are what must not show in what the broker is quoted with, beside our own
	// credentials: what of the parameters came from a Secret, and a binding's credentials.
	// They are not sent. nil: there are none.
	Secrets Secrets
}

// Secrets returns texts that must not be shown; all is false where some of them are not known.
// It is called at most once for an answer, and only for one that has text to be shown or recorded.
type Secrets func() (values []string, all bool)

// ProvisionRequest asks for an instance.
type ProvisionRequest struct {
	Params
	Context            Context
	OrganizationGUID   string
	SpaceGUID          string
	Parameters         json.RawMessage // an object; nil: none
	MaintenanceVersion string
}

// ProvisionResponse is what the broker says of an instance that it makes, or has made.
type ProvisionResponse struct {
	// Created: this request has created the instance (201), and not one before.
	Created      bool
	DashboardURL string
	Operation    string // of Accepted; often empty
}

// UpdateRequest asks to change an instance. PlanID, Parameters and MaintenanceVersion
// are left out where they do not change.
type UpdateRequest struct {
	Params
	Context            Context
	Parameters         json.RawMessage // an object; nil: unchanged
	MaintenanceVersion string
	// Previous are the values before the change.
	PreviousPlanID, PreviousMaintenanceVersion string
}

// UpdateResponse is what the broker says of a change.
type UpdateResponse struct {
	DashboardURL string // empty: as it was
	Operation    string // of Accepted; often empty
}

// RemovalResponse is the answer to a deprovisioning or an unbinding.
type RemovalResponse struct {
	Operation string // of Accepted; often empty
}

// Instance is what a broker says of an instance; what it does not tell is empty.
type Instance struct {
	ServiceID, PlanID, DashboardURL string
	Parameters                      json.RawMessage
	MaintenanceVersion              string
}

// BindRequest asks for a binding.
type BindRequest struct {
	Params
	BindingID string
	Context   Context
	// AppGUID is what the binding is for; empty: nothing.
	AppGUID string
	// TopLevelAppGUID sends it where brokers of old look for it, too.
	TopLevelAppGUID bool
	Parameters      json.RawMessage // an object; nil: none; not sent with a PredecessorID
	// PredecessorID is the binding that this one replaces, for a rotation.
	PredecessorID string
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

// RemovalRequest asks to deprovision an instance, or to unbind if BindingID is set.
type RemovalRequest struct {
	Params
	BindingID string
}

// PollRequest asks how far an operation is: of a binding if BindingID is set.
type PollRequest struct {
	Params
	BindingID string
	// Operation as the broker called it; empty: it did not.
	Operation string
	// Removal: the operation is a deprovisioning or an unbinding, of which Gone is an end.
	Removal bool
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
