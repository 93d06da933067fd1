// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package versioned

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// connection reports when it is closed.
type connection struct{ closed chan<- *connection }

func (c *connection) Close() { c.closed <- c }

// Calls for new versions and calls of Forget run at the same time: every value is closed once, also the value of a call that waited for an
// entry that was forgotten meanwhile.
func TestEveryValueIsClosedOnce(t *testing.T) {
	const calls = 20000
	closed := make(chan *connection, 2*calls)
	cache := NewCache[string, *connection]()
	var made atomic.Int32
	var running sync.WaitGroup
	for i := range calls {
		running.Go(func() {
			_, err := cache.Of("broker", strconv.Itoa(i), func(*connection) (*connection, error) {
				made.Add(1)
				return &connection{closed}, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		running.Go(func() { cache.Forget("broker") })
	}
	running.Wait()
	cache.Forget("broker")
	seen := map[*connection]bool{}
	for range made.Load() {
		select {
		case c := <-closed:
			if seen[c] {
				t.Fatal("a value was closed twice")
			}
			seen[c] = true
		case <-time.After(10 * time.Second):
			t.Fatalf("%d of %d values were closed", len(seen), made.Load())
		}
	}
}

// stubborn panics when it is closed.
type stubborn struct{ version string }

func (*stubborn) Close() { panic("it cannot be closed") }

// quietly calls f, and returns what it panicked with.
func quietly(f func()) (recovered any) {
	defer func() { recovered = recover() }()
	f()
	return nil
}

// F-P66: a value whose Close panics is replaced all the same, and no call waits for ever.
func TestAPanicOfCloseEndsOneCall(t *testing.T) {
	cache := NewCache[string, *stubborn]()
	of := func(version string) (*stubborn, error) {
		return cache.Of("receiver", version, func(*stubborn) (*stubborn, error) { return &stubborn{version}, nil })
	}
	if _, err := of("1"); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		started, goOn := make(chan struct{}), make(chan struct{})
		var calls sync.WaitGroup
		calls.Go(func() {
			_ = quietly(func() {
				_, _ = cache.Of("receiver", "2", func(*stubborn) (*stubborn, error) {
					close(started)
					<-goOn
					return &stubborn{"2"}, nil
				})
			})
		})
		<-started
		calls.Go(func() {
			if got, err := of("2"); err != nil || got.version != "2" {
				t.Errorf("a call that waited got %+v, %v", got, err)
			}
		})
		synctest.Wait()
		close(goOn)
		calls.Wait()
		if got, err := of("2"); err != nil || got.version != "2" {
			t.Errorf("a later call got %+v, %v", got, err)
		}
	})
}

// A value that is taken is not closed; one that is made meanwhile is, as with Forget.
func TestATakenValueIsNotClosed(t *testing.T) {
	closed := make(chan *connection, 10)
	cache := NewCache[string, *connection]()
	if _, ok := cache.Take("broker"); ok || cache.Has("broker") {
		t.Error("there is a value before one was made")
	}
	newConnection := func(*connection) (*connection, error) { return &connection{closed}, nil }
	made, err := cache.Of("broker", "1", newConnection)
	if err != nil || !cache.Has("broker") {
		t.Fatalf("there is no value, %v", err)
	}
	if _, err := cache.Of("broker", "2", func(*connection) (*connection, error) {
		if taken, ok := cache.Take("broker"); !ok || taken != made {
			t.Errorf("the value that is taken is %v", taken)
		}
		return &connection{closed}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if cache.Has("broker") || len(closed) != 1 || <-closed == made {
		t.Error("the value that was made meanwhile is not the one that is closed")
	}
}
