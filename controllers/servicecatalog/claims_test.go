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

package servicecatalog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

var (
	owner        = claimant{uid: "other", display: `ServiceInstance "other"`, owns: true}
	leavingOwner = claimant{uid: "other", display: `ServiceInstance "other"`, owns: true, leaving: true}
	earlierOne   = claimant{uid: "other", display: `ServiceInstance "other"`, earlier: true}
	leavingOne   = claimant{uid: "other", display: `ServiceInstance "other"`, earlier: true, leaving: true}
	laterOne     = claimant{uid: "other", display: `ServiceInstance "other"`}
	firstOne     = claimant{uid: "other", display: `ServiceInstance "other"`, first: true}
)

func claimedBy(all ...claimant) func(*fixture) {
	return func(f *fixture) { f.w.claimants = all }
}

func claimedBy1(all ...claimant) func(*bindingFixture) {
	return func(f *bindingFixture) { f.w.claimants = all }
}

// TestClaimsOnAnInstance: a later claim neither keeps the owner from its removal nor inherits (R10).
func TestClaimsOnAnInstance(t *testing.T) {
	const madeNothing, left = "the broker has made nothing for this object", "is left to"
	for name, test := range map[string]struct {
		is         []func(*fixture)
		want, says string
	}{
		"F-S4 an owner is deleted, claimed later":              {fs(ready, claimedBy(laterOne), deleted, lives), "deprovision id small-id", ""},
		"F-S4 the same of a supplied id":                       {fs(brought, created, claimedBy(laterOne), deleted, lives), "deprovision id small-id", ""},
		"F-S4 claimed before it existed":                       {fs(brought, created, claimedBy(earlierOne), deleted, lives), "release Retained", left},
		"F-S4 claimed before by one that is being deleted":     {fs(brought, created, claimedBy(leavingOne), deleted, lives), "deprovision id small-id", ""},
		"F-S4 another owner":                                   {fs(brought, created, claimedBy(owner), deleted, lives), "release Retained", left},
		"F-S4 an owner goes on, claimed later":                 {fs(claimedBy(laterOne)), "journal provision id small-id", ""},
		"F-S4 an owner is mitigated, claimed later":            {fs(unknownTimes(4), claimedBy(laterOne)), "journal deprovision id small-id", ""},
		"F-S4 a later claimant":                                {fs(brought, claimedBy(owner)), "nothing: ExternalIDInUse", `"other" owns it`},
		"F-S4 a claimant whose owner is being deleted":         {fs(brought, claimedBy(leavingOwner)), "nothing: ExternalIDInUse", `"other" owns it`},
		"F-S4 the same, once that is gone":                     {fs(brought, claimedBy(owner), decided, claimedBy()), "journal provision id small-id", ""},
		"F-S4 and the broker creates one":                      {fs(brought, claimedBy(owner), decided, claimedBy(), created), "nothing: Ready", ""},
		"F-S4 and it was left there":                           {fs(brought, claimedBy(owner), decided, claimedBy(), used), "nothing: Failed", "what it made for another object"},
		"F-S4 and this object is deleted then":                 {fs(brought, claimedBy(owner), decided, claimedBy(), used, deleted, lives), "release Retained", madeNothing},
		"F-JS5 a claimant of something older":                  {fs(brought, claimedBy(earlierOne)), "nothing: ExternalIDInUse", "has claimed it before"},
		"F-JS5 a claimant of the same age that came first":     {fs(brought, claimedBy(firstOne)), "nothing: ExternalIDInUse", "has claimed it before"},
		"F-JS5 a claimant of the same age that came second":    {fs(brought, claimedBy(laterOne)), "journal provision id small-id", ""},
		"F-JS5 a refused claimant is deleted":                  {fs(brought, claimedBy(owner), decided, deleted, lives), "release Retained", madeNothing},
		"F-JS5 the same after the owner":                       {fs(brought, claimedBy(owner), decided, restarted, claimedBy(), deleted, lives), "release Retained", madeNothing},
		"F-JS5 one that nothing was sent for is deleted":       {fs(deleted, lives), "release DeprovisionedSuccessfully", madeNothing},
		"F-JS5 one of the same age, and the other was created": {fs(brought, created, claimedBy(laterOne), deleted, lives), "deprovision id small-id", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			next := decideInstance(f.si, f.w)
			if got := next.say(); got != test.want {
				t.Fatalf("%s, want %s", got, test.want)
			}
			said := fmt.Sprint(next.status.Conditions, next.release)
			if !strings.Contains(said, test.says) {
				t.Errorf("it says %s, want %q", said, test.says)
			}
		})
	}
	f := newFixture(brought, claimedBy(leavingOwner), decided)
	if isTrue(conditionOf(f.si.Status.Conditions, v1beta1.ConditionStalled)) {
		t.Error("F-S4: it is Stalled, and goes on by itself")
	}
}

// TestClaimsOnABinding: the same for bindings.
func TestClaimsOnABinding(t *testing.T) {
	recorded := func(f *bindingFixture) { f.b.Status = f.step().status }
	for name, test := range map[string]struct {
		is   []func(*bindingFixture)
		want string
	}{
		"F-S4 an owner is deleted, claimed later": {bfs(bound1, claimedBy1(laterOne), secretGone, deleted1, lives1), "unbind id"},
		"F-S4 claimed before it existed":          {bfs(brought1, bound1, claimedBy1(earlierOne), secretGone, deleted1, lives1), "release Retained"},
		"F-S4 a later claimant":                   {bfs(brought1, claimedBy1(owner)), "nothing: ExternalIDInUse"},
		"F-S4 the same, once the owner is gone":   {bfs(brought1, claimedBy1(owner), recorded, claimedBy1()), "journal bind id"},
		"F-S4 and the broker creates one":         {bfs(brought1, claimedBy1(owner), recorded, claimedBy1(), func(f *bindingFixture) { f.after(with(201)) }), "nothing: Ready"},
		"F-S4 and it was left there":              {bfs(brought1, claimedBy1(owner), recorded, claimedBy1(), func(f *bindingFixture) { f.after(with(200)) }), "nothing: Failed"},
		"F-JS5 a refused claimant is deleted":     {bfs(brought1, claimedBy1(owner), recorded, deleted1, lives1), "release Retained"},
		"F-JS5 one that nothing was sent for":     {bfs(deleted1, lives1), "release UnboundSuccessfully"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingFixture(test.is...)
			if got := f.step().say(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if f.w.secret == secretGood && test.want == "nothing: Failed" {
				t.Error("the credentials of another object are in its Secret")
			}
		})
	}
}

// TestClaimantsOfAnID: what others' claims are worth, from the cache and from what this process has
// let begin.
func TestClaimantsOfAnID(t *testing.T) {
	f := newFixture()
	claims := func(name string, age time.Duration, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
		si := f.si.DeepCopy()
		si.Name, si.UID, si.Annotations, si.CreationTimestamp = name, types.UID("uid-"+name), nil, metav1.NewTime(t0.Add(-age))
		for _, edit := range edits {
			edit(si)
		}
		return si
	}
	ours := func(si *v1beta1.ServiceInstance) {
		si.Annotations = map[string]string{v1beta1.MadeIDAnnotation: catalog.MadeID("id", si.CreationTimestamp.Time)}
	}
	createdFor := func(si *v1beta1.ServiceInstance) {
		si.Status.CreatedForUID, si.Status.ProvisionStatus = si.UID, v1beta1.Provisioned
	}
	moved := func(si *v1beta1.ServiceInstance) {
		si.Spec.ExternalID, si.Status.ExternalID = "first", "id"
	}
	elsewhere := func(si *v1beta1.ServiceInstance) { si.Namespace = "elsewhere" }
	leaving := func(si *v1beta1.ServiceInstance) { si.DeletionTimestamp = new(metav1.NewTime(t0)) }
	released := func(si *v1beta1.ServiceInstance) { si.Finalizers = []string{"someone/else"} }
	for name, test := range map[string]struct {
		other    *v1beta1.ServiceInstance
		creation string
		removal  bool
	}{
		"a made id":               {claims("other", 0, ours), "owns it", true},
		"created for it":          {claims("other", -time.Hour, createdFor), "owns it", true},
		"in the status only":      {claims("other", -time.Hour, moved, createdFor), "owns it", true},
		"elsewhere":               {claims("other", time.Hour, elsewhere), "a ServiceInstance in another namespace has claimed it before", true},
		"older":                   {claims("other", time.Hour), `ServiceInstance "other" has claimed it before`, true},
		"younger":                 {claims("other", -time.Hour), "", false},
		"as old":                  {claims("other", 0), "", false},
		"being deleted, owner":    {claims("other", 0, createdFor, leaving), "owns it", false},
		"being deleted, older":    {claims("other", time.Hour, leaving), "", false},
		"deleted and let go":      {claims("other", time.Hour, createdFor, leaving, released), "", false},
		"as old, and asked first": {claims("other", 0, func(si *v1beta1.ServiceInstance) { si.Status.CurrentOperation = v1beta1.OperationProvision }), "has claimed it before", false},
	} {
		t.Run("F-S4 "+name, func(t *testing.T) {
			si := claims("db", 0)
			r := claimsReconciler(t, si, test.other)
			all, err := r.claimantsOf(t.Context(), si, f.w.offer)
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			if c := all.blocksCreation(); c != nil {
				said = c.inUse("id").message
			}
			if (said == "") != (test.creation == "") || !strings.Contains(said, test.creation) {
				t.Errorf("of a creation: %q, want %q", said, test.creation)
			}
			if is := all.blocksRemoval() != nil; is != test.removal {
				t.Errorf("it keeps it from its removal: %t", is)
			}
		})
	}

	t.Run("F-JS5 of the same age, the one that is reconciled first", func(t *testing.T) {
		a, b := claims("a", 0), claims("b", 0)
		r := claimsReconciler(t, a, b)
		blocked := func(si *v1beta1.ServiceInstance) bool {
			all, err := r.claimantsOf(t.Context(), si, f.w.offer)
			if err != nil {
				t.Fatal(err)
			}
			return all.blocksCreation() != nil
		}
		if blocked(b) || !blocked(a) || blocked(b) {
			t.Error("b was first, and a is to wait")
		}
		r.claims.release(claimKey{keyOf(f.w.offer.broker), "id"}, b.UID)
		if blocked(a) || !blocked(b) {
			t.Error("a is first once b has let go")
		}
	})
}

// claimsReconciler has a cache with some instances.
func claimsReconciler(t *testing.T, objects ...client.Object) *InstanceReconciler {
	cache := newFakeCluster(t, interceptor.Funcs{}, objects...)
	return newInstanceReconciler(cache, cache, &kit{index: index.Index{Cache: cache}, connections: &connections{}})
}

// TestALostAnswerIsNotAnothersService: what may be this object's own is used, though nothing proves it.
func TestALostAnswerIsNotAnothersService(t *testing.T) {
	f := newFixture(brought, claimedBy(owner), decided, claimedBy(), unanswered, later(time.Hour))
	f.after(decideInstance(f.si, f.w).call, said(osbresult.Done, 200))
	if got := f.si.Status.LastConditionState; got != v1beta1.ConditionReady {
		t.Errorf("F-S4: it says %s", got)
	}
}
