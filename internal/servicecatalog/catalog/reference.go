// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// NamedBy is how a plan reference names class and plan.
type NamedBy string

const (
	// ByExternalName: by their names in the catalog.
	ByExternalName NamedBy = "ExternalName"
	// ByExternalID: by their ids in the catalog.
	ByExternalID NamedBy = "ExternalID"
	// ByName: by the names of the objects.
	ByName NamedBy = "Name"
)

// Reference is a PlanReference in one form.
type Reference struct {
	Scope   Scope
	NamedBy NamedBy
	// Class is the value of the field for the class.
	Class string
	// Plan is the value of the field for the plan; empty: the class's only plan.
	Plan string
}

// slot is a pair of fields of a PlanReference.
type slot struct {
	Reference
	class, plan *string
}

func slotsOf(spec *v1beta1.PlanReference) []slot {
	slots := []slot{
		{Reference{Scope: Cluster, NamedBy: ByExternalName}, &spec.ClusterServiceClassExternalName, &spec.ClusterServicePlanExternalName},
		{Reference{Scope: Cluster, NamedBy: ByExternalID}, &spec.ClusterServiceClassExternalID, &spec.ClusterServicePlanExternalID},
		{Reference{Scope: Cluster, NamedBy: ByName}, &spec.ClusterServiceClassName, &spec.ClusterServicePlanName},
		{Reference{Scope: Namespaced, NamedBy: ByExternalName}, &spec.ServiceClassExternalName, &spec.ServicePlanExternalName},
		{Reference{Scope: Namespaced, NamedBy: ByExternalID}, &spec.ServiceClassExternalID, &spec.ServicePlanExternalID},
		{Reference{Scope: Namespaced, NamedBy: ByName}, &spec.ServiceClassName, &spec.ServicePlanName},
	}
	for i := range slots {
		slots[i].Class, slots[i].Plan = *slots[i].class, *slots[i].plan
	}
	return slots
}

// ReferenceOf reads a PlanReference. The paths of its errors are below "spec".
func ReferenceOf(spec v1beta1.PlanReference) (Reference, field.ErrorList) {
	var used []slot
	for _, s := range slotsOf(&spec) {
		if s.Class != "" || s.Plan != "" {
			used = append(used, s)
		}
	}
	if len(used) == 0 {
		return Reference{}, field.ErrorList{field.Required(field.NewPath("spec"), "must name a class, with one of "+fields(slotsOf(&spec), Reference.ClassField))}
	}
	if first, last := used[0], used[len(used)-1]; first.Scope != last.Scope {
		return Reference{}, everySet(used, "cannot be combined with fields of the other scope: name class and plan either of the cluster or of the namespace, not both")
	}
	classes, plans := filled(used, Reference.class), filled(used, Reference.plan)
	var errs field.ErrorList
	switch {
	case len(classes) == 0:
		errs = append(errs, field.Required(plans[0].ClassPath(), "must name the class of the plan that "+plans[0].PlanField()+" names"))
	case len(classes) > 1:
		for _, s := range classes {
			errs = append(errs, field.Invalid(s.ClassPath(), s.Class, "must be the only one that names the class: of "+fields(classes, Reference.ClassField)+" leave all but one out"))
		}
	}
	switch {
	case len(plans) > 1:
		for _, s := range plans {
			errs = append(errs, field.Invalid(s.PlanPath(), s.Plan, "must be the only one that names the plan: of "+fields(plans, Reference.PlanField)+" leave all but one out"))
		}
	case len(classes) == 1 && len(plans) == 1 && classes[0].NamedBy != plans[0].NamedBy:
		errs = append(errs, field.Required(classes[0].PlanPath(), fmt.Sprintf("must name the plan, in place of %s, since %s names the class", plans[0].PlanField(), classes[0].ClassField())))
	}
	if len(errs) > 0 {
		return Reference{}, errs
	}
	return used[0].Reference, nil
}

func everySet(slots []slot, detail string) (errs field.ErrorList) {
	for _, s := range slots {
		if s.Class != "" {
			errs = append(errs, field.Invalid(s.ClassPath(), s.Class, detail))
		}
		if s.Plan != "" {
			errs = append(errs, field.Invalid(s.PlanPath(), s.Plan, detail))
		}
	}
	return errs
}

func filled(slots []slot, part func(Reference) string) (with []slot) {
	for _, s := range slots {
		if part(s.Reference) != "" {
			with = append(with, s)
		}
	}
	return with
}

func fields(slots []slot, name func(Reference) string) string {
	names := make([]string, len(slots))
	for i, s := range slots {
		names[i] = name(s.Reference)
	}
	return strings.Join(names, ", ")
}

func (r Reference) class() string { return r.Class }
func (r Reference) plan() string  { return r.Plan }

// ClassField returns the JSON name of the field for the class.
func (r Reference) ClassField() string { return lowerFirst(r.Scope.ClassKind() + string(r.NamedBy)) }

// PlanField returns the JSON name of the field for the plan.
func (r Reference) PlanField() string { return lowerFirst(r.Scope.PlanKind() + string(r.NamedBy)) }

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// ClassPath returns the path of the field for the class.
func (r Reference) ClassPath() *field.Path { return field.NewPath("spec", r.ClassField()) }

// PlanPath returns the path of the field for the plan.
func (r Reference) PlanPath() *field.Path { return field.NewPath("spec", r.PlanField()) }

// NamePlan sets the plan in spec, in the form of the reference, for a defaulted plan.
func (r Reference) NamePlan(spec *v1beta1.PlanReference, plan v1beta1.Plan) {
	for _, s := range slotsOf(spec) {
		if s.Scope == r.Scope && s.NamedBy == r.NamedBy {
			*s.plan = r.NamedBy.OfPlan(plan)
		}
	}
}

// ReferencesTo returns all references that name a class, without a plan.
func ReferencesTo(class v1beta1.Class) []Reference {
	refs := make([]Reference, 0, 3)
	for _, by := range []NamedBy{ByExternalName, ByExternalID, ByName} {
		refs = append(refs, Reference{
			Scope:   ScopeOf(class),
			NamedBy: by,
			Class:   by.OfClass(class),
		})
	}
	return refs
}

// Changed reports whether class and plan differ between two references. A reference in another form is to another class and plan.
func Changed(old, updated Reference) (class, plan bool) {
	form := old.Scope != updated.Scope || old.NamedBy != updated.NamedBy
	return form || old.Class != updated.Class, form || old.Plan != updated.Plan
}

// MatchesPlan reports whether the reference names a plan of its class, or no plan at all.
func (r Reference) MatchesPlan(plan v1beta1.Plan) bool {
	return r.Scope == ScopeOf(plan) && (r.Plan == "" || r.Plan == r.NamedBy.OfPlan(plan))
}

// OfClass returns the value that names a class in this form.
func (n NamedBy) OfClass(class v1beta1.Class) string {
	return n.of(class.GetName(), class.Common().ExternalName, class.Common().ExternalID)
}

// OfPlan returns the value that names a plan in this form.
func (n NamedBy) OfPlan(plan v1beta1.Plan) string {
	return n.of(plan.GetName(), plan.Common().ExternalName, plan.Common().ExternalID)
}

func (n NamedBy) of(name, externalName, externalID string) string {
	switch n {
	case ByExternalName:
		return externalName
	case ByExternalID:
		return externalID
	default:
		return name
	}
}

// UserSpecifiedClassName returns status.userSpecifiedClassName.
func (r Reference) UserSpecifiedClassName() string { return r.Scope.ClassKind() + "/" + r.Class }

// UserSpecifiedPlanName returns status.userSpecifiedPlanName.
func (r Reference) UserSpecifiedPlanName() string { return r.Plan }

// String returns class/plan.
func (r Reference) String() string { return r.Class + "/" + r.Plan }

// ClassString returns the class with its field, such as clusterServiceClassExternalName "x".
func (r Reference) ClassString() string { return fmt.Sprintf("%s %q", r.ClassField(), r.Class) }

// PlanString returns the plan with its field, such as clusterServicePlanExternalName "y".
func (r Reference) PlanString() string { return fmt.Sprintf("%s %q", r.PlanField(), r.Plan) }
