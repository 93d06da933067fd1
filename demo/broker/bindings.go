// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// A binding is a user of a database.
type binding struct {
	resource
	user, password string
	request        requestBody
	parameters     map[string]any // those of the request, or the predecessor's
}

func (b *Broker) bind(c *request) response {
	i, ok := b.instances[c.instanceID]
	if !ok {
		return errorResponse(http.StatusNotFound, "", "There is no instance with this id")
	}
	if err := i.checkIDs(c.body.ServiceID, c.body.PlanID); err != nil {
		return badRequestResponse(err)
	}
	parameters, err := i.bindingParameters(&c.body)
	if err != nil {
		return badRequestResponse(err)
	}
	parsed, err := decodeStrictly[bindingParameters](parameters)
	if err != nil {
		return badRequestResponse(fmt.Errorf("parameters: %w", err))
	}
	bound, known := i.bindings[c.bindingID]
	o := i.operationInProgress()
	switch {
	case known && (bound.ready || bound.operationInProgress() != nil):
		return b.answerExistingBinding(c, i, bound)
	case o != nil:
		return concurrencyResponse(o)
	case i.service.async && !c.acceptsIncomplete:
		return asyncRequiredResponse()
	}

	bound = &binding{user: randomName("u_"), password: rand.Text(), request: c.body, parameters: parameters}
	work := func() error {
		if err := b.mysql.createUser(bound.user, bound.password, i.database, parsed.ReadOnly); err != nil {
			return err
		}
		bound.ready = true
		b.printEvent("bound", "user "+bound.user+" of "+i.database, i)
		return nil
	}
	if i.service.async {
		i.bindings[c.bindingID] = bound
		return acceptedResponse(b.startOperation(&bound.resource, "bind", work))
	}
	if err := work(); err != nil {
		return internalErrorResponse(err)
	}
	i.bindings[c.bindingID] = bound
	return response{status: http.StatusCreated, body: b.credentials(i, bound)}
}

// bindingParameters returns the parameters of the request, or those of the predecessor where a rotation has none.
func (i *instance) bindingParameters(body *requestBody) (map[string]any, error) {
	if body.PredecessorBindingID == nil {
		return body.Parameters, nil
	}
	predecessor, ok := i.bindings[*body.PredecessorBindingID]
	if !ok || !predecessor.ready || predecessor.operationInProgress() != nil {
		return nil, fmt.Errorf("predecessor_binding_id is %q: the instance has no such binding", *body.PredecessorBindingID)
	}
	if body.Parameters == nil {
		return predecessor.parameters, nil
	}
	return body.Parameters, nil
}

// answerExistingBinding answers a bind request for an id that exists already.
func (b *Broker) answerExistingBinding(c *request, i *instance, bound *binding) response {
	if !bound.request.isSameBinding(&c.body) {
		return errorResponse(http.StatusConflict, "", "There is another binding with this id")
	}
	o := bound.operationInProgress()
	switch {
	case o == nil:
		return response{status: http.StatusOK, body: b.credentials(i, bound)}
	case o.verb != "bind":
		return concurrencyResponse(o)
	case !c.acceptsIncomplete:
		return asyncRequiredResponse()
	default:
		return acceptedResponse(o)
	}
}

func (r *requestBody) isSameBinding(other *requestBody) bool {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return isSameObject(r.Parameters, other.Parameters) && isSameObject(r.BindResource, other.BindResource) &&
		text(r.AppGUID) == text(other.AppGUID) && text(r.PredecessorBindingID) == text(other.PredecessorBindingID)
}

// credentials returns what an application needs to log in.
func (b *Broker) credentials(i *instance, bound *binding) object {
	port := strconv.Itoa(b.port)
	uri := url.URL{
		Scheme: "mysql", User: url.UserPassword(bound.user, bound.password), Host: net.JoinHostPort(b.options.Host, port), Path: "/" + i.database,
	}
	return object{
		"credentials": object{
			"host": b.options.Host, "port": b.port, "database": i.database, "username": bound.user, "password": bound.password,
			"uri": uri.String(), "sslRequired": false, "tags": i.service.Tags,
		},
		"endpoints": []object{{"host": b.options.Host, "ports": []string{port}, "protocol": "tcp"}},
	}
}

func (b *Broker) unbind(c *request) response {
	i, bound := b.findBinding(c)
	if bound == nil {
		return goneResponse()
	}
	if err := i.checkIDs(c.serviceID, c.planID); err != nil {
		return badRequestResponse(err)
	}
	o := bound.operationInProgress()
	switch {
	case i.service.async && !c.acceptsIncomplete:
		return asyncRequiredResponse()
	case o != nil && o.verb == "unbind":
		return acceptedResponse(o)
	case o != nil:
		return concurrencyResponse(o)
	case i.operationInProgress() != nil:
		return concurrencyResponse(i.operationInProgress())
	}
	work := func() error {
		if err := b.mysql.dropUser(bound.user); err != nil {
			return err
		}
		delete(i.bindings, c.bindingID)
		b.removed[c.resourceKey()] = true
		b.printEvent("unbound", "user "+bound.user+" of "+i.database, i)
		return nil
	}
	if i.service.async {
		return acceptedResponse(b.startOperation(&bound.resource, "unbind", work))
	}
	if err := work(); err != nil {
		return internalErrorResponse(err)
	}
	return response{status: http.StatusOK, body: object{}}
}

// findBinding returns nil if there is no such binding.
func (b *Broker) findBinding(c *request) (*instance, *binding) {
	i, ok := b.instances[c.instanceID]
	if !ok {
		return nil, nil
	}
	return i, i.bindings[c.bindingID]
}

func (b *Broker) fetchBinding(c *request) response {
	i, bound := b.findBinding(c)
	if bound == nil || !bound.ready {
		return errorResponse(http.StatusNotFound, "", "There is no binding with this id")
	}
	body := b.credentials(i, bound)
	if len(bound.parameters) > 0 {
		body["parameters"] = bound.parameters
	}
	return response{status: http.StatusOK, body: body}
}

func (b *Broker) pollBinding(c *request) response {
	i, bound := b.findBinding(c)
	if bound == nil {
		return b.pollAbsent(c.resourceKey())
	}
	if c.serviceID != "" && c.serviceID != i.service.ID || c.planID != "" && c.planID != i.plan.ID {
		return badRequestResponse(i.checkIDs(c.serviceID, c.planID))
	}
	return bound.pollLastOperation(c)
}
