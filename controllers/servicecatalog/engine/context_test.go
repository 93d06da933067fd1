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

package engine

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/internal/kube/patch"
)

// nothingThere is a cache that has nothing.
type nothingThere struct{ client.Reader }

func (nothingThere) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// TestWhatBrokersAreToldIsLookedUpAgain: that it is not there yet does not mean that the
// object is gone.
func TestWhatBrokersAreToldIsLookedUpAgain(t *testing.T) {
	_, err := namespaceUID(t.Context(), nothingThere{}, "ns")
	if _, err := patch.RequeueOnConflict(t.Context(), ctrl.Result{}, err); err == nil {
		t.Errorf("it is not tried again after %v", err)
	}
}
