// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

var failed, answered = limiter.Result{Outcome: limiter.Unavailable}, limiter.Result{}

// F-U2: a broker that is down is not Ready once a request of an instance or binding has failed, and is Ready again once one is answered.
func TestTheStatusOfABrokerFollowsTheRequestsToIt(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		server := osbtest.Start(t, osbtest.Options{})
		b := controllertest.NewBroker(s, server.URL)
		key := brokers.KeyOf(b)
		r, at := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
		reconcile := func(step string, after time.Duration, want string, calls int) time.Duration {
			t.Helper()
			at.SetTime(at.Now().Add(after))
			got, result := reconcileBroker(t, r, b)
			if said := rulestest.SayConditions(got.CommonStatus().Conditions); said != want || len(server.Calls()) != calls {
				t.Fatalf("%s, %s: conditions say %q after %d requests, want %q after %d", s.Scope, step, said, len(server.Calls()), want, calls)
			}
			return result.RequeueAfter
		}
		const works, fails = "True FetchedCatalog", "False ErrorFetchingCatalog Reconciling"
		reconcile("new", 0, works, 1)

		r.ObserveRequest(key, failed)
		r.ObserveRequest(key, answered)
		reconcile("one of many requests failed", time.Hour, works, 1)
		for range 1000 {
			r.ObserveRequest(key, failed)
		}
		reconcile("requests fail, the catalog is there", 0, works, 2)
		r.ObserveRequest(key, failed)
		if wait := reconcile("they still fail", 0, works, 2); wait != 20*time.Second {
			t.Errorf("%s: its catalog is read again after %s", s.Scope, wait)
		}

		lift := server.Inject(osbtest.Fault{Answer: osbtest.Error(503, "", "down")})
		for attempt := range 8 { // backoff of the relist, whatever else fails
			wait := reconcile("it is down", 20*time.Second<<attempt, fails, 3+attempt)
			if longest := 3 * time.Second << attempt; wait < time.Second/2 || wait > longest {
				t.Errorf("%s: attempt %d is followed by another after %s", s.Scope, attempt+1, wait)
			}
			r.ObserveRequest(key, failed)
		}
		reconcile("it is down, and its requests fail", 0, fails, 10)

		lift()
		r.ObserveRequest(key, answered)
		if wait := reconcile("it answers again", 0, fails, 10); wait > 10*time.Second {
			t.Errorf("%s: its catalog is read after %s", s.Scope, wait)
		}
		reconcile("it answers again", 10*time.Second, works, 11)
		r.ObserveRequest(key, answered)
		if wait := reconcile("it works", 0, works, 11); wait < 20*time.Hour {
			t.Errorf("%s: its catalog is read again after %s", s.Scope, wait)
		}
	}
}

// TestABrokerThatIsDownIsCheckedFirst: many objects wait for the circuit breaker of a broker that fails.
func TestABrokerThatIsDownIsCheckedFirst(t *testing.T) {
	now := time.Now() // the limiter has a clock of its own
	b := controllertest.NewBroker(catalogsync.ClusterWide, osbtest.Start(t, osbtest.Options{}).URL)
	key := brokers.KeyOf(b)
	r, at := newBrokerReconciler(t, catalogsync.ClusterWide, controllertest.NewCluster(t, interceptor.Funcs{}, b), now)
	reconcileBroker(t, r, b)
	endpoint := r.connections.Limiters.Of(key, now)
	for _, object := range []string{"a", "b", "c"} {
		leave, _ := endpoint.Enter(limiter.Request{ID: object, Notify: func() {}}, now)
		leave(now, failed)
		r.ObserveRequest(key, failed)
	}
	if wait := endpoint.Blocked("d", now); wait != limiter.Down {
		t.Fatalf("others wait because of %q", wait)
	}
	at.SetTime(now.Add(10 * time.Second))
	got, _ := reconcileBroker(t, r, b)
	if read := got.CommonStatus().LastCatalogRetrievalTime; !read.Equal(times.Timestamp(at.Now())) {
		t.Errorf("its catalog was read at %s", read)
	}
}

// F-JS14: deletions wait until a broker answers any request with success. Its catalog is requested for that, at most once in 5 s, or in a
// minute while it cannot be read, also while the broker is being deleted, or was abandoned: its status stays then.
func TestF_JS14_AvailabilityIsChecked(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		for name, edit := range map[string]func(v1beta1.Broker){
			"in use": func(v1beta1.Broker) {},
			"being deleted": func(b v1beta1.Broker) {
				b.SetDeletionTimestamp(&metav1.Time{Time: rulestest.Noon})
				b.SetFinalizers([]string{v1beta1.Finalizer, "example.com/other"})
			},
			"abandoned": func(b v1beta1.Broker) {
				b.SetFinalizers([]string{"example.com/other"})
				b.CommonStatus().ObservedGeneration = 1
			},
		} {
			server := osbtest.Start(t, osbtest.Options{})
			b := controllertest.NewBroker(s, server.URL)
			edit(b)
			key := brokers.KeyOf(b)
			r, at := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
			reconcileBroker(t, r, b)
			before := len(server.Calls())
			expect := func(step string, want int) {
				t.Helper()
				reconcileBroker(t, r, b)
				if got := len(server.Calls(osb.GetCatalog)) - before; got != want {
					t.Errorf("%s, %s, %s: %d requests, want %d", s.Scope, name, step, got, want)
				}
			}
			expect("at rest", 0)
			at.SetTime(at.Now().Add(readableInterval))
			r.CheckAvailability(key)
			r.CheckAvailability(key)
			expect("requested", 1)
			if r.connections.Successes.Last(key).IsZero() {
				t.Errorf("%s, %s: no success is recorded", s.Scope, name)
			}
			r.CheckAvailability(key)
			expect("requested by another object at once", 1)
			at.SetTime(at.Now().Add(readableInterval))
			expect("after the interval", 2)
			at.SetTime(at.Now().Add(readableInterval))
			expect("not requested any more", 2)

			lift := server.Inject(osbtest.Fault{Answer: osbtest.Error(503, "", "down")})
			r.CheckAvailability(key)
			expect("it is down", 3)
			r.CheckAvailability(key)
			at.SetTime(at.Now().Add(readableInterval))
			lift()
			if name != "in use" { // whose backoff is shorter
				expect("requested again while it is down", 3)
			}
			at.SetTime(at.Now().Add(unreadableInterval))
			expect("a minute later", 4)
		}
	}
}
