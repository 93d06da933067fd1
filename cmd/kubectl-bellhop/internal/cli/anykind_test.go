// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestMappingOf(t *testing.T) {
	apps, batch := schema.GroupVersion{Group: "apps", Version: "v1"}, schema.GroupVersion{Group: "batch", Version: "v1"}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{apps, batch})
	mapper.Add(apps.WithKind("Deployment"), meta.RESTScopeNamespace)
	mapper.Add(batch.WithKind("Job"), meta.RESTScopeNamespace)
	for name, want := range map[string]string{
		"deployment": "Deployment", "deployments": "Deployment", "Deployment": "Deployment", "deployment.apps": "Deployment", "deployments.v1.apps": "Deployment",
		"jobs.batch": "Job", "job.apps": "", "deployments.v2.apps": "", "house": "",
	} {
		mapping, err := mappingOf(mapper, name)
		switch {
		case want == "" && (err == nil || HintOf(err) == ""):
			t.Errorf("%q: %v, %v", name, mapping, err)
		case want != "" && (err != nil || mapping.GroupVersionKind.Kind != want):
			t.Errorf("%q: %v, %v", name, mapping, err)
		}
	}
}
