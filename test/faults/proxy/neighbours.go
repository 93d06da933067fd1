// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The kinds of faults of neighbours: what other users of the cluster do from a call on.
const (
	NeighbourLabels  = "neighbour-labels"  // a program writes a label and an annotation of its own on every object, until the end of the run
	NeighbourApplies = "neighbour-applies" // a program applies the specs as they are, with force, until the end of the run
	NeighbourEdits   = "neighbour-edits"   // a user edits what the first one has edited, and edits it back, a few times
	NamespaceDeleted = "namespace-deleted" // a user deletes the namespace, and the steps end

	refusedSecrets    = "refused-secrets"    // a quota has no room for Secrets, for a while
	refusedStatus     = "refused-status"     // a policy denies writes of statuses, for a while
	refusedFinalizers = "refused-finalizers" // a policy denies writes of finalizers, for a while
)

// refusalTime is how long the API server refuses writes. It is longer than the first delays.
const refusalTime = 6 * time.Second

// RefusalText is in the message of each write that the API server refuses for a while.
const RefusalText = "by-the-neighbours"

// NeighbourKinds returns the kinds of faults of neighbours.
func NeighbourKinds() []string {
	return append([]string{NeighbourLabels, NeighbourApplies, NeighbourEdits, NamespaceDeleted}, refusedKinds...)
}

var refusedKinds = []string{refusedSecrets, refusedStatus, refusedFinalizers}

// IsOfNeighbours reports whether the fault is one of NeighbourKinds.
func (f Fault) IsOfNeighbours() bool { return slices.Contains(NeighbourKinds(), f.Kind) }

// IsOfClient reports whether a client of the cluster is the fault, which the injector itself does not inject.
func (f Fault) IsOfClient() bool {
	return f.IsOfNeighbours() && !slices.Contains(refusedKinds, f.Kind)
}

// ChangesNothing reports whether neighbours leave all specs, and all objects, as they are.
func (f Fault) ChangesNothing() bool {
	return f.IsOfNeighbours() && f.Kind != NeighbourEdits && f.Kind != NamespaceDeleted
}

// RefusesSecrets reports whether the API server refuses new Secrets. Credentials that a broker does not return again are requested again then, after a
// delay each time.
func (f Fault) RefusesSecrets() bool { return f.Kind == refusedSecrets }

// LastsUntilEnd reports whether a neighbour writes until the end of the run.
func (f Fault) LastsUntilEnd() bool { return f.Kind == NeighbourLabels || f.Kind == NeighbourApplies }

// NeedsMention reports whether a condition has to say that the API server refuses a write: the write of a status is none that it can tell of.
func (f Fault) NeedsMention() bool {
	return f.Kind == refusedSecrets || f.Kind == refusedFinalizers
}

// refusal is what the API server refuses for a while; the zero value: nothing.
type refusal struct {
	kind  string
	until time.Time
	count int
}

// Refusals returns how many writes were refused.
func (i *Injector) Refusals() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.refusal.count
}

// beginRefusal makes the API server refuse writes.
func (i *Injector) beginRefusal(kind string) {
	i.refusal = refusal{kind: kind, until: time.Now().Add(refusalTime)}
	i.busyUntil = i.refusal.until.Add(time.Second)
}

// refuse returns the answer to a write that is refused; nil: it is not.
func (i *Injector) refuse(r *http.Request, target resourcePath, body []byte, exists func(context.Context) bool) http.HandlerFunc {
	i.mu.Lock()
	now := i.refusal
	i.mu.Unlock()
	kind := now.kind
	if time.Now().After(now.until) || r.Method == http.MethodGet || r.Method == http.MethodDelete {
		return nil
	}
	named := target.resource + ` \"` + target.name + `\" is forbidden: `
	denied := apiError(http.StatusUnprocessableEntity, "Invalid", named+`ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: frozen `+RefusalText)
	var answer http.HandlerFunc
	switch {
	case kind == refusedSecrets && target.resource == "secrets" && !exists(r.Context()):
		answer = apiError(http.StatusForbidden, "Forbidden", named+`exceeded quota: `+RefusalText+`, requested: secrets=1, used: secrets=3, limited: secrets=3`)
	case kind == refusedStatus && target.subresource == "status", kind == refusedFinalizers && writesFinalizers(string(body)):
		answer = denied
	}
	if answer != nil {
		i.mu.Lock()
		i.refusal.count++
		i.mu.Unlock()
	}
	return answer
}

// writesFinalizers reports whether the body of a request sets finalizers: as a field of an object, or as the path of a JSON patch.
func writesFinalizers(body string) bool {
	return strings.Contains(body, `"finalizers"`) || strings.Contains(body, `"/metadata/finalizers"`)
}

// exists returns a function that reports whether the API server has an object.
func (s *APIServer) exists(r *http.Request, target resourcePath) func(context.Context) bool {
	return func(ctx context.Context) bool {
		if r.Method == http.MethodPost {
			return false
		}
		target.subresource = ""
		read := r.Clone(ctx)
		read.Method = http.MethodGet
		response, err := s.send(ctx, read, target.path(), nil, nil)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
}
