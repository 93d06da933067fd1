// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/fake"
	clienteventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	k8stesting "k8s.io/client-go/testing"

	"github.com/gophernetes/bellhop/internal/pager/notify/event"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func anEvent() event.Event {
	return event.Event{
		Namespace: "shop", Name: "down.68f9d47abeaae53b", RegardingName: "down", RegardingUID: "5f0c", Type: event.TypeWarning,
		Reason: "AlertFired", Action: "Notify", Note: "[Critical] Down", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

// F-P25: the name of the reporting controller is a qualified name, with or without a prefix.
func TestCreateEvent(t *testing.T) {
	cluster := fake.NewClientset()
	creator := &eventCreator{events: cluster.EventsV1(), instance: "bellhop-0"}
	for _, want := range []bool{false, true} {
		if existed, err := creator.Create(t.Context(), anEvent()); err != nil || existed != want {
			t.Errorf("got %t, %v; want %t", existed, err, want)
		}
	}
	list, err := cluster.EventsV1().Events("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("got %d events, %v", len(list.Items), err)
	}
	got := list.Items[0]
	got.ManagedFields = nil
	want := eventsv1.Event{
		TypeMeta:            got.TypeMeta,
		ObjectMeta:          metav1.ObjectMeta{Namespace: "shop", Name: "down.68f9d47abeaae53b"},
		EventTime:           metav1.NewMicroTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		ReportingController: "bellhop",
		ReportingInstance:   "bellhop-0",
		Action:              "Notify",
		Reason:              "AlertFired",
		Regarding:           corev1.ObjectReference{APIVersion: "pager.k8s.co/v1beta1", Kind: "Alert", Namespace: "shop", Name: "down", UID: "5f0c"},
		Note:                "[Critical] Down",
		Type:                "Warning",
	}
	if problems := validation.IsQualifiedName(got.ReportingController); len(problems) > 0 {
		t.Errorf("reportingController: %q", problems)
	}
	if got.String() != want.String() {
		t.Errorf("got\n%s, want\n%s", got.String(), want.String())
	}
}

func TestCreateEventFails(t *testing.T) {
	events := schema.GroupResource{Group: "events.k8s.io", Resource: "events"}
	ending := apierrors.NewForbidden(events, "canary", errors.New("canary is being terminated"))
	ending.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause, Message: "canary", Field: "metadata.namespace"}}
	broken := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://canary/apis/events.k8s.io/v1", Err: err}
	}
	for _, c := range []struct {
		why     string
		err     error
		class   result.Class
		reason  string
		wait    time.Duration
		message string
	}{
		// F-P42: other namespaces' Alerts do not wait for it.
		{"the namespace is being deleted", ending, result.Permanent, result.ReasonGone, 0, "the namespace is being deleted and takes no events"},
		{"the namespace is gone", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "canary"), result.Permanent, result.ReasonGone, 0,
			"the namespace does not exist any more"},
		{"no right, or a quota", apierrors.NewForbidden(events, "canary", errors.New("canary")), result.Temporary, result.ReasonForbidden, 0,
			"the API server did not take the event: Forbidden"},
		{"the operator's token", apierrors.NewUnauthorized("canary"), result.Temporary, result.ReasonUnauthorized, 0, "the API server did not take the event: Unauthorized"},
		{"not valid", apierrors.NewInvalid(schema.GroupKind{Kind: "Event"}, "canary", nil), result.Permanent, result.ReasonRejected, 0,
			"the API server did not take the event: Invalid"},
		{"a webhook's denial", &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusBadRequest, Message: "canary"}},
			result.Permanent, result.ReasonRejected, 0, "the API server did not take the event"},
		{"too large", apierrors.NewRequestEntityTooLargeError("canary"), result.Permanent, result.ReasonRejected, 0,
			"the API server did not take the event: RequestEntityTooLarge"},
		{"too many", apierrors.NewTooManyRequests("canary", 7), result.Temporary, result.ReasonRateLimited, 7 * time.Second,
			"the API server did not take the event: TooManyRequests"},
		{"its own time limit", apierrors.NewTimeoutError("canary", 0), result.Unknown, result.ReasonTimeout, 0, "the API server did not take the event: Timeout"},
		{"that of a part of it", apierrors.NewServerTimeout(events, "create", 0), result.Unknown, result.ReasonTimeout, 0,
			"the API server did not take the event: ServerTimeout"},
		{"trouble", apierrors.NewInternalError(errors.New("canary")), result.Unknown, result.ReasonServerError, 0, "the API server did not take the event: InternalError"},
		{"starting", apierrors.NewServiceUnavailable("canary"), result.Unknown, result.ReasonServerError, 0,
			"the API server did not take the event: ServiceUnavailable"},
		{"no answer", broken(context.DeadlineExceeded), result.Unknown, result.ReasonTimeout, 0, "the API server gave no answer in time"},
		{"we stop", broken(context.Canceled), result.Unknown, result.ReasonCanceled, 0, "the request to the API server was cancelled"},
		{"nobody listens", broken(syscall.ECONNREFUSED), result.Temporary, result.ReasonConnectionFailed, 0, "the API server cannot be reached"},
		{"the line is cut", broken(syscall.ECONNRESET), result.Unknown, result.ReasonConnectionFailed, 0, "the request to the API server failed"},
	} {
		cluster := fake.NewClientset()
		cluster.PrependReactor("create", "events", func(k8stesting.Action) (bool, runtime.Object, error) {
			return true, nil, fmt.Errorf("creating: %w", c.err)
		})
		existed, err := (&eventCreator{events: cluster.EventsV1(), instance: "bellhop-0"}).Create(t.Context(), anEvent())
		want := result.Error{Class: c.class, Reason: c.reason, RetryAfter: c.wait, Message: c.message}
		if own, ok := errors.AsType[*result.Error](err); !ok || *own != want || existed || strings.Contains(own.Message, "canary") {
			t.Errorf("%s: got %t, %+v; want %+v", c.why, existed, err, want)
		}
	}
}

// eventsOf is a cluster's Events that can only be made.
type eventsOf func(context.Context) error

func (e eventsOf) Events(string) clienteventsv1.EventInterface { return madeEvents{create: e} }

type madeEvents struct {
	clienteventsv1.EventInterface
	create eventsOf
}

func (m madeEvents) Create(ctx context.Context, e *eventsv1.Event, _ metav1.CreateOptions) (*eventsv1.Event, error) {
	return e, m.create(ctx)
}

func TestCreateEventEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	limited := false
	events := eventsOf(func(ctx context.Context) error {
		_, limited = ctx.Deadline()
		return ctx.Err()
	})
	_, err := (&eventCreator{events: events, instance: "bellhop-0"}).Create(ctx, anEvent())
	if own, ok := errors.AsType[*result.Error](err); !ok || own.Reason != result.ReasonCanceled || !limited {
		t.Errorf("got %v; a time limit: %t", err, limited)
	}
}
