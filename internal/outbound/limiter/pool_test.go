// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// F-P17: however many receivers of one namespace hang, those of another are probed within a turn.
func TestTenantsShareAPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := limiter.Pool{Total: 32, PerTenant: 4}
		var mu sync.Mutex
		running, most, ended := map[string]int{}, map[string]int{}, map[string]time.Duration{}
		begin := time.Now()
		run := func(tenant string) {
			pool.Go(tenant, func() {
				count := func(by int) {
					mu.Lock()
					defer mu.Unlock()
					for _, name := range []string{tenant, "all"} {
						running[name] += by
						most[name] = max(most[name], running[name])
					}
				}
				count(1)
				time.Sleep(10 * time.Second)
				count(-1)
				mu.Lock()
				defer mu.Unlock()
				ended[tenant] = time.Since(begin)
			})
		}
		for range 320 {
			run("hanging")
		}
		run("quiet")
		for i := range 20 {
			for range 5 {
				run(fmt.Sprint("busy ", i))
			}
		}
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > 100 { // 32 of the pool, and those of the test
			t.Errorf("%d goroutines, where 389 functions wait", n)
		}
		time.Sleep(time.Second)
		run("late")
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if most["hanging"] != 4 || most["all"] != 32 || ended["quiet"] != 10*time.Second || ended["late"] != 20*time.Second || ended["busy 19"] > 50*time.Second || ended["hanging"] > 850*time.Second {
			t.Errorf("most in flight %v, ended after %v", most, ended)
		}
	})
}
