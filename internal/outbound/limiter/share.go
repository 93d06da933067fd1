// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import (
	"math"
	"time"
)

// sharedFrom is the smallest total rate that has shares.
const sharedFrom = 4

// group is the state that the flows of a name share.
type group struct {
	used     window // of the rate of each flow
	critical window // of its share of first messages with the highest severity
}

// share is a part of the total rate.
type share struct {
	window *window
	rate   Rate
	has    func(Request) bool
	// yields: it bounds the group only while others wait.
	yields bool
}

// shareOf returns the share of the total rate that bounds a request of a group; nil: none. First messages of a lower severity leave a quarter
// for the others, and those with the highest severity, of one group, half of it for the other groups.
func (lim *Limiter) shareOf(g *group, r Request) *share {
	n := lim.total.Count
	switch {
	case !r.Notifies || r.Exempt || n < sharedFrom:
		return nil
	case r.Severity < critical:
		return &share{window: &lim.lesser, rate: Rate{n * 3 / 4, lim.total.Period}, has: func(r Request) bool { return r.Notifies && r.Severity < critical }}
	}
	return &share{window: &g.critical, rate: Rate{n / 2, lim.total.Period}, has: func(r Request) bool { return r.Notifies && r.Severity >= critical }, yields: true}
}

// shareRoom returns how many requests like own's the share allows that bounds them, beside those that were notified.
func (lim *Limiter) shareRoom(g *group, r Request, own *waiter, now time.Time) int {
	share := lim.shareOf(g, r)
	if share == nil {
		return math.MaxInt
	}
	room := share.window.room(share.rate, now) - lim.kept(func(w *waiter) bool {
		return w != own && share.has(w.Request) && (!share.yields || w.flow.group == g)
	})
	if room <= 0 && share.yields && !lim.othersWait(g, now) {
		return math.MaxInt
	}
	return room
}

// shareOpens returns when the share that bounds a request has room again; zero: it has room now, or no share bounds the request.
func (lim *Limiter) shareOpens(g *group, r Request, now time.Time) time.Time {
	share := lim.shareOf(g, r)
	if share == nil || share.window.room(share.rate, now) > 0 || share.yields && !lim.othersWait(g, now) {
		return time.Time{}
	}
	return share.window.opens(share.rate)
}

// useShare counts a request in its share.
func (lim *Limiter) useShare(g *group, r Request, now time.Time) {
	if share := lim.shareOf(g, r); share != nil {
		share.window.room(share.rate, now) // drops uses before the period
		share.window.use(share.rate, now)
	}
}

// othersWait reports whether a request of another group waits that its own limits allow.
func (lim *Limiter) othersWait(g *group, now time.Time) bool {
	for _, f := range lim.active {
		if f.group == g || f.ready.count == 0 || f.group.used.room(lim.perFlow, now) <= 0 {
			continue
		}
		for w := range f.ready.first {
			if lesser := lim.shareOf(f.group, w.Request); lesser == nil || lesser.yields || lesser.window.room(lesser.rate, now) > 0 {
				return true
			}
		}
	}
	return false
}
