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

package servicecatalog

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// TestPollsComeApart: what began together is not asked for together for ever, nor less
// often than a user would want.
func TestPollsComeApart(t *testing.T) {
	start := metav1.NewTime(t0)
	next := func(polled time.Time, asked time.Duration) time.Duration {
		return nextPoll(&start, polled, asked, polled).Sub(polled)
	}
	first, second := next(t0.Add(20*time.Second), 0), next(t0.Add(20*time.Second+900), 0)
	if first != 5*time.Second || second <= first || second > 5*time.Second*5/4 {
		t.Errorf("they are asked for again in %s and %s", first, second)
	}
	if got := next(t0.Add(time.Second+999), 30*time.Second); got < 30*time.Second {
		t.Errorf("the broker wanted 30 s, and is asked again in %s", got)
	}
	if got := next(t0.Add(time.Hour+999), 0); got != lastPoll {
		t.Errorf("a user waits %s", got)
	}
}

// TestAClockThatIsPutRight does not leave attempts waiting for times of its error.
func TestAClockThatIsPutRight(t *testing.T) {
	failed := func(f *fixture) { f.after(decideInstance(f.si, f.w).call, said(osbresult.Retry, 503)) }
	failed1 := func(f *bindingFixture) { f.after(saidOf(osbresult.Retry, 503)) }
	const month = 30 * 24 * time.Hour
	for name, got := range map[string]string{
		"F-S17 an instance":        decideOn(newFixture(later(month), failed, later(-month))),
		"F-S17 the same in time":   decideOn(newFixture(later(month), failed)),
		"F-S17 a binding":          newBindingFixture(in(month), failed1, in(-month)).step().say(),
		"F-S17 a binding, in time": newBindingFixture(in(month), failed1).step().say(),
	} {
		waits := strings.HasSuffix(name, "in time")
		if (got == "wait") != waits {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func decideOn(f *fixture) string { return decideInstance(f.si, f.w).say() }
