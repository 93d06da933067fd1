// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// F-JS14: objects that wait are woken once, by a request of the present endpoint that was sent after the last success that they know of.
func TestF_JS14_Successes(t *testing.T) {
	var s Successes
	key, object, woken := Key{Name: "broker"}, QueueKey{Kind: "ServiceInstance"}, 0
	at := func(seconds int) time.Time { return rulestest.T0.Add(time.Duration(seconds) * time.Second) }
	expect := func(step string, last time.Time, want int) {
		t.Helper()
		if !s.Last(key).Equal(last) || woken != want {
			t.Fatalf("%s: the last success is at %s, and %d were woken; want %s and %d", step, s.Last(key), woken, last, want)
		}
	}
	notify := func() { woken++ }
	s.Begin(key, "a")
	s.Await(key, object, time.Time{}, notify)
	s.Await(key, object, time.Time{}, notify)
	expect("no request", time.Time{}, 0)
	s.Record(key, "a", at(2))
	expect("a success", at(2), 1)
	s.Record(key, "a", at(1))
	expect("the success of an earlier request", at(2), 1)
	s.Await(key, object, at(1), notify)
	expect("a success that the object does not know of", at(2), 2)
	s.Await(key, object, at(2), notify)
	s.Begin(key, "b")
	expect("another endpoint", time.Time{}, 2)
	s.Record(key, "a", at(3))
	expect("a success of the former endpoint", time.Time{}, 2)
	s.Record(key, "b", at(4))
	expect("a success of the endpoint", at(4), 3)
	s.Forget(key)
	expect("forgotten", time.Time{}, 3)
}
