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
	"time"
)

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
