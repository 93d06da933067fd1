// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
