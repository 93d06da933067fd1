// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// F-S40: an instance whose parameters were not read because those of other objects came first had a condition about it, and lost its place
// in the queue of its broker.
func TestAnInstanceThatWaitsToReadParametersHasNoBlocker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		si := rulestest.NewInstance()
		si.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
		r := claimsReconciler(t)
		r.Live = controllertest.NewCluster(t, interceptor.Funcs{})
		leave, err := r.Reads.Enter(t.Context(), si.Namespace, 4, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		s := &scope{Scope: &engine.Scope{Before: si, Object: si.DeepCopy(), Memory: &engine.Memory{}}, r: r, instance: si.DeepCopy()}
		err = s.Supply(t.Context(), rules.NeedParameters)
		if blocker := s.inputs.Parameters.Blocker; !errors.Is(err, secrets.ErrBusy) || blocker != nil || s.retry != nil {
			t.Errorf("%v, blocker %v, retry %v", err, blocker, s.retry)
		}
		leave()
		err = s.Supply(t.Context(), rules.NeedParameters)
		if blocker := s.inputs.Parameters.Blocker; err != nil || blocker == nil {
			t.Errorf("the Secret is missing: %v, blocker %v", err, blocker)
		}
	})
}
