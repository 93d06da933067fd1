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
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// readBroker is a broker whose catalog was read a minute ago, and all is well.
func readBroker() *v1beta1.ClusterServiceBroker {
	b := &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "b", UID: "broker", Generation: 3}}
	b.Spec.RelistBehavior = v1beta1.RelistDuration
	b.Status = v1beta1.ServiceBrokerStatus{
		ObservedGeneration: 3, ReconciledGeneration: 3, LastCatalogRetrievalTime: timeOf(noon.Add(-time.Minute)),
		CatalogETag: "etag", CatalogDigest: "digest", CredentialsVersion: "credentials",
	}
	return b
}

// conformance: C04
func TestWhenACatalogIsReadNext(t *testing.T) {
	type broker = v1beta1.ClusterServiceBroker
	type facts = brokerFacts
	never := time.Time{}
	day := noon.Add(-time.Minute + 24*time.Hour)
	manual := func(b *broker) { b.Spec.RelistBehavior = v1beta1.RelistManual }
	for name, c := range map[string]struct {
		why    string
		broker func(*broker)
		facts  func(*facts)
		want   time.Time
		etag   string
	}{
		"at rest":                    {"the interval", nil, nil, day, "etag"},
		"new":                        {"it was never read", func(b *broker) { b.Generation, b.Status = 1, v1beta1.ServiceBrokerStatus{} }, nil, noon, ""},
		"edited":                     {"the spec has changed, and with it what is made of the catalog", func(b *broker) { b.Generation++ }, nil, noon, ""},
		"edited, and failed since":   {"the new spec is retried, not hurried", func(b *broker) { b.Generation++; b.Status.ObservedGeneration++; failing(b, time.Second) }, nil, noon.Add(time.Second), ""},
		"edited while failing":       {"what is new may help", func(b *broker) { failing(b, time.Hour); b.Generation++ }, nil, noon, ""},
		"own interval":               {"", func(b *broker) { b.Spec.RelistDuration = &metav1.Duration{Duration: time.Hour} }, nil, noon.Add(59 * time.Minute), "etag"},
		"own interval, too short":    {"a minute is the least", func(b *broker) { b.Spec.RelistDuration = &metav1.Duration{Duration: time.Second} }, nil, noon, "etag"},
		"manual":                     {"only when asked", manual, nil, never, "etag"},
		"manual, new":                {"", func(b *broker) { manual(b); b.Generation, b.Status = 1, v1beta1.ServiceBrokerStatus{} }, nil, noon, ""},
		"manual, failing":            {"a failure is retried", func(b *broker) { manual(b); failing(b, time.Second) }, nil, noon.Add(time.Second), ""},
		"manual, Secret changed":     {"it works, and nobody has asked", manual, func(f *facts) { f.credentials = "other" }, never, "etag"},
		"failing, Secret changed":    {"that may help", func(b *broker) { failing(b, time.Hour) }, func(f *facts) { f.credentials = "other" }, noon, ""},
		"Secret changed":             {"the new credentials are tried before anybody needs them", nil, func(f *facts) { f.credentials = "other" }, noon.Add(-50 * time.Second), "etag"},
		"Secret changed again":       {"who edits it again and again does not flood the broker", func(b *broker) { b.Status.LastCatalogRetrievalTime = timeOf(noon) }, func(f *facts) { f.credentials = "other" }, noon.Add(minDemanded), "etag"},
		"failing for good":           {"the same again would help nobody", func(b *broker) { failing(b, 0); b.Status.NextAttemptTime = nil }, nil, never, ""},
		"partly synced":              {"it is retried, though the catalog was read", func(b *broker) { failing(b, time.Second); b.Status.OperationStartTime = nil }, nil, noon.Add(time.Second), ""},
		"edited behind our back":     {"what the ETag stands for is not what is there", nil, func(f *facts) { f.digest = "other" }, noon, ""},
		"edited again and again":     {"once a minute", func(b *broker) { b.Status.LastCatalogRetrievalTime = timeOf(noon) }, func(f *facts) { f.digest = "other" }, noon.Add(time.Minute), ""},
		"demanded":                   {"a broker's answer said so", nil, func(f *facts) { f.demanded = true }, noon.Add(-50 * time.Second), "etag"},
		"demanded, manual":           {"", manual, func(f *facts) { f.demanded = true }, noon.Add(-50 * time.Second), "etag"},
		"of old, ready":              {"what it was not yet told of is looked at", func(b *broker) { b.Status.ObservedGeneration, b.Status.CatalogDigest, b.Status.CatalogETag = 0, "", "" }, nil, noon, ""},
		"of old, failing":            {"", func(b *broker) { manual(b); b.Status.OperationStartTime = timeOf(noon) }, nil, noon, "etag"},
		"of old, generation of old":  {"a status that was copied from another cluster", func(b *broker) { b.Status.ObservedGeneration, b.Status.ReconciledGeneration = 0, 9 }, nil, noon, ""},
		"status without read":        {"", func(b *broker) { b.Status.LastCatalogRetrievalTime = nil }, nil, noon, "etag"},
		"interval long over":         {"", func(b *broker) { b.Status.LastCatalogRetrievalTime = timeOf(noon.Add(-48 * time.Hour)) }, nil, noon.Add(-24 * time.Hour), "etag"},
		"broker that gives no ETag":  {"", func(b *broker) { b.Status.CatalogETag = "" }, nil, day, ""},
		"reset counter of old fails": {"", func(b *broker) { failing(b, -time.Hour) }, nil, noon.Add(-time.Hour), ""},
	} {
		b, f := readBroker(), brokerFacts{now: noon, interval: 24 * time.Hour, credentials: "credentials", digest: "digest"}
		if c.broker != nil {
			c.broker(b)
		}
		if c.facts != nil {
			c.facts(&f)
		}
		got := decideRelist(b, f)
		if !got.at.Equal(c.want) || got.etag != c.etag {
			t.Errorf("%s (%s): at %v with ETag %q, want %v with %q", name, c.why, got.at, got.etag, c.want, c.etag)
		}
		if want := !c.want.IsZero() && !c.want.After(noon); got.isDue(noon) != want {
			t.Errorf("%s: due is %v, want %v", name, got.isDue(noon), want)
		}
	}
}

func failing(b *v1beta1.ClusterServiceBroker, next time.Duration) {
	b.Status.Attempts, b.Status.OperationStartTime, b.Status.NextAttemptTime = 2, timeOf(noon), timeOf(noon.Add(next))
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
	whole := catalogDigest(classes, plans)
	for name, same := range map[string]string{
		"another order":  catalogDigest([]v1beta1.Class{classes[1], classes[0]}, []v1beta1.Plan{plans[1], plans[0]}),
		"a removed one":  catalogDigest(append(classes, class("c", 1, true)), plans),
		"one not there":  catalogDigest(append(classes, class("", 0, false)), plans),
		"the same again": catalogDigest(classes, plans),
	} {
		if same != whole {
			t.Errorf("%s: %s, want %s", name, same, whole)
		}
	}
	for name, other := range map[string]string{
		"an edited one":       catalogDigest([]v1beta1.Class{classes[0], class("b", 2, false)}, plans),
		"one less":            catalogDigest(classes[:1], plans),
		"a plan less":         catalogDigest(classes, plans[:1]),
		"one removed":         catalogDigest([]v1beta1.Class{classes[0], class("b", 1, true)}, plans),
		"one made anew":       catalogDigest([]v1beta1.Class{classes[0], class("c", 1, false)}, plans),
		"a plan for a class":  catalogDigest(classes[:1], append(plans, plan("b"))),
		"nothing at all":      catalogDigest(nil, nil),
		"one twice, one less": catalogDigest([]v1beta1.Class{classes[0], classes[0]}, plans),
	} {
		if other == whole {
			t.Errorf("%s: the same digest", name)
		}
	}
}
