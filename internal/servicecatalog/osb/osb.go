// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package osb is a client of the Open Service Broker API, versions 2.13 to 2.17. A call sends one request and returns its osbresult.Outcome, which
// tells the caller the possible next steps. It repeats a request only where the broker refused it unread: after the expiry of an OAuth2 token, and
// for a catalog in an unsupported version. It knows no Kubernetes.
package osb

import (
	"encoding/json"
)

// Identity is the originating identity of the Kubernetes profile: the user of a request.
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

// Params are common to all requests about an instance or binding.
type Params struct {
	// Identity of the user; nil: the request is not on behalf of a user.
	Identity *Identity
	// InstanceID, ServiceID and PlanID are required unless a request says otherwise.
	InstanceID, ServiceID, PlanID string
	// AcceptsIncomplete allows an asynchronous operation.
	AcceptsIncomplete bool
	// Secrets are redacted in texts of the broker, as the endpoint's own credentials are: values of Secrets among the parameters, and a binding's
	// credentials. They are not sent. nil: there are no such secrets.
	Secrets Secrets
	// MayRepeat reports whether the request may be sent again, with another token; nil: it may. A process that no longer leads may not.
	MayRepeat func() bool
}

// Secrets returns texts that must not be shown; all is false where some are not known. It is called at most once for an answer, and
// only for one with text to show or record.
type Secrets func() (values []string, all bool)

// ProvisionRequest provisions an instance.
type ProvisionRequest struct {
	Params
	Context            Context
	OrganizationGUID   string
	SpaceGUID          string
	Parameters         json.RawMessage // an object; nil: none
	MaintenanceVersion string
}

// ProvisionResponse is the answer about a new instance.
type ProvisionResponse struct {
	// Created: this request has created the instance (201).
	Created      bool
	DashboardURL string
	Operation    string // of Accepted; often empty
}

// UpdateRequest updates an instance. PlanID, Parameters and MaintenanceVersion are empty where they do not change.
type UpdateRequest struct {
	Params
	Context            Context
	Parameters         json.RawMessage // an object; nil: unchanged
	MaintenanceVersion string
	// Previous are the values before the change.
	PreviousPlanID, PreviousMaintenanceVersion string
}

// UpdateResponse is the answer to an update.
type UpdateResponse struct {
	DashboardURL string // empty: as it was
	Operation    string // of Accepted; often empty
}

// RemovalResponse is the answer to a deprovisioning or an unbinding.
type RemovalResponse struct {
	Operation string // of Accepted; often empty
}

// BindRequest creates a binding.
type BindRequest struct {
	Params
	BindingID string
	Context   Context
	// AppGUID of the application; empty: none.
	AppGUID string
	// TopLevelAppGUID also sends it where older brokers expect it.
	TopLevelAppGUID bool
	Parameters      json.RawMessage // an object; nil: none; not sent with a PredecessorID
	// PredecessorID is the binding that this one replaces by rotation.
	PredecessorID string
}

// RemovalRequest deprovisions an instance, or unbinds if BindingID is set.
type RemovalRequest struct {
	Params
	BindingID string
}

// PollRequest polls an operation: of a binding if BindingID is set.
type PollRequest struct {
	Params
	BindingID string
	// Operation is the broker's name of it; empty: none.
	Operation string
	// Removal: the operation is a deprovisioning or an unbinding, which Gone ends.
	Removal bool
}
