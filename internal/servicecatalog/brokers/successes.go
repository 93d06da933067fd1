// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"sync"
	"time"
)

// Successes records when brokers last answered any request with success, also one for the catalog. It has the objects that wait for a success,
// since their deletion was answered with 410. A 404 is no success, though the Limiter of the broker counts it as one. The zero value is ready to
// use.
type Successes struct {
	mu sync.Mutex
	of map[Key]*success
}

// success has the last success of one broker, and the objects that wait for the next.
type success struct {
	// endpoint is the version of the endpoint that the rest is about.
	endpoint string
	// last is when the last request that the broker has answered with success was sent; zero: there is no such request.
	last    time.Time
	waiting map[QueueKey]func()
}

// Last returns when the last request that a broker has answered with success was sent; zero: this process has sent no such request.
func (s *Successes) Last(key Key) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.of[key]; known != nil {
		return known.last
	}
	return time.Time{}
}

// Begin begins a version of a broker's endpoint. Answers of a former endpoint say nothing about it.
func (s *Successes) Begin(key Key, endpoint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.get(key); known.endpoint != endpoint {
		known.endpoint, known.last = endpoint, time.Time{}
	}
}

// Record records that a version of a broker's endpoint has answered a request with success that was sent at a time, and wakes the objects
// that wait for that.
func (s *Successes) Record(key Key, endpoint string, sent time.Time) {
	s.mu.Lock()
	known := s.get(key)
	if known.endpoint != endpoint || !sent.After(known.last) {
		s.mu.Unlock()
		return
	}
	known.last = sent
	waiting := known.waiting
	known.waiting = nil
	s.mu.Unlock()
	for _, notify := range waiting {
		notify()
	}
}

// Await has notify called once a broker has answered a request with success that was sent after the last one that the object knows of.
func (s *Successes) Await(key Key, object QueueKey, known time.Time, notify func()) {
	s.mu.Lock()
	at := s.get(key)
	isMissed := at.last.After(known)
	if !isMissed {
		if at.waiting == nil {
			at.waiting = map[QueueKey]func(){}
		}
		at.waiting[object] = notify
	}
	s.mu.Unlock()
	if isMissed {
		notify()
	}
}

// Forget drops the success of a broker that was deleted.
func (s *Successes) Forget(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, key)
}

func (s *Successes) get(key Key) *success {
	if s.of == nil {
		s.of = map[Key]*success{}
	}
	if s.of[key] == nil {
		s.of[key] = &success{}
	}
	return s.of[key]
}
