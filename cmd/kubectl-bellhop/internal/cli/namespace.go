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
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
)

// NamespaceMatches reports whether a label selector selects a Namespace.
func NamespaceMatches(ctx context.Context, core coreclient.CoreV1Interface, namespace, selector string) (bool, error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return false, err
	}
	ns, err := core.Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	return parsed.Matches(labels.Set(ns.Labels)), nil
}

// LabelNamespaceCommand is the command by which an administrator of a Namespace sets a label, KEY=VALUE.
func LabelNamespaceCommand(namespace, label string) string {
	return fmt.Sprintf("kubectl label namespace %s --overwrite %s", namespace, label)
}
