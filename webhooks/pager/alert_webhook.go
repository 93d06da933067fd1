// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"context"
	"fmt"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

// Metadata-only updates do not reach the webhook, and pass while the operator is down, except for a new annotation of the operator,
// which v1beta1 refuses. One that was set while the operator was down has no effect.
// +kubebuilder:webhook:path=/mutate-pager-k8s-co-v1beta1-alert,mutating=true,failurePolicy=ignore,sideEffects=None,groups=pager.k8s.co,resources=alerts,verbs=create,versions=v1beta1,name=malert.pager.k8s.co,admissionReviewVersions=v1,timeoutSeconds=5
// +kubebuilder:webhook:path=/validate-pager-k8s-co-v1beta1-alert,mutating=false,failurePolicy=ignore,sideEffects=None,groups=pager.k8s.co,resources=alerts,verbs=create;update,versions=v1beta1,name=valert.pager.k8s.co,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"content-changes","expression":"request.operation == 'CREATE' || object.spec != oldObject.spec || (has(object.metadata.annotations) && 'pager.k8s.co/title' in object.metadata.annotations && !(has(oldObject.metadata.annotations) && 'pager.k8s.co/title' in oldObject.metadata.annotations && oldObject.metadata.annotations['pager.k8s.co/title'] == object.metadata.annotations['pager.k8s.co/title']))"}]}`

// alertDefaulter adds the finalizer at creation, so that it costs no write.
type alertDefaulter struct{}

func (alertDefaulter) Default(_ context.Context, a *v1beta1.Alert) error {
	controllerutil.AddFinalizer(a, v1beta1.AlertFinalizer)
	return nil
}

// alertValidator refuses mistakes that the schema cannot refuse, and warns of problems that block the Alert.
type alertValidator struct{ knowledge }

const (
	// maxTitle is the schema's limit of a title, in characters; the schema of v1alpha1 does not see the annotation.
	maxTitle = 256
	// maxReceivers is the schema's limit of references. The webhook's other clients are not subject to it.
	maxReceivers = 16
)

func (v alertValidator) ValidateCreate(ctx context.Context, a *v1beta1.Alert) (ctrladmission.Warnings, error) {
	return v.validate(ctx, nil, a)
}

func (v alertValidator) ValidateUpdate(ctx context.Context, old, a *v1beta1.Alert) (ctrladmission.Warnings, error) {
	return v.validate(ctx, old, a)
}

func (alertValidator) ValidateDelete(context.Context, *v1beta1.Alert) (ctrladmission.Warnings, error) {
	return nil, nil
}

func (v alertValidator) validate(ctx context.Context, old, a *v1beta1.Alert) (ctrladmission.Warnings, error) {
	var errs field.ErrorList
	title := field.NewPath("metadata", "annotations").Key(v1beta1.TitleAnnotation)
	if utf8.RuneCountInString(a.Spec.Title) > maxTitle {
		errs = append(errs, field.TooLongCharacters(title, a.Spec.Title, maxTitle))
	}
	if value, ok := a.Annotations[v1beta1.TitleAnnotation]; ok && !hadTitle(old, value) {
		errs = append(errs, field.Forbidden(title, fmt.Sprintf("it is the title of an Alert of v1alpha1; in v1beta1 set spec.title: %q", value)))
	}
	if len(errs) > 0 {
		return nil, admission.Invalid(v1beta1.GroupVersion.WithKind("Alert").GroupKind(), a.Name, errs)
	}
	warnings := append(v.receiverWarnings(ctx, a), kindWarnings(a)...)
	if old != nil && isFiring(old) && isFiring(a) && !ptr.Equal(old.Spec.ExpireAfterSeconds, a.Spec.ExpireAfterSeconds) {
		warnings = append(warnings, "spec.expireAfterSeconds counts from when the Alert began to fire, not from this change")
	}
	if tool := alertrules.TrackedBy(a); tool != "" && a.Spec.TTLSecondsAfterFinished != nil {
		warnings = append(warnings, fmt.Sprintf("spec.ttlSecondsAfterFinished has no effect: %s tracks this Alert and would re-create it and send it again", tool))
	}
	return admission.Warnings(warnings), nil
}

// isFiring reports whether the Alert fires: once it fires again, its expiry counts from then.
func isFiring(a *v1beta1.Alert) bool { return a.Spec.State != v1beta1.AlertResolved }

// hadTitle reports whether the annotation had that value before.
func hadTitle(old *v1beta1.Alert, value string) bool {
	if old == nil {
		return false
	}
	before, ok := old.Annotations[v1beta1.TitleAnnotation]
	return ok && before == value
}

// receiverWarnings returns warnings about receivers that the Alert waits for.
func (v alertValidator) receiverWarnings(ctx context.Context, a *v1beta1.Alert) ctrladmission.Warnings {
	if !v.knowsReceivers(ctx) {
		return ctrladmission.Warnings{"receivers were not checked: Bellhop is still starting"}
	}
	if len(a.Spec.ReceiverRefs) == 0 && len(a.Status.Deliveries) == 0 {
		if ref, err := v.resolver.Default(ctx, a.Namespace); err != nil || ref != nil {
			return nil
		}
		return ctrladmission.Warnings{"spec.receiverRefs is empty and there is no default receiver: the Alert waits until one has the annotation " + v1beta1.DefaultReceiverAnnotation + `: "true"`}
	}
	var warnings ctrladmission.Warnings
	for i, ref := range a.Spec.ReceiverRefs[:min(len(a.Spec.ReceiverRefs), maxReceivers)] {
		if target, err := v.resolver.Target(ctx, a.Namespace, ref); err == nil && target.Problem != nil {
			warnings = append(warnings, fmt.Sprintf("spec.receiverRefs[%d]: the Alert will wait: %s", i, target.Problem.Message))
		}
	}
	return warnings
}
