// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokerrules

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// readBroker is a broker whose catalog was read a minute ago, and all is well.
func readBroker() *v1beta1.ClusterServiceBroker {
	b := &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "b", UID: "broker", Generation: 3}}
	b.Spec.RelistBehavior = v1beta1.RelistDuration
	b.Status = v1beta1.ServiceBrokerStatus{
		ObservedGeneration: 3, ReconciledGeneration: 3, LastCatalogRetrievalTime: times.Timestamp(rulestest.Noon.Add(-time.Minute)),
		CatalogETag: "etag", CatalogDigest: "digest", CredentialsVersion: "credentials",
	}
	return b
}

// conformance: C04
func TestWhenACatalogIsReadNext(t *testing.T) {
	type broker = v1beta1.ClusterServiceBroker
	type facts = Inputs
	never := time.Time{}
	day := rulestest.Noon.Add(-time.Minute + 24*time.Hour)
	manual := func(b *broker) { b.Spec.RelistBehavior = v1beta1.RelistManual }
	for name, c := range map[string]struct {
		why    string
		broker func(*broker)
		facts  func(*facts)
		want   time.Time
		etag   string
	}{
		"at rest":                  {"the interval", nil, nil, day, "etag"},
		"new":                      {"it was never read", func(b *broker) { b.Generation, b.Status = 1, v1beta1.ServiceBrokerStatus{} }, nil, rulestest.Noon, ""},
		"edited":                   {"the spec has changed, and with it what is made of the catalog", func(b *broker) { b.Generation++ }, nil, rulestest.Noon, ""},
		"edited, and failed since": {"the new spec is retried, not hurried", func(b *broker) { b.Generation++; b.Status.ObservedGeneration++; failing(b, time.Second) }, nil, rulestest.Noon.Add(time.Second), ""},
		"edited while failing":     {"what is new may help", func(b *broker) { failing(b, time.Hour); b.Generation++ }, nil, rulestest.Noon, ""},
		"own interval":             {"", func(b *broker) { b.Spec.RelistDuration = &metav1.Duration{Duration: time.Hour} }, nil, rulestest.Noon.Add(59 * time.Minute), "etag"},
		"own interval, too short":  {"a minute is the least", func(b *broker) { b.Spec.RelistDuration = &metav1.Duration{Duration: time.Second} }, nil, rulestest.Noon, "etag"},
		"manual":                   {"only when asked", manual, nil, never, "etag"},
		"manual, new":              {"", func(b *broker) { manual(b); b.Generation, b.Status = 1, v1beta1.ServiceBrokerStatus{} }, nil, rulestest.Noon, ""},
		"manual, failing":          {"a failure is retried", func(b *broker) { manual(b); failing(b, time.Second) }, nil, rulestest.Noon.Add(time.Second), ""},
		"manual, Secret changed":   {"it works, and nobody has asked", manual, func(f *facts) { f.Credentials = "other" }, never, "etag"},
		"failing, Secret changed":  {"that may help", func(b *broker) { failing(b, time.Hour) }, func(f *facts) { f.Credentials = "other" }, rulestest.Noon, ""},
		"Secret changed":           {"the new credentials are tried before anybody needs them", nil, func(f *facts) { f.Credentials = "other" }, rulestest.Noon.Add(-50 * time.Second), "etag"},
		"Secret changed again":     {"who edits it again and again does not flood the broker", func(b *broker) { b.Status.LastCatalogRetrievalTime = times.Timestamp(rulestest.Noon) }, func(f *facts) { f.Credentials = "other" }, rulestest.Noon.Add(MinDemanded), "etag"},
		"Secret unreadable":        {"no event follows", nil, func(f *facts) { f.CredentialsUnknown = true }, rulestest.Noon.Add(secretRetry), "etag"},
		"due, Secret unreadable":   {"the failure is recorded", func(b *broker) { b.Generation++ }, func(f *facts) { f.CredentialsUnknown = true }, rulestest.Noon, ""},
		"failing, Secret unreadable": {"the Secret may have been corrected", func(b *broker) { failing(b, 0); b.Status.NextAttemptTime = nil },
			func(f *facts) { f.CredentialsUnknown = true }, rulestest.Noon.Add(secretRetry), ""},
		"failing for good":       {"the same again would help nobody", func(b *broker) { failing(b, 0); b.Status.NextAttemptTime = nil }, nil, never, ""},
		"partly synced":          {"it is retried, though the catalog was read", func(b *broker) { failing(b, time.Second); b.Status.OperationStartTime = nil }, nil, rulestest.Noon.Add(time.Second), ""},
		"edited behind our back": {"what the ETag stands for is not what is there", nil, func(f *facts) { f.Digest = "other" }, rulestest.Noon, ""},
		"edited again and again": {"once a minute", func(b *broker) { b.Status.LastCatalogRetrievalTime = times.Timestamp(rulestest.Noon) }, func(f *facts) { f.Digest = "other" }, rulestest.Noon.Add(time.Minute), ""},
		"demanded":               {"a broker's answer said so", nil, func(f *facts) { f.RelistRequested = true }, rulestest.Noon.Add(-50 * time.Second), "etag"},
		"demanded, manual":       {"", manual, func(f *facts) { f.RelistRequested = true }, rulestest.Noon.Add(-50 * time.Second), "etag"},
		// F-U2: the status of a broker follows the requests to it.
		"requests fail":                 {"the relist shows whether the broker does", nil, func(f *facts) { f.Health.Failed = true }, rulestest.Noon.Add(-50 * time.Second), "etag"},
		"requests fail, manual":         {"", manual, func(f *facts) { f.Health.Failed = true }, rulestest.Noon.Add(-50 * time.Second), "etag"},
		"requests fail again":           {"", nil, func(f *facts) { f.Health = Health{Failed: true, Checks: 3} }, rulestest.Noon.Add(20 * time.Second), "etag"},
		"requests fail for days":        {"", nil, func(f *facts) { f.Health = Health{Failed: true, Checks: 1000} }, rulestest.Noon.Add(9 * time.Minute), "etag"},
		"requests fail, own interval":   {"", func(b *broker) { b.Spec.RelistDuration = &metav1.Duration{Duration: time.Minute} }, func(f *facts) { f.Health = Health{Failed: true, Checks: 9} }, rulestest.Noon, "etag"},
		"failing, and requests fail":    {"its own backoff", func(b *broker) { failing(b, time.Hour) }, func(f *facts) { f.Health.Failed = true }, rulestest.Noon.Add(time.Hour), ""},
		"failing, answers again":        {"", func(b *broker) { failing(b, time.Hour) }, func(f *facts) { f.Health = Health{Recovered: true, LastRelist: rulestest.Noon.Add(-time.Second)} }, rulestest.Noon.Add(9 * time.Second), ""},
		"failing, answers, next is due": {"", func(b *broker) { failing(b, time.Second) }, func(f *facts) { f.Health = Health{Recovered: true, LastRelist: rulestest.Noon} }, rulestest.Noon.Add(time.Second), ""},
		"failing, answers, restarted":   {"", func(b *broker) { failing(b, time.Hour) }, func(f *facts) { f.Health.Recovered = true }, time.Time{}.Add(MinDemanded), ""},
		"answers again":                 {"its catalog was read", nil, func(f *facts) { f.Health.Recovered = true }, day, "etag"},
		"of old, ready":                 {"what it was not yet told of is looked at", func(b *broker) { b.Status.ObservedGeneration, b.Status.CatalogDigest, b.Status.CatalogETag = 0, "", "" }, nil, rulestest.Noon, ""},
		"of old, failing":               {"", func(b *broker) { manual(b); b.Status.OperationStartTime = times.Timestamp(rulestest.Noon) }, nil, rulestest.Noon, "etag"},
		"of old, generation of old":     {"a status that was copied from another cluster", func(b *broker) { b.Status.ObservedGeneration, b.Status.ReconciledGeneration = 0, 9 }, nil, rulestest.Noon, ""},
		"status without read":           {"", func(b *broker) { b.Status.LastCatalogRetrievalTime = nil }, nil, rulestest.Noon, "etag"},
		"interval long over": {"", func(b *broker) {
			b.Status.LastCatalogRetrievalTime = times.Timestamp(rulestest.Noon.Add(-48 * time.Hour))
		}, nil, rulestest.Noon.Add(-24 * time.Hour), "etag"},
		// F-S33: a clock that was ahead, and is put right, puts no relist off.
		"read in a year": {"", func(b *broker) {
			b.Status.LastCatalogRetrievalTime = times.Timestamp(rulestest.Noon.AddDate(1, 0, 0))
		}, nil, rulestest.Noon, "etag"},
		"failing, next in a year":    {"", func(b *broker) { failing(b, 365*24*time.Hour) }, nil, rulestest.Noon, ""},
		"broker that gives no ETag":  {"", func(b *broker) { b.Status.CatalogETag = "" }, nil, day, ""},
		"reset counter of old fails": {"", func(b *broker) { failing(b, -time.Hour) }, nil, rulestest.Noon.Add(-time.Hour), ""},
	} {
		b, in := readBroker(), Inputs{Now: rulestest.Noon, Interval: 24 * time.Hour, Credentials: "credentials", Digest: "digest"}
		if c.broker != nil {
			c.broker(b)
		}
		if c.facts != nil {
			c.facts(&in)
		}
		got := Decide(b, in)
		if !got.RelistAt.Equal(c.want) || got.ETag != c.etag {
			t.Errorf("%s (%s): at %v with ETag %q, want %v with %q", name, c.why, got.RelistAt, got.ETag, c.want, c.etag)
		}
		if want := !c.want.IsZero() && !c.want.After(rulestest.Noon); got.IsDue(rulestest.Noon) != want {
			t.Errorf("%s: due is %v, want %v", name, got.IsDue(rulestest.Noon), want)
		}
	}
}

func failing(b *v1beta1.ClusterServiceBroker, next time.Duration) {
	b.Status.Attempts, b.Status.OperationStartTime, b.Status.NextAttemptTime = 2, times.Timestamp(rulestest.Noon), times.Timestamp(rulestest.Noon.Add(next))
}

func TestADigestTellsWhatIsOffered(t *testing.T) {
	class := func(uid string, generation int64, removed bool) v1beta1.Class {
		c := &v1beta1.ServiceClass{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), Generation: generation}}
		c.Status.RemovedFromBrokerCatalog = removed
		return c
	}
	plan := func(uid string) v1beta1.Plan {
		return &v1beta1.ServicePlan{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), Generation: 1}}
	}
	classes, plans := []v1beta1.Class{class("a", 1, false), class("b", 1, false)}, []v1beta1.Plan{plan("p"), plan("q")}
	whole := catalogsync.Digest(classes, plans)
	for name, same := range map[string]string{
		"another order":  catalogsync.Digest([]v1beta1.Class{classes[1], classes[0]}, []v1beta1.Plan{plans[1], plans[0]}),
		"a removed one":  catalogsync.Digest(append(classes, class("c", 1, true)), plans),
		"one not there":  catalogsync.Digest(append(classes, class("", 0, false)), plans),
		"the same again": catalogsync.Digest(classes, plans),
	} {
		if same != whole {
			t.Errorf("%s: %s, want %s", name, same, whole)
		}
	}
	for name, other := range map[string]string{
		"an edited one":       catalogsync.Digest([]v1beta1.Class{classes[0], class("b", 2, false)}, plans),
		"one less":            catalogsync.Digest(classes[:1], plans),
		"a plan less":         catalogsync.Digest(classes, plans[:1]),
		"one removed":         catalogsync.Digest([]v1beta1.Class{classes[0], class("b", 1, true)}, plans),
		"one made anew":       catalogsync.Digest([]v1beta1.Class{classes[0], class("c", 1, false)}, plans),
		"a plan for a class":  catalogsync.Digest(classes[:1], append(plans, plan("b"))),
		"nothing at all":      catalogsync.Digest(nil, nil),
		"one twice, one less": catalogsync.Digest([]v1beta1.Class{classes[0], classes[0]}, plans),
	} {
		if other == whole {
			t.Errorf("%s: the same digest", name)
		}
	}
}
