// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
)

// Of requests and reposts to one receiver, one is in flight for an Alert; a repost follows from a status that has all outcomes.
func TestOneRequestAtATime(t *testing.T) {
	p, a, ref, now := newPending(), controllertest.NewAlert(), controllertest.Team, time.Now()
	begin := func() bool {
		began, _ := p.begin(a, ref, alertrules.InFlightRequest{})
		return began
	}
	steps := []struct {
		name string
		do   func() bool
		want bool
	}{
		{"a repost", func() bool { return p.beginRepost(a, ref, now) }, true},
		{"another one", func() bool { return p.beginRepost(a, ref, now) }, false},
		{"a request during a repost", begin, false},
		{"the repost ends, for which a request waits", func() bool { return p.endRepost(a, ref) }, true},
		{"the request", begin, true},
		{"a repost during a request", func() bool { return p.beginRepost(a, ref, now) }, false},
		{"the request ends", func() bool { return p.end(a, alertrules.Outcome{Ref: ref}) }, true},
		{"a repost before the outcome is recorded", func() bool { return p.beginRepost(a, ref, now) }, false},
		{"the outcome is recorded", func() bool { p.markRecorded(a, p.number); return len(p.entries) == 0 }, true},
		{"a repost", func() bool { return p.beginRepost(a, ref, now) }, true},
		{"it ends, and nothing waits", func() bool { return p.endRepost(a, ref) }, false},
		{"nothing is kept", func() bool { return len(p.entries) == 0 && p.requests == 0 }, true},
		{"a repost of a released Alert", func() bool { p.release(a); return p.beginRepost(a, ref, now) }, false},
	}
	for _, step := range steps {
		if got := step.do(); got != step.want {
			t.Fatalf("%s: %t, want %t", step.name, got, step.want)
		}
	}
}
