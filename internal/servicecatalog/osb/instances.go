// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// contextBody is the context of the Kubernetes profile.
type contextBody struct {
	Platform     string `json:"platform"`
	Namespace    string `json:"namespace"`
	ClusterID    string `json:"clusterid"`
	InstanceName string `json:"instance_name,omitempty"`
}

func (c Context) body() *contextBody {
	return &contextBody{platform, c.Namespace, c.ClusterID, c.InstanceName}
}

// required are the fields of a context that the profile requires, without the name, which bindings lack.
func (c Context) required() []pair {
	return []pair{{"context.namespace", c.Namespace}, {"context.clusterid", c.ClusterID}}
}

type maintenanceBody struct {
	Version string `json:"version"`
}

func maintenance(version string) *maintenanceBody {
	if version == "" {
		return nil
	}
	return &maintenanceBody{version}
}

// parameters are the user's parameters: an object, or nothing.
type parameters json.RawMessage

func (p parameters) MarshalJSON() ([]byte, error) {
	if !json.Valid(p) || kindOf(p) != "an object" {
		return nil, errors.New("parameters must be a JSON object")
	}
	return p, nil
}

// given returns nil for an empty value.
func given(raw json.RawMessage) parameters {
	if text := bytes.TrimSpace(raw); len(text) == 0 || string(text) == "null" {
		return nil
	}
	return parameters(raw)
}

// ids are the ids of a request.
func (p Params) ids() []pair {
	return []pair{{"service_id", p.ServiceID}, {"plan_id", p.PlanID}}
}

// Provision provisions an instance. The request can be repeated: a broker that has the instance answers 200.
func (c *Client) Provision(ctx context.Context, r ProvisionRequest) (ProvisionResponse, osbresult.Outcome) {
	return do(ctx, c, &exchange{
		operation: ProvisionInstance, about: r.Params,
		required: slices.Concat(r.ids(), r.Context.required(), []pair{
			{"context.instance_name", r.Context.InstanceName}, {"organization_guid", r.OrganizationGUID}, {"space_guid", r.SpaceGUID},
		}),
		body: struct {
			ServiceID        string           `json:"service_id"`
			PlanID           string           `json:"plan_id"`
			Context          *contextBody     `json:"context"`
			OrganizationGUID string           `json:"organization_guid"`
			SpaceGUID        string           `json:"space_guid"`
			Parameters       parameters       `json:"parameters,omitempty"`
			MaintenanceInfo  *maintenanceBody `json:"maintenance_info,omitempty"`
		}{r.ServiceID, r.PlanID, r.Context.body(), r.OrganizationGUID, r.SpaceGUID, given(r.Parameters), maintenance(r.MaintenanceVersion)},
	}, readProvision)
}

// Update updates an instance. An Unknown update leaves nothing that a removal would have to undo: the same request is repeated.
func (c *Client) Update(ctx context.Context, r UpdateRequest) (UpdateResponse, osbresult.Outcome) {
	type previousBody struct {
		PlanID          string           `json:"plan_id,omitempty"`
		MaintenanceInfo *maintenanceBody `json:"maintenance_info,omitempty"`
	}
	body := struct {
		ServiceID       string           `json:"service_id"`
		PlanID          string           `json:"plan_id,omitempty"`
		Context         *contextBody     `json:"context,omitempty"`
		Parameters      parameters       `json:"parameters,omitempty"`
		MaintenanceInfo *maintenanceBody `json:"maintenance_info,omitempty"`
		PreviousValues  *previousBody    `json:"previous_values,omitempty"`
	}{ServiceID: r.ServiceID, PlanID: r.PlanID, Parameters: given(r.Parameters), MaintenanceInfo: maintenance(r.MaintenanceVersion)}
	required := []pair{{"service_id", r.ServiceID}}
	if r.Context != (Context{}) {
		body.Context = r.Context.body()
		required = append(append(required, r.Context.required()...), pair{"context.instance_name", r.Context.InstanceName})
	}
	if r.PreviousPlanID != "" || r.PreviousMaintenanceVersion != "" {
		body.PreviousValues = &previousBody{r.PreviousPlanID, maintenance(r.PreviousMaintenanceVersion)}
	}
	return do(ctx, c, &exchange{operation: UpdateInstance, about: r.Params, required: required, body: body}, readUpdate)
}

// Deprovision removes an instance. After anything but Done, Accepted and Gone the request has to be repeated.
func (c *Client) Deprovision(ctx context.Context, r RemovalRequest) (RemovalResponse, osbresult.Outcome) {
	return do(ctx, c, &exchange{operation: DeprovisionInstance, about: r.Params, required: r.ids()}, readRemoval)
}

// FetchInstance fetches an instance. Gone is also the answer for one that is being provisioned. ServiceID and PlanID are sent if
// they are known.
func (c *Client) FetchInstance(ctx context.Context, p Params) (*osbresult.Instance, osbresult.Outcome) {
	return do(ctx, c, &exchange{operation: GetInstance, about: p}, readInstance)
}

// Poll polls an operation. Done: LastOperation has its state; Gone: a removal has succeeded. After anything else the poll is
// repeated until the deadline of the operation. During a change of plan, PlanID is the old one.
// InstanceUnusable and UpdateNotRepeatable can come with Failed; they have no meaning for a provisioning.
func (c *Client) Poll(ctx context.Context, r PollRequest) (osbresult.LastOperation, osbresult.Outcome) {
	operation := PollLastOperation
	if r.BindingID != "" {
		operation = PollBindingLastOperation
	}
	last, out := do(ctx, c, &exchange{
		operation: operation, about: r.Params, bindingID: r.BindingID, ofRemoval: r.Removal,
		query: []pair{{"operation", r.Operation}}, required: r.ids(),
	}, readLastOperation)
	if last.State == osbresult.Failed && r.BindingID == "" {
		out.InstanceUnusable, out.UpdateNotRepeatable = last.unusable, last.notRepeatable && !r.Removal
	}
	return last.LastOperation, out
}
