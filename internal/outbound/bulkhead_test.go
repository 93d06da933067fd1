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

package outbound_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
)

// party counts who entered and who was woken.
type party struct {
	outbound.Bulkhead
	now   time.Time
	woken []string
}

func (p *party) enter(who string) bool {
	entered, _ := p.Enter(who, p.now, func() { p.woken = append(p.woken, who) })
	return entered
}

func (p *party) wantWoken(t *testing.T, why string, want ...string) {
	t.Helper()
	if fmt.Sprint(p.woken) != fmt.Sprint(want) {
		t.Errorf("%s: woke %v, want %v", why, p.woken, want)
	}
	p.woken = nil
}

func TestBulkheadHasFourSlots(t *testing.T) {
	p := &party{now: time.Unix(1000, 0)}
	for i := range 6 {
		if got, want := p.enter(fmt.Sprint(i)), i < 4; got != want {
			t.Errorf("%d entered: %v", i, got)
		}
	}
	p.Leave(p.now, false)
	p.wantWoken(t, "a slot is free", "4")
	p.now = p.now.Add(time.Second)
	if entered, _ := p.Enter("4", p.now, nil); !entered {
		t.Error("who was woken found no slot")
	}
	if entered, since := p.Enter("5", p.now, func() {}); entered || !since.Equal(time.Unix(1000, 0)) {
		t.Errorf("entered %v, waits since %s", entered, since)
	}
}

func TestBulkheadTripsAndProbes(t *testing.T) {
	p := &party{}
	for _, who := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		p.enter(who)
	}
	p.Leave(p.now, true)
	p.wantWoken(t, "one timeout is no pattern", "e")
	p.Leave(p.now, true)
	p.wantWoken(t, "nor are two; e has not come yet", "f", "g")
	p.Leave(p.now, true)
	p.wantWoken(t, "three are, and one request is under way")
	if p.enter("e") {
		t.Error("entered beside the probe")
	}
	p.Leave(p.now, true)
	p.wantWoken(t, "the next probe", "e")
	if !p.enter("e") || p.enter("f") {
		t.Error("there is one probe at a time")
	}
	p.Leave(p.now, false)
	p.wantWoken(t, "it answers: all slots are back; g was woken before", "f", "h")
}

func TestBulkheadForgetsWhoDoesNotAsk(t *testing.T) {
	p := &party{}
	for _, who := range []string{"a", "b", "c", "d", "gone", "waits"} {
		p.enter(who)
	}
	p.now = p.now.Add(outbound.QueueTimeout + time.Second)
	p.enter("waits")
	p.Leave(p.now, false)
	p.wantWoken(t, "gone has not asked for too long", "waits")
}
