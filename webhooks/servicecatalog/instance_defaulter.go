// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Metadata-only updates, and the removal of the finalizer and nothing else, do not reach the webhook, and pass while the operator
// is down; changes of the operator's annotations do.
// +kubebuilder:webhook:path=/mutate-servicecatalog-k8s-io-v1beta1-serviceinstance,mutating=true,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=create;update,versions=v1beta1,name=mserviceinstance.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-or-own-annotations-change","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec || ['made-id', 'deletion-policy', 'parameters-policy', 'schema-policy'].exists(a, object.metadata.?annotations[?'bellhop.gophernetes.io/' + a] != oldObject.metadata.?annotations[?'bellhop.gophernetes.io/' + a])"}]}`

// instanceDefaulter sets the fields that would otherwise cost a write after the creation: finalizer, id and references.
type instanceDefaulter struct {
	knowledge
	decoder ctrladmission.Decoder
	now     func() time.Time
}

func (d instanceDefaulter) Default(ctx context.Context, i *v1beta1.ServiceInstance) error {
	user, err := requester(ctx)
	if err != nil {
		return err
	}
	old := &v1beta1.ServiceInstance{}
	updating, err := oldOf(ctx, d.decoder, old)
	switch {
	case err != nil:
		return err
	case updating:
		return d.update(ctx, old, i, user)
	default:
		d.create(ctx, i, user)
	}
	return nil
}

func (d instanceDefaulter) create(ctx context.Context, i *v1beta1.ServiceInstance, user *v1beta1.UserInfo) {
	controllerutil.AddFinalizer(i, v1beta1.Finalizer)
	giveID(i, &i.Spec.ExternalID, d.now())
	i.Spec.UserInfo = user
	catalog.SetRefs(&i.Spec, "", catalog.Refs{})
	if ref, errs := catalog.ReferenceOf(i.Spec.PlanReference); len(errs) == 0 {
		d.resolve(ctx, i, ref)
	}
}

func (d instanceDefaulter) update(ctx context.Context, old, i *v1beta1.ServiceInstance, user *v1beta1.UserInfo) error {
	changes := !equality.Semantic.DeepEqual(old.Spec, i.Spec)
	keepHold(old, i, changes)
	keepRecord(old, i, old.Spec.ExternalID)
	if !changes {
		return nil
	}
	spec := &i.Spec
	spec.ExternalID = cmp.Or(spec.ExternalID, old.Spec.ExternalID)
	spec.UpdateRequests = cmp.Or(spec.UpdateRequests, old.Spec.UpdateRequests)
	ref, errs := catalog.ReferenceOf(spec.PlanReference)
	if len(errs) > 0 {
		return nil // the schema refuses it
	}
	ref = keepPlan(old.Spec, spec, ref)
	spec.UserInfo = old.Spec.UserInfo
	if userChanges(old.Spec, *spec) {
		spec.UserInfo = user
	}
	// The controller sets references. A user neither changes them, which would name another plan than the spec does, nor removes them: a
	// manifest that replaces the object lacks them. So new ones count as far as the catalog has them under the names in the spec.
	asked, kept := catalog.RefsOf(spec, ref.Scope), refsAfter(old.Spec, *spec, ref.Scope)
	if asked != kept && asked != (catalog.Refs{}) {
		named, err := d.refsTo(ctx, i.Namespace, ref, kept)
		if err != nil {
			return fmt.Errorf("looking up what the references are to: %w", err)
		}
		if asked == named {
			kept = named
		}
	}
	catalog.SetRefs(spec, ref.Scope, kept)
	if old.DeletionTimestamp.IsZero() {
		d.resolve(ctx, i, ref)
	}
	return nil
}

// refsAfter returns the references that stay after an update: to the class, and to the plan unless another plan is named.
func refsAfter(old, spec v1beta1.ServiceInstanceSpec, scope catalog.Scope) catalog.Refs {
	r := catalog.RefsOf(&old, scope)
	if old.PlanReference != spec.PlanReference {
		r.Plan = ""
	}
	return r
}

// userChanges reports whether an update changes a field that belongs to the user. The id is immutable, unless it was empty.
func userChanges(old, spec v1beta1.ServiceInstanceSpec) bool {
	old.ExternalID = spec.ExternalID
	return !equality.Semantic.DeepEqual(usersOwn(old), usersOwn(spec))
}

// usersOwn returns the part of a spec that belongs to the user.
func usersOwn(spec v1beta1.ServiceInstanceSpec) v1beta1.ServiceInstanceSpec {
	catalog.SetRefs(&spec, "", catalog.Refs{})
	spec.UserInfo = nil
	return spec
}

// keepPlan restores the name of the plan where an update omits it: it may have been defaulted, and the manifest lacks it.
func keepPlan(old v1beta1.ServiceInstanceSpec, spec *v1beta1.ServiceInstanceSpec, ref catalog.Reference) catalog.Reference {
	before, errs := catalog.ReferenceOf(old.PlanReference)
	if class, _ := catalog.Changed(before, ref); len(errs) > 0 || class || ref.Plan != "" {
		return ref
	}
	spec.PlanReference = old.PlanReference
	return before
}

// resolve defaults the plan of a class with only one, and sets missing references, from the caches.
func (d instanceDefaulter) resolve(ctx context.Context, i *v1beta1.ServiceInstance, ref catalog.Reference) {
	has := catalog.RefsOf(&i.Spec, ref.Scope)
	if has.Class == "" || has.Plan == "" {
		o := d.offerOf(ctx, i, ref)
		if o.plan != nil && ref.Plan == "" {
			ref.NamePlan(&i.Spec.PlanReference, o.plan)
		}
		known := o.refs()
		catalog.SetRefs(&i.Spec, ref.Scope, catalog.Refs{Class: cmp.Or(has.Class, known.Class), Plan: cmp.Or(has.Plan, known.Plan)})
	}
	catalog.SetLabels(i, catalog.InstanceLabels(i))
}
