// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// AnyClient is a client of objects of any kind.
type AnyClient = Client[*unstructured.Unstructured, *unstructured.UnstructuredList]

// AnyKind returns the mapping of a namespaced kind, which the user names as for kubectl, such as deploy or deployments.apps, and a client of
// its objects in a namespace.
func (e *Environment) AnyKind(name, namespace string) (*meta.RESTMapping, AnyClient, error) {
	config, err := e.Config()
	if err != nil {
		return nil, nil, err
	}
	mapper, err := e.Connection.ToRESTMapper()
	if err != nil {
		return nil, nil, err
	}
	mapping, err := mappingOf(mapper, name)
	if err != nil {
		return nil, nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return nil, nil, UsageError("%s is a cluster-scoped kind, and this command takes namespaced kinds", mapping.GroupVersionKind.Kind)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	return mapping, anyClient{client.Resource(mapping.Resource).Namespace(namespace)}, nil
}

// mappingOf finds a kind by RESOURCE, RESOURCE.GROUP or RESOURCE.VERSION.GROUP.
func mappingOf(mapper meta.RESTMapper, name string) (*meta.RESTMapping, error) {
	versioned, resource := schema.ParseResourceArg(strings.ToLower(name))
	candidates := []schema.GroupVersionResource{resource.WithVersion("")}
	if versioned != nil {
		candidates = append([]schema.GroupVersionResource{*versioned}, candidates...)
	}
	for _, candidate := range candidates {
		kind, err := mapper.KindFor(candidate)
		switch {
		case err == nil:
			return mapper.RESTMapping(kind.GroupKind(), kind.Version)
		case !meta.IsNoMatchError(err):
			return nil, err
		}
	}
	return nil, WithHint(fmt.Errorf("the API server has no kind %q", name), "kubectl api-resources --namespaced lists the kinds")
}

// CompleteKindName completes KIND/NAME with some kinds, each with a slash, and with the objects that a label selector selects.
func CompleteKindName(e *Environment, selector string, kinds func() ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		kind, _, isPair := strings.Cut(prefix, "/")
		if !isPair {
			names, directive := Complete(func(context.Context) ([]string, error) { return kinds() })(cmd, nil, prefix)
			return names, directive | cobra.ShellCompDirectiveNoSpace
		}
		return Complete(func(ctx context.Context) ([]string, error) { return anyNames(ctx, e, kind, selector) })(cmd, args, prefix)
	}
}

// anyNames lists objects of a kind as KIND/NAME.
func anyNames(ctx context.Context, e *Environment, kind, selector string) ([]string, error) {
	namespace, err := e.Namespace()
	if err != nil {
		return nil, err
	}
	_, client, err := e.AnyKind(kind, namespace)
	if err != nil {
		return nil, err
	}
	objects, err := List(ctx, client, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, object := range objects {
		names = append(names, kind+"/"+object.GetName())
	}
	return names, nil
}

// anyClient has the methods of generated clients, which take no subresources.
type anyClient struct{ dynamic.ResourceInterface }

func (c anyClient) Get(ctx context.Context, name string, options metav1.GetOptions) (*unstructured.Unstructured, error) {
	return c.ResourceInterface.Get(ctx, name, options)
}

func (c anyClient) Create(ctx context.Context, object *unstructured.Unstructured, options metav1.CreateOptions) (*unstructured.Unstructured, error) {
	return c.ResourceInterface.Create(ctx, object, options)
}

func (c anyClient) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	return c.ResourceInterface.Delete(ctx, name, options)
}
