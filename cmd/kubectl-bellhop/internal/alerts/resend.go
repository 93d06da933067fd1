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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

const (
	// restoreLabel is set by Velero on objects that it restores. The operator does not send an Alert that has it.
	restoreLabel = "velero.io/restore-name"
	// resendTimeout is how long resend and test wait for a receiver by default.
	resendTimeout = 30 * time.Second
	// fireTimeout is for how long an Alert is set to Firing again while the API server is unavailable, such as while it restarts, and fireInterval the
	// time between two attempts. After an interrupt less is left, see cli.Environment.Uninterrupted.
	fireTimeout  = time.Minute
	fireInterval = 500 * time.Millisecond
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

--selector and --unsent select firing Alerts; name a resolved Alert to have it
fire again. Each Alert is read again before it is sent: what another client
has resolved, fired or deleted meanwhile is left as it is. An Alert that its
sender ends while it is sent again stays Resolved.

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
	flags.StringVarP(&r.selection.selector, "selector", "l", "", "Label selector of the firing Alerts to send again, such as app=orders")
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
	selects := r.selects()
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

// selects reports whether flags select the Alerts, which are then firing ones. Else the user names them.
func (r *resend) selects() bool { return r.selection.selector != "" || r.selection.unsent }

func (r *resend) run(ctx context.Context, names []string) error {
	pager, namespace, err := here(r.e)
	if err != nil {
		return err
	}
	if r.selection.allNamespaces {
		namespace = ""
	}
	return r.resendAll(ctx, func(namespace string) alertClient { return alertsIn(pager, namespace) }, namespace, names)
}

// resendAll sends the Alerts again that names or the flags select. Client returns the client of a namespace.
func (r *resend) resendAll(ctx context.Context, client func(namespace string) alertClient, namespace string, names []string) error {
	if r.selects() {
		r.selection.state.value = v1beta1.AlertFiring
	}
	alerts, failed, err := r.read(ctx, client(namespace), names)
	if err != nil {
		return err
	}
	if len(alerts) == 0 && len(names) == 0 {
		fmt.Fprintln(r.e.ErrOut, "No Alerts found.")
	}
	for n, alert := range alerts {
		r.client = client(alert.Namespace)
		err := r.resendOne(ctx, alert)
		if ctx.Err() != nil {
			return errors.Join(append(interruptedErrors(ctx, failed, len(alerts)-n-1), err)...)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// read reads the Alerts that names or the flags select, and returns an error for each name that does not exist.
func (r *resend) read(ctx context.Context, client alertClient, names []string) (alerts []*v1beta1.Alert, missing []error, err error) {
	if r.selects() {
		alerts, err = r.selection.read(ctx, client, nil)
		return alerts, nil, err
	}
	for _, name := range names {
		alert, err := cli.Get(ctx, client, name)
		switch {
		case err == nil:
			alerts = append(alerts, alert)
		case apierrors.IsNotFound(err) && !cli.IsNotServed(err):
			missing = append(missing, err)
		default:
			return nil, nil, err
		}
	}
	return alerts, missing, nil
}

// interruptedErrors are the errors of Alerts before an interrupt, and how many Alerts are left after it.
func interruptedErrors(ctx context.Context, failed []error, left int) []error {
	var errs []error
	for _, err := range failed {
		errs = append(errs, &cli.LeftError{Err: err})
	}
	if left > 0 {
		errs = append(errs, ctx.Err(), &cli.LeftError{Err: fmt.Errorf("the command was interrupted before it sent %s again", cli.Count(left, "Alert"))})
	}
	return errs
}

// resendOne sends one Alert again, and waits for its receivers if the flags say so.
func (r *resend) resendOne(ctx context.Context, alert *v1beta1.Alert) error {
	if r.dryRun == "client" {
		return r.preview(alert)
	}
	resent, err := r.resend(ctx, alert)
	if changed, ok := errors.AsType[*changedError](err); ok {
		return r.skip(alert, changed)
	}
	if err != nil || !r.wait.Wait {
		return err
	}
	return waitAndPrint(ctx, r.e, &r.wait, r.client, resent)
}

// changedError is of an Alert that is no longer what the user saw or selected.
type changedError struct{ how string }

func (e *changedError) Error() string { return e.how }

// skip leaves an Alert as another client has made it. That is an error if the user has named the Alert.
func (r *resend) skip(alert *v1beta1.Alert, changed *changedError) error {
	if !r.selects() {
		return fmt.Errorf("%s was not sent again: %w", cli.ResourceName(alert), changed)
	}
	_, err := fmt.Fprintf(r.e.Out, "%s skipped: %s\n", r.nameOf(alert), changed)
	return err
}

// latest reads an Alert that was selected: the Alerts before it may have taken minutes.
func (r *resend) latest(ctx context.Context, seen *v1beta1.Alert) (*v1beta1.Alert, error) {
	selector, err := labels.Parse(r.selection.selector)
	if err != nil {
		return nil, err
	}
	latest, err := r.client.Get(ctx, seen.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, &changedError{deletedMeanwhile}
	case err != nil:
		return nil, err
	}
	if err := asSeen(seen, latest); err != nil {
		return nil, err
	}
	switch {
	case !selector.Matches(labels.Set(latest.Labels)):
		return nil, &changedError{"its labels do not match --selector any more"}
	case !r.selection.matches(latest):
		return nil, &changedError{"its receivers have confirmed it meanwhile"}
	}
	return latest, nil
}

const deletedMeanwhile = "it was deleted meanwhile"

// asSeen returns an error if an Alert is another object, or has another state, than when it was seen.
func asSeen(seen, latest *v1beta1.Alert) error {
	switch {
	case latest.UID != seen.UID:
		return &changedError{deletedMeanwhile + ", and created again"}
	case latest.DeletionTimestamp != nil && seen.DeletionTimestamp == nil:
		return &changedError{deletedMeanwhile}
	case isFiring(latest) != isFiring(seen):
		return &changedError{fmt.Sprintf("another client has set it to %s meanwhile", latest.Spec.State)}
	default:
		return nil
	}
}

// edit changes an Alert. If another client writes it at the same time, it is read again, and changed only if it is as it was seen.
func (r *resend) edit(ctx context.Context, seen *v1beta1.Alert, edit func(*v1beta1.Alert) error) (*v1beta1.Alert, error) {
	edited, err := cli.Edit(ctx, r.e.Silent(), r.write, r.client, seen, "", func(latest *v1beta1.Alert) error {
		if err := asSeen(seen, latest); err != nil {
			return err
		}
		return edit(latest)
	})
	if apierrors.IsNotFound(err) {
		err = &changedError{deletedMeanwhile}
	}
	return edited, err
}

// preview prints to which receivers an Alert would be sent again, or why it would not be.
func (r *resend) preview(alert *v1beta1.Alert) error {
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
	_, err := fmt.Fprintln(r.e.Out, r.nameOf(alert), result)
	return err
}

// nameOf is the name of an Alert, with its namespace where the command is about several.
func (r *resend) nameOf(alert *v1beta1.Alert) string {
	name := cli.ResourceName(alert)
	if r.selection.allNamespaces {
		name += " in namespace " + alert.Namespace
	}
	return name
}

// resend sends an Alert again, unless it is still being sent, or was changed since it was seen.
func (r *resend) resend(ctx context.Context, seen *v1beta1.Alert) (*v1beta1.Alert, error) {
	alert, err := r.latest(ctx, seen)
	if err != nil {
		return seen, err
	}
	if err := canResend(alert); err != nil {
		return alert, err
	}
	_, wasRestored := alert.Labels[restoreLabel]
	if wasRestored {
		if alert, err = r.edit(ctx, alert, removeRestoreLabel); err != nil {
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
	if err := cli.CheckWatch(ctx, r.client, alert.Name); err != nil { // before receivers are told that it is over
		return alert, err
	}
	if ctx.Err() != nil {
		return alert, ctx.Err()
	}
	notified := notifiedReceivers(alert)
	resolved, err := r.resolve(ctx, alert)
	isUnknown := cli.MayBeCarriedOut(err) && !errors.As(err, new(*changedError))
	switch {
	case isUnknown:
	case err != nil:
		return alert, err
	default:
		if resolved, err = r.awaitResolved(ctx, resolved); err == nil {
			err = notResentError(resolved, notified)
		}
	}
	fired, wasResolved, fireErr := r.fire(ctx, alert, err == nil)
	switch {
	case errors.As(fireErr, new(*changedError)):
		return resolved, fireErr
	case apierrors.IsNotFound(fireErr):
		return resolved, cli.WithHint(fmt.Errorf("%s was deleted before it was set to Firing again", cli.ResourceName(alert)),
			"send a new Alert: %s", pageCommand(alert))
	case fireErr == nil && isUnknown && !wasResolved:
		fireErr = fmt.Errorf("it is not known whether %s was set to Resolved: %s", cli.ResourceName(alert), kinds.Reason(err))
	}
	if fireErr != nil {
		return resolved, cli.WithHint(&cli.LeftError{Err: fireErr}, "%s may be Resolved; kubectl bellhop resend %s --namespace=%s sets it to Firing",
			cli.ResourceName(alert), alert.Name, alert.Namespace)
	}
	return fired, err
}

// resolve sets an Alert to Resolved. An interrupt does not cancel the request: it could be carried out after the Alert was set to Firing.
func (r *resend) resolve(ctx context.Context, alert *v1beta1.Alert) (*v1beta1.Alert, error) {
	ctx, release := r.e.Uninterrupted(ctx)
	defer release()
	return r.edit(ctx, alert, setState(v1beta1.AlertResolved))
}

// fire sets an Alert to Firing that was seen before it was resolved, and reports whether it was Resolved until then. The error is NotFound if the
// Alert was deleted, also if its finalizer still holds it or if there is another one of its name, and a changedError if its sender has ended it:
// nothing would end it any more. While the API server is unavailable, the requests are repeated: receivers may have been notified that the Alert
// is over.
func (r *resend) fire(ctx context.Context, seen *v1beta1.Alert, report bool) (fired *v1beta1.Alert, wasResolved bool, err error) {
	ctx, release := r.e.Uninterrupted(ctx)
	defer release()
	_ = wait.PollUntilContextTimeout(ctx, fireInterval, fireTimeout, true, func(context.Context) (bool, error) { // err has the error
		var latest *v1beta1.Alert
		if latest, err = r.client.Get(ctx, seen.Name, metav1.GetOptions{}); err == nil {
			wasResolved = wasResolved || !isFiring(latest)
			fired, err = cli.Edit(ctx, r.e.Silent(), r.write, r.client, latest, "", setFiringAgain(seen))
		}
		return !cli.IsUnavailable(err), nil
	})
	switch {
	case err != nil || !report:
		return fired, wasResolved, err
	case wasResolved:
		return fired, wasResolved, r.write.Report(r.e, "resent", fired)
	default:
		return fired, wasResolved, r.write.Report(r.e, "unchanged", fired)
	}
}

// setFiringAgain returns an edit that sets an Alert to Firing that was seen before it was resolved.
func setFiringAgain(seen *v1beta1.Alert) func(*v1beta1.Alert) error {
	return func(latest *v1beta1.Alert) error {
		if latest.UID != seen.UID || latest.DeletionTimestamp != nil {
			return apierrors.NewNotFound(v1beta1.Resource("alerts"), seen.Name)
		}
		if hasFiringInstance(seen) && !hasFiringInstance(latest) {
			return &changedError{"its sender has ended it meanwhile"}
		}
		if !isFiring(latest) {
			markNewInstancesWaiting(seen, latest)
		}
		latest.Spec.State = v1beta1.AlertFiring
		return nil
	}
}

// markNewInstancesWaiting has instances join the content with the next message that were not in it when the Alert was seen. While the Alert was
// Resolved, the operator recorded them as announced, as it does where a person resolved the Alert.
func markNewInstancesWaiting(seen, latest *v1beta1.Alert) {
	isAnnounced := map[string]bool{}
	for _, i := range seen.Spec.Instances {
		isAnnounced[i.Key] = i.EndsAt == nil && !i.Waiting
	}
	for n := range latest.Spec.Instances {
		i := &latest.Spec.Instances[n]
		i.Waiting = i.EndsAt == nil && !isAnnounced[i.Key]
	}
}

// hasFiringInstance reports whether the sender of an Alert has not ended all of its instances. An Alert that a person created has none.
func hasFiringInstance(alert *v1beta1.Alert) bool {
	return slices.ContainsFunc(alert.Spec.Instances, func(i v1beta1.AlertInstance) bool { return i.EndsAt == nil })
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
