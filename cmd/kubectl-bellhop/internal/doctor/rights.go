// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/rights"
)

// checkRights asks the API server which commands the user may use.
func checkRights(ctx context.Context, i *inspector) (result, error) {
	reviewer := rights.Reviewer{Authorization: i.authorization, Namespace: i.namespace, Groups: i.groups}
	review, err := reviewer.Commands(ctx)
	if err != nil {
		return skipForbidden(err)
	}
	var r result
	user := "YOU"
	if len(review.ByRole) > 0 {
		user = i.userName(ctx)
	}
	for _, m := range review.ByRole {
		f := Finding{ID: "right-missing", Severity: Warning, Object: "ClusterRole/" + m.Role, Fix: m.HowToAllow(user, i.namespace)}
		f.Message = fmt.Sprintf("you may not %s, as needed by %s", m, strings.Join(m.Commands, ", "))
		if !m.ClusterScoped {
			f.Namespace = i.namespace
		}
		r.add(f)
	}
	switch {
	case len(review.Denied) == 0:
		r.message = "you may use all commands in " + i.where()
	case len(review.Allowed) == 0:
		r.message = "you may use no command in " + i.where()
	default:
		r.message = fmt.Sprintf("you may use in %s: %s; not: %s", i.where(), strings.Join(review.Allowed, ", "), strings.Join(review.Denied, ", "))
	}
	return r, nil
}

// userName is how the API server calls the user, YOU where it does not tell.
func (i *inspector) userName(ctx context.Context) string {
	review, err := i.authentication.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "YOU"
	}
	return review.Status.UserInfo.Username
}
