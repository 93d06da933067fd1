// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package audit reports in events and in the log which resource was deleted at a broker, or left there, the reason, and the user who changed the
// object last.
package audit

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// External is the resource of an object at a broker, as events and the log name it when it is deleted or left there.
type External struct {
	ID     string            // of the instance or binding
	Broker v1beta1.Broker    // nil: it does not exist, or is not known
	User   *v1beta1.UserInfo // the one who changed the object's spec last; nil: not known
}

// Deleted announces that a broker has confirmed a deletion. The rule is why it was requested.
func Deleted(ctx context.Context, recorder events.EventRecorder, about client.Object, at External, rule rules.DeletionRule) {
	log.FromContext(ctx).Info("Deleted at the broker", append(at.keysAndValues(), "rule", rule)...)
	recorder.Eventf(about, nil, corev1.EventTypeNormal, v1beta1.ReasonDeletedAtBroker, "Delete", "%s",
		redact.Shorten(fmt.Sprintf("Deleted at the broker (%s): %s", rule, at), rules.MaxNote))
}

// Left announces that something is left at a broker, and why.
func Left(ctx context.Context, recorder events.EventRecorder, about client.Object, at External, reason, action, why string) {
	log.FromContext(ctx).Info("Left at the broker", append(at.keysAndValues(), "reason", reason, "message", why)...)
	recorder.Eventf(about, nil, corev1.EventTypeWarning, reason, action, "%s", redact.Shorten(redact.Capitalize(fmt.Sprintf("%s (%s)", why, at)), rules.MaxNote))
}

// String returns the text for an event.
func (e External) String() string {
	user := ""
	if e.User != nil && e.User.Username != "" {
		user = fmt.Sprintf(", last changed by %q", e.User.Username)
	}
	return fmt.Sprintf("id %q at %s%s", e.ID, cmp.Or(e.address(), "a broker that is not known"), user)
}

func (e External) keysAndValues() []any {
	user := ""
	if e.User != nil {
		user = e.User.Username
	}
	return []any{"id", e.ID, "broker", e.address(), "user", user}
}

// address returns the broker's address without a user and password; "": it is not known.
func (e External) address() string {
	if e.Broker == nil {
		return ""
	}
	address, _, err := osb.ParseURL(e.Broker.Common().URL)
	if err != nil { // then it got no request
		return ""
	}
	return address
}
