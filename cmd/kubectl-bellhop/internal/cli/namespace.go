// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
