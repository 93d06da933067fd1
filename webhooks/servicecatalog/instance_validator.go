// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-serviceinstance,mutating=false,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=create;update,versions=v1beta1,name=vserviceinstance.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-or-own-annotations-change","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec || ['made-id', 'deletion-policy', 'parameters-policy', 'schema-policy'].exists(a, object.metadata.?annotations[?'bellhop.gophernetes.io/' + a] != oldObject.metadata.?annotations[?'bellhop.gophernetes.io/' + a])"}]}`
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-serviceinstance,mutating=false,failurePolicy=ignore,sideEffects=None,groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=delete,versions=v1beta1,name=vserviceinstance-delete.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5

// instanceValidator refuses errors that the schema cannot find, and warns of the blocker of the instance.
type instanceValidator struct {
	knowledge
	access admission.Reviewer
}

func (v instanceValidator) ValidateCreate(ctx context.Context, i *v1beta1.ServiceInstance) (ctrladmission.Warnings, error) {
	ref, errs := catalog.ReferenceOf(i.Spec.PlanReference)
	if len(errs) > 0 {
		return (&findings{errs: errs}).result("ServiceInstance", i.Name)
	}
	var f findings
	f.refuse(checkDeletionPolicy(nil, i)...)
	f.refuse(checkParametersPolicy(nil, i)...)
	f.refuse(checkSchemaPolicy(nil, i)...)
	f.refuse(checkSize(i.Spec.Parameters)...)
	f.refuse(present(checkRequester(ctx, i.Spec.UserInfo), checkRecord(nil, "", i, i.Spec.ExternalID))...)
	checkID(ctx, &f, v.knowledge, i, i.Spec.ExternalID, v.index.InstancesWithID)
	v.checkRefs(ctx, &f, nil, i, ref)
	o := v.checkOffer(ctx, &f, i, ref)
	v.checkBroker(ctx, &f, ref, o)
	checkParameters(ctx, &f, i, o.plan, nextSchema(i, o.plan), i.Spec.Parameters, i.Spec.ParametersFrom)
	v.checkUses(ctx, &f, v.access, i.Namespace, sourceUses(nil, i.Spec.ParametersFrom), v.waitingBindings(ctx, &f, field.NewPath("metadata", "name"), i)...)
	return f.result("ServiceInstance", i.Name)
}

func (v instanceValidator) ValidateUpdate(ctx context.Context, old, i *v1beta1.ServiceInstance) (ctrladmission.Warnings, error) {
	var f findings
	ref, wrong := catalog.ReferenceOf(i.Spec.PlanReference)
	changes := userChanges(old.Spec, i.Spec)
	v.checkStored(ctx, &f, old, i, changes)
	first := len(wrong) == 0 && v.checkRefs(ctx, &f, old, i, ref)
	if !old.DeletionTimestamp.IsZero() {
		return f.result("ServiceInstance", i.Name) // the spec is no longer used
	}
	f.refuse(checkDeletionPolicy(old.Annotations, i)...)
	f.refuse(checkParametersPolicy(old.Annotations, i)...)
	f.refuse(checkSchemaPolicy(old.Annotations, i)...)
	if changes {
		f.refuse(wrong...)
	}
	if changes && len(wrong) == 0 {
		v.checkChange(ctx, &f, old, i, ref)
	}
	if first {
		v.checkUses(ctx, &f, v.access, i.Namespace, sourceUses(nil, i.Spec.ParametersFrom), v.waitingBindings(ctx, &f, specPath, i)...)
	} else {
		v.checkUses(ctx, &f, v.access, i.Namespace, sourceUses(old.Spec.ParametersFrom, i.Spec.ParametersFrom))
	}
	return f.result("ServiceInstance", i.Name)
}

// checkChange checks a user's changes of a spec.
func (v instanceValidator) checkChange(ctx context.Context, f *findings, old, i *v1beta1.ServiceInstance, ref catalog.Reference) {
	planChanges := old.Spec.PlanReference != i.Spec.PlanReference
	if planChanges {
		v.checkPlanChange(ctx, f, old, ref)
		v.checkOffer(ctx, f, i, ref)
	}
	if !equality.Semantic.DeepEqual(old.Spec.Parameters, i.Spec.Parameters) {
		f.refuse(checkSize(i.Spec.Parameters)...)
	}
	// An update sends parameters only if they change.
	if parametersChange(old.Spec, i.Spec) || planChanges && old.Status.ProvisionStatus != v1beta1.Provisioned {
		plan := v.instanceOffer(ctx, i).plan
		checkParameters(ctx, f, i, plan, nextSchema(old, plan), i.Spec.Parameters, i.Spec.ParametersFrom)
	}
}

// checkStored checks the fields that the defaulting webhook sets, as an update stores them.
func (v instanceValidator) checkStored(ctx context.Context, f *findings, old, i *v1beta1.ServiceInstance, changes bool) {
	if changes {
		f.refuse(present(checkRequester(ctx, i.Spec.UserInfo))...)
	} else {
		f.refuse(present(checkUser(i.Spec.UserInfo, old.Spec.UserInfo))...)
	}
	f.refuse(present(
		checkRecord(old.Annotations, old.Spec.ExternalID, i, i.Spec.ExternalID),
		checkHold(old, i, !equality.Semantic.DeepEqual(old.Spec, i.Spec)))...)
	if old.Spec.ExternalID == "" && i.Spec.ExternalID != "" {
		checkID(ctx, f, v.knowledge, i, i.Spec.ExternalID, v.index.InstancesWithID)
	}
}

// parametersChange reports whether the parameters that can be validated differ.
func parametersChange(old, spec v1beta1.ServiceInstanceSpec) bool {
	return !equality.Semantic.DeepEqual(old.Parameters, spec.Parameters) || (len(old.ParametersFrom) > 0) != (len(spec.ParametersFrom) > 0)
}

// ValidateDelete warns of the bindings that the deletion of the instance waits for.
func (v instanceValidator) ValidateDelete(ctx context.Context, i *v1beta1.ServiceInstance) (ctrladmission.Warnings, error) {
	isClean := i.Status.DeprovisionStatus == v1beta1.DeprovisionNotRequired || i.Status.DeprovisionStatus == v1beta1.DeprovisionSucceeded
	if isClean || !catalog.WaitsForBindings(i) || !v.synced(ctx, &v1beta1.ServiceBinding{}) {
		return nil, nil
	}
	bindings, err := v.index.Bindings(ctx, client.ObjectKeyFromObject(i))
	bindings = slices.DeleteFunc(slices.Clone(bindings), func(b *v1beta1.ServiceBinding) bool { return !b.DeletionTimestamp.IsZero() })
	if err != nil || len(bindings) == 0 {
		return nil, nil //nolint:nilerr // a warning is not worth a refusal
	}
	return ctrladmission.Warnings{fmt.Sprintf("ServiceInstance %q stays until its ServiceBindings are gone: %s", i.Name, someNames(bindings))}, nil
}

// nextSchema returns the schema for the next request to the broker: the schema of provisioning until the instance is provisioned.
func nextSchema(old *v1beta1.ServiceInstance, plan v1beta1.Plan) *runtime.RawExtension {
	switch {
	case plan == nil:
		return nil
	case old.Status.ProvisionStatus == v1beta1.Provisioned:
		return plan.Common().InstanceUpdateParameterSchema
	default:
		return plan.Common().InstanceCreateParameterSchema
	}
}

// checkOffer warns of a class or plan that does not exist yet, and refuses an ambiguous one.
func (v instanceValidator) checkOffer(ctx context.Context, f *findings, i *v1beta1.ServiceInstance, ref catalog.Reference) offer {
	o := v.offerOf(ctx, i, ref)
	path := ref.ClassPath()
	if o.class != nil {
		path = ref.PlanPath()
	}
	switch {
	case o.unknown != "":
		f.warn("%s was not checked: %s", path, o.unknown)
		if o.instead != "" {
			f.warn("%s: %s", path, o.instead)
		}
		return o
	case o.problem == nil:
		warnIfGone(f, o, ref)
		return o
	}
	message := o.problem.Error() + v.suggestions(ctx, i.Namespace, ref, o)
	switch {
	case ref.Plan != "":
		f.warn("%s: the ServiceInstance will wait: %s", path, message)
	case o.class != nil:
		f.refuse(field.Required(path, message))
	default:
		f.refuse(field.Invalid(path, ref.Class, message+"; so no plan can be chosen, and none is named"))
	}
	return o
}

// checkBroker warns of a broker that accepts no new instances.
func (v instanceValidator) checkBroker(ctx context.Context, f *findings, ref catalog.Reference, o offer) {
	if o.class == nil {
		return
	}
	if broker, err := v.index.BrokerOf(ctx, o.class); err == nil && !broker.GetDeletionTimestamp().IsZero() {
		f.warn("%s: the ServiceInstance will wait: %s %q, which offers it, is being deleted", ref.ClassPath(), ref.Scope.BrokerKind(), broker.GetName())
	}
}

// warnIfGone warns of a class or plan that the broker no longer offers.
func warnIfGone(f *findings, o offer, ref catalog.Reference) {
	if o.class.CommonStatus().RemovedFromBrokerCatalog {
		f.warn("%s: the broker's catalog does not have %q any more", ref.ClassPath(), ref.Class)
	}
	if o.plan.CommonStatus().RemovedFromBrokerCatalog {
		f.warn("%s: the broker's catalog does not have %q any more", ref.PlanPath(), ref.Plan)
	}
}

// checkPlanChange refuses a change of the plan that the broker does not support. Until the instance is provisioned, any plan can be
// named, unless an operation is in progress.
func (v instanceValidator) checkPlanChange(ctx context.Context, f *findings, old *v1beta1.ServiceInstance, ref catalog.Reference) {
	if old.Status.ProvisionStatus != v1beta1.Provisioned && !old.Status.AsyncOpInProgress {
		return
	}
	o := v.instanceOffer(ctx, old)
	switch {
	case o.class == nil:
		f.warn("%s: whether the plan can be changed was not checked: the class is not known", ref.PlanPath())
		return
	case mayLeave(o):
		return
	}
	of := fmt.Sprintf("%q", ref.NamedBy.OfClass(o.class))
	if o.plan != nil {
		of = fmt.Sprintf("plan %q of %s", ref.NamedBy.OfPlan(o.plan), of)
	}
	f.refuse(field.Forbidden(ref.PlanPath(), fmt.Sprintf("instances of %s cannot change their plan: create another ServiceInstance with the plan %q", of, ref.Plan)))
}

// mayLeave reports whether instances of the plan can change to another plan.
func mayLeave(o offer) bool {
	if o.plan == nil {
		return o.class.Common().PlanUpdatable
	}
	return catalog.EffectiveOf(o.class, o.plan).PlanUpdatable
}
