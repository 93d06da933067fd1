// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/reasons"
)

// condition is a condition of either API group, with when its status last changed.
type condition struct {
	cli.Condition
	since metav1.Time
}

// conditionsOf returns the conditions of an object to show: the conditions that are True, and Ready.
func conditionsOf(object cli.Object) []condition {
	all, _ := cli.ConditionsOf(object)
	times := transitionTimes(object)
	var said []condition
	for _, c := range all {
		if c.Status == "True" || c.Type == servicecatalogv1beta1.ConditionReady {
			said = append(said, condition{Condition: c, since: times[c.Type]})
		}
	}
	return said
}

// transitionTimes returns when the status of each condition last changed, by type.
func transitionTimes(object cli.Object) map[string]metav1.Time {
	times := map[string]metav1.Time{}
	add := func(list []metav1.Condition) {
		for _, c := range list {
			times[c.Type] = c.LastTransitionTime
		}
	}
	addService := func(list []servicecatalogv1beta1.Condition) {
		for _, c := range list {
			times[c.Type] = c.LastTransitionTime
		}
	}
	switch o := object.(type) {
	case *pagerv1beta1.Alert:
		add(o.Status.Conditions)
	case *pagerv1beta1.AlertSource:
		add(o.Status.Conditions)
	case pagerv1beta1.ReceiverObject:
		add(o.CommonStatus().Conditions)
	case servicecatalogv1beta1.Broker:
		addService(o.CommonStatus().Conditions)
	case *servicecatalogv1beta1.ServiceInstance:
		addService(o.Status.Conditions)
	case *servicecatalogv1beta1.ServiceBinding:
		addService(o.Status.Conditions)
	}
	return times
}

func describeConditions(t *text, object cli.Object) {
	t.section("Conditions")
	if health := cli.HealthOf(object); !health.Observed {
		fmt.Fprintln(t, "  the operator has not looked at this generation of the object yet; see kubectl bellhop doctor")
	}
	conditions := conditionsOf(object)
	if len(conditions) == 0 {
		return
	}
	rows := [][]string{{"TYPE", "STATUS", "REASON", "SINCE"}}
	var explained []condition
	for _, c := range conditions {
		rows = append(rows, []string{c.Type, c.Status, c.Reason, since(&c.since)})
		at := slices.IndexFunc(explained, func(e condition) bool { return e.Reason == c.Reason })
		switch {
		case at < 0:
			explained = append(explained, c)
		case explained[at].Message == "":
			explained[at].Message = c.Message
		}
	}
	t.table("  ", rows)
	for _, c := range explained {
		explain(t, "  ", c.Reason, c.Message, kinds.Of(object).Subjects...)
	}
}

// explain writes the meaning of a reason, and advice.
func explain(t *text, indent, reason, message string, subjects ...reasons.Subject) {
	if reason == "" {
		return
	}
	fmt.Fprintln(t, indent+reason)
	t.indented(indent+"  ", "Message", message)
	writeExplanation(t, indent+"  ", reason, subjects...)
}

// writeExplanation writes the documentation's explanation of a reason, if it has one.
func writeExplanation(t *text, indent, reason string, subjects ...reasons.Subject) {
	e, ok := reasons.Explain(reason, subjects...)
	if !ok {
		return
	}
	t.indented(indent, "What it means", e.Meaning)
	t.indented(indent, "What to do", e.Action)
	t.indented(indent, "See", strings.Join(e.Pages, "\n"))
}

// describeDeliveries writes the state of each receiver of an Alert.
func describeDeliveries(t *text, object cli.Object) {
	alert, ok := object.(*pagerv1beta1.Alert)
	if !ok || len(alert.Status.Deliveries) == 0 {
		return
	}
	t.section("Deliveries")
	for _, d := range alert.Status.Deliveries {
		label := fmt.Sprintf("%s/%s", d.Kind, d.Name)
		if d.ByDefault {
			label += " (the default receiver)"
		}
		fmt.Fprintln(t, "  "+label)
		state := string(d.State)
		if d.Reason != "" {
			state += ", " + d.Reason
		}
		t.indented("    ", "State", state)
		t.indented("    ", "Attempts", fmt.Sprint(d.Attempts))
		t.indented("    ", "First attempt", since(d.FirstAttemptTime))
		t.indented("    ", "Last attempt", since(d.LastAttemptTime))
		t.indented("    ", "Next attempt", due(d.NextAttemptTime))
		t.indented("    ", "Confirmed", since(d.SentTime))
		t.indented("    ", "Receiver's id", d.ExternalID)
		t.indented("    ", "Message", d.Message)
		writeExplanation(t, "    ", d.Reason, reasons.Answer, reasons.Alert)
	}
}

// describeOperation writes the operation that is in progress at a broker, and when the next request is due.
func describeOperation(t *text, object cli.Object) {
	switch o := object.(type) {
	case *servicecatalogv1beta1.ServiceInstance:
		s := o.Status
		describeRequests(t, string(s.CurrentOperation), s.AsyncOpInProgress, s.OrphanMitigationInProgress, s.OperationStartTime, s.Attempts)
	case *servicecatalogv1beta1.ServiceBinding:
		s := o.Status
		describeRequests(t, string(s.CurrentOperation), s.AsyncOpInProgress, s.OrphanMitigationInProgress, s.OperationStartTime, s.Attempts)
	case servicecatalogv1beta1.Broker:
		s := o.CommonStatus()
		if s.Attempts > 0 {
			t.section("Operation in progress")
			t.indented("  ", "Operation", "the catalog is fetched")
			t.indented("  ", "Failing since", since(s.OperationStartTime))
			t.indented("  ", "Failed attempts", fmt.Sprint(s.Attempts))
			t.indented("  ", "Next attempt", due(s.NextAttemptTime))
		}
	}
}

func describeRequests(t *text, operation string, isAsync, isMitigation bool, began *metav1.Time, attempts *servicecatalogv1beta1.Attempts) {
	if operation == "" && attempts == nil {
		return
	}
	t.section("Operation in progress")
	if isMitigation {
		operation += ", after which what it may have left at the broker is removed"
	} else if isAsync {
		operation += ", in progress at the broker, which is polled"
	}
	t.indented("  ", "Operation", operation)
	t.indented("  ", "Since", since(began))
	if attempts == nil {
		return
	}
	t.indented("  ", "Failed attempts", fmt.Sprint(attempts.Count))
	t.indented("  ", "Failing since", since(attempts.FailingSince))
	t.indented("  ", "Last request", since(attempts.LastTime))
	t.indented("  ", "Last error", attempts.LastError)
	t.indented("  ", "Next attempt", due(attempts.NextTime))
	if attempts.Stopped {
		t.indented("  ", "Stopped", "nothing is tried until the spec or a Secret with parameters changes")
	}
}

// maxEvents is how many of the last events are shown.
const maxEvents = 10

func (d *describer) describeEvents(ctx context.Context, t *text, object cli.Object) error {
	namespace := object.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault // where events about cluster-scoped objects are
	}
	selector := fields.OneTermEqualSelector("involvedObject.uid", string(object.GetUID())).String()
	list, err := d.core.Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return d.unreadable.Skip(err, "events")
	}
	events := list.Items
	if len(events) == 0 {
		return nil
	}
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return lastTime(a).Compare(lastTime(b).Time) })
	events = events[max(0, len(events)-maxEvents):]
	t.section("Events")
	rows := [][]string{{"AGE", "TYPE", "REASON", "MESSAGE"}}
	for _, event := range events {
		message := strings.Join(strings.Fields(event.Message), " ")
		if n := timesOf(event); n > 1 {
			message = fmt.Sprintf("%s (%d times)", message, n)
		}
		rows = append(rows, []string{cli.Age(lastTime(event)), event.Type, event.Reason, message})
	}
	t.table("  ", rows)
	return nil
}

// lastTime is when an event last occurred, which is in other fields for each API version that it was written with.
func lastTime(event corev1.Event) metav1.Time {
	switch {
	case event.Series != nil:
		return metav1.Time{Time: event.Series.LastObservedTime.Time}
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp
	case !event.EventTime.IsZero():
		return metav1.Time{Time: event.EventTime.Time}
	default:
		return event.CreationTimestamp
	}
}

func timesOf(event corev1.Event) int32 {
	if event.Series != nil {
		return event.Series.Count
	}
	return cmp.Or(event.Count, 1)
}

// ignoreUnreadable ignores an object that does not exist, or that the user may not read.
func (d *describer) ignoreUnreadable(err error, k *kinds.Kind) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return d.unreadable.Skip(err, k.Resource)
}
