// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"context"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// Bind creates a binding, or replaces its predecessor: then no parameters are sent, since the predecessor's stay. The request can
// be repeated. The credentials may be returned only once.
func (c *Client) Bind(ctx context.Context, r BindRequest) (*osbresult.Binding, osbresult.Outcome) {
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
	return do(ctx, c, &exchange{
		operation: Bind, about: r.Params, bindingID: r.BindingID, appSent: r.AppGUID != "" && r.TopLevelAppGUID,
		required: append(r.ids(), r.Context.required()...), body: body,
	}, readBinding)
}

// FetchBinding fetches a binding. Gone is also the answer for one that is being created. The credentials of a binding that was
// created synchronously may be missing.
func (c *Client) FetchBinding(ctx context.Context, p Params, bindingID string) (*osbresult.Binding, osbresult.Outcome) {
	return do(ctx, c, &exchange{operation: GetBinding, about: p, bindingID: bindingID}, readBinding)
}

// Unbind removes a binding. After anything but Done, Accepted and Gone the request has to be repeated.
func (c *Client) Unbind(ctx context.Context, r RemovalRequest) (RemovalResponse, osbresult.Outcome) {
	return do(ctx, c, &exchange{operation: Unbind, about: r.Params, bindingID: r.BindingID, required: r.ids()}, readRemoval)
}
