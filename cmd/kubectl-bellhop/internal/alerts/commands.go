// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alerts has the commands for pages: page, alerts, resolve, resend, test, suspend, resume, watch and unwatch.
package alerts

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	pagerclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Commands returns the commands of the package.
func Commands(e *cli.Environment) []*cobra.Command {
	return []*cobra.Command{newPage(e), newAlerts(e), newResolve(e), newResend(e), newTest(e), newSuspend(e), newResume(e), newWatch(e), newUnwatch(e)}
}

// alertClient is a client of the Alerts of a namespace.
type alertClient = cli.Client[*v1beta1.Alert, *v1beta1.AlertList]

// alertsIn returns the client of the Alerts of a namespace; of the namespace "" it reads all.
func alertsIn(pager pagerclient.PagerV1beta1Interface, namespace string) alertClient {
	return pager.Alerts(namespace)
}

// here returns a client, and the namespace of the command.
func here(e *cli.Environment) (pagerclient.PagerV1beta1Interface, string, error) {
	namespace, err := e.Namespace()
	if err != nil {
		return nil, "", err
	}
	pager, err := e.Pager()
	return pager, namespace, err
}

// completeAlerts completes the names of the Alerts that is selects.
func completeAlerts(e *cli.Environment, is func(*v1beta1.Alert) bool) cobra.CompletionFunc {
	return cli.Complete(func(ctx context.Context) ([]string, error) {
		pager, namespace, err := here(e)
		if err != nil {
			return nil, err
		}
		all, err := cli.List(ctx, alertsIn(pager, namespace), listOptions(""))
		if err != nil {
			return nil, err
		}
		var names []string
		for _, alert := range all {
			if is(alert) {
				names = append(names, alert.Name)
			}
		}
		return names, nil
	})
}

func isAny(*v1beta1.Alert) bool { return true }

func isFiring(alert *v1beta1.Alert) bool { return alert.Spec.State != v1beta1.AlertResolved }
