// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package patch

import (
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestWhatIsSupersededComesAgain: the event that tells of the change may have come before,
// or never comes.
func TestWhatIsSupersededComesAgain(t *testing.T) {
	result := reconcile.Result{RequeueAfter: time.Hour, Priority: new(-1)}
	away := errors.New("away")
	for name, c := range map[string]struct {
		err        error
		superseded bool
	}{
		"nothing":  {nil, false},
		"stale":    {fmt.Errorf("recording: %w", ErrStale), true},
		"conflict": {apierrors.NewConflict(schema.GroupResource{}, "db", away), true},
		"gone":     {apierrors.NewNotFound(schema.GroupResource{}, "db"), true},
		"away":     {away, false},
	} {
		got, err := RequeueOnConflict(t.Context(), result, c.err)
		switch {
		case c.err == nil:
			if got != result || err != nil {
				t.Errorf("%s: it became %+v, %v", name, got, err)
			}
		case !c.superseded:
			if !errors.Is(err, c.err) || got.RequeueAfter > 0 || got.Priority != result.Priority {
				t.Errorf("%s: it became %+v, %v; want the queue's backoff alone", name, got, err)
			}
		case err != nil || got.IsZero() || got.RequeueAfter > 0 || got.Priority != result.Priority:
			t.Errorf("%s: it comes again as %+v, %v; want it quiet, with the queue's backoff", name, got, err)
		}
		if got, _ := RequeueOnConflict(t.Context(), reconcile.Result{}, c.err); c.err != nil && (got.Priority == nil || *got.Priority != 0) {
			t.Errorf("%s: it comes again as %+v, want it in a turn like all others", name, got)
		}
	}
}
