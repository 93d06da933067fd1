/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
