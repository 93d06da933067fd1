/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package health says whether an object of another controller fails, by its status.
package health

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// State is what a person would say of an object.
type State string

// The states. Only Healthy ends a failure: an object that is worked on may fail again.
const (
	Healthy     State = "Healthy"
	Progressing State = "Progressing"
	Failing     State = "Failing"
)

// Result is the state of an object and why it is in it.
type Result struct {
	State State
	// Since is when a failure began, as the object's status says; zero: the status does not say, see UnreadySince.
	Since time.Time
	// Reason and Message are those of the condition that the result follows from.
	Reason, Message string
}

// suspended is the result of an object that its user has stopped.
var suspended = Result{State: Healthy, Reason: "Suspended"}

// Compute returns the result for an object of any kind.
func Compute(o *unstructured.Unstructured) (Result, error) {
	compute, ok := byKind[o.GroupVersionKind().GroupKind()]
	if !ok {
		return computeConditions(o)
	}
	if observed, ok, err := unstructured.NestedInt64(o.Object, "status", "observedGeneration"); err == nil && ok && observed != o.GetGeneration() {
		return unobserved(observed, o.GetGeneration()), nil
	}
	return compute(o)
}

var byKind = map[schema.GroupKind]func(*unstructured.Unstructured) (Result, error){
	{Group: "apps", Kind: "Deployment"}:                computeDeployment,
	{Group: "apps", Kind: "StatefulSet"}:               computeStatefulSet,
	{Group: "apps", Kind: "DaemonSet"}:                 computeDaemonSet,
	{Group: "batch", Kind: "Job"}:                      computeJob,
	{Group: "batch", Kind: "CronJob"}:                  computeCronJob,
	{Kind: "PersistentVolumeClaim"}:                    computeClaim,
	{Group: "argoproj.io", Kind: "Application"}:        computeApplication,
	{Group: "argoproj.io", Kind: "ApplicationSet"}:     computeApplicationSet,
	{Group: "acme.cert-manager.io", Kind: "Order"}:     computeACME,
	{Group: "acme.cert-manager.io", Kind: "Challenge"}: computeACME,
}

// unobserved is the result of an object whose status is about an earlier generation.
func unobserved(observed, generation int64) Result {
	return Result{State: Progressing, Reason: "GenerationNotObserved", Message: fmt.Sprintf("the controller of the object has seen generation %d of %d", observed, generation)}
}

// decode reads a part of an object, such as its status, into a type that has what is needed of it.
func decode[T any](o *unstructured.Unstructured, path ...string) (T, error) {
	var typed T
	content := o.Object
	var err error
	if len(path) > 0 {
		content, _, err = unstructured.NestedMap(o.Object, path...)
	}
	if err == nil && content != nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(content, &typed)
	}
	if err != nil {
		err = fmt.Errorf("%s %s cannot be read: %w", o.GetKind(), o.GetName(), err)
	}
	return typed, err
}
