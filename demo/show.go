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

// deliveryTimeout is how long a page may take on a busy machine.
const deliveryTimeout = 30 * time.Second

const receiverManifest = `kubectl apply -f - <<EOF
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

// Commands that the demo suggests. The checks run all of them.
const (
	editContent = `kubectl patch alert kubecon-alert --type=merge -p '{"spec":{"content":"The party starts now :tada:"}}'`
	addAlert    = `kubectl apply -f - <<EOF
apiVersion: pager.k8s.co/v1beta1
kind: Alert
metadata:
  name: disk-full
spec:
  title: Disk almost full
  content: "node-7 has 3 % left :warning:"
  severity: Critical
EOF`
	resolveAlert = `kubectl patch alert disk-full --type=merge -p '{"spec":{"state":"Resolved"}}'`
	deleteAlert  = `kubectl delete alert kubecon-alert`
)

// showPage creates a receiver and an Alert, and prints the page and its status.
func (d *demo) showPage(ctx context.Context) error {
	d.screen.printStep("1. Create a default receiver: the inbox, with a secret for signatures")
	if err := d.runCommand(ctx, `printf %s "$SIGNING_SECRET" | kubectl -n `+d.cluster.Namespace+
		` create secret generic inbox --from-file=signingSecret=/dev/stdin`); err != nil {
		return err
	}
	if err := d.runCommand(ctx, fmt.Sprintf(receiverManifest, d.inboxURL)); err != nil {
		return err
	}

	d.screen.printStep("2. Create an Alert")
	if err := d.runCommand(ctx, "cat config/samples/pager_v1alpha1_alert.yaml"); err != nil {
		return err
	}
	if _, err := d.runAndWaitForPage(ctx, "kubectl apply -f config/samples/pager_v1alpha1_alert.yaml"); err != nil {
		return err
	}

	d.screen.printStep("3. Read its status, in both versions of the API")
	for _, command := range []string{
		"kubectl wait --for=condition=Ready --timeout=30s alert/kubecon-alert",
		"kubectl get alerts.v1alpha1.pager.k8s.co",
		"kubectl get alerts.v1beta1.pager.k8s.co",
		"kubectl get alerts.v1alpha1.pager.k8s.co kubecon-alert -o yaml | grep -A 3 '^spec:'",
		"kubectl get alerts.v1beta1.pager.k8s.co kubecon-alert -o yaml | sed -n '/^spec:/,$p'",
	} {
		if err := d.runCommand(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

// runAndWaitForPage runs a command, and returns the page that it leads to.
func (d *demo) runAndWaitForPage(ctx context.Context, command string) (inbox.Message, error) {
	if err := d.runCommand(ctx, command); err != nil {
		return inbox.Message{}, err
	}
	page, err := d.waitForPage(ctx)
	if err != nil {
		// the status of the Alert tells why there was no page
		err = errors.Join(err, d.runCommand(ctx, "kubectl get alerts --all-namespaces -o wide"))
	}
	return page, err
}

// waitForPage waits for the next message of the inbox.
func (d *demo) waitForPage(ctx context.Context) (inbox.Message, error) {
	timeout := time.After(deliveryTimeout)
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
			return inbox.Message{}, fmt.Errorf("nothing arrived in the inbox within %s (it refused %d requests)", deliveryTimeout, d.inbox.Refused())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (d *demo) printSuggestions() {
	d.screen.printStep("8. Continue in another terminal")
	path := filepath.Dir(d.cluster.KubectlPath)
	for _, part := range []struct{ why, command string }{
		{"use the cluster", "export PATH='" + path + "':$PATH KUBECONFIG='" + d.cluster.Kubeconfig + "'; cd '" + d.repo + "'"},
		{"change the content", editContent},
		{"send another page", addAlert},
		{"resolve it", resolveAlert},
		{"delete the first Alert", deleteAlert},
		{"create the database again", applySamples},
		{"change its plan", changePlan},
		{"use invalid parameters, which admission refuses", badLocation},
		{"create a database asynchronously", addFlexible},
		{"show how any MySQL client can log in", showURI},
		{"delete all databases", deleteServices},
		{"watch the operator", "tail -f " + d.logPath()},
	} {
		d.screen.printf("\n# %s\n%s", part.why, strings.TrimSpace(part.command)) // not indented, so that the user can copy it
	}
	d.screen.printf("\nThe inbox as a web page: %s\nThe demo runs until Ctrl-C. It prints pages, and changes at the broker:\n", d.inboxURL)
}
