// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
)

// An instance is a database.
type instance struct {
	resource
	service       *service
	plan          *plan
	planBefore    *plan          // of the last update
	parameters    map[string]any // as in the requests
	maintenance   string
	owner         [2]string // organization and space
	label         string    // for the output
	database      string
	pendingUpdate *requestBody // of the last asynchronous update
	bindings      map[string]*binding
}

// anyOperationInProgress also returns operations on bindings.
func (i *instance) anyOperationInProgress() *operation {
	for _, bound := range i.bindings {
		if o := bound.operationInProgress(); o != nil {
			return o
		}
	}
	return i.operationInProgress()
}

func (b *Broker) provision(c *request) response {
	if c.body.OrganizationGUID == "" || c.body.SpaceGUID == "" {
		return badRequestResponse(errors.New("organization_guid and space_guid are required"))
	}
	s, p, err := services.find(c.body.ServiceID, c.body.PlanID)
	if err != nil {
		return badRequestResponse(err)
	}
	limits, err := p.computeLimits(c.body.Parameters)
	if err != nil {
		return badRequestResponse(err)
	}
	i, known := b.instances[c.instanceID]
	switch {
	case known && (i.ready || i.operationInProgress() != nil):
		return i.answerExistingInstance(c)
	case s.async && !c.acceptsIncomplete:
		return asyncRequiredResponse()
	case p.hasMaintenanceConflict(c.body.MaintenanceInfo):
		return maintenanceConflictResponse(p)
	}

	i = &instance{
		service: s, plan: p, parameters: c.body.Parameters, owner: [2]string{c.body.OrganizationGUID, c.body.SpaceGUID},
		label: c.body.describeObject(), database: randomName("db_"), bindings: map[string]*binding{},
	}
	if c.body.MaintenanceInfo != nil {
		i.maintenance = c.body.MaintenanceInfo.Version
	}
	work := func() error {
		if err := b.mysql.createDatabase(i.database, limits); err != nil {
			return err
		}
		i.ready = true
		b.printEvent("provisioned", "database "+i.database, i)
		return nil
	}
	if s.async {
		b.instances[c.instanceID] = i
		return acceptedResponse(b.startOperation(&i.resource, "provision", work))
	}
	if err := work(); err != nil {
		return internalErrorResponse(err)
	}
	b.instances[c.instanceID] = i
	return response{status: http.StatusCreated, body: object{}}
}

// answerExistingInstance answers a provision request for an id that exists already.
func (i *instance) answerExistingInstance(c *request) response {
	if c.body.ServiceID != i.service.ID || c.body.PlanID != i.plan.ID || !isSameObject(c.body.Parameters, i.parameters) ||
		i.owner != [2]string{c.body.OrganizationGUID, c.body.SpaceGUID} {
		return errorResponse(http.StatusConflict, "", "There is another instance with this id")
	}
	o := i.operationInProgress()
	switch {
	case o == nil:
		return response{status: http.StatusOK, body: object{}}
	case o.verb != "provision":
		return concurrencyResponse(o)
	case !c.acceptsIncomplete:
		return asyncRequiredResponse()
	default:
		return acceptedResponse(o)
	}
}

// computeLimits returns the limits of a plan with parameters.
func (p *plan) computeLimits(parameters map[string]any) (limits, error) {
	parsed, err := parseInstanceParameters(parameters)
	if err != nil {
		return limits{}, fmt.Errorf("parameters: %w", err)
	}
	return limits{p.connections, parsed.FirewallRules}, nil
}

func (p *plan) hasMaintenanceConflict(given *maintenanceInfo) bool {
	return given != nil && (p.Maintenance == nil || given.Version != p.Maintenance.Version)
}

func maintenanceConflictResponse(p *plan) response {
	return errorResponse(http.StatusUnprocessableEntity, maintenanceInfoConflict, "The plan %s is of another maintenance_info.version: read the catalog", p.Name)
}

// describeObject returns namespace and name of the Kubernetes object, if the request has them.
func (r *requestBody) describeObject() string {
	namespace, _ := r.Context["namespace"].(string)
	name, _ := r.Context["instance_name"].(string)
	if namespace == "" || name == "" {
		return ""
	}
	return stripUnprintable(namespace + "/" + name)
}

func (b *Broker) update(c *request) response {
	i, ok := b.instances[c.instanceID]
	if !ok || !i.ready && i.operationInProgress() == nil {
		return errorResponse(http.StatusNotFound, "", "There is no instance with this id")
	}
	if c.body.ServiceID != i.service.ID {
		return badRequestResponse(fmt.Errorf("service_id is %q: the instance is of %q", c.body.ServiceID, i.service.ID))
	}
	if o := i.anyOperationInProgress(); o != nil {
		if o.verb == "update" && c.acceptsIncomplete && i.pendingUpdate.isSameUpdate(&c.body) {
			return acceptedResponse(o)
		}
		return concurrencyResponse(o)
	}
	p := i.plan
	if c.body.PlanID != "" {
		var err error
		if _, p, err = services.find(i.service.ID, c.body.PlanID); err != nil {
			return badRequestResponse(err)
		}
	}
	if p.hasMaintenanceConflict(c.body.MaintenanceInfo) {
		return maintenanceConflictResponse(p)
	}
	return b.applyUpdate(c, i, p)
}

// applyUpdate updates plan and parameters. Parameters that the request does not have stay.
func (b *Broker) applyUpdate(c *request, i *instance, p *plan) response {
	parameters := maps.Clone(i.parameters)
	if parameters == nil {
		parameters = map[string]any{}
	}
	maps.Copy(parameters, c.body.Parameters)
	maintenance := i.maintenance
	if c.body.MaintenanceInfo != nil {
		maintenance = c.body.MaintenanceInfo.Version
	}
	limits, err := p.computeLimits(parameters)
	if err != nil {
		return badRequestResponse(err)
	}
	work := func() error {
		b.mysql.setLimits(i.database, limits)
		i.plan, i.planBefore, i.parameters, i.maintenance = p, i.plan, parameters, maintenance
		b.printEvent("updated", "database "+i.database, i)
		return nil
	}
	switch {
	case p == i.plan && isSameObject(parameters, i.parameters) && maintenance == i.maintenance:
		return response{status: http.StatusOK, body: object{}}
	case i.service.async && !c.acceptsIncomplete:
		return asyncRequiredResponse()
	case i.service.async:
		i.pendingUpdate = &c.body
		return acceptedResponse(b.startOperation(&i.resource, "update", work))
	}
	if err := work(); err != nil {
		return internalErrorResponse(err)
	}
	return response{status: http.StatusOK, body: object{}}
}

func (r *requestBody) isSameUpdate(other *requestBody) bool {
	version := func(m *maintenanceInfo) string {
		if m == nil {
			return ""
		}
		return m.Version
	}
	return r.PlanID == other.PlanID && isSameObject(r.Parameters, other.Parameters) && version(r.MaintenanceInfo) == version(other.MaintenanceInfo)
}

func (b *Broker) deprovision(c *request) response {
	i, ok := b.instances[c.instanceID]
	if !ok {
		return goneResponse()
	}
	if err := i.checkIDs(c.serviceID, c.planID); err != nil {
		return badRequestResponse(err)
	}
	o := i.anyOperationInProgress()
	switch {
	case i.service.async && !c.acceptsIncomplete:
		return asyncRequiredResponse()
	case o != nil && o.verb == "deprovision":
		return acceptedResponse(o)
	case o != nil:
		return concurrencyResponse(o)
	case len(i.bindings) > 0:
		return badRequestResponse(fmt.Errorf("the instance has %d bindings, which have to be unbound first", len(i.bindings)))
	}
	work := func() error {
		if err := b.mysql.dropDatabase(i.database); err != nil {
			return err
		}
		delete(b.instances, c.instanceID)
		b.removed[c.resourceKey()] = true
		b.printEvent("deprovisioned", "database "+i.database, i)
		return nil
	}
	if i.service.async {
		return acceptedResponse(b.startOperation(&i.resource, "deprovision", work))
	}
	if err := work(); err != nil {
		return internalErrorResponse(err)
	}
	return response{status: http.StatusOK, body: object{}}
}

// checkIDs compares service and plan of a request with those of the instance.
func (i *instance) checkIDs(serviceID, planID string) error {
	if serviceID != i.service.ID {
		return fmt.Errorf("service_id is %q: the instance is of %q", serviceID, i.service.ID)
	}
	if planID != i.plan.ID {
		return fmt.Errorf("plan_id is %q: the instance is of %q", planID, i.plan.ID)
	}
	return nil
}

func (b *Broker) fetch(c *request) response {
	i, ok := b.instances[c.instanceID]
	if !ok || !i.ready {
		return errorResponse(http.StatusNotFound, "", "There is no instance with this id")
	}
	if o := i.operationInProgress(); o != nil {
		return concurrencyResponse(o)
	}
	body := object{"service_id": i.service.ID, "plan_id": i.plan.ID}
	if len(i.parameters) > 0 {
		body["parameters"] = i.parameters
	}
	if i.maintenance != "" {
		body["maintenance_info"] = maintenanceInfo{Version: i.maintenance}
	}
	return response{status: http.StatusOK, body: body}
}

func (b *Broker) poll(c *request) response {
	i, ok := b.instances[c.instanceID]
	if !ok {
		return b.pollAbsent(c.resourceKey())
	}
	before := i.planBefore != nil && c.planID == i.planBefore.ID // a repeated poll may still have the plan before the update
	if c.serviceID != "" && c.serviceID != i.service.ID || c.planID != "" && c.planID != i.plan.ID && !before {
		return badRequestResponse(i.checkIDs(c.serviceID, c.planID))
	}
	return i.pollLastOperation(c)
}

// resourceKey distinguishes ids of instances and bindings.
func (r *request) resourceKey() string { return fmt.Sprintf("%q %q", r.instanceID, r.bindingID) }
