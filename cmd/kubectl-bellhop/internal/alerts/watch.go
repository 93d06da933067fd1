// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/pagebylabel"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// watchCommand is the command watch.
type watchCommand struct {
	e        *cli.Environment
	cmd      *cobra.Command
	write    *cli.WriteFlags
	severity *enum[v1beta1.Severity]

	to                []string
	after             time.Duration
	deadline          time.Duration
	operatorNamespace string
}

func newWatch(e *cli.Environment) *cobra.Command {
	w := &watchCommand{e: e, write: cli.NewWriteFlags(), severity: newSeverity()}
	w.cmd = &cobra.Command{
		Use:   "watch KIND/NAME... [--to RECEIVER]...",
		Short: "Send an alert when an object fails",
		Long: `Send an alert when an object fails: set the label pager.k8s.co/page on it.

The operator then creates an Alert when the object fails, and resolves it when
the object is healthy. KIND is deployment, statefulset, daemonset, job, cronjob,
persistentvolumeclaim, serviceinstance or servicebinding, or a kind that the
operator watches by its flag --page-kinds.

--to, --after, --progress-deadline and --severity set annotations. An option
that is not given leaves its annotation as it is. A receiver is named as in
kubectl bellhop page.

The Namespace has to consent by a label, and the operator has to run with
--page-by-label. Otherwise the command prints what is missing, as far as you may
read it.`,
		Example: `  # Alert the default receiver when a Deployment fails
  kubectl bellhop watch deployment/orders

  # Alert two receivers when a Job or a CronJob fails
  kubectl bellhop watch job/import cronjob/backup --to=oncall --to=clusterreceiver/chat

  # Send a Warning once a HelmRelease has failed for 15 minutes
  kubectl bellhop watch hr/shop --after=15m --severity=Warning

  # Print the manifest with the label, and change nothing
  kubectl bellhop watch deploy/orders --dry-run=client -o yaml`,
		Args:              w.validateArgs,
		ValidArgsFunction: completeAny(e, ""),
		RunE:              func(cmd *cobra.Command, args []string) error { return w.run(cmd.Context(), args) },
	}
	flags := w.cmd.Flags()
	flags.StringSliceVar(&w.to, "to", nil, "Receivers of the Alert: NAME, receiver/NAME or clusterreceiver/NAME; may be repeated. Default: the default receiver")
	flags.DurationVar(&w.after, "after", 0, "How long the object has to fail, such as 10m, at most 24h. Default: 5m, of a Job and a CronJob 0s")
	flags.DurationVar(&w.deadline, "progress-deadline", 0, "How long the object may be in progress before that counts as a failure, such as 2h, at most 720h; 0s: for ever. Default: 1h, of a Job for ever")
	w.severity.addFlag(w.cmd, "severity", "Severity of the Alert: "+w.severity.list(" or ")+". Default: Critical")
	flags.StringVar(&w.operatorNamespace, "operator-namespace", cli.OperatorNamespace, "Namespace of the operator, whose flags are checked")
	w.write.AddFlags(w.cmd)
	cli.CompleteFlag(w.cmd, "to", completeList(completeReceivers(e)))
	cli.CompleteFlag(w.cmd, "after", cobra.NoFileCompletions)
	cli.CompleteFlag(w.cmd, "progress-deadline", cobra.NoFileCompletions)
	return w.cmd
}

// validateArgs validates the command line without a request. NAME in --to is validated as the name of a Receiver.
func (w *watchCommand) validateArgs(_ *cobra.Command, args []string) error {
	if err := validateAny(args); err != nil {
		return err
	}
	var refs []v1beta1.ReceiverRef
	for _, given := range w.to {
		ref, err := parseReceiver(given)
		if err != nil {
			return err
		}
		if ref.Kind == "" {
			ref.Kind = v1beta1.KindReceiver
		}
		refs = append(refs, ref)
	}
	for _, option := range w.options(refs) {
		if err := option.setOn(&metav1.ObjectMeta{}, ""); err != nil {
			return cli.UsageError("--%s: %w", option.flag, err)
		}
	}
	return w.write.Validate()
}

// watchOption is an annotation that a flag sets.
type watchOption struct{ flag, annotation, value string }

// options are the options that are given, with these receivers.
func (w *watchCommand) options(receivers []v1beta1.ReceiverRef) []watchOption {
	var options []watchOption
	flags := w.cmd.Flags()
	if flags.Changed("to") {
		var texts []string
		for _, ref := range receivers {
			texts = append(texts, refText(ref))
		}
		options = append(options, watchOption{"to", v1beta1.PageReceiversAnnotation, strings.Join(texts, ",")})
	}
	if flags.Changed("after") {
		options = append(options, watchOption{"after", v1beta1.PageAfterAnnotation, secondsOf(w.after)})
	}
	if flags.Changed("progress-deadline") {
		options = append(options, watchOption{"progress-deadline", v1beta1.PageProgressDeadlineAnnotation, secondsOf(w.deadline)})
	}
	if w.severity.value != "" {
		options = append(options, watchOption{"severity", v1beta1.PageSeverityAnnotation, string(w.severity.value)})
	}
	return options
}

// secondsOf returns a duration as an annotation has it.
func secondsOf(d time.Duration) string { return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10) }

// setOn sets label and annotation of an object, and has the operator's parser read them.
func (o watchOption) setOn(object metav1.Object, kind string) error {
	return setWatched(object, kind, []watchOption{o})
}

// setWatched sets the label and the annotations on an object of a kind. The error is the operator's parser's. With such an error the operator would
// send no Alert about the object.
func setWatched(object metav1.Object, kind string, options []watchOption) error {
	object.SetLabels(withValue(object.GetLabels(), v1beta1.PageLabel, "true"))
	for _, option := range options {
		object.SetAnnotations(withValue(object.GetAnnotations(), option.annotation, option.value))
	}
	_, asks, err := healthrules.ParseAsk(object, kind)
	if err == nil && !asks {
		return errors.New("the object is being deleted, so the operator sends no Alert about it")
	}
	return err
}

func withValue(values map[string]string, key, value string) map[string]string {
	if values == nil {
		values = map[string]string{}
	}
	values[key] = value
	return values
}

func (w *watchCommand) run(ctx context.Context, args []string) error {
	targets, err := findAny(ctx, w.e, args)
	if err != nil {
		return err
	}
	receivers, err := w.receivers(ctx)
	if err != nil {
		return err
	}
	options := w.options(receivers)
	for _, target := range targets { // before anything is sent
		if err := setWatched(target.object.DeepCopy(), target.kind(), options); err != nil {
			return cli.WithHint(fmt.Errorf("%s: %w", cli.ResourceName(target.object), err),
				"--to, --after, --progress-deadline and --severity replace an annotation, and kubectl bellhop unwatch removes all of them")
		}
	}
	for _, target := range targets {
		_, err := cli.Edit(ctx, w.e, w.write, target.client, target.object, "is watched", func(object *unstructured.Unstructured) error {
			return setWatched(object, target.kind(), options)
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(w.noteGroup(ctx), w.noteConsent(ctx, targets[0].object.GetNamespace()), w.noteOperator(ctx, targets))
}

// noteGroup prints that the cluster has no Alerts, where it has none.
func (w *watchCommand) noteGroup(ctx context.Context) error {
	has, err := w.e.HasGroup(ctx, cli.PagerGroup)
	if err == nil && !has {
		missing := cli.GroupNotInstalled(cli.PagerGroup)
		fmt.Fprintf(w.e.ErrOut, "note: no Alert is sent: %s; %s\n", missing, cli.HintOf(missing))
	}
	return err
}

// receivers finds the receivers of --to.
func (w *watchCommand) receivers(ctx context.Context) ([]v1beta1.ReceiverRef, error) {
	if len(w.to) == 0 {
		return nil, nil
	}
	pager, namespace, err := here(w.e)
	if err != nil {
		return nil, err
	}
	finder := receiverFinder{e: w.e, pager: pager, namespace: namespace, flag: "--to="}
	return finder.refs(ctx, w.to)
}

// noteConsent prints how the Namespace consents, unless it does.
func (w *watchCommand) noteConsent(ctx context.Context, namespace string) error {
	core, err := w.e.Core()
	if err != nil {
		return err
	}
	consents, err := cli.NamespaceMatches(ctx, core, namespace, healthrules.ConsentSelector)
	switch {
	case apierrors.IsForbidden(err):
		fmt.Fprintf(w.e.ErrOut, "note: you may not read Namespace %q: if it has no label %s, no Alert is sent\n", namespace, healthrules.ConsentSelector)
		return nil
	case err == nil && !consents:
		fmt.Fprintf(w.e.ErrOut, "note: no Alert is sent before Namespace %q consents: %s\n", namespace, cli.LabelNamespaceCommand(namespace, healthrules.ConsentSelector))
	}
	return err
}

// noteOperator prints which objects the operator does not watch, where its flags are known.
func (w *watchCommand) noteOperator(ctx context.Context, targets []anyTarget) error {
	apps, err := w.e.Apps()
	if err != nil {
		return err
	}
	operator, err := pagebylabel.Find(ctx, apps, w.operatorNamespace)
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil || operator == nil {
		return err
	}
	names := map[string][]string{} // by unmet precondition
	for _, target := range targets {
		if unmet := operator.UnmetPrecondition(target.mapping.Resource, target.object.GetNamespace()); unmet != "" {
			names[unmet] = append(names[unmet], cli.ResourceName(target.object))
		} else if unknown := operator.Unknown(target.mapping.Resource.GroupResource(), target.object, time.Now()); unknown != nil {
			why := unknown.Message + ": " + unknown.Remedy
			names[why] = append(names[why], cli.ResourceName(target.object))
		}
	}
	for _, unmet := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(w.e.ErrOut, "note: no Alert is sent about %s: %s\n", strings.Join(names[unmet], ", "), unmet)
	}
	return nil
}
