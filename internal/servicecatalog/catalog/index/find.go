// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// NotFoundError is returned where the object does not exist.
type NotFoundError struct {
	// Kind of the objects that were looked for.
	Kind string
	// What describes the object: its name, or another field and its value.
	What string
	// Instead is a hint at similar objects that exist; empty: there are none.
	Instead string
	// Unread names a broker that may still bring it; empty: none.
	Unread string
}

// Error is for people.
func (e *NotFoundError) Error() string {
	message := fmt.Sprintf("there is no %s %s", e.Kind, e.What)
	if e.Instead != "" {
		message += "; " + e.Instead
	}
	if e.Unread != "" {
		message += "; when it was looked for, " + e.Unread
	}
	return message
}

// AmbiguousError is returned where several objects match, and one is needed.
type AmbiguousError struct {
	// Kind of the objects that were looked for.
	Kind string
	// What describes the object: its name, or another field and its value.
	What string
	// Names of the matches, sorted, as values of the field that Choose names; classes with their brokers.
	Names []string
	// Choose says how to choose.
	Choose string
}

// Error is for people.
func (e *AmbiguousError) Error() string {
	const shown = 10
	names, more := e.Names, ""
	if len(names) > shown {
		names, more = names[:shown], fmt.Sprintf(" and %d more", len(e.Names)-shown)
	}
	return fmt.Sprintf("there is more than one %s %s: %s%s; %s", e.Kind, e.What, strings.Join(names, ", "), more, e.Choose)
}

// IsNotFound reports whether an error is, or wraps, a NotFoundError.
func IsNotFound(err error) bool { return errors.As(err, new(*NotFoundError)) }

// IsAmbiguous reports whether an error is, or wraps, an AmbiguousError.
func IsAmbiguous(err error) bool { return errors.As(err, new(*AmbiguousError)) }

// get reads an object by name.
func get[T client.Object](ctx context.Context, cache client.Reader, kind string, scope catalog.Scope, namespace, name string, obj T) (none T, err error) {
	key := client.ObjectKey{Namespace: namespaceOf(scope, namespace), Name: name}
	err = cache.Get(ctx, key, obj, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return none, &NotFoundError{Kind: kind, What: fmt.Sprintf("%q", name)}
	}
	if err != nil {
		return none, err
	}
	return obj, nil
}

// BrokerNamed returns the broker with a name.
func (ix Index) BrokerNamed(ctx context.Context, scope catalog.Scope, namespace, name string) (v1beta1.Broker, error) {
	var broker v1beta1.Broker = &v1beta1.ServiceBroker{}
	if scope == catalog.Cluster {
		broker = &v1beta1.ClusterServiceBroker{}
	}
	return get(ctx, ix.Cache, scope.BrokerKind(), scope, namespace, name, broker)
}

// ClassNamed returns the class with a name.
func (ix Index) ClassNamed(ctx context.Context, scope catalog.Scope, namespace, name string) (v1beta1.Class, error) {
	var class v1beta1.Class = &v1beta1.ServiceClass{}
	if scope == catalog.Cluster {
		class = &v1beta1.ClusterServiceClass{}
	}
	return get(ctx, ix.Cache, scope.ClassKind(), scope, namespace, name, class)
}

// PlanNamed returns the plan with a name.
func (ix Index) PlanNamed(ctx context.Context, scope catalog.Scope, namespace, name string) (v1beta1.Plan, error) {
	var plan v1beta1.Plan = &v1beta1.ServicePlan{}
	if scope == catalog.Cluster {
		plan = &v1beta1.ClusterServicePlan{}
	}
	return get(ctx, ix.Cache, scope.PlanKind(), scope, namespace, name, plan)
}

// BrokerOf returns the broker of a class.
func (ix Index) BrokerOf(ctx context.Context, class v1beta1.Class) (v1beta1.Broker, error) {
	return ix.BrokerNamed(ctx, catalog.ScopeOf(class), class.GetNamespace(), class.BrokerName())
}

// Broker returns the broker in the status of an instance of a namespace.
func (ix Index) Broker(ctx context.Context, namespace string, ref v1beta1.BrokerReference) (v1beta1.Broker, error) {
	return ix.BrokerNamed(ctx, catalog.ScopeOfBroker(ref.Kind), namespace, ref.Name)
}

// ClassOf returns the class of an instance's references; nil: it has none.
func (ix Index) ClassOf(ctx context.Context, instance *v1beta1.ServiceInstance) (v1beta1.Class, error) {
	for _, scope := range catalog.Scopes {
		if name := catalog.RefsOf(&instance.Spec, scope).Class; name != "" {
			class, err := ix.ClassNamed(ctx, scope, instance.Namespace, name)
			return class, withReference(err, instance, catalog.Reference.ClassString)
		}
	}
	return nil, nil
}

// withReference adds to a NotFoundError how the spec names the class or plan; the references of an instance have only its object's name.
func withReference(err error, instance *v1beta1.ServiceInstance, text func(catalog.Reference) string) error {
	missing, ok := errors.AsType[*NotFoundError](err)
	if !ok {
		return err
	}
	if ref, wrong := catalog.ReferenceOf(instance.Spec.PlanReference); len(wrong) == 0 {
		missing.What += fmt.Sprintf(" (%s)", text(ref))
	}
	return err
}

// PlanOf returns the plan of an instance's references; nil: it has none.
func (ix Index) PlanOf(ctx context.Context, instance *v1beta1.ServiceInstance) (v1beta1.Plan, error) {
	for _, scope := range catalog.Scopes {
		if name := catalog.RefsOf(&instance.Spec, scope).Plan; name != "" {
			plan, err := ix.PlanNamed(ctx, scope, instance.Namespace, name)
			return plan, withReference(err, instance, catalog.Reference.PlanString)
		}
	}
	return nil, nil
}

// Class returns the class that a reference in a namespace names.
func (ix Index) Class(ctx context.Context, namespace string, ref catalog.Reference) (v1beta1.Class, error) {
	class, err := ix.class(ctx, namespace, ref)
	if missing, ok := errors.AsType[*NotFoundError](err); ok {
		missing.Instead, missing.Unread = ix.inOtherScope(ctx, namespace, ref), ix.Unread(ctx, ref.Scope, namespace)
	}
	return class, err
}

// inOtherScope returns a hint if the reference would name a class in the other scope; empty: it would not.
func (ix Index) inOtherScope(ctx context.Context, namespace string, ref catalog.Reference) string {
	for _, scope := range catalog.Scopes {
		if scope == ref.Scope {
			continue
		}
		ref.Scope = scope
		if _, err := ix.class(ctx, namespace, ref); err == nil || IsAmbiguous(err) {
			return fmt.Sprintf("there is a %s with %s: create a ServiceInstance with this field, and name the plan with %s", scope.ClassKind(), ref.ClassString(), ref.PlanField())
		}
	}
	return ""
}

// Unread names a broker whose catalog was not read yet, so that it may offer the class that is looked for; empty: all catalogs were read.
func (ix Index) Unread(ctx context.Context, scope catalog.Scope, namespace string) string {
	brokers, err := ix.Brokers(ctx, scope, namespace)
	if err != nil {
		return err.Error()
	}
	for _, b := range brokers {
		if b.CommonStatus().LastCatalogRetrievalTime == nil {
			return fmt.Sprintf("the catalog of %s %q was not read yet", scope.BrokerKind(), b.GetName())
		}
	}
	return ""
}

func (ix Index) class(ctx context.Context, namespace string, ref catalog.Reference) (v1beta1.Class, error) {
	var found []v1beta1.Class
	var err error
	switch ref.NamedBy {
	case catalog.ByExternalName:
		found, err = ix.classes(ctx, ref.Scope, named(namespaceOf(ref.Scope, namespace), byExternalName, ref.Class)...)
	case catalog.ByExternalID:
		found, err = ix.classes(ctx, ref.Scope, named(namespaceOf(ref.Scope, namespace), byExternalID, ref.Class)...)
	default:
		return ix.ClassNamed(ctx, ref.Scope, namespace, ref.Class)
	}
	if err != nil {
		return nil, err
	}
	found = preferOffered(found, v1beta1.Class.CommonStatus, isRemovedClass)
	return exactlyOne(found, ref.Scope.ClassKind(), "with "+ref.ClassString(), chooseForNewInstance(byName(ref).ClassField()),
		func(c v1beta1.Class) string { return fmt.Sprintf("%s (of broker %s)", c.GetName(), c.BrokerName()) })
}

// byName returns a reference of the same scope that names the objects themselves.
func byName(ref catalog.Reference) catalog.Reference {
	return catalog.Reference{Scope: ref.Scope, NamedBy: catalog.ByName}
}

// chooseForNewInstance says how to choose by a field that an existing instance cannot get any more.
func chooseForNewInstance(field string) string {
	return "make a ServiceInstance that names one of them with " + field
}

// Plan returns the plan of a class that ref names. A plan in the catalog takes precedence over a removed one. If ref names no plan, it returns the
// only one in the catalog.
func (ix Index) Plan(ctx context.Context, class v1beta1.Class, ref catalog.Reference) (v1beta1.Plan, error) {
	plans, err := ix.PlansOf(ctx, class)
	if err != nil {
		return nil, err
	}
	all := plans
	plans = slices.DeleteFunc(slices.Clone(all), func(p v1beta1.Plan) bool { return !ref.MatchesPlan(p) })
	kind, of := ref.Scope.PlanKind(), fmt.Sprintf("of %s %q", ref.Scope.ClassKind(), ref.NamedBy.OfClass(class))
	if ref.Plan != "" {
		plans = preferOffered(plans, v1beta1.Plan.CommonStatus, isRemovedPlan)
		plan, err := exactlyOne(plans, kind, "with "+ref.PlanString()+" "+of, chooseForNewInstance(byName(ref).PlanField()), catalog.ByName.OfPlan)
		if missing, ok := errors.AsType[*NotFoundError](err); ok {
			missing.Instead = similarPlans(ctx, ref, all)
		}
		return plan, err
	}
	plans = slices.DeleteFunc(plans, func(p v1beta1.Plan) bool { return p.CommonStatus().RemovedFromBrokerCatalog })
	return exactlyOne(plans, kind, of, "name one of them with "+ref.PlanField(), ref.NamedBy.OfPlan)
}

// similarPlans returns names of offered plans that are similar to the name that was not found.
func similarPlans(ctx context.Context, ref catalog.Reference, plans []v1beta1.Plan) string {
	var names []string
	for _, p := range plans {
		if !p.CommonStatus().RemovedFromBrokerCatalog {
			names = append(names, ref.NamedBy.OfPlan(p))
		}
	}
	similar := catalog.Closest(ctx, ref.Plan, names)
	if len(similar) == 0 {
		return ""
	}
	return "the catalog has " + strings.Join(similar, ", ")
}

func isRemovedClass(s *v1beta1.ServiceClassStatus) bool { return s.RemovedFromBrokerCatalog }

func isRemovedPlan(s *v1beta1.ServicePlanStatus) bool { return s.RemovedFromBrokerCatalog }

// preferOffered drops classes or plans that the broker no longer offers, unless no others are left. A catalog may replace a service by another of
// the same name, and the old class stays until its last instance is gone.
func preferOffered[T any, S any](found []T, status func(T) S, isRemoved func(S) bool) []T {
	var offered []T
	for _, f := range found {
		if !isRemoved(status(f)) {
			offered = append(offered, f)
		}
	}
	if len(offered) > 0 {
		return offered
	}
	return found
}

// exactlyOne returns the only match. If there are several, the error lists them: name returns the value to choose each by.
func exactlyOne[T any](found []T, kind, what, choose string, name func(T) string) (none T, err error) {
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return none, &NotFoundError{Kind: kind, What: what}
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = name(f)
	}
	slices.Sort(names)
	return none, &AmbiguousError{Kind: kind, What: what, Names: names, Choose: choose}
}
