// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"

	pagerv1alpha1 "github.com/gophernetes/bellhop/api/pager/v1alpha1"
	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
)

const (
	alertTitle = "Disk almost full"
	// The content of the Alert as it is sent.
	alertContent, editedContent = "node-7 has 3 % left ⚠️", "node-7 has 1 % left 🔥"

	// The content of the sample, as it is written and as it is sent, and the title that an Alert without one has.
	sampleContent, sampleContentSent = "Hello KubeCon :wave:", "Hello KubeCon 👋"
	sampleTitle                      = "Kubernetes alert for default/kubecon-alert"
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
	err := d.check(ctx, c)
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

func (d *demo) check(ctx context.Context, c *checklist) error {
	steps := d.screen.printedCommands()
	first := d.inbox.Messages()
	expectEqual(c, "the alert arrived, once", len(first), 1)
	expectMessage(c, "created:", first[0], "alert.fired", alertTitle, alertContent)
	d.checkDatabase(ctx, c)

	d.screen.printStep("9. Run the commands that the demo suggests")
	for _, s := range suggestions {
		run := s.check
		if run == nil {
			run = (*demo).runCommands
		}
		if err := run(d, ctx, c, s.commands); err != nil {
			return err
		}
	}
	d.checkMessages(c)
	d.checkRequests(ctx, c)

	d.screen.printStep("10. Run the commands of steps 1 to 8 again, as they are on the screen")
	for _, command := range steps {
		if err := d.runCommand(ctx, command); err != nil {
			return err
		}
	}
	expectEqual(c, "all commands of the steps can be copied and run again", len(steps) > 0 && slices.Contains(steps, createAlert), true)
	d.expectNoServiceLeft(ctx, c)
	return nil
}

func (d *demo) runCommands(ctx context.Context, _ *checklist, commands []string) error {
	for _, command := range commands {
		if err := d.runCommand(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

// checkMessages checks what arrived in the inbox in total.
func (d *demo) checkMessages(c *checklist) {
	all, requests := d.inbox.Messages(), 0
	for _, m := range all {
		requests += m.Attempts
	}
	expectEqual(c, "nothing else arrived: 5 messages in all", len(all), 5)
	expectEqual(c, "none was sent twice", requests, 5)
	expectEqual(c, "every signature was right", d.inbox.Refused(), 0)
}

func (d *demo) checkEdit(ctx context.Context, c *checklist, commands []string) error {
	first := d.inbox.Messages()[0]
	edited, err := d.runAndWaitForMessage(ctx, commands[0])
	if err != nil {
		return err
	}
	expectMessage(c, "edited:", edited, "alert.updated", alertTitle, editedContent)
	expectEqual(c, "the edited content has another id", edited.WebhookID != first.WebhookID, true)
	expectEqual(c, "the edited content is of the same incident", edited.Incident, first.Incident)
	return nil
}

func (d *demo) checkResolve(ctx context.Context, c *checklist, commands []string) error {
	first := d.inbox.Messages()[0]
	resolved, err := d.runAndWaitForMessage(ctx, commands[0])
	if err != nil {
		return err
	}
	expectMessage(c, "resolved:", resolved, "alert.resolved", alertTitle, editedContent)
	expectEqual(c, "its incident is resolved", d.inbox.IsResolved(first.Incident), true)
	return nil
}

// checkVersions reads an Alert in both versions of the API.
func (d *demo) checkVersions(ctx context.Context, c *checklist, commands []string) error {
	sent, err := d.runAndWaitForMessage(ctx, commands[0])
	if err != nil {
		return err
	}
	expectMessage(c, "created in v1alpha1:", sent, "alert.fired", sampleTitle, sampleContentSent)
	if err := d.runCommand(ctx, waitUntilReady+"alert/kubecon-alert"); err != nil {
		return err
	}
	if err := d.runCommands(ctx, c, commands[1:]); err != nil {
		return err
	}
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

func (d *demo) checkDelete(ctx context.Context, c *checklist, commands []string) error {
	deleted, err := d.runAndWaitForMessage(ctx, commands[0])
	if err != nil {
		return err
	}
	expectMessage(c, "deleted:", deleted, "alert.resolved", sampleTitle, sampleContentSent)
	expectEqual(c, "deleting resolved the incident", d.inbox.IsResolved(deleted.Incident), true)
	expectObjectCount(ctx, d, c, "no Alert is left", "alerts", 0)
	return nil
}

func expectMessage(c *checklist, what string, m inbox.Message, event, title, content string) {
	expectEqual(c, fmt.Sprintf("%s %s, %q: %q", what, event, title, content), m.Event+"|"+m.Title+"|"+m.Content, event+"|"+title+"|"+content)
}
