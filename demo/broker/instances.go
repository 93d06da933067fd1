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
	"errors"
	"fmt"
	"maps"
	"net/http"
)

// An instance is a database.
type instance struct {
	resource
	service     *service
	plan        *plan
	planBefore  *plan          // before the last update
	parameters  map[string]any // as they were given
	maintenance string
	owner       [2]string // organization and space
	label       string    // for people
	database    string
	updating    *requestBody // by the last operation
	bindings    map[string]*binding
}

// busyAnywhere also counts operations on bindings.
func (i *instance) busyAnywhere() *operation {
	for _, bound := range i.bindings {
		if o := bound.busy(); o != nil {
			return o
		}
	}
	return i.busy()
}

func (b *Broker) provision(c *call) answer {
	if c.body.OrganizationGUID == "" || c.body.SpaceGUID == "" {
		return badRequest(errors.New("organization_guid and space_guid are required"))
	}
	s, p, err := services.find(c.body.ServiceID, c.body.PlanID)
	if err != nil {
		return badRequest(err)
	}
	limits, err := p.limits(c.body.Parameters)
	if err != nil {
		return badRequest(err)
	}
	i, known := b.instances[c.instanceID]
	switch {
	case known && (i.ready || i.busy() != nil):
		return i.provisionedBefore(c)
	case s.slow && !c.acceptsIncomplete:
		return needsAsync()
	case p.conflicts(c.body.MaintenanceInfo):
		return maintenanceConflict(p)
	}

	i = &instance{
		service: s, plan: p, parameters: c.body.Parameters, owner: [2]string{c.body.OrganizationGUID, c.body.SpaceGUID},
		label: c.body.label(), database: randomName("db_"), bindings: map[string]*binding{},
	}
	if c.body.MaintenanceInfo != nil {
		i.maintenance = c.body.MaintenanceInfo.Version
	}
	work := func() error {
		if err := b.mysql.createDatabase(i.database, limits); err != nil {
			return err
		}
		i.ready = true
		b.say("made", "database "+i.database, i)
		return nil
	}
	if s.slow {
		b.instances[c.instanceID] = i
		return accepted(b.begin(&i.resource, "provision", work))
	}
	if err := work(); err != nil {
		return broken(err)
	}
	b.instances[c.instanceID] = i
	return answer{status: http.StatusCreated, body: object{}}
}

// provisionedBefore answers a request for an instance whose id is taken.
func (i *instance) provisionedBefore(c *call) answer {
	if c.body.ServiceID != i.service.ID || c.body.PlanID != i.plan.ID || !same(c.body.Parameters, i.parameters) ||
		i.owner != [2]string{c.body.OrganizationGUID, c.body.SpaceGUID} {
		return refuse(http.StatusConflict, "", "There is another instance with this id")
	}
	o := i.busy()
	switch {
	case o == nil:
		return answer{status: http.StatusOK, body: object{}}
	case o.verb != "provision":
		return isBusy(o)
	case !c.acceptsIncomplete:
		return needsAsync()
	default:
		return accepted(o)
	}
}

// limits are those of a plan, with parameters.
func (p *plan) limits(parameters map[string]any) (limits, error) {
	parsed, err := parseInstanceParameters(parameters)
	if err != nil {
		return limits{}, fmt.Errorf("parameters: %w", err)
	}
	return limits{p.connections, parsed.FirewallRules}, nil
}

func (p *plan) conflicts(given *maintenanceInfo) bool {
	return given != nil && (p.Maintenance == nil || given.Version != p.Maintenance.Version)
}

func maintenanceConflict(p *plan) answer {
	return refuse(http.StatusUnprocessableEntity, maintenanceInfoConflict, "The plan %s is of another maintenance_info.version: read the catalog", p.Name)
}

// label says whom an instance is for, if the platform has said so in the way of Kubernetes.
func (r *requestBody) label() string {
	namespace, _ := r.Context["namespace"].(string)
	name, _ := r.Context["instance_name"].(string)
	if namespace == "" || name == "" {
		return ""
	}
	return printable(namespace + "/" + name)
}

func (b *Broker) update(c *call) answer {
	i, ok := b.instances[c.instanceID]
	if !ok || !i.ready && i.busy() == nil {
		return refuse(http.StatusNotFound, "", "There is no instance with this id")
	}
	if c.body.ServiceID != i.service.ID {
		return badRequest(fmt.Errorf("service_id is %q: the instance is of %q", c.body.ServiceID, i.service.ID))
	}
	if o := i.busyAnywhere(); o != nil {
		if o.verb == "update" && c.acceptsIncomplete && i.updating.sameUpdate(&c.body) {
			return accepted(o)
		}
		return isBusy(o)
	}
	p := i.plan
	if c.body.PlanID != "" {
		var err error
		if _, p, err = services.find(i.service.ID, c.body.PlanID); err != nil {
			return badRequest(err)
		}
	}
	if p.conflicts(c.body.MaintenanceInfo) {
		return maintenanceConflict(p)
	}
	return b.change(c, i, p)
}

// change carries out an update, to a plan and the parameters that are given; others stay.
func (b *Broker) change(c *call, i *instance, p *plan) answer {
	parameters := maps.Clone(i.parameters)
	if parameters == nil {
		parameters = map[string]any{}
	}
	maps.Copy(parameters, c.body.Parameters)
	maintenance := i.maintenance
	if c.body.MaintenanceInfo != nil {
		maintenance = c.body.MaintenanceInfo.Version
	}
	limits, err := p.limits(parameters)
	if err != nil {
		return badRequest(err)
	}
	work := func() error {
		b.mysql.limit(i.database, limits)
		i.plan, i.planBefore, i.parameters, i.maintenance = p, i.plan, parameters, maintenance
		b.say("changed", "database "+i.database, i)
		return nil
	}
	switch {
	case p == i.plan && same(parameters, i.parameters) && maintenance == i.maintenance:
		return answer{status: http.StatusOK, body: object{}}
	case i.service.slow && !c.acceptsIncomplete:
		return needsAsync()
	case i.service.slow:
		i.updating = &c.body
		return accepted(b.begin(&i.resource, "update", work))
	}
	if err := work(); err != nil {
		return broken(err)
	}
	return answer{status: http.StatusOK, body: object{}}
}

func (r *requestBody) sameUpdate(other *requestBody) bool {
	version := func(m *maintenanceInfo) string {
		if m == nil {
			return ""
		}
		return m.Version
	}
	return r.PlanID == other.PlanID && same(r.Parameters, other.Parameters) && version(r.MaintenanceInfo) == version(other.MaintenanceInfo)
}

func (b *Broker) deprovision(c *call) answer {
	i, ok := b.instances[c.instanceID]
	if !ok {
		return gone()
	}
	if err := i.checkIDs(c.serviceID, c.planID); err != nil {
		return badRequest(err)
	}
	o := i.busyAnywhere()
	switch {
	case i.service.slow && !c.acceptsIncomplete:
		return needsAsync()
	case o != nil && o.verb == "deprovision":
		return accepted(o)
	case o != nil:
		return isBusy(o)
	case len(i.bindings) > 0:
		return badRequest(fmt.Errorf("the instance has %d bindings, which have to be removed before", len(i.bindings)))
	}
	work := func() error {
		if err := b.mysql.dropDatabase(i.database); err != nil {
			return err
		}
		delete(b.instances, c.instanceID)
		b.removed[c.key()] = true
		b.say("removed", "database "+i.database, i)
		return nil
	}
	if i.service.slow {
		return accepted(b.begin(&i.resource, "deprovision", work))
	}
	if err := work(); err != nil {
		return broken(err)
	}
	return answer{status: http.StatusOK, body: object{}}
}

// checkIDs checks what a request says that an instance is.
func (i *instance) checkIDs(serviceID, planID string) error {
	if serviceID != i.service.ID {
		return fmt.Errorf("service_id is %q: the instance is of %q", serviceID, i.service.ID)
	}
	if planID != i.plan.ID {
		return fmt.Errorf("plan_id is %q: the instance is of %q", planID, i.plan.ID)
	}
	return nil
}

func (b *Broker) fetch(c *call) answer {
	i, ok := b.instances[c.instanceID]
	if !ok || !i.ready {
		return refuse(http.StatusNotFound, "", "There is no instance with this id")
	}
	if o := i.busy(); o != nil {
		return isBusy(o)
	}
	body := object{"service_id": i.service.ID, "plan_id": i.plan.ID}
	if len(i.parameters) > 0 {
		body["parameters"] = i.parameters
	}
	if i.maintenance != "" {
		body["maintenance_info"] = maintenanceInfo{Version: i.maintenance}
	}
	return answer{status: http.StatusOK, body: body}
}

func (b *Broker) poll(c *call) answer {
	i, ok := b.instances[c.instanceID]
	if !ok {
		return b.absent(c.key())
	}
	before := i.planBefore != nil && c.planID == i.planBefore.ID // who asks once more may not know yet
	if c.serviceID != "" && c.serviceID != i.service.ID || c.planID != "" && c.planID != i.plan.ID && !before {
		return badRequest(i.checkIDs(c.serviceID, c.planID))
	}
	return i.state(c)
}

// key tells ids of instances and bindings apart.
func (c *call) key() string { return fmt.Sprintf("%q %q", c.instanceID, c.bindingID) }
