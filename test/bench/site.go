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
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// A site is a namespace with receivers and Alerts to them. The Alerts are numbered; 0 is the one that warms everything up.
type site struct {
	api       client.WithWatch
	namespace string
	refs      []v1beta1.ReceiverRef
	seen      *journal
}

// alertName is of one length for all, so that all requests are of one size.
func alertName(i int) string { return fmt.Sprintf("a%05d", i) }

// newSite makes a namespace. What sent says of an Alert ends its clock.
func newSite(ctx context.Context, api client.WithWatch, namespace string, sent func(*v1beta1.Alert) bool) (*site, error) {
	if err := api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return nil, err
	}
	seen, err := follow(ctx, api, namespace, sent)
	return &site{api: api, namespace: namespace, seen: seen}, err
}

// addReceiver makes a Receiver, to which all Alerts from now on go.
func (s *site) addReceiver(ctx context.Context, name string, to *receiver) error {
	r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	r.Spec.Webhook = &v1beta1.WebhookProvider{URL: to.url}
	s.refs = append(s.refs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: name})
	return s.api.Create(ctx, r)
}

// warmUp creates the first Alert and waits until it is sent: now caches are filled and connections are open.
func (s *site) warmUp(ctx context.Context) error {
	if _, err := s.create(ctx, 0); err != nil {
		return err
	}
	_, err := s.seen.sentAt(ctx, 1)
	return err
}

// create makes an Alert, and says when the API server had accepted it.
func (s *site) create(ctx context.Context, i int) (accepted time.Time, err error) {
	a := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: alertName(i)}}
	a.Spec = v1beta1.AlertSpec{
		Title:        "Disk almost full",
		Content:      "node-7 has 3 % left on /var/lib/containers, which is enough for about 20 minutes :warning:",
		Severity:     v1beta1.SeverityCritical,
		ReceiverRefs: s.refs,
	}
	err = s.api.Create(ctx, a)
	return time.Now(), err
}

// burst creates Alerts 1 to n as fast as they go, by some clients at once, and returns when each was accepted.
func (s *site) burst(ctx context.Context, n, creators int) ([]time.Time, error) {
	accepted, errs := make([]time.Time, n+1), make([]error, creators)
	var last atomic.Int64
	var running sync.WaitGroup
	for c := range creators {
		running.Go(func() {
			for i := last.Add(1); i <= int64(n) && errs[c] == nil; i = last.Add(1) {
				accepted[i], errs[c] = s.create(ctx, int(i))
			}
		})
	}
	running.Wait()
	return accepted, errors.Join(errs...)
}

// steady creates Alerts 1 to n at a rate, whether or not those before were accepted by then.
func (s *site) steady(ctx context.Context, n int, perSecond float64) ([]time.Time, error) {
	accepted, errs := make([]time.Time, n+1), make([]error, n+1)
	pace := time.NewTicker(time.Duration(float64(time.Second) / perSecond))
	defer pace.Stop()
	var running sync.WaitGroup
	for i := 1; i <= n; i++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		running.Go(func() { accepted[i], errs[i] = s.create(ctx, i) })
	}
	running.Wait()
	return accepted, errors.Join(errs...)
}

// latencies are the times from accepted to sent of Alerts 1 to n, once all are.
func (s *site) latencies(ctx context.Context, accepted []time.Time) (latencies []time.Duration, lastSent time.Time, err error) {
	sent, err := s.seen.sentAt(ctx, len(accepted))
	if err != nil {
		return nil, time.Time{}, err
	}
	for i := 1; i < len(accepted); i++ {
		latencies = append(latencies, max(0, sent[i].Sub(accepted[i]))) // the watch can be ahead of the answer
		if sent[i].After(lastSent) {
			lastSent = sent[i]
		}
	}
	return latencies, lastSent, nil
}

// clear deletes the first n Alerts, which is all, and returns once they are gone.
func (s *site) clear(ctx context.Context, n int) error {
	if err := s.api.DeleteAllOf(ctx, &v1beta1.Alert{}, client.InNamespace(s.namespace)); err != nil {
		return err
	}
	return s.seen.allGone(ctx, n)
}
