// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokerrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
)

// demands are the reasons, from answers to requests of instances and bindings, to read the catalogs of brokers. The zero value is ready to use.
type demands struct {
	mu sync.Mutex
	by map[brokers.Key]demand
}

// demand has the reasons to read the catalog of one broker. The zero value means an unknown broker, which another process may have seen fail.
type demand struct {
	// requested, failed and recovered are when an answer said that the catalog has changed, when a request failed, and when one was
	// answered after others had failed; zero: not since the last relist.
	requested, failed, recovered time.Time
	// checks is the number of relists after failed requests, since a request was answered or the catalog could not be read.
	checks int
	// works: the last request was answered.
	works bool
	// relisted is when the last relist began, and unreadable: it could not read the catalog.
	relisted   time.Time
	unreadable bool
	// unchecked: an object wants to know whether the broker answers with success, and no relist has begun since.
	unchecked bool
}

// readableInterval and unreadableInterval are the shortest times from a relist to another that shows whether a broker answers with success: after a
// relist that could read the catalog, and after one that could not. Every asynchronous deletion that ends with 410 waits for such a relist.
const readableInterval, unreadableInterval = 5 * time.Second, time.Minute

// of returns whether a relist was requested of a broker's catalog, and the broker's health.
func (d *demands) of(key brokers.Key) (requested bool, health brokerrules.Health) {
	d.mu.Lock()
	defer d.mu.Unlock()
	is := d.by[key]
	return !is.requested.IsZero(), brokerrules.Health{Failed: !is.failed.IsZero(), Checks: is.checks, Recovered: !is.recovered.IsZero(), LastRelist: is.relisted}
}

// update changes the demand of a broker's catalog.
func (d *demands) update(key brokers.Key, change func(*demand)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	is := d.by[key]
	change(&is)
	if d.by == nil {
		d.by = map[brokers.Key]demand{}
	}
	d.by[key] = is
}

func (d *demands) forget(key brokers.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.by, key)
}

// relisted drops the demands from before a relist began. ok: the catalog was read.
func (d *demands) relisted(key brokers.Key, began time.Time, ok bool) {
	d.update(key, func(is *demand) {
		is.relisted, is.unreadable, is.unchecked = began, !ok, false
		switch {
		case !ok: // the status says so
			is.checks = 0
		case !is.failed.IsZero():
			is.checks++
		}
		for _, at := range []*time.Time{&is.requested, &is.failed, &is.recovered} {
			if !at.After(began) {
				*at = time.Time{}
			}
		}
	})
}

// RequestRelist requests a relist, since an answer said that the catalog has changed.
func (r *Reconciler) RequestRelist(key brokers.Key) {
	r.demands.update(key, func(is *demand) { is.requested = r.clock.Now() })
	r.wakeBroker(key)
}

// CheckAvailability requests a relist to see whether the broker answers with success.
func (r *Reconciler) CheckAvailability(key brokers.Key) {
	wake := false
	r.demands.update(key, func(is *demand) { wake, is.unchecked = !is.unchecked, true })
	if wake {
		r.wakeBroker(key)
	}
}

// checkAt returns when the catalog of a broker is to be read since objects want to know whether it answers with success; zero: none does.
func (d *demands) checkAt(key brokers.Key, now time.Time) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	is := d.by[key]
	switch {
	case !is.unchecked:
		return time.Time{}
	case is.unreadable:
		return times.DueAfter(is.relisted, unreadableInterval, now)
	default:
		return times.DueAfter(is.relisted, readableInterval, now)
	}
}

// ObserveRequest has the catalog of a broker read where the result of another request may contradict its status: after a failure where the
// broker is Ready, and after the first answer where its catalog could not be read.
func (r *Reconciler) ObserveRequest(key brokers.Key, result limiter.Result) {
	now, wake := r.clock.Now(), false
	r.demands.update(key, func(is *demand) {
		switch result.Outcome {
		case limiter.NotSent, limiter.Throttled: // it may work, but wants fewer requests
		case limiter.Misconfigured, limiter.Unauthorized: // which has probes of its own
			is.works = false
		case limiter.Unavailable:
			wake = is.failed.IsZero()
			is.works, is.failed = false, now
		case limiter.Accepted, limiter.Refused:
			wake = !is.works
			is.works, is.failed, is.checks = true, time.Time{}, 0
			if wake {
				is.recovered = now
			}
		}
	})
	if wake {
		r.wakeBroker(key)
	}
}

func (r *Reconciler) wakeBroker(key brokers.Key) {
	r.wake.Add(types.NamespacedName{Namespace: key.Namespace, Name: key.Name})
}
