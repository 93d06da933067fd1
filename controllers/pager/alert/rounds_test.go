// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify/alertmanager"
)

func retained(a *v1beta1.Alert) {
	a.Annotations = map[string]string{"bellhop.gophernetes.io/deletion-policy": "Retain"}
}

func (f *replica) editReceiver(edit func(*v1beta1.Receiver)) {
	f.Helper()
	r := &v1beta1.Receiver{}
	if err := f.client.Get(f.Context(), client.ObjectKey{Namespace: "ns", Name: controllertest.Team.Name}, r); err != nil {
		f.Fatal(err)
	}
	edit(r)
	if err := f.client.Update(f.Context(), r); err != nil {
		f.Fatal(err)
	}
}

// A repost that arrives after the resolve would start the alert again, so that the resolve waits. It takes no slot meanwhile, which would count
// for the receiver's rate.
func TestWaitingForARepostSpendsNoRate(t *testing.T) {
	alerts := []*v1beta1.Alert{alertForTeam("a")}
	f := newReplica(t, alerts...)
	f.editReceiver(func(r *v1beta1.Receiver) { r.Spec.RateLimit = &v1beta1.RateLimit{Count: 3, PeriodSeconds: 3600} })
	f.reconcile("it is new", 0, alerts, "a 10m0s")
	a := f.holdRepost(alerts[0])
	a.Spec.State = v1beta1.AlertResolved
	if err := f.client.Update(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if result, err := f.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(a)}); err != nil || result.RequeueAfter == 0 {
			t.Errorf("while the repost is in flight: %+v, %v", result, err)
		}
	}
	f.endRepost()
	f.reconcile("the repost has ended", 0, alerts, "a 0s", "a 10m0s")
}

// holdRepost begins a repost that is not answered before endRepost, and returns the Alert as it is.
func (f *replica) holdRepost(alert *v1beta1.Alert) *v1beta1.Alert {
	f.Helper()
	f.now.SetTime(f.now.Now().Add(alertmanager.RepostEvery))
	f.hold = make(chan struct{})
	if err := f.reposts.Look(f.Context()); err != nil {
		f.Fatal(err)
	}
	<-f.hold
	a := &v1beta1.Alert{}
	if err := f.client.Get(f.Context(), nameOf(alert), a); err != nil {
		f.Fatal(err)
	}
	return a
}

func (f *replica) endRepost() {
	hold := f.hold
	f.hold = nil
	<-hold
	f.reposts.Wait()
}

// countedLists counts lists.
type countedLists struct {
	client.Reader

	lists *atomic.Int64
}

func (c countedLists) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	c.lists.Add(1)
	return c.Reader.List(ctx, list, options...)
}

// The loop does not look again at once for an Alert that goes away and was given up.
func TestLoopDoesNotSpin(t *testing.T) {
	alerts := []*v1beta1.Alert{alertForTeam("a", retained)}
	f := newReplica(t, alerts...)
	f.reconcile("it is new", 0, alerts, "a 10m0s")
	if err := f.client.Delete(t.Context(), alerts[0]); err != nil {
		t.Fatal(err)
	}
	f.status = http.StatusServiceUnavailable
	f.reconcile("Alertmanager is away", 0, alerts, "a 168h0m0s")
	f.wantGone(alerts[0], true)
	f.now.SetTime(f.now.Now().Add(31 * time.Second))
	lists := &atomic.Int64{}
	f.reposts.Cache = countedLists{f.reposts.Cache, lists}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := f.reposts.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if n := lists.Load(); n > 3 {
		t.Errorf("the loop has looked %d times in a second", n)
	}
}

// R11: a row that was recorded by a clock that was ahead does not put the repost off.
func TestRepostsAfterAClockThatWasAhead(t *testing.T) {
	alerts := []*v1beta1.Alert{alertForTeam("a")}
	f := newReplica(t, alerts...)
	f.reconcile("it is new", 0, alerts, "a 10m0s")
	f.now.SetTime(f.now.Now().Add(-time.Hour))
	f.reposts = f.newReposts()
	f.reconcile("another process leads, whose clock is right", alertmanager.RepostEvery, alerts, "a 10m0s")
}

// A final repost is not posted for an Alert that was deleted meanwhile: it is resolved.
func TestNoFinalRepostOfADeletedAlert(t *testing.T) {
	alerts := []*v1beta1.Alert{alertForTeam("a", func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = new(int32(60)) })}
	f := newReplica(t, alerts...)
	f.reconcile("it is new", 0, alerts, "a 10m0s")
	f.now.SetTime(f.now.Now().Add(time.Minute))
	f.reconcileAll("its time to live ends", alerts)
	if err := f.client.Delete(t.Context(), alerts[0]); err != nil {
		t.Fatal(err)
	}
	if err := f.reposts.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.reposts.Wait()
	f.reconcile("it is deleted", 0, alerts, "a 0s")
}

// manyAlerts are Alerts at an Alertmanager that answers as answer says.
func manyAlerts(t *testing.T, n int, answer func(body string) int, edits ...func(*v1beta1.Alert)) (*replica, []*v1beta1.Alert) {
	var alerts []*v1beta1.Alert
	for i := range n {
		alerts = append(alerts, alertForTeam(fmt.Sprintf("a-%d", i), edits...))
	}
	f := newReplica(t, append([]*v1beta1.Alert{alertForTeam("other")}, alerts...)...)
	f.recorder = events.NewFakeRecorder(4 * n)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(answer(string(body)))
	}))
	t.Cleanup(server.Close)
	f.editReceiver(func(r *v1beta1.Receiver) { r.Spec.Alertmanager.URLs = []string{server.URL} })
	return f, alerts
}

// The two rounds to a receiver leave slots to the first message of another Alert while all requests hang.
func TestRoundsLeaveSlots(t *testing.T) {
	var hangs atomic.Bool
	arrived, free := make(chan string, 100), make(chan struct{})
	f, alerts := manyAlerts(t, 130, func(body string) int {
		if hangs.Load() {
			arrived <- body
			<-free
		}
		return http.StatusOK
	}, func(a *v1beta1.Alert) {
		if len(a.Name) == len("a-0") { // ten of them go away
			a.Spec.TTLSecondsAfterFinished = new(int32(60))
		}
	})
	f.reconcileAll("new", alerts)
	f.now.SetTime(f.now.Now().Add(alertmanager.RepostEvery))
	f.reconcileAll("ten go away", alerts)
	hangs.Store(true)
	f.answerTimeout = time.Millisecond
	if err := f.reposts.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	posts := []string{<-arrived, <-arrived}
	f.reconcileAll("a first message meanwhile", []*v1beta1.Alert{alertForTeam("other")})
	posts = append(posts, <-arrived)
	isOther := func(body string) bool { return strings.Contains(body, `"other"`) }
	if !isOther(posts[2]) || slices.ContainsFunc(posts[:2], isOther) {
		t.Errorf("the first message is not the third request")
	}
	hangs.Store(false)
	close(free)
	f.reposts.Wait()
}

// What fails is posted again after 30 s, although others succeeded, and the others after the interval.
func TestPartialFailureIsRepostedSoon(t *testing.T) {
	var fails atomic.Bool
	var posts atomic.Int64
	f, alerts := manyAlerts(t, 65, func(body string) int {
		posts.Add(1)
		if fails.Load() && strings.Contains(body, `"a-0"`) {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	f.reconcileAll("new", alerts)
	fails.Store(true)
	for _, step := range []struct {
		why   string
		after time.Duration
		posts int64
	}{
		{"one of two batches fails", alertmanager.RepostEvery, 2},
		{"that one again", 30 * time.Second, 1},
		{"not before its time", 10 * time.Second, 0},
		{"both", alertmanager.RepostEvery - 40*time.Second, 2},
	} {
		f.now.SetTime(f.now.Now().Add(step.after))
		posts.Store(0)
		if err := f.reposts.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.reposts.Wait()
		if n := posts.Load(); n != step.posts {
			t.Errorf("%s: %d requests, want %d", step.why, n, step.posts)
		}
	}
}

// A final repost that the receiver refuses is tried again after 30 s, as one that fails.
func TestRefusedFinalRepostIsPutOff(t *testing.T) {
	alerts := []*v1beta1.Alert{alertForTeam("a", func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = new(int32(60)) })}
	f := newReplica(t, alerts...)
	f.reconcile("it is new", 0, alerts, "a 10m0s")
	f.refuse = "a"
	f.reconcile("its time to live ends, and the repost is refused", time.Minute, alerts, "a 168h0m0s")
	f.reconcile("not at once", 6*time.Second, alerts)
	f.reconcile("again", 30*time.Second, alerts, "a 168h0m0s")
}
