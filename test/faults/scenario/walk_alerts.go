// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// restrictAlert makes receivers be names that exist, and lifetimes long.
func restrictAlert(s *schema) {
	s.Properties["receiverRefs"].generate = func(r *rand.Rand) any {
		var refs []any
		for _, name := range []string{"hook", "desk", "boss"} {
			if r.IntN(3) > 0 {
				refs = append(refs, map[string]any{"kind": "Receiver", "name": name})
			}
		}
		if refs == nil {
			return nil
		}
		return refs
	}
	s.Properties["joinedTime"].generate = omit // a receiver that cannot change its message keeps an older content
	s.Properties["links"].Items.Properties["href"].generate = func(r *rand.Rand) any { return fmt.Sprintf("https://example.com/%d", r.IntN(3)) }
	long := func(r *rand.Rand) any { return int64(3600 + r.IntN(3600)) }
	s.Properties["expireAfterSeconds"].generate, s.Properties["ttlSecondsAfterFinished"].generate = long, long
}

// maybeExpireSoon makes an Alert expire at once, in some of the walks that skip waits.
func maybeExpireSoon(w *walk, spec map[string]any) {
	if w.skipsWaits && w.r.IntN(4) == 0 {
		spec["expireAfterSeconds"] = int64(1)
	}
}

// dropHistory removes from the status of an Alert how often it fired, the rows of receivers that it no longer refers to, the order of rows, which
// is that in which receivers were added, whether a receiver whose minSeverity is higher was told that the severity fell, and the counts of an
// Alert that is resolved or below the minSeverity of a receiver.
func dropHistory(o *unstructured.Unstructured) {
	list := func(fields ...string) []any {
		l, _, _ := unstructured.NestedSlice(o.Object, fields...) // empty if missing
		return l
	}
	named := func(of any) string { return of.(map[string]any)["name"].(string) }
	refs := list("spec", "receiverRefs")
	kept := slices.DeleteFunc(list("status", "deliveries"), func(d any) bool {
		return !slices.ContainsFunc(refs, func(ref any) bool { return named(ref) == named(d) })
	})
	slices.SortFunc(kept, func(a, b any) int { return strings.Compare(named(a), named(b)) })
	isBelow := false
	for _, d := range kept {
		row := d.(map[string]any)
		if reason := row["reason"]; reason == pagerv1beta1.ReasonBelowMinSeverity || reason == pagerv1beta1.ReasonFiltered {
			row["reason"], row["state"], isBelow = pagerv1beta1.ReasonFiltered, string(pagerv1beta1.DeliveryFiltered), true
		}
	}
	unstructured.RemoveNestedField(o.Object, "status", "occurrence")
	unstructured.RemoveNestedField(o.Object, "status", "deliveries")
	if len(kept) > 0 {
		o.Object["status"].(map[string]any)["deliveries"] = kept
	}
	if state, _, _ := unstructured.NestedString(o.Object, "spec", "state"); isBelow || state == string(pagerv1beta1.AlertResolved) {
		unstructured.RemoveNestedField(o.Object, "status", "receivers")
		unstructured.RemoveNestedField(o.Object, "status", "sent")
	}
}

// receivedContent returns the last message of each receiver that has an Alert.
func receivedContent(w *walk, name string) string {
	a := &pagerv1beta1.Alert{ObjectMeta: w.objectMeta(name)}
	w.must(w.get(a))
	var lines []string
	for _, d := range a.Status.Deliveries {
		if d.State != pagerv1beta1.DeliverySent || !IsForReceiver(a, d) {
			continue
		}
		if m := w.LastReceived(a, d.Name); m != nil {
			lines = append(lines, fmt.Sprintf("%s holds %s %s %s %s", d.Name, m.Title, m.RawContent, m.Severity, m.State))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
