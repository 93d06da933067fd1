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

package health

import (
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	failing := func(since time.Time) Result { return Result{State: Failing, Since: since} }
	healthy, progressing := Result{State: Healthy}, Result{State: Progressing}
	for name, c := range map[string]struct {
		in    Inputs
		want  Action
		again time.Time
	}{
		"healthy":                     {in: Inputs{Asks: true, Result: healthy, SeenSince: before(time.Hour)}, want: Keep},
		"progressing":                 {in: Inputs{Asks: true, Result: progressing, SeenSince: before(time.Hour)}, want: Keep},
		"fails":                       {in: Inputs{Asks: true, Result: failing(before(time.Second)), SeenSince: now}, want: Fire},
		"fails for too short":         {in: Inputs{Asks: true, Ask: Ask{After: time.Minute}, Result: failing(before(time.Second)), SeenSince: now}, want: Keep, again: now.Add(59 * time.Second)},
		"fails for long enough":       {in: Inputs{Asks: true, Ask: Ask{After: time.Minute}, Result: failing(before(time.Minute)), SeenSince: now}, want: Fire},
		"fails without a time":        {in: Inputs{Asks: true, Ask: Ask{After: time.Minute}, Result: failing(time.Time{}), SeenSince: before(20 * time.Second)}, want: Keep, again: now.Add(40 * time.Second)},
		"fails in the future":         {in: Inputs{Asks: true, Ask: Ask{After: time.Minute}, Result: failing(now.Add(time.Hour)), SeenSince: before(20 * time.Second)}, want: Keep, again: now.Add(40 * time.Second)},
		"fails, and does not ask":     {in: Inputs{Result: failing(before(time.Hour)), SeenSince: before(time.Hour)}, want: Keep},
		"fires already":               {in: Inputs{Asks: true, Result: failing(before(time.Hour)), IsFiring: true, SeenSince: now}, want: Keep},
		"fires, and progresses":       {in: Inputs{Asks: true, Result: progressing, IsFiring: true, SeenSince: before(time.Hour)}, want: Keep},
		"fires, and is healthy again": {in: Inputs{Asks: true, Result: healthy, IsFiring: true, SeenSince: before(time.Second)}, want: Keep, again: now.Add(59 * time.Second)},
		"fires, and was so for long":  {in: Inputs{Asks: true, Result: healthy, IsFiring: true, SeenSince: before(time.Minute)}, want: Resolve},
		"fires, and does not ask":     {in: Inputs{Result: failing(before(time.Hour)), IsFiring: true, SeenSince: before(time.Second)}, want: Keep, again: now.Add(59 * time.Second)},
		"fires, and asked long ago":   {in: Inputs{IsFiring: true, SeenSince: before(time.Minute)}, want: Resolve},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.ResolveAfter = time.Minute
			if got, again := Decide(c.in, now); got != c.want || !again.Equal(c.again) {
				t.Errorf("got %s, again %v, want %s, again %v", got, again, c.want, c.again)
			}
		})
	}
}

// A due time is never further away than the time that the object asks for, or a minute (R11), and at that time something is done.
func TestDecideEnds(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, state := range []State{Healthy, Progressing, Failing} {
		for _, since := range []time.Duration{-1000 * time.Hour, -time.Second, 0, time.Second, 1000 * time.Hour} {
			for bits := range 4 {
				in := Inputs{
					Asks: bits&1 != 0, IsFiring: bits&2 != 0, ResolveAfter: time.Minute, Ask: Ask{After: 5 * time.Minute}, Result: Result{State: state, Since: now.Add(since)}, SeenSince: now,
				}
				action, again := Decide(in, now)
				switch {
				case again.IsZero():
				case action != Keep:
					t.Errorf("%+v: %s, and again at %v", in, action, again)
				case again.After(now.Add(in.Ask.After)):
					t.Errorf("%+v: due at %v", in, again)
				default:
					if action, _ := Decide(in, again); action == Keep {
						t.Errorf("%+v: nothing is done at %v", in, again)
					}
				}
			}
		}
	}
}
