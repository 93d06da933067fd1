// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

func clientOf(t testing.TB, b *osbtest.Broker, changes ...func(*osb.Options)) *osb.Client {
	t.Helper()
	o := osb.Options{
		URL: b.URL, Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil), Outbound: outbound.Options{Timeout: 10 * time.Second},
	}
	for _, change := range changes {
		change(&o)
	}
	c, err := osb.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func params(service, plan string) osb.Params {
	return osb.Params{InstanceID: "i1", ServiceID: service, PlanID: plan, AcceptsIncomplete: true, Identity: &osb.Identity{Username: "ada"}}
}

func provision(p osb.Params) osb.ProvisionRequest {
	return osb.ProvisionRequest{Params: p, Context: osb.Context{Namespace: "n", ClusterID: "c", InstanceName: "i"}, OrganizationGUID: "o", SpaceGUID: "s", Parameters: json.RawMessage(`{"size":1.50}`)}
}

func bind(p osb.Params, id string) osb.BindRequest {
	return osb.BindRequest{Params: p, BindingID: id, Context: osb.Context{Namespace: "n", ClusterID: "c"}}
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// poll polls until the operation has ended, and returns how often that took.
func poll(t testing.TB, c *osb.Client, r osb.PollRequest) (osbresult.LastOperation, osbresult.Outcome, int) {
	t.Helper()
	for n := 1; n < 100; n++ {
		if last, out := c.Poll(t.Context(), r); last.State != osbresult.InProgress {
			return last, out, n
		}
	}
	t.Fatal("the operation does not end")
	return osbresult.LastOperation{}, osbresult.Outcome{}, 0
}

func violations(t testing.TB, b *osbtest.Broker, want ...string) {
	t.Helper()
	got := b.Violations()
	if len(got) != len(want) {
		t.Errorf("got the violations %q, want %q", got, want)
		return
	}
	for i, part := range want {
		if !strings.Contains(got[i], part) {
			t.Errorf("got the violation %q, want %q", got[i], part)
		}
	}
}

func TestSynchronousLife(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{Username: "u", Password: "p"})
	c := clientOf(t, b, func(o *osb.Options) { o.Auth = osb.Auth{Username: "u", Password: "p"} })
	p := params(osbtest.SyncService, osbtest.SyncPlan)

	made, out := c.Provision(t.Context(), provision(p))
	want(t, "provision", out.Class, osbresult.Done)
	want(t, "it was made", made.Created, true)
	made, _ = c.Provision(t.Context(), provision(p))
	want(t, "it was made again", made.Created, false)
	other := provision(p)
	other.SpaceGUID = "other"
	_, out = c.Provision(t.Context(), other)
	want(t, "with other attributes", out.Class, osbresult.Conflict)
	last, _, _ := poll(t, c, osb.PollRequest{Params: p})
	want(t, "a poll of what was done at once", last.State, osbresult.Succeeded)

	changed := p
	changed.PlanID = osbtest.SyncOtherPlan
	_, out = c.Update(t.Context(), osb.UpdateRequest{Params: changed, PreviousPlanID: osbtest.SyncPlan, Parameters: json.RawMessage(`{"size":2}`)})
	want(t, "update", out.Class, osbresult.Done)
	instance, out := c.FetchInstance(t.Context(), changed)
	want(t, "fetch", out.Class, osbresult.Done)
	want(t, "the plan", instance.PlanID, osbtest.SyncOtherPlan)
	want(t, "the parameters", string(instance.Parameters), `{"size":2}`)

	bound, out := c.Bind(t.Context(), bind(changed, "b1"))
	want(t, "bind", out.Class, osbresult.Done)
	again, _ := c.Bind(t.Context(), bind(changed, "b1"))
	want(t, "the credentials again", string(again.Credentials), string(bound.Credentials))
	second, _ := c.Bind(t.Context(), bind(changed, "b2"))
	want(t, "credentials of another", string(second.Credentials) == string(bound.Credentials), false)
	rotated := bind(changed, "b3")
	rotated.PredecessorID = "b1"
	_, out = c.Bind(t.Context(), rotated)
	want(t, "rotation", out.Class, osbresult.Done)
	fetched, _ := c.FetchBinding(t.Context(), changed, "b1")
	want(t, "the credentials fetched", string(fetched.Credentials), string(bound.Credentials))

	holds := b.Holds()
	want(t, "bindings", len(holds.Bindings), 3)
	want(t, "the plan", holds.Instances["i1"].PlanID, osbtest.SyncOtherPlan)
	want(t, "the state", holds.Instances["i1"].State, osbtest.Ready)
	for _, id := range []string{"b1", "b2", "b3"} {
		_, out = c.Unbind(t.Context(), osb.RemovalRequest{Params: changed, BindingID: id})
		want(t, "unbind", out.Class, osbresult.Done)
	}
	for _, class := range []osbresult.Class{osbresult.Done, osbresult.Gone} {
		_, out = c.Deprovision(t.Context(), osb.RemovalRequest{Params: changed})
		want(t, "deprovision", out.Class, class)
	}
	violations(t, b)
	want(t, "instances left", len(b.Holds().Instances), 0)
	want(t, "the history", b.History("i1"), osbtest.History{Puts: 3, Patches: 1, Deletes: 2, Creations: 1, Updates: 1, Removals: 1, Ready: true})
	call := b.Calls(osb.UpdateInstance)[0]
	want(t, "who changed it", call.Identity.Username, "ada")
	want(t, "the answer", call.Status, 200)
	want(t, "calls", b.Counts()[osb.Bind], 4)
}

func TestAsynchronousLife(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{})
	c := clientOf(t, b)
	p := params(osbtest.AsyncService, osbtest.AsyncPlan)

	at := provision(p)
	at.AcceptsIncomplete = false
	_, out := c.Provision(t.Context(), at)
	want(t, "at once", out.Class, osbresult.NeedsAsync)
	made, out := c.Provision(t.Context(), provision(p))
	want(t, "provision", out.Class, osbresult.Accepted)
	again, _ := c.Provision(t.Context(), provision(p))
	want(t, "the operation again", again.Operation, made.Operation)
	_, out = c.FetchInstance(t.Context(), p)
	want(t, "what is not there yet", out.Class, osbresult.Gone)
	want(t, "the state", b.Holds().Instances["i1"].State, osbtest.Creating)
	_, out = c.Bind(t.Context(), bind(p, "b1"))
	want(t, "bind too early", out.Class, osbresult.Concurrency)
	last, _, polls := poll(t, c, osb.PollRequest{Params: p, Operation: made.Operation})
	want(t, "it ended", last.State, osbresult.Succeeded)
	want(t, "polls", polls, 3)
	made, out = c.Provision(t.Context(), provision(p))
	want(t, "what is there", out.Class, osbresult.Done)
	want(t, "it was made now", made.Created, false)

	changed := p
	changed.PlanID = osbtest.AsyncOtherPlan
	update, out := c.Update(t.Context(), osb.UpdateRequest{Params: changed})
	want(t, "update", out.Class, osbresult.Accepted)
	_, out, _ = poll(t, c, osb.PollRequest{Params: changed, Operation: update.Operation})
	want(t, "with the new plan", out.Class, osbresult.Rejected)
	_, out, _ = poll(t, c, osb.PollRequest{Params: p})
	want(t, "without the operation", out.Class, osbresult.Rejected)
	last, _, _ = poll(t, c, osb.PollRequest{Params: p, Operation: update.Operation})
	want(t, "it ended", last.State, osbresult.Succeeded)
	violations(t, b, "plan_id must be "+osbtest.AsyncPlan, "operation must be")
	b.Forget()

	binding, out := c.Bind(t.Context(), bind(changed, "b1"))
	want(t, "bind", out.Class, osbresult.Accepted)
	last, _, _ = poll(t, c, osb.PollRequest{Params: changed, BindingID: "b1", Operation: binding.Operation})
	want(t, "it ended", last.State, osbresult.Succeeded)
	binding, _ = c.FetchBinding(t.Context(), changed, "b1")
	want(t, "credentials", binding.Credentials != nil, true)
	removed, out := c.Unbind(t.Context(), osb.RemovalRequest{Params: changed, BindingID: "b1"})
	want(t, "unbind", out.Class, osbresult.Accepted)
	last, _, _ = poll(t, c, osb.PollRequest{Params: changed, BindingID: "b1", Operation: removed.Operation, Removal: true})
	want(t, "it ended", last.State, osbresult.Succeeded)

	b.Change(func(o *osbtest.Options) { o.Services[1].Behavior.Forgetful = true })
	removed, _ = c.Deprovision(t.Context(), osb.RemovalRequest{Params: changed})
	_, out, _ = poll(t, c, osb.PollRequest{Params: changed, Operation: removed.Operation, Removal: true})
	want(t, "it is gone", out.Class, osbresult.Gone)
	want(t, "what is held", len(b.Holds().Instances)+len(b.Holds().Bindings), 0)
	violations(t, b)
}

func TestRemovalEndsACreation(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{})
	c := clientOf(t, b)
	p := params(osbtest.AsyncService, osbtest.AsyncPlan)
	c.Provision(t.Context(), provision(p))
	b.Change(func(o *osbtest.Options) { o.Blocking = true })
	_, out := c.Deprovision(t.Context(), osb.RemovalRequest{Params: p})
	want(t, "of a broker that blocks", out.Class, osbresult.Concurrency)
	b.Change(func(o *osbtest.Options) { o.Blocking = false })
	removed, out := c.Deprovision(t.Context(), osb.RemovalRequest{Params: p})
	want(t, "of one that does not", out.Class, osbresult.Accepted)
	_, out = c.Provision(t.Context(), provision(p))
	want(t, "creation meanwhile", out.Class, osbresult.Concurrency)
	last, _, _ := poll(t, c, osb.PollRequest{Params: p, Operation: removed.Operation, Removal: true})
	want(t, "it ended", last.State, osbresult.Succeeded)
	want(t, "the history", b.History("i1"), osbtest.History{Puts: 2, Deletes: 2, Removals: 1})
	violations(t, b)
}

func TestFailures(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{})
	c := clientOf(t, b)
	p := params(osbtest.AsyncService, osbtest.AsyncPlan)
	b.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Failure: &osbtest.Failure{Description: "no room"}})
	made, _ := c.Provision(t.Context(), provision(p))
	last, _, _ := poll(t, c, osb.PollRequest{Params: p, Operation: made.Operation})
	want(t, "it failed", last, osbresult.LastOperation{State: osbresult.Failed, Description: "no room"})
	want(t, "what is left", b.Holds().Instances["i1"].State, osbtest.Remains)
	_, out := c.Provision(t.Context(), provision(p))
	want(t, "again", out.Class, osbresult.Unknown)
	_, out = c.FetchInstance(t.Context(), p)
	want(t, "what is left, fetched", out.Class, osbresult.Gone)
	removed, _ := c.Deprovision(t.Context(), osb.RemovalRequest{Params: p})
	poll(t, c, osb.PollRequest{Params: p, Operation: removed.Operation, Removal: true})

	s := params(osbtest.SyncService, osbtest.SyncPlan)
	s.InstanceID = "i2"
	c.Provision(t.Context(), provision(s))
	b.Inject(osbtest.Fault{On: osb.UpdateInstance, ID: "i2", Times: 1, Failure: &osbtest.Failure{Description: "broken", Unusable: true, NotRepeatable: true}})
	_, out = c.Update(t.Context(), osb.UpdateRequest{Params: s, Parameters: json.RawMessage(`{"a":1}`)})
	want(t, "it says so", fmt.Sprintf("%s %t %t %s", out.Class, out.InstanceUnusable, out.UpdateNotRepeatable, out.Description), "Retry true true broken")
	c.Bind(t.Context(), bind(s, "b2"))
	violations(t, b, "not usable")
	_, out = c.Update(t.Context(), osb.UpdateRequest{Params: s, Parameters: json.RawMessage(`{"a":2}`)})
	want(t, "a repair", out.Class, osbresult.Done)
	_, out = c.Bind(t.Context(), bind(s, "b2"))
	want(t, "bind", out.Class, osbresult.Done)

	b.Change(func(o *osbtest.Options) { o.Services[1].Behavior.Never = true })
	p.InstanceID = "i3"
	made, _ = c.Provision(t.Context(), provision(p))
	for range 20 {
		last, _ = c.Poll(t.Context(), osb.PollRequest{Params: p, Operation: made.Operation})
	}
	want(t, "it never ends", last.State, osbresult.InProgress)
	want(t, "until it does", b.Finish("i3", nil), true)
	last, _ = c.Poll(t.Context(), osb.PollRequest{Params: p, Operation: made.Operation})
	want(t, "then", last.State, osbresult.Succeeded)
	want(t, "once", b.Finish("i3", nil), false)
}

func TestFaults(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{Token: "canary-token"})
	c := clientOf(t, b, func(o *osb.Options) { o.Auth.BearerToken = "canary-token"; o.Outbound.Timeout = time.Second })
	p := params(osbtest.SyncService, osbtest.SyncPlan)
	for i, test := range []struct {
		why   string
		fault osbtest.Fault
		class osbresult.Class
		acted bool
	}{
		{"acts, and loses the answer", osbtest.Fault{Acts: true, Answer: osbtest.Drop}, osbresult.Unknown, true},
		{"acts, and says that it did not", osbtest.Fault{Acts: true, Answer: osbtest.Error(500, "", "oh")}, osbresult.Unknown, true},
		{"does not act", osbtest.Fault{Answer: osbtest.Error(422, "ConcurrencyError", "wait")}, osbresult.Concurrency, false},
		{"hangs", osbtest.Fault{Answer: osbtest.Hang}, osbresult.Unknown, false},
		{"drips", osbtest.Fault{Answer: osbtest.Drip(201, 10*time.Millisecond)}, osbresult.Unknown, false},
		{"floods", osbtest.Fault{Answer: osbtest.Flood(201)}, osbresult.Unknown, false},
		{"echoes", osbtest.Fault{Answer: osbtest.Echo(400, "No")}, osbresult.Rejected, false},
		{"one after the other", osbtest.Fault{Answer: osbtest.InOrder(osbtest.Status(429, ""), osbtest.Status(204, ""))}, osbresult.Retry, false},
		{"for another", osbtest.Fault{ID: "another", Answer: osbtest.Drop}, osbresult.Done, true},
		{"where it does not match", osbtest.Fault{Match: func(c osbtest.Call) bool { return len(c.Body) == 0 }, Answer: osbtest.Drop}, osbresult.Done, true},
	} {
		p.InstanceID = fmt.Sprint("i", i)
		test.fault.On = osb.ProvisionInstance
		lift := b.Inject(test.fault)
		r := provision(p)
		r.Secrets = func() ([]string, bool) { return []string{"canary-parameter"}, true }
		r.Parameters = json.RawMessage(`{"a":["canary-parameter"]}`)
		_, out := c.Provision(t.Context(), r)
		want(t, test.why, out.Class, test.class)
		_, acted := b.Holds().Instances[p.InstanceID]
		want(t, test.why+", it is there", acted, test.acted)
		if strings.Contains(out.Description, "canary") {
			t.Errorf("%s: got %q", test.why, out.Description)
		}
		lift()
		_, out = c.Provision(t.Context(), r)
		want(t, test.why+", afterwards", out.Class, osbresult.Done)
	}

	b.Inject(osbtest.Fault{On: osb.DeprovisionInstance, Hold: make(chan struct{}), Times: 1})
	_, out := c.Deprovision(t.Context(), osb.RemovalRequest{Params: p})
	want(t, "held until nobody waits any more", out.Class, osbresult.Unknown)
	_, still := b.Holds().Instances[p.InstanceID]
	want(t, "it is there", still, true)

	release := make(chan struct{})
	b.Inject(osbtest.Fault{On: osb.DeprovisionInstance, Hold: release, Times: 1})
	var all sync.WaitGroup
	all.Go(func() {
		_, out := clientOf(t, b, func(o *osb.Options) { o.Auth.BearerToken = "canary-token" }).Deprovision(t.Context(), osb.RemovalRequest{Params: p})
		want(t, "released", out.Class, osbresult.Done)
	})
	close(release)
	all.Wait()
	violations(t, b)
}

func TestCatalogAndVersions(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{Versions: []string{"2.15", "2.14"}})
	c := clientOf(t, b)
	catalog, out := c.Catalog(t.Context(), "")
	want(t, "it is read", out.Class, osbresult.Done)
	want(t, "services", len(catalog.Services), 2)
	want(t, "problems", len(catalog.Problems), 0)
	want(t, "the version", c.Version(), "2.15")
	same, out := c.Catalog(t.Context(), catalog.ETag)
	want(t, "it has not changed", same == nil && out.Status == http.StatusNotModified, true)
	b.Change(func(o *osbtest.Options) { o.Services = o.Services[:1] })
	changed, _ := c.Catalog(t.Context(), catalog.ETag)
	want(t, "services", len(changed.Services), 1)
	b.Change(func(o *osbtest.Options) { o.Catalog = []byte(`{"services":7}`) })
	_, out = c.Catalog(t.Context(), changed.ETag)
	want(t, "nonsense", out.Class, osbresult.Malformed)
	b.Close()
	_, out = c.Catalog(t.Context(), "")
	want(t, "nobody is there", out.Sent, false)
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	_, out = c.Catalog(t.Context(), "")
	want(t, "back again", out.Class, osbresult.Malformed)
}

// It may be closed before it has begun to serve, and serve again at once.
func TestClosedAtOnce(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{})
	for range 100 {
		b.Close()
		if err := b.Listen(); err != nil {
			t.Fatal(err)
		}
	}
	_, out := clientOf(t, b).Catalog(t.Context(), "")
	want(t, "it is there", out.Class, osbresult.Done)
}

func TestStrictness(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{InUse: 422, RefusesReuse: 410})
	c := clientOf(t, b)
	p := params(osbtest.SyncService, osbtest.SyncPlan)
	c.Provision(t.Context(), provision(p))
	c.Bind(t.Context(), bind(p, "b1"))
	_, out := c.Deprovision(t.Context(), osb.RemovalRequest{Params: p})
	want(t, "deprovision with a binding", out.Status, 422)
	wrong := p
	wrong.PlanID = osbtest.SyncOtherPlan
	_, out = c.Unbind(t.Context(), osb.RemovalRequest{Params: wrong, BindingID: "b1"})
	want(t, "unbind with another plan", out.Status, 400)
	_, out = c.Update(t.Context(), osb.UpdateRequest{Params: osb.Params{InstanceID: "i1", ServiceID: osbtest.SyncService}, Context: osb.Context{Namespace: "n", ClusterID: "c", InstanceName: "x"}})
	want(t, "a context by itself", out.Status, 422)
	no := false
	b.Change(func(o *osbtest.Options) {
		o.Services[0].BindingsRetrievable, o.Services[0].Plans[0].BindingRotatable, o.Services[0].Plans[0].Bindable, o.Services[0].PlanUpdateable = false, false, &no, false
	})
	c.FetchBinding(t.Context(), p, "b1")
	c.Bind(t.Context(), bind(p, "b2"))
	c.Update(t.Context(), osb.UpdateRequest{Params: wrong})
	yes := true
	b.Change(func(o *osbtest.Options) { o.Services[0].Plans[0].Bindable = &yes })
	rotated := bind(p, "b3")
	rotated.PredecessorID = "b1"
	c.Bind(t.Context(), rotated)
	c.Unbind(t.Context(), osb.RemovalRequest{Params: p, BindingID: "b1"})
	c.Deprovision(t.Context(), osb.RemovalRequest{Params: p})
	_, out = c.Provision(t.Context(), provision(p))
	want(t, "an id that was used", out.Status, 410)
	violations(t, b, "it has bindings", "plan_id must be", "the context by itself", "cannot be fetched", "cannot be bound", "cannot change to another", "cannot be rotated")
}

// TestPlanBetweenChanges: who was told of one change and not of the next names the plan between them.
func TestPlanBetweenChanges(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{Patient: true})
	c := clientOf(t, b)
	first, between := params(osbtest.SyncService, osbtest.SyncPlan), params(osbtest.SyncService, osbtest.SyncOtherPlan)
	c.Provision(t.Context(), provision(first))
	c.Update(t.Context(), osb.UpdateRequest{Params: between})
	b.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Acts: true, Answer: osbtest.Drop})
	c.Update(t.Context(), osb.UpdateRequest{Params: first})
	_, out := c.Deprovision(t.Context(), osb.RemovalRequest{Params: between})
	want(t, "a removal of the plan between", out.Status, 200)
}

// TestPlanBeforeAChange: it may be named by whoever cannot know better.
func TestPlanBeforeAChange(t *testing.T) {
	lost := osbtest.Fault{On: osb.UpdateInstance, Times: 1, Acts: true, Answer: osbtest.Drop}
	for _, test := range []struct {
		why    string
		faults []osbtest.Fault
		o      osbtest.Options
		knows  bool
		status int
	}{
		{why: "told", status: 400},
		{why: "not told", faults: []osbtest.Fault{lost}, status: 200},
		{why: "told, and it may have forgotten", o: osbtest.Options{Patient: true}, status: 200},
		{why: "told, and it shows that it knows", o: osbtest.Options{Patient: true}, knows: true, status: 400},
	} {
		t.Run(test.why, func(t *testing.T) {
			b := osbtest.Start(t, test.o)
			c := clientOf(t, b)
			p := params(osbtest.SyncService, osbtest.SyncPlan)
			c.Provision(t.Context(), provision(p))
			for _, f := range test.faults {
				b.Inject(f)
			}
			now := params(osbtest.SyncService, osbtest.SyncOtherPlan)
			c.Update(t.Context(), osb.UpdateRequest{Params: now})
			if test.knows {
				c.Bind(t.Context(), bind(now, "b1"))
				c.Unbind(t.Context(), osb.RemovalRequest{Params: now, BindingID: "b1"})
			}
			_, out := c.Deprovision(t.Context(), osb.RemovalRequest{Params: p})
			want(t, "a removal of the plan before", out.Status, test.status)
		})
	}
}

// TestPlanBeforeAnEdit: a process that was killed when it had sent a creation does not know which plan that was of, if the spec was
// edited since. A patient broker refuses the wrong one, and takes no offence until the right one was named.
func TestPlanBeforeAnEdit(t *testing.T) {
	wrong, right := params(osbtest.SyncService, osbtest.SyncOtherPlan), params(osbtest.SyncService, osbtest.SyncPlan)
	for _, test := range []struct {
		why   string
		o     osbtest.Options
		knows bool
		bad   []string
	}{
		{why: "it may have been killed", o: osbtest.Options{Patient: true}},
		{why: "it shows that it knows", o: osbtest.Options{Patient: true}, knows: true, bad: []string{"plan_id must be"}},
		{why: "it was not killed", bad: []string{"plan_id must be"}},
	} {
		t.Run(test.why, func(t *testing.T) {
			b := osbtest.Start(t, test.o)
			c := clientOf(t, b)
			c.Provision(t.Context(), provision(right))
			if test.knows {
				c.Provision(t.Context(), provision(right))
			}
			_, out := c.Deprovision(t.Context(), osb.RemovalRequest{Params: wrong})
			want(t, "a removal of another plan", out.Status, 400)
			_, out = c.Deprovision(t.Context(), osb.RemovalRequest{Params: right})
			want(t, "a removal", out.Status, 200)
			violations(t, b, test.bad...)
		})
	}
}

// TestPlanOfABindingThatIsPolled: a poll may name the plan that the Bind did, if the broker took that.
func TestPlanOfABindingThatIsPolled(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{Patient: true})
	c := clientOf(t, b)
	before, after := params(osbtest.AsyncService, osbtest.AsyncPlan), params(osbtest.AsyncService, osbtest.AsyncOtherPlan)
	settle := func() {
		for range 5 {
			c.Poll(t.Context(), osb.PollRequest{Params: before})
		}
	}
	c.Provision(t.Context(), provision(before))
	settle()
	b.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Acts: true, Answer: osbtest.Drop})
	c.Update(t.Context(), osb.UpdateRequest{Params: after})
	settle()
	_, out := c.Bind(t.Context(), bind(before, "b1"))
	want(t, "a binding of the plan before", out.Status, 202)
	_, out = c.Poll(t.Context(), osb.PollRequest{Params: before, BindingID: "b1"})
	want(t, "a poll of the plan before", out.Status, 200)
	violations(t, b)
}

func TestForm(t *testing.T) {
	b := osbtest.Start(t, osbtest.Options{})
	const body = `{"service_id":"` + osbtest.SyncService + `","plan_id":"` + osbtest.SyncPlan + `","organization_guid":"o","space_guid":"s","context":{"platform":"kubernetes","namespace":"n","clusterid":"c","instance_name":"i"}}`
	const removal = "?service_id=" + osbtest.SyncService + "&plan_id=" + osbtest.SyncPlan
	for _, test := range []struct {
		why, method, path, body string
		header                  []string
		status                  int
		violation               string
	}{
		{"as it should be", "PUT", "/i", body, nil, 201, ""},
		{"no version", "PUT", "/i", body, []string{"X-Broker-API-Version", ""}, 400, "there is no X-Broker-API-Version"},
		{"an old version", "PUT", "/i", body, []string{"X-Broker-API-Version", "2.5"}, 412, ""},
		{"no request identity", "PUT", "/i", body, []string{"X-Broker-API-Request-Identity", "x"}, 400, "must be a GUID"},
		{"an identity without its members", "PUT", "/i", body, []string{"X-Broker-API-Originating-Identity", "kubernetes e30="}, 400, "must have username"},
		{"an identity of another platform", "PUT", "/i", body, []string{"X-Broker-API-Originating-Identity", "cloudfoundry e30="}, 400, `must be "kubernetes"`},
		{"no media type", "PUT", "/i", body, []string{"Content-Type", ""}, 400, "Content-Type"},
		{"no JSON", "PUT", "/i", "x", nil, 400, "cannot be read"},
		{"no space", "PUT", "/i", strings.Replace(body, `"s"`, `""`, 1), nil, 400, "space_guid must not be empty"},
		{"no namespace", "PUT", "/i", strings.Replace(body, `"n"`, `""`, 1), nil, 400, "context.namespace must not be empty"},
		{"a flag that is none", "PUT", "/i?accepts_incomplete=yes", body, nil, 400, "accepts_incomplete must be true or false"},
		{"a parameter that is none", "PUT", "/i?x=1", body, nil, 400, "x does not belong into the query"},
		{"an empty app_guid", "PUT", "/i/service_bindings/b", strings.Replace(body, "{", `{"app_guid":"",`, 1), nil, 400, "app_guid must not be empty"},
		{"a removal without plan", "DELETE", "/i?service_id=s", "", nil, 400, "plan_id is missing in the query"},
		{"a removal with a body", "DELETE", "/i" + removal, "{}", nil, 400, "it has a body"},
		{"another method", "POST", "/i", body, nil, 404, "there is no such endpoint"},
		{"another path", "GET", "/i/plans", "", nil, 404, "there is no such endpoint"},
		{"a removal as it should be", "DELETE", "/i" + removal, "", nil, 200, ""},
	} {
		b.Forget()
		req, err := http.NewRequestWithContext(t.Context(), test.method, b.URL+"/v2/service_instances"+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"X-Broker-API-Version": "2.17", "X-Broker-API-Request-Identity": "00000000-0000-4000-8000-000000000000", "Content-Type": "application/json"} {
			req.Header.Set(name, value)
		}
		for i := 0; i < len(test.header); i += 2 {
			req.Header.Set(test.header[i], test.header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		want(t, test.why, resp.StatusCode, test.status)
		if test.violation == "" {
			violations(t, b)
		} else {
			violations(t, b, test.violation)
		}
	}
}

func TestBindings(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	services := osbtest.DefaultServices()
	services[0].Behavior = osbtest.Behavior{RequiresApp: true, RevealOnce: true, Lifetime: 4 * time.Hour, Binding: map[string]any{"endpoints": []any{map[string]any{"host": "h", "ports": []string{"1"}}}}}
	b := osbtest.Start(t, osbtest.Options{Services: services, Now: func() time.Time { return now }})
	c := clientOf(t, b)
	p := params(osbtest.SyncService, osbtest.SyncPlan)
	c.Provision(t.Context(), provision(p))
	r := bind(p, "b1")
	_, out := c.Bind(t.Context(), r)
	want(t, "without an app", out.Class, osbresult.NeedsApp)
	r.AppGUID = "app"
	bound, out := c.Bind(t.Context(), r)
	want(t, "with one", out.Class, osbresult.Done)
	want(t, "it ends", bound.ExpiresAt, now.Add(4*time.Hour))
	want(t, "it is to be renewed", bound.RenewBefore, now.Add(3*time.Hour))
	want(t, "where it is", fmt.Sprint(bound.Endpoints), "[{h [1] tcp}]")
	again, _ := c.Bind(t.Context(), r)
	want(t, "told again", again.Credentials == nil, true)
	now = now.Add(5 * time.Hour)
	rotated := bind(p, "b2")
	rotated.PredecessorID, rotated.AppGUID = "b1", "app"
	_, out = c.Bind(t.Context(), rotated)
	want(t, "rotation of what has ended", out.Class, osbresult.Rejected)
	violations(t, b, "has expired")
}

func TestDelay(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	services := osbtest.DefaultServices()
	services[1].Behavior = osbtest.Behavior{Async: true, Delay: time.Minute, RetryAfter: "9", Nameless: true}
	b := osbtest.Start(t, osbtest.Options{Services: services, Now: func() time.Time { return now }})
	c := clientOf(t, b)
	p := params(osbtest.AsyncService, osbtest.AsyncPlan)
	made, out := c.Provision(t.Context(), provision(p))
	want(t, "it has no name", made.Operation, "")
	want(t, "to wait", out.RetryAfter, 9*time.Second)
	last, out := c.Poll(t.Context(), osb.PollRequest{Params: p})
	want(t, "early", last.State, osbresult.InProgress)
	want(t, "to wait", out.RetryAfter, 9*time.Second)
	now = now.Add(time.Minute)
	want(t, "late", b.Holds().Instances["i1"].State, osbtest.Ready)
}

func BenchmarkLife(b *testing.B) {
	broker := osbtest.Start(b, osbtest.Options{Terse: true})
	c := clientOf(b, broker)
	for i := 0; b.Loop(); i++ {
		p := params(osbtest.SyncService, osbtest.SyncPlan)
		p.InstanceID = fmt.Sprint(i)
		c.Provision(b.Context(), provision(p))
		c.Bind(b.Context(), bind(p, p.InstanceID))
		c.Unbind(b.Context(), osb.RemovalRequest{Params: p, BindingID: p.InstanceID})
		c.Deprovision(b.Context(), osb.RemovalRequest{Params: p})
	}
}
