// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rulestest has the helpers that the tests of the rules, and of the controllers over them, share.
package rulestest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// conditionsOf are the conditions that kstatus and svcat read, such as "Reconciling" or "Stalled Failed".
func conditionsOf(conditions []v1beta1.Condition) string {
	var is []string
	for _, kind := range []string{v1beta1.ConditionReady, v1beta1.ConditionReconciling, v1beta1.ConditionStalled, v1beta1.ConditionFailed} {
		if rules.IsTrue(rules.FindCondition(conditions, kind)) {
			is = append(is, kind)
		}
	}
	return strings.Join(is, " ")
}

// WantState fails a test unless the conditions are in a state, such as "Ready" or "Stalled Failed".
func WantState(t *testing.T, when string, conditions []v1beta1.Condition, want string) {
	t.Helper()
	if got := conditionsOf(conditions); got != want {
		t.Errorf("%s: %q, want %q: %+v", when, got, want, conditions)
	}
}

// Contradiction returns the conditions of an object that is not being deleted which kstatus, and clients that read conditions like it, would
// misread; "": there are no such conditions. The table of its verdicts is in test/servicecatalog.
func Contradiction(conditions []v1beta1.Condition) string {
	if len(conditions) == 0 { // observedGeneration tells
		return ""
	}
	var are []string
	for _, kind := range []string{v1beta1.ConditionReady, v1beta1.ConditionReconciling, v1beta1.ConditionStalled} {
		if rules.IsTrue(rules.FindCondition(conditions, kind)) {
			are = append(are, kind)
		}
	}
	if len(are) != 1 {
		return fmt.Sprintf("F-JS1: of Ready, Reconciling and Stalled not one is True, but %v", are)
	}
	if rules.IsTrue(rules.FindCondition(conditions, v1beta1.ConditionFailed)) && are[0] != v1beta1.ConditionStalled {
		return fmt.Sprintf("F-JS1: Failed is True, and so is %s", are[0])
	}
	return ""
}

// ReadyAndStalled is the reason of Ready, and whether the object is stalled.
func ReadyAndStalled(conditions []v1beta1.Condition) string {
	var parts []string
	if ready := rules.FindCondition(conditions, v1beta1.ConditionReady); ready != nil {
		parts = append(parts, ready.Reason)
	}
	if rules.IsTrue(rules.FindCondition(conditions, v1beta1.ConditionStalled)) {
		parts = append(parts, "stalled")
	}
	return strings.Join(parts, " ")
}

var T0 = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// ServerTime returns a reading of an API server's clock that is right, also while its time is not known.
func ServerTime(right time.Time, isUnknown bool) times.Server {
	if isUnknown {
		return times.Server{Steady: right}
	}
	return times.Server{Known: right, Steady: right}
}

var (
	Owner        = rules.Claimant{UID: "other", Display: `ServiceInstance "other"`, Owns: true}
	LeavingOwner = rules.Claimant{UID: "other", Display: `ServiceInstance "other"`, Owns: true, Leaving: true}
	EarlierOne   = rules.Claimant{UID: "other", Display: `ServiceInstance "other"`, Earlier: true}
	LeavingOne   = rules.Claimant{UID: "other", Display: `ServiceInstance "other"`, Earlier: true, Leaving: true}
	LaterOne     = rules.Claimant{UID: "other", Display: `ServiceInstance "other"`}
	FirstOne     = rules.Claimant{UID: "other", Display: `ServiceInstance "other"`, First: true}
)

var Noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// SayConditions returns the status of Ready, its reason, and which of the other conditions are True.
func SayConditions(list []v1beta1.Condition) string {
	ready := rules.FindCondition(list, v1beta1.ConditionReady)
	parts := []string{string(ready.Status), ready.Reason}
	for _, c := range list {
		if c.Type != v1beta1.ConditionReady && c.Status == v1beta1.ConditionTrue {
			parts = append(parts, string(c.Type))
		}
	}
	return strings.Join(parts, " ")
}

// needs describes what has to be supplied before a decision.
var needs = map[rules.Need]string{
	rules.NeedFinalizer:  "add finalizer",
	rules.NeedReferences: "write references",
	rules.NeedDefinition: "read CRD",
	rules.NeedParameters: "read parameters",
	rules.NeedSecret:     "read Secret",
	rules.NeedSources:    "read sources",
	rules.NeedNamespace:  "read Namespace",
	rules.NeedPermission: "try write",
}

// DescribeDecision describes a decision in words, such as "write-ahead bind id wait". The actions are those of its kind, in words; state is the
// last condition of the status, for a decision to do nothing.
func DescribeDecision(d *operation.Decision, actions []string, state string) string {
	var parts []string
	switch {
	case d.Need != "":
		parts = append(parts, needs[d.Need])
	case d.Release != nil:
		parts = append(parts, "release", d.Release.Reason)
	}
	if d.WriteAhead {
		parts = append(parts, "write-ahead")
	}
	parts = append(parts, actions...)
	if !d.RequeueAt.IsZero() {
		parts = append(parts, "wait")
	}
	if len(parts) == 0 {
		return "nothing: " + state
	}
	return strings.Join(parts, " ")
}

// SchemaDefault is the observedGeneration of a new object: the CRDs' default of status.
const SchemaDefault = -1

// NewOffering is a class with a plan at a broker.
func NewOffering() rules.Offering {
	class := &v1beta1.ClusterServiceClass{ObjectMeta: metav1.ObjectMeta{Name: "class"}}
	class.Spec.ExternalID, class.Spec.ExternalName, class.Spec.Bindable = "class-id", "mysql", true
	plan := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: "small"}}
	plan.Spec.ExternalID, plan.Spec.ExternalName = "small-id", "small"
	return rules.Offering{Class: class, Plan: plan, Broker: &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "broker"}}}
}

// NewInstance is a new instance with an id of its own.
func NewInstance() *v1beta1.ServiceInstance {
	si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db", UID: "uid", Generation: 1,
		CreationTimestamp: metav1.NewTime(T0), Finalizers: []string{v1beta1.Finalizer},
		Annotations: map[string]string{v1beta1.MadeIDAnnotation: catalog.MadeID("id", T0)}}}
	si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName, si.Spec.ExternalID = "mysql", "small", "id"
	return si
}
