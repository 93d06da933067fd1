// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// bucketSender is a receiver with a limit of its own: a burst, and then one message each interval. It answers 429 without Retry-After.
type bucketSender struct {
	mu       sync.Mutex
	began    time.Time
	burst    int
	interval time.Duration
	accepted []notify.Severity // of the messages, in order
	refused  int
}

func (b *bucketSender) Send(_ context.Context, m notify.Message, _ notify.Key) (result.Receipt, error) {
	time.Sleep(50 * time.Millisecond)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.accepted) >= b.burst+int(time.Since(b.began)/b.interval) {
		b.refused++
		return result.Receipt{}, &result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, Message: "HTTP 429 Too Many Requests"}
	}
	b.accepted = append(b.accepted, m.Severity)
	return result.Receipt{}, nil
}

func (*bucketSender) Close() {}

// F-P72: of 80 Alerts the Critical ones get what a receiver with a limit of its own takes, before most of the others.
func TestF_P72_ThrottledAlertsGoBySeverity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sender := &bucketSender{began: time.Now(), burst: 10, interval: 2 * time.Second}
		_, receiver := controllertest.NewAlertAndReceiver("http://127.0.0.1:1")
		receiver.UID = "receiver"
		objects := []client.Object{receiver}
		for i := range 80 {
			objects = append(objects, controllertest.NewAlert(func(a *v1beta1.Alert) {
				a.Name, a.UID = fmt.Sprintf("a%02d", i), types.UID(fmt.Sprint("uid", i))
				a.CreationTimestamp = metav1.Now()
				a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{{Kind: v1beta1.KindReceiver, Name: receiver.Name}}
				if i%8 == 7 {
					a.Spec.Severity = v1beta1.SeverityCritical
				}
			}))
		}
		r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, objects...))
		r.recorder = &events.FakeRecorder{} // without a channel it keeps nothing
		target, err := r.resolver.Target(t.Context(), "ns", v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: receiver.Name})
		if err != nil {
			t.Fatal(err)
		}
		key := endpoints.KeyOf("ns", v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: receiver.Name})
		if _, err := r.endpoints.Senders.Of(key, target.Revision, func(*endpoints.PreparedSender) (*endpoints.PreparedSender, error) {
			return &endpoints.PreparedSender{Sender: sender}, nil
		}); err != nil {
			t.Fatal(err)
		}
		run(t, r, objects[1:])
		time.Sleep(5 * time.Minute) // the receiver needs 140 s
		sender.mu.Lock()
		defer sender.mu.Unlock()
		if len(sender.accepted) != 80 {
			t.Fatalf("%d Alerts are sent", len(sender.accepted))
		}
		last := 0
		for i, severity := range sender.accepted {
			if severity == notify.Critical {
				last = i
			}
		}
		if last > 25 {
			t.Errorf("the last Critical is Alert %d of 80", last+1)
		}
		if sender.refused > 4*80 {
			t.Errorf("%d requests were refused", sender.refused)
		}
	})
}

// run reconciles Alerts as a controller does, until the test ends.
func run(t *testing.T, r *Reconciler, alerts []client.Object) {
	t.Helper()
	queue := priorityqueue.New[reconcile.Request](t.Name())
	if err := r.wake.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts {
		queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(a)})
	}
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for {
				request, shutdown := queue.Get()
				if shutdown {
					return
				}
				result, err := r.Reconcile(context.WithoutCancel(t.Context()), request)
				if err != nil {
					t.Error(err)
				}
				queue.Done(request)
				if result.RequeueAfter > 0 {
					queue.AddAfter(request, result.RequeueAfter)
				}
			}
		})
	}
	t.Cleanup(func() {
		queue.ShutDown()
		workers.Wait()
	})
}
