// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/pager/sourcerules"
)

// The schema decides what is valid; these only warn.
// +kubebuilder:webhook:path=/validate-pager-k8s-co-v1beta1-alertsource,mutating=false,failurePolicy=ignore,sideEffects=None,groups=pager.k8s.co,resources=alertsources,verbs=create;update,versions=v1beta1,name=valertsource.pager.k8s.co,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.spec != oldObject.spec"}]}`
// +kubebuilder:webhook:path=/validate-pager-k8s-co-v1beta1-alertsource,mutating=false,failurePolicy=ignore,sideEffects=None,groups=pager.k8s.co,resources=alertsources,verbs=delete,versions=v1beta1,name=valertsource-delete.pager.k8s.co,admissionReviewVersions=v1,timeoutSeconds=5

// alertSourceValidator warns of missing receivers and Secrets, of settings without effect, and of Alerts that fire when their source is deleted.
type alertSourceValidator struct{ knowledge }

func (v alertSourceValidator) ValidateCreate(ctx context.Context, s *v1beta1.AlertSource) (ctrladmission.Warnings, error) {
	return v.warnings(ctx, s), nil
}

func (v alertSourceValidator) ValidateUpdate(ctx context.Context, _, s *v1beta1.AlertSource) (ctrladmission.Warnings, error) {
	return v.warnings(ctx, s), nil
}

// ValidateDelete warns of Alerts that fire: without their source nothing resolves them.
func (v alertSourceValidator) ValidateDelete(ctx context.Context, s *v1beta1.AlertSource) (warnings ctrladmission.Warnings, _ error) {
	if !v.synced(ctx, &v1beta1.Alert{}) {
		return nil, nil
	}
	var alerts v1beta1.AlertList
	if err := v.cache.List(ctx, &alerts, client.InNamespace(s.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil //nolint:nilerr // a warning is not worth a refusal
	}
	if n := sourcerules.CountFiring(s, alerts.Items); n > 0 {
		warnings = append(warnings, fmt.Sprintf("Alerts of AlertSource %q that fire, and stay so unless it exists again: %d", s.Name, n))
	}
	return warnings, nil
}

func (v alertSourceValidator) warnings(ctx context.Context, s *v1beta1.AlertSource) ctrladmission.Warnings {
	alert := &v1beta1.Alert{Spec: v1beta1.AlertSpec{ReceiverRefs: s.Spec.ReceiverRefs}} // as the source makes them
	alert.Namespace = s.Namespace
	warnings := append(alertValidator(v).receiverWarnings(ctx, alert), kindWarnings(s)...)
	if s.Spec.SecretRef != nil {
		key := client.ObjectKey{Namespace: s.Namespace, Name: s.Spec.SecretRef.Name}
		if v.lacksSecret(ctx, key) {
			warnings = append(warnings, fmt.Sprintf("spec.secretRef.name: Secret %q does not exist in namespace %q: senders with its token are refused until it does", key.Name, key.Namespace))
		}
	}
	return admission.Warnings(append(warnings, severityWarnings(&s.Spec)...))
}

// severityWarnings returns warnings of severities that have no effect. Their case is ignored.
func severityWarnings(spec *v1beta1.AlertSourceSpec) (warnings ctrladmission.Warnings) {
	ignored := sets.New[string]()
	for _, value := range spec.IgnoreSeverities {
		ignored.Insert(strings.ToLower(value))
	}
	for _, value := range slices.Sorted(maps.Keys(spec.SeverityMap)) {
		if ignored.Has(strings.ToLower(value)) {
			warnings = append(warnings, fmt.Sprintf("spec.severityMap[%q] has no effect: spec.ignoreSeverities has it, so that such alerts are dropped", value))
		}
	}
	return warnings
}
