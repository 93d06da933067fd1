// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/operator"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/workloads"
	"github.com/gophernetes/bellhop/internal/kube/apigroups"
)

// checkOperator looks whether the operators' pods are ready, and whether two of them serve the same kinds.
func checkOperator(ctx context.Context, i *inspector) (result, error) {
	if i.unlisted != nil {
		return skipForbidden(i.unlisted)
	}
	r := result{findings: evaluateInstallations(i.all)}
	if len(i.here) == 0 {
		r.skipped = true
		r.message = fmt.Sprintf("namespace %s has no Deployment of the operator: it runs outside of the cluster, as by make run, or in another --operator-namespace, or not at all",
			i.operatorNamespace)
		return r, nil
	}
	var ready []string
	for _, d := range i.here {
		if i.isReplaced(d) {
			continue
		}
		f, ok := evaluateDeployment(d.Object)
		if ok {
			f.Fix = fmt.Sprintf("look at its pods and their logs: kubectl -n %s describe deployment %s; kubectl -n %s logs deployment/%s",
				d.Namespace, d.Name, d.Namespace, d.Name)
			f.Message += i.podTroubles(ctx, d)
			r.add(f)
		}
		ready = append(ready, fmt.Sprintf("%d of %d replicas of %s", d.Object.Status.ReadyReplicas, d.Replicas, d.Label()))
	}
	r.message = "all Deployments here are scaled to 0"
	if len(ready) > 0 {
		r.message = strings.Join(ready, " and ") + " are ready"
	}
	r.message += i.servedElsewhere()
	return r, nil
}

// evaluateDeployment returns the problem with a Deployment, and false where there is no problem.
func evaluateDeployment(deployment *appsv1.Deployment) (Finding, bool) {
	f := Finding{Object: "Deployment/" + deployment.Name, Namespace: deployment.Namespace}
	ready, desired := deployment.Status.ReadyReplicas, operator.Of(deployment).Replicas
	switch {
	case desired == 0:
		f.ID, f.Severity, f.Message = "operator-scaled-down", Problem, "it is scaled to 0 replicas"
	case ready == 0:
		f.ID, f.Severity, f.Message = "operator-not-ready", Problem, fmt.Sprintf("none of %d replicas is ready", desired)
	case ready < desired:
		f.ID, f.Severity, f.Message = "operator-degraded", Warning, fmt.Sprintf("%d of %d replicas are ready", ready, desired)
	default:
		return f, false
	}
	return f, true
}

// podTroubles says why pods of an operator are not ready, where that can be read.
func (i *inspector) podTroubles(ctx context.Context, d *operator.Deployment) string {
	pods, err := i.core.Pods(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(d.Object.Spec.Selector)})
	if err != nil {
		return ""
	}
	var text strings.Builder
	for _, pod := range pods.Items {
		if reason := workloads.Trouble(&pod); reason != "" {
			fmt.Fprintf(&text, "; pod %s: %s", pod.Name, reason)
		}
	}
	return text.String()
}

// checkLeader looks whether a replica of the operator leads: only the leader sends alerts, and requests to brokers. Each form of an
// installation has a lease of its own.
func checkLeader(ctx context.Context, i *inspector) (result, error) {
	leaders := map[apigroups.Set]string{}
	var faults []leaseFault
	forms := i.forms()
	for _, form := range forms {
		lease, err := i.coordination.Leases(i.operatorNamespace).Get(ctx, form.LeaseName(), metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return skipForbidden(err)
		}
		missing := err != nil
		switch fault := i.faultOf(lease, missing); {
		case missing && len(i.here) == 0: // of a form that is not installed
		case fault == "":
			leaders[form] = *lease.Spec.HolderIdentity
		default:
			faults = append(faults, leaseFault{form, fault, missing})
		}
	}
	if len(leaders) == 0 && len(faults) == 0 {
		return skip("namespace %s has no Lease %s: without --leader-elect an operator needs none", i.operatorNamespace, forms[0].LeaseName())
	}
	return i.evaluateLeases(forms, leaders, faults), nil
}

// leaseFault is the problem with the lease of a form.
type leaseFault struct {
	form    apigroups.Set
	message string
	// missing: there is no lease.
	missing bool
}

// faultOf describes the problem with a lease; empty: a replica holds it, and renews it.
func (i *inspector) faultOf(lease *coordinationv1.Lease, missing bool) string {
	switch {
	case missing:
		return "it does not exist: no replica has led yet, or the operator runs without --leader-elect"
	case lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "":
		return "no replica holds it"
	case lease.Spec.RenewTime == nil:
		return *lease.Spec.HolderIdentity + " holds it and does not renew it"
	case isStale(i.now(), lease.Spec.RenewTime.Time, lease.Spec.LeaseDurationSeconds):
		return fmt.Sprintf("%s holds it and does not renew it since %s", *lease.Spec.HolderIdentity, cli.Stamp(lease.Spec.RenewTime.Time))
	default:
		return ""
	}
}

// evaluateLeases reports the leases that are not held. It omits a lease if other operators serve its API groups: leaders of other forms, beside
// which an operator does not lead, or operators in other namespaces, which have leases there.
func (i *inspector) evaluateLeases(forms []apigroups.Set, leaders map[apigroups.Set]string, faults []leaseFault) result {
	var r result
	var led []string
	isLed := map[string]bool{}
	for _, form := range forms {
		leader, leads := leaders[form]
		if !leads {
			continue
		}
		text, groups := leader+" leads", operator.Groups(form)
		if len(groups) == 1 {
			text += " for " + groups[0]
		}
		led = append(led, text)
		for _, group := range groups {
			isLed[group] = true
		}
	}
	for _, fault := range faults {
		var without []string
		for _, group := range operator.Groups(fault.form) {
			if i.hasGroup(group) && !isLed[group] && !i.isServedElsewhere(group) {
				without = append(without, group)
			}
		}
		if len(without) == 0 {
			continue
		}
		f := Finding{ID: "no-leader", Severity: Problem, Object: "Lease/" + fault.form.LeaseName(), Namespace: i.operatorNamespace, Message: fault.message,
			Fix: "see that a pod of the operator runs, and its log: only the leader sends alerts, and requests to brokers"}
		if fault.missing {
			f.Severity = Warning
		}
		r.add(f)
		led = append(led, "no replica leads for "+strings.Join(without, " and "))
	}
	r.message = strings.Join(led, ", ")
	switch {
	case len(leaders) > 0:
	case len(r.findings) > 0:
		r.message = "no replica of the operator leads"
	default:
		r.message = "no operator here has to lead" + i.servedElsewhere()
	}
	return r
}

// isStale reports whether a lease was not renewed for twice its duration, which allows for clocks that differ.
func isStale(now, renewed time.Time, durationSeconds *int32) bool {
	duration := 15 * time.Second
	if durationSeconds != nil {
		duration = time.Duration(*durationSeconds) * time.Second
	}
	return now.Sub(renewed) > 2*duration
}
