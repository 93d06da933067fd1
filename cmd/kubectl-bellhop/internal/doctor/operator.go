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
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/workloads"
)

// leaseName is the lease that the leader of the operator holds.
const leaseName = "bellhop.gophernetes.io"

// checkOperator looks whether the operator's pods are ready.
func checkOperator(ctx context.Context, i *inspector) (result, error) {
	var r result
	deployments, err := i.apps.Deployments(i.operatorNamespace).List(ctx, metav1.ListOptions{LabelSelector: cli.OperatorLabels})
	if err != nil {
		return skipForbidden(err)
	}
	if len(deployments.Items) == 0 {
		return skip("namespace %s has no Deployment of the operator: it runs outside of the cluster, as by make run, or in another --operator-namespace, or not at all",
			i.operatorNamespace)
	}
	i.deployed = true
	for _, deployment := range deployments.Items {
		f, ok := evaluateDeployment(&deployment)
		if ok {
			f.Fix = fmt.Sprintf("look at its pods and their logs: kubectl -n %s describe deployment %s; kubectl -n %s logs deployment/%s",
				deployment.Namespace, deployment.Name, deployment.Namespace, deployment.Name)
			f.Message += i.podTroubles(ctx)
			r.add(f)
		}
		r.message = fmt.Sprintf("%d of %d replicas of Deployment %s/%s are ready", deployment.Status.ReadyReplicas, desiredReplicas(&deployment),
			deployment.Namespace, deployment.Name)
	}
	return r, nil
}

func desiredReplicas(deployment *appsv1.Deployment) int32 {
	if deployment.Spec.Replicas == nil {
		return 1
	}
	return *deployment.Spec.Replicas
}

// evaluateDeployment returns what is wrong with a Deployment, and false where nothing is.
func evaluateDeployment(deployment *appsv1.Deployment) (Finding, bool) {
	f := Finding{Object: "Deployment/" + deployment.Name, Namespace: deployment.Namespace}
	ready, desired := deployment.Status.ReadyReplicas, desiredReplicas(deployment)
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

// podTroubles says why pods of the operator are not ready, where that can be read.
func (i *inspector) podTroubles(ctx context.Context) string {
	pods, err := i.core.Pods(i.operatorNamespace).List(ctx, metav1.ListOptions{LabelSelector: cli.OperatorLabels})
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

// checkLeader looks whether a replica of the operator leads: only the leader sends alerts, and requests to brokers.
func checkLeader(ctx context.Context, i *inspector) (result, error) {
	var r result
	lease, err := i.coordination.Leases(i.operatorNamespace).Get(ctx, leaseName, metav1.GetOptions{})
	f := Finding{ID: "no-leader", Severity: Problem, Object: "Lease/" + leaseName, Namespace: i.operatorNamespace,
		Fix: "see that a pod of the operator runs, and its log: only the leader sends alerts, and requests to brokers"}
	switch {
	case apierrors.IsNotFound(err) && !i.deployed:
		return skip("namespace %s has no Lease %s: without --leader-elect an operator needs none", i.operatorNamespace, leaseName)
	case apierrors.IsNotFound(err):
		f.Message = "it does not exist: no replica has led yet, or the operator runs without --leader-elect"
		f.Severity = Warning
	case err != nil:
		return skipForbidden(err)
	case lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "":
		f.Message = "no replica holds it"
	case lease.Spec.RenewTime == nil || isStale(i.now(), lease.Spec.RenewTime.Time, lease.Spec.LeaseDurationSeconds):
		f.Message = fmt.Sprintf("%s holds it and does not renew it", *lease.Spec.HolderIdentity)
		if lease.Spec.RenewTime != nil {
			f.Message += " since " + cli.Stamp(lease.Spec.RenewTime.Time)
		}
	default:
		r.message = fmt.Sprintf("%s leads", *lease.Spec.HolderIdentity)
		return r, nil
	}
	r.message = "no replica of the operator leads"
	r.add(f)
	return r, nil
}

// isStale reports whether a lease was not renewed for twice its duration, which allows for clocks that differ.
func isStale(now, renewed time.Time, durationSeconds *int32) bool {
	duration := 15 * time.Second
	if durationSeconds != nil {
		duration = time.Duration(*durationSeconds) * time.Second
	}
	return now.Sub(renewed) > 2*duration
}
