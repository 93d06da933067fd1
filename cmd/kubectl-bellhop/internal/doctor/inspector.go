// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	admissionregistrationclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	pagerclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/pager/v1beta1"
	servicecatalogclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// inspector has the clients that checks need, and the objects that were read so far.
type inspector struct {
	*options
	// own is the namespace of the command; namespace the namespace of the objects that are checked, empty: all.
	own, namespace string

	clients        *kinds.Clients
	core           coreclient.CoreV1Interface
	admission      admissionregistrationclient.AdmissionregistrationV1Interface
	apps           appsclient.AppsV1Interface
	authentication authenticationclient.AuthenticationV1Interface
	authorization  authorizationclient.AuthorizationV1Interface
	coordination   coordinationclient.CoordinationV1Interface
	dynamic        dynamic.Interface

	now func() time.Time
	// listed are the objects that were listed already, with the errors.
	listed map[*kinds.Kind]listed
	hooks  *hooks
	// groups are the API groups that are checked.
	groups []string
	installations
}

type listed struct {
	objects []cli.Object
	err     error
}

func (o *options) newInspector() (*inspector, error) {
	config, err := o.Config()
	if err != nil {
		return nil, err
	}
	own, err := o.Namespace()
	if err != nil {
		return nil, err
	}
	i := &inspector{options: o, own: own, namespace: own, now: time.Now, listed: map[*kinds.Kind]listed{}}
	if o.allNamespaces {
		i.namespace = ""
	}
	return i, i.connect(rest.CopyConfig(config))
}

// connect makes the clients. The warnings of dry runs are about objects that are not stored, and are not shown.
func (i *inspector) connect(config *rest.Config) (err error) {
	config.WarningHandler, config.WarningHandlerWithContext = rest.NoWarnings{}, nil
	i.clients = &kinds.Clients{}
	if i.clients.Pager, err = pagerclient.NewForConfig(config); err != nil {
		return err
	}
	if i.clients.Services, err = servicecatalogclient.NewForConfig(config); err != nil {
		return err
	}
	if i.core, err = coreclient.NewForConfig(config); err != nil {
		return err
	}
	if i.admission, err = admissionregistrationclient.NewForConfig(config); err != nil {
		return err
	}
	if i.apps, err = appsclient.NewForConfig(config); err != nil {
		return err
	}
	if i.authentication, err = authenticationclient.NewForConfig(config); err != nil {
		return err
	}
	if i.authorization, err = authorizationclient.NewForConfig(config); err != nil {
		return err
	}
	if i.coordination, err = coordinationclient.NewForConfig(config); err != nil {
		return err
	}
	i.dynamic, err = dynamic.NewForConfig(config)
	return err
}

// list reads the objects of a kind once. A kind that is not installed has no objects: another check finds that.
func (i *inspector) list(ctx context.Context, k *kinds.Kind) ([]cli.Object, error) {
	if known, ok := i.listed[k]; ok {
		return known.objects, known.err
	}
	objects, err := k.List(ctx, i.clients, i.namespace)
	if apierrors.IsNotFound(err) {
		err = nil
	}
	i.listed[k] = listed{objects, err}
	return objects, err
}

// listAll reads the objects of several kinds. Unreadable says which kinds the user may not read.
func (i *inspector) listAll(ctx context.Context, selected ...*kinds.Kind) (all []cli.Object, unreadable []string, err error) {
	for _, k := range selected {
		objects, err := i.list(ctx, k)
		switch {
		case isForbidden(err):
			unreadable = append(unreadable, k.Resource)
		case err != nil:
			return nil, nil, err
		}
		all = append(all, objects...)
	}
	return all, unreadable, nil
}

// namespacesWith returns the Namespaces that are checked and that a label selector selects.
func (i *inspector) namespacesWith(ctx context.Context, selector string) (map[string]bool, error) {
	if i.namespace != "" { // the right to get it is enough
		matches, err := cli.NamespaceMatches(ctx, i.core, i.namespace, selector)
		return map[string]bool{i.namespace: matches}, err
	}
	list, err := i.core.Namespaces().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, namespace := range list.Items {
		names[namespace.Name] = true
	}
	return names, nil
}

// where is the namespace that is checked, for a text.
func (i *inspector) where() string {
	if i.namespace == "" {
		return "all namespaces"
	}
	return "namespace " + i.namespace
}

func isForbidden(err error) bool { return apierrors.IsForbidden(err) }
