// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rights

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Missing are the commands that a user may not use for want of a role.
type Missing struct {
	Role          string
	ClusterScoped bool
	Commands      []string
	// resources are in the order in which they were added, with the verbs of each.
	resources []string
	verbs     map[string][]string
}

// Review has the commands that the user may use, and the rights that the user lacks.
type Review struct {
	// Allowed and Denied are commands.
	Allowed, Denied []string
	// ByRole are the rights that the user lacks, without rights for commands that are not for every user.
	ByRole []*Missing
}

// Commands asks the API server which commands the user may use.
func (r *Reviewer) Commands(ctx context.Context) (*Review, error) {
	r.answers = map[authorizationv1.ResourceAttributes]bool{}
	review := &Review{}
	var rows []commandRights
	if slices.Contains(r.Groups, cli.PagerGroup) {
		rows = append(rows, ofAlerts...)
	}
	if slices.Contains(r.Groups, cli.ServicesGroup) {
		rows = append(rows, ofServices...)
	}
	for _, row := range rows {
		missing, err := r.missing(ctx, row.rights)
		switch {
		case err != nil:
			return nil, err
		case len(missing) == 0:
			review.Allowed = append(review.Allowed, row.commands)
			continue
		}
		review.Denied = append(review.Denied, row.commands)
		if !row.administrative {
			review.ByRole = addMissing(review.ByRole, row, missing)
		}
	}
	return review, nil
}

// addMissing adds commands and rights to the entry of their role.
func addMissing(byRole []*Missing, row commandRights, missing []Right) []*Missing {
	at := slices.IndexFunc(byRole, func(m *Missing) bool { return m.Role == row.role })
	if at < 0 {
		at, byRole = len(byRole), append(byRole, &Missing{Role: row.role, ClusterScoped: row.rights[0].ClusterScoped, verbs: map[string][]string{}})
	}
	m := byRole[at]
	m.Commands = append(m.Commands, row.commands)
	for _, right := range missing {
		resource := right.String()
		if _, ok := m.verbs[resource]; !ok {
			m.resources = append(m.resources, resource)
		}
		if verb := right.Verbs[0]; !slices.Contains(m.verbs[resource], verb) {
			m.verbs[resource] = append(m.verbs[resource], verb)
		}
	}
	return byRole
}

// String lists the rights as "VERB, VERB RESOURCE; VERB RESOURCE".
func (m *Missing) String() string {
	var parts []string
	for _, resource := range m.resources {
		parts = append(parts, strings.Join(m.verbs[resource], ", ")+" "+resource)
	}
	return strings.Join(parts, "; ")
}

// missing returns the rights that the user does not have, each with one verb.
func (r *Reviewer) missing(ctx context.Context, rights []Right) ([]Right, error) {
	var missing []Right
	for _, right := range rights {
		for _, verb := range right.Verbs {
			may, err := r.may(ctx, r.attributes(right, verb))
			if err != nil {
				return nil, err
			}
			if !may {
				one := right
				one.Verbs = []string{verb}
				missing = append(missing, one)
			}
		}
	}
	return missing, nil
}

// HowToAllow is the command that gives a user the role, in a namespace or, if that is empty, in all.
func (m *Missing) HowToAllow(user, inNamespace string) string {
	name := strings.NewReplacer("/", "-", "%", "-").Replace(m.Role + "-" + user) // these may not be in the name of a binding
	binding, namespace := "rolebinding", " --namespace="+inNamespace
	if inNamespace == "" || m.ClusterScoped {
		binding, namespace = "clusterrolebinding", ""
	}
	return fmt.Sprintf("an administrator can allow it: kubectl create %s %s --clusterrole=%s --user=%s%s",
		binding, cli.ShellArgument(name), m.Role, cli.ShellArgument(user), namespace)
}
