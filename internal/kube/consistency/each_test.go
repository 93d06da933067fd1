// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package consistency

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// TestACacheThatIsNotStartedHasNothingToShow: none of a kind is another thing than none known.
func TestACacheThatIsNotStartedHasNothingToShow(t *testing.T) {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	c, err := cache.New(&rest.Config{Host: "http://127.0.0.1:1"}, cache.Options{Scheme: clientgoscheme.Scheme, Mapper: mapper})
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	if err := Each(t.Context(), c, &corev1.Secret{}, &corev1.SecretList{}, func(*corev1.Secret) { shown++ }); err == nil || shown > 0 {
		t.Errorf("%d are shown, %v", shown, err)
	}
}
