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
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// builtIn are the resources whose objects may ask for Alerts without a flag.
var builtIn = []schema.GroupVersionResource{
	{Group: "apps", Version: "v1", Resource: "deployments"},
	{Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "apps", Version: "v1", Resource: "daemonsets"},
	{Group: "batch", Version: "v1", Resource: "jobs"},
	{Group: "batch", Version: "v1", Resource: "cronjobs"},
	{Version: "v1", Resource: "persistentvolumeclaims"},
	{Group: "servicecatalog.k8s.io", Version: "v1beta1", Resource: "serviceinstances"},
	{Group: "servicecatalog.k8s.io", Version: "v1beta1", Resource: "servicebindings"},
}

// ParseResources reads a list such as "cert-manager.io/v1/certificates,v1/pods", and returns it after the built-in resources.
func ParseResources(list string) ([]schema.GroupVersionResource, error) {
	resources := append([]schema.GroupVersionResource(nil), builtIn...)
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		resource, err := ParseResource(item)
		if err != nil {
			return nil, err
		}
		resources = append(resources, resource)
	}
	return resources, nil
}

// ParseResource reads GROUP/VERSION/RESOURCE, or VERSION/RESOURCE of the core group.
func ParseResource(text string) (schema.GroupVersionResource, error) {
	parts := strings.Split(text, "/")
	if len(parts) == 2 {
		parts = append([]string{""}, parts...)
	}
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" || strings.ToLower(text) != text {
		return schema.GroupVersionResource{}, fmt.Errorf("%q is not GROUP/VERSION/RESOURCE, such as cert-manager.io/v1/certificates", text)
	}
	return schema.GroupVersionResource{Group: parts[0], Version: parts[1], Resource: parts[2]}, nil
}

// FormatResource returns a resource as GROUP/VERSION/RESOURCE.
func FormatResource(r schema.GroupVersionResource) string {
	return strings.TrimPrefix(r.Group+"/"+r.Version+"/"+r.Resource, "/")
}
