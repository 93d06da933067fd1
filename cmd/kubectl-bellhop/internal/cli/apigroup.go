// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/docs"
)

// The API groups of Bellhop. A cluster can have one of them alone.
var (
	PagerGroup    = pagerv1beta1.GroupVersion.Group
	ServicesGroup = servicecatalogv1beta1.GroupVersion.Group
	Groups        = []string{PagerGroup, ServicesGroup}
)

// HasGroup reports whether the API server has an API group. It does not use the result of an earlier discovery that kubectl has stored. A group
// that the user may not read is assumed to be there.
func (e *Environment) HasGroup(ctx context.Context, group string) (bool, error) {
	config, err := e.Config()
	if err != nil {
		return false, err
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return false, err
	}
	err = client.RESTClient().Get().AbsPath("/apis/" + group).Do(ctx).Error()
	switch {
	case err == nil, apierrors.IsForbidden(err):
		return true, nil
	case apierrors.IsNotFound(err):
		return false, nil
	default:
		return false, err
	}
}

// InstalledGroups returns those groups of Bellhop that the API server has.
func (e *Environment) InstalledGroups(ctx context.Context) ([]string, error) {
	var installed []string
	for _, group := range Groups {
		has, err := e.HasGroup(ctx, group)
		if err != nil {
			return nil, err
		}
		if has {
			installed = append(installed, group)
		}
	}
	return installed, nil
}

// IsNotServed reports whether an error says that the API server does not have a resource, rather than no object of a name. Its answer about a path
// that it does not have is a text, not a Status.
func IsNotServed(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// GroupNotInstalled is the error of a command whose kinds are not in the cluster.
func GroupNotInstalled(group string) error {
	what, manifests := "alerts", "install-pager.yaml"
	if group == ServicesGroup {
		what, manifests = "services", "install-servicecatalog.yaml"
	}
	return WithHint(fmt.Errorf("this cluster does not have the API group %s: Bellhop's %s are not installed here", group, what),
		"an administrator installs them with %s of a release; see %s", manifests, docs.URL("install/one-api-group.md"))
}

// WithMissingGroup replaces the error of a request for a kind whose API group is not in the cluster by an error that says so. A user without the
// right to the kind gets a 403 from the API server, even if it does not have the kind.
func (e *Environment) WithMissingGroup(ctx context.Context, err error) error {
	var status apierrors.APIStatus
	if !IsNotServed(err) && !apierrors.IsForbidden(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return err
	}
	group := status.Status().Details.Group
	if !slices.Contains(Groups, group) {
		return err
	}
	if has, discoveryErr := e.HasGroup(ctx, group); has || discoveryErr != nil {
		return err // a kind is missing, or a version, or a right
	}
	return GroupNotInstalled(group)
}
