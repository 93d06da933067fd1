// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"bytes"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	servicesfake "github.com/gophernetes/bellhop/client/clientset/versioned/fake"
)

func clusterInfo(namespace string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: clusterIDName}, Data: data}
}

// F-S3: what is taken over is said before it is recorded, and the cluster keeps the id that brokers know
func TestTakeOver(t *testing.T) {
	ready := []servicecatalogv1beta1.Condition{{Type: servicecatalogv1beta1.ConditionReady, Status: servicecatalogv1beta1.ConditionTrue}}
	original := &servicecatalogv1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "db"}}
	original.Status.Conditions = ready
	own := original.DeepCopy()
	own.Name, own.Annotations = "own", map[string]string{servicecatalogv1beta1.MadeIDAnnotation: "id 2026-01-31T12:00:00Z"}
	binding := &servicecatalogv1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "app"}}
	binding.Status.Conditions = ready
	const system = "bellhop-system"
	for name, test := range map[string]struct {
		config, former *corev1.ConfigMap
		dryRun         bool
		asked          string
		id, at, says   string
	}{
		"the operator has not made an id": {at: "2026-01-31T12:00:00Z", says: "1 ServiceInstance, 1 ServiceBinding"},
		"a dry run":                       {config: clusterInfo(system, map[string]string{"id": "new"}), dryRun: true, id: "new", says: "Nothing is recorded"},
		"the original's id":               {config: clusterInfo(system, map[string]string{"id": "new"}), former: clusterInfo("catalog", map[string]string{"id": "old"}), id: "old", at: "2026-01-31T12:00:00Z", says: `the id "old", of ConfigMap catalog/cluster-info`},
		"an id that is given":             {config: clusterInfo(system, map[string]string{"id": "new"}), former: clusterInfo("catalog", map[string]string{"id": "old"}), asked: "given", id: "given", at: "2026-01-31T12:00:00Z"},
		"another ConfigMap of the name":   {config: clusterInfo(system, map[string]string{"id": "new"}), former: clusterInfo("kube-public", map[string]string{"kubeconfig": "x"}), id: "new", at: "2026-01-31T12:00:00Z"},
		"recorded already":                {config: clusterInfo(system, map[string]string{"id": "new", "takenOverAt": "2026-01-01T00:00:00Z"}), id: "new", at: "2026-01-01T00:00:00Z", says: "already"},
	} {
		t.Run(name, func(t *testing.T) {
			core := fake.NewClientset().CoreV1()
			for _, config := range []*corev1.ConfigMap{test.config, test.former} {
				if config == nil {
					continue
				}
				if _, err := core.ConfigMaps(config.Namespace).Create(t.Context(), config, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			r := &Recorder{Out: &out, Core: core, Services: servicesfake.NewSimpleClientset(original, own, binding).ServicecatalogV1beta1(),
				OperatorNamespace: system, DryRun: test.dryRun, ClusterID: test.asked, Now: func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }}
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			config, err := core.ConfigMaps(system).Get(t.Context(), clusterIDName, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if config.Data["id"] != test.id || config.Data["takenOverAt"] != test.at {
				t.Errorf("recorded: %v, want id %q at %q", config.Data, test.id, test.at)
			}
			if !strings.Contains(out.String(), test.says) {
				t.Errorf("it says %s, want %q", out.String(), test.says)
			}
		})
	}
}
