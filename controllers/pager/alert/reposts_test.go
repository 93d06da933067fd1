// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify/alertmanager"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
)

// replica is an Alertmanager, and a reconciler of Alerts that it receives.
type replica struct {
	*testing.T
	*Reconciler
	now     *clocktesting.FakePassiveClock
	service *notifytest.Alertmanager
	writes  int // of statuses

	mu     sync.Mutex
	hold   chan struct{} // not nil: a request is sent to it, and answered once it is received from again
	status int           // of its answers; 0: its own
	refuse string        // the name of an Alert that it refuses
	posts  []string      // the names of the Alerts in each request, with the time until they end
}

func newReplica(t *testing.T, alerts ...*v1beta1.Alert) *replica {
	f := &replica{T: t, service: notifytest.NewAlertmanager("")}
	f.now = clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second)) // as statuses have it
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	receiver := &v1beta1.Receiver{}
	receiver.Namespace, receiver.Name, receiver.Spec.Alertmanager = "ns", controllertest.Team.Name, &v1beta1.AlertmanagerProvider{URLs: []string{server.URL}}
	objects := []client.Object{receiver}
	for _, a := range alerts {
		objects = append(objects, a)
	}
	f.Reconciler = newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
		f.writes++
		return c.SubResource(sub).Patch(ctx, o, p, opts...)
	}}, objects...))
	f.clock = f.now
	f.reposts = f.newReposts()
	return f
}

func (f *replica) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.Error(err)
	}
	var alerts []struct {
		Labels struct{ Alertname string }
		EndsAt time.Time
	}
	if err := json.Unmarshal(body, &alerts); err != nil {
		f.Errorf("%s: %v", body, err)
	}
	status := f.status
	var post []string
	for _, a := range alerts {
		if a.Labels.Alertname == f.refuse {
			status = http.StatusBadRequest
		}
		post = append(post, a.Labels.Alertname+" "+time.Until(a.EndsAt).Round(time.Minute).String())
	}
	slices.Sort(post)
	f.posts = append(f.posts, strings.Join(post, ", "))
	if hold := f.hold; hold != nil {
		hold <- struct{}{}
		hold <- struct{}{}
	}
	if status != 0 {
		http.Error(w, "", status)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.service.ServeHTTP(w, r)
}

// reconcile lets time pass, reconciles Alerts, reposts, reconciles again, and compares the requests.
func (f *replica) reconcile(why string, after time.Duration, alerts []*v1beta1.Alert, want ...string) {
	f.Helper()
	f.now.SetTime(f.now.Now().Add(after))
	f.reconcileAll(why, alerts)
	if err := f.reposts.Look(f.Context()); err != nil {
		f.Fatalf("%s: %v", why, err)
	}
	f.reposts.Wait()
	f.reconcileAll(why, alerts)
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.Sort(f.posts)
	if !slices.Equal(f.posts, want) {
		f.Errorf("%s: posted %q, want %q", why, f.posts, want)
	}
	f.posts = nil
}

func (f *replica) reconcileAll(why string, alerts []*v1beta1.Alert) {
	f.Helper()
	for _, a := range alerts {
		if _, err := f.Reconcile(f.Context(), ctrl.Request{NamespacedName: nameOf(a)}); err != nil {
			f.Fatalf("%s: %v", why, err)
		}
	}
}

func alertForTeam(name string, edits ...func(*v1beta1.Alert)) *v1beta1.Alert {
	return controllertest.NewAlert(append(edits, func(a *v1beta1.Alert) {
		a.Name, a.UID, a.CreationTimestamp.Time, a.Status.ObservedGeneration = name, types.UID(name), time.Now(), -1
		a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{controllertest.Team}
	})...)
}

// TestAlertmanagerIsToldAgain: it forgets an alert that is not posted again.
func TestAlertmanagerIsToldAgain(t *testing.T) {
	alerts := []*v1beta1.Alert{alertForTeam("a")}
	f := newReplica(t, alerts...)
	for _, c := range []struct {
		why    string
		after  time.Duration
		status int
		posts  []string
	}{
		{"it is new", 0, 0, []string{"a 10m0s"}},
		{"not before its time", time.Minute, 0, nil},
		{"again", time.Minute, 0, []string{"a 10m0s"}},
		{"again, but it is away", alertmanager.RepostEvery, http.StatusServiceUnavailable, []string{"a 10m0s"}},
		{"it is back", 30 * time.Second, 0, []string{"a 10m0s"}},
		{"again", alertmanager.RepostEvery, 0, []string{"a 10m0s"}},
	} {
		f.status = c.status
		f.reconcile(c.why, c.after, alerts, c.posts...)
	}
	if f.writes != 1 {
		t.Errorf("%d writes: a repost changes no status", f.writes)
	}
	if seen := f.service.Seen(); len(seen) != 1 {
		t.Errorf("people see %v", seen)
	}
}

// The next leader may have resolved it meanwhile.
func TestAlertIsNotRepostedAfterTheLeaseHasEnded(t *testing.T) {
	alerts := []*v1beta1.Alert{alertForTeam("a")}
	f := newReplica(t, alerts...)
	f.reconcile("it is new", 0, alerts, "a 10m0s")
	f.leadership = &leadership.Lease{Clock: f.now}
	f.leadership.Renew(f.now.Now(), time.Second)
	f.now.SetTime(f.now.Now().Add(alertmanager.RepostEvery))
	if err := f.reposts.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.reposts.Wait()
	f.leadership.Renew(f.now.Now(), time.Hour)
	f.reconcile("once the lease is renewed", alertmanager.RepostEvery, alerts, "a 10m0s")
}

// F-P36: Alerts are posted again in one request. One that is refused does not keep the others from being posted, now or later.
func TestAlertmanagerIsToldInBatches(t *testing.T) {
	alerts := []*v1beta1.Alert{alertForTeam("a"), alertForTeam("b"), alertForTeam("bad")}
	f := newReplica(t, alerts...)
	for _, a := range alerts {
		f.reconcile("it is new", 0, []*v1beta1.Alert{a}, a.Name+" 10m0s")
	}
	together, others := "a 10m0s, b 10m0s, bad 10m0s", "a 10m0s, b 10m0s"
	f.reconcile("again", alertmanager.RepostEvery, alerts, together)
	f.refuse = "bad"
	f.reconcile("one is refused", alertmanager.RepostEvery, alerts, others, together, "bad 10m0s")
	f.reconcile("it would be refused again", time.Minute, alerts)
	f.reconcile("again", time.Minute, alerts, others, together, "bad 10m0s")
	f.refuse = ""
	f.reconcile("none is refused", alertmanager.RepostEvery, alerts, together)
	if seen := f.service.Seen(); len(seen) != 3 {
		t.Errorf("people see %v", seen)
	}
	resolved := alerts[0]
	if err := f.client.Get(t.Context(), nameOf(resolved), resolved); err != nil {
		t.Fatal(err)
	}
	resolved.Spec.State = v1beta1.AlertResolved
	if err := f.client.Update(t.Context(), resolved); err != nil {
		t.Fatal(err)
	}
	f.reconcile("a resolve is a request of its own", 0, alerts[:1], "a 0s")
}

// F-P8: Alertmanager keeps the alert of an Alert that is deleted by its time to live, or released: it ends an alert that is not posted again.
func TestAlertmanagerKeepsWhatIsNotResolved(t *testing.T) {
	const kept = "a 168h0m0s"
	expiring := func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = new(int32(60)) }
	for _, c := range []struct {
		name   string
		edit   func(*v1beta1.Alert)
		delete bool
		status int
		posts  []string
		gone   bool
	}{
		{name: "time to live", edit: expiring, posts: []string{kept}, gone: true},
		{name: "time to live, Alertmanager is away", edit: expiring, status: http.StatusServiceUnavailable, posts: []string{kept}},
		{name: "Retain", delete: true, edit: retained, posts: []string{kept}, gone: true},
		{name: "Retain, Alertmanager is away", delete: true, status: http.StatusServiceUnavailable, edit: retained, posts: []string{kept}, gone: true},
		{name: "deleted", delete: true, edit: func(*v1beta1.Alert) {}, posts: []string{"a 0s"}, gone: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			alerts := []*v1beta1.Alert{alertForTeam("a", c.edit)}
			f := newReplica(t, alerts...)
			f.reconcile("it is new", 0, alerts, "a 10m0s")
			after := time.Minute
			if c.delete {
				after = 0
				if err := f.client.Delete(t.Context(), alerts[0]); err != nil {
					t.Fatal(err)
				}
			}
			f.status = c.status
			f.reconcile("it goes away", after, alerts, c.posts...)
			f.wantGone(alerts[0], c.gone)
			if !c.gone {
				f.reconcile("again", 30*time.Second, alerts, kept)
				f.reconcile("what was posted has ended", alertmanager.Validity, alerts)
				f.wantGone(alerts[0], true)
			}
		})
	}
}

func (f *replica) wantGone(a *v1beta1.Alert, want bool) {
	f.Helper()
	err := f.client.Get(f.Context(), nameOf(a), &v1beta1.Alert{})
	if apierrors.IsNotFound(err) != want {
		f.Errorf("the Alert is gone: %t, %v", !want, err)
	}
}
