// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokerrules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// F-U11: attempts are written as those of instances and bindings.
func TestWhatAVisitLeavesOnRecord(t *testing.T) {
	read := RelistResult{Generation: 3, Credentials: "credentials", ETag: "new", Version: "2.17", Digest: "new digest", Classes: 2, Plans: 5}
	failed := RelistResult{Generation: 3, Credentials: "credentials", Error: &RelistError{Reason: v1beta1.ReasonErrorFetchingCatalog, Message: "HTTP 500: out of order"}}
	with := func(v RelistResult, edit func(*RelistResult)) RelistResult { edit(&v); return v }
	for name, c := range map[string]struct {
		before  func(*v1beta1.ServiceBrokerStatus)
		visit   RelistResult
		says    string // Ready, its reason, what else is True
		message string
		check   func(v1beta1.ServiceBrokerStatus) bool
	}{
		"read": {nil, read, "True FetchedCatalog", "2 classes with 5 plans", func(s v1beta1.ServiceBrokerStatus) bool {
			return s.CatalogETag == "new" && s.CatalogDigest == "new digest" && s.APIVersion == "2.17" && s.ServiceClasses == 2 && s.ServicePlans == 5 &&
				s.LastCatalogRetrievalTime.Time.Equal(rulestest.Noon) && s.NextAttemptTime == nil && s.LastConditionState == "Ready"
		}},
		"read after failures": {inTrouble, read, "True FetchedCatalog", "", func(s v1beta1.ServiceBrokerStatus) bool {
			return s.Attempts == 0 && s.OperationStartTime == nil && s.NextAttemptTime == nil
		}},
		"read after an edit": {func(s *v1beta1.ServiceBrokerStatus) { s.ReconciledGeneration, s.ObservedGeneration = 2, 2 }, read, "True FetchedCatalog", "",
			func(s v1beta1.ServiceBrokerStatus) bool {
				return s.ReconciledGeneration == 3 && s.ObservedGeneration == 3
			}},
		"unchanged": {func(s *v1beta1.ServiceBrokerStatus) {
			s.Conditions = rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: v1beta1.ReasonPartlySynced, Message: "As it was"}.Conditions(nil, rulestest.Noon)
		}, RelistResult{Generation: 3, Credentials: "credentials", Unchanged: true, Version: "2.16"}, "True PartlySynced", "As it was", func(s v1beta1.ServiceBrokerStatus) bool {
			return s.CatalogETag == "etag" && s.CatalogDigest == "digest" && s.LastCatalogRetrievalTime.Time.Equal(rulestest.Noon) && s.APIVersion == "2.16"
		}},
		"failed": {nil, failed, "False ErrorFetchingCatalog Reconciling", "Fetching the catalog failed: HTTP 500: out of order (attempt 1 failed, the next is at 2026-06-01T12:00:0",
			func(s v1beta1.ServiceBrokerStatus) bool {
				return s.Attempts == 1 && s.OperationStartTime.Time.Equal(rulestest.Noon) && s.NextAttemptTime.After(rulestest.Noon) && s.CatalogETag == "etag" && s.LastConditionState == "ErrorFetchingCatalog"
			}},
		"failed again": {inTrouble, failed, "False ErrorFetchingCatalog Reconciling", "attempt 8", func(s v1beta1.ServiceBrokerStatus) bool {
			return s.Attempts == 8 && s.OperationStartTime.Time.Equal(rulestest.Noon.Add(-time.Hour)) && s.NextAttemptTime.After(rulestest.Noon.Add(100*time.Second))
		}},
		"failed with a new spec": {func(s *v1beta1.ServiceBrokerStatus) { inTrouble(s); s.ObservedGeneration = 2 }, failed, "False ErrorFetchingCatalog Reconciling", "(attempt 1 failed",
			func(s v1beta1.ServiceBrokerStatus) bool {
				return s.Attempts == 1 && s.NextAttemptTime.Time.Before(rulestest.Noon.Add(5*time.Second))
			}},
		"failed with new credentials": {func(s *v1beta1.ServiceBrokerStatus) { inTrouble(s); s.CredentialsVersion = "old" }, failed, "False ErrorFetchingCatalog Reconciling", "(attempt 1 failed", nil},
		"failed, and wants to be left alone": {nil, with(failed, func(v *RelistResult) { asked := *v.Error; asked.RetryAfter = time.Hour; v.Error = &asked }), "False ErrorFetchingCatalog Reconciling", "at 2026-06-01T13:00:00Z",
			func(s v1beta1.ServiceBrokerStatus) bool {
				return s.NextAttemptTime.Time.Equal(rulestest.Noon.Add(time.Hour))
			}},
		"failed for good": {nil, with(failed, func(v *RelistResult) {
			v.Error = &RelistError{Reason: v1beta1.ReasonErrorFetchingCatalog, Message: "no Secret", Stalled: true}
		}),
			"False ErrorFetchingCatalog Stalled Failed", "no Secret; it is retried when the spec or a Secret that it names changes", func(s v1beta1.ServiceBrokerStatus) bool {
				return s.Attempts == 1 && s.NextAttemptTime == nil && s.LastConditionState == "Failed" && s.Conditions[3].Message == s.Conditions[2].Message
			}},
		"partly": {nil, with(read, func(v *RelistResult) { v.Missing = []string{"a is bad", "b is bad"} }), "True PartlySynced",
			"The catalog was fetched: 2 classes with 5 plans. Differs from the catalog: a is bad; b is bad", func(s v1beta1.ServiceBrokerStatus) bool {
				return s.CatalogETag == "new" && s.Attempts == 0 && s.NextAttemptTime == nil // the broker will have to change it
			}},
		// F-JS13: classes and plans that the catalog has no usable entry for are not counted as fetched without a word.
		"partly, with what stays": {nil, with(read, func(v *RelistResult) { v.Missing, v.KeptClasses, v.KeptPlans = []string{"a has no plan"}, 1, 3 }), "True PartlySynced",
			"The catalog was fetched: 2 classes with 5 plans, including 1 class and 3 plans as before. Differs from the catalog: a has no plan", nil},
		"partly, with a plan that stays": {nil, with(read, func(v *RelistResult) { v.Missing, v.KeptPlans = []string{"a is bad"}, 1 }), "True PartlySynced",
			"2 classes with 5 plans, including 1 plan as before. Differs", nil},
		"partly, for now": {nil, with(read, func(v *RelistResult) { v.Missing, v.Retry = []string{"a is bad"}, true }), "True PartlySynced", "(attempt 1 failed, the next is at",
			func(s v1beta1.ServiceBrokerStatus) bool {
				return s.CatalogETag == "" && s.Attempts == 1 && s.NextAttemptTime.After(rulestest.Noon) && s.ReconciledGeneration == 3
			}},
		"nothing of it": {nil, with(read, func(v *RelistResult) { v.Missing, v.Classes, v.Plans = []string{"all is bad"}, 0, 0 }), "False ErrorSyncingCatalog Stalled Failed", "all is bad", nil},
		"nothing of it, for now": {nil, with(read, func(v *RelistResult) { v.Missing, v.Classes, v.Plans, v.Retry = []string{"all is bad"}, 0, 0, true }),
			"False ErrorSyncingCatalog Reconciling", "the next is at", nil},
		"many problems": {nil, with(read, func(v *RelistResult) {
			for i := range 1000 {
				v.Missing = append(v.Missing, fmt.Sprintf("%d%s", i, strings.Repeat("x", 5000)))
			}
		}), "True PartlySynced", "; and 995 more", nil},
		"empty": {nil, with(read, func(v *RelistResult) { v.Classes, v.Plans, v.RetainedClasses = 0, 0, 1 }), "True FetchedCatalog",
			"The broker offered 1 class before and offers nothing now", nil},
		"with remarks": {nil, with(read, func(v *RelistResult) { v.Remarks = []string{"Another ServiceBroker offers services of the same name"} }), "True FetchedCatalog", ". Another ServiceBroker", nil},
	} {
		b := readBroker()
		if c.before != nil {
			c.before(&b.Status)
		}
		before := b.DeepCopy()
		got := Apply(b, c.visit, rulestest.Noon)
		if said := rulestest.SayConditions(got.Conditions); said != c.says {
			t.Errorf("%s: conditions say %q, want %q", name, said, c.says)
		}
		ready := rules.FindCondition(got.Conditions, v1beta1.ConditionReady)
		if !strings.Contains(ready.Message, c.message) || len(ready.Message) > 2*maxBrokerMessage {
			t.Errorf("%s: message is %q, want %q", name, ready.Message, c.message)
		}
		if c.check != nil && !c.check(got) {
			t.Errorf("%s: status is %+v", name, got)
		}
		if got.ObservedGeneration != 3 || got.CredentialsVersion != "credentials" || fmt.Sprint(before.Status) != fmt.Sprint(b.Status) {
			t.Errorf("%s: observed is %d with %q, or the broker was changed", name, got.ObservedGeneration, got.CredentialsVersion)
		}
	}
}

func TestABrokerWithoutItsFinalizerIsAbandoned(t *testing.T) {
	b := readBroker()
	inTrouble(&b.Status)
	b.Generation++
	b.Status = StatusAbandoned(b, rulestest.Noon)
	if said := rulestest.SayConditions(b.Status.Conditions); said != "Unknown Abandoned Stalled" || b.Status.ObservedGeneration != b.Generation || b.Status.NextAttemptTime != nil {
		t.Errorf("conditions say %q, status is %+v", said, b.Status)
	}
	in := Inputs{Now: rulestest.Noon, Interval: time.Hour, Credentials: "credentials", Digest: "digest"}
	if next := Decide(b, in); !next.IsDue(rulestest.Noon) || next.ETag != "" {
		t.Errorf("once it has a finalizer again its catalog is read at %v with ETag %q", next.RelistAt, next.ETag)
	}
}

func inTrouble(s *v1beta1.ServiceBrokerStatus) {
	s.Attempts, s.OperationStartTime, s.NextAttemptTime = 7, times.Timestamp(rulestest.Noon.Add(-time.Hour)), times.Timestamp(rulestest.Noon)
}

func TestABrokersAnswerIsSaidInItsWords(t *testing.T) {
	b := readBroker()
	b.Spec.URL, b.Spec.AuthInfo = "https://broker.example.com/osb/", &v1beta1.AuthInfo{}
	for want, out := range map[string]osbresult.Outcome{
		"HTTP 401: wrong password":       {Class: osbresult.Retry, Status: 401, Description: "wrong password"},
		"HTTP 405 Method Not Allowed":    {Class: osbresult.Rejected, Status: 405, Description: "HTTP 405 Method Not Allowed"},
		"HTTP 502 Bad Gateway":           {Class: osbresult.Retry, Status: 502, Description: "HTTP 502 Bad Gateway"},
		"connection refused":             {Class: osbresult.Retry, Description: "connection refused"},
		"HTTP 200 OK, but it is no JSON": {Class: osbresult.Malformed, Status: 200, Description: "HTTP 200 OK, but it is no JSON"},
	} {
		want = "GET https://broker.example.com/osb/v2/catalog: " + want
		if got := ErrorOf(b, out); got.Message != want || got.Reason != v1beta1.ReasonErrorFetchingCatalog || got.Stalled {
			t.Errorf("fault is %+v, want %q", got, want)
		}
	}
	if got := ErrorOf(b, osbresult.Outcome{RetryAfter: time.Minute}); got.RetryAfter != time.Minute {
		t.Errorf("it wants to be left alone for %v", got.RetryAfter)
	}
	b.Spec.AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Namespace: "ns", Name: "login"}}}
	// F-U4: refused credentials name their Secret.
	if got := ErrorOf(b, osbresult.Outcome{Class: osbresult.Misconfigured, Status: 401, Description: "wrong password"}); !strings.HasSuffix(got.Message, `wrong password; the credentials are those of Secret "ns/login"`) {
		t.Errorf("with refused credentials it says %q", got.Message)
	}
	b.Spec.AuthInfo = nil
	if got := ErrorOf(b, osbresult.Outcome{Class: osbresult.Retry, Status: 401, Description: "who is it?"}); !strings.HasSuffix(got.Message, "who is it?; the request had no credentials, as there is no spec.authInfo") {
		t.Errorf("without credentials it says %q", got.Message)
	}
}

// TestAPasswordInAURLIsNotSaid: brokers of old were given their credentials that way.
func TestAPasswordInAURLIsNotSaid(t *testing.T) {
	b := readBroker()
	for url, shown := range map[string]string{
		"https://alice:c4nary@broker.example.com/osb/": "https://broker.example.com/osb",
		" https://alice:c4n%20ary@broker.example.com ": "https://broker.example.com",
	} {
		b.Spec.URL, b.Spec.AuthInfo = url, nil
		got := ErrorOf(b, osbresult.Outcome{Class: osbresult.Retry, Status: 401, Description: "no"}).Message
		if want := "GET " + shown + "/v2/catalog: HTTP 401: no"; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

func TestABrokerThatIsNeededSaysByWhom(t *testing.T) {
	b := readBroker()
	b.DeletionTimestamp = &metav1.Time{Time: rulestest.Noon.Add(-time.Hour)}
	var instances []string
	for i := range 7 {
		instances = append(instances, fmt.Sprintf("demo/db-%d", i))
	}
	got := StatusInUse(b, Consumers{Instances: instances, Bindings: []string{"demo/app"}}, rulestest.Noon)
	if said := rulestest.SayConditions(got.Conditions); said != "False InUse Stalled" {
		t.Errorf("conditions say %q", said)
	}
	message := rules.FindCondition(got.Conditions, v1beta1.ConditionStalled).Message
	for _, want := range []string{"Deleted at 2026-06-01T11:00:00Z", "7 ServiceInstances (demo/db-0, demo/db-1, ", " and 2 more", "1 ServiceBinding (demo/app)", "bellhop.gophernetes.io/deletion-policy=Retain"} {
		if !strings.Contains(message, want) {
			t.Errorf("message %q lacks %q", message, want)
		}
	}
	got = StatusInUse(b, Consumers{Bindings: []string{"demo/app"}, Leaving: true}, rulestest.Noon)
	message = rules.FindCondition(got.Conditions, v1beta1.ConditionReady).Message
	if said := rulestest.SayConditions(got.Conditions); said != "False InUse Reconciling" || !strings.HasSuffix(message, "it still has 1 ServiceBinding (demo/app), being deleted") {
		t.Errorf("of those that are being deleted it says %q: %s", said, message)
	}
}

// TestABrokersMisconfiguration has F-R12 for the catalog.
func TestABrokersMisconfiguration(t *testing.T) {
	b := &v1beta1.ClusterServiceBroker{}
	now := rulestest.T0
	for i, want := range []string{"Reconciling", "Reconciling", "Reconciling", "Stalled Failed", "Stalled Failed"} {
		v := RelistResult{Generation: 1, Error: ErrorOf(b, osbresult.Outcome{Class: osbresult.Misconfigured, Status: 401, Description: "who are you?"})}
		*b.CommonStatus() = Apply(b, v, now)
		rulestest.WantState(t, rules.AttemptNumber(int32(i+1)), b.CommonStatus().Conditions, want)
		now = b.CommonStatus().NextAttemptTime.Time
	}
	if waited := now.Sub(rulestest.T0); waited < 10*time.Minute || waited > 25*time.Minute {
		t.Errorf("five attempts take %s", waited)
	}
}

// TestABrokersMissingSecret has F-JS2: it may be applied after the broker.
func TestABrokersMissingSecret(t *testing.T) {
	b := &v1beta1.ClusterServiceBroker{}
	b.SetCreationTimestamp(metav1.NewTime(rulestest.T0))
	v := RelistResult{Generation: 1, Error: &RelistError{Reason: v1beta1.ReasonErrorFetchingCatalog, Message: "x", Stalled: true, StalledFrom: rulestest.T0.Add(rules.MissingReferenceDelay)}}
	*b.CommonStatus() = Apply(b, v, rulestest.T0.Add(time.Minute))
	rulestest.WantState(t, "young", b.CommonStatus().Conditions, "Reconciling")
	if at := b.CommonStatus().NextAttemptTime; at == nil || !at.Time.Equal(rulestest.T0.Add(rules.MissingReferenceDelay)) {
		t.Errorf("it is looked at again at %s", at)
	}
	*b.CommonStatus() = Apply(b, v, rulestest.T0.Add(rules.MissingReferenceDelay))
	rulestest.WantState(t, "old", b.CommonStatus().Conditions, "Stalled Failed")
}
