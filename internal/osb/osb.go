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
)

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
