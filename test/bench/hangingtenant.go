// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

const aboutHangingTenant = `
p50, p99, max: of objects of other namespaces, from their accepted create until a watch shows them as %s. with: %s before that,
another namespace got as many ServiceBrokers and Receivers as the title says, all of which accept connections and answer nothing,
and an Alert to each of these Receivers. The slowest of all: %.0f ms with, %.0f ms without. Aim: with / without of p99 at most 1.15.
` + aboutRuns

// hangingTenantSettle is how long a namespace of endpoints that hang is there before others are measured: what was to be done about the
// creation of its objects is done by then, so that its requests that hang are what the others meet.
const hangingTenantSettle = 30 * time.Second

// hangingTenantPart measures how much the endpoints of one namespace slow down other namespaces while they hang.
func (b *bench) hangingTenantPart(ctx context.Context, out io.Writer) error {
	for _, part := range []struct {
		what, done string
		objects    int
		run        runFunc
	}{
		{"Alerts", "Sent", b.runAlerts, b.measureReceiverIsolation},
		{"instances", "Ready", b.runInstances, b.measureInstances},
	} {
		fmt.Fprintf(out, "tenant, %s: %d in a run, %g a second; runs: %d with %d hanging ServiceBrokers and %d hanging Receivers of one namespace, %d without, in turn\n\n",
			part.what, part.objects, b.rate, b.runs, b.hanging, b.hanging, b.runs)
		with, without, err := b.alternateRuns(ctx, out, func(ctx context.Context, s *environment, name string, hanging bool) (isolationFigures, error) {
			return b.measureBesideTenant(ctx, s, name, hanging, part.run)
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, aboutHangingTenant, part.done, hangingTenantSettle, milliseconds(maxLatency(with)), milliseconds(maxLatency(without)))
	}
	return nil
}

// measureBesideTenant makes one run of objects whose own endpoints work.
func (b *bench) measureBesideTenant(ctx context.Context, s *environment, name string, hanging bool, run runFunc) (figures isolationFigures, err error) {
	if !hanging {
		return run(ctx, s, name, false)
	}
	ctx, cancel := context.WithCancel(ctx) // which ends the watches
	defer cancel()
	server, err := newReceiver(ctx, hangUntilHealed)
	if err != nil {
		return figures, err
	}
	defer server.close()
	ns, err := b.addHangingTenant(ctx, s.api, name+"-hanging", server)
	if err != nil {
		return figures, err
	}
	select {
	case <-time.After(hangingTenantSettle):
	case <-ctx.Done():
		return figures, context.Cause(ctx)
	}
	if figures, err = run(ctx, s, name, false); err != nil {
		return figures, err
	}
	server.heal()
	return figures, errors.Join(
		ns.removeAll(ctx, b.hanging),
		s.api.DeleteAllOf(ctx, &servicecatalogv1beta1.ServiceBroker{}, client.InNamespace(ns.namespace)),
		s.api.DeleteAllOf(ctx, &v1beta1.Receiver{}, client.InNamespace(ns.namespace)))
}

// addHangingTenant creates a namespace whose ServiceBrokers and Receivers are all at one server, and an Alert to each Receiver.
func (b *bench) addHangingTenant(ctx context.Context, api client.WithWatch, name string, server *receiver) (*alertNamespace, error) {
	ns, err := newAlertNamespace(ctx, api, name, func(a *v1beta1.Alert) bool { return a.Status.Sent })
	if err != nil {
		return nil, err
	}
	ns.roundRobin = true
	for i := range b.hanging {
		broker := &servicecatalogv1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: objectName(i)}}
		broker.Spec.URL = server.url
		if err := errors.Join(api.Create(ctx, broker), ns.addReceiver(ctx, objectName(i), server)); err != nil {
			return nil, err
		}
	}
	for i := range b.hanging {
		if err := ns.create(ctx, i); err != nil {
			return nil, err
		}
	}
	return ns, nil
}

// measureInstances makes one run of instances at a new broker that works.
func (b *bench) measureInstances(ctx context.Context, s *environment, name string, _ bool) (figures isolationFigures, err error) {
	ctx, cancel := context.WithCancel(ctx) // which ends the watches
	defer cancel()
	t, err := newRegisteredTenant(ctx, s.api, newService(name, osbtest.Behavior{}))
	if err != nil {
		return figures, err
	}
	defer t.broker.close()
	if err := t.instances.warmUp(ctx); err != nil {
		return figures, err
	}
	if figures, err = b.measureAtRate(ctx, b.runInstances, t.instances.create, t.instances.timeline.waitReady); err != nil {
		return figures, err
	}
	return figures, errors.Join(t.deleteInstancesAndBroker(ctx, b.runInstances+1), t.broker.checkHistories(b.runInstances+1))
}
