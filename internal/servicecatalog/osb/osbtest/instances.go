// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Instance is one that a broker holds.
type Instance struct {
	ID, ServiceID, PlanID       string
	OrganizationGUID, SpaceGUID string
	Context                     map[string]any
	Parameters                  json.RawMessage
	MaintenanceVersion          string
	// State is one of Creating, Ready, Updating, Removing and Remains.
	State string
	// Unusable: the broker said so.
	Unusable bool
}

type instance struct {
	Instance
	*entry
	// formerPlans are the plans before changes whose success the platform may not know: it may still name them. There is one where the platform's
	// knowledge is certain.
	formerPlans []string
	// nextPlan is the plan that a change leads to. A patient broker lets a request name it before the change is over: the platform may have an
	// answer that the change has succeeded.
	nextPlan string
	// confirmed: the platform has named its plan since it was created, and so knows of that.
	confirmed bool
	// plans has the last entries about the plan: the plans that requests named, and the changes.
	plans []string
}

// notePlan notes something of its plan.
func (i *instance) notePlan(what, id string) {
	const kept = 12
	i.plans = append(i.plans, what+" "+id)
	i.plans = i.plans[max(0, len(i.plans)-kept):]
}

// mustBe returns a message for a request that names another plan, with the ids that it should have named.
func (i *instance) mustBe() string {
	return fmt.Sprintf("service_id and plan_id must be %s and %s; before: %s", i.ServiceID, i.PlanID, strings.Join(i.plans, ", "))
}

func (i *instance) shown() Instance {
	shown := i.Instance
	shown.State, shown.Unusable = i.state(), i.unusable
	return shown
}

func dashboard(id string) map[string]any {
	return map[string]any{"dashboard_url": "https://dashboard.example.com/" + id}
}

func (b *Broker) provision(r *request) reply {
	wanted := same(r.body.ServiceID, r.body.PlanID, r.body.OrganizationGUID, r.body.SpaceGUID, r.body.Context, r.body.Parameters)
	if held, ok := b.instances[r.InstanceID]; ok {
		return b.provisionAgain(r, held, wanted)
	}
	service, plan := b.find(r.body.ServiceID, r.body.PlanID)
	if service == nil || plan == nil {
		return refuse(http.StatusBadRequest, "", "the catalog has no such service or plan")
	}
	behave := b.behavior(service.ID, plan.ID)
	if refused := first(checkMaintenance(r, plan), needsTime(r, behave.Async), b.reuse(r.InstanceID)); refused != nil {
		return *refused
	}
	i := &instance{
		Instance: Instance{
			ID: r.InstanceID, ServiceID: service.ID, PlanID: plan.ID, Context: r.body.Context, Parameters: r.body.Parameters,
			OrganizationGUID: r.body.OrganizationGUID, SpaceGUID: r.body.SpaceGUID, MaintenanceVersion: r.version(),
		},
		entry: &entry{id: r.InstanceID, key: r.InstanceID, serviceID: service.ID, planID: plan.ID, wanted: wanted},
	}
	i.remove = func() { delete(b.instances, i.ID) }
	b.instances[i.ID] = i
	delete(b.removed, i.key)
	answer := b.begin(r, i.entry, &operation{behave: behave, planID: plan.ID}, behave.Async, func() reply {
		return say(http.StatusCreated, dashboard(i.ID))
	})
	if answer.status == http.StatusAccepted && !behave.LateDashboard {
		answer.body = say(0, with(dashboard(i.ID), named(i.running))).body
	}
	return answer
}

// named returns the name of an operation as a member of an answer; nil: it has no name.
func named(op *operation) map[string]any {
	if op == nil || op.name == "" {
		return nil
	}
	return map[string]any{"operation": op.name}
}

// provisionAgain answers to a creation of an instance that exists already.
func (b *Broker) provisionAgain(r *request, held *instance, wanted []byte) reply {
	switch {
	case string(held.wanted) != string(wanted):
		held.conflicted = true
		return refuse(http.StatusConflict, "", "there is an instance with this id and other attributes")
	case held.creating() && !r.acceptsIncomplete():
		return *needsTime(r, true)
	}
	held.confirmed = true
	switch {
	case held.creating():
		return b.runs(held.running)
	case held.running != nil:
		return *b.blocked(held.entry)
	case !held.complete:
		return refuse(http.StatusInternalServerError, "", "it was not created completely, and must be removed first")
	}
	return say(http.StatusOK, dashboard(held.ID))
}

func (b *Broker) getInstance(r *request) reply {
	held, ok := b.instances[r.InstanceID]
	if ok {
		if service, _ := b.find(held.ServiceID, held.PlanID); service != nil && !service.InstancesRetrievable {
			return b.violation(r, http.StatusBadRequest, "instances of this service cannot be fetched")
		}
	}
	switch {
	case !ok || !held.complete: // it can be fetched once its creation has succeeded
		return refuse(http.StatusNotFound, "", "there is no such instance")
	case b.options.Blocking && held.running != nil:
		return *b.blocked(held.entry)
	}
	said := with(dashboard(held.ID), map[string]any{"service_id": held.ServiceID, "plan_id": held.PlanID})
	if held.Parameters != nil {
		said["parameters"] = held.Parameters
	}
	if held.MaintenanceVersion != "" {
		said["maintenance_info"] = map[string]string{"version": held.MaintenanceVersion}
	}
	return say(http.StatusOK, said)
}

func (b *Broker) update(r *request) reply {
	held, ok := b.instances[r.InstanceID]
	if !ok {
		return refuse(http.StatusNotFound, "", "there is no such instance")
	}
	next := same(r.body.PlanID, r.body.Parameters, r.body.Context, r.version())
	if op := held.running; op != nil {
		if op.change == update && string(op.wanted) == string(next) {
			return b.runs(op)
		}
		return *b.blocked(held.entry)
	}
	plan, refused := b.checkUpdate(r, held)
	if refused != nil {
		return *refused
	}
	behave := b.behavior(held.ServiceID, held.PlanID)
	if refused := needsTime(r, behave.Async); refused != nil {
		return *refused
	}
	held.notePlan("to change to", plan.ID)
	op := &operation{behave: behave, planID: held.PlanID, wanted: next, apply: func() { held.change(r, plan.ID, b.options.Patient) }}
	if b.options.Patient {
		held.nextPlan = plan.ID
	}
	return b.begin(r, held.entry, op, behave.Async, func() reply {
		if r.fault.Answer == nil {
			b.dropFormerPlans(held)
		}
		return say(http.StatusOK, map[string]any{})
	})
}

// dropFormerPlans: the platform was, of the plan that an instance has.
func (b *Broker) dropFormerPlans(i *instance) {
	if !b.options.Patient {
		i.formerPlans = nil
	}
}

// checkUpdate finds the plan that an update leads to, and says why it cannot be.
func (b *Broker) checkUpdate(r *request, held *instance) (*Plan, *reply) {
	target := r.body.PlanID
	if target == "" {
		target = held.PlanID
	}
	service, plan := b.find(held.ServiceID, target)
	_, current := b.find(held.ServiceID, held.PlanID)
	var refused reply
	switch {
	case r.body.ServiceID != held.ServiceID:
		refused = b.violation(r, http.StatusBadRequest, "service_id must be %s", held.ServiceID)
	case plan == nil:
		refused = refuse(http.StatusBadRequest, "", "the catalog has no such plan")
	case target != held.PlanID && !updateable(service, current):
		refused = b.violation(r, http.StatusUnprocessableEntity, "instances of this plan cannot change to another")
	case r.body.PreviousValues != nil && r.body.PreviousValues.PlanID != "" && r.body.PreviousValues.PlanID != held.PlanID:
		refused = b.violation(r, http.StatusBadRequest, "previous_values.plan_id must be %s", held.PlanID)
	case held.onlyContext(r) && !service.AllowContextUpdates:
		refused = b.violation(r, http.StatusUnprocessableEntity, "the context by itself cannot be updated")
	case !held.complete:
		refused = refuse(http.StatusUnprocessableEntity, "", "it was not created completely")
	default:
		return plan, checkMaintenance(r, plan)
	}
	return nil, &refused
}

func updateable(service *Service, plan *Plan) bool {
	if plan != nil && plan.PlanUpdateable != nil {
		return *plan.PlanUpdateable
	}
	return service.PlanUpdateable
}

// onlyContext tells whether an update has nothing but a new context.
func (i *instance) onlyContext(r *request) bool {
	return r.body.PlanID == "" && r.body.Parameters == nil && r.version() == "" && r.body.Context != nil
}

// takePlan takes the plan that the platform names for the instance's, and tells whether it may be that.
func (i *instance) takePlan(id string) bool {
	i.notePlan("named", id)
	if id == i.PlanID { // so it knows
		i.formerPlans, i.confirmed = nil, true
		return true
	}
	return id != "" && id == i.nextPlan || i.isFormerPlan(id)
}

func (i *instance) isFormerPlan(id string) bool { return slices.Contains(i.formerPlans, id) }

// change carries out a successful update. forgotten: the platform may have lost earlier answers.
func (i *instance) change(r *request, planID string, forgotten bool) {
	if planID != i.PlanID && (forgotten || len(i.formerPlans) == 0) { // else there is the last one that the platform knew
		i.formerPlans = append(i.formerPlans, i.PlanID)
	}
	i.PlanID, i.planID = planID, planID
	i.notePlan("changed to", planID)
	if r.body.Parameters != nil {
		i.Parameters = r.body.Parameters
	}
	if r.body.Context != nil {
		i.Context = r.body.Context
	}
	if r.version() != "" {
		i.MaintenanceVersion = r.version()
	}
	i.wanted = same(i.ServiceID, i.PlanID, i.OrganizationGUID, i.SpaceGUID, i.Context, i.Parameters)
}

func (b *Broker) deprovision(r *request) reply {
	held, ok := b.instances[r.InstanceID]
	if !ok {
		return reply{status: http.StatusGone, body: []byte("{}")}
	}
	switch sameService, samePlan := r.Query.Get("service_id") == held.ServiceID, held.takePlan(r.Query.Get("plan_id")); {
	case sameService && !samePlan && b.options.Patient && !held.confirmed: // asked for before an edit, by a process that was killed then
		return refuse(http.StatusBadRequest, "", "%s", held.mustBe())
	case !sameService || !samePlan:
		return b.violation(r, http.StatusBadRequest, "%s", held.mustBe())
	}
	if refused := b.inUse(r); refused != nil {
		return *refused
	}
	behave := b.behavior(held.ServiceID, held.PlanID)
	return b.removal(r, held.entry, behave, behave.Async)
}

// inUse refuses to remove an instance that has bindings.
func (b *Broker) inUse(r *request) *reply {
	for key := range b.bindings {
		if key.instance == r.InstanceID {
			status := b.options.InUse
			if status == 0 {
				status = http.StatusBadRequest
			}
			refused := b.violation(r, status, "it has bindings")
			return &refused
		}
	}
	return nil
}

// removal removes an entry. It ends any other operation, unless the broker has the option Blocking.
func (b *Broker) removal(r *request, e *entry, behave Behavior, async bool) reply {
	again := e.state() == Removing
	switch refused := needsTime(r, async || again); {
	case refused != nil:
		return *refused
	case again:
		return b.runs(e.running)
	case b.options.Blocking && e.running != nil:
		return *b.blocked(e)
	}
	return b.begin(r, e, &operation{behave: behave, planID: e.planID}, async, func() reply {
		return say(http.StatusOK, map[string]any{})
	})
}
