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
	asked          requestBody
	parameters     map[string]any // those that were given, or the predecessor's
}

func (b *Broker) bind(c *call) answer {
	i, ok := b.instances[c.instanceID]
	if !ok {
		return refuse(http.StatusNotFound, "", "There is no instance with this id")
	}
	if err := i.checkIDs(c.body.ServiceID, c.body.PlanID); err != nil {
		return badRequest(err)
	}
	parameters, err := i.bindingParameters(&c.body)
	if err != nil {
		return badRequest(err)
	}
	parsed, err := decodeStrictly[bindingParameters](parameters)
	if err != nil {
		return badRequest(fmt.Errorf("parameters: %w", err))
	}
	bound, known := i.bindings[c.bindingID]
	o := i.busy()
	switch {
	case known && (bound.ready || bound.busy() != nil):
		return b.boundBefore(c, i, bound)
	case o != nil:
		return isBusy(o)
	case i.service.slow && !c.acceptsIncomplete:
		return needsAsync()
	}

	bound = &binding{user: randomName("u_"), password: rand.Text(), asked: c.body, parameters: parameters}
	work := func() error {
		if err := b.mysql.createUser(bound.user, bound.password, i.database, parsed.ReadOnly); err != nil {
			return err
		}
		bound.ready = true
		b.say("made", "user "+bound.user+" of "+i.database, i)
		return nil
	}
	if i.service.slow {
		i.bindings[c.bindingID] = bound
		return accepted(b.begin(&bound.resource, "bind", work))
	}
	if err := work(); err != nil {
		return broken(err)
	}
	i.bindings[c.bindingID] = bound
	return answer{status: http.StatusCreated, body: b.credentials(i, bound)}
}

// bindingParameters are those of the predecessor where a rotation brings none.
func (i *instance) bindingParameters(body *requestBody) (map[string]any, error) {
	if body.PredecessorBindingID == nil {
		return body.Parameters, nil
	}
	predecessor, ok := i.bindings[*body.PredecessorBindingID]
	if !ok || !predecessor.ready || predecessor.busy() != nil {
		return nil, fmt.Errorf("predecessor_binding_id is %q: the instance has no such binding", *body.PredecessorBindingID)
	}
	if body.Parameters == nil {
		return predecessor.parameters, nil
	}
	return body.Parameters, nil
}

// boundBefore answers a request for a binding whose id is taken.
func (b *Broker) boundBefore(c *call, i *instance, bound *binding) answer {
	if !bound.asked.sameBinding(&c.body) {
		return refuse(http.StatusConflict, "", "There is another binding with this id")
	}
	o := bound.busy()
	switch {
	case o == nil:
		return answer{status: http.StatusOK, body: b.credentials(i, bound)}
	case o.verb != "bind":
		return isBusy(o)
	case !c.acceptsIncomplete:
		return needsAsync()
	default:
		return accepted(o)
	}
}

func (r *requestBody) sameBinding(other *requestBody) bool {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return same(r.Parameters, other.Parameters) && same(r.BindResource, other.BindResource) &&
		text(r.AppGUID) == text(other.AppGUID) && text(r.PredecessorBindingID) == text(other.PredecessorBindingID)
}

// credentials are with what and where an application logs in.
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

func (b *Broker) unbind(c *call) answer {
	i, bound := b.lookUp(c)
	if bound == nil {
		return gone()
	}
	if err := i.checkIDs(c.serviceID, c.planID); err != nil {
		return badRequest(err)
	}
	o := bound.busy()
	switch {
	case i.service.slow && !c.acceptsIncomplete:
		return needsAsync()
	case o != nil && o.verb == "unbind":
		return accepted(o)
	case o != nil:
		return isBusy(o)
	case i.busy() != nil:
		return isBusy(i.busy())
	}
	work := func() error {
		if err := b.mysql.dropUser(bound.user); err != nil {
			return err
		}
		delete(i.bindings, c.bindingID)
		b.removed[c.key()] = true
		b.say("removed", "user "+bound.user+" of "+i.database, i)
		return nil
	}
	if i.service.slow {
		return accepted(b.begin(&bound.resource, "unbind", work))
	}
	if err := work(); err != nil {
		return broken(err)
	}
	return answer{status: http.StatusOK, body: object{}}
}

// lookUp returns nil where there is no such binding.
func (b *Broker) lookUp(c *call) (*instance, *binding) {
	i, ok := b.instances[c.instanceID]
	if !ok {
		return nil, nil
	}
	return i, i.bindings[c.bindingID]
}

func (b *Broker) fetchBinding(c *call) answer {
	i, bound := b.lookUp(c)
	if bound == nil || !bound.ready {
		return refuse(http.StatusNotFound, "", "There is no binding with this id")
	}
	body := b.credentials(i, bound)
	if len(bound.parameters) > 0 {
		body["parameters"] = bound.parameters
	}
	return answer{status: http.StatusOK, body: body}
}

func (b *Broker) pollBinding(c *call) answer {
	i, bound := b.lookUp(c)
	if bound == nil {
		return b.absent(c.key())
	}
	if c.serviceID != "" && c.serviceID != i.service.ID || c.planID != "" && c.planID != i.plan.ID {
		return badRequest(i.checkIDs(c.serviceID, c.planID))
	}
	return bound.state(c)
}
