// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbresult

import (
	"encoding/json"
	"time"
)

// MaintenanceInfo is the version of a service that a plan offers or an instance has.
type MaintenanceInfo struct {
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

// Catalog is a broker's catalog.
type Catalog struct {
	Services []Service
	// ETag for the next request.
	ETag string
	// Problems describe services, plans and schemas that are invalid, most of which are left out.
	Problems []string
	// LeftOut are the known ids of services and plans that are left out, and are still in the catalog.
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

// Plan is a service plan. A nil field has the value of its service.
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
