// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// defaultTimeout is how long --wait waits for receivers by default.
const defaultTimeout = time.Minute

// page is the command page.
type page struct {
	e        *cli.Environment
	cmd      *cobra.Command
	write    *cli.WriteFlags
	wait     cli.WaitFlags
	severity *enum[v1beta1.Severity]

	to                      []string
	title, name, filename   string
	expireAfter, timeToLive time.Duration
	labels                  map[string]string
}

func newPage(e *cli.Environment) *cobra.Command {
	p := &page{e: e, write: cli.NewWriteFlags(), severity: newSeverity()}
	p.cmd = &cobra.Command{
		Use:   "page TEXT|-|-f MANIFEST [--to RECEIVER]...",
		Short: "Send an alert: create an Alert",
		Long: `Send an alert: create an Alert with a text, which is sent to receivers.

Without --to the Alert goes to the default receiver. With --wait the command
ends once every receiver has confirmed the Alert, and prints what each of them
answered. Without --wait the operator sends the Alert in the background.

The name of a receiver is that of a Receiver in the namespace, else that of a
ClusterReceiver. If you may not read these, the command fails. receiver/NAME and
clusterreceiver/NAME say which kind it is, and are not looked up, so that they
may name a receiver that does not exist yet.`,
		Example: `  # To the default receiver
  kubectl bellhop page "The database is down"

  # To two receivers, and wait until both have the message
  kubectl bellhop page "The database is down" --to=oncall --to=chat --severity=Critical --wait

  # The output of a command, for an hour at most
  df -h | kubectl bellhop page - --title="Disk usage" --to=chat --expire-after=1h

  # Print a manifest for kubectl apply, and create nothing
  kubectl bellhop page "The database is down" --to=receiver/oncall --dry-run=client -o yaml`,
		Args:              p.validateArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return p.run(cmd.Context(), args) },
	}
	p.addFlags()
	return p.cmd
}

func (p *page) addFlags() {
	flags := p.cmd.Flags()
	flags.StringSliceVar(&p.to, "to", nil, "Receivers to page: NAME, receiver/NAME or clusterreceiver/NAME; may be repeated. Default: the default receiver")
	flags.StringVar(&p.title, "title", "", "Title of the message")
	flags.StringVar(&p.name, "name", "", "Name of the Alert. Default: page- and 5 random characters")
	flags.DurationVar(&p.expireAfter, "expire-after", 0, "How long the Alert is sent, such as 1h; later it is Expired. Default: it never expires")
	flags.DurationVar(&p.timeToLive, "ttl", 0, "How long the Alert is kept once it is finished, such as 24h. Default: it is kept")
	flags.StringToStringVar(&p.labels, "labels", nil, "Labels of the Alert, as `KEY=VALUE,...`")
	flags.Lookup("labels").DefValue = "" // not []
	flags.StringVarP(&p.filename, "filename", "f", "", "File with the manifest of an Alert, whose fields TEXT and flags replace; - is standard input")
	p.severity.addFlag(p.cmd, "severity", "Severity: "+p.severity.list(" or ")+". Default: Info")
	p.wait.AddFlags(p.cmd, "every receiver has confirmed the Alert", defaultTimeout)
	p.write.AddFlags(p.cmd)
	cli.CompleteFlag(p.cmd, "to", completeList(completeReceivers(p.e)))
	for _, name := range []string{"title", "name", "expire-after", "ttl", "labels", "timeout"} {
		cli.CompleteFlag(p.cmd, name, cobra.NoFileCompletions)
	}
}

// validateArgs wants one text, or a manifest.
func (p *page) validateArgs(_ *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return cli.WithHint(cli.UsageError("one TEXT is expected, and there are %d", len(args)),
			"a text with spaces needs quotes: kubectl bellhop page %s", cli.ShellQuote(strings.Join(args, " ")))
	case len(args) == 0 && p.filename == "":
		return cli.WithHint(cli.UsageError("TEXT is missing"), `write it in quotes, as in kubectl bellhop page "The database is down", or give a manifest with --filename`)
	case len(args) == 1 && args[0] == "-" && p.filename == "-":
		return cli.UsageError("standard input cannot be both TEXT and --filename")
	case len(args) == 1 && strings.TrimSpace(args[0]) == "":
		return cli.UsageError("TEXT is empty")
	}
	return p.validateFlags()
}

func (p *page) validateFlags() error {
	flags := p.cmd.Flags()
	if flags.Changed("expire-after") && p.expireAfter < time.Second {
		return cli.UsageError("--expire-after=%s: must be at least 1s", p.expireAfter)
	}
	if flags.Changed("ttl") && p.timeToLive < 0 {
		return cli.UsageError("--ttl=%s: must not be negative", p.timeToLive)
	}
	for _, d := range []time.Duration{p.expireAfter, p.timeToLive} {
		if d > maxDuration {
			return cli.UsageError("%s is too long: at most %s", d, maxDuration)
		}
	}
	return p.write.Validate()
}

func (p *page) run(ctx context.Context, args []string) error {
	alert, err := p.alert(ctx, args)
	if err != nil {
		return err
	}
	pager, err := p.e.Pager()
	if err != nil {
		return err
	}
	client := alertsIn(pager, alert.Namespace)
	switch {
	case ctx.Err() != nil: // nothing was sent
		return ctx.Err()
	case !p.wait.Wait || !p.write.Stores():
		if _, err = cli.Create(ctx, p.e, p.write, client, alert); !p.write.Stores() {
			return err
		}
		return createError(ctx, alert, err)
	case p.write.Prints():
		return p.createAndPrint(ctx, client, alert)
	}
	created, err := cli.Create(ctx, p.e, p.write, client, alert)
	if err != nil {
		return createError(ctx, alert, err)
	}
	return waitAndPrint(ctx, p.e, &p.wait, client, created)
}

// createAndPrint creates an Alert, and prints it in the format of --output once it was waited for, so that the output has its deliveries.
func (p *page) createAndPrint(ctx context.Context, client alertClient, alert *v1beta1.Alert) error {
	created, err := client.Create(ctx, alert, metav1.CreateOptions{FieldManager: cli.FieldManager})
	if err == nil {
		err = cli.CheckCreated(alert, created)
	}
	if err != nil {
		return createError(ctx, alert, err)
	}
	last, waitErr := waitDelivered(ctx, p.e, &p.wait, client, created)
	if err := p.write.Report(p.e, "created", last); err != nil {
		return err
	}
	return waitErr
}

// alert is the Alert that is to be created: the manifest's, with the fields that arguments and flags give.
func (p *page) alert(ctx context.Context, args []string) (*v1beta1.Alert, error) {
	alert, err := p.manifest()
	if err != nil {
		return nil, err
	}
	if len(args) == 1 {
		if alert.Spec.Content, err = p.text(args[0]); err != nil {
			return nil, err
		}
	}
	p.applyFlags(alert)
	if len(p.to) > 0 {
		pager, err := p.e.Pager()
		if err != nil {
			return nil, err
		}
		finder := receiverFinder{e: p.e, pager: pager, namespace: alert.Namespace, flag: "--to="}
		if alert.Spec.ReceiverRefs, err = finder.refs(ctx, p.to); err != nil {
			return nil, err
		}
	}
	return alert, nil
}

// text is TEXT, or the content of standard input.
func (p *page) text(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	input, err := io.ReadAll(p.e.In)
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	text := strings.TrimRight(string(input), "\r\n")
	if strings.TrimSpace(text) == "" {
		return "", cli.UsageError("TEXT is empty: standard input has no text")
	}
	return text, nil
}

// manifest is the Alert of --filename as it can be created again, or an empty one.
func (p *page) manifest() (*v1beta1.Alert, error) {
	namespace, err := p.e.Namespace()
	if err != nil {
		return nil, err
	}
	if p.filename == "" {
		return &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}, nil
	}
	alerts, err := cli.ReadManifests[*v1beta1.Alert](p.e, []string{p.filename})
	if err != nil {
		return nil, err
	}
	if len(alerts) != 1 {
		return nil, cli.UsageError("--filename=%s: one Alert is expected, and there are %d", p.filename, len(alerts))
	}
	alert := alerts[0]
	if given := p.e.Connection.Namespace; given != nil && *given != "" && *given != alert.Namespace {
		return nil, cli.UsageError("--filename=%s: the Alert's namespace is %q, and --namespace is %q", p.filename, alert.Namespace, *given)
	}
	alert.ObjectMeta = metav1.ObjectMeta{
		Name: alert.Name, GenerateName: alert.GenerateName, Namespace: alert.Namespace,
		Labels: alert.Labels, Annotations: alert.Annotations, OwnerReferences: alert.OwnerReferences,
	}
	alert.Spec.State = "" // Firing, also where the manifest is of an Alert that was resolved
	alert.Status = v1beta1.AlertStatus{}
	return alert, nil
}

// applyFlags sets the fields that flags give, and a name.
func (p *page) applyFlags(alert *v1beta1.Alert) {
	switch {
	case p.name != "":
		alert.Name = p.name
	case alert.Name == "" && alert.GenerateName != "":
		alert.Name = alert.GenerateName + rand.String(5)
	case alert.Name == "":
		alert.Name = "page-" + rand.String(5)
	}
	alert.GenerateName = ""
	for key, value := range p.labels {
		metav1.SetMetaDataLabel(&alert.ObjectMeta, key, value)
	}
	flags := p.cmd.Flags()
	if flags.Changed("title") {
		alert.Spec.Title = p.title
	}
	if p.severity.value != "" {
		alert.Spec.Severity = p.severity.value
	}
	if flags.Changed("expire-after") {
		alert.Spec.ExpireAfterSeconds = seconds(p.expireAfter)
	}
	if flags.Changed("ttl") {
		alert.Spec.TTLSecondsAfterFinished = seconds(p.timeToLive)
	}
}

// createError is the error of a request that creates an Alert. If it is not known whether there is one, it names it: the name may be random.
func createError(ctx context.Context, alert *v1beta1.Alert, err error) error {
	if !cli.MayBeCarriedOut(err) {
		return err
	}
	why := kinds.Reason(err)
	if errors.Is(ctx.Err(), context.Canceled) {
		why = "the command was interrupted before the API server had answered"
	}
	left := &cli.LeftError{Err: fmt.Errorf("it is not known whether %s was created: %s", cli.ResourceName(alert), why)}
	return cli.WithHint(left, "if it was, kubectl bellhop alerts %s --namespace=%s shows it", alert.Name, alert.Namespace)
}

// maxDuration is the longest duration that the fields of an Alert can have.
const maxDuration = math.MaxInt32 * time.Second

// seconds is a duration in whole seconds, rounded up.
func seconds(d time.Duration) *int32 {
	whole := int32(math.Ceil(d.Seconds()))
	return &whole
}
