// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbtest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Binding is one that a broker holds.
type Binding struct {
	ID, InstanceID, ServiceID, PlanID string
	// AppGUID is the application that it is for, and Predecessor the id of the binding that it replaces, if any.
	AppGUID, Predecessor string
	Context              map[string]any
	Parameters           json.RawMessage
	Credentials          json.RawMessage
	Expires              time.Time // zero: never
	// State is one of Creating, Ready, Removing and Remains.
	State string
}

type bindingKey struct{ instance, binding string }

func (k bindingKey) String() string { return k.instance + "/" + k.binding }

type binding struct {
	Binding
	*entry
	revealed bool
	more     map[string]any
}

func (b *binding) shown() Binding {
	shown := b.Binding
	shown.State = b.state()
	return shown
}

func (b *Broker) bind(r *request) reply {
	key := bindingKey{r.InstanceID, r.BindingID}
	app := appGUID(r)
	wanted := same(r.body.ServiceID, r.body.PlanID, app, r.body.Context, r.body.Parameters, r.body.PredecessorID)
	if held, ok := b.bindings[key]; ok {
		return b.bindAgain(r, held, wanted)
	}
	of, refused := b.checkBind(r, app)
	if refused != nil {
		return *refused
	}
	behave := b.behavior(of.ServiceID, of.PlanID)
	if refused := first(needsTime(r, behave.AsyncBindings), b.reuse(key.String())); refused != nil {
		return *refused
	}
	held := &binding{
		Binding: Binding{
			ID: r.BindingID, InstanceID: of.ID, ServiceID: of.ServiceID, PlanID: of.PlanID, AppGUID: app,
			Predecessor: r.body.PredecessorID, Context: r.body.Context, Parameters: r.body.Parameters,
		},
		entry: &entry{id: r.BindingID, key: key.String(), serviceID: of.ServiceID, planID: of.PlanID, wanted: wanted},
		more:  behave.Binding,
	}
	if old, ok := b.bindings[bindingKey{of.ID, held.Predecessor}]; ok {
		held.Parameters = old.Parameters
	}
	held.Credentials = b.credentials(behave, held.ID)
	if behave.Lifetime > 0 {
		held.Expires = b.options.Now().Add(behave.Lifetime)
	}
	held.remove = func() { delete(b.bindings, key) }
	b.bindings[key] = held
	delete(b.removed, held.key)
	return b.begin(r, held.entry, &operation{behave: behave, planID: of.PlanID, named: r.body.PlanID}, behave.AsyncBindings, func() reply {
		return say(http.StatusCreated, b.reveal(held))
	})
}

func appGUID(r *request) string {
	switch {
	case r.body.BindResource != nil && r.body.BindResource.AppGUID != nil:
		return *r.body.BindResource.AppGUID
	case r.body.AppGUID != nil:
		return *r.body.AppGUID
	}
	return ""
}

// checkBind finds the instance of a new binding, and says why it cannot be bound.
func (b *Broker) checkBind(r *request, app string) (*instance, *reply) {
	held, ok := b.instances[r.InstanceID]
	if !ok {
		refused := refuse(http.StatusNotFound, "", "there is no such instance")
		return nil, &refused
	}
	service, plan := b.find(held.ServiceID, held.PlanID)
	var refused reply
	switch {
	case r.body.ServiceID != held.ServiceID || !held.takePlan(r.body.PlanID):
		refused = b.violation(r, http.StatusBadRequest, "%s", held.mustBe())
	case service != nil && !bindable(service, plan):
		refused = b.violation(r, http.StatusBadRequest, "instances of this plan cannot be bound")
	case held.running != nil:
		refused = *b.blocked(held.entry)
	case held.unusable:
		refused = b.violation(r, http.StatusUnprocessableEntity, "the instance is not usable, and the platform was told so")
	case !held.complete:
		refused = refuse(http.StatusUnprocessableEntity, "", "the instance is not ready")
	case b.behavior(held.ServiceID, held.PlanID).RequiresApp && app == "":
		refused = refuse(http.StatusUnprocessableEntity, "RequiresApp", "app_guid is needed")
	case r.body.PredecessorID != "":
		return held, b.checkRotation(r, plan)
	default:
		return held, nil
	}
	return nil, &refused
}

func bindable(service *Service, plan *Plan) bool {
	if plan != nil && plan.Bindable != nil {
		return *plan.Bindable
	}
	return service.Bindable
}

func (b *Broker) checkRotation(r *request, plan *Plan) *reply {
	old, ok := b.bindings[bindingKey{r.InstanceID, r.body.PredecessorID}]
	var refused reply
	switch {
	case plan == nil || !plan.BindingRotatable:
		refused = b.violation(r, http.StatusBadRequest, "bindings of this plan cannot be rotated")
	case !ok || old.state() != Ready:
		refused = b.violation(r, http.StatusBadRequest, "predecessor_binding_id must be that of a binding of this instance")
	case !old.Expires.IsZero() && !b.options.Now().Before(old.Expires):
		refused = b.violation(r, http.StatusBadRequest, "the predecessor has expired")
	default:
		return nil
	}
	return &refused
}

// bindAgain answers to a creation of a binding that exists already.
func (b *Broker) bindAgain(r *request, held *binding, wanted []byte) reply {
	switch {
	case string(held.wanted) != string(wanted):
		held.conflicted = true
		return refuse(http.StatusConflict, "", "there is a binding with this id and other attributes")
	case held.creating() && !r.acceptsIncomplete():
		return *needsTime(r, true)
	case held.creating():
		return b.runs(held.running)
	case held.running != nil:
		return *b.blocked(held.entry)
	case !held.complete:
		return refuse(http.StatusInternalServerError, "", "it was not created completely, and must be removed first")
	}
	return say(http.StatusOK, b.reveal(held))
}

func (b *Broker) getBinding(r *request) reply {
	held, ok := b.bindings[bindingKey{r.InstanceID, r.BindingID}]
	if of, known := b.instances[r.InstanceID]; known {
		if service, _ := b.find(of.ServiceID, of.PlanID); service != nil && !service.BindingsRetrievable {
			return b.violation(r, http.StatusBadRequest, "bindings of this service cannot be fetched")
		}
	}
	if !ok || held.creating() || !held.complete {
		return refuse(http.StatusNotFound, "", "there is no such binding")
	}
	said := b.reveal(held)
	if held.Parameters != nil {
		said["parameters"] = held.Parameters
	}
	return say(http.StatusOK, said)
}

func (b *Broker) unbind(r *request) reply {
	held, ok := b.bindings[bindingKey{r.InstanceID, r.BindingID}]
	if !ok {
		return reply{status: http.StatusGone, body: []byte("{}")}
	}
	if of, known := b.instances[r.InstanceID]; known && (r.Query.Get("service_id") != of.ServiceID || !of.takePlan(r.Query.Get("plan_id"))) {
		return b.violation(r, http.StatusBadRequest, "%s", of.mustBe())
	}
	if of := b.instances[r.InstanceID]; b.options.Blocking && of != nil && of.running != nil {
		return *b.blocked(of.entry)
	}
	held.planID = r.Query.Get("plan_id")
	behave := b.behavior(held.ServiceID, held.PlanID)
	return b.removal(r, held.entry, behave, behave.AsyncBindings)
}

// reveal returns the body that describes a binding.
func (b *Broker) reveal(held *binding) map[string]any {
	said := with(map[string]any{}, held.more)
	if behave := b.behavior(held.ServiceID, held.PlanID); !behave.RevealOnce || !held.revealed {
		said["credentials"] = held.Credentials
	}
	held.revealed = true
	if !held.Expires.IsZero() {
		lifetime := b.behavior(held.ServiceID, held.PlanID).Lifetime
		said["metadata"] = map[string]string{
			"expires_at":   held.Expires.UTC().Format("2006-01-02T15:04:05.000Z"),
			"renew_before": held.Expires.Add(-lifetime / 4).UTC().Format("2006-01-02T15:04:05.0Z"),
		}
	}
	return said
}

// MarkUnrevealed makes the credentials of a binding available again, although they are revealed once: their answer was replaced.
func (b *Broker) MarkUnrevealed(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, held := range b.bindings {
		if key.binding == id {
			held.revealed = false
		}
	}
}

// credentials makes some that no other binding has.
func (b *Broker) credentials(behave Behavior, bindingID string) json.RawMessage {
	b.made++
	var made any
	if behave.Credentials != nil {
		made = behave.Credentials(bindingID)
	} else {
		user, password := fmt.Sprintf("user-%d", b.made), "p4ss/+&\"<ö> "+rand.Text()
		made = map[string]any{
			"uri":      "mysql://" + user + "@db.example.com:3306/app",
			"username": user, "password": password,
			"port": 3306, "ratio": json.Number("1.50"), "serial": json.Number("12345678901234567890"),
			"tls": true, "replica": false, "note": nil,
			"hosts": []any{"a.example.com", "b.example.com"}, "options": map[string]any{"ssl": map[string]any{"mode": "verify", "depth": 3}},
		}
	}
	text, err := json.Marshal(made)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}
