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

package servicecatalog

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/osb"
)

// holding is what there is of a broker in the cluster, by name. It is the cache's own.
type holding struct {
	classes map[string]v1beta1.Class
	plans   map[string]v1beta1.Plan
}

// selection is what a catalog comes to.
type selection struct {
	// classes and plans as they should be. One that exists is a copy of it with what is
	// to change.
	classes []v1beta1.Class
	plans   []v1beta1.Plan
	// keptClasses and keptPlans stay as they are, since the catalog has them in a form
	// that cannot be used.
	keptClasses []v1beta1.Class
	keptPlans   []v1beta1.Plan
	// missing is what is not offered as the catalog has it, and why.
	missing []string
	// collides: some of it may be offered once what is in its way has changed.
	collides bool
}

// assortment makes a selection of a catalog.
type assortment struct {
	scope
	broker       v1beta1.Broker
	restrictions catalog.Restrictions
	held         holding
	// owner names the broker that has the class or plan of a kind and name; "": there is none.
	owner     func(kind, name string) string
	selection selection
	// unusable are ids of classes and plans that stay as they are.
	unusable []string
}

// selectionOf says which classes and plans a catalog comes to. It is pure.
func selectionOf(a assortment, c *osb.Catalog) selection {
	for _, problem := range c.Problems {
		a.miss("%s", problem)
	}
	for _, service := range c.Services {
		a.add(service)
	}
	a.keep(append(slices.Clone(c.LeftOut), a.unusable...))
	return a.selection
}

func (a *assortment) miss(format string, args ...any) {
	a.selection.missing = append(a.selection.missing, fmt.Sprintf(format, args...))
}

// add adds a service with its plans, unless the restrictions leave none of them.
func (a *assortment) add(service osb.Service) {
	class, problem := a.class(service)
	if !a.restrictions.MatchesClass(class) {
		return
	}
	if problem != "" {
		a.miss("service %q: %s", display(service.Name), problem)
		return
	}
	found := false
	for _, p := range service.Plans {
		plan, problem := a.plan(class, p)
		switch {
		case !a.restrictions.MatchesPlan(plan):
		case problem != "":
			a.miss("plan %q of service %q: %s", display(p.Name), display(service.Name), problem)
		default:
			a.selection.plans = append(a.selection.plans, plan)
			found = true
		}
	}
	if found {
		a.selection.classes = append(a.selection.classes, class)
	}
}

// keep keeps what there is of services and plans that were left out: a mistake in a
// catalog takes nothing away.
func (a *assortment) keep(ids []string) {
	leftOut := map[string]bool{}
	for _, id := range ids {
		leftOut[id] = true
	}
	chosen := map[string]bool{}
	for _, o := range a.selection.classes {
		chosen["class "+o.GetName()] = true
	}
	for _, o := range a.selection.plans {
		chosen["plan "+o.GetName()] = true
	}
	for name, class := range a.held.classes {
		if a.isOurs(class) && leftOut[class.Common().ExternalID] && !chosen["class "+name] {
			a.selection.keptClasses = append(a.selection.keptClasses, class)
		}
	}
	for name, plan := range a.held.plans {
		class := a.held.classes[plan.ClassName()]
		ofKept := class != nil && leftOut[class.Common().ExternalID] && !chosen["class "+plan.ClassName()]
		if a.isOurs(plan) && (ofKept || leftOut[plan.Common().ExternalID]) && !chosen["plan "+name] {
			a.selection.keptPlans = append(a.selection.keptPlans, plan)
		}
	}
}

// class is a service as a class, and what is in its way.
func (a *assortment) class(service osb.Service) (v1beta1.Class, string) {
	name := nameIn(a.held.classes, service.ID)
	class, problem := takeOrMake(a, a.held.classes, a.newClass, a.ClassKind(), name)
	if id := class.Common().ExternalID; a.isOfAnother(class, id, service.ID) {
		problem = a.taken(a.ClassKind(), name, id)
	}
	describeClass(class.Common(), service)
	class.SetBrokerName(a.broker.GetName())
	a.own(class)
	catalog.SetLabels(class, catalog.ClassLabels(class))
	return class, problem
}

// plan is a plan of a catalog as a plan of a class, and what is in its way.
func (a *assortment) plan(class v1beta1.Class, p osb.Plan) (v1beta1.Plan, string) {
	name := nameIn(a.held.plans, p.ID)
	plan, problem := takeOrMake(a, a.held.plans, a.newPlan, a.PlanKind(), name)
	if id := plan.Common().ExternalID; a.isOfAnother(plan, id, p.ID) {
		problem = a.taken(a.PlanKind(), name, id)
	} else if old := plan.ClassName(); old != "" && old != class.GetName() {
		problem = fmt.Sprintf("%s %s is of %s %s, and a plan cannot go to another service", a.PlanKind(), name, a.ClassKind(), old)
		a.unusable = append(a.unusable, p.ID)
	}
	describePlan(plan.Common(), p)
	plan.SetOwners(a.broker.GetName(), class.GetName())
	a.own(plan)
	catalog.SetLabels(plan, catalog.PlanLabels(plan))
	return plan, problem
}

// isOfAnother says whether the object that an id comes to is that of another id, which it
// has. If its name does not go with that, somebody has edited the id, and it is put back.
func (s scope) isOfAnother(o Object, has, id string) bool {
	return has != "" && has != id && (!s.isOurs(o) || o.GetName() == has || o.GetName() == catalog.ObjectName(has))
}

// taken says that there is something of another id under a name. It stays as it is.
func (a *assortment) taken(kind, name, id string) string {
	a.unusable = append(a.unusable, id)
	a.selection.collides = true
	return fmt.Sprintf("%s %s has another external id, %q", kind, name, display(id))
}

// nameIn is the name of the class or plan with an id. On clusters of old it can be the
// id itself, and a name never changes.
func nameIn[T Object](held map[string]T, id string) string {
	if _, ok := held[id]; ok {
		return id
	}
	return catalog.ObjectName(id)
}

// takeOrMake is a copy of the object that has a name, or a new one, and what is in its way.
func takeOrMake[T Object](a *assortment, held map[string]T, newObject func() T, kind, name string) (T, string) {
	if have, ok := held[name]; ok {
		return have.DeepCopyObject().(T), ""
	}
	object := newObject()
	object.SetName(name)
	object.SetNamespace(a.broker.GetNamespace())
	if other := a.owner(kind, name); other != "" {
		a.selection.collides = true
		return object, fmt.Sprintf("%s %s of %s %q has the same id; it is left as it is", kind, name, a.BrokerKind(), other)
	}
	return object, ""
}

// own makes the broker the owner, so that nothing is left if it vanishes.
func (a *assortment) own(o Object) {
	owner := metav1.OwnerReference{
		APIVersion: v1beta1.GroupVersion.String(), Kind: a.BrokerKind(), Name: a.broker.GetName(), UID: a.broker.GetUID(),
		Controller: new(true), BlockOwnerDeletion: new(false),
	}
	rest := slices.DeleteFunc(slices.Clone(o.GetOwnerReferences()), a.isBroker)
	if slices.ContainsFunc(rest, func(r metav1.OwnerReference) bool { return ptr.Deref(r.Controller, false) }) {
		owner.Controller = nil // there can be but one
	}
	o.SetOwnerReferences(append(rest, owner))
}

// isBroker says whether an owner is a broker of the scope, be it a former one.
func (s scope) isBroker(r metav1.OwnerReference) bool {
	return r.Kind == s.BrokerKind() && r.APIVersion == v1beta1.GroupVersion.String()
}

// isOurs tells classes and plans that come from a catalog from those that a person made.
func (s scope) isOurs(o Object) bool {
	return slices.ContainsFunc(o.GetOwnerReferences(), s.isBroker)
}

// describeClass copies what a catalog says. What is a person's stays as it is.
func describeClass(c *v1beta1.CommonServiceClassSpec, s osb.Service) {
	c.ExternalName, c.ExternalID, c.Description = s.Name, s.ID, s.Description
	c.Bindable, c.PlanUpdatable = s.Bindable, s.PlanUpdateable
	c.BindingRetrievable, c.InstanceRetrievable, c.AllowContextUpdates = s.BindingsRetrievable, s.InstancesRetrievable, s.AllowContextUpdates
	c.Tags, c.Requires = s.Tags, s.Requires
	c.ExternalMetadata = freeForm(c.ExternalMetadata, s.Metadata)
}

func describePlan(p *v1beta1.CommonServicePlanSpec, from osb.Plan) {
	p.ExternalName, p.ExternalID, p.Description = from.Name, from.ID, from.Description
	p.Free, p.Bindable, p.PlanUpdatable, p.BindingRotatable = from.Free, from.Bindable, from.PlanUpdateable, from.BindingRotatable
	p.MaximumPollingDurationSeconds, p.MaintenanceInfo = nil, nil
	if d := from.MaximumPollingDuration; d > 0 {
		p.MaximumPollingDurationSeconds = new(int64(d / time.Second))
	}
	if m := from.MaintenanceInfo; m != nil {
		p.MaintenanceInfo = &v1beta1.MaintenanceInfo{Version: m.Version, Description: m.Description}
	}
	p.ExternalMetadata = freeForm(p.ExternalMetadata, from.Metadata)
	p.InstanceCreateParameterSchema = freeForm(p.InstanceCreateParameterSchema, from.CreateInstance)
	p.InstanceUpdateParameterSchema = freeForm(p.InstanceUpdateParameterSchema, from.UpdateInstance)
	p.ServiceBindingCreateParameterSchema = freeForm(p.ServiceBindingCreateParameterSchema, from.CreateBinding)
}

// freeForm is free-form JSON in the form in which the API server keeps it: what was not
// changed must not look changed. It is the old one if that is the same.
func freeForm(old *runtime.RawExtension, raw []byte) *runtime.RawExtension {
	if len(raw) == 0 {
		return nil
	}
	if kept := canonical(raw); old == nil || !bytes.Equal(kept, canonical(old.Raw)) {
		return &runtime.RawExtension{Raw: kept}
	}
	return old
}

// canonical is JSON with its keys in order and its numbers as the API server takes them.
func canonical(raw []byte) []byte {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return raw // the API server will say what is wrong with it
	}
	kept, err := json.Marshal(value)
	if err != nil {
		return raw
	}
	return kept
}
