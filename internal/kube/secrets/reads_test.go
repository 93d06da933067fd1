// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package secrets

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Reads of a namespace take 4 Secrets at a time, and those of all 16: of 20 namespaces with 20 objects each, all have their turn.
func TestReadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads Reads
		var done sync.WaitGroup
		var all, most atomic.Int64
		own := make([]atomic.Int64, 20)
		for i := range 400 {
			done.Go(func() {
				secrets := 1 + i%7
				leave, err := reads.Enter(t.Context(), fmt.Sprint("ns-", i%20), secrets, time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				n := int64(min(secrets, 4))
				now := all.Add(n)
				if mine := own[i%20].Add(n); now > 16 || mine > 4 {
					t.Errorf("%d Secrets are read, and %d of the namespace", now, mine)
				}
				most.Store(max(most.Load(), now))
				time.Sleep(10 * time.Millisecond)
				all.Add(-n)
				own[i%20].Add(-n)
			})
		}
		done.Wait()
		if most.Load() < 13 || reads.byNamespace.Len() > 0 {
			t.Errorf("at most %d Secrets were read at a time, and %d namespaces are kept", most.Load(), reads.byNamespace.Len())
		}
	})
}

// Reads of a namespace that hang delay its own objects only, and those not for longer than their timeout.
func TestReadsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads Reads
		leave, err := reads.Enter(t.Context(), "hangs", 4, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := reads.Enter(t.Context(), "hangs", 1, time.Second); !errors.Is(err, ErrBusy) || time.Since(start) != time.Second {
			t.Errorf("%v, after %s", err, time.Since(start))
		}
		for range 100 {
			end, err := reads.Enter(t.Context(), "works", 4, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			end()
		}
		leave()
		if end, err := reads.Enter(t.Context(), "hangs", 4, time.Second); err != nil {
			t.Error(err)
		} else {
			end()
		}
		if reads.byNamespace.Len() > 0 {
			t.Errorf("%d namespaces are kept", reads.byNamespace.Len())
		}
	})
}
