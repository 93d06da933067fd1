// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
)

// The content of a Secret is sent to the address of a receiver, so these fail closed. Deletions only have warnings, and are entries
// of their own.
// +kubebuilder:webhook:path=/validate-pager-k8s-co-v1beta1-receiver,mutating=false,failurePolicy=fail,sideEffects=None,groups=pager.k8s.co,resources=receivers,verbs=create;update,versions=v1beta1,name=vreceiver.pager.k8s.co,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.spec != oldObject.spec"}]}`
// +kubebuilder:webhook:path=/validate-pager-k8s-co-v1beta1-clusterreceiver,mutating=false,failurePolicy=fail,sideEffects=None,groups=pager.k8s.co,resources=clusterreceivers,verbs=create;update,versions=v1beta1,name=vclusterreceiver.pager.k8s.co,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.spec != oldObject.spec"}]}`
// +kubebuilder:webhook:path=/validate-pager-k8s-co-v1beta1-receiver,mutating=false,failurePolicy=ignore,sideEffects=None,groups=pager.k8s.co,resources=receivers,verbs=delete,versions=v1beta1,name=vreceiver-delete.pager.k8s.co,admissionReviewVersions=v1,timeoutSeconds=5
// +kubebuilder:webhook:path=/validate-pager-k8s-co-v1beta1-clusterreceiver,mutating=false,failurePolicy=ignore,sideEffects=None,groups=pager.k8s.co,resources=clusterreceivers,verbs=delete,versions=v1beta1,name=vclusterreceiver-delete.pager.k8s.co,admissionReviewVersions=v1,timeoutSeconds=5

// receiverValidator is the validator of both kinds of receiver.
type receiverValidator[R v1beta1.ReceiverObject] struct {
	knowledge
	access admission.Reviewer
	guard  *outbound.Guard
	policy receivers.Policy
}

func (v receiverValidator[R]) ValidateCreate(ctx context.Context, r R) (ctrladmission.Warnings, error) {
	return v.validate(ctx, nil, r)
}

func (v receiverValidator[R]) ValidateUpdate(ctx context.Context, old, r R) (ctrladmission.Warnings, error) {
	return v.validate(ctx, old.Common(), r)
}

// ValidateDelete warns of Alerts that wait for the receiver, and of those that it holds: its sender is kept for their resolves for its resolve
// timeout only. A finalizer would hold the deletion of a namespace, whose objects are deleted in any order.
func (v receiverValidator[R]) ValidateDelete(ctx context.Context, r R) (ctrladmission.Warnings, error) {
	if !v.synced(ctx, &v1beta1.Alert{}) {
		return nil, nil
	}
	var alerts v1beta1.AlertList
	if err := v.cache.List(ctx, &alerts, client.InNamespace(r.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil //nolint:nilerr // a warning is not worth a refusal
	}
	waiting, holding := 0, 0
	for i := range alerts.Items {
		if needs(&alerts.Items[i], receivers.KindOf(r), r.GetName()) {
			waiting++
		}
		if holds(&alerts.Items[i], receivers.KindOf(r), r.GetName()) {
			holding++
		}
	}
	return deletionWarnings(fmt.Sprintf("%s %q", receivers.KindOf(r), r.GetName()), waiting, holding), nil
}

func deletionWarnings(receiver string, waiting, holding int) (warnings ctrladmission.Warnings) {
	if waiting > 0 {
		warnings = append(warnings, fmt.Sprintf("Alerts that are not delivered to %s yet, and wait until it exists again: %d", receiver, waiting))
	}
	if holding > 0 {
		warnings = append(warnings, fmt.Sprintf("Alerts that stay open at %s, unless they are resolved or deleted within its resolveTimeoutSeconds, or it exists again by then: %d", receiver, holding))
	}
	return warnings
}

// holds reports whether a receiver has, or may have, a message of an Alert and was not told that it is over.
func holds(a *v1beta1.Alert, kind v1beta1.ReceiverKind, name string) bool {
	return slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool {
		return row.Kind == kind && row.Name == name && alertrules.HoldingOf(row) != alertrules.HoldsNothing
	})
}

// needs reports whether an Alert has an unconfirmed delivery to a receiver.
func needs(a *v1beta1.Alert, kind v1beta1.ReceiverKind, name string) bool {
	for _, row := range a.Status.Deliveries {
		if row.Kind == kind && row.Name == name {
			return row.State == v1beta1.DeliveryPending || row.State == v1beta1.DeliveryFailed
		}
	}
	return slices.Contains(a.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: kind, Name: name})
}

func (v receiverValidator[R]) validate(ctx context.Context, old *v1beta1.CommonReceiverSpec, r R) (ctrladmission.Warnings, error) {
	spec, path := r.Common(), field.NewPath("spec")
	errs := append(validateSettings(old, spec), v.validateAddresses(spec)...)
	if v.policy == receivers.PolicyStrict {
		var stored []risk
		if old != nil {
			stored = risksOf(old)
		}
		for _, found := range risksOf(spec) {
			if !slices.Contains(stored, found) {
				errs = append(errs, field.Forbidden(path.Child(found.field), found.text+receivers.NotPermitted))
			}
		}
	}
	if shared, ok := any(r).(*v1beta1.ClusterReceiver); ok && shared.Spec.NamespaceSelector != nil {
		errs = append(errs, metav1validation.ValidateLabelSelector(shared.Spec.NamespaceSelector,
			metav1validation.LabelSelectorValidationOptions{}, path.Child("namespaceSelector"))...)
	}
	if len(errs) == 0 && spec.SecretRef != nil && changesDestination(old, spec) {
		if err := v.access.MayGetSecret(ctx, types.NamespacedName{Namespace: v.resolver.SecretNamespace(r), Name: spec.SecretRef.Name}, path.Child("secretRef", "name")); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, admission.Invalid(v1beta1.GroupVersion.WithKind(string(receivers.KindOf(r))).GroupKind(), r.GetName(), errs)
	}
	return admission.Warnings(v.warnings(ctx, r)), nil
}

// validateSettings refuses problems that no Secret can correct. A problem that is stored already does not prevent another change.
func validateSettings(old, spec *v1beta1.CommonReceiverSpec) (errs field.ErrorList) {
	stored := sets.New(providers.Problems(old)...)
	for _, p := range providers.Problems(spec) {
		if !stored.Has(p) {
			errs = append(errs, field.Invalid(field.NewPath("spec", p.Field), p.Value, p.Message))
		}
	}
	return errs
}

// validateAddresses refuses addresses that the operator would not dial. A name is checked by its addresses when it is dialed.
func (v receiverValidator[R]) validateAddresses(spec *v1beta1.CommonReceiverSpec) (errs field.ErrorList) {
	for _, a := range addressesOf(spec) {
		if err := v.guard.CheckHost(a.Host); err != nil {
			errs = append(errs, field.Invalid(field.NewPath("spec", a.Field), a.Host, err.Error()))
		}
	}
	return errs
}

// risk is a risky setting of a spec: its field below spec, the value, and the risk.
type risk struct{ field, value, text string }

// risksOf returns the risks of the destination of a receiver. An address in its Secret is judged when it is used.
func risksOf(spec *v1beta1.CommonReceiverSpec) (risks []risk) {
	for _, a := range addressesOf(spec) {
		for _, text := range receivers.Risks(a.Host, a.Plain) {
			risks = append(risks, risk{a.Field, a.Host, text})
		}
	}
	if p, ok := providers.Of(spec); ok && p.SkipsTLSVerify() {
		risks = append(risks, risk{p.Name + ".insecureSkipTLSVerify", "true", "messages and credentials are sent to any server that answers"})
	}
	return risks
}

// addressesOf returns the addresses in a spec. Others are in the Secret, or the provider's own.
func addressesOf(spec *v1beta1.CommonReceiverSpec) []notify.Address {
	p, ok := providers.Of(spec)
	if !ok {
		return nil
	}
	return p.Addresses()
}

// changesDestination reports whether an update changes where credentials are sent, or which ones.
func changesDestination(old, spec *v1beta1.CommonReceiverSpec) bool {
	return old == nil || !equality.Semantic.DeepEqual(old.Provider, spec.Provider) || !equality.Semantic.DeepEqual(old.SecretRef, spec.SecretRef)
}

// warnings returns the warnings for a valid receiver. While the caches are not synced, it does not warn of a missing Secret.
func (v receiverValidator[R]) warnings(ctx context.Context, r R) ctrladmission.Warnings {
	var warnings ctrladmission.Warnings
	spec := r.Common()
	for _, found := range risksOf(spec) {
		warnings = append(warnings, "spec."+found.field+": "+found.text)
	}
	for _, p := range providers.Warnings(spec) {
		warnings = append(warnings, "spec."+p.Field+": "+p.Message)
	}
	if shared, ok := any(r).(*v1beta1.ClusterReceiver); ok && shared.Spec.NamespaceSelector == nil {
		warnings = append(warnings, "spec.namespaceSelector is not set: no namespace may use this receiver; {} selects all")
	}
	if spec.SecretRef != nil {
		key := client.ObjectKey{Namespace: v.resolver.SecretNamespace(r), Name: spec.SecretRef.Name}
		if v.lacksSecret(ctx, key) {
			warnings = append(warnings, fmt.Sprintf("spec.secretRef.name: Secret %q does not exist in namespace %q: Alerts wait until it does", key.Name, key.Namespace))
		}
	}
	return warnings
}
