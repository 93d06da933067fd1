// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// list is the command alerts.
type list struct {
	e      *cli.Environment
	output *cli.ListOutput
	state  *enum[v1beta1.AlertState]

	selector                     string
	allNamespaces, watch, unsent bool
}

func newAlerts(e *cli.Environment) *cobra.Command {
	l := &list{e: e, output: cli.NewListOutput(), state: newState()}
	cmd := &cobra.Command{
		Use:     "alerts [NAME...]",
		Aliases: []string{"alert"},
		Short:   "List Alerts, and whether they were sent",
		Long: `List Alerts, and whether their receivers have confirmed them.

SENT is true once every receiver has confirmed the Alert. RECEIVERS counts those
that have, of those that are to get it. REASON says how the Alert ended, or what
it waits for; the message in --output=wide says more. --watch prints a line
whenever an Alert changes.`,
		Example: `  # List the Alerts of the namespace
  kubectl bellhop alerts

  # List the firing Alerts that some receiver has not confirmed, of all namespaces, with the reason
  kubectl bellhop alerts --unsent -A -o wide

  # Watch the deliveries of an Alert
  kubectl bellhop alerts disk-full --watch`,
		ValidArgsFunction: completeAlerts(e, isAny),
		Args:              l.validateArgs,
		RunE:              func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&l.selector, "selector", "l", "", "Label selector of the Alerts, such as app=orders")
	flags.BoolVarP(&l.allNamespaces, "all-namespaces", "A", false, "List the Alerts of all namespaces")
	flags.BoolVarP(&l.watch, "watch", "w", false, "Print changes until the command is interrupted")
	flags.BoolVar(&l.unsent, "unsent", false, "Only firing Alerts that some receiver has not confirmed")
	l.state.addFlag(cmd, "state", "Only Alerts of this state: "+l.state.list(" or "))
	l.output.AddFlags(cmd)
	return cmd
}

func (l *list) validateArgs(_ *cobra.Command, args []string) error {
	switch {
	case len(args) > 0 && l.selector != "":
		return cli.UsageError("name the Alerts in one way: by NAME or by --selector")
	case len(args) > 0 && l.allNamespaces:
		return cli.UsageError("NAME is of one namespace, so that --all-namespaces has no meaning")
	case l.unsent && l.state.value == v1beta1.AlertResolved:
		return cli.UsageError("--unsent is about firing Alerts: it cannot be combined with --state=%s", l.state)
	}
	return nil
}

func (l *list) run(ctx context.Context, args []string) error {
	pager, namespace, err := here(l.e)
	if err != nil {
		return err
	}
	if l.allNamespaces {
		namespace = ""
	}
	client := alertsIn(pager, namespace)
	if l.watch {
		return l.follow(ctx, client, args)
	}
	alerts, err := l.read(ctx, client, args)
	if err != nil {
		return err
	}
	none := fmt.Sprintf("No Alerts found in namespace %q.", namespace)
	if l.allNamespaces {
		none = "No Alerts found."
	}
	if len(args) > 0 {
		return l.output.PrintNamed(l.e, cli.Objects(alerts), l.table(alerts))
	}
	return l.output.Print(l.e, cli.Objects(alerts), l.table(alerts), none)
}

// read reads the Alerts of names, or the Alerts that the flags select.
func (l *list) read(ctx context.Context, client alertClient, names []string) ([]*v1beta1.Alert, error) {
	var alerts []*v1beta1.Alert
	for _, name := range names {
		alert, err := cli.Get(ctx, client, name)
		if err != nil {
			return nil, err
		}
		alerts = append(alerts, alert)
	}
	if len(names) == 0 {
		var err error
		if alerts, err = cli.List(ctx, client, listOptions(l.selector)); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(alerts, func(alert *v1beta1.Alert) bool { return !l.matches(alert) }), nil
}

func listOptions(selector string) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: selector}
}

// matches reports whether the flags select an Alert.
func (l *list) matches(alert *v1beta1.Alert) bool {
	if l.state.value != "" && isFiring(alert) != (l.state.value == v1beta1.AlertFiring) {
		return false
	}
	return !l.unsent || isFiring(alert) && !cli.HealthOf(alert).Ready
}

func (l *list) table(alerts []*v1beta1.Alert) *cli.Table {
	table := &cli.Table{
		Columns: []string{"NAME", "SEVERITY", "STATE", "SENT", "RECEIVERS", "REASON", "AGE"},
		Wide:    []string{"TITLE", "CONTENT", "MESSAGE"},
	}
	if l.allNamespaces {
		table.Columns = append([]string{"NAMESPACE"}, table.Columns...)
	}
	for _, alert := range alerts {
		health := cli.HealthOf(alert)
		row := []any{
			alert.Name, string(alert.Spec.Severity), stateText(alert), alert.Status.Sent, alert.Status.Receivers, health.Reason,
			cli.Age(alert.CreationTimestamp), alert.Spec.Title, alert.Spec.Content, health.Message,
		}
		if l.allNamespaces {
			row = append([]any{alert.Namespace}, row...)
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

// stateText is the state of the spec, or Terminating as kubectl calls it.
func stateText(alert *v1beta1.Alert) string {
	if alert.DeletionTimestamp != nil {
		return "Terminating"
	}
	return string(alert.Spec.State)
}

// follow prints Alerts, and each change of them, until the context ends. If the flags no longer select an Alert after a change, that change is
// printed too, as its last one.
func (l *list) follow(ctx context.Context, client alertClient, names []string) error {
	if _, err := l.read(ctx, client, names); err != nil { // a name that does not exist
		return err
	}
	printer, err := l.output.NewChangePrinter(l.e)
	if err != nil {
		return err
	}
	shown := map[types.UID]string{} // resource versions
	show := func(changed ...*v1beta1.Alert) error {
		var selected []*v1beta1.Alert
		for _, alert := range changed {
			version, wasShown := shown[alert.UID]
			if len(names) > 0 && !slices.Contains(names, alert.Name) || version == alert.ResourceVersion || !wasShown && !l.matches(alert) {
				continue
			}
			selected = append(selected, alert)
			if shown[alert.UID] = alert.ResourceVersion; !l.matches(alert) {
				delete(shown, alert.UID)
			}
		}
		return printer.Print(cli.Objects(selected), l.table(selected))
	}
	return cli.Watch(ctx, client, listOptions(l.selector), cli.Observer[*v1beta1.Alert]{
		Listed:  func(alerts []*v1beta1.Alert) (bool, error) { return false, show(alerts...) },
		Changed: func(_ watch.EventType, alert *v1beta1.Alert) (bool, error) { return false, show(alert) },
	})
}
