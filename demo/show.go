/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/demo/inbox"
)

// arrival is how long a page may take on a busy machine.
const arrival = 30 * time.Second

const receiver = `kubectl apply -f - <<EOF
apiVersion: pager.k8s.co/v1beta1
kind: ClusterReceiver
metadata:
  name: inbox
  annotations:
    pager.k8s.co/is-default-receiver: "true"  # for Alerts that name none
spec:
  webhook:
    url: %s
  secretRef:
    name: inbox
  namespaceSelector: {}                       # Alerts of every namespace may use it
EOF`

// What to play on with. The check runs all of it.
const (
	changeContent = `kubectl patch alert kubecon-alert --type=merge -p '{"spec":{"content":"The party starts now :tada:"}}'`
	addAlert      = `kubectl apply -f - <<EOF
apiVersion: pager.k8s.co/v1beta1
kind: Alert
metadata:
  name: disk-full
spec:
  title: Disk almost full
  content: "node-7 has 3 % left :warning:"
  severity: Critical
EOF`
	resolve = `kubectl patch alert disk-full --type=merge -p '{"spec":{"state":"Resolved"}}'`
	remove  = `kubectl delete alert kubecon-alert`
)

// showPage does what a user would do, up to the page and its record.
func (d *demo) showPage(ctx context.Context) error {
	d.screen.step("1. Say where pages go: by default to the inbox, signed with a secret")
	if err := d.run(ctx, `printf %s "$SIGNING_SECRET" | kubectl -n `+d.cluster.Namespace+
		` create secret generic inbox --from-file=signingSecret=/dev/stdin`); err != nil {
		return err
	}
	if err := d.run(ctx, fmt.Sprintf(receiver, d.inboxURL)); err != nil {
		return err
	}

	d.screen.step("2. Page somebody")
	if err := d.run(ctx, "cat config/samples/pager_v1alpha1_alert.yaml"); err != nil {
		return err
	}
	if _, err := d.runForPage(ctx, "kubectl apply -f config/samples/pager_v1alpha1_alert.yaml"); err != nil {
		return err
	}

	d.screen.step("3. What Kubernetes knows of it, in both versions of the API")
	for _, command := range []string{
		"kubectl wait --for=condition=Ready --timeout=30s alert/kubecon-alert",
		"kubectl get alerts.v1alpha1.pager.k8s.co",
		"kubectl get alerts.v1beta1.pager.k8s.co",
		"kubectl get alerts.v1alpha1.pager.k8s.co kubecon-alert -o yaml | grep -A 3 '^spec:'",
		"kubectl get alerts.v1beta1.pager.k8s.co kubecon-alert -o yaml | sed -n '/^spec:/,$p'",
	} {
		if err := d.run(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

// runForPage runs a command and returns the page that it leads to.
func (d *demo) runForPage(ctx context.Context, command string) (inbox.Message, error) {
	if err := d.run(ctx, command); err != nil {
		return inbox.Message{}, err
	}
	page, err := d.nextPage(ctx)
	if err != nil {
		// What the status says is the best that there is to go on.
		err = errors.Join(err, d.run(ctx, "kubectl get alerts --all-namespaces -o wide"))
	}
	return page, err
}

// nextPage waits for a message that the inbox did not have before.
func (d *demo) nextPage(ctx context.Context) (inbox.Message, error) {
	timeout := time.After(arrival)
	for {
		if messages := d.inbox.Messages(); len(messages) > d.seen && messages[d.seen].Accepted > 0 {
			d.seen++
			return messages[d.seen-1], nil
		}
		select {
		case <-ctx.Done():
			return inbox.Message{}, context.Cause(ctx)
		case <-d.operator.Ended():
			return inbox.Message{}, errors.New("the operator ended by itself")
		case <-timeout:
			return inbox.Message{}, fmt.Errorf("nothing arrived in the inbox within %s (it refused %d requests)", arrival, d.inbox.Refused())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (d *demo) explainHowToPlayOn() {
	d.screen.step("8. Play on, in another terminal")
	path := filepath.Dir(d.cluster.KubectlPath)
	for _, part := range []struct{ why, command string }{
		{"kubectl, and the way to the cluster", "export PATH='" + path + "':$PATH KUBECONFIG='" + d.cluster.Kubeconfig + "'; cd '" + d.repo + "'"},
		{"say something else", changeContent},
		{"page about something worse", addAlert},
		{"it is over", resolve},
		{"take it back", remove},
		{"the database again", applySamples},
		{"more of it", changePlan},
		{"something that the broker would refuse", badLocation},
		{"a database that takes its time", addFlexible},
		{"how to log in to that, with any MySQL client", showURI},
		{"no database any more", removeServices},
		{"what the operator does", "tail -f " + d.logPath()},
	} {
		d.screen.say("\n# %s\n%s", part.why, strings.TrimSpace(part.command)) // not indented: to be copied
	}
	d.screen.say("\nThe inbox as a web page: %s\nIt stays up until Ctrl-C. Pages that arrive, and what the broker does:\n", d.inboxURL)
}
