// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// emptyCache is a cache without objects. informers are the kinds of which one was started.
type emptyCache struct {
	cache.Cache
	informers map[string]bool
}

func (c emptyCache) GetInformer(_ context.Context, obj client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	c.informers[obj.GetObjectKind().GroupVersionKind().Kind] = true
	return synced{}, nil
}

func (emptyCache) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

type synced struct{ cache.Informer }

func (synced) HasSynced() bool { return true }

// Without the right to list Secrets nothing starts an informer of them, and nothing says that one is missing.
func TestSecretsAreLookedUpWhereTheyAreWatched(t *testing.T) {
	source := &v1beta1.AlertSource{Spec: v1beta1.AlertSourceSpec{
		SecretRef: &v1beta1.SecretReference{Name: "token"}, ReceiverRefs: []v1beta1.ReceiverRef{{Kind: v1beta1.KindReceiver, Name: "hook"}},
	}}
	receiver := &v1beta1.Receiver{Spec: v1beta1.ReceiverSpec{CommonReceiverSpec: v1beta1.CommonReceiverSpec{SecretRef: &v1beta1.SecretReference{Name: "login"}}}}
	for _, isUnwatched := range []bool{false, true} {
		c := emptyCache{informers: map[string]bool{}}
		known := newKnowledge(c, Options{UnwatchedSecrets: isUnwatched})
		warnings := append(alertSourceValidator{known}.warnings(t.Context(), source), receiverValidator[*v1beta1.Receiver]{knowledge: known}.warnings(t.Context(), receiver)...)
		text := strings.Join(warnings, "\n")
		for _, name := range []string{"token", "login"} {
			if strings.Contains(text, `Secret "`+name+`" does not exist`) == isUnwatched {
				t.Errorf("unwatched %t: %s", isUnwatched, text)
			}
		}
		if !strings.Contains(text, `Receiver "hook" does not exist`) {
			t.Errorf("unwatched %t: the receivers were not checked: %s", isUnwatched, text)
		}
		if c.informers["Secret"] == isUnwatched {
			t.Errorf("unwatched %t: informers of %v", isUnwatched, c.informers)
		}
	}
}
