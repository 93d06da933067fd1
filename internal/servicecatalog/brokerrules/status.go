// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokerrules

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

const (
	// maxListed bounds the problems that a condition lists; the others are counted.
	maxListed = 5
	// maxProblem and maxBrokerMessage bound their texts, in bytes.
	maxProblem, maxBrokerMessage = 256, 2048
)

// RelistResult is the result of a relist.
type RelistResult struct {
	// Generation and credentials are of the attempt.
	Generation  int64
	Credentials string
	// Addresses are the broker's.
	Addresses Addresses
	// Error is why the catalog could not be read; nil: it was.
	Error *RelistError
	// NextProbe is when the next request is sent to a broker that looks misconfigured; zero: at any time.
	NextProbe time.Time
	// Unchanged: the broker answered 304.
	Unchanged bool
	// ETag of the catalog, and version of the broker API that was used.
	ETag, Version string
	// Digest, and numbers of classes and plans, after the relist.
	Digest         string
	Classes, Plans int
	// Missing has, for each part of the catalog that is left out, its name and the reason. Retry: a repeat may help.
	Missing []string
	Retry   bool
	// KeptClasses and KeptPlans are the numbers of those among them that stay as they were, since the catalog has them in a form that cannot
	// be used.
	KeptClasses, KeptPlans int
	// RetainedClasses is the number of classes that stay although the catalog is empty now.
	RetainedClasses int
	// Remarks are added to the message.
	Remarks []string
}

// RelistError is why a catalog could not be read.
type RelistError struct {
	Reason, Message string
	// Stalled: it is not retried until the spec or a Secret changes. The broker is in progress until stalledFrom.
	Stalled     bool
	StalledFrom time.Time
	// misconfigured: it looks like a misconfiguration, and is retried slowly after the quick retries (R12).
	misconfigured bool
	// RetryAfter is the broker's Retry-After.
	RetryAfter time.Duration
}

// ErrorOf returns the fault for an answer that is not a catalog.
func ErrorOf(b v1beta1.Broker, out osbresult.Outcome) *RelistError {
	address, hasUser := withoutUser(b.Common().URL)
	message := fmt.Sprintf("GET %s/v2/catalog: %s", redact.Shorten(strings.TrimRight(address, "/"), maxProblem), rules.DescribeOutcome(out))
	if out.Unauthorized() {
		message += credentialsOf(b, hasUser)
	}
	return &RelistError{Reason: v1beta1.ReasonErrorFetchingCatalog, Message: message, RetryAfter: out.RetryAfter, misconfigured: out.Misconfigured()}
}

// credentialsOf says where the credentials of a refused request come from, in the words in which a receiver's status says it.
func credentialsOf(b v1beta1.Broker, hasUser bool) string {
	if b.Common().AuthInfo == nil {
		if hasUser {
			return ""
		}
		return "; the request had no credentials, as there is no spec.authInfo"
	}
	var names []string
	for _, name := range v1beta1.AuthSecrets(b) {
		if b.GetNamespace() != "" {
			names = append(names, fmt.Sprintf("%q", name.Name))
		} else {
			names = append(names, fmt.Sprintf("%q", name.String()))
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "; the credentials are those of Secret " + strings.Join(slices.Compact(names), " and ")
}

// withoutUser returns a broker's address as it may be shown: manifests of the original service-catalog may have credentials in it.
func withoutUser(address string) (shown string, hasUser bool) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil { // then no request was sent
		return "…", false
	}
	hasUser, u.User = u.User != nil, nil
	return u.String(), hasUser
}

// Apply returns the status of a broker after a relist.
func Apply(b v1beta1.Broker, r RelistResult, now time.Time) v1beta1.ServiceBrokerStatus {
	s := *b.CommonStatus().DeepCopy()
	if s.ObservedGeneration != r.Generation || s.CredentialsVersion != r.Credentials {
		s.Attempts, s.Misconfigured = 0, 0 // of another spec, or other credentials
	}
	s.ObservedGeneration, s.CredentialsVersion, s.NextAttemptTime = r.Generation, r.Credentials, nil
	r.Addresses.Record(&s)
	verdict := rules.ConditionSet{}
	if r.Error != nil {
		verdict = r.fail(&s, b, now)
	} else {
		verdict = r.succeed(&s, b, now)
	}
	if !r.Unchanged {
		s.Conditions = verdict.Conditions(s.Conditions, now)
	}
	s.LastConditionState = rules.LastConditionState(s.Conditions)
	return s
}

// fail records that the catalog could not be read. Classes and plans stay.
func (r RelistResult) fail(s *v1beta1.ServiceBrokerStatus, b v1beta1.Broker, now time.Time) rules.ConditionSet {
	s.Attempts++
	if s.OperationStartTime == nil {
		s.OperationStartTime = times.Timestamp(now)
	}
	result := rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: r.Error.Reason,
		Message: "Fetching the catalog failed: " + redact.Shorten(r.Error.Message, maxBrokerMessage)}
	if r.Error.Stalled {
		result.Message += "; it is retried when the spec or a Secret that it names changes"
		if result.Stalled = !now.Before(r.Error.StalledFrom); !result.Stalled {
			s.NextAttemptTime = times.NotBefore(r.Error.StalledFrom)
		}
		return refused(result)
	}
	wait := rules.Backoff(b.GetUID(), s.Attempts, r.Error.RetryAfter)
	if s.Misconfigured++; r.Error.misconfigured {
		wait, result.Stalled = rules.MisconfiguredBackoff(b.GetUID(), s.Misconfigured, r.Error.RetryAfter), s.Misconfigured > limiter.QuickRetries
	} else {
		s.Misconfigured = 0
	}
	s.NextAttemptTime = times.NotBefore(times.Latest(now.Add(wait), r.NextProbe))
	result.Message += nextAttempt(s)
	return refused(result)
}

// nextAttempt says which attempt has failed and when the next one is due.
func nextAttempt(s *v1beta1.ServiceBrokerStatus) string {
	return rules.WithNextAttempt("", &v1beta1.Backoff{Count: s.Attempts, NextTime: s.NextAttemptTime}, "")
}

// refused adds Failed where the broker is Stalled.
func refused(set rules.ConditionSet) rules.ConditionSet {
	if set.Stalled {
		set.Failed = &rules.Cause{Reason: set.Reason, Message: set.Message}
	}
	return set
}

// succeed records that the catalog was read.
func (r RelistResult) succeed(s *v1beta1.ServiceBrokerStatus, b v1beta1.Broker, now time.Time) rules.ConditionSet {
	s.OperationStartTime, s.LastCatalogRetrievalTime = nil, times.Timestamp(now)
	s.ReconciledGeneration, s.APIVersion, s.Misconfigured = r.Generation, r.Version, 0
	if r.Unchanged {
		s.Attempts = 0
		return rules.ConditionSet{}
	}
	s.CatalogETag, s.CatalogDigest = r.ETag, r.Digest
	s.ServiceClasses, s.ServicePlans = int32(r.Classes), int32(r.Plans)
	next := ""
	if r.Retry {
		s.CatalogETag = "" // classes and plans are not as in the catalog
		s.Attempts++
		s.NextAttemptTime = times.NotBefore(now.Add(rules.Backoff(b.GetUID(), s.Attempts, 0)))
		next = nextAttempt(s)
	} else {
		s.Attempts = 0
	}
	result := rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: v1beta1.ReasonFetchedCatalog, Message: r.summary()}
	switch {
	case len(r.Missing) == 0:
	case r.Classes == 0:
		result.Ready, result.Reason, result.Stalled = v1beta1.ConditionFalse, v1beta1.ReasonErrorSyncingCatalog, !r.Retry
	default:
		result.Reason = v1beta1.ReasonPartlySynced
	}
	result.Message += next
	return refused(result)
}

// summary counts the classes and plans of the catalog that exist, and names the parts that were left out with the reasons.
func (r RelistResult) summary() string {
	said := []string{fmt.Sprintf("The catalog was fetched: %s with %s%s", countClasses(r.Classes), countPlans(r.Plans), r.kept())}
	if r.RetainedClasses > 0 {
		said = append(said, fmt.Sprintf("The broker offered %s before and offers nothing now. They are marked as removed, and kept in case they come back", countClasses(r.RetainedClasses)))
	}
	if len(r.Missing) > 0 {
		said = append(said, fmt.Sprintf("Differs from the catalog: %s", fewOf(r.Missing)))
	}
	if len(r.Remarks) > 0 {
		said = append(said, fewOf(r.Remarks))
	}
	return redact.Shorten(strings.Join(said, ". "), maxBrokerMessage)
}

// kept says how many of the classes and plans stay as they were; empty: none.
func (r RelistResult) kept() string {
	switch {
	case r.KeptClasses > 0 && r.KeptPlans > 0:
		return ", including " + countClasses(r.KeptClasses) + " and " + countPlans(r.KeptPlans) + " as before"
	case r.KeptClasses > 0:
		return ", including " + countClasses(r.KeptClasses) + " as before"
	case r.KeptPlans > 0:
		return ", including " + countPlans(r.KeptPlans) + " as before"
	}
	return ""
}

func countClasses(n int) string { return rules.Count(n, "class", "classes") }

func countPlans(n int) string { return rules.Count(n, "plan", "plans") }

// fewOf is a few of a list, and how many more there are.
func fewOf(items []string) string {
	var said []string
	for _, item := range items[:min(maxListed, len(items))] {
		said = append(said, redact.Shorten(item, maxProblem))
	}
	if more := len(items) - maxListed; more > 0 {
		said = append(said, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(said, "; ")
}

// Consumers are the instances and bindings that are, or may be, at a broker.
type Consumers struct {
	Instances, Bindings []string
	// Leaving: all of them are being deleted, too.
	Leaving bool
}

// StatusInUse returns the status of a broker that is being deleted while instances or bindings need it.
func StatusInUse(b v1beta1.Broker, consumers Consumers, now time.Time) v1beta1.ServiceBrokerStatus {
	s := *b.CommonStatus().DeepCopy()
	s.ObservedGeneration = b.GetGeneration()
	var by []string
	for _, users := range []struct {
		one, many string
		names     []string
	}{{"ServiceInstance", "ServiceInstances", consumers.Instances}, {"ServiceBinding", "ServiceBindings", consumers.Bindings}} {
		if n := len(users.names); n > 0 {
			by = append(by, fmt.Sprintf("%s (%s)", rules.Count(n, users.one, users.many), rules.Enumerate(users.names)))
		}
	}
	message := fmt.Sprintf("Deleted at %s. The finalizer stays until the broker has no instances and bindings: it still has %s", times.Format(b.GetDeletionTimestamp().Time), strings.Join(by, " and "))
	if consumers.Leaving {
		message += ", being deleted"
	} else {
		message += fmt.Sprintf(". Delete them; an object that has the annotation %s=%s when it is deleted is released without a request to the broker, and its resource there is retained", v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
	}
	verdict := rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBrokerInUse, Message: message, Stalled: !consumers.Leaving}
	s.Conditions = verdict.Conditions(s.Conditions, now)
	s.LastConditionState = rules.LastConditionState(s.Conditions)
	return s
}

// StatusAbandoned returns the status of a broker whose finalizer was removed. Its catalog is read again once it has a finalizer.
func StatusAbandoned(b v1beta1.Broker, now time.Time) v1beta1.ServiceBrokerStatus {
	s := *b.CommonStatus().DeepCopy()
	s.ObservedGeneration, s.ReconciledGeneration = b.GetGeneration(), 0
	s.Attempts, s.Misconfigured, s.OperationStartTime, s.NextAttemptTime = 0, 0, nil, nil
	verdict := rules.ConditionSet{Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonAbandoned, Stalled: true,
		Message: "the finalizer was removed: the catalog is not refreshed any more, and nothing blocks the deletion of this object"}
	s.Conditions = verdict.Conditions(s.Conditions, now)
	s.LastConditionState = rules.LastConditionState(s.Conditions)
	return s
}
