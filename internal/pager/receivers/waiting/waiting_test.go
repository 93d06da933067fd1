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

package waiting

import (
	"slices"
	"testing"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// TestAnAlertWithoutReceiversWaitsForADefault: the receivers of its status are no longer named.
func TestAnAlertWithoutReceiversWaitsForADefault(t *testing.T) {
	a := &v1beta1.Alert{Status: v1beta1.AlertStatus{Deliveries: []v1beta1.Delivery{{Kind: v1beta1.KindReceiver, Name: "team", State: v1beta1.DeliverySent}}}}
	if !slices.Contains(Keys(a), defaultReceiver) {
		t.Error("a default would not be noticed")
	}
}
