// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

const (
	// renewAhead is how long before the broker's renew_before credentials are replaced.
	renewAhead = 10 * time.Second
	// minInterval and maxInterval bound half of the lifetime of credentials, the shortest time between two replacements, for any lifetime that the
	// broker sets.
	minInterval, maxInterval = 30 * time.Second, 10 * time.Minute
	// shortestLifetime is the lifetime of credentials that is taken for a mistake of a clock: a running Pod could not use them for long enough.
	shortestLifetime = time.Minute
)

// renewal returns when the credentials are replaced; zero: never. Without a renew_before of the broker's that is when two thirds of their
// lifetime are over, since a running Pod sees a mounted Secret up to 90 s later.
func renewal(s *v1beta1.ServiceBindingStatus, now time.Time) time.Time {
	if s.RenewBefore == nil && s.ExpiresAt == nil {
		return time.Time{}
	}
	lifetime := lifetimeOf(s)
	var at time.Time
	if s.RenewBefore != nil {
		at = s.RenewBefore.Add(-renewAhead)
	} else {
		at = s.ExpiresAt.Add(-max(lifetime/3, renewAhead))
	}
	if s.IssuedAt != nil {
		at = times.Latest(at, times.DueAfter(s.IssuedAt.Time, interval(lifetime), now))
	}
	return at
}

// lifetimeOf returns how long the credentials are valid; 0 or less: that is not known.
func lifetimeOf(s *v1beta1.ServiceBindingStatus) time.Duration {
	end := s.ExpiresAt
	if end == nil {
		end = s.RenewBefore
	}
	if end == nil || s.IssuedAt == nil {
		return 0
	}
	return end.Sub(s.IssuedAt.Time)
}

// interval returns the shortest time between two replacements of credentials with a lifetime.
func interval(lifetime time.Duration) time.Duration {
	if lifetime <= 0 { // one of the two clocks is wrong
		return maxInterval
	}
	return min(max(lifetime/2, minInterval), maxInterval)
}

// hasEnded reports whether the credentials have expired by this clock.
func hasEnded(s *v1beta1.ServiceBindingStatus, now time.Time) bool {
	return s.ExpiresAt != nil && !now.Before(s.ExpiresAt.Time)
}

// recordExpiry records when credentials that the broker has returned end.
func recordExpiry(s *v1beta1.ServiceBindingStatus, binding *osbresult.Binding, now time.Time) {
	end, renewal := expiryTime(binding.ExpiresAt), expiryTime(binding.RenewBefore)
	if hasExpiry(binding) && s.IssuedAt != nil && end.Equal(s.ExpiresAt) && renewal.Equal(s.RenewBefore) {
		return // the same ones
	}
	s.ExpiresAt, s.RenewBefore, s.IssuedAt = end, renewal, nil
	if hasExpiry(binding) {
		s.IssuedAt = times.Timestamp(now)
	}
}

// hasExpiry reports whether the broker has said when the credentials end.
func hasExpiry(b *osbresult.Binding) bool { return !b.ExpiresAt.IsZero() || !b.RenewBefore.IsZero() }

// expiryTime returns a time of the broker's for the status; nil: the broker gave none.
func expiryTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return times.Timestamp(t)
}

// isPredecessor reports whether an id belongs to a binding that was replaced.
func isPredecessor(s *v1beta1.ServiceBindingStatus, id string) bool {
	return slices.ContainsFunc(s.Predecessors, func(p v1beta1.PredecessorBinding) bool { return p.ID == id })
}

// InstanceFingerprint identifies the plan and the parameters that an instance has at the broker; empty: it has none, or is being updated.
func InstanceFingerprint(instance *v1beta1.ServiceInstance) string {
	if instance == nil || instance.Status.CurrentOperation != "" {
		return ""
	}
	return RecordedFingerprint(instance)
}

// RecordedFingerprint is the fingerprint that is recorded with credentials. During an update it is the fingerprint of the instance's former
// properties, so that the credentials are fetched again once the properties have changed.
func RecordedFingerprint(instance *v1beta1.ServiceInstance) string {
	if instance == nil || instance.Status.ExternalProperties == nil {
		return ""
	}
	return rules.Fingerprint(instance.Status.ExternalProperties)
}

// unknownFingerprint is recorded with credentials if the instance's properties at the time of their issue are not known. No instance has this
// fingerprint, so that they are fetched again.
var unknownFingerprint = rules.Fingerprint(&v1beta1.ServiceInstancePropertiesState{})

// IsMadeBefore reports whether an instance was updated after the credentials of a binding were made, or last fetched.
func IsMadeBefore(s *v1beta1.ServiceBindingStatus, instance *v1beta1.ServiceInstance) bool {
	was, is := s.InstanceFingerprint, InstanceFingerprint(instance)
	return was != "" && is != "" && was != is
}
