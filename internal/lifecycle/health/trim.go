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

package health

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// The parts of objects that are read.
var (
	keptMetadata = []string{"name", "namespace", "uid", "generation", "resourceVersion", "creationTimestamp", "deletionTimestamp", "labels", "annotations"}
	keptLabels   = []string{v1beta1.PageLabel}
	keptAsks     = []string{v1beta1.PageReceiversAnnotation, v1beta1.PageAfterAnnotation, v1beta1.PageSeverityAnnotation}
	keptSpec     = []string{"replicas", "paused", "suspend", "selector"}
	keptStatus   = []string{
		"observedGeneration", "conditions", "updatedReplicas", "availableReplicas", "readyReplicas", "numberReady", "desiredNumberScheduled",
		"active", "failed", "lastScheduleTime", "lastSuccessfulTime", "phase", "health", "operationState", "state", "reason", "failureTime",
	}
)

// Trim removes from an object what neither Compute nor ParseAsk reads, so that a cache of it stays small.
func Trim(o *unstructured.Unstructured) {
	keep(o.Object, []string{"apiVersion", "kind", "metadata", "spec", "status"})
	for path, names := range map[string][]string{"spec": keptSpec, "status": keptStatus, "metadata": keptMetadata} {
		if part, ok := o.Object[path].(map[string]any); ok {
			keep(part, names)
		}
	}
	if metadata, ok := o.Object["metadata"].(map[string]any); ok {
		for path, names := range map[string][]string{"labels": keptLabels, "annotations": keptAsks} {
			if part, ok := metadata[path].(map[string]any); ok {
				keep(part, names)
			}
		}
	}
	if operation, ok, err := unstructured.NestedMap(o.Object, "status", "operationState"); err == nil && ok {
		keep(operation, []string{"phase", "message", "finishedAt"})
		o.Object["status"].(map[string]any)["operationState"] = operation
	}
}

func keep(part map[string]any, names []string) {
	maps.DeleteFunc(part, func(name string, _ any) bool { return !slices.Contains(names, name) })
}
