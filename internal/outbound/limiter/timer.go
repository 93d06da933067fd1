// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import "time"

// arm notifies waiters again when there is room, or when a notified waiter has not come.
func (lim *Limiter) arm(now time.Time) {
	isDue := lim.timer != nil && lim.timer.Stop() && !lim.timerAt.After(now)
	lim.timer = nil
	opens := lim.roomAt(now)
	if isDue { // its waiters were not notified
		opens = now
	}
	if len(lim.notified) > 0 && len(lim.waiters) > len(lim.notified) {
		late := lim.notified[0].notified.Add(notifyTimeout + time.Millisecond)
		if opens.IsZero() || late.Before(opens) {
			opens = late
		}
	}
	if opens.IsZero() {
		return
	}
	lim.timerAt = opens
	lim.timer = time.AfterFunc(opens.Sub(now), func() {
		lim.mu.Lock()
		lim.unlockAndNotify(time.Now())
	})
}

// roomAt returns when the next waiter for which there is a slot can enter; zero: there is no such waiter, or it can enter now.
func (lim *Limiter) roomAt(now time.Time) (at time.Time) {
	var free [modes]int
	for mode := range modes {
		free[mode] = lim.free(mode, nil)
	}
	for _, f := range lim.active {
		mode := lim.mode(f)
		if free[mode] <= 0 {
			continue
		}
		flowOpens := lim.opens(f, mode, now)
		for w := range f.ready.first {
			opens := latest(flowOpens, lim.shareOpens(f.group, w.Request, now))
			if !opens.IsZero() && (at.IsZero() || opens.Before(at)) {
				at = opens
			}
		}
	}
	return at
}

// opens returns when requests of a flow can enter, apart from the bound of their share; zero: now.
func (lim *Limiter) opens(f *flow, mode mode, now time.Time) (at time.Time) {
	if closed := lim.breaker.opensAt(mode); now.Before(closed) {
		at = closed
	}
	if lim.used.room(lim.total, now) <= 0 {
		at = latest(at, lim.used.opens(lim.total))
	}
	if f.retry && lim.retries.room(retryRate, now) <= 0 {
		at = latest(at, lim.retries.opens(retryRate))
	}
	if f.group.used.room(lim.perFlow, now) <= 0 {
		at = latest(at, f.group.used.opens(lim.perFlow))
	}
	return at
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
