// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	pagerclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
)

// show prints a source.
func (c *command) show(ctx context.Context, pager pagerclient.PagerV1beta1Interface, source *v1beta1.AlertSource, l *listener) error {
	firing, err := c.firing(ctx, pager, source)
	if err != nil {
		return err
	}
	state := kinds.StateOf(source)
	received := "never"
	if at := source.Status.LastReceivedTime; at != nil {
		received = cli.Age(*at) + " ago"
	}
	silent := "never"
	if seconds := source.Spec.SilentAfterSeconds; seconds > 0 {
		silent = "after " + (time.Duration(seconds) * time.Second).String() + " without a post"
	}
	url := l.url(source)
	for _, field := range [][2]string{
		{"Name", source.Name},
		{"Namespace", source.Namespace},
		{"State", strings.Trim(state.State+", "+state.Reason, ", ")},
		{"Message", state.Message},
		{"Last received", received},
		{"Silent", silent},
		{"Firing", firing},
		{"Receivers", receiversOf(source)},
		{"Listener", l.describe()},
		{"URL", url},
		{"Webhook", url + endpoint.Webhook},
		{"Senders", strings.Join(sendersOf(source), "\n"+strings.Repeat(" ", fieldWidth))},
	} {
		if field[1] != "" {
			fmt.Fprintf(c.Out, "%-*s%s\n", fieldWidth, field[0]+":", field[1])
		}
	}
	return nil
}

// fieldWidth is the width of the column of labels.
const fieldWidth = 16

// firing counts the Alerts of a source that fire, and their instances. A user who may not list Alerts gets the number in the status.
func (c *command) firing(ctx context.Context, pager pagerclient.PagerV1beta1Interface, source *v1beta1.AlertSource) (string, error) {
	selector := v1beta1.AlertSourceLabel + "=" + source.Name
	list, err := pager.Alerts(source.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if apierrors.IsForbidden(err) {
		return cli.Count(int(source.Status.Firing), "Alert"), nil
	}
	if err != nil {
		return "", err
	}
	alerts, instances := countFiring(list.Items)
	return cli.Count(alerts, "Alert") + ", " + cli.Count(instances, "instance"), nil
}

func countFiring(all []v1beta1.Alert) (alerts, instances int) {
	for _, alert := range all {
		if alert.Spec.State == v1beta1.AlertResolved {
			continue
		}
		alerts++
		for _, instance := range alert.Spec.Instances {
			if instance.EndsAt == nil {
				instances++
			}
		}
	}
	return alerts, instances
}

func receiversOf(source *v1beta1.AlertSource) string {
	var names []string
	for _, ref := range source.Spec.ReceiverRefs {
		names = append(names, string(ref.Kind)+"/"+ref.Name)
	}
	return cmp.Or(strings.Join(names, ", "), "the default receiver")
}

// sendersOf says who may post, a line each.
func sendersOf(source *v1beta1.AlertSource) []string {
	var lines []string
	if secret := source.Spec.SecretRef; secret != nil {
		lines = append(lines, fmt.Sprintf("programs with the token in key %s of Secret %s", endpoint.TokenKey, secret.Name))
	}
	return append(lines,
		fmt.Sprintf("ServiceAccounts that may create alertsources/ingest, with a token for the audience %s; to check one:", endpoint.Audience),
		fmt.Sprintf("kubectl auth can-i create alertsources.pager.k8s.co/%s --subresource=ingest -n %s --as=system:serviceaccount:NAMESPACE:NAME", source.Name, source.Namespace))
}
