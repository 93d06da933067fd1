// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkDatabase checks what the steps showed about the database.
func (d *demo) checkDatabase(ctx context.Context, c *checklist) {
	expectObjectCount(ctx, d, c, "the broker's catalog became 2 classes and 3 plans", "clusterserviceclasses,clusterserviceplans", 5)
	expectEqual(c, "the Secret had the credentials of the broker", strings.Join(slices.Sorted(maps.Keys(d.results.secret)), " "),
		"database host password port provider sslRequired tags type uri username")
	expectEqual(c, "its database was the one that the broker had provisioned", strings.Join(d.results.databases, " "), d.results.secret["database"])
	expectEqual(c, "the row that was written came back", d.results.row, "1 | KubeCon 👋")
	expectEqual(c, "with a wrong password the login was refused", mysqlError(d.results.wrongPassword), accessDenied)
	expectEqual(c, "the annotation of a Pod added its credentials", d.results.pod, addedToPod+`DB_URL={"secretKeyRef":{"key":"uri","name":"example-mysql-secret"}}
/bindings/example-mysql-binding: bellhop-binding-0
bellhop-binding-0: {"defaultMode":420,"secretName":"example-mysql-secret"}
`)
	expectEqual(c, "after the deletion the login was refused", mysqlError(d.results.afterDeletion), accessDenied)
	d.expectNoServiceLeft(ctx, c)
	expectEqual(c, "the broker got each request once", d.describeRequests(), "1 provision, 0 update, 1 bind, 1 unbind, 1 deprovision")
}

// checkRequests checks what the broker was asked in total.
func (d *demo) checkRequests(ctx context.Context, c *checklist) {
	d.expectNoServiceLeft(ctx, c)
	expectObjectCount(ctx, d, c, "a namespace was deleted with its database", "namespaces --field-selector metadata.name=shop", 0)
	// The asynchronous deletions of one binding and one instance end with 410 Gone, which a second request confirms.
	expectEqual(c, "in total the broker got each request once, and two deletions twice", d.describeRequests(), "4 provision, 1 update, 3 bind, 4 unbind, 5 deprovision")
	expectEqual(c, "every request had the broker's password", d.broker.Requests()["refused"], 0)
}

func (d *demo) checkAgain(ctx context.Context, c *checklist, commands []string) error {
	if err := d.runCommands(ctx, c, commands); err != nil {
		return err
	}
	again, err := d.credentials(ctx, sampleSecret)
	if err != nil {
		return err
	}
	expectEqual(c, "the same manifests provision another database", again["database"] != d.results.secret["database"], true)
	expectLogin(ctx, c, "a login to that database succeeds", again)
	return nil
}

func (d *demo) checkRefusal(ctx context.Context, c *checklist, commands []string) error {
	refusal, err := d.runShell(ctx, commands[0])
	expectEqual(c, "admission refuses invalid parameters, and names the field", err != nil && strings.Contains(string(refusal), "spec.parameters.location"), true)
	return ctx.Err()
}

func (d *demo) checkFlexible(ctx context.Context, c *checklist, commands []string) error {
	if err := d.runCommands(ctx, c, commands); err != nil {
		return err
	}
	flexible, err := d.credentials(ctx, "flexible")
	if err != nil {
		return err
	}
	expectLogin(ctx, c, "a login to the asynchronous database succeeds", flexible)
	return nil
}

func (d *demo) checkURI(ctx context.Context, c *checklist, commands []string) error {
	flexible, err := d.credentials(ctx, "flexible")
	if err != nil {
		return err
	}
	uri, err := d.runShell(ctx, commands[0])
	if err != nil {
		return fmt.Errorf("%s: %w", commands[0], err)
	}
	expectEqual(c, "the suggested command shows its URI", strings.TrimSpace(string(uri)) == flexible["uri"], true) // it compares the values without printing them
	return nil
}

func expectLogin(ctx context.Context, c *checklist, what string, with credentials) {
	expectEqual(c, what, fmt.Sprint(with.checkLogin(ctx)), "<nil>")
}

// expectObjectCount counts objects of some kinds.
func expectObjectCount(ctx context.Context, d *demo, c *checklist, what, of string, want int) {
	out, err := d.runShell(ctx, "kubectl get --ignore-not-found -o name "+of)
	if names := strings.Fields(string(out)); err != nil || len(names) != want {
		expectEqual(c, what, fmt.Sprint(names, " ", err), fmt.Sprint(want, " objects"))
		return
	}
	expectEqual(c, what, want, want)
}

func (d *demo) expectNoServiceLeft(ctx context.Context, c *checklist) {
	expectEqual(c, "no database is left, and no user", len(d.broker.Databases())+len(d.broker.Users()), 0)
	expectObjectCount(ctx, d, c, "no object is left, and no Secret", "serviceinstances,servicebindings,secrets", 0)
}

// describeRequests returns how many requests the broker got that change something.
func (d *demo) describeRequests() string {
	requests := d.broker.Requests()
	var counts []string
	for _, what := range []string{"provision", "update", "bind", "unbind", "deprovision"} {
		counts = append(counts, fmt.Sprint(requests[what], " ", what))
	}
	return strings.Join(counts, ", ")
}
