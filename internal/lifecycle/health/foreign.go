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
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// applicationStatus is what is read of the status of an Application of Argo CD.
type applicationStatus struct {
	Health struct {
		Status             string      `json:"status"`
		Message            string      `json:"message"`
		LastTransitionTime metav1.Time `json:"lastTransitionTime"`
	} `json:"health"`
	OperationState struct {
		Phase      string      `json:"phase"`
		Message    string      `json:"message"`
		FinishedAt metav1.Time `json:"finishedAt"`
	} `json:"operationState"`
	// Conditions have no status: each that exists holds.
	Conditions []struct {
		Type               string      `json:"type"`
		Message            string      `json:"message"`
		LastTransitionTime metav1.Time `json:"lastTransitionTime"`
	} `json:"conditions"`
}

// computeApplication is for Applications of Argo CD: an error condition, a sync that failed, or the health of its resources.
func computeApplication(o *unstructured.Unstructured) (Result, error) {
	status, err := decode[applicationStatus](o, "status")
	if err != nil {
		return Result{}, err
	}
	for _, c := range status.Conditions {
		if strings.HasSuffix(c.Type, "Error") {
			return Result{State: Failing, Since: c.LastTransitionTime.Time, Reason: c.Type, Message: c.Message}, nil
		}
	}
	operation, health := status.OperationState, status.Health
	switch operation.Phase {
	case "Failed", "Error":
		return Result{State: Failing, Since: operation.FinishedAt.Time, Reason: "Sync" + operation.Phase, Message: operation.Message}, nil
	}
	switch health.Status {
	case "Degraded", "Missing", "Unknown":
		return Result{State: Failing, Since: health.LastTransitionTime.Time, Reason: health.Status, Message: health.Message}, nil
	case "Healthy":
		if operation.Phase == "Running" || operation.Phase == "Terminating" {
			return Result{State: Progressing, Reason: "Sync" + operation.Phase, Message: operation.Message}, nil
		}
		return Result{State: Healthy, Reason: health.Status}, nil
	case "Suspended":
		return suspended, nil
	case "":
		return Result{State: Progressing, Reason: "NotReported", Message: "Argo CD has not reported a health"}, nil
	}
	return Result{State: Progressing, Reason: health.Status, Message: health.Message}, nil
}

// computeApplicationSet is for ApplicationSets of Argo CD.
func computeApplicationSet(o *unstructured.Unstructured) (Result, error) {
	status, err := decode[conditionedStatus](o, "status")
	if err != nil {
		return Result{}, err
	}
	failed, updated := status.Conditions.findTrue("ErrorOccurred"), status.Conditions.findTrue("ResourcesUpToDate")
	switch {
	case failed != nil:
		return withState(Failing, failed), nil
	case updated != nil:
		return withState(Healthy, updated), nil
	}
	return Result{State: Progressing, Reason: "ResourcesNotUpToDate"}, nil
}

// computeACME is for Orders and Challenges of cert-manager, whose status has a state of the ACME protocol (RFC 8555, section 7.1.6).
func computeACME(o *unstructured.Unstructured) (Result, error) {
	status, err := decode[struct {
		State       string      `json:"state"`
		Reason      string      `json:"reason"`
		FailureTime metav1.Time `json:"failureTime"`
	}](o, "status")
	if err != nil {
		return Result{}, err
	}
	switch status.State {
	case "valid":
		return Result{State: Healthy, Reason: status.State}, nil
	case "invalid", "expired", "errored":
		since := status.FailureTime.Time
		if since.IsZero() { // a Challenge has none
			since = o.GetCreationTimestamp().Time
		}
		return Result{State: Failing, Since: since, Reason: status.State, Message: status.Reason}, nil
	}
	return Result{State: Progressing, Reason: status.State, Message: status.Reason}, nil
}
