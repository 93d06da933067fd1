// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import (
	"slices"
	"sync"
)

// Pool runs functions concurrently: at most Total at a time, and PerTenant of each tenant. Tenants take turns. A function that waits has no
// goroutine: thousands may wait. A Pool knows no endpoints, and has neither their circuit breakers nor their rates.
type Pool struct {
	Total, PerTenant int

	mu      sync.Mutex
	running map[string]int
	busy    int
	waiting map[string][]func()
	turns   []string // tenants with a function that waits, the next one first
}

// Go runs a function for a tenant, at once or when it is its turn.
func (p *Pool) Go(tenant string, run func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		p.waiting, p.running = map[string][]func(){}, map[string]int{}
	}
	if len(p.waiting[tenant]) == 0 {
		p.turns = append(p.turns, tenant)
	}
	p.waiting[tenant] = append(p.waiting[tenant], run)
	p.start()
}

// start starts functions that wait, as far as the bounds allow. The lock is held.
func (p *Pool) start() {
	for p.busy < p.Total {
		i := slices.IndexFunc(p.turns, func(tenant string) bool { return p.running[tenant] < p.PerTenant })
		if i < 0 {
			return
		}
		tenant := p.turns[i]
		next := p.waiting[tenant][0]
		p.waiting[tenant] = p.waiting[tenant][1:]
		p.turns = slices.Delete(p.turns, i, i+1)
		if len(p.waiting[tenant]) > 0 {
			p.turns = append(p.turns, tenant)
		} else {
			delete(p.waiting, tenant)
		}
		p.busy++
		p.running[tenant]++
		go func() {
			defer p.end(tenant)
			next()
		}()
	}
}

func (p *Pool) end(tenant string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if p.running[tenant]--; p.running[tenant] == 0 {
		delete(p.running, tenant)
	}
	p.start()
}
