// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pagebylabel

import (
	"context"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// MissingVerbs returns those verbs that the operator may not use on a resource in each namespace that it serves.
func (o *Operator) MissingVerbs(ctx context.Context, api authorizationclient.SubjectAccessReviewsGetter, verbs []string, resource authorizationv1.ResourceAttributes) ([]string, error) {
	namespaces := o.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var missing []string
	for _, verb := range verbs {
		for _, namespace := range namespaces {
			resource.Verb, resource.Namespace = verb, namespace
			may, err := o.may(ctx, api, resource)
			if err != nil {
				return nil, err
			}
			if !may && !slices.Contains(missing, verb) {
				missing = append(missing, verb)
			}
		}
	}
	return missing, nil
}

// may asks whether the ServiceAccount of the operator has a right.
func (o *Operator) may(ctx context.Context, api authorizationclient.SubjectAccessReviewsGetter, attributes authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               fmt.Sprintf("system:serviceaccount:%s:%s", o.Namespace, o.ServiceAccount),
		Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + o.Namespace, "system:authenticated"},
		ResourceAttributes: &attributes,
	}}
	review, err := api.SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}
