// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package load makes an API server call validating webhooks that have the failurePolicy Fail.
package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Load creates objects in dry runs.
type Load struct {
	client   client.Client
	object   client.Object
	cancel   context.CancelFunc
	done     sync.WaitGroup
	accepted atomic.Int64
	mu       sync.Mutex
	refused  []string
}

// Receiver returns an object of pager.k8s.co that its validating webhook admits.
func Receiver() client.Object {
	r := &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, GenerateName: "load-"}}
	r.Spec.Event = &pagerv1beta1.EventProvider{}
	return r
}

// Broker returns an object of servicecatalog.k8s.io that its validating webhook admits.
func Broker() client.Object {
	b := &servicecatalogv1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{GenerateName: "load-"}}
	b.Spec.URL = "https://broker.invalid"
	return b
}

// Start creates an object as often per second until Stop. The client's scheme has its kind.
func Start(ctx context.Context, c client.Client, perSecond int, object client.Object) *Load {
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{client: c, object: object, cancel: cancel}
	l.done.Go(func() {
		for tick := time.Tick(time.Second / time.Duration(perSecond)); ctx.Err() == nil; <-tick {
			l.done.Go(func() { l.request(context.WithoutCancel(ctx)) })
		}
	})
	return l
}

func (l *Load) request(ctx context.Context) {
	object := l.object.DeepCopyObject().(client.Object)
	if err := l.client.Create(ctx, object, client.DryRunAll); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refused = append(l.refused, fmt.Sprintf("%s: %v", time.Now().Format(time.TimeOnly), err))
		return
	}
	l.accepted.Add(1)
}

// Refused returns when and why requests were refused.
func (l *Load) Refused() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.refused...)
}

// Stop ends the requests, and returns how many were accepted.
func (l *Load) Stop() (accepted int64) {
	l.cancel()
	l.done.Wait()
	return l.accepted.Load()
}
