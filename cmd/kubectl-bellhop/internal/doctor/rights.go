/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// right is what a command needs: verbs of a resource.
type right struct {
	group, resource, subresource string
	verbs                        []string
	clusterScoped                bool
}

// of returns the right to do something with the objects of a kind.
func of(k *kinds.Kind, verbs ...string) right {
	return right{group: k.Group, resource: k.Resource, verbs: verbs, clusterScoped: !k.Namespaced}
}

// commandRights are the rights that commands of the plugin need.
type commandRights struct {
	// role is the ClusterRole that gives the rights, and commands those that need them.
	role     string
	commands string
	rights   []right
	// administrative commands are not for every user: that they are not allowed is no finding.
	administrative bool
}

const (
	pagerView   = "bellhop-pager-view"
	pagerEdit   = "bellhop-pager-edit"
	catalogView = "bellhop-servicecatalog-view"
	catalogEdit = "bellhop-servicecatalog-edit"
	// clusterEdit is Kubernetes' own role. Where roles of Bellhop are aggregated to it, it has their rights, too.
	clusterEdit = "edit"
)

var (
	readSecrets = right{resource: "secrets", verbs: []string{"get"}}
	// rightsOfCommands has a row for each group of commands, and each role that they need.
	rightsOfCommands = []commandRights{
		{role: pagerView, commands: "alerts", rights: []right{of(kinds.Alert, "get", "list")}},
		{role: pagerView, commands: "page --wait", rights: []right{of(kinds.Alert, "list", "watch")}},
		{role: pagerEdit, commands: "page", rights: []right{of(kinds.Alert, "create")}},
		{role: pagerEdit, commands: "test", rights: []right{of(kinds.Alert, "create", "list", "watch", "delete")}},
		{role: pagerEdit, commands: "resolve", rights: []right{of(kinds.Alert, "get", "patch")}},
		{role: pagerEdit, commands: "resend", rights: []right{of(kinds.Alert, "get", "patch")}},
		{role: pagerView, commands: "source", rights: []right{of(kinds.AlertSource, "get")}},
		{role: clusterEdit, commands: "watch (Deployments)", rights: []right{{group: "apps", resource: "deployments", verbs: []string{"get", "patch"}}}},
		{role: "bellhop-servicecatalog-clusterserviceclass-viewer-role", commands: "marketplace (classes of the cluster)",
			rights: []right{of(kinds.ClusterServiceClass, "get", "list")}},
		{role: "bellhop-servicecatalog-clusterserviceplan-viewer-role", commands: "marketplace (plans of the cluster)",
			rights: []right{of(kinds.ClusterServicePlan, "get", "list")}},
		{role: catalogView, commands: "marketplace (this namespace)", rights: []right{of(kinds.ServiceClass, "get", "list"), of(kinds.ServicePlan, "get", "list")}},
		{role: catalogView, commands: "provision --wait", rights: []right{of(kinds.ServiceInstance, "list", "watch")}},
		{role: catalogView, commands: "bind --wait", rights: []right{of(kinds.ServiceBinding, "list", "watch")}},
		{role: catalogView, commands: "creds, exec and connect (bindings)", rights: []right{of(kinds.ServiceBinding, "get")}},
		{role: catalogEdit, commands: "provision", rights: []right{of(kinds.ServiceInstance, "create")}},
		{role: catalogEdit, commands: "update", rights: []right{of(kinds.ServiceInstance, "get", "patch")}},
		{role: catalogEdit, commands: "deprovision", rights: []right{of(kinds.ServiceInstance, "get", "delete")}},
		{role: catalogEdit, commands: "bind", rights: []right{of(kinds.ServiceBinding, "create")}},
		{role: clusterEdit, commands: "bind --inject (Deployments)", rights: []right{{group: "apps", resource: "deployments", verbs: []string{"get", "patch"}}}},
		{role: catalogEdit, commands: "rotate", rights: []right{of(kinds.ServiceBinding, "get", "patch")}},
		{role: catalogEdit, commands: "unbind", rights: []right{of(kinds.ServiceBinding, "get", "delete")}},
		{role: clusterEdit, commands: "creds and exec (Secrets)", rights: []right{readSecrets}},
		{role: clusterEdit, commands: "connect (Services and Pods)", rights: []right{
			readSecrets, {resource: "services", verbs: []string{"get"}}, {resource: "pods", verbs: []string{"list"}},
			{resource: "pods", subresource: "portforward", verbs: []string{"create"}},
		}},
		{commands: "register (this namespace)", administrative: true, rights: []right{of(kinds.ServiceBroker, "create", "get", "patch", "delete")}},
		{commands: "register (cluster)", administrative: true, rights: []right{of(kinds.ClusterServiceBroker, "create", "get", "patch", "delete")}},
	}
)

// missingRights are the commands that a user may not use for want of a role.
type missingRights struct {
	role          string
	clusterScoped bool
	commands      []string
	// resources are in the order in which they were added, with the verbs of each.
	resources []string
	verbs     map[string][]string
}

// checkRights asks the API server which commands the user may use.
func checkRights(ctx context.Context, i *inspector) (result, error) {
	var r result
	answers := map[authorizationv1.ResourceAttributes]bool{}
	var allowed, denied []string
	var byRole []*missingRights
	for _, row := range rightsOfCommands {
		missing, err := i.missing(ctx, answers, row.rights)
		switch {
		case err != nil:
			return skipForbidden(err)
		case len(missing) == 0:
			allowed = append(allowed, row.commands)
			continue
		}
		denied = append(denied, row.commands)
		if !row.administrative {
			byRole = addMissing(byRole, row, missing)
		}
	}
	user := "YOU"
	if len(byRole) > 0 {
		user = i.userName(ctx)
	}
	for _, m := range byRole {
		f := Finding{ID: "right-missing", Severity: Warning, Object: "ClusterRole/" + m.role, Fix: i.fixRight(m, user)}
		f.Message = fmt.Sprintf("you may not %s, as needed by %s", m, strings.Join(m.commands, ", "))
		if !m.clusterScoped {
			f.Namespace = i.namespace
		}
		r.add(f)
	}
	switch {
	case len(denied) == 0:
		r.message = "you may use all commands in " + i.where()
	case len(allowed) == 0:
		r.message = "you may use no command in " + i.where()
	default:
		r.message = fmt.Sprintf("you may use in %s: %s; not: %s", i.where(), strings.Join(allowed, ", "), strings.Join(denied, ", "))
	}
	return r, nil
}

// addMissing adds commands and rights to those that the same role gives.
func addMissing(byRole []*missingRights, row commandRights, missing []right) []*missingRights {
	at := slices.IndexFunc(byRole, func(m *missingRights) bool { return m.role == row.role })
	if at < 0 {
		at, byRole = len(byRole), append(byRole, &missingRights{role: row.role, clusterScoped: row.rights[0].clusterScoped, verbs: map[string][]string{}})
	}
	m := byRole[at]
	m.commands = append(m.commands, row.commands)
	for _, right := range missing {
		resource := right.String()
		if _, ok := m.verbs[resource]; !ok {
			m.resources = append(m.resources, resource)
		}
		if verb := right.verbs[0]; !slices.Contains(m.verbs[resource], verb) {
			m.verbs[resource] = append(m.verbs[resource], verb)
		}
	}
	return byRole
}

// String lists the rights as "VERB, VERB RESOURCE; VERB RESOURCE".
func (m *missingRights) String() string {
	var parts []string
	for _, resource := range m.resources {
		parts = append(parts, strings.Join(m.verbs[resource], ", ")+" "+resource)
	}
	return strings.Join(parts, "; ")
}

// missing returns those of some rights that the user does not have, each with one verb.
func (i *inspector) missing(ctx context.Context, answers map[authorizationv1.ResourceAttributes]bool, rights []right) ([]right, error) {
	var missing []right
	for _, right := range rights {
		for _, verb := range right.verbs {
			may, err := i.may(ctx, answers, i.attributes(right, verb))
			if err != nil {
				return nil, err
			}
			if !may {
				one := right
				one.verbs = []string{verb}
				missing = append(missing, one)
			}
		}
	}
	return missing, nil
}

// userName is how the API server calls the user, YOU where it does not tell.
func (i *inspector) userName(ctx context.Context) string {
	review, err := i.authentication.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "YOU"
	}
	return review.Status.UserInfo.Username
}

// String is the resource as kubectl auth can-i takes it.
func (r right) String() string {
	text := r.resource
	if r.group != "" {
		text += "." + r.group
	}
	if r.subresource != "" {
		text += "/" + r.subresource
	}
	return text
}

func (i *inspector) attributes(right right, verb string) authorizationv1.ResourceAttributes {
	attributes := authorizationv1.ResourceAttributes{Verb: verb, Group: right.group, Resource: right.resource, Subresource: right.subresource}
	if !right.clusterScoped {
		attributes.Namespace = i.namespace
	}
	return attributes
}

// may asks whether the user has a right, each right once.
func (i *inspector) may(ctx context.Context, answers map[authorizationv1.ResourceAttributes]bool, attributes authorizationv1.ResourceAttributes) (bool, error) {
	if answer, ok := answers[attributes]; ok {
		return answer, nil
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes}}
	review, err := i.authorization.SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	answers[attributes] = review.Status.Allowed
	return review.Status.Allowed, nil
}

// fixRight is the command that gives a user a role.
func (i *inspector) fixRight(m *missingRights, user string) string {
	name := strings.NewReplacer("/", "-", "%", "-").Replace(m.role + "-" + user) // these may not be in the name of a binding
	binding, namespace := "rolebinding", " --namespace="+i.namespace
	if i.namespace == "" || m.clusterScoped {
		binding, namespace = "clusterrolebinding", ""
	}
	return fmt.Sprintf("an administrator can allow it: kubectl create %s %s --clusterrole=%s --user=%s%s",
		binding, cli.ShellArgument(name), m.role, cli.ShellArgument(user), namespace)
}
