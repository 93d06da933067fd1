// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/reasons"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/sources"
)

// checkBrokers looks whether catalogs can be read: that is whether the operator reaches the brokers.
func checkBrokers(ctx context.Context, i *inspector) (result, error) {
	return i.checkReady(ctx, "broker", kinds.ClusterServiceBroker, kinds.ServiceBroker)
}

// checkReceivers looks whether receivers can be used.
func checkReceivers(ctx context.Context, i *inspector) (result, error) {
	return i.checkReady(ctx, "receiver", kinds.ClusterReceiver, kinds.Receiver)
}

// checkSources looks for AlertSources that no sender can post to, as where the operator does not listen, and for AlertSources that no sender posts
// to.
func checkSources(ctx context.Context, i *inspector) (result, error) {
	r, err := i.checkReady(ctx, "source", kinds.AlertSource)
	if err != nil || r.skipped {
		return r, err
	}
	objects, unreadable, err := i.listAll(ctx, kinds.AlertSource, kinds.Alert)
	counts := map[string]int{}
	for _, p := range sources.Problems(objects, i.now()) {
		r.add(Finding{ID: p.ID, Severity: Status(p.Severity), Object: kinds.Label(p.Source), Namespace: p.Source.Namespace, Message: p.Message, Fix: p.Fix})
		counts[p.ID]++
	}
	r.message += fmt.Sprintf(", silent: %d", counts[sources.Silent])
	if n := counts[sources.AlertsPastEnd]; n > 0 {
		r.message += fmt.Sprintf(", with alerts past their end: %d", n)
	}
	r.message += withoutUnreadable(unreadable)
	return r, err
}

// checkReady reports the objects of some kinds that are not ready: stalled ones are problems, others warnings.
func (i *inspector) checkReady(ctx context.Context, noun string, selected ...*kinds.Kind) (result, error) {
	var r result
	objects, unreadable, err := i.listAll(ctx, selected...)
	if err != nil {
		return r, err
	}
	if len(unreadable) == len(selected) {
		return skip("you may not list %s", strings.Join(unreadable, ", "))
	}
	deleting := 0
	for _, object := range objects {
		state := kinds.StateOf(object)
		if state.State == kinds.StateDeleting {
			deleting++ // which checkDeletions looks at
		}
		if state.State == kinds.StateReady || state.State == kinds.StateDeleting {
			continue
		}
		f := explainState(object, state)
		f.ID, f.Severity = noun+"-not-ready", Warning
		if state.State == kinds.StateStalled {
			f.ID = noun + "-stalled"
			if state.Reason != pagerv1beta1.ReasonSuspended { // which a person has set
				f.Severity = Problem
			}
		}
		r.add(f)
	}
	r.message = fmt.Sprintf("%ss for %s: %d, not ready: %d", noun, i.where(), len(objects), len(r.findings))
	if deleting > 0 {
		r.message += fmt.Sprintf(", being deleted: %d", deleting)
	}
	r.message += withoutUnreadable(unreadable)
	return r, nil
}

func withoutUnreadable(unreadable []string) string {
	if len(unreadable) == 0 {
		return ""
	}
	return "; not checked, as you may not list them: " + strings.Join(unreadable, ", ")
}

// explainState is a finding about an object with the reason of its conditions, its meaning, and advice.
func explainState(object cli.Object, state kinds.State) Finding {
	f := Finding{Object: kinds.Label(object), Namespace: object.GetNamespace(), Message: state.Message}
	if state.Reason != "" {
		f.Message = state.Reason + ": " + state.Message
	}
	e, ok := reasons.Explain(state.Reason, kinds.Of(object).Subjects...)
	if ok && state.Message == "" {
		f.Message = state.Reason + ": " + e.Meaning
	}
	f.Fix = e.Action
	if !ok {
		f.Fix = "see that the operator runs, and its log"
	}
	if len(e.Pages) > 0 {
		f.Fix += "; see " + strings.Join(e.Pages, ", ")
	}
	return f
}

// checkServices looks for instances and bindings that wait for a person.
func checkServices(ctx context.Context, i *inspector) (result, error) {
	return i.checkStalled(ctx, "instances and bindings", kinds.ServiceInstance, kinds.ServiceBinding)
}

// checkAlerts looks for alerts that wait for a person.
func checkAlerts(ctx context.Context, i *inspector) (result, error) {
	return i.checkStalled(ctx, "alerts", kinds.Alert)
}

// checkStalled reports objects that wait for a person. Where the documentation says that nothing has to be done, as of an alert that has
// expired, it is a warning.
func (i *inspector) checkStalled(ctx context.Context, noun string, selected ...*kinds.Kind) (result, error) {
	var r result
	objects, unreadable, err := i.listAll(ctx, selected...)
	if err != nil {
		return r, err
	}
	if len(unreadable) == len(selected) {
		return skip("you may not list %s", strings.Join(unreadable, ", "))
	}
	waiting := 0
	for _, object := range objects {
		state := kinds.StateOf(object)
		if state.State == kinds.StateNotObserved {
			waiting++
		}
		if state.State != kinds.StateStalled {
			continue
		}
		f := explainState(object, state)
		f.ID, f.Severity = strings.ToLower(kinds.Of(object).Name)+"-stalled", Problem
		if e, ok := reasons.Explain(state.Reason, kinds.Of(object).Subjects...); ok && e.NeedsNothing() {
			f.Severity = Warning
		}
		r.add(f)
	}
	r.message = fmt.Sprintf("%s in %s: %d, waiting for a person: %d", noun, i.where(), len(objects), len(r.findings))
	if waiting > 0 {
		r.message += fmt.Sprintf(", not looked at by the operator yet: %d", waiting)
	}
	r.message += withoutUnreadable(unreadable)
	return r, nil
}

// checkDefaults looks whether alerts that name no receiver have exactly one default.
func checkDefaults(ctx context.Context, i *inspector) (result, error) {
	var r result
	receivers, unreadable, err := i.listAll(ctx, kinds.Receiver, kinds.ClusterReceiver, kinds.Alert)
	if err != nil {
		return r, err
	}
	if len(unreadable) > 0 {
		return skip("you may not list %s", strings.Join(unreadable, ", "))
	}
	d := newDefaults(receivers)
	for _, namespace := range d.namespaces {
		own, shared := d.own[namespace], []string{}
		if len(own) == 0 {
			set, err := i.namespaceLabels(ctx, namespace, d.shared)
			if err != nil {
				return skipForbidden(err)
			}
			shared = d.selecting(set)
		}
		f := Finding{Severity: Warning, Object: "Namespace/" + namespace}
		fix := fmt.Sprintf("take the annotation off all but one, as in kubectl annotate RECEIVER %s-", pagerv1beta1.DefaultReceiverAnnotation)
		switch {
		case len(own) > 1:
			f.ID, f.Fix = "default-receiver-ambiguous", fix
			f.Message = "several Receivers are the default, of which the newest is used: " + strings.Join(slices.Sorted(slices.Values(own)), ", ")
			r.add(f)
		case len(shared) > 1:
			f.ID, f.Fix = "default-receiver-ambiguous", fix
			f.Message = "several ClusterReceivers are the default, of which the newest is used: " + strings.Join(slices.Sorted(slices.Values(shared)), ", ")
			r.add(f)
		case len(own)+len(shared) == 0:
			f.ID = "default-receiver-missing"
			f.Message = "it has no default receiver, so that alerts that name none wait with the reason NoReceiver"
			f.Fix = fmt.Sprintf("mark one, as in kubectl annotate -n %s receiver NAME %s=true", namespace, pagerv1beta1.DefaultReceiverAnnotation)
			r.add(f)
		}
	}
	switch {
	case len(d.namespaces) == 0:
		return skip("there are neither receivers nor alerts in %s", i.where())
	case len(r.findings) > 0:
		r.message = fmt.Sprintf("%s without exactly one default receiver", cli.Count(len(r.findings), "namespace"))
	default:
		r.message = fmt.Sprintf("there is one default receiver for alerts in %s", i.where())
	}
	return r, nil
}

// defaults are the receivers that are marked as defaults.
type defaults struct {
	// namespaces are the namespaces with Receivers or Alerts.
	namespaces []string
	own        map[string][]string // of Receivers, by namespace
	shared     []*pagerv1beta1.ClusterReceiver
}

func newDefaults(objects []cli.Object) *defaults {
	d := &defaults{own: map[string][]string{}}
	for _, object := range objects {
		namespace := object.GetNamespace()
		if namespace != "" && !slices.Contains(d.namespaces, namespace) {
			d.namespaces = append(d.namespaces, namespace)
		}
		if object.GetAnnotations()[pagerv1beta1.DefaultReceiverAnnotation] != "true" {
			continue
		}
		switch o := object.(type) {
		case *pagerv1beta1.Receiver:
			d.own[namespace] = append(d.own[namespace], o.Name)
		case *pagerv1beta1.ClusterReceiver:
			d.shared = append(d.shared, o)
		}
	}
	slices.Sort(d.namespaces)
	return d
}

// selecting returns the names of the default ClusterReceivers that select a namespace with these labels.
func (d *defaults) selecting(set labels.Set) []string {
	var names []string
	for _, receiver := range d.shared {
		selector, err := metav1.LabelSelectorAsSelector(receiver.Spec.NamespaceSelector)
		if err == nil && selector.Matches(set) {
			names = append(names, receiver.Name)
		}
	}
	return names
}

// namespaceLabels reads the labels of a namespace, if a ClusterReceiver selects by labels.
func (i *inspector) namespaceLabels(ctx context.Context, name string, receivers []*pagerv1beta1.ClusterReceiver) (labels.Set, error) {
	for _, receiver := range receivers {
		if s := receiver.Spec.NamespaceSelector; s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0 {
			namespace, err := i.core.Namespaces().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return namespace.Labels, nil
		}
	}
	return nil, nil
}
