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
