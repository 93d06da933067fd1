// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operator reads the Deployment of the operator, whose flags configure the operator.
package operator

import (
	"cmp"
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/kube/apigroups"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
)

// Deployment has the settings of the operator by its Deployment.
type Deployment struct {
	// Name and ServiceAccount are names in Namespace.
	Namespace, Name, ServiceAccount string
	// APIs are the groups in its flag --apis.
	APIs apigroups.Set
	// Replicas is the number of replicas that it should have.
	Replicas int32
	// Image is the image of its first container.
	Image  string
	Object *appsv1.Deployment

	args []string
}

// Find reads the Deployment of the operator that serves an API group. It returns nil if the namespace has none. Of several, one that is
// scaled to 0 comes last.
func Find(ctx context.Context, apps appsclient.AppsV1Interface, namespace, group string) (*Deployment, error) {
	deployments, err := List(ctx, apps, namespace)
	if err != nil {
		return nil, err
	}
	return Serving(deployments, group), nil
}

// List reads the Deployments of operators in a namespace; if it is empty, in all.
func List(ctx context.Context, apps appsclient.AppsV1Interface, namespace string) ([]*Deployment, error) {
	list, err := apps.Deployments(namespace).List(ctx, metav1.ListOptions{LabelSelector: cli.OperatorLabels})
	if err != nil {
		return nil, err
	}
	var deployments []*Deployment
	for n := range list.Items {
		deployments = append(deployments, Of(&list.Items[n]))
	}
	return deployments, nil
}

// ListAll reads the Deployments of operators in all namespaces; where the user may not do that, in one, and areAll is false.
func ListAll(ctx context.Context, apps appsclient.AppsV1Interface, namespace string) (deployments []*Deployment, areAll bool, err error) {
	deployments, err = List(ctx, apps, "")
	if apierrors.IsForbidden(err) {
		deployments, err = List(ctx, apps, namespace)
		return deployments, false, err
	}
	return deployments, true, err
}

// Serving returns the Deployment that serves an API group; nil: no Deployment does.
func Serving(deployments []*Deployment, group string) *Deployment {
	var found *Deployment
	for _, d := range deployments {
		if d.Serves(group) && (found == nil || found.Replicas == 0 && d.Replicas > 0) {
			found = d
		}
	}
	return found
}

// Of returns the settings of the operator by its Deployment.
func Of(deployment *appsv1.Deployment) *Deployment {
	d := &Deployment{
		Namespace: deployment.Namespace, Name: deployment.Name, ServiceAccount: deployment.Spec.Template.Spec.ServiceAccountName,
		APIs: apigroups.All, Replicas: ptr.Deref(deployment.Spec.Replicas, 1), Object: deployment,
	}
	if d.ServiceAccount == "" {
		d.ServiceAccount = "default"
	}
	for n, container := range deployment.Spec.Template.Spec.Containers {
		if n == 0 {
			d.Image = container.Image
		}
		d.args = slices.Concat(d.args, container.Command, container.Args)
	}
	if served, err := apigroups.Parse(d.Flag("apis")); err == nil { // without the flag, or with a value that is not known here, both
		d.APIs = served
	}
	return d
}

// Version is the tag of the image, else the label for the version, else "unknown".
func (d *Deployment) Version() string {
	name, _, _ := strings.Cut(d.Image, "@")
	name = name[strings.LastIndex(name, "/")+1:] // a registry may have a port
	if _, tag, hasTag := strings.Cut(name, ":"); hasTag {
		return tag
	}
	return cmp.Or(d.Object.Labels["app.kubernetes.io/version"], "unknown")
}

// Serves reports whether the operator serves an API group.
func (d *Deployment) Serves(group string) bool { return Serves(d.APIs, group) }

// Groups returns the API groups that an installation serves.
func Groups(served apigroups.Set) []string {
	return slices.DeleteFunc(slices.Clone(cli.Groups), func(group string) bool { return !Serves(served, group) })
}

// Serves reports whether an installation serves an API group.
func Serves(served apigroups.Set, group string) bool {
	return group == cli.PagerGroup && served.Pager || group == cli.ServicesGroup && served.ServiceCatalog
}

// Label is the Deployment with its namespace.
func (d *Deployment) Label() string { return "Deployment " + d.Namespace + "/" + d.Name }

// Namespaces are the namespaces that the operator serves; none: all.
func (d *Deployment) Namespaces() []string {
	if namespaces := d.Flag("namespaces"); namespaces != "" {
		return strings.Split(namespaces, ",")
	}
	return nil
}

// Listens reports whether the operator serves AlertSources.
func (d *Deployment) Listens() bool {
	address := d.Flag("ingest-bind-address")
	return address != "" && address != endpoint.Off
}

// Flag returns the last value of a flag as package flag reads it: -NAME or --NAME, with =VALUE or VALUE.
func (d *Deployment) Flag(name string) string { return flagValue(d.args, name, false) }

// Switch returns the last value of a flag that needs none.
func (d *Deployment) Switch(name string) string { return flagValue(d.args, name, true) }

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
