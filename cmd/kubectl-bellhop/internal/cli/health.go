// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Condition is a condition of either API group.
type Condition struct {
	Type, Status, Reason, Message string
}

// Health is the state of an object by its conditions, as kstatus reads them.
type Health struct {
	// Observed: the conditions are about the present generation.
	Observed bool
	// Ready and Stalled: the condition of this type is True, and about the present generation.
	Ready, Stalled bool
	// Reason and Message are of the condition that explains the state.
	Reason, Message string
}

// HealthOf evaluates the conditions of an Alert, receiver, AlertSource, broker, instance or binding. Of other kinds nothing is known.
func HealthOf(object Object) Health {
	conditions, generation := ConditionsOf(object)
	h := Health{Observed: generation >= object.GetGeneration()}
	for _, kind := range []string{"Ready", "Reconciling", "Stalled"} { // the last that is True explains the state
		for _, c := range conditions {
			if c.Type != kind || c.Status != "True" && kind != "Ready" {
				continue
			}
			h.Reason, h.Message = c.Reason, c.Message
			switch kind {
			case "Ready":
				h.Ready = h.Observed && c.Status == "True"
			case "Stalled":
				h.Stalled = h.Observed
			}
		}
	}
	return h
}

// String is reason and message.
func (h Health) String() string {
	switch {
	case !h.Observed || h.Reason == "":
		return "the operator has not looked at it yet"
	case h.Message == "":
		return h.Reason
	default:
		return h.Reason + ": " + oneLine(h.Message)
	}
}

// ConditionsOf returns the conditions of an object in their order, and the generation that they are about.
func ConditionsOf(object Object) ([]Condition, int64) {
	var conditions []Condition
	add := func(list []servicecatalogv1beta1.Condition) {
		for _, c := range list {
			conditions = append(conditions, Condition{Type: c.Type, Status: string(c.Status), Reason: c.Reason, Message: c.Message})
		}
	}
	addStandard := func(list []metav1.Condition) {
		for _, c := range list {
			conditions = append(conditions, Condition{Type: c.Type, Status: string(c.Status), Reason: c.Reason, Message: c.Message})
		}
	}
	switch o := object.(type) {
	case *pagerv1beta1.Alert:
		addStandard(o.Status.Conditions)
		return conditions, o.Status.ObservedGeneration
	case *pagerv1beta1.AlertSource:
		addStandard(o.Status.Conditions)
		return conditions, o.Status.ObservedGeneration
	case pagerv1beta1.ReceiverObject:
		addStandard(o.CommonStatus().Conditions)
		return conditions, o.CommonStatus().ObservedGeneration
	case servicecatalogv1beta1.Broker:
		add(o.CommonStatus().Conditions)
		return conditions, o.CommonStatus().ObservedGeneration
	case *servicecatalogv1beta1.ServiceInstance:
		add(o.Status.Conditions)
		return conditions, o.Status.ObservedGeneration
	case *servicecatalogv1beta1.ServiceBinding:
		add(o.Status.Conditions)
		return conditions, o.Status.ObservedGeneration
	default:
		return nil, -1
	}
}
