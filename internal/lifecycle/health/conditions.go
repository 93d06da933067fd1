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

package health

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Types of conditions that kstatus and many controllers use.
const (
	conditionReady       = "Ready"
	conditionReconciling = "Reconciling"
	conditionStalled     = "Stalled"
)

type conditions []metav1.Condition

type conditionedStatus struct {
	ObservedGeneration int64      `json:"observedGeneration"`
	Conditions         conditions `json:"conditions"`
}

func (cs conditions) find(conditionType string) *metav1.Condition {
	for i := range cs {
		if cs[i].Type == conditionType {
			return &cs[i]
		}
	}
	return nil
}

func (cs conditions) findTrue(conditionType string) *metav1.Condition {
	if c := cs.find(conditionType); c != nil && c.Status == metav1.ConditionTrue {
		return c
	}
	return nil
}

// withState returns the result that a condition shows.
func withState(state State, c *metav1.Condition) Result {
	v := Result{State: state, Reason: c.Reason, Message: c.Message}
	if state == Failing {
		v.Since = c.LastTransitionTime.Time
	}
	return v
}

// computeConditions is for kinds whose controllers set the condition Ready: Bellhop's, Flux's, cert-manager's and many others. An
// object that is not ready fails, also while it is retried: kstatus waits for it without end, and a user who requests an Alert does not.
func computeConditions(o *unstructured.Unstructured) (Result, error) {
	if isSuspended, _, err := unstructured.NestedBool(o.Object, "spec", "suspend"); err == nil && isSuspended {
		return suspended, nil
	}
	status, err := decode[conditionedStatus](o, "status")
	if err != nil {
		return Result{}, err
	}
	shown := status.Conditions.findTrue(conditionStalled)
	if shown == nil {
		shown = status.Conditions.find(conditionReady)
	}
	if shown == nil {
		return Result{State: Progressing, Reason: "NoConditions", Message: "the controller of the object has not set the condition Ready"}, nil
	}
	// A condition's own generation decides: Flux sets that of the status only once an object is ready or stalled.
	observed := shown.ObservedGeneration
	if observed == 0 {
		observed = status.ObservedGeneration
	}
	switch {
	case observed != 0 && observed != o.GetGeneration():
		return unobserved(observed, o.GetGeneration()), nil
	case shown.Type == conditionStalled:
		return withState(Failing, shown), nil
	case shown.Status == metav1.ConditionTrue:
		return withState(Healthy, shown), nil
	case shown.Status == metav1.ConditionFalse && !isWorkedOn(status.Conditions.findTrue(conditionReconciling), shown):
		return withState(Failing, shown), nil
	}
	return withState(Progressing, shown), nil
}

// isWorkedOn reports whether an object is not ready since its controller, or something outside of the cluster, works on it; a retry
// after a failure has other reasons.
func isWorkedOn(reconciling, ready *metav1.Condition) bool {
	switch ready.Reason {
	case "Pending": // cert-manager
		return true
	case "Provisioning", "UpdatingInstance", "Deprovisioning", "Binding", "Unbinding", // Bellhop: a broker works, within the time that its plan allows
		"ProvisionRequestInFlight", "UpdateInstanceRequestInFlight", "BindingRequestInFlight":
		return true
	}
	return reconciling != nil && (reconciling.Reason == "Progressing" || reconciling.Reason == "NewGeneration") // Flux: before the first result
}
