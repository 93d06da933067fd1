// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindings

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/injectionrules"
)

// injectables are the kinds with a template of Pods that is rolled out when it changes, with the names that kubectl has for them.
var injectables = map[string][]string{
	"deployment":  {"deployments", "deploy"},
	"statefulset": {"statefulsets", "sts"},
	"daemonset":   {"daemonsets", "ds"},
}

// parseWorkload parses KIND/NAME of --inject. The kind is one of injectables.
func parseWorkload(text string) (kind, name string, err error) {
	given, name, err := cli.ParseKindName(text)
	if err != nil {
		return "", "", cli.UsageError("--inject=%w", err)
	}
	given = strings.TrimSuffix(strings.ToLower(given), ".apps")
	for kind, others := range injectables {
		if given == kind || slices.Contains(others, given) {
			return kind, name, nil
		}
	}
	return "", "", cli.UsageError("--inject=%s: the workload has to be deployment/NAME, statefulset/NAME or daemonset/NAME", text)
}

// validateInject validates --inject without a request.
func (b *bind) validateInject() error {
	if b.inject == "" {
		return nil
	}
	_, _, err := parseWorkload(b.inject)
	return err
}

// injectTarget is the workload whose Pods get the credentials of a binding.
type injectTarget struct {
	client  cli.AnyClient
	object  *unstructured.Unstructured
	binding injectionrules.Binding
}

// findTarget reads the workload of --inject, nil without the flag, and validates that a binding can be injected into its Pods.
func (b *bind) findTarget(ctx context.Context, binding *v1beta1.ServiceBinding) (*injectTarget, error) {
	if b.inject == "" {
		return nil, nil
	}
	kind, name, err := parseWorkload(b.inject)
	if err != nil {
		return nil, err
	}
	_, client, err := b.e.AnyKind(kind+".apps", binding.Namespace)
	if err != nil {
		return nil, err
	}
	object, err := cli.Get(ctx, client, name)
	if err != nil {
		return nil, err
	}
	t := &injectTarget{client: client, object: object, binding: injectionrules.Binding{Name: binding.Name, Secret: catalog.SecretName(binding)}}
	if err := t.addTo(object.DeepCopy()); err != nil {
		return nil, fmt.Errorf("%s: %w", cli.ResourceName(object), err)
	}
	return t, b.requirePermission(ctx, binding.Namespace)
}

// requirePermission returns an error if a Namespace does not permit the injection. Where the user may not read that, a note says so.
func (b *bind) requirePermission(ctx context.Context, namespace string) error {
	core, err := b.e.Core()
	if err != nil {
		return err
	}
	permits, err := cli.NamespaceMatches(ctx, core, namespace, injectionrules.NamespaceSelector)
	if apierrors.IsForbidden(err) {
		fmt.Fprintf(b.e.ErrOut, "note: you may not read Namespace %q: without the label %s, its Pods get no credentials\n", namespace, injectionrules.NamespaceSelector)
		return nil
	}
	if err != nil || permits {
		return err
	}
	return cli.WithHint(fmt.Errorf("namespace %q has no label %s, so its Pods get no credentials", namespace, injectionrules.NamespaceSelector),
		"an administrator permits it: %s", cli.LabelNamespaceCommand(namespace, injectionrules.NamespaceSelector))
}

// addTo sets label and annotation on the template of a workload.
func (t *injectTarget) addTo(workload *unstructured.Unstructured) error {
	metadata := []string{"spec", "template", "metadata"}
	annotation := append(slices.Clone(metadata), "annotations", v1beta1.InjectBindingsAnnotation)
	before, _, err := unstructured.NestedString(workload.Object, annotation...)
	if err != nil {
		return err
	}
	after, err := injectionrules.AddBinding(before, t.binding)
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedField(workload.Object, after, annotation...); err != nil {
		return err
	}
	return unstructured.SetNestedField(workload.Object, "true", append(slices.Clone(metadata), "labels", v1beta1.InjectLabel)...)
}

// effect describes the effect of the change on the Pods of the workload.
func (t *injectTarget) effect() string {
	strategy, _, _ := unstructured.NestedString(t.object.Object, "spec", "updateStrategy", "type")
	if strategy == "OnDelete" {
		return "gets the credentials: its updateStrategy is OnDelete, so delete its Pods to replace them"
	}
	return "gets the credentials: a rollout replaces its Pods"
}

// write patches the workload, if there is one.
func (t *injectTarget) write(ctx context.Context, e *cli.Environment, f *cli.WriteFlags) (err error) {
	if t == nil {
		return nil
	}
	t.object, err = cli.Edit(ctx, e, f, t.client, t.object, t.effect(), t.addTo)
	if f.Stores() {
		err = cli.WithHint(err, "the ServiceBinding was created, and the workload was not changed: kubectl bellhop unbind -n %s %s deletes the binding",
			t.object.GetNamespace(), t.binding.Name)
	}
	return err
}

// report prints the workload after the binding was waited for.
func (t *injectTarget) report(e *cli.Environment, f *cli.WriteFlags) error {
	if t == nil {
		return nil
	}
	return f.Report(e, t.effect(), t.object)
}

// completeInject completes KIND/ and then names.
func completeInject(e *cli.Environment) cobra.CompletionFunc {
	return cli.CompleteKindName(e, "", func() ([]string, error) {
		return []string{"daemonset/", "deployment/", "statefulset/"}, nil
	})
}
