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

package instance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func claimedBy(all ...lifecycle.Claimant) func(*fixture) {
	return func(f *fixture) { f.in.Claimants = all }
}

// TestClaimsOnAnInstance: a later claim neither keeps the owner from its removal nor inherits (R10).
func TestClaimsOnAnInstance(t *testing.T) {
	const madeNothing, left = "the broker has created nothing for this object", "is left to"
	for name, test := range map[string]struct {
		is         []func(*fixture)
		want, says string
	}{
		"F-S4 an owner is deleted, claimed later":              {fs(ready, claimedBy(lifecycletest.LaterOne), deleted, lives), "deprovision id small-id", ""},
		"F-S4 the same of a supplied id":                       {fs(brought, created, claimedBy(lifecycletest.LaterOne), deleted, lives), "deprovision id small-id", ""},
		"F-S4 claimed before it existed":                       {fs(brought, created, claimedBy(lifecycletest.EarlierOne), deleted, lives), "release Retained", left},
		"F-S4 claimed before by one that is being deleted":     {fs(brought, created, claimedBy(lifecycletest.LeavingOne), deleted, lives), "deprovision id small-id", ""},
		"F-S4 another owner":                                   {fs(brought, created, claimedBy(lifecycletest.Owner), deleted, lives), "release Retained", left},
		"F-S4 an owner goes on, claimed later":                 {fs(claimedBy(lifecycletest.LaterOne)), "journal provision id small-id", ""},
		"F-S4 an owner is mitigated, claimed later":            {fs(unknownTimes(4), claimedBy(lifecycletest.LaterOne)), "journal deprovision id small-id", ""},
		"F-S4 a later claimant":                                {fs(brought, claimedBy(lifecycletest.Owner)), "nothing: ExternalIDInUse", `"other" owns it`},
		"F-S4 a claimant whose owner is being deleted":         {fs(brought, claimedBy(lifecycletest.LeavingOwner)), "nothing: ExternalIDInUse", `"other" owns it`},
		"F-S4 the same, once that is gone":                     {fs(brought, claimedBy(lifecycletest.Owner), decided, claimedBy()), "journal provision id small-id", ""},
		"F-S4 and the broker creates one":                      {fs(brought, claimedBy(lifecycletest.Owner), decided, claimedBy(), created), "nothing: Ready", ""},
		"F-S4 and it was left there":                           {fs(brought, claimedBy(lifecycletest.Owner), decided, claimedBy(), used), "nothing: Failed", "what it created for another object"},
		"F-S4 and this object is deleted then":                 {fs(brought, claimedBy(lifecycletest.Owner), decided, claimedBy(), used, deleted, lives), "release Retained", madeNothing},
		"F-JS5 a claimant of something older":                  {fs(brought, claimedBy(lifecycletest.EarlierOne)), "nothing: ExternalIDInUse", "has claimed it before"},
		"F-JS5 a claimant of the same age that came first":     {fs(brought, claimedBy(lifecycletest.FirstOne)), "nothing: ExternalIDInUse", "has claimed it before"},
		"F-JS5 a claimant of the same age that came second":    {fs(brought, claimedBy(lifecycletest.LaterOne)), "journal provision id small-id", ""},
		"F-JS5 a refused claimant is deleted":                  {fs(brought, claimedBy(lifecycletest.Owner), decided, deleted, lives), "release Retained", madeNothing},
		"F-JS5 the same after the owner":                       {fs(brought, claimedBy(lifecycletest.Owner), decided, restarted, claimedBy(), deleted, lives), "release Retained", madeNothing},
		"F-JS5 one that nothing was sent for is deleted":       {fs(deleted, lives), "release DeprovisionedSuccessfully", madeNothing},
		"F-JS5 one of the same age, and the other was created": {fs(brought, created, claimedBy(lifecycletest.LaterOne), deleted, lives), "deprovision id small-id", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			next := Decide(f.si, f.in)
			if got := next.say(); got != test.want {
				t.Fatalf("%s, want %s", got, test.want)
			}
			said := fmt.Sprint(next.Status.Conditions, next.Release)
			if !strings.Contains(said, test.says) {
				t.Errorf("it says %s, want %q", said, test.says)
			}
		})
	}
	f := newFixture(brought, claimedBy(lifecycletest.LeavingOwner), decided)
	if lifecycle.IsTrue(lifecycle.FindCondition(f.si.Status.Conditions, v1beta1.ConditionStalled)) {
		t.Error("F-S4: it is Stalled, and goes on by itself")
	}
}

// TestALostAnswerIsNotAnothersService: what may be this object's own is used, though nothing proves it.
func TestALostAnswerIsNotAnothersService(t *testing.T) {
	f := newFixture(brought, claimedBy(lifecycletest.Owner), decided, claimedBy(), unanswered, later(time.Hour))
	f.after(Decide(f.si, f.in).Request, said(osbresult.Done, 200))
	if got := f.si.Status.LastConditionState; got != v1beta1.ConditionReady {
		t.Errorf("F-S4: it says %s", got)
	}
}
