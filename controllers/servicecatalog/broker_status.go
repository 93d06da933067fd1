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

package servicecatalog

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
	"github.com/gophernetes/bellhop/internal/redact"
)

const (
	// maxListed bounds the problems that a condition lists; the others are counted.
	maxListed = 5
	// maxProblem and maxBrokerMessage bound their texts, in bytes.
	maxProblem, maxBrokerMessage = 256, 2048
)

// visit is the result of a relist.
type visit struct {
	// generation and credentials are of the attempt.
	generation  int64
	credentials string
	// fault is why the catalog could not be read; nil: it was.
	fault *fault
	// probe is when the next request is sent to a broker that looks misconfigured; zero: at any time.
	probe time.Time
	// unchanged: the broker answered 304.
	unchanged bool
	// etag of the catalog, and version of the broker API that was used.
	etag, version string
	// digest, and numbers of classes and plans, after the relist.
	digest         string
	classes, plans int
	// missing says what of the catalog is left out, and why; retry: a repeat may help.
	missing []string
	retry   bool
	// kept is the number of classes that stay although the catalog is empty now.
	kept int
	// remarks are added to the message.
	remarks []string
}

// event returns the reason of the event about a relist; "": that of the condition.
func (v visit) event() string {
	if v.fault == nil {
		return ""
	}
	return v.fault.event
}

// fault is why a catalog could not be read.
type fault struct {
	reason, message string
	// event is the reason of the event, where it differs.
	event string
	// stalled: it is not retried until the spec or a Secret changes. The broker is in progress until stalledFrom.
	stalled     bool
	stalledFrom time.Time
	// misconfigured: it looks like a misconfiguration, and is retried slowly after the quick retries (R12).
	misconfigured bool
	// wish is the broker's Retry-After.
	wish time.Duration
}

// faultOf returns the fault for an answer that is not a catalog.
func faultOf(b v1beta1.Broker, out osbresult.Outcome) *fault {
	address, hasUser := withoutUser(b.Common().URL)
	message := fmt.Sprintf("GET %s/v2/catalog: %s", redact.Shorten(strings.TrimRight(address, "/"), maxProblem), sayOutcome(out))
	if out.Unauthorized() && b.Common().AuthInfo == nil && !hasUser {
		message += "; the request had no credentials, as there is no spec.authInfo"
	}
	return &fault{reason: v1beta1.ReasonErrorFetchingCatalog, message: message, wish: out.RetryAfter, misconfigured: out.Misconfigured()}
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

// statusAfter returns the status of a broker after a relist.
func statusAfter(b v1beta1.Broker, v visit, now time.Time) v1beta1.ServiceBrokerStatus {
	s := *b.CommonStatus().DeepCopy()
	if s.ObservedGeneration != v.generation || s.CredentialsVersion != v.credentials {
		s.Attempts, s.Misconfigured = 0, 0 // of another spec, or other credentials
	}
	s.ObservedGeneration, s.CredentialsVersion, s.NextAttemptTime = v.generation, v.credentials, nil
	verdict := verdict{}
	if v.fault != nil {
		verdict = v.fail(&s, b, now)
	} else {
		verdict = v.succeed(&s, b, now)
	}
	if !v.unchanged {
		s.Conditions = verdict.conditions(s.Conditions, now)
	}
	s.LastConditionState = lastConditionState(s.Conditions)
	return s
}

// fail records that the catalog could not be read. Classes and plans stay.
func (v visit) fail(s *v1beta1.ServiceBrokerStatus, b v1beta1.Broker, now time.Time) verdict {
	s.Attempts++
	if s.OperationStartTime == nil {
		s.OperationStartTime = timeOf(now)
	}
	result := verdict{ready: v1beta1.ConditionFalse, reason: v.fault.reason,
		message: "Reading the catalog failed: " + redact.Shorten(v.fault.message, maxBrokerMessage)}
	if v.fault.stalled {
		result.message += "; it is retried when the spec or a Secret that it names changes"
		if result.stalled = !now.Before(v.fault.stalledFrom); !result.stalled {
			s.NextAttemptTime = notBefore(v.fault.stalledFrom)
		}
		return refused(result)
	}
	wait := backoff(b.GetUID(), s.Attempts, v.fault.wish)
	if s.Misconfigured++; v.fault.misconfigured {
		wait, result.stalled = misconfiguredBackoff(b.GetUID(), s.Misconfigured, v.fault.wish), s.Misconfigured > limiter.QuickRetries
	} else {
		s.Misconfigured = 0
	}
	s.NextAttemptTime = notBefore(latest(now.Add(wait), v.probe))
	result.message += fmt.Sprintf("; that was %s, the next one is at %s", ordinal(s.Attempts), when(s.NextAttemptTime.Time))
	return refused(result)
}

// refused adds Failed where the broker is Stalled.
func refused(v verdict) verdict {
	if v.stalled {
		v.failed = &word{v.reason, v.message}
	}
	return v
}

// succeed records that the catalog was read.
func (v visit) succeed(s *v1beta1.ServiceBrokerStatus, b v1beta1.Broker, now time.Time) verdict {
	s.OperationStartTime, s.LastCatalogRetrievalTime = nil, timeOf(now)
	s.ReconciledGeneration, s.APIVersion, s.Misconfigured = v.generation, v.version, 0
	if v.unchanged {
		s.Attempts = 0
		return verdict{}
	}
	s.CatalogETag, s.CatalogDigest = v.etag, v.digest
	s.ServiceClasses, s.ServicePlans = int32(v.classes), int32(v.plans)
	next := ""
	if v.retry {
		s.CatalogETag = "" // classes and plans are not as in the catalog
		s.Attempts++
		s.NextAttemptTime = notBefore(now.Add(backoff(b.GetUID(), s.Attempts, 0)))
		next = fmt.Sprintf("; %s was made, the next one is at %s", ordinal(s.Attempts), when(s.NextAttemptTime.Time))
	} else {
		s.Attempts = 0
	}
	result := verdict{ready: v1beta1.ConditionTrue, reason: v1beta1.ReasonFetchedCatalog, message: v.summary()}
	switch {
	case len(v.missing) == 0:
	case v.classes == 0:
		result.ready, result.reason, result.stalled = v1beta1.ConditionFalse, v1beta1.ReasonErrorSyncingCatalog, !v.retry
	default:
		result.reason = v1beta1.ReasonPartlySynced
	}
	result.message += next
	return refused(result)
}

// summary says what of the catalog exists, what was left out, and why.
func (v visit) summary() string {
	said := []string{fmt.Sprintf("The catalog was read: %s with %s", counted(v.classes, "class", "classes"), counted(v.plans, "plan", "plans"))}
	if v.kept > 0 {
		said = append(said, fmt.Sprintf("The broker offered %s before and offers nothing now. They are marked as removed, and kept in case they come back", counted(v.kept, "class", "classes")))
	}
	if len(v.missing) > 0 {
		said = append(said, fmt.Sprintf("Not as the catalog has it: %s", fewOf(v.missing)))
	}
	if len(v.remarks) > 0 {
		said = append(said, fewOf(v.remarks))
	}
	return redact.Shorten(strings.Join(said, ". "), maxBrokerMessage)
}

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

// notBefore is a time as the API keeps it, never too early.
func notBefore(t time.Time) *metav1.Time {
	rounded := metav1.NewTime(t.Add(time.Second - 1).Truncate(time.Second))
	return &rounded
}

// statusInUse returns the status of a broker that is being deleted while instances or bindings need it.
func statusInUse(b v1beta1.Broker, instances, bindings []string, now time.Time) v1beta1.ServiceBrokerStatus {
	s := *b.CommonStatus().DeepCopy()
	s.ObservedGeneration = b.GetGeneration()
	var by []string
	for _, users := range []struct {
		one, many string
		names     []string
	}{{"ServiceInstance", "ServiceInstances", instances}, {"ServiceBinding", "ServiceBindings", bindings}} {
		if n := len(users.names); n > 0 {
			by = append(by, fmt.Sprintf("%s (%s)", counted(n, users.one, users.many), enumerate(users.names)))
		}
	}
	message := fmt.Sprintf("Deleted at %s, and kept until nothing is left at the broker. There are still %s. Delete them; one that has the annotation %s=%s when it is deleted goes without the broker being told, and what it has there stays",
		when(b.GetDeletionTimestamp().Time), strings.Join(by, " and "), v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
	verdict := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonBrokerInUse, message: message, stalled: true}
	s.Conditions = verdict.conditions(s.Conditions, now)
	s.LastConditionState = lastConditionState(s.Conditions)
	return s
}

// statusAbandoned returns the status of a broker whose finalizer was removed. Its catalog is read again once it has a finalizer.
func statusAbandoned(b v1beta1.Broker, now time.Time) v1beta1.ServiceBrokerStatus {
	s := *b.CommonStatus().DeepCopy()
	s.ObservedGeneration, s.ReconciledGeneration = b.GetGeneration(), 0
	s.Attempts, s.Misconfigured, s.OperationStartTime, s.NextAttemptTime = 0, 0, nil, nil
	verdict := verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonAbandoned, stalled: true,
		message: "the finalizer was removed: the catalog is not read any more, and this object waits for nothing when it is deleted"}
	s.Conditions = verdict.conditions(s.Conditions, now)
	s.LastConditionState = lastConditionState(s.Conditions)
	return s
}
