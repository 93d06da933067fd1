// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rights knows which rights the commands need, and asks the API server which of them a user has.
package rights

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// Right is a right that a command needs: verbs of a resource.
type Right struct {
	Group, Resource, Subresource string
	Verbs                        []string
	ClusterScoped                bool
}

// Of returns the right to do something with the objects of a kind.
func Of(k *kinds.Kind, verbs ...string) Right {
	return Right{Group: k.Group, Resource: k.Resource, Verbs: verbs, ClusterScoped: !k.Namespaced}
}

// Reviewer asks about the rights of the user.
type Reviewer struct {
	Authorization authorizationclient.AuthorizationV1Interface
	// Namespace is the namespace of the rights, empty: all.
	Namespace string
	// Groups are the API groups of the commands.
	Groups []string

	answers map[authorizationv1.ResourceAttributes]bool
}

// String is the resource as kubectl auth can-i takes it.
func (r Right) String() string {
	text := r.Resource
	if r.Group != "" {
		text += "." + r.Group
	}
	if r.Subresource != "" {
		text += "/" + r.Subresource
	}
	return text
}

func (r *Reviewer) attributes(right Right, verb string) authorizationv1.ResourceAttributes {
	attributes := authorizationv1.ResourceAttributes{Verb: verb, Group: right.Group, Resource: right.Resource, Subresource: right.Subresource}
	if !right.ClusterScoped {
		attributes.Namespace = r.Namespace
	}
	return attributes
}

// may asks whether the user has a right, each right once.
func (r *Reviewer) may(ctx context.Context, attributes authorizationv1.ResourceAttributes) (bool, error) {
	if answer, ok := r.answers[attributes]; ok {
		return answer, nil
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes}}
	review, err := r.Authorization.SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	r.answers[attributes] = review.Status.Allowed
	return review.Status.Allowed, nil
}
