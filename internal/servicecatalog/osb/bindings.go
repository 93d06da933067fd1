// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"context"
	"net/http"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

func bindingPath(instanceID, bindingID string) []string {
	return append(instancePath(instanceID), "service_bindings", bindingID)
}

// Bind creates a binding, or replaces its predecessor: then no parameters are sent, since the predecessor's stay. The request can
// be repeated. The credentials may be returned only once.
func (c *Client) Bind(ctx context.Context, r BindRequest) (binding *osbresult.Binding, out osbresult.Outcome) {
	type resourceBody struct {
		AppGUID string `json:"app_guid"`
	}
	body := struct {
		ServiceID     string        `json:"service_id"`
		PlanID        string        `json:"plan_id"`
		Context       *contextBody  `json:"context"`
		AppGUID       string        `json:"app_guid,omitempty"`
		BindResource  *resourceBody `json:"bind_resource,omitempty"`
		Parameters    parameters    `json:"parameters,omitempty"`
		PredecessorID string        `json:"predecessor_binding_id,omitempty"`
	}{ServiceID: r.ServiceID, PlanID: r.PlanID, Context: r.Context.body(), PredecessorID: r.PredecessorID}
	if r.AppGUID != "" {
		body.BindResource = &resourceBody{r.AppGUID}
	}
	if r.TopLevelAppGUID {
		body.AppGUID = r.AppGUID
	}
	if r.PredecessorID == "" {
		body.Parameters = given(r.Parameters)
	}
	e := &exchange{
		operation: Bind, method: http.MethodPut, path: bindingPath(r.InstanceID, r.BindingID),
		query: []pair{accepts(r.AcceptsIncomplete)}, about: r.Params, asyncSent: r.AcceptsIncomplete,
		appSent:  r.AppGUID != "" && r.TopLevelAppGUID,
		required: append(append(r.ids(), r.Context.required()...), pair{"instance_id", r.InstanceID}, pair{"binding_id", r.BindingID}),
		body:     body,
		read:     func(a answer) (err error) { binding, err = readBinding(a); return err },
	}
	if out = c.do(ctx, e); !isAnswered(out) {
		binding = nil
	}
	return binding, out
}

// FetchBinding fetches a binding. Gone is also the answer for one that is being created. The credentials of a binding that was
// created synchronously may be missing.
func (c *Client) FetchBinding(ctx context.Context, p Params, bindingID string) (binding *osbresult.Binding, out osbresult.Outcome) {
	e := &exchange{
		operation: GetBinding, method: http.MethodGet, path: bindingPath(p.InstanceID, bindingID),
		query: p.ids(), about: p, required: []pair{{"instance_id", p.InstanceID}, {"binding_id", bindingID}},
		read: func(a answer) (err error) { binding, err = readBinding(a); return err },
	}
	if out = c.do(ctx, e); !isAnswered(out) {
		binding = nil
	}
	return binding, out
}

// Unbind removes a binding. After anything but Done, Accepted and Gone the request has to be repeated.
func (c *Client) Unbind(ctx context.Context, r RemovalRequest) (RemovalResponse, osbresult.Outcome) {
	return c.remove(ctx, Unbind, bindingPath(r.InstanceID, r.BindingID), r, pair{"instance_id", r.InstanceID}, pair{"binding_id", r.BindingID})
}
