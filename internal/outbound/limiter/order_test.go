// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// message is a message of a namespace to an endpoint.
type message struct {
	namespace string
	severity  int
	notifies  bool
	age       time.Duration // when it is queued
	id        int
}

func (m message) String() string {
	kind := "edit"
	if m.notifies {
		kind = []string{"Info", "Warning", "Critical"}[m.severity]
	}
	return fmt.Sprintf("%s %s %d", m.namespace, kind, m.id)
}

// service is an endpoint to which messages are sent from queues, each as soon as it gets a slot, in a bubble of synctest.
type service struct {
	limiter.Limiter
	total, perNamespace limiter.Rate
	takes               time.Duration // a request
	answer              func(m message) limiter.Result

	asked    chan message
	sent     []message // in order, also those that were refused
	sentAt   []time.Time
	accepted []message
}

// send has messages sent until each is accepted. They are queued in their order.
func (s *service) send(messages ...message) {
	s.asked = make(chan message, 10*len(messages)+10)
	for _, m := range messages {
		s.asked <- m
	}
	began := time.Now()
	var release []func()
	for len(s.accepted) < len(messages) {
		select {
		case m := <-s.asked:
			if end := s.enter(m, began); end != nil {
				release = append(release, end)
			}
			continue
		default:
		}
		if len(release) > 0 {
			time.Sleep(s.takes)
			release[0]()
			release = release[1:]
			continue
		}
		if time.Since(began) > 48*time.Hour {
			return
		}
		select {
		case m := <-s.asked:
			s.asked <- m
		case <-time.After(limiter.QueueTimeout / 3):
			for _, m := range messages { // as those do that wait
				if !slices.Contains(s.accepted, m) {
					s.asked <- m
				}
			}
		}
	}
}

// enter sends a message if it gets a slot, and returns what ends its request.
func (s *service) enter(m message, began time.Time) (end func()) {
	notify := func() { s.asked <- m }
	release, _ := s.Enter(limiter.Request{ID: m.id, Flow: m.namespace, Severity: m.severity, Notifies: m.notifies, Due: began.Add(-m.age),
		First: true, Total: s.total, PerFlow: s.perNamespace, Notify: notify}, time.Now())
	if release == nil {
		return nil
	}
	s.sent, s.sentAt = append(s.sent, m), append(s.sentAt, time.Now())
	return func() {
		result := limiter.Result{}
		if s.answer != nil {
			result = s.answer(m)
		}
		attribution := release(time.Now(), result)
		if result.Outcome == limiter.Accepted {
			s.accepted = append(s.accepted, m)
		} else if attribution.Throttled {
			notify()
		}
	}
}

// queued returns n messages of a namespace, the first of which is the oldest.
func queued(namespace string, severity, n, from int) (messages []message) {
	for i := range n {
		messages = append(messages, message{namespace, severity, true, time.Duration(10000-from-i) * time.Second, from + i})
	}
	return messages
}

// F-P59: the queue of a namespace goes by severity, then by age, and each fourth turn is for the oldest.
func TestF_P59_TheQueueGoesBySeverity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service{takes: time.Second}
		messages := slices.Concat(queued("ns", 0, 12, 0), queued("ns", 1, 3, 20), queued("ns", 2, 6, 30))
		s.send(messages...)
		var got []int
		for _, m := range s.sent {
			got = append(got, m.id)
		}
		// Four got a slot before any waited.
		want := []int{0, 1, 2, 3, 30, 31, 32, 4, 33, 34, 35, 5, 20, 21, 22, 6, 7, 8, 9, 10, 11}
		if !slices.Equal(got, want) {
			t.Errorf("the order is %v, want %v", got, want)
		}
	})
}

// F-P59: a Critical does not wait for the next period behind what is less severe, and edits keep a quarter.
func TestF_P59_ARateLimitKeepsRoomForWhatIsSevere(t *testing.T) {
	for name, test := range map[string]struct {
		count int
		later message
		waits bool
	}{
		"a Critical":           {8, message{namespace: "ns", severity: 2, notifies: true, id: 100}, false},
		"an edit":              {8, message{namespace: "ns", severity: 0, id: 100}, false},
		"another Info":         {8, message{namespace: "ns", severity: 0, notifies: true, id: 100}, true},
		"a Critical, of three": {3, message{namespace: "ns", severity: 2, notifies: true, id: 100}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := service{takes: time.Second, total: limiter.Rate{Count: test.count, Period: time.Hour}}
				s.send(append(queued("ns", 0, 20, 0), test.later)...)
				position := slices.IndexFunc(s.sent, func(m message) bool { return m.id == 100 })
				if waits := s.sentAt[position].Sub(s.sentAt[0]) >= time.Hour; waits != test.waits {
					t.Errorf("it waits for the next period: %t, want %t", waits, test.waits)
				}
			})
		})
	}
}

// F-P59: Criticals of one namespace take half of a ClusterReceiver's limit while others wait, and else all of it.
func TestF_P59_CriticalsOfOneNamespaceLeaveHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service{takes: time.Second, total: limiter.Rate{Count: 10, Period: time.Hour}}
		s.send(append(queued("loud", 2, 30, 0), queued("quiet", 1, 20, 50)...)...)
		loud := 0
		for i, m := range s.sent {
			if s.sentAt[i].Sub(s.sentAt[0]) < time.Hour && m.namespace == "loud" {
				loud++
			}
		}
		if loud != 5 {
			t.Errorf("%d of the first 10 messages are those of one namespace, want 5", loud)
		}
		alone := service{takes: time.Second, total: limiter.Rate{Count: 10, Period: time.Hour}}
		alone.send(queued("loud", 2, 10, 0)...)
		if took := alone.sentAt[9].Sub(alone.sentAt[0]); took >= time.Hour {
			t.Errorf("alone it waits for the next period, %s", took)
		}
	})
}

// F-P59: whatever is sent, each message is, and nothing exceeds the limits and shares.
func TestF_P59_NothingStarvesOrExceeds(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := service{takes: time.Duration(random.IntN(3000)+1) * time.Millisecond, total: limiter.Rate{Count: 1 + random.IntN(12), Period: 10 * time.Minute}}
			if random.IntN(2) == 0 {
				s.perNamespace = limiter.Rate{Count: 1 + random.IntN(6), Period: 5 * time.Minute}
			}
			var messages []message
			for i := range 20 + random.IntN(60) {
				messages = append(messages, message{fmt.Sprint("ns-", random.IntN(3)), random.IntN(3), random.IntN(4) > 0, time.Duration(random.IntN(9000)) * time.Second, i})
			}
			s.send(messages...)
			if len(s.accepted) != len(messages) {
				t.Fatalf("seed %d: %d of %d messages are sent", seed, len(s.accepted), len(messages))
			}
			s.check(t, "rateLimit", s.total, func(message) bool { return true })
			for i := range 3 {
				s.check(t, "namespaceRateLimit", s.perNamespace, func(m message) bool { return m.namespace == fmt.Sprint("ns-", i) })
			}
			if n := s.total.Count; n >= 4 {
				s.check(t, "the share of Info and Warning", limiter.Rate{Count: n * 3 / 4, Period: s.total.Period}, func(m message) bool { return m.notifies && m.severity < 2 })
			}
		})
	}
}

// check fails if more messages were sent in a period than a rate allows.
func (s *service) check(t *testing.T, name string, rate limiter.Rate, counts func(message) bool) {
	t.Helper()
	var at []time.Time
	for i, m := range s.sent {
		if counts(m) {
			at = append(at, s.sentAt[i])
		}
	}
	for i := rate.Count; rate.Count > 0 && i < len(at); i++ {
		if within := at[i].Sub(at[i-rate.Count]); within < rate.Period {
			t.Errorf("%s: %d messages in %s, with a rate of %+v", name, rate.Count+1, within, rate)
			return
		}
	}
}
