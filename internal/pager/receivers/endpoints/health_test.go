// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func TestHealthTakesInWhatDeliveriesShow(t *testing.T) {
	key := KeyOf("ns", controllertest.Team)
	news := 0
	h := &Health{OnChange: func(Key) { news++ }}
	at := func(o alertrules.Outcome) Observation {
		o.Version, o.At = "v1", controllertest.T0
		h.ObserveDelivery(key, o)
		return h.Of(key)
	}
	for _, c := range []struct {
		why     string
		outcome alertrules.Outcome
		works   bool
		news    int
	}{
		{"a delivery", alertrules.Outcome{}, true, 1},
		{"a repost is no news", alertrules.Outcome{Request: alertrules.Request{RepostEvery: time.Minute}}, true, 1},
		{"a message that is refused says nothing of the receiver", alertrules.Outcome{Failure: &result.Error{Class: result.Permanent, Reason: result.ReasonRejected}}, true, 2},
		{"nor that it is busy", alertrules.Outcome{Failure: &result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited}}, true, 3},
		{"a repost that fails", alertrules.Outcome{Request: alertrules.Request{RepostEvery: time.Minute}, Failure: &result.Error{Class: result.Unknown, Reason: result.ReasonTimeout}}, false, 4},
		{"and one that does not, again", alertrules.Outcome{Request: alertrules.Request{RepostEvery: time.Minute}}, true, 5},
	} {
		if s := at(c.outcome); (s.Proof.Failure == nil) != c.works || news != c.news {
			t.Errorf("%s: it works: %v, news: %d", c.why, s.Proof.Failure == nil, news)
		}
	}
	if h.Forget(key); h.Of(key).Proof.Version != "" {
		t.Error("a receiver that is gone is remembered")
	}
}
