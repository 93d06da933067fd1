// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"testing"

	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func TestHealthTakesInWhatDeliveriesShow(t *testing.T) {
	key := KeyOf("ns", controllertest.Team)
	news := 0
	h := &Health{OnChange: func(Key) { news++ }}
	at := func(o alertrules.Outcome, isRepost bool) Observation {
		o.Version, o.At = "v1", controllertest.T0
		if isRepost {
			h.ObserveRepost(key, o.Version, o.Failure, o.At)
		} else {
			h.ObserveDelivery(key, o)
		}
		return h.Of(key)
	}
	for _, c := range []struct {
		why      string
		outcome  alertrules.Outcome
		isRepost bool
		works    bool
		news     int
	}{
		{"a delivery", alertrules.Outcome{}, false, true, 1},
		{"a repost is no news", alertrules.Outcome{}, true, true, 1},
		{"a message that is refused says nothing of the receiver", alertrules.Outcome{Failure: &result.Error{Class: result.Permanent, Reason: result.ReasonRejected}}, false, true, 2},
		{"nor that it is busy", alertrules.Outcome{Failure: &result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited}}, false, true, 3},
		{"a repost that fails", alertrules.Outcome{Failure: &result.Error{Class: result.Unknown, Reason: result.ReasonTimeout}}, true, false, 4},
		{"and one that does not, again", alertrules.Outcome{}, true, true, 5},
	} {
		if s := at(c.outcome, c.isRepost); (s.Proof.Failure == nil) != c.works || news != c.news {
			t.Errorf("%s: it works: %v, news: %d", c.why, s.Proof.Failure == nil, news)
		}
	}
	if h.Forget(key); h.Of(key).Proof.Version != "" {
		t.Error("a receiver that is gone is remembered")
	}
}
