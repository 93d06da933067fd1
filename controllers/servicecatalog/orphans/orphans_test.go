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

package orphans

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/brokers"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/limiter/limitertest"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// TestAnOrphanIsLeftWithoutTheBrokersWords: what would have to be left out of them went
// with the object.
func TestAnOrphanIsLeftWithoutTheBrokersWords(t *testing.T) {
	said := events.NewFakeRecorder(1)
	u := &Collector{Recorder: said, Clock: clocktesting.NewFakePassiveClock(lifecycletest.T0)}
	o := &Orphan{Object: &v1beta1.ServiceInstance{}, attempts: maxAttempts - 1, Request: osb.RemovalRequest{Params: osb.Params{InstanceID: "id"}}}
	if wait := u.recordOutcome(t.Context(), o, nil, osbresult.Outcome{Class: osbresult.Rejected, Status: 400, Code: "open-sesame", Description: "you said open-sesame"}); wait != 0 {
		t.Errorf("it is tried again after %s", wait)
	}
	if event := <-said.Events; strings.Contains(event, "sesame") || !strings.Contains(event, `is left there: the broker did not remove it: HTTP 400 (id "id" at a broker that is not known)`) {
		t.Error(event)
	}
}

// TestARemovalOfAnOrphanThatNeverEndsIsLeftAlone: in the end.
func TestARemovalOfAnOrphanThatNeverEndsIsLeftAlone(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(lifecycletest.T0)
	u := &Collector{Recorder: events.NewFakeRecorder(1), Clock: clock}
	o := &Orphan{Object: &v1beta1.ServiceInstance{}, removingSince: lifecycletest.T0}
	for wait := time.Minute; wait != 0; {
		if clock.SetTime(clock.Now().Add(wait)); clock.Since(lifecycletest.T0) > 2*catalog.MaximumPollingDuration {
			t.Fatal("it is polled for ever")
		}
		if wait = u.recordOutcome(t.Context(), o, nil, osbresult.Outcome{Class: osbresult.Accepted}); wait > 2*lifecycle.LastRetry {
			t.Fatalf("it waits %s", wait)
		}
	}
}

// TestAnOrphanThatIsLeftDoesNotWait: a slot would be kept for it.
func TestAnOrphanThatIsLeftDoesNotWait(t *testing.T) {
	now, key := time.Now(), brokers.Key{Name: "osba"}
	c := &brokers.Clients{}
	u := &Collector{Index: index.Index{Cache: controllertest.NewCluster(t, interceptor.Funcs{})}, Clients: c, Recorder: events.NewFakeRecorder(1), Clock: clocktesting.NewFakePassiveClock(now)}
	u.List = NewList()
	o, name := &Orphan{Object: &v1beta1.ServiceInstance{}, Broker: key}, types.NamespacedName{Name: "db"}
	u.List.Add(name, o)
	freed := limitertest.FillSlots(t, c.Limiters.Of(key, now), now)
	if leave, _ := c.Limiters.Of(key, now).Enter(limiter.Request{ID: o, Notify: func() {}}, now); leave != nil {
		t.Fatal("there was a slot")
	}
	if again, err := u.Collect(t.Context(), name); again != 0 || err != nil {
		t.Errorf("again after %v, %v", again, err)
	}
	if !freed() {
		t.Error("it still waits")
	}
}
