// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func TestOfTwoDefaultsTheNewestWins(t *testing.T) {
	at := func(name string, second int64) v1beta1.Receiver {
		return v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(second, 0))}}
	}
	meta := func(r *v1beta1.Receiver) *metav1.ObjectMeta { return &r.ObjectMeta }
	for want, items := range map[string][]v1beta1.Receiver{
		"new":  {at("old", 1), at("new", 2)},
		"late": {at("late", 3), at("early", 1)},
		"a":    {at("b", 1), at("a", 1)},
	} {
		if got := newest(items, meta); got.Name != want {
			t.Errorf("%s wins, want %s", got.Name, want)
		}
	}
	if got := newest(nil, meta); got != nil {
		t.Errorf("%s wins where there is none", got.Name)
	}
}

// forbidding is a reader without rights.
type forbidding struct{ client.Reader }

func (forbidding) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, key.Name, nil)
}

// A Role may name the Secrets that the operator may get: a receiver with another one fails with a reason, and not without a status.
func TestASecretThatMayNotBeReadIsNotMissing(t *testing.T) {
	receiver := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "hook"}}
	receiver.Spec.SecretRef = &v1beta1.SecretReference{Name: "login"}
	target, err := Resolver{Cache: forbidding{}}.Of(t.Context(), receiver)
	if err != nil || target.Problem != nil {
		t.Errorf("%v, %v", target.Problem, err)
	}
}
