// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"
)

// Service is a service as the catalog describes it, and how the broker treats it.
type Service struct {
	ID                   string          `json:"id"`
	Name                 string          `json:"name"`
	Description          string          `json:"description"`
	Tags                 []string        `json:"tags,omitempty"`
	Requires             []string        `json:"requires,omitempty"`
	Bindable             bool            `json:"bindable"`
	InstancesRetrievable bool            `json:"instances_retrievable,omitempty"`
	BindingsRetrievable  bool            `json:"bindings_retrievable,omitempty"`
	AllowContextUpdates  bool            `json:"allow_context_updates,omitempty"`
	PlanUpdateable       bool            `json:"plan_updateable,omitempty"`
	Metadata             json.RawMessage `json:"metadata,omitempty"`
	Plans                []Plan          `json:"plans"`

	Behavior Behavior `json:"-"`
}

// Plan is a plan as the catalog describes it.
type Plan struct {
	ID                     string           `json:"id"`
	Name                   string           `json:"name"`
	Description            string           `json:"description"`
	Free                   *bool            `json:"free,omitempty"`
	Bindable               *bool            `json:"bindable,omitempty"`
	PlanUpdateable         *bool            `json:"plan_updateable,omitempty"`
	BindingRotatable       bool             `json:"binding_rotatable,omitempty"`
	MaximumPollingDuration int              `json:"maximum_polling_duration,omitempty"` // seconds
	MaintenanceInfo        *MaintenanceInfo `json:"maintenance_info,omitempty"`
	Metadata               json.RawMessage  `json:"metadata,omitempty"`
	Schemas                json.RawMessage  `json:"schemas,omitempty"`

	// Behavior is how the broker treats instances of this plan; nil: as the service says.
	Behavior *Behavior `json:"-"`
}

// MaintenanceInfo is which version a plan offers.
type MaintenanceInfo struct {
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

// Behavior is how a broker treats instances and their bindings.
type Behavior struct {
	// Async does all to instances, and AsyncBindings all to bindings, in its own time. It
	// insists: a request that does not permit that is refused with AsyncRequired.
	Async, AsyncBindings bool
	// An operation stays in progress for so many polls, and at least so long; Never: until
	// Finish, or a removal.
	Polls int
	Delay time.Duration
	Never bool
	// Nameless: operations have no name.
	Nameless bool
	// LateDashboard: a 202 answer does not have the dashboard_url.
	LateDashboard bool
	// Forgetful: the broker remembers no resource that was removed, nor the result of the removal.
	Forgetful bool
	// RetryAfter goes with every answer that says that an operation runs.
	RetryAfter string
	// RequiresApp refuses to bind without app_guid.
	RequiresApp bool
	// RevealOnce: the credentials are in one answer only.
	RevealOnce bool
	// Credentials returns the credentials of a binding; nil: values of every type of JSON.
	Credentials func(bindingID string) any
	// Binding has more that the answer to a bind says, such as endpoints.
	Binding map[string]any
	// Lifetime of a binding; it is to be renewed after three quarters of that. 0: for ever.
	Lifetime time.Duration
}

// Ids of DefaultServices.
const (
	SyncService, SyncPlan, SyncOtherPlan    = "5e12ce00-0000-4000-8000-000000000001", "91a40000-0000-4000-8000-000000000001", "91a40000-0000-4000-8000-000000000002"
	AsyncService, AsyncPlan, AsyncOtherPlan = "5e12ce00-0000-4000-8000-000000000002", "91a40000-0000-4000-8000-000000000003", "91a40000-0000-4000-8000-000000000004"
)

// DefaultServices returns two services: one completes every request at once, the other needs two polls for every operation. Their plans can be
// changed, and their instances and bindings be fetched.
func DefaultServices() []Service {
	sync := Service{
		ID: SyncService, Name: "database", Description: "A database", Tags: []string{"sql"}, Bindable: true,
		InstancesRetrievable: true, BindingsRetrievable: true, PlanUpdateable: true,
		Plans: []Plan{
			{ID: SyncPlan, Name: "small", Description: "A small one", BindingRotatable: true},
			{ID: SyncOtherPlan, Name: "large", Description: "A large one", BindingRotatable: true},
		},
	}
	async := sync
	async.ID, async.Name, async.Description = AsyncService, "cluster", "A cluster, in its own time"
	async.Plans = []Plan{
		{ID: AsyncPlan, Name: "three", Description: "Three nodes"},
		{ID: AsyncOtherPlan, Name: "five", Description: "Five nodes"},
	}
	async.Behavior = Behavior{Async: true, AsyncBindings: true, Polls: 2}
	return []Service{sync, async}
}

// find returns a service and a plan of the catalog by their ids, nil if there is no such plan.
func (b *Broker) find(serviceID, planID string) (*Service, *Plan) {
	for i := range b.options.Services {
		service := &b.options.Services[i]
		if service.ID != serviceID {
			continue
		}
		for j := range service.Plans {
			if service.Plans[j].ID == planID {
				return service, &service.Plans[j]
			}
		}
		return service, nil
	}
	return nil, nil
}

// behavior returns the behavior of a plan, also if the catalog has it no more.
func (b *Broker) behavior(serviceID, planID string) Behavior {
	service, plan := b.find(serviceID, planID)
	switch {
	case plan != nil && plan.Behavior != nil:
		return *plan.Behavior
	case service != nil:
		return service.Behavior
	}
	return Behavior{}
}

func (b *Broker) catalog(r *request) reply {
	body := b.options.Catalog
	if body == nil {
		var err error
		services := b.options.Services
		if services == nil {
			services = []Service{}
		}
		if body, err = json.Marshal(map[string]any{"services": services}); err != nil {
			return refuse(http.StatusInternalServerError, "", "%v", err)
		}
	}
	hash := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(hash[:8]) + `"`
	header := http.Header{"Etag": {etag}}
	if r.http.Header.Get("If-None-Match") == etag {
		return reply{status: http.StatusNotModified, header: header}
	}
	return reply{status: http.StatusOK, header: header, body: body}
}
