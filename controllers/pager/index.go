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

package pager

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/alert"
	"github.com/gophernetes/bellhop/internal/providers"
)

// Names of the cache's indexes, and keys in waitingIndex.
const (
	// waitingIndex has the Alerts that are not finished, by what they wait for: a waitingKey, defaultReceiver or anyReceiver.
	waitingIndex = "waitingFor"

	anyReceiver     = "*"
	defaultReceiver = "default"
)

// waitingKey returns the key of Alerts that wait for a receiver.
func waitingKey(ref v1beta1.ReceiverRef) string {
	return string(ref.Kind) + "/" + ref.Name
}

func waitsFor(obj client.Object) []string {
	a := obj.(*v1beta1.Alert)
	finished := a.Status.FinishedTime != nil && a.Status.ObservedGeneration == a.Generation
	if finished && a.DeletionTimestamp.IsZero() {
		return forgottenBy(a)
	}
	keys := []string{anyReceiver}
	tried := false
	for _, row := range a.Status.Deliveries {
		tried = tried || row.ByDefault && lifecycle.IsConsidered(row)
		keys = append(keys, waitingKey(lifecycle.RefOf(row)))
	}
	for _, ref := range a.Spec.ReceiverRefs {
		keys = append(keys, waitingKey(ref))
	}
	if len(a.Spec.ReceiverRefs) == 0 && !tried {
		keys = append(keys, defaultReceiver)
	}
	return keys
}

// forgottenBy returns the receivers that forget an active alert unless it is sent again.
func forgottenBy(a *v1beta1.Alert) (keys []string) {
	for _, row := range a.Status.Deliveries {
		if providers.Forgets(row.ExternalID) {
			keys = append(keys, waitingKey(lifecycle.RefOf(row)))
		}
	}
	return keys
}
