// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	clienteventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/event"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// eventTimeout bounds the creation of an Event.
const eventTimeout = 10 * time.Second

// eventCreator creates the Events of receivers with the provider event. The recorder drops Events without an error.
type eventCreator struct {
	events   clienteventsv1.EventsGetter
	instance string // of the operator: the name of its Pod
}

// NewEventCreator returns the creator of the Events of receivers with the provider event. instance is the name of the operator's Pod.
func NewEventCreator(events clienteventsv1.EventsGetter, instance string) event.Creator {
	return &eventCreator{events: events, instance: instance}
}

var _ event.Creator = (*eventCreator)(nil)

// Create creates an Event, unless it exists.
func (c *eventCreator) Create(ctx context.Context, e event.Event) (existed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	_, err = c.events.Events(e.Namespace).Create(ctx, &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name},
		EventTime:           metav1.NewMicroTime(e.Time),
		ReportingController: "bellhop", // as in Events of the recorder
		ReportingInstance:   c.instance,
		Action:              e.Action,
		Reason:              e.Reason,
		Regarding: corev1.ObjectReference{
			APIVersion: v1beta1.GroupVersion.String(),
			Kind:       "Alert",
			Namespace:  e.Namespace,
			Name:       e.RegardingName,
			UID:        types.UID(e.RegardingUID),
		},
		Note: e.Note,
		Type: e.Type,
	}, metav1.CreateOptions{})
	switch {
	case err == nil:
		return false, nil
	case apierrors.IsAlreadyExists(err): // the name is derived from the message's key: it is this Event
		return true, nil
	}
	return false, eventFailure(err)
}

// eventFailure classifies an error as event.Creator documents it. The API server's message is left out: it may come from a webhook, and
// names the operator's account.
func eventFailure(err error) *result.Error {
	if _, answered := errors.AsType[*apierrors.StatusError](err); answered {
		return eventRefusal(err)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), utilnet.IsTimeout(err):
		return &result.Error{Class: result.Unknown, Reason: result.ReasonTimeout, Message: "the API server gave no answer in time"}
	case errors.Is(err, context.Canceled):
		return &result.Error{Class: result.Unknown, Reason: result.ReasonCanceled, Message: "the request to the API server was cancelled"}
	case utilnet.IsConnectionRefused(err):
		return &result.Error{Class: result.Temporary, Reason: result.ReasonConnectionFailed, Message: "the API server cannot be reached"}
	}
	return &result.Error{Class: result.Unknown, Reason: result.ReasonConnectionFailed, Message: "the request to the API server failed"}
}

func eventRefusal(err error) *result.Error {
	e := &result.Error{Message: "the API server did not take the event"}
	if reason := apierrors.ReasonForError(err); reason != metav1.StatusReasonUnknown {
		e.Message += ": " + string(reason)
	}
	switch {
	// The fault is in the Alert's namespace, and lasts: the receiver serves other namespaces.
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		e.Class, e.Reason = result.Permanent, result.ReasonGone
		e.Message = "the namespace is being deleted and takes no events"
	case apierrors.IsNotFound(err):
		e.Class, e.Reason = result.Permanent, result.ReasonGone
		e.Message = "the namespace does not exist any more"
	case apierrors.IsForbidden(err): // no event follows when a role or a quota changes
		e.Class, e.Reason = result.Temporary, result.ReasonForbidden
	case apierrors.IsUnauthorized(err):
		e.Class, e.Reason = result.Temporary, result.ReasonUnauthorized
	case apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse): // not an error of the API server
		e.Class, e.Reason = result.Configuration, result.ReasonRejected
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		e.Class, e.Reason = result.Permanent, result.ReasonRejected
	case apierrors.IsTooManyRequests(err):
		e.Class, e.Reason = result.Temporary, result.ReasonRateLimited
		seconds, _ := apierrors.SuggestsClientDelay(err)
		e.RetryAfter = time.Duration(seconds) * time.Second
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		e.Class, e.Reason = result.Unknown, result.ReasonTimeout
	default:
		e.Class, e.Reason = result.Unknown, result.ReasonServerError
	}
	return e
}
