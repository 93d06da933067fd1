// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/operator"
	"github.com/gophernetes/bellhop/docs"
	"github.com/gophernetes/bellhop/internal/kube/apigroups"
)

var pageOfForms = docs.URL("install/one-api-group.md")

// installations are the operators of the cluster.
type installations struct {
	// here are the Deployments in the operator's namespace; all are the Deployments of the cluster, as far as the user may list them.
	here, all []*operator.Deployment
	// unlisted is the reason why no Deployment is known.
	unlisted error
}

// findInstallations reads the Deployments, and finds out which API groups are to be checked: groups that the cluster has, and groups that an
// operator here should serve. Without such a group both are checked.
func (i *inspector) findInstallations(ctx context.Context) (err error) {
	if i.all, _, err = operator.ListAll(ctx, i.apps, i.operatorNamespace); isForbidden(err) {
		i.unlisted, err = err, nil
	}
	if err != nil {
		return err
	}
	i.here = slices.DeleteFunc(slices.Clone(i.all), func(d *operator.Deployment) bool { return d.Namespace != i.operatorNamespace })
	installed, err := i.InstalledGroups(ctx)
	if err != nil {
		return err
	}
	i.groups = slices.DeleteFunc(slices.Clone(cli.Groups), func(group string) bool {
		d := operator.Serving(i.here, group)
		return !slices.Contains(installed, group) && (d == nil || d.Replicas == 0)
	})
	if len(i.groups) == 0 {
		i.groups = cli.Groups
	}
	return nil
}

func (i *inspector) hasGroup(group string) bool { return slices.Contains(i.groups, group) }

// kinds are the kinds of the API groups that are checked.
func (i *inspector) kinds() []*kinds.Kind {
	return slices.DeleteFunc(slices.Clone(kinds.All), func(k *kinds.Kind) bool { return !i.hasGroup(k.Group) })
}

// withoutGroups says which API group is not installed, for the end of a text.
func (i *inspector) withoutGroups() string {
	for _, group := range cli.Groups {
		if !i.hasGroup(group) {
			return "; the API group " + group + " is not installed, and nothing of it is checked"
		}
	}
	return ""
}

// forms are the sets of API groups that operators here serve, each once. Operators that are scaled to 0 count where there is no other. Without a
// Deployment all sets are possible.
func (i *inspector) forms() []apigroups.Set {
	var running, present []apigroups.Set
	for _, d := range i.here {
		present = append(present, d.APIs)
		if d.Replicas > 0 {
			running = append(running, d.APIs)
		}
	}
	for _, among := range [][]apigroups.Set{running, present} {
		if len(among) > 0 {
			return slices.DeleteFunc(slices.Clone(apigroups.Forms), func(form apigroups.Set) bool { return !slices.Contains(among, form) })
		}
	}
	return apigroups.Forms
}

// isReplaced reports whether this operator is scaled to 0 and others serve its API groups.
func (i *inspector) isReplaced(d *operator.Deployment) bool {
	return d.Replicas == 0 && !slices.ContainsFunc(operator.Groups(d.APIs), func(group string) bool {
		other := operator.Serving(i.all, group)
		return i.hasGroup(group) && other.Replicas == 0
	})
}

// isServedElsewhere reports whether operators in other namespaces alone serve an API group.
func (i *inspector) isServedElsewhere(group string) bool {
	here, other := operator.Serving(i.here, group), operator.Serving(i.all, group)
	return (here == nil || here.Replicas == 0) && other != nil && other.Replicas > 0
}

// servedElsewhere names the operators of the API groups that no operator here serves, for the end of a text.
func (i *inspector) servedElsewhere() string {
	var text strings.Builder
	for _, group := range i.groups {
		if i.isServedElsewhere(group) {
			fmt.Fprintf(&text, "; %s serves %s", operator.Serving(i.all, group).Label(), group)
		} else if operator.Serving(i.here, group) == nil {
			fmt.Fprintf(&text, "; no Deployment here serves %s", group)
		}
	}
	return text.String()
}

// evaluateInstallations reports operators that serve the same API group.
func evaluateInstallations(deployments []*operator.Deployment) []Finding {
	var findings []Finding
	for n, d := range deployments {
		for _, other := range deployments[n+1:] {
			shared := slices.DeleteFunc(operator.Groups(d.APIs), func(group string) bool { return !other.Serves(group) })
			if len(shared) == 0 || d.Replicas == 0 || other.Replicas == 0 || !shareNamespace(d, other) {
				continue
			}
			consequence := "each of them sends its requests"
			if d.Namespace == other.Namespace {
				consequence = "only one of them leads"
			}
			findings = append(findings, Finding{
				ID: "operator-conflict", Severity: Problem, Object: "Deployment/" + d.Name, Namespace: d.Namespace,
				Message: fmt.Sprintf("it and %s serve the same kinds, of %s: %s", other.Label(), strings.Join(shared, " and "), consequence),
				Fix: fmt.Sprintf("scale one of them to 0, such as kubectl scale --replicas=0 --namespace=%s deployment/%s; see %s",
					d.Namespace, d.Name, pageOfForms),
			})
		}
	}
	return findings
}

// shareNamespace reports whether two operators serve objects of the same namespace.
func shareNamespace(a, b *operator.Deployment) bool {
	ofA, ofB := a.Namespaces(), b.Namespaces()
	return len(ofA) == 0 || len(ofB) == 0 || slices.ContainsFunc(ofA, func(namespace string) bool { return slices.Contains(ofB, namespace) })
}

// evaluateTargets reports configurations whose webhooks call different servers for the same resources.
func evaluateTargets(hooks []hook) []Finding {
	type pair struct{ object, target, otherObject, otherTarget string }
	var pairs []pair
	resources := map[pair][]string{}
	for n, h := range hooks {
		for _, other := range hooks[n+1:] {
			if h.object == other.object || h.target == other.target {
				continue
			}
			p := pair{h.object, h.target, other.object, other.target}
			for _, resource := range h.resources {
				if slices.Contains(other.resources, resource) && !slices.Contains(resources[p], resource) {
					resources[p] = append(resources[p], resource)
				}
			}
			if len(resources[p]) > 0 && !slices.Contains(pairs, p) {
				pairs = append(pairs, p)
			}
		}
	}
	var findings []Finding
	for _, p := range pairs {
		findings = append(findings, Finding{
			ID: "webhooks-conflict", Severity: Problem, Object: p.object,
			Message: fmt.Sprintf("it calls %s, and %s calls %s, for the same kinds: %s", p.target, p.otherObject, p.otherTarget, strings.Join(resources[p], ", ")),
			Fix:     "scale the operator of one of them to 0, and delete its webhook configurations; see " + pageOfForms,
		})
	}
	return findings
}

// targetOf is the Service or the URL that a webhook configuration calls.
func targetOf(config admissionregistrationv1.WebhookClientConfig) string {
	if config.Service != nil {
		return "Service " + config.Service.Namespace + "/" + config.Service.Name
	}
	if config.URL != nil {
		if parsed, err := url.Parse(*config.URL); err == nil {
			return parsed.Scheme + "://" + parsed.Host
		}
	}
	return "nothing"
}

// resourcesOf are the resources of Bellhop in the rules of a webhook, without subresources.
func resourcesOf(rules []admissionregistrationv1.RuleWithOperations) []string {
	var resources []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			if !slices.Contains(cli.Groups, group) {
				continue
			}
			for _, resource := range rule.Resources {
				name, _, _ := strings.Cut(resource, "/")
				if name += "." + group; !slices.Contains(resources, name) {
					resources = append(resources, name)
				}
			}
		}
	}
	return resources
}
