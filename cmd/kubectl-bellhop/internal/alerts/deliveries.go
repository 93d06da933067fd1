// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/cli-runtime/pkg/printers"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// refOf is the receiver of a delivery.
func refOf(d v1beta1.Delivery) v1beta1.ReceiverRef {
	return v1beta1.ReceiverRef{Kind: d.Kind, Name: d.Name}
}

// wantedDeliveries are the deliveries to the receivers that the spec names; where it names none, the deliveries to the default.
func wantedDeliveries(alert *v1beta1.Alert) []v1beta1.Delivery {
	var wanted []v1beta1.Delivery
	for _, d := range alert.Status.Deliveries {
		named := slices.ContainsFunc(alert.Spec.ReceiverRefs, func(ref v1beta1.ReceiverRef) bool { return ref == refOf(d) })
		if named || len(alert.Spec.ReceiverRefs) == 0 && d.ByDefault {
			wanted = append(wanted, d)
		}
	}
	return wanted
}

// explain is why a delivery has its state, empty where that needs no explanation.
func explain(d v1beta1.Delivery) string {
	message := strings.Join(strings.Fields(d.Message), " ")
	switch {
	case d.Reason == "" || d.Reason == string(d.State) && message != "":
		return message
	case message == "":
		if d.Reason == string(d.State) {
			return ""
		}
		return d.Reason
	default:
		return d.Reason + ": " + message
	}
}

// deliveryText is a line about a delivery; the receiver is padded to width.
func deliveryText(d v1beta1.Delivery, width int) string {
	return strings.TrimRight(fmt.Sprintf("%-*s  %s  %s", width, refText(refOf(d)), d.State, explain(d)), " ")
}

// printDeliveries prints a line about each delivery, in the order of the receivers' names.
func printDeliveries(w io.Writer, deliveries []v1beta1.Delivery) {
	deliveries = slices.SortedFunc(slices.Values(deliveries), func(a, b v1beta1.Delivery) int {
		return strings.Compare(refText(refOf(a)), refText(refOf(b)))
	})
	width := 0
	for _, d := range deliveries {
		width = max(width, len(refText(refOf(d))))
	}
	for _, d := range deliveries {
		fmt.Fprintln(w, deliveryText(d, width))
	}
}

// live prints deliveries as they change.
type live struct {
	w     io.Writer
	shown map[v1beta1.ReceiverRef]string
}

func newLive(e *cli.Environment) *live {
	return &live{w: e.Progress(), shown: map[v1beta1.ReceiverRef]string{}}
}

func (l *live) show(alert *v1beta1.Alert) {
	for _, d := range alert.Status.Deliveries {
		if text := deliveryText(d, 0); l.shown[refOf(d)] != text {
			l.shown[refOf(d)] = text
			fmt.Fprintln(l.w, text)
		}
	}
}

// printsFinal reports whether the last state of deliveries is to be printed to standard output: it is not where the user has just seen it
// as progress.
func printsFinal(e *cli.Environment) bool {
	return e.Progress() == io.Discard || !printers.IsTerminal(e.Raw.Out)
}

// goalOf is the state of deliveries that an Alert's spec requests.
func goalOf(alert *v1beta1.Alert) v1beta1.DeliveryState {
	if isFiring(alert) {
		return v1beta1.DeliverySent
	}
	return v1beta1.DeliveryResolved
}

// isAnswered reports whether a delivery has reached its goal, or says why it has not. Else its first request is in flight.
func isAnswered(d v1beta1.Delivery, goal v1beta1.DeliveryState) bool {
	return d.State == goal || d.Reason != "" && d.Reason != v1beta1.ReasonSending
}

// isSettled reports whether all receivers have the state of the spec, or a person has to act and no other delivery is in its first request: the
// user is shown the result of that request too.
func isSettled(alert *v1beta1.Alert) bool {
	health := cli.HealthOf(alert)
	if _, isRestored := alert.Labels[restoreLabel]; health.Reason == v1beta1.ReasonRestored && !isRestored {
		return false // the label was removed, but the status is not about that yet
	}
	open := func(d v1beta1.Delivery) bool { return !isAnswered(d, goalOf(alert)) }
	return health.Ready || health.Stalled && !slices.ContainsFunc(wantedDeliveries(alert), open)
}

// observeAlert calls done with each version of an Alert until it returns true, and returns the last version. Changed deliveries are written
// to progress.
func observeAlert(ctx context.Context, e *cli.Environment, client alertClient, alert *v1beta1.Alert, done func(*v1beta1.Alert) bool) (*v1beta1.Alert, error) {
	last, progress := alert, newLive(e)
	err := cli.WatchObject(ctx, client, alert.Name, func(seen *v1beta1.Alert, exists bool) (bool, error) {
		if !exists || seen.UID != alert.UID {
			return false, fmt.Errorf("%s was deleted while it was waited for", cli.ResourceName(alert))
		}
		last = seen
		if cli.HealthOf(seen).Observed {
			progress.show(seen)
		}
		return done(seen), nil
	})
	return last, err
}

// waitDelivered waits until all receivers have the state of the Alert's spec. It fails once the Alert is stalled, was deleted, or the timeout has
// passed.
func waitDelivered(ctx context.Context, e *cli.Environment, f *cli.WaitFlags, client alertClient, alert *v1beta1.Alert) (*v1beta1.Alert, error) {
	ctx, cancel := f.Context(ctx)
	defer cancel()
	last, err := observeAlert(ctx, e, client, alert, isSettled)
	health := cli.HealthOf(last)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) || health.Ready {
		return last, err
	}
	goal := strings.ToLower(string(goalOf(last)))
	if health.Stalled {
		err := cli.StalledError("%s is not %s: %s", cli.ResourceName(last), goal, health)
		return last, cli.WithHint(err, "%s", hint(last, wantedDeliveries(last), health.Reason))
	}
	state := health.String()
	if !health.Observed {
		state = "no receiver has answered yet, or the operator does not run"
	}
	err = f.TimeoutError(last, goal, state)
	if text := hint(last, wantedDeliveries(last), health.Reason); health.Observed && text != "" {
		// The operator retries, but the next attempt may need a change, such as of the Secret.
		err = cli.WithHint(err, "%s; the operator continues by itself, and --timeout waits longer", text)
	}
	return last, err
}

// waitAndPrint waits for an Alert, and prints the last state of its deliveries.
func waitAndPrint(ctx context.Context, e *cli.Environment, f *cli.WaitFlags, client alertClient, alert *v1beta1.Alert) error {
	last, err := waitDelivered(ctx, e, f, client, alert)
	if printsFinal(e) {
		printDeliveries(e.Out, last.Status.Deliveries)
	}
	return err
}
