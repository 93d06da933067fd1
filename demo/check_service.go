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
	"maps"
	"slices"
	"strings"
)

// checkService holds the service against what should have been, and does what people are told to play on with.
func (d *demo) checkService(ctx context.Context, c *checklist) error {
	expectNames(ctx, d, c, "the broker's catalog became 2 classes and 3 plans", "clusterserviceclasses,clusterserviceplans", 5)
	expect(c, "the Secret had what the broker gave", strings.Join(slices.Sorted(maps.Keys(d.found.secret)), " "),
		"database host password port sslRequired tags uri username")
	expect(c, "the database in it was the one that was made", strings.Join(d.found.databases, " "), d.found.secret["database"])
	expect(c, "the row that was written came back", d.found.row, "1 | KubeCon 👋")
	expect(c, "with another password the login was refused", mysqlError(d.found.mistyped), accessDenied)
	expect(c, "after the end the login was refused", mysqlError(d.found.refused), accessDenied)
	d.expectNothingLeft(ctx, c)
	expect(c, "the broker was asked for each thing once", d.asked(), "1 provision, 0 update, 1 bind, 1 unbind, 1 deprovision")
	if err := d.checkPlayingOnWithServices(ctx, c); err != nil {
		return err
	}
	d.expectNothingLeft(ctx, c)
	expect(c, "all in all the broker was asked for each thing once", d.asked(), "3 provision, 1 update, 3 bind, 3 unbind, 3 deprovision")
	expect(c, "every request had the broker's password", d.broker.Requests()["refused"], 0)
	return nil
}

func (d *demo) checkPlayingOnWithServices(ctx context.Context, c *checklist) error {
	d.screen.step("9. The database again, more of it, and one that takes its time")
	if err := d.run(ctx, applySamples); err != nil {
		return err
	}
	if err := d.waitReady(ctx, instance, binding); err != nil {
		return err
	}
	again, err := d.credentials(ctx, sampleSecret)
	if err != nil {
		return err
	}
	expect(c, "the same manifests again are another database", again["database"] != d.found.secret["database"], true)
	expectLogin(ctx, c, "one can log in to that", again)

	if err := d.run(ctx, changePlan); err != nil {
		return err
	}
	if err := d.run(ctx, "kubectl wait --for=jsonpath='{.status.externalProperties.clusterServicePlanExternalName}'=standard100 --timeout=60s "+instance); err != nil {
		return err
	}
	refusal, err := d.shell(ctx, badLocation)
	expect(c, "what the broker would refuse is refused at once, with the field", err != nil && strings.Contains(string(refusal), "spec.parameters.location"), true)

	if err := d.run(ctx, addFlexible); err != nil {
		return err
	}
	if err := d.waitReady(ctx, "serviceinstance/flexible", "servicebinding/flexible"); err != nil {
		return err
	}
	flexible, err := d.credentials(ctx, "flexible")
	if err != nil {
		return err
	}
	expectLogin(ctx, c, "one can log in to what took its time", flexible)
	uri, err := d.shell(ctx, showURI)
	if err != nil {
		return fmt.Errorf("%s: %w", showURI, err)
	}
	expect(c, "its address is shown as people are told", strings.TrimSpace(string(uri)) == flexible["uri"], true) // without showing it here
	return d.run(ctx, removeServices)
}

func expectLogin(ctx context.Context, c *checklist, what string, with credentials) {
	expect(c, what, fmt.Sprint(with.login(ctx)), "<nil>")
}

// expectNames counts objects.
func expectNames(ctx context.Context, d *demo, c *checklist, what, of string, want int) {
	out, err := d.shell(ctx, "kubectl get --ignore-not-found -o name "+of)
	if names := strings.Fields(string(out)); err != nil || len(names) != want {
		expect(c, what, fmt.Sprint(names, " ", err), fmt.Sprint(want, " objects"))
		return
	}
	expect(c, what, want, want)
}

func (d *demo) expectNothingLeft(ctx context.Context, c *checklist) {
	expect(c, "no database is left, and no user", len(d.broker.Databases())+len(d.broker.Users()), 0)
	expectNames(ctx, d, c, "no object is left, and no Secret", "serviceinstances,servicebindings,secrets", 0)
}

// asked says how often the broker was asked for what changes something.
func (d *demo) asked() string {
	requests := d.broker.Requests()
	var counts []string
	for _, what := range []string{"provision", "update", "bind", "unbind", "deprovision"} {
		counts = append(counts, fmt.Sprint(requests[what], " ", what))
	}
	return strings.Join(counts, ", ")
}
