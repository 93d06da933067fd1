// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/workloads"
	"github.com/gophernetes/bellhop/docs"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/injectionrules"
)

// injected has the objects that the check of credentials in Pods has read.
type injected struct {
	*inspector
	// pods are the Pods with the label, by namespace.
	pods map[string][]*corev1.Pod
	// unchecked are things that the user may not read.
	unchecked []string
	// blocked are the namespaces whose new Pods get no credentials.
	blocked map[string]bool
}

// checkInjection looks for Pods that request credentials and have none, or have former ones. It reads only the Pods with the label, since the
// cluster may be large.
func checkInjection(ctx context.Context, i *inspector) (result, error) {
	pods, err := workloads.ListPods(ctx, i.core, i.namespace, injectionrules.Selector)
	if err != nil {
		return skipForbidden(err)
	}
	c := &injected{inspector: i, pods: map[string][]*corev1.Pod{}, blocked: map[string]bool{}}
	for _, pod := range pods {
		c.pods[pod.Namespace] = append(c.pods[pod.Namespace], pod)
	}
	var r result
	if len(pods) > 0 {
		for _, check := range []func(context.Context) ([]Finding, error){c.checkPolicy, c.checkPermission, c.checkMissed, c.checkAge} {
			findings, err := check(ctx)
			if err != nil {
				return r, err
			}
			r.findings = append(r.findings, findings...)
		}
	}
	r.message = fmt.Sprintf("Pods in %s with the label %s: %d, findings: %d", i.where(), injectionrules.Selector, len(pods), len(r.findings))
	if len(c.unchecked) > 0 {
		r.message += "; not checked, as you lack the right: " + strings.Join(c.unchecked, ", ")
	}
	return r, nil
}

// checkPolicy reports that the policy is not installed.
func (c *injected) checkPolicy(ctx context.Context) ([]Finding, error) {
	_, err := c.admission.MutatingAdmissionPolicies().Get(ctx, injectionrules.Policy, metav1.GetOptions{})
	switch {
	case isForbidden(err):
		c.unchecked = append(c.unchecked, "the admission policy")
		return nil, nil
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	for namespace := range c.pods {
		c.blocked[namespace] = true
	}
	return []Finding{{ID: "injection-not-installed", Severity: Problem, Object: "MutatingAdmissionPolicy/" + injectionrules.Policy,
		Message: "it does not exist, so that new Pods with the label get no credentials",
		Fix:     "set injection.enabled of the Helm chart, or add the component config/injection; both need Kubernetes 1.36 or newer; see " + docs.URL("how-to/services/inject-credentials.md")}}, nil
}

// checkPermission reports Namespaces of Pods without the label that permits the injection.
func (c *injected) checkPermission(ctx context.Context) ([]Finding, error) {
	permitting, err := c.namespacesWith(ctx, injectionrules.NamespaceSelector)
	if isForbidden(err) {
		c.unchecked = append(c.unchecked, "the labels of Namespaces")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, namespace := range slices.Sorted(maps.Keys(c.pods)) {
		if permitting[namespace] {
			continue
		}
		c.blocked[namespace] = true
		findings = append(findings, Finding{ID: "injection-not-permitted", Severity: Problem, Object: "Namespace/" + namespace,
			Message: fmt.Sprintf("it has no label %s, so that new Pods get no credentials, such as those of %s", injectionrules.NamespaceSelector, workloads.Names(c.pods[namespace])),
			Fix:     cli.LabelNamespaceCommand(namespace, injectionrules.NamespaceSelector) + ", and then restart the Pods"})
	}
	return findings, nil
}

// checkMissed reports Pods that were created before their Namespace permitted the injection, or before the policy was installed.
func (c *injected) checkMissed(context.Context) ([]Finding, error) {
	g := grouped{}
	for namespace, pods := range c.pods {
		if c.blocked[namespace] {
			continue
		}
		for _, pod := range pods {
			for _, b := range workloads.Requested(pod) {
				if !workloads.UseOf(pod, b.Secret).IsUsed() {
					g.add(pod, Finding{ID: "injection-missed", Severity: Problem,
						Message: fmt.Sprintf("its Pods request the credentials of ServiceBinding %s and do not use its Secret %s: no policy added it when they were created", b.Name, b.Secret)})
				}
			}
		}
	}
	return g.findings(), nil
}

// checkAge reports Pods that started before their credentials were replaced.
func (c *injected) checkAge(ctx context.Context) ([]Finding, error) {
	bindings, err := c.list(ctx, kinds.ServiceBinding)
	if isForbidden(err) {
		c.unchecked = append(c.unchecked, "servicebindings")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g := grouped{}
	for _, object := range bindings {
		binding := object.(*v1beta1.ServiceBinding)
		users := slices.DeleteFunc(slices.Clone(c.pods[binding.Namespace]), func(pod *corev1.Pod) bool {
			return !workloads.UseOf(pod, catalog.SecretName(binding)).IsUsed()
		})
		if len(users) == 0 {
			continue
		}
		at, err := workloads.IssuedAt(ctx, c.core, binding)
		switch {
		case isForbidden(err):
			c.unchecked = append(c.unchecked, "the Secret of "+cli.ResourceName(binding))
		case err != nil:
			return nil, err
		}
		for _, pod := range users {
			if f, ok := evaluateAge(pod, binding, at); ok {
				g.add(pod, f)
			}
		}
	}
	return g.findings(), nil
}

// evaluateAge returns the problem with a Pod whose credentials were replaced at a time, and false where there is no problem.
func evaluateAge(pod *corev1.Pod, binding *v1beta1.ServiceBinding, at time.Time) (Finding, bool) {
	use := workloads.UseOf(pod, catalog.SecretName(binding))
	switch {
	case workloads.IsOlder(pod, use.Fixed, at):
		return Finding{ID: "credentials-outdated", Severity: Problem,
			Message: fmt.Sprintf("the credentials of ServiceBinding %s were replaced at %s, and its Pods have the former ones in variables, or in files with a subPath, until a restart",
				binding.Name, cli.Stamp(at))}, true
	case workloads.IsOlder(pod, use.Updated, at):
		return Finding{ID: "credentials-replaced", Severity: Warning,
			Message: fmt.Sprintf("the credentials of ServiceBinding %s were replaced at %s; the files of its Pods have the new ones, and an application that read them at its start needs a restart",
				binding.Name, cli.Stamp(at))}, true
	}
	return Finding{}, false
}

// grouped are findings about Pods. Findings about the Pods of one workload with the same message are one.
type grouped map[Finding]bool

func (g grouped) add(pod *corev1.Pod, f Finding) {
	w := workloads.Of(pod)
	f.Object, f.Namespace, f.Fix = w.Label(), w.Namespace, w.HowToRestart()
	g[f] = true
}

func (g grouped) findings() []Finding {
	return slices.SortedFunc(maps.Keys(g), func(a, b Finding) int {
		return strings.Compare(string(a.Severity)+a.Namespace+" "+a.Object+a.Message, string(b.Severity)+b.Namespace+" "+b.Object+b.Message)
	})
}
