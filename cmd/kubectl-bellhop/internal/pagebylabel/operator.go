// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pagebylabel knows which objects the operator sends Alerts about because of a label: objects of the resources in the operator's flags, in
// Namespaces that consent.
package pagebylabel

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/operator"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// Operator has the settings of the operator by its Deployment.
type Operator struct {
	// Deployment and ServiceAccount are names in Namespace.
	Namespace, Deployment, ServiceAccount string
	// Watched are the resources whose objects are watched; none: the operator runs without --page-by-label.
	Watched []healthrules.Watched
	// Namespaces are the namespaces that the operator serves; none: all.
	Namespaces []string
}

// Find reads the Deployment of the operator that serves alerts. It returns nil if the namespace has none, or if its flags are not known.
func Find(ctx context.Context, apps appsclient.AppsV1Interface, namespace string) (*Operator, error) {
	deployment, err := operator.Find(ctx, apps, namespace, cli.PagerGroup)
	if err != nil || deployment == nil {
		return nil, err
	}
	return operatorOf(deployment), nil
}

// operatorOf reads the flags in a Deployment of the operator. It returns nil if the value of one is not known, such as $(KINDS).
func operatorOf(deployment *operator.Deployment) *Operator {
	o := &Operator{
		Namespace: deployment.Namespace, Deployment: deployment.Name, ServiceAccount: deployment.ServiceAccount, Namespaces: deployment.Namespaces(),
	}
	if deployment.Switch("page-by-label") != "true" {
		return o
	}
	watched, err := healthrules.ParseWatched(deployment.Flag("page-kinds"))
	if err != nil {
		return nil
	}
	o.Watched = watched
	return o
}

// UnmetPrecondition says why the operator does not watch the objects of a resource in a namespace; empty: it does.
func (o *Operator) UnmetPrecondition(resource schema.GroupVersionResource, namespace string) string {
	isSame := func(watched healthrules.Watched) bool { return watched.GroupResource() == resource.GroupResource() }
	switch {
	case len(o.Watched) == 0:
		return fmt.Sprintf("Deployment %s/%s runs without --page-by-label", o.Namespace, o.Deployment)
	case !slices.ContainsFunc(o.Watched, isSame):
		return fmt.Sprintf("Deployment %s/%s runs without --page-kinds=%s", o.Namespace, o.Deployment, healthrules.FormatResource(resource))
	case len(o.Namespaces) > 0 && !slices.Contains(o.Namespaces, namespace):
		return fmt.Sprintf("Deployment %s/%s serves other namespaces: --namespaces=%s", o.Namespace, o.Deployment, strings.Join(o.Namespaces, ","))
	}
	return ""
}
