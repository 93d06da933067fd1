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
	"fmt"

	pagerv1alpha1 "github.com/gophernetes/bellhop/api/pager/v1alpha1"
	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
)

// sampleContent is the message of the sample, and sampleContentSent the content that receivers get.
const (
	sampleContent     = "Hello KubeCon :wave:"
	sampleContentSent = "Hello KubeCon 👋"
)

// A checklist has the results of comparisons.
type checklist struct {
	lines  []string
	failed int
}

func expectEqual[T comparable](c *checklist, what string, got, want T) {
	if got == want {
		c.lines = append(c.lines, "✓ "+what)
		return
	}
	c.failed++
	c.lines = append(c.lines, fmt.Sprintf("✗ %s: got %#v, want %#v", what, got, want))
}

// runChecks checks the results of the demo, runs the suggested commands and checks their results, and prints all of them.
func (d *demo) runChecks(ctx context.Context) error {
	c := &checklist{}
	err := d.checkPage(ctx, c)
	if err == nil {
		err = d.checkService(ctx, c)
	}
	if err != nil {
		c.failed++
		c.lines = append(c.lines, "✗ the remaining checks did not run: "+err.Error())
	}
	d.screen.printStep("Checked")
	for _, line := range c.lines {
		d.screen.printf("  %s", line)
	}
	if c.failed > 0 {
		return fmt.Errorf("%d of %d checks failed, see above", c.failed, len(c.lines))
	}
	d.screen.printf("\n  All %d checks passed.", len(c.lines))
	return nil
}

// checkPage checks the first page, and runs the suggested commands for Alerts.
func (d *demo) checkPage(ctx context.Context, c *checklist) error {
	messages := d.inbox.Messages()
	expectEqual(c, "the page arrived, once", len(messages), 1)
	first := messages[0]
	expectMessage(c, "the page is", first, "alert.fired", "Kubernetes alert for default/kubecon-alert", sampleContentSent)
	if err := d.checkVersions(ctx, c); err != nil {
		return err
	}
	if err := d.checkFurtherAlerts(ctx, c, first); err != nil {
		return err
	}
	all, requests := d.inbox.Messages(), 0
	for _, m := range all {
		requests += m.Attempts
	}
	expectEqual(c, "nothing else arrived: 5 messages in all", len(all), 5)
	expectEqual(c, "none was repeated", requests, 5)
	expectEqual(c, "every signature was right", d.inbox.Refused(), 0)
	return nil
}

// checkVersions reads the Alert in both versions of the API.
func (d *demo) checkVersions(ctx context.Context, c *checklist) error {
	old, current := &pagerv1alpha1.Alert{}, &pagerv1beta1.Alert{}
	if err := d.getObject(ctx, "alerts.v1alpha1.pager.k8s.co kubecon-alert", old); err != nil {
		return err
	}
	if err := d.getObject(ctx, "alerts.v1beta1.pager.k8s.co kubecon-alert", current); err != nil {
		return err
	}
	expectEqual(c, "v1alpha1 has spec.message as written", old.Spec.Message, sampleContent)
	expectEqual(c, "v1beta1 has spec.content as written", current.Spec.Content, sampleContent)
	expectEqual(c, "v1alpha1 says that it was sent", fmt.Sprint(old.Status.Sent, " ", old.Status.Receivers), "true 1/1")
	expectEqual(c, "v1beta1 says that it was sent", fmt.Sprint(current.Status.Sent, " ", current.Status.Receivers), "true 1/1")
	return nil
}

func (d *demo) checkFurtherAlerts(ctx context.Context, c *checklist, first inbox.Message) error {
	const diskFull, diskTitle = "node-7 has 3 % left ⚠️", "Disk almost full"
	d.screen.printStep("8. Change the Alert, create a worse one, resolve that, delete the first")

	changed, err := d.runAndWaitForPage(ctx, editContent)
	if err != nil {
		return err
	}
	expectMessage(c, "changed content:", changed, "alert.updated", first.Title, "The party starts now 🎉")
	expectEqual(c, "changed content came under another id", changed.WebhookID != first.WebhookID, true)
	expectEqual(c, "changed content is of the same incident", changed.Incident, first.Incident)

	worse, err := d.runAndWaitForPage(ctx, addAlert)
	if err != nil {
		return err
	}
	expectMessage(c, "another alert:", worse, "alert.fired", diskTitle, diskFull)
	over, err := d.runAndWaitForPage(ctx, resolveAlert)
	if err != nil {
		return err
	}
	expectMessage(c, "it is over:", over, "alert.resolved", diskTitle, diskFull)
	expectEqual(c, "its incident is over, and no other", fmt.Sprint(d.inbox.IsResolved(worse.Incident), d.inbox.IsResolved(first.Incident)), "true false")

	removed, err := d.runAndWaitForPage(ctx, deleteAlert)
	if err != nil {
		return err
	}
	expectMessage(c, "deleted:", removed, "alert.resolved", first.Title, changed.Content)
	expectEqual(c, "deleting ended the first incident", d.inbox.IsResolved(first.Incident), true)
	left, err := d.runShell(ctx, "kubectl get alert kubecon-alert --ignore-not-found -o name")
	if err != nil {
		return err
	}
	expectEqual(c, "the object is gone", string(left), "")
	return nil
}

func expectMessage(c *checklist, what string, m inbox.Message, event, title, content string) {
	expectEqual(c, fmt.Sprintf("%s %s, %q: %q", what, event, title, content), m.Event+"|"+m.Title+"|"+m.Content, event+"|"+title+"|"+content)
}
