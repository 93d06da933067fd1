// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/docs"
)

// probeName is the name of the objects that are created as dry runs.
const probeName = "bellhop-doctor"

// dryRun creates nothing, but calls the same webhooks as a creation.
var dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: cli.FieldManager}

// probe is a dry run that calls webhooks.
type probe struct {
	object, group string
	run           func(ctx context.Context, i *inspector) error
	// missed describes the problem where the API server accepted the object; empty: that is no problem.
	missed string
	fix    string
}

var fixAdmission = "see that a replica of the operator runs and that the API server reaches its webhook port; see " + docs.URL("how-to/operate/plan-for-downtime.md")

const fixNotCalled = "see that the operator runs; Alerts are accepted without it, and sent once it is back"

var probes = []probe{
	// The webhooks of Alerts may fail. One that answers refuses this annotation, which is v1alpha1's.
	{object: "Alert", group: cli.PagerGroup, run: probeAlert, fix: fixNotCalled,
		missed: "its webhook does not answer, so that Alerts are not checked before they are stored"},
	{object: "ServiceInstance", group: cli.ServicesGroup, run: probeInstance, fix: fixAdmission},
	{object: "Alert of v1alpha1", group: cli.PagerGroup, run: probeConversion, fix: fixAdmission},
}

// checkAdmission creates objects as dry runs, which calls the webhooks.
func checkAdmission(ctx context.Context, i *inspector) (result, error) {
	var r result
	var answered, skipped []string
	for _, probe := range probes {
		if !i.hasGroup(probe.group) {
			continue
		}
		err := probe.run(ctx, i)
		f := Finding{ID: "webhook-unavailable", Severity: Problem, Object: probe.object, Namespace: i.own, Fix: probe.fix}
		switch outcome, message := evaluateProbe(err); {
		case outcome == probeSkipped:
			skipped = append(skipped, probe.object)
		case outcome == probeFailed:
			f.Message = message
			r.add(f)
		case outcome == probeAccepted && probe.missed != "":
			f.Message, f.Severity = probe.missed, Warning
			r.add(f)
		default:
			answered = append(answered, probe.object)
		}
	}
	switch {
	case len(r.findings) > 0:
		r.message = "webhooks do not answer"
	case len(answered) == 0:
		return skip("you may not create what would call the webhooks: %s", strings.Join(skipped, ", "))
	default:
		r.message = fmt.Sprintf("the webhooks answered dry runs of %s", strings.Join(answered, ", "))
	}
	if len(skipped) > 0 {
		r.message += fmt.Sprintf("; not tried, as you may not create it: %s", strings.Join(skipped, ", "))
	}
	return r, nil
}

// outcome is the result of a dry run.
type outcome int

const (
	// probeSkipped: the user may not create the object, so that no webhook was called.
	probeSkipped outcome = iota
	// probeAccepted: the API server would have stored the object.
	probeAccepted
	// probeRefused: admission refused the object, so that a webhook, or a later step of admission, answered.
	probeRefused
	// probeFailed: a webhook could not be called.
	probeFailed
)

// evaluateProbe tells from the error of a dry run whether webhooks answer.
func evaluateProbe(err error) (outcome, string) {
	switch {
	case err == nil:
		return probeAccepted, ""
	case isForbidden(err) && strings.Contains(err.Error(), " cannot create resource "):
		return probeSkipped, ""
	case apierrors.IsNotFound(err): // the kind, or the namespace
		return probeSkipped, ""
	case strings.Contains(err.Error(), "failed calling webhook"), strings.Contains(err.Error(), "conversion webhook for"):
		return probeFailed, withoutPrefix(err)
	case apierrors.IsInternalError(err), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), apierrors.IsServiceUnavailable(err):
		return probeFailed, withoutPrefix(err)
	default:
		return probeRefused, ""
	}
}

// withoutPrefix is an error without the prefixes that the API server adds at each of its layers.
func withoutPrefix(err error) string {
	const prefix = "Internal error occurred: "
	text := kinds.Reason(err)
	for strings.HasPrefix(text, prefix) {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

func probeAlert(ctx context.Context, i *inspector) error {
	alert := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{GenerateName: probeName + "-", Annotations: map[string]string{pagerv1beta1.TitleAnnotation: probeName}}}
	alert.Spec.Content = "a dry run of kubectl bellhop doctor"
	_, err := i.clients.Pager.Alerts(i.own).Create(ctx, alert, dryRun)
	return err
}

func probeInstance(ctx context.Context, i *inspector) error {
	instance := &servicecatalogv1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{GenerateName: probeName + "-"}}
	instance.Spec.ClusterServiceClassExternalName = probeName
	instance.Spec.ClusterServicePlanExternalName = probeName
	_, err := i.clients.Services.ServiceInstances(i.own).Create(ctx, instance, dryRun)
	return err
}

func probeConversion(ctx context.Context, i *inspector) error {
	alert := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": kinds.Alert.Group + "/" + oldVersion, "kind": "Alert",
		"metadata": map[string]any{"generateName": probeName + "-"},
		"spec":     map[string]any{"message": "a dry run of kubectl bellhop doctor"},
	}}
	resource := schema.GroupVersionResource{Group: kinds.Alert.Group, Version: oldVersion, Resource: kinds.Alert.Resource}
	_, err := i.dynamic.Resource(resource).Namespace(i.own).Create(ctx, alert, dryRun)
	return err
}
