// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package catalogsync compares a broker's catalog with the classes and plans in the cluster: it returns the desired
// objects, and the changes that lead to them.
package catalogsync

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/jsonparts"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Existing is the classes and plans of a broker that exist, by name. The objects belong to the cache.
type Existing struct {
	Classes map[string]v1beta1.Class
	Plans   map[string]v1beta1.Plan
}

// Desired is the classes and plans that a catalog leads to.
type Desired struct {
	// Classes and plans as they are desired: changed copies of existing ones, or new ones.
	Classes []v1beta1.Class
	Plans   []v1beta1.Plan
	// KeptClasses and KeptPlans stay unchanged, since the catalog has them in a form that cannot be used.
	KeptClasses []v1beta1.Class
	KeptPlans   []v1beta1.Plan
	// Missing has, for each part of the catalog that is left out, its name and the reason.
	Missing []string
	// Collides: some of it was left out because of another object, and may follow once that has changed.
	Collides bool
}

// Builder builds a selection from a catalog.
type Builder struct {
	Kinds
	Broker       v1beta1.Broker
	Restrictions catalog.Restrictions
	Existing     Existing
	// Owner returns the broker of an existing class or plan; "": the object does not exist.
	Owner   func(kind, name string) string
	desired Desired
	// unusable are the ids of classes and plans that stay unchanged.
	unusable []string
}

// Desire returns the classes and plans that a catalog leads to.
func Desire(b Builder, c *osbresult.Catalog) Desired {
	for _, problem := range c.Problems {
		b.miss("%s", problem)
	}
	for _, service := range c.Services {
		b.add(service)
	}
	b.keep(append(slices.Clone(c.LeftOut), b.unusable...))
	return b.desired
}

func (b *Builder) miss(format string, args ...any) {
	b.desired.Missing = append(b.desired.Missing, fmt.Sprintf(format, args...))
}

// add adds a service with its plans, unless the restrictions leave none of them.
func (b *Builder) add(service osbresult.Service) {
	class, problem := b.class(service)
	if !b.Restrictions.MatchesClass(class) {
		return
	}
	if problem != "" {
		b.miss("service %q: %s", rules.DisplayName(service.Name), problem)
		return
	}
	found := false
	for _, p := range service.Plans {
		plan, problem := b.plan(class, p)
		switch {
		case !b.Restrictions.MatchesPlan(plan):
		case problem != "":
			b.miss("plan %q of service %q: %s", rules.DisplayName(p.Name), rules.DisplayName(service.Name), problem)
		default:
			b.desired.Plans = append(b.desired.Plans, plan)
			found = true
		}
	}
	if found {
		b.desired.Classes = append(b.desired.Classes, class)
	}
}

// keep keeps the existing classes and plans of services that were left out: a mistake in a catalog removes nothing.
func (b *Builder) keep(ids []string) {
	leftOut := map[string]bool{}
	for _, id := range ids {
		leftOut[id] = true
	}
	chosen := map[string]bool{}
	for _, o := range b.desired.Classes {
		chosen["class "+o.GetName()] = true
	}
	for _, o := range b.desired.Plans {
		chosen["plan "+o.GetName()] = true
	}
	for name, class := range b.Existing.Classes {
		if b.IsOurs(class) && leftOut[class.Common().ExternalID] && !chosen["class "+name] {
			b.desired.KeptClasses = append(b.desired.KeptClasses, class)
		}
	}
	for name, plan := range b.Existing.Plans {
		class := b.Existing.Classes[plan.ClassName()]
		classRetained := class != nil && leftOut[class.Common().ExternalID] && !chosen["class "+plan.ClassName()]
		if b.IsOurs(plan) && (classRetained || leftOut[plan.Common().ExternalID]) && !chosen["plan "+name] {
			b.desired.KeptPlans = append(b.desired.KeptPlans, plan)
		}
	}
}

// class returns a service as a class, and why it cannot be used.
func (b *Builder) class(service osbresult.Service) (v1beta1.Class, string) {
	name := nameIn(b.Existing.Classes, service.ID)
	class, problem := takeOrMake(b, b.Existing.Classes, b.NewClass, b.ClassKind(), name)
	if id := class.Common().ExternalID; b.isOfAnother(class, id, service.ID) {
		problem = b.taken(b.ClassKind(), name, id)
	}
	describeClass(class.Common(), service)
	class.SetBrokerName(b.Broker.GetName())
	b.own(class)
	catalog.SetLabels(class, catalog.ClassLabels(class))
	return class, problem
}

// plan returns a plan of a catalog as a plan of a class, and why it cannot be used.
func (b *Builder) plan(class v1beta1.Class, p osbresult.Plan) (v1beta1.Plan, string) {
	name := nameIn(b.Existing.Plans, p.ID)
	plan, problem := takeOrMake(b, b.Existing.Plans, b.NewPlan, b.PlanKind(), name)
	if id := plan.Common().ExternalID; b.isOfAnother(plan, id, p.ID) {
		problem = b.taken(b.PlanKind(), name, id)
	} else if old := plan.ClassName(); old != "" && old != class.GetName() {
		problem = fmt.Sprintf("%s %s is of %s %s, and a plan cannot move to another service", b.PlanKind(), name, b.ClassKind(), old)
		b.unusable = append(b.unusable, p.ID)
	}
	describePlan(plan.Common(), p)
	plan.SetOwners(b.Broker.GetName(), class.GetName())
	b.own(plan)
	catalog.SetLabels(plan, catalog.PlanLabels(plan))
	return plan, problem
}

// isOfAnother reports whether an object under the name for id belongs to another id, has. An id that does not match the object's name
// was edited by a person, and is restored.
func (k Kinds) isOfAnother(o Object, has, id string) bool {
	return has != "" && has != id && (!k.IsOurs(o) || o.GetName() == has || o.GetName() == catalog.ObjectName(has))
}

// taken says that an object of the name has another id, and leaves it unchanged.
func (b *Builder) taken(kind, name, id string) string {
	b.unusable = append(b.unusable, id)
	b.desired.Collides = true
	return fmt.Sprintf("%s %s has another external id, %q", kind, name, rules.DisplayName(id))
}

// nameIn returns the name of the class or plan with an id. Objects of the original service-catalog may have the id as their name.
func nameIn[T Object](held map[string]T, id string) string {
	if _, ok := held[id]; ok {
		return id
	}
	return catalog.ObjectName(id)
}

// takeOrMake returns a copy of the object of a name, or a new one, and why it cannot be used.
func takeOrMake[T Object](b *Builder, held map[string]T, newObject func() T, kind, name string) (T, string) {
	if have, ok := held[name]; ok {
		return have.DeepCopyObject().(T), ""
	}
	object := newObject()
	object.SetName(name)
	object.SetNamespace(b.Broker.GetNamespace())
	if other := b.Owner(kind, name); other != "" {
		b.desired.Collides = true
		return object, fmt.Sprintf("%s %s of %s %q has the same id; it is left as it is", kind, name, b.BrokerKind(), other)
	}
	return object, ""
}

// own makes the broker an owner, so that the garbage collector deletes the object with it.
func (b *Builder) own(o Object) {
	owner := metav1.OwnerReference{
		APIVersion: v1beta1.GroupVersion.String(), Kind: b.BrokerKind(), Name: b.Broker.GetName(), UID: b.Broker.GetUID(),
		Controller: new(true), BlockOwnerDeletion: new(false),
	}
	rest := slices.DeleteFunc(slices.Clone(o.GetOwnerReferences()), b.isBroker)
	if slices.ContainsFunc(rest, func(r metav1.OwnerReference) bool { return ptr.Deref(r.Controller, false) }) {
		owner.Controller = nil // an object has one controller
	}
	o.SetOwnerReferences(append(rest, owner))
}

// isBroker reports whether an owner is a broker of the scope, also one that no longer exists.
func (k Kinds) isBroker(r metav1.OwnerReference) bool {
	return r.Kind == k.BrokerKind() && r.APIVersion == v1beta1.GroupVersion.String()
}

// IsOurs reports whether a class or plan comes from a catalog, and was not created by a person.
func (k Kinds) IsOurs(o Object) bool {
	return slices.ContainsFunc(o.GetOwnerReferences(), k.isBroker)
}

// describeClass copies the fields of a catalog. Fields that belong to people stay unchanged.
func describeClass(c *v1beta1.CommonServiceClassSpec, s osbresult.Service) {
	c.ExternalName, c.ExternalID, c.Description = s.Name, s.ID, s.Description
	c.Bindable, c.PlanUpdatable = s.Bindable, s.PlanUpdateable
	c.BindingRetrievable, c.InstanceRetrievable, c.AllowContextUpdates = s.BindingsRetrievable, s.InstancesRetrievable, s.AllowContextUpdates
	c.Tags, c.Requires = s.Tags, s.Requires
	c.ExternalMetadata = freeForm(c.ExternalMetadata, s.Metadata)
}

func describePlan(p *v1beta1.CommonServicePlanSpec, from osbresult.Plan) {
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

// freeForm returns free-form JSON in the form in which the API server stores it, so that an unchanged value does not look changed. It
// is old if the values are equal.
func freeForm(old *runtime.RawExtension, raw []byte) *runtime.RawExtension {
	if len(raw) == 0 {
		return nil
	}
	kept := canonical(raw)
	if old != nil && (bytes.Equal(kept, old.Raw) || bytes.Equal(kept, canonical(old.Raw))) { // the API server mostly returns canonical JSON
		return old
	}
	return &runtime.RawExtension{Raw: kept}
}

// maxDepth is how deep JSON from a catalog may be.
const maxDepth = 64

// canonical returns JSON with sorted keys and with numbers as the API server stores them. It decodes one name, text or number at a time: the JSON
// in a catalog may be large, and takes many times as much memory when it is decoded as a whole.
func canonical(raw []byte) []byte {
	var out bytes.Buffer
	if !json.Valid(raw) || writeCanonical(&out, raw, maxDepth) != nil {
		return raw // the API server refuses it with a message, or it is deeper than JSON from a catalog
	}
	return bytes.Clone(out.Bytes())
}

func writeCanonical(out *bytes.Buffer, text json.RawMessage, levels int) error {
	if levels < 0 {
		return errors.New("it is too deep")
	}
	switch text = bytes.TrimSpace(text); text[0] {
	case '{':
		return writeObject(out, text, levels)
	case '[':
		out.WriteByte('[')
		separator := ""
		for element := range jsonparts.Of(text) {
			out.WriteString(separator)
			separator = ","
			if err := writeCanonical(out, element, levels-1); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		return nil
	case '"':
		return writeText(out, text)
	case 't', 'f', 'n':
		out.Write(text)
		return nil
	}
	return writeNumber(out, string(text))
}

// writeNumber writes a number as the API server does, which keeps it as an int64 or a float64.
func writeNumber(out *bytes.Buffer, text string) error {
	if !strings.ContainsAny(text, ".eE") {
		if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
			out.Write(strconv.AppendInt(out.AvailableBuffer(), whole, 10))
			return nil
		}
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return err
	}
	switch size := math.Abs(number); {
	case size == 0: // also a negative zero, which the API server sends as -0 and then reads as a whole number
		out.WriteByte('0')
	case size < 1e-6 || size >= 1e21: // with an exponent
		return writeScalar(out, number)
	default:
		out.Write(strconv.AppendFloat(out.AvailableBuffer(), number, 'f', -1, 64))
	}
	return nil
}

// writeText writes a text; one without escapes is not decoded.
func writeText(out *bytes.Buffer, text json.RawMessage) error {
	if bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		json.HTMLEscape(out, text)
		return nil
	}
	var decoded string
	if err := json.Unmarshal(text, &decoded); err != nil {
		return err
	}
	return writeScalar(out, decoded)
}

func writeScalar(out *bytes.Buffer, scalar any) error {
	kept, err := json.Marshal(scalar)
	out.Write(kept)
	return err
}

func writeObject(out *bytes.Buffer, text json.RawMessage, levels int) error {
	type member struct {
		name  string
		value json.RawMessage
	}
	var members []member
	var name json.RawMessage
	for part := range jsonparts.Of(text) {
		if name == nil {
			name = part
			continue
		}
		m := member{value: part}
		if err := json.Unmarshal(name, &m.name); err != nil {
			return err
		}
		members, name = append(members, m), nil
	}
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	out.WriteByte('{')
	separator := ""
	for i, m := range members {
		if i+1 < len(members) && members[i+1].name == m.name {
			continue // the last one of a name counts
		}
		out.WriteString(separator)
		separator = ","
		if err := writeScalar(out, m.name); err != nil {
			return err
		}
		out.WriteByte(':')
		if err := writeCanonical(out, m.value, levels-1); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}
