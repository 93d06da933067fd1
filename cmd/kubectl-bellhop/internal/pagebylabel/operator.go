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

// Package pagebylabel knows which objects the operator sends Alerts about because of a label: those of the resources in the operator's
// flags, in Namespaces that consent.
package pagebylabel

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/lifecycle/health"
)

// Operator is what the Deployment of the operator says.
type Operator struct {
	// Deployment and ServiceAccount are names in Namespace.
	Namespace, Deployment, ServiceAccount string
	// Resources are those whose objects are watched; none: the operator runs without --page-by-label.
	Resources []schema.GroupVersionResource
	// Namespaces are those that the operator serves; none: all.
	Namespaces []string
}

// Find reads the Deployment of the operator. It returns nil if the namespace has none, or if its flags are not known.
func Find(ctx context.Context, apps appsclient.AppsV1Interface, namespace string) (*Operator, error) {
	deployments, err := apps.Deployments(namespace).List(ctx, metav1.ListOptions{LabelSelector: cli.OperatorLabels})
	if err != nil || len(deployments.Items) == 0 {
		return nil, err
	}
	return operatorOf(&deployments.Items[0]), nil
}

// operatorOf reads the flags in a Deployment of the operator. It returns nil if the value of one is not known, such as $(KINDS).
func operatorOf(deployment *appsv1.Deployment) *Operator {
	o := &Operator{Namespace: deployment.Namespace, Deployment: deployment.Name, ServiceAccount: deployment.Spec.Template.Spec.ServiceAccountName}
	if o.ServiceAccount == "" {
		o.ServiceAccount = "default"
	}
	var args []string
	for _, container := range deployment.Spec.Template.Spec.Containers {
		args = slices.Concat(args, container.Command, container.Args)
	}
	if namespaces := flagValue(args, "namespaces", false); namespaces != "" {
		o.Namespaces = strings.Split(namespaces, ",")
	}
	if enabled := flagValue(args, "page-by-label", true); enabled != "true" {
		return o
	}
	resources, err := health.ParseResources(flagValue(args, "page-kinds", false))
	if err != nil {
		return nil
	}
	o.Resources = resources
	return o
}

// flagValue returns the last value of a flag as package flag reads it: -NAME or --NAME, with =VALUE or, unless it is a switch, VALUE.
func flagValue(args []string, name string, isSwitch bool) (value string) {
	for i, arg := range args {
		flag, given, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		switch {
		case flag != name || !strings.HasPrefix(arg, "-"):
		case hasValue:
			value = given
		case isSwitch:
			value = "true"
		case i+1 < len(args):
			value = args[i+1]
		}
	}
	return value
}

// UnmetPrecondition says why the operator does not watch the objects of a resource in a namespace; empty: it does.
func (o *Operator) UnmetPrecondition(resource schema.GroupVersionResource, namespace string) string {
	isSame := func(watched schema.GroupVersionResource) bool {
		return watched.GroupResource() == resource.GroupResource()
	}
	switch {
	case len(o.Resources) == 0:
		return fmt.Sprintf("Deployment %s/%s runs without --page-by-label", o.Namespace, o.Deployment)
	case !slices.ContainsFunc(o.Resources, isSame):
		return fmt.Sprintf("Deployment %s/%s runs without --page-kinds=%s", o.Namespace, o.Deployment, health.FormatResource(resource))
	case len(o.Namespaces) > 0 && !slices.Contains(o.Namespaces, namespace):
		return fmt.Sprintf("Deployment %s/%s serves other namespaces: --namespaces=%s", o.Namespace, o.Deployment, strings.Join(o.Namespaces, ","))
	}
	return ""
}
