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

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

const aboutWaiting = `
The slowest of all: %.0f ms with, %.0f ms without. Aim: p99 with them below 1000 ms.
p50, p99, max: of an instance that a user creates at a broker that has nothing else to do, from its accepted create until a watch
shows it as Ready. with: half of those that wait are at a broker that makes instances in its own time and says at each poll that
they are not ready yet, half at one that answers every request with 500. They were asked for %.0f times a second. The runs without
were before there was one of them.
` + aboutRuns

// waitingPart measures what instances that poll or retry cost somebody else.
func (b *bench) waitingPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "waiting: %d instances in a run, %g a second; runs: %d without others, then %d with %d others that poll or retry\n\n",
		b.runInstances, b.rate, b.runs, b.runs, b.waiting)
	t := isolationTable()
	var with, without []isolation
	var asked float64
	run := func(ctx context.Context, s *stage, name string, into *[]isolation) error {
		for i := range b.runs {
			progress("run %d of %d: %s", i+1, b.runs, name)
			figures, err := b.besideBrokers(ctx, s, b.unused(name), false, nil)
			if err != nil {
				return err
			}
			*into = append(*into, figures)
			t.run(fmt.Sprintf("%s-%d", name, i+1), figures)
		}
		return nil
	}
	err := b.onStage(ctx, staging{binary: b.operator}, func(ctx context.Context, s *stage) error {
		if err := run(ctx, s, "without", &without); err != nil {
			return err
		}
		var beside trouble
		defer beside.close()
		progress("making %d instances that wait", b.waiting)
		if err := beside.wait(ctx, s, b.unused("waiting"), b.waiting, b.creators); err != nil {
			return err
		}
		before, since := beside.asked(), time.Now()
		if err := run(ctx, s, "with", &with); err != nil {
			return err
		}
		asked = float64(beside.asked()-before) / time.Since(since).Seconds()
		return b.endWaiting(ctx, &beside)
	})
	if err != nil {
		return err
	}
	t.medians("median with", with)
	t.medians("median without", without)
	t.ratio("with / without", with, without)
	t.write(out)
	fmt.Fprintf(out, aboutWaiting, milliseconds(slowest(with)), milliseconds(slowest(without)), asked)
	return nil
}

// endWaiting heals and clears what waited where another part comes after it on this stage.
func (b *bench) endWaiting(ctx context.Context, beside *trouble) error {
	if b.shared == nil {
		return nil
	}
	return beside.end(ctx, map[string]int{})
}

// waits are how brokers fail whose instances wait, each in its own way.
var waits = []failure{{"polled", unend}, {"retried", refuse}}

// refuse has every call answered with 500.
func refuse(_ context.Context, b *broker) (heal func()) {
	return b.Inject(osbtest.Fault{Answer: osbtest.Error(http.StatusInternalServerError, "", "out of order")})
}

// wait creates n instances that wait, and returns once each was asked for.
func (t *trouble) wait(ctx context.Context, s *stage, name string, n, creators int) error {
	if err := t.begin(ctx, s.api, waits, name, n, creators); err != nil {
		return err
	}
	for _, of := range *t {
		err := eventually(ctx, func(context.Context) (bool, error) { return len(of.broker.Histories()) == of.has, nil })
		if err != nil {
			return fmt.Errorf("%s instances: only %d of %d were asked for: %w", of.kind, len(of.broker.Histories()), of.has, err)
		}
	}
	return nil
}

// asked is how many requests there were.
func (t *trouble) asked() (sum int) {
	for _, of := range *t {
		sum += of.broker.total()
	}
	return sum
}
