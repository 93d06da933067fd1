// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

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

func accepts(incomplete bool) pair {
	if incomplete {
		return pair{"accepts_incomplete", "true"}
	}
	return pair{}
}

func instancePath(id string) []string { return []string{"service_instances", id} }

// Provision provisions an instance. The request can be repeated: a broker that has the instance answers 200.
func (c *Client) Provision(ctx context.Context, r ProvisionRequest) (response ProvisionResponse, out osbresult.Outcome) {
	e := &exchange{
		operation: ProvisionInstance, method: http.MethodPut, path: instancePath(r.InstanceID),
		query: []pair{accepts(r.AcceptsIncomplete)}, about: r.Params, asyncSent: r.AcceptsIncomplete,
		required: append(append(r.ids(), r.Context.required()...), pair{"instance_id", r.InstanceID},
			pair{"context.instance_name", r.Context.InstanceName},
			pair{"organization_guid", r.OrganizationGUID}, pair{"space_guid", r.SpaceGUID}),
		body: struct {
			ServiceID        string           `json:"service_id"`
			PlanID           string           `json:"plan_id"`
			Context          *contextBody     `json:"context"`
			OrganizationGUID string           `json:"organization_guid"`
			SpaceGUID        string           `json:"space_guid"`
			Parameters       parameters       `json:"parameters,omitempty"`
			MaintenanceInfo  *maintenanceBody `json:"maintenance_info,omitempty"`
		}{r.ServiceID, r.PlanID, r.Context.body(), r.OrganizationGUID, r.SpaceGUID, given(r.Parameters), maintenance(r.MaintenanceVersion)},
		read: func(a answer) (err error) { response, err = readProvision(a); return err },
	}
	if out = c.do(ctx, e); !isAnswered(out) {
		response = ProvisionResponse{}
	}
	return response, out
}

// Update updates an instance. An Unknown update leaves nothing that a removal would have to undo: the same request is repeated.
func (c *Client) Update(ctx context.Context, r UpdateRequest) (response UpdateResponse, out osbresult.Outcome) {
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
	required := []pair{{"instance_id", r.InstanceID}, {"service_id", r.ServiceID}}
	if r.Context != (Context{}) {
		body.Context = r.Context.body()
		required = append(append(required, r.Context.required()...), pair{"context.instance_name", r.Context.InstanceName})
	}
	if r.PreviousPlanID != "" || r.PreviousMaintenanceVersion != "" {
		body.PreviousValues = &previousBody{r.PreviousPlanID, maintenance(r.PreviousMaintenanceVersion)}
	}
	e := &exchange{
		operation: UpdateInstance, method: http.MethodPatch, path: instancePath(r.InstanceID),
		query: []pair{accepts(r.AcceptsIncomplete)}, about: r.Params, asyncSent: r.AcceptsIncomplete,
		required: required, body: body,
		read: func(a answer) (err error) { response, err = readUpdate(a); return err },
	}
	if out = c.do(ctx, e); !isAnswered(out) {
		response = UpdateResponse{}
	}
	return response, out
}

// Deprovision removes an instance. After anything but Done, Accepted and Gone the request has to be repeated.
func (c *Client) Deprovision(ctx context.Context, r RemovalRequest) (RemovalResponse, osbresult.Outcome) {
	return c.remove(ctx, DeprovisionInstance, instancePath(r.InstanceID), r, pair{"instance_id", r.InstanceID})
}

func (c *Client) remove(ctx context.Context, operation Operation, path []string, r RemovalRequest, required ...pair) (response RemovalResponse, out osbresult.Outcome) {
	e := &exchange{
		operation: operation, method: http.MethodDelete, path: path,
		query: append(r.ids(), accepts(r.AcceptsIncomplete)), about: r.Params, asyncSent: r.AcceptsIncomplete,
		required: append(r.ids(), required...),
		read:     func(a answer) (err error) { response, err = readRemoval(a); return err },
	}
	if out = c.do(ctx, e); !isAnswered(out) {
		response = RemovalResponse{}
	}
	return response, out
}

// FetchInstance fetches an instance. Gone is also the answer for one that is being provisioned. ServiceID and PlanID are sent if
// they are known.
func (c *Client) FetchInstance(ctx context.Context, p Params) (instance *osbresult.Instance, out osbresult.Outcome) {
	e := &exchange{
		operation: GetInstance, method: http.MethodGet, path: instancePath(p.InstanceID),
		query: p.ids(), about: p, required: []pair{{"instance_id", p.InstanceID}},
		read: func(a answer) (err error) { instance, err = readInstance(a); return err },
	}
	if out = c.do(ctx, e); !isAnswered(out) {
		instance = nil
	}
	return instance, out
}

// Poll polls an operation. Done: LastOperation has its state; Gone: a removal has succeeded. After anything else the poll is
// repeated until the deadline of the operation. During a change of plan, PlanID is the old one.
// InstanceUnusable and UpdateNotRepeatable can come with Failed; they have no meaning for a provisioning.
func (c *Client) Poll(ctx context.Context, r PollRequest) (osbresult.LastOperation, osbresult.Outcome) {
	var last lastOperation
	e := &exchange{
		operation: PollLastOperation, method: http.MethodGet, path: instancePath(r.InstanceID),
		query: append(r.ids(), pair{"operation", r.Operation}), about: r.Params, ofRemoval: r.Removal,
		required: append(r.ids(), pair{"instance_id", r.InstanceID}),
		read:     func(a answer) (err error) { last, err = readLastOperation(a); return err },
	}
	if r.BindingID != "" {
		e.operation, e.path = PollBindingLastOperation, bindingPath(r.InstanceID, r.BindingID)
	}
	e.path = append(e.path, "last_operation")
	out := c.do(ctx, e)
	if !isAnswered(out) {
		return osbresult.LastOperation{}, out
	}
	if last.State == osbresult.Failed && r.BindingID == "" {
		out.InstanceUnusable, out.UpdateNotRepeatable = last.unusable, last.notRepeatable && !r.Removal
	}
	return last.LastOperation, out
}
