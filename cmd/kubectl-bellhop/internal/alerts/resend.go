// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

const (
	// restoreLabel is set by Velero on objects that it restores. The operator does not send an Alert that has it.
	restoreLabel = "velero.io/restore-name"
	// resendTimeout is how long resend and test wait for a receiver by default.
	resendTimeout = 30 * time.Second
)

// resend is the command resend.
type resend struct {
	e      *cli.Environment
	write  *cli.WriteFlags
	wait   cli.WaitFlags
	client alertClient

	selection list
	dryRun    string
}

func newResend(e *cli.Environment) *cobra.Command {
	r := &resend{e: e, write: cli.NewWriteFlags(), selection: list{state: newState()}}
	cmd := &cobra.Command{
		Use:   "resend NAME...|-l SELECTOR|--unsent",
		Short: "Send Alerts again",
		Long: `Send Alerts again, as new messages to their receivers.

The command sets the state of an Alert to Resolved, waits until the operator has
recorded that the receivers confirmed the resolve notification, and sets the
state to Firing again. Then the receivers get a new message. The Alert is set to
Firing also after --timeout, or if the command is interrupted.

An Alert that some receiver has not confirmed yet is still being sent: nothing is
changed. An Alert that was restored from a backup is sent by removing the label
` + restoreLabel + `. The time of spec.expireAfterSeconds starts again.
An Alert that is below the minSeverity of every receiver cannot be sent again,
also if minSeverity was lowered meanwhile; the command prints how to send a new
one.

Of several Alerts, one that cannot be sent again does not keep the command from
the others. --dry-run shows what would be sent again to which receivers.`,
		Example: `  # Send it again, and wait until every receiver has the message
  kubectl bellhop resend disk-full --wait

  # After an outage, show which Alerts of all namespaces would be sent again, and send them
  kubectl bellhop resend --unsent -A --dry-run
  kubectl bellhop resend --unsent -A`,
		Args:              r.validateArgs,
		ValidArgsFunction: completeAlerts(e, isAny),
		RunE:              func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&r.selection.selector, "selector", "l", "", "Label selector of the Alerts, such as app=orders")
	flags.BoolVarP(&r.selection.allNamespaces, "all-namespaces", "A", false, "With --selector or --unsent: the Alerts of all namespaces")
	flags.BoolVar(&r.selection.unsent, "unsent", false, "Only firing Alerts that some receiver has not confirmed")
	flags.StringVar(&r.dryRun, "dry-run", "none", "none; client: show what would be sent again, and change nothing")
	flags.Lookup("dry-run").NoOptDefVal = "client"
	cli.CompleteFlag(cmd, "dry-run", cobra.FixedCompletions([]string{"none", "client"}, cobra.ShellCompDirectiveNoFileComp))
	r.wait.AddFlags(cmd, "every receiver has confirmed the Alert", resendTimeout)
	cmd.Flags().Lookup("timeout").Usage = "How long to wait until the receivers confirmed the resolve notification, and with --wait, " +
		"until they have confirmed the new message; 0: without end"
	return cmd
}

func (r *resend) validateArgs(_ *cobra.Command, args []string) error {
	selects := r.selection.selector != "" || r.selection.unsent
	switch {
	case r.dryRun != "none" && r.dryRun != "client":
		return cli.UsageError("--dry-run=%s: must be none or client", r.dryRun)
	case len(args) > 0 && (selects || r.selection.allNamespaces):
		return cli.UsageError("name the Alerts in one way: by NAME, or by --selector, --unsent and --all-namespaces")
	case r.selection.allNamespaces && !selects:
		return cli.UsageError("--all-namespaces needs --selector or --unsent: all Alerts of the cluster would be sent again")
	case len(args) == 0 && !selects:
		return cli.WithHint(cli.UsageError("NAME is missing"), "kubectl bellhop alerts lists the Alerts; --selector and --unsent select several")
	}
	return nil
}

func (r *resend) run(ctx context.Context, names []string) error {
	pager, namespace, err := here(r.e)
	if err != nil {
		return err
	}
	if r.selection.allNamespaces {
		namespace = ""
	}
	alerts, err := r.selection.read(ctx, alertsIn(pager, namespace), names)
	if err != nil {
		return err
	}
	if len(alerts) == 0 {
		fmt.Fprintln(r.e.ErrOut, "No Alerts found.")
	}
	var failed []error
	for _, alert := range alerts {
		r.client = alertsIn(pager, alert.Namespace)
		if err := r.resendOne(ctx, alert); err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// resendOne sends one Alert again, and waits for its receivers if the flags say so.
func (r *resend) resendOne(ctx context.Context, alert *v1beta1.Alert) error {
	if r.dryRun == "client" {
		return r.preview(alert)
	}
	alert, err := r.resend(ctx, alert)
	if err != nil || !r.wait.Wait {
		return err
	}
	return waitAndPrint(ctx, r.e, &r.wait, r.client, alert)
}

// preview prints to which receivers an Alert would be sent again, or why it would not be.
func (r *resend) preview(alert *v1beta1.Alert) error {
	name := cli.ResourceName(alert)
	if r.selection.allNamespaces {
		name += " in namespace " + alert.Namespace
	}
	result := "would be sent again"
	var receivers []string
	for _, d := range wantedDeliveries(alert) {
		receivers = append(receivers, refText(refOf(d)))
	}
	if len(receivers) > 0 {
		result += " to " + strings.Join(receivers, ", ")
	}
	_, isRestored := alert.Labels[restoreLabel]
	if err := canResend(alert); err != nil {
		result = "would not be sent again: " + err.Error()
	} else if pending := whyPending(alert); pending != "" && (!isRestored || isTried(alert)) {
		result = "would be unchanged: " + pending
	}
	_, err := fmt.Fprintln(r.e.Out, name, result)
	return err
}

// resend sends an Alert again, unless it is still being sent.
func (r *resend) resend(ctx context.Context, alert *v1beta1.Alert) (*v1beta1.Alert, error) {
	if err := canResend(alert); err != nil {
		return alert, err
	}
	_, wasRestored := alert.Labels[restoreLabel]
	if wasRestored {
		var err error
		if alert, err = cli.Edit(ctx, r.e.Silent(), r.write, r.client, alert, "", removeRestoreLabel); err != nil {
			return alert, err
		}
	}
	pending := whyPending(alert)
	switch {
	case wasRestored && !isTried(alert): // the operator sends it without the label
		return alert, r.write.Report(r.e, "resent", alert)
	case pending != "":
		_, err := fmt.Fprintf(r.e.Out, "%s unchanged: %s\n", cli.ResourceName(alert), pending)
		return alert, err
	default:
		return r.resolveAndFire(ctx, alert)
	}
}

func removeRestoreLabel(alert *v1beta1.Alert) error {
	delete(alert.Labels, restoreLabel)
	return nil
}

// isTried reports whether a message was attempted.
func isTried(alert *v1beta1.Alert) bool {
	return slices.ContainsFunc(alert.Status.Deliveries, func(d v1beta1.Delivery) bool { return d.LastAttemptedHash != "" })
}

// canResend returns an error for an Alert that cannot be sent again, with the command that pages with a new one.
func canResend(alert *v1beta1.Alert) error {
	name, deliveries := cli.ResourceName(alert), wantedDeliveries(alert)
	isFiltered := func(d v1beta1.Delivery) bool { return d.State == v1beta1.DeliveryFiltered }
	switch {
	case alert.DeletionTimestamp != nil:
		return cli.WithHint(fmt.Errorf("%s is being deleted, and is not sent any more", name), "send a new Alert: %s", pageCommand(alert))
	case isFiring(alert) && len(deliveries) > 0 && !slices.ContainsFunc(deliveries, func(d v1beta1.Delivery) bool { return !isFiltered(d) }):
		err := fmt.Errorf("%s is not sent again: its severity was below the minSeverity of every receiver", name)
		return cli.WithHint(err, "send a new Alert, of a higher severity unless minSeverity was lowered: %s", pageCommand(alert))
	}
	return nil
}

// longestText is up to how many bytes a text is repeated in a command that is suggested.
const longestText = 200

// pageCommand is the command that pages with the content of an Alert.
func pageCommand(alert *v1beta1.Alert) string {
	text := "TEXT"
	if len(alert.Spec.Content) <= longestText {
		text = cli.ShellQuote(alert.Spec.Content)
	}
	command := []string{"kubectl bellhop page", text, "--namespace=" + alert.Namespace}
	if alert.Spec.Title != "" {
		command = append(command, "--title="+cli.ShellQuote(alert.Spec.Title))
	}
	if alert.Spec.Severity != "" {
		command = append(command, "--severity="+string(alert.Spec.Severity))
	}
	for _, ref := range alert.Spec.ReceiverRefs {
		command = append(command, "--to="+refText(ref))
	}
	return strings.Join(command, " ")
}

// whyPending says why a firing Alert is not sent yet, empty if every receiver was reached, or has refused it.
func whyPending(alert *v1beta1.Alert) string {
	if !isFiring(alert) {
		return ""
	}
	health, deliveries := cli.HealthOf(alert), wantedDeliveries(alert)
	if !health.Observed || len(deliveries) == 0 {
		return "it is not sent yet: " + health.String()
	}
	for _, d := range deliveries {
		if d.State != v1beta1.DeliveryPending {
			continue
		}
		text := fmt.Sprintf("it is not sent to %s yet", refText(refOf(d)))
		if why := explain(d); why != "" {
			text += ": " + why
		}
		if d.NextAttemptTime != nil {
			text += "; next attempt at " + d.NextAttemptTime.UTC().Format(time.RFC3339)
		}
		return text
	}
	return ""
}

// resolveAndFire sets an Alert to Resolved, waits until that is recorded, and sets it to Firing again, even after an error.
func (r *resend) resolveAndFire(ctx context.Context, alert *v1beta1.Alert) (*v1beta1.Alert, error) {
	notified := notifiedReceivers(alert)
	resolved, err := cli.Edit(ctx, r.e.Silent(), r.write, r.client, alert, "", setState(v1beta1.AlertResolved))
	if err != nil && ctx.Err() == nil {
		return alert, err
	}
	if err == nil {
		resolved, err = r.awaitResolved(ctx, resolved)
	}
	if err == nil {
		err = notResentError(resolved, notified)
	}
	fired, fireErr := r.fire(ctx, resolved, err == nil)
	if fireErr != nil {
		return resolved, cli.WithHint(&cli.LeftError{Err: fireErr}, "%s may be Resolved; kubectl bellhop resend %s --namespace=%s sets it to Firing",
			cli.ResourceName(alert), alert.Name, alert.Namespace)
	}
	return fired, err
}

// fire sets an Alert to Firing. It reads the Alert first: of a request that was interrupted it is not known whether it was executed.
func (r *resend) fire(ctx context.Context, alert *v1beta1.Alert, report bool) (*v1beta1.Alert, error) {
	ctx, release := r.e.Uninterrupted(ctx)
	defer release()
	latest, err := cli.Get(ctx, r.client, alert.Name)
	if err != nil {
		return alert, err
	}
	e := r.e
	if !report {
		e = e.Silent()
	}
	return cli.Edit(ctx, e, r.write, r.client, latest, "resent", setState(v1beta1.AlertFiring))
}

// awaitResolved waits until every notified receiver has confirmed the resolve notification, or cannot be reached.
func (r *resend) awaitResolved(ctx context.Context, alert *v1beta1.Alert) (*v1beta1.Alert, error) {
	ctx, cancel := r.wait.Context(ctx)
	defer cancel()
	last, err := observeAlert(ctx, r.e, r.client, alert, func(seen *v1beta1.Alert) bool {
		return isFiring(seen) || isSettled(seen) // another client may have set it to Firing
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = r.timeoutError(last)
	}
	return last, err
}

// timeoutError is of receivers that did not confirm the resolve notification in time. Receivers to which it was attempted get a new message.
func (r *resend) timeoutError(last *v1beta1.Alert) error {
	err := &cli.Error{
		Code: cli.ExitTimeout,
		Err: fmt.Errorf("%s: the receivers have not confirmed the resolve notification after %s: %s",
			cli.ResourceName(last), r.wait.Timeout, cli.HealthOf(last)),
		Hint: "the Alert is Firing again, and was not sent again; does the operator run? --timeout waits longer",
	}
	if slices.ContainsFunc(last.Status.Deliveries, isResolveAttempted) {
		err.Hint = "the Alert is Firing again; it is sent again once the receivers answer. --timeout waits longer"
	}
	return err
}

// notifiedReceivers are the receivers that have a message, which has to be resolved before they get a new one.
func notifiedReceivers(alert *v1beta1.Alert) map[v1beta1.ReceiverRef]bool {
	notified := map[v1beta1.ReceiverRef]bool{}
	for _, d := range wantedDeliveries(alert) {
		if d.State == v1beta1.DeliverySent || d.State == v1beta1.DeliveryUnknown {
			notified[refOf(d)] = true
		}
	}
	return notified
}

// isResolveAttempted reports whether a resolve notification was sent to a receiver, or attempted: then it gets a new message.
func isResolveAttempted(d v1beta1.Delivery) bool {
	return d.State == v1beta1.DeliveryResolved || strings.HasSuffix(d.LastAttemptedHash, ":resolved")
}

// notResentError names the receivers that keep their message, since the resolve notification was not sent.
func notResentError(resolved *v1beta1.Alert, notified map[v1beta1.ReceiverRef]bool) error {
	var left []v1beta1.Delivery
	for _, d := range resolved.Status.Deliveries {
		if notified[refOf(d)] && !isResolveAttempted(d) {
			left = append(left, d)
		}
	}
	if len(left) == 0 {
		return nil
	}
	why := cmp.Or(explain(left[0]), "another client has changed the Alert meanwhile")
	err := cli.StalledError("%s was not sent again to %s: %s", cli.ResourceName(resolved), refText(refOf(left[0])), why)
	return cli.WithHint(err, "%s", hint(resolved, left, left[0].Reason))
}
