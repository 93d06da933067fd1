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

// checkService checks the results of the service, and runs the suggested commands for services.
func (d *demo) checkService(ctx context.Context, c *checklist) error {
	expectObjectCount(ctx, d, c, "the broker's catalog became 2 classes and 3 plans", "clusterserviceclasses,clusterserviceplans", 5)
	expectEqual(c, "the Secret had the credentials of the broker", strings.Join(slices.Sorted(maps.Keys(d.results.secret)), " "),
		"database host password port sslRequired tags uri username")
	expectEqual(c, "its database was the one that the broker had created", strings.Join(d.results.databases, " "), d.results.secret["database"])
	expectEqual(c, "the row that was written came back", d.results.row, "1 | KubeCon 👋")
	expectEqual(c, "with a wrong password the login was refused", mysqlError(d.results.wrongPassword), accessDenied)
	expectEqual(c, "after the deletion the login was refused", mysqlError(d.results.afterDeletion), accessDenied)
	d.expectNoServiceLeft(ctx, c)
	expectEqual(c, "the broker got each request once", d.describeRequests(), "1 provision, 0 update, 1 bind, 1 unbind, 1 deprovision")
	if err := d.checkFurtherServices(ctx, c); err != nil {
		return err
	}
	d.expectNoServiceLeft(ctx, c)
	expectEqual(c, "in total the broker got each request once", d.describeRequests(), "3 provision, 1 update, 3 bind, 3 unbind, 3 deprovision")
	expectEqual(c, "every request had the broker's password", d.broker.Requests()["refused"], 0)
	return nil
}

func (d *demo) checkFurtherServices(ctx context.Context, c *checklist) error {
	d.screen.printStep("9. Create the database again, change its plan, and create an asynchronous one")
	if err := d.runCommand(ctx, applySamples); err != nil {
		return err
	}
	if err := d.waitReady(ctx, instance, binding); err != nil {
		return err
	}
	again, err := d.credentials(ctx, sampleSecret)
	if err != nil {
		return err
	}
	expectEqual(c, "the same manifests create another database", again["database"] != d.results.secret["database"], true)
	expectLogin(ctx, c, "a login to that database succeeds", again)

	if err := d.runCommand(ctx, changePlan); err != nil {
		return err
	}
	if err := d.runCommand(ctx, "kubectl wait --for=jsonpath='{.status.externalProperties.clusterServicePlanExternalName}'=standard100 --timeout=60s "+instance); err != nil {
		return err
	}
	refusal, err := d.runShell(ctx, badLocation)
	expectEqual(c, "admission refuses invalid parameters, and names the field", err != nil && strings.Contains(string(refusal), "spec.parameters.location"), true)

	if err := d.runCommand(ctx, addFlexible); err != nil {
		return err
	}
	if err := d.waitReady(ctx, "serviceinstance/flexible", "servicebinding/flexible"); err != nil {
		return err
	}
	flexible, err := d.credentials(ctx, "flexible")
	if err != nil {
		return err
	}
	expectLogin(ctx, c, "a login to the asynchronous database succeeds", flexible)
	uri, err := d.runShell(ctx, showURI)
	if err != nil {
		return fmt.Errorf("%s: %w", showURI, err)
	}
	expectEqual(c, "the suggested command shows its URI", strings.TrimSpace(string(uri)) == flexible["uri"], true) // it compares the values without printing them
	return d.runCommand(ctx, deleteServices)
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
