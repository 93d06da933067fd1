// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestDrainEndsAfterTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopping, stop := context.WithCancel(t.Context())
		ctx := Drain(stopping, 5*time.Second)
		time.Sleep(time.Hour)
		stop()
		began := time.Now()
		<-ctx.Done()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("ended after %s", took)
		}
	})
}

func TestDrainWithoutDelay(t *testing.T) {
	stopping, stop := context.WithCancel(t.Context())
	ctx := Drain(stopping, 0)
	if ctx.Err() != nil {
		t.Error("ended before the process is stopping")
	}
	stop()
	if ctx.Err() == nil {
		t.Error("goes on without a delay")
	}
}
