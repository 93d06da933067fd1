// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

const (
	// renewAhead is how long before the broker's renew_before credentials are replaced.
	renewAhead = 10 * time.Second
	// minInterval and maxInterval bound half of the lifetime of credentials, the shortest time between two replacements, for any lifetime that the
	// broker sets.
	minInterval, maxInterval = 30 * time.Second, 10 * time.Minute
	// uncertainInterval takes the place of maxInterval where the lifetime depends on which clock is right: credentials that live for hours may seem to
	// live for minutes.
	uncertainInterval = 15 * time.Minute
	// shortestLifetime is the lifetime of credentials that is taken for a mistake of a clock: a running Pod could not use them for long enough.
	shortestLifetime = time.Minute
)

// renewal returns when, by this process's clock, the credentials are replaced; zero: never.
func (in *Inputs) renewal(s *v1beta1.ServiceBindingStatus) time.Time {
	if issue := in.ObserveIssue(s); issue != nil {
		byBoth := times.Earliest(in.Now, in.Server.Steady).Sub(issue.Recorded) // at their issue both clocks may have been behind
		return in.Now.Add(in.renewalAge(s) - max(issue.Age, byBoth))
	}
	end := s.RenewBefore // of an earlier version, which has not recorded the issue
	if end == nil {
		end = s.ExpiresAt
	}
	if end == nil {
		return time.Time{}
	}
	return in.Now.Add(end.Sub(in.Server.Begin(in.Now)) - renewAhead)
}

// renewalAge returns how long after their issue credentials are replaced. Without a renew_before of the broker's that is when two thirds of their
// lifetime are over, since a running Pod sees a mounted Secret up to 90 s later.
func (in *Inputs) renewalAge(s *v1beta1.ServiceBindingStatus) time.Duration {
	lifetime := lifetimeOf(s)
	age := lifetime - max(lifetime/3, renewAhead)
	if s.RenewBefore != nil {
		age = s.RenewBefore.Sub(s.IssuedAt.Time) - renewAhead
	}
	return max(age, in.interval(lifetime))
}

// interval returns the shortest time between two replacements of credentials with a lifetime. Where that depends on which clock is right, it is half of
// the longer lifetime.
func (in *Inputs) interval(lifetime time.Duration) time.Duration {
	longest := maxInterval
	if in.isUncertain(lifetime) {
		longest, lifetime = uncertainInterval, lifetime+in.difference()
	}
	if lifetime <= 0 {
		return longest
	}
	return min(max(lifetime/2, minInterval), longest)
}

// isUncertain reports whether a lifetime depends on which clock is right: they differ by more than the lifetime, or it had ended before it began.
func (in *Inputs) isUncertain(lifetime time.Duration) bool {
	return lifetime <= 0 || in.difference() > lifetime
}

// difference returns by how much this process's clock and the API server's differ; 0: no time of the API server was ever known.
func (in *Inputs) difference() time.Duration {
	if in.Server.Steady.IsZero() {
		return 0
	}
	return in.Server.Steady.Sub(in.Now).Abs()
}

// ObserveIssue returns how long ago the credentials were issued, with which Issued is set before a decision; nil: they do not end. Where this process
// has not measured that, the clock that is ahead says it: a replacement takes nothing away, and by one that is behind they would expire before.
func (in *Inputs) ObserveIssue(s *v1beta1.ServiceBindingStatus) *operation.Age {
	if s.IssuedAt == nil || endOf(s) == nil {
		return nil
	}
	seen := &operation.Age{Recorded: s.IssuedAt.Time, Looked: in.Uptime}
	var isKnown bool
	if seen.Age, isKnown = in.Measure(in.Issued, s.IssuedAt); isKnown {
		return seen
	}
	due, present := in.renewalAge(s), in.Server.Begin(in.Now)
	if seen.Age = present.Sub(seen.Recorded); times.IsAhead(seen.Recorded, present) { // no clock says how old they are
		seen.Age = due
	}
	lifetime, own := lifetimeOf(s), in.Now.Sub(seen.Recorded)
	if wait := in.interval(lifetime); in.isUncertain(lifetime) && own >= 0 && own < wait { // also where each process lives for a moment
		seen.Age = min(seen.Age, due-wait+own)
	}
	return seen
}

// NoteIssue has the age of credentials measured that this process has just received: IssuedAt differs from the one before.
func (in *Inputs) NoteIssue(before, issued *metav1.Time) {
	if issued != nil && !issued.Equal(before) {
		in.Issued = &operation.Age{Recorded: issued.Time, Looked: in.Uptime}
	}
}

// endOf returns when the credentials end: at the latest when they are to be replaced, where the broker says only that; nil: never.
func endOf(s *v1beta1.ServiceBindingStatus) *metav1.Time {
	if s.ExpiresAt != nil {
		return s.ExpiresAt
	}
	return s.RenewBefore
}

// lifetimeOf returns for how long the credentials are valid; 0 or less: that is not known.
func lifetimeOf(s *v1beta1.ServiceBindingStatus) time.Duration { return endOf(s).Sub(s.IssuedAt.Time) }

// hasEnded reports whether the credentials have expired by this clock.
func hasEnded(s *v1beta1.ServiceBindingStatus, now time.Time) bool {
	return s.ExpiresAt != nil && !now.Before(s.ExpiresAt.Time)
}

// recordExpiry records when credentials that the broker has returned end.
func recordExpiry(s *v1beta1.ServiceBindingStatus, binding *osbresult.Binding, now time.Time, server times.Server) {
	end, renewal := expiryTime(binding.ExpiresAt), expiryTime(binding.RenewBefore)
	if hasExpiry(binding) && s.IssuedAt != nil && end.Equal(s.ExpiresAt) && renewal.Equal(s.RenewBefore) {
		return // the same ones
	}
	s.ExpiresAt, s.RenewBefore, s.IssuedAt = end, renewal, nil
	if hasExpiry(binding) {
		s.IssuedAt = times.Timestamp(issueTime(endOf(s).Time, now, server))
	}
}

// issueTime returns the present time as the one at which credentials with an end were issued: by the clock that is ahead, unless they had hardly a
// lifetime by that one, which is wrong then. What clocks show later says nothing about that.
func issueTime(end, now time.Time, server times.Server) time.Time {
	isPossible := func(t time.Time) bool { return end.Sub(t) > shortestLifetime }
	if other := server.Steady; isPossible(other) && (other.After(now) || !isPossible(now) && !other.IsZero()) {
		return other
	}
	return now
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
