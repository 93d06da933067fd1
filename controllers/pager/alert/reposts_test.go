// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/outbound/limiter/limitertest"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify/alertmanager"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// slowAlertmanager takes 200 ms for each request. Its Alerts are sent again RepostEvery after each answer.
type slowAlertmanager struct {
	reposts
	key endpoints.Key

	mu       sync.Mutex
	ends     map[types.NamespacedName]time.Time // when the alert ends
	due      map[types.NamespacedName]time.Time
	slowest  time.Duration // from when a repost was due to its answer
	requests int
	late     int
	stopped  bool
}

func newSlowAlertmanager() *slowAlertmanager {
	s := &slowAlertmanager{ends: map[types.NamespacedName]time.Time{}, due: map[types.NamespacedName]time.Time{}}
	s.reposts = reposts{limiters: &limiter.Limiters[endpoints.Key]{}, now: time.Now, collect: collectTime, begin: func(*repost) bool { return true }, post: s.answer}
	return s
}

func (s *slowAlertmanager) answer(_ endpoints.Key, _ alertrules.Target, batch []*repost, release limiter.Release) {
	sent := time.Now()
	time.Sleep(200 * time.Millisecond)
	release(time.Now(), limiter.Result{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	for _, e := range batch {
		name := nameOf(e.alert)
		if end, known := s.ends[name]; known && time.Now().After(end) {
			s.late++
		}
		s.ends[name] = sent.Add(alertmanager.Validity)
		s.slowest = max(s.slowest, time.Since(s.due[name]))
		s.repeat(e.alert, alertmanager.RepostEvery)
	}
}

// repeat sends an Alert again after some time.
func (s *slowAlertmanager) repeat(a *v1beta1.Alert, after time.Duration) {
	if s.stopped {
		return
	}
	s.due[nameOf(a)] = time.Now().Add(after)
	time.AfterFunc(after, func() { s.add(s.key, alertrules.Target{}, &repost{alert: a}) })
}

func alertNamed(namespace string, i int) *v1beta1.Alert {
	a := &v1beta1.Alert{}
	a.Namespace, a.Name = namespace, fmt.Sprint("alert-", i)
	return a
}

// F-P36: 20,000 Alerts at an Alertmanager that takes 200 ms for each request are sent again before they end there, and first attempts do not
// wait for them.
func TestRepostsAreInTime(t *testing.T) {
	const alerts, rounds = 20_000, 4
	for _, c := range []struct {
		name            string
		namespaces      int
		spread          time.Duration // in which they become due
		requestsInRound int
		slowest         time.Duration
	}{
		{"all at once, as after a restart", 1, 0, alerts/batchSize + 1, 35 * time.Second},
		{"one after the other", 500, alertmanager.RepostEvery, alerts/batchSize + 60, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSlowAlertmanager()
				s.mu.Lock()
				for i := range alerts {
					s.repeat(alertNamed(fmt.Sprint("ns-", i%c.namespaces), i), c.spread*time.Duration(i)/alerts)
				}
				s.mu.Unlock()
				for i := range rounds * 10 {
					time.Sleep(alertmanager.RepostEvery / 10)
					lim := s.limiters.Of(s.key, time.Now())
					release, _ := lim.Enter(limiter.Request{ID: i, Flow: "first", First: true, Notify: func() {}}, time.Now())
					if release == nil {
						lim.Cancel(i, time.Now())
						t.Error("a first attempt waits for reposts")
						continue
					}
					release(time.Now(), limiter.Result{})
				}
				s.mu.Lock()
				s.stopped = true
				if s.late > 0 || len(s.ends) != alerts || s.slowest > c.slowest || s.requests > rounds*c.requestsInRound {
					t.Errorf("of %d Alerts %d have ended; the slowest repost took %s; %d requests", len(s.ends), s.late, s.slowest, s.requests)
				}
				t.Logf("%d requests in %d rounds of %s; the slowest repost took %s", s.requests, rounds, alertmanager.RepostEvery, s.slowest)
				s.mu.Unlock()
				time.Sleep(2 * alertmanager.RepostEvery)
			})
		})
	}
}

// F-P36: the Alerts of a namespace do not wait for all those of another, nor for those that are sent alone.
func TestRepostsOfNamespacesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowAlertmanager()
		s.stopped = true
		for i := range 5000 {
			s.add(s.key, alertrules.Target{}, &repost{alert: alertNamed("large", i)})
			if i < 500 {
				s.add(s.key, alertrules.Target{}, &repost{alert: alertNamed("refused", i), alone: true})
			}
		}
		small, canceled := alertNamed("small", 0), alertNamed("small", 1)
		s.add(s.key, alertrules.Target{}, &repost{alert: small})
		s.add(s.key, alertrules.Target{}, &repost{alert: canceled})
		s.cancel(s.key, nameOf(canceled))
		time.Sleep(2 * time.Second)
		s.mu.Lock()
		if s.ends[nameOf(small)].IsZero() || !s.ends[nameOf(canceled)].IsZero() {
			t.Errorf("after 2 seconds of %d", len(s.ends))
		}
		s.mu.Unlock()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if len(s.ends) != 5501 || len(s.queues) != 0 {
			t.Errorf("sent %d, and %d queues are left", len(s.ends), len(s.queues))
		}
	})
}

// replica is an Alertmanager, and a reconciler of Alerts that it receives.
type replica struct {
	*testing.T
	*Reconciler
	now      *clocktesting.FakePassiveClock
	service  *notifytest.Alertmanager
	answered chan struct{} // receives when a repost is answered
	writes   int           // of statuses

	mu     sync.Mutex
	status int      // of its answers; 0: its own
	refuse string   // the name of an Alert that it refuses
	posts  []string // the names of the Alerts in each request, with the time until they end
}

func newReplica(t *testing.T, alerts ...*v1beta1.Alert) *replica {
	f := &replica{T: t, service: notifytest.NewAlertmanager(""), answered: make(chan struct{}, 100)}
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
	f.reposts.collect = 0
	f.reposts.post = func(key endpoints.Key, target alertrules.Target, batch []*repost, release limiter.Release) {
		f.sendReposts(key, target, batch, release)
		for range batch {
			f.answered <- struct{}{}
		}
	}
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
	if status != 0 {
		http.Error(w, "", status)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.service.ServeHTTP(w, r)
}

// reconcile lets time pass, reconciles Alerts until nothing more is sent, and compares the requests. It returns when the last Alert is due.
func (f *replica) reconcile(why string, after time.Duration, alerts []*v1beta1.Alert, want ...string) (next time.Duration) {
	f.Helper()
	f.now.SetTime(f.now.Now().Add(after))
	for waits := true; waits; {
		waits = false
		release := func() bool { return true }
		if len(alerts) > 1 && len(f.posts) == 0 { // reposts wait for each other
			release = limitertest.FillSlots(f.T, f.endpoints.Limiters.Of(endpoints.KeyOf("ns", controllertest.Team), f.now.Now()), f.now.Now())
		}
		for _, a := range alerts {
			result, err := f.Reconcile(f.Context(), ctrl.Request{NamespacedName: nameOf(a)})
			if err != nil {
				f.Fatalf("%s: %v", why, err)
			}
			next = result.RequeueAfter.Round(time.Second)
		}
		release()
		for _, a := range alerts {
			if f.isWaiting(a) {
				<-f.answered
				waits = true
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.Sort(f.posts)
	if !slices.Equal(f.posts, want) {
		f.Errorf("%s: posted %q, want %q", why, f.posts, want)
	}
	f.posts = nil
	return next
}

// isWaiting reports whether a repost of an Alert waits, or has been answered since it was reconciled.
func (f *replica) isWaiting(a *v1beta1.Alert) bool {
	f.pending.mu.Lock()
	defer f.pending.mu.Unlock()
	e := f.pending.entries[nameOf(a)]
	return e != nil && len(e.queued) > 0
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
		next   time.Duration
	}{
		{"it is new", 0, 0, []string{"a 10m0s"}, alertmanager.RepostEvery},
		{"not before its time", time.Minute, 0, nil, alertmanager.RepostEvery - time.Minute},
		{"again", time.Minute, 0, []string{"a 10m0s"}, alertmanager.RepostEvery},
		{"again, but it is away", alertmanager.RepostEvery, http.StatusServiceUnavailable, []string{"a 10m0s"}, repostRetry},
		{"it is back", repostRetry, 0, []string{"a 10m0s"}, alertmanager.RepostEvery},
	} {
		f.status = c.status
		if next := f.reconcile(c.why, c.after, alerts, c.posts...); next != c.next {
			t.Errorf("%s: next in %s, want %s", c.why, next, c.next)
		}
	}
	if f.writes != 1 {
		t.Errorf("%d writes: a repost changes no status", f.writes)
	}
	if seen := f.service.Seen(); len(seen) != 1 {
		t.Errorf("people see %v", seen)
	}
}

// F-P36: Alerts are posted again in one request. One that is refused does not keep the others from being posted, now or later.
func TestAlertmanagerIsToldInBatches(t *testing.T) {
	alerts := []*v1beta1.Alert{alertForTeam("a"), alertForTeam("b"), alertForTeam("bad")}
	f := newReplica(t, alerts...)
	for _, a := range alerts {
		f.reconcile("it is new", 0, []*v1beta1.Alert{a}, a.Name+" 10m0s")
	}
	f.reconcile("again", alertmanager.RepostEvery, alerts, "a 10m0s, b 10m0s, bad 10m0s")
	f.refuse = "bad"
	f.reconcile("one is refused", alertmanager.RepostEvery, alerts, "a 10m0s", "a 10m0s, b 10m0s, bad 10m0s", "b 10m0s", "bad 10m0s")
	f.reconcile("again, after a failure", repostRetry, alerts, "bad 10m0s")
	f.reconcile("the others are not separated any more", alertmanager.RepostEvery, alerts, "a 10m0s, b 10m0s", "bad 10m0s")
	f.refuse = ""
	f.reconcile("none is refused", alertmanager.RepostEvery, alerts, "a 10m0s, b 10m0s", "bad 10m0s")
	f.reconcile("all together", alertmanager.RepostEvery, alerts, "a 10m0s, b 10m0s, bad 10m0s")
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
		{name: "Retain", delete: true, edit: func(a *v1beta1.Alert) {
			a.Annotations = map[string]string{"bellhop.gophernetes.io/deletion-policy": "Retain"}
		}, posts: []string{kept}, gone: true},
		{name: "Retain, Alertmanager is away", delete: true, status: http.StatusServiceUnavailable, edit: func(a *v1beta1.Alert) {
			a.Annotations = map[string]string{"bellhop.gophernetes.io/deletion-policy": "Retain"}
		}, posts: []string{kept}, gone: true},
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
				f.reconcile("again", repostRetry, alerts, kept)
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
