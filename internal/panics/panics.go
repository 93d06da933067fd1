// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package panics ends a panic where it occurs: with an error of one reconcile, request or cache entry. It counts each, and logs its stack.
package panics

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Component is the part of the operator in which a panic occurred. The set is closed.
type Component string

const (
	Reconciler Component = "reconciler"
	Receiver   Component = "receiver" // the preparation and sending of requests to receivers
	Broker     Component = "broker"   // the preparation and sending of requests to brokers
	Cluster    Component = "cluster"  // reads and writes of objects for several callers
)

var total = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "bellhop_panics_total",
	Help: "Panics that ended one reconcile, request or cache entry, by component (reconciler, receiver, broker, cluster). Each is a mistake in Bellhop.",
}, []string{"component"})

// Register registers the metric bellhop_panics_total.
func Register(registry prometheus.Registerer) error { return registry.Register(total) }

// Error is the error of an action that ended with a panic. Its text is shown in statuses.
type Error struct{ doing string }

func (e *Error) Error() string {
	return "this is a mistake in Bellhop: the operator panicked while " + e.doing + ". It retries with backoff; please report it with the stack trace in the log of the operator"
}

// Recover is deferred: it recovers from a panic and sets err to an *Error. doing follows "while", such as "sending a message".
func Recover(ctx context.Context, component Component, doing string, err *error) {
	if recovered := recover(); recovered != nil {
		*err = Count(ctx, component, doing, recovered)
	}
}

// Count counts a panic, logs it with its stack, which has no values, and returns it as an error. It is called by the deferred function that
// recovers.
func Count(ctx context.Context, component Component, doing string, recovered any) *Error {
	total.WithLabelValues(string(component)).Inc()
	err, _ := recovered.(runtime.Error) // other panics are logged without their text, which may have the content of a message
	log.FromContext(ctx).Error(err, "The operator panicked", "component", component, "while", doing, "type", fmt.Sprintf("%T", recovered), "stack", string(debug.Stack()))
	return &Error{doing}
}
