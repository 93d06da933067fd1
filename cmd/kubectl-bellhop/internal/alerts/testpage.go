// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

const (
	// expiryMargin is for how long a test Alert is sent after the command has ended, as it is expected to delete it.
	expiryMargin = 5 * time.Second
	// keptAfterwards is when the operator deletes a test Alert whose command was killed.
	keptAfterwards = time.Hour
	// alertmanagerWait is for how long an Alertmanager gets a test alert by default: the routes of most wait for less before they notify.
	alertmanagerWait = time.Minute
)

// test is the command test.
type test struct {
	e    *cli.Environment
	wait cli.WaitFlags
	keep bool
	// keepFor is for how long the alert fires after the receiver has confirmed it; negative: the default of the provider.
	keepFor time.Duration
}

func newTest(e *cli.Environment) *cobra.Command {
	t := &test{e: e}
	cmd := &cobra.Command{
		Use:   "test RECEIVER",
		Short: "Send a test alert to a receiver",
		Long: `Send a test alert to a receiver, and print what its provider answered.

The command creates an Alert that says that it is a test and needs no action,
with the receiver's minSeverity as severity, waits for the delivery, and deletes
the Alert, which sends a resolve notification. It ends with exit code 3 if the
receiver did not confirm the alert.

An Alertmanager confirms an alert before it notifies people, which it does after
the group_wait of its route, and not if the alert is over by then. So the alert
fires for --keep-for at such a receiver, and for no time at others.

RECEIVER is the name of a Receiver in the namespace, else of a ClusterReceiver;
receiver/NAME and clusterreceiver/NAME say which kind it is, also where you may
not read them. A ClusterReceiver is tested from the namespace: it has to select it.`,
		Example: `  # Test a receiver
  kubectl bellhop test oncall

  # Test a ClusterReceiver that has the name of a Receiver, and keep the Alert
  kubectl bellhop test clusterreceiver/oncall --keep`,
		Args:              t.validateArgs,
		ValidArgsFunction: cli.CompleteFirst(completeReceivers(e)),
		RunE:              func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&t.keep, "keep", false, "Keep the Alert")
	cmd.Flags().DurationVar(&t.keepFor, "keep-for", -1, "How long the alert fires after the receiver has confirmed it. Default: 1m at the provider alertmanager, else 0s")
	cmd.Flags().Lookup("keep-for").DefValue = "0s" // the text has the default
	cmd.Flags().DurationVar(&t.wait.Timeout, "timeout", resendTimeout, "How long the receiver has to take the page, such as 90s; 0: without end")
	return cmd
}

func (t *test) validateArgs(cmd *cobra.Command, args []string) error {
	if err := cli.OneArgument("RECEIVER", "kubectl get receivers.pager.k8s.co,clusterreceivers.pager.k8s.co")(cmd, args); err != nil {
		return err
	}
	// The longest time in which spec.expireAfterSeconds can be given.
	longest := maxDuration - expiryMargin - min(max(t.wait.Timeout, 0), maxDuration)
	switch given := cmd.Flags().Changed("keep-for"); {
	case given && t.keep:
		return cli.UsageError("--keep keeps the Alert without end: --keep-for does not go with it")
	case given && t.keepFor < 0:
		return cli.UsageError("--keep-for=%s: must not be negative", t.keepFor)
	case max(t.keepFor, alertmanagerWait) > longest:
		return cli.UsageError("--timeout and --keep-for are too long: together at most %s", maxDuration-expiryMargin)
	}
	return nil
}

func (t *test) run(ctx context.Context, given string) (err error) {
	pager, namespace, err := here(t.e)
	if err != nil {
		return err
	}
	finder := receiverFinder{e: t.e, pager: pager, namespace: namespace}
	ref, err := finder.ref(ctx, given)
	if err != nil {
		return err
	}
	receiver, err := finder.read(ctx, ref)
	if apierrors.IsForbidden(err) {
		receiver, err = nil, nil
	}
	if err != nil {
		return err
	}
	if t.keepFor < 0 {
		t.keepFor = t.defaultKeepFor(receiver)
	}
	severity := v1beta1.SeverityInfo // where it is not known
	if receiver != nil {
		severity = cmp.Or(receiver.Common().MinSeverity, severity)
	}
	client := alertsIn(pager, namespace)
	alert, err := t.create(ctx, client, t.alert(namespace, ref, severity))
	if err != nil {
		return err
	}
	if t.keep {
		fmt.Fprintln(t.e.Out, cli.ResourceName(alert), "created")
	} else {
		defer func() { err = errors.Join(err, t.remove(ctx, client, alert)) }()
	}
	delivery, err := t.await(ctx, client, alert, ref)
	if err != nil {
		return err
	}
	t.print(delivery)
	if err := t.failure(alert, delivery); err != nil || t.keep {
		return err
	}
	return t.keepFiring(ctx)
}

// defaultKeepFor is for how long the alert fires without --keep-for. The receiver is nil where the user may not read it.
func (t *test) defaultKeepFor(receiver v1beta1.ReceiverObject) time.Duration {
	switch {
	case receiver == nil && !t.keep:
		fmt.Fprintf(t.e.ErrOut, "note: you may not read the receiver: if it is an Alertmanager, use --keep-for=%s, for as long as its route may wait\n", alertmanagerWait)
		return 0
	case receiver != nil && receiver.Common().Alertmanager != nil:
		return alertmanagerWait
	default:
		return 0
	}
}

// keepFiring waits for --keep-for. An interrupt ends that, and the Alert.
func (t *test) keepFiring(ctx context.Context) error {
	if t.keepFor == 0 {
		return nil
	}
	fmt.Fprintf(t.e.ErrOut, "note: the alert fires for %s before it is resolved: an Alertmanager notifies people after the group_wait of its route; --keep-for changes that\n", t.keepFor)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(t.keepFor):
		return nil
	}
}

// alert is the Alert of a test.
func (t *test) alert(namespace string, ref v1beta1.ReceiverRef, severity v1beta1.Severity) *v1beta1.Alert {
	alert := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "test-alert-" + rand.String(5)}}
	alert.Spec = v1beta1.AlertSpec{
		Title:        "Test alert",
		Content:      fmt.Sprintf("This is a test of %s, sent by kubectl bellhop test. No action is needed.", refText(ref)),
		Severity:     severity,
		ReceiverRefs: []v1beta1.ReceiverRef{ref},
	}
	if t.wait.Timeout > 0 {
		alert.Spec.ExpireAfterSeconds = seconds(t.wait.Timeout + t.keepFor + expiryMargin)
	}
	if !t.keep {
		alert.Spec.TTLSecondsAfterFinished = seconds(keptAfterwards)
	}
	return alert
}

// await waits until the receiver has taken the page, has given an answer that a repetition does not change, or the timeout has passed. It returns
// the last delivery, whose state is empty where there is no delivery yet.
func (t *test) await(ctx context.Context, client alertClient, alert *v1beta1.Alert, ref v1beta1.ReceiverRef) (v1beta1.Delivery, error) {
	ctx, cancel := t.wait.Context(ctx)
	defer cancel()
	last, err := observeAlert(ctx, t.e, client, alert, func(seen *v1beta1.Alert) bool {
		return cli.HealthOf(seen).Observed && isFinal(deliveryTo(seen, ref))
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return deliveryTo(last, ref), err
}

func deliveryTo(alert *v1beta1.Alert, ref v1beta1.ReceiverRef) v1beta1.Delivery {
	for _, d := range alert.Status.Deliveries {
		if refOf(d) == ref {
			return d
		}
	}
	return v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name}
}

// isFinal reports whether nothing changes in the next minutes: the receiver has taken or refused the page, its answer looks like a
// misconfiguration, or it cannot be used.
func isFinal(d v1beta1.Delivery) bool {
	switch d.State {
	case v1beta1.DeliverySent, v1beta1.DeliveryFiltered, v1beta1.DeliveryFailed, v1beta1.DeliveryExpired, v1beta1.DeliveryResolved:
		return true
	case v1beta1.DeliveryUnknown:
		return d.Reason != v1beta1.ReasonSending
	case v1beta1.DeliveryPending:
	}
	switch d.Reason {
	case v1beta1.ReasonSuspended, v1beta1.ReasonSecretNotFound, v1beta1.ReasonReceiverNotFound, v1beta1.ReasonNamespaceNotSelected:
		return true
	default:
		return d.MisconfiguredAnswers > 0
	}
}

// print prints the delivery with the provider's answer.
func (t *test) print(d v1beta1.Delivery) {
	for _, field := range [][2]string{
		{"Receiver", refText(refOf(d))},
		{"State", cmp.Or(string(d.State), "not observed")},
		{"Reason", d.Reason},
		{"Message", strings.Join(strings.Fields(d.Message), " ")},
		{"External ID", d.ExternalID},
	} {
		if field[1] != "" {
			fmt.Fprintf(t.e.Out, "%-13s %s\n", field[0]+":", field[1])
		}
	}
}

// failure is the error of a page that was not taken, with advice.
func (t *test) failure(alert *v1beta1.Alert, d v1beta1.Delivery) error {
	name := refText(refOf(d))
	switch d.State { //nolint:exhaustive // the others have not taken it
	case v1beta1.DeliverySent:
		return nil
	case "":
		err := cli.StalledError("the operator has not recorded a delivery to %s after %s", name, t.wait.Timeout)
		return cli.WithHint(err, "the receiver hangs, or the operator does not run: kubectl bellhop doctor")
	case v1beta1.DeliveryFiltered:
		err := cli.StalledError("%s has a minSeverity that you may not read, and ignores the severity Info", name)
		return cli.WithHint(err, "test it with kubectl bellhop page TEXT --to=%s --severity=Critical --wait", name)
	}
	err := cli.StalledError("%s did not confirm the test alert: %s", name, cmp.Or(explain(d), fmt.Sprintf("no answer after %s", t.wait.Timeout)))
	return cli.WithHint(err, "%s", hintOfDelivery(alert, d))
}

// create creates the Alert of a test. An interrupt does not cancel the request: without its answer it would not be known whether there is
// an Alert to delete.
func (t *test) create(ctx context.Context, client alertClient, alert *v1beta1.Alert) (*v1beta1.Alert, error) {
	ctx, release := t.e.Uninterrupted(ctx)
	defer release()
	created, err := client.Create(ctx, alert, metav1.CreateOptions{FieldManager: cli.FieldManager})
	if err == nil {
		err = cli.CheckCreated(alert, created)
	}
	return created, createError(ctx, alert, err)
}

// remove deletes the Alert of a test, also where the command was interrupted.
func (t *test) remove(ctx context.Context, client alertClient, alert *v1beta1.Alert) error {
	ctx, release := t.e.Uninterrupted(ctx)
	defer release()
	err := client.Delete(ctx, alert.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(alert.UID))})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		left := &cli.LeftError{Err: fmt.Errorf("%s was not deleted: %s", cli.ResourceName(alert), kinds.Reason(err))}
		return cli.WithHint(left, "kubectl bellhop resolve %s --namespace=%s --delete deletes it", alert.Name, alert.Namespace)
	}
	return nil
}
