// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"path/filepath"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	failing := func(since time.Time) Result { return Result{State: Failing, Since: since} }
	healthy, progressing := Result{State: Healthy}, Result{State: Progressing}
	limited := Ask{After: 5 * time.Minute, ProgressDeadline: time.Hour}
	ended := func(state State, ago time.Duration) Result {
		return Result{State: state, Since: before(ago), HasEnded: true}
	}
	job := func(in Inputs) Inputs { in.IsJob = true; return in }
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
		"fires, and fails for now":    {in: Inputs{Asks: true, Result: Result{State: Failing, Again: now.Add(time.Minute)}, IsFiring: true, SeenSince: now}, want: Keep, again: now.Add(time.Minute)},
		"fires, and progresses":       {in: Inputs{Asks: true, Result: progressing, IsFiring: true, SeenSince: before(time.Hour)}, want: Keep},
		"fires, and is healthy again": {in: Inputs{Asks: true, Result: healthy, IsFiring: true, SeenSince: before(time.Second)}, want: Keep, again: now.Add(59 * time.Second)},
		"fires, and was so for long":  {in: Inputs{Asks: true, Result: healthy, IsFiring: true, SeenSince: before(time.Minute)}, want: Resolve},
		"fires, and does not ask":     {in: Inputs{Result: failing(before(time.Hour)), IsFiring: true, SeenSince: before(time.Second)}, want: Keep, again: now.Add(59 * time.Second)},
		"fires, and asked long ago":   {in: Inputs{IsFiring: true, SeenSince: before(time.Minute)}, want: Resolve},

		// F-P53: a person's resolve holds until another failure begins.
		"fails, and a person has resolved it": {in: Inputs{Asks: true, Result: failing(before(time.Hour)), FiredFor: before(time.Hour), SeenSince: before(time.Hour)}, want: Keep},
		"fails since it is watched, and a person has resolved it": {
			in: Inputs{Asks: true, Result: failing(time.Time{}), FiredFor: before(time.Hour), SeenSince: before(time.Minute)}, want: Keep},
		"fails anew without a time": {
			in: Inputs{Asks: true, Result: failing(time.Time{}), FiredFor: before(time.Hour), SeenSince: before(time.Minute), HasRecovered: true}, want: Fire},
		"a renewed failure, and a person has resolved it": {
			in: Inputs{Asks: true, Result: Result{State: Failing, Since: before(time.Minute), IsRenewed: true}, FiredFor: before(2 * time.Hour), SeenSince: before(time.Hour)}, want: Keep},
		"fails anew after a recovery": {
			in: Inputs{Asks: true, Result: Result{State: Failing, Since: before(time.Minute), IsRenewed: true}, FiredFor: before(2 * time.Hour), SeenSince: before(time.Minute), HasRecovered: true}, want: Fire},
		"a renewed failure after a success that the process has not seen": {
			in: Inputs{Asks: true, Result: Result{State: Failing, Since: before(time.Minute), IsRenewed: true, WellAt: before(time.Hour)}, FiredFor: before(2 * time.Hour), SeenSince: now}, want: Fire},
		"a renewed failure since the success": {
			in: Inputs{Asks: true, Result: Result{State: Failing, Since: before(time.Minute), IsRenewed: true, WellAt: before(3 * time.Hour)}, FiredFor: before(2 * time.Hour), SeenSince: now}, want: Keep},
		"was resolved by a person, and has just recovered": {
			in: Inputs{Asks: true, Result: healthy, FiredFor: before(time.Hour), SeenSince: before(time.Second)}, want: Keep, again: now.Add(59 * time.Second)},
		"was resolved by a person, and is healthy": {in: Inputs{Asks: true, Result: healthy, FiredFor: before(time.Hour), SeenSince: before(time.Minute)}, want: Resolve},
		"was resolved by a person, and progresses": {in: Inputs{Asks: true, Result: progressing, FiredFor: before(time.Hour), SeenSince: before(time.Hour)}, want: Keep},
		"was resolved by a person, and asks not":   {in: Inputs{Result: healthy, FiredFor: before(time.Hour), SeenSince: before(time.Hour)}, want: Keep},
		"was resolved, and recovers by time": {
			in: Inputs{Asks: true, Result: Result{State: Failing, Again: now.Add(time.Minute)}, FiredFor: before(time.Hour), SeenSince: before(time.Hour)}, want: Keep, again: now.Add(time.Minute)},
		"fails for the first time since it is watched": {in: Inputs{Asks: true, Result: failing(time.Time{}), SeenSince: before(time.Minute)}, want: Fire},
		"fails anew after a person":                    {in: Inputs{Asks: true, Result: failing(before(time.Minute)), FiredFor: before(time.Hour), SeenSince: before(time.Minute)}, want: Fire},

		// An object that flaps fails again while its Alert fires: the resolve of a user holds for the later failure.
		"fires, and another failure began": {in: Inputs{Asks: true, Result: failing(before(time.Minute)), IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Minute)}, want: Extend},
		"fires, and a failure is renewed": {
			in: Inputs{Asks: true, Result: Result{State: Failing, Since: before(time.Minute), IsRenewed: true}, IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Hour)}, want: Keep},
		"fires, and a renewed failure follows a recovery": {
			in: Inputs{Asks: true, Result: Result{State: Failing, Since: before(time.Minute), IsRenewed: true}, IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Minute), HasRecovered: true}, want: Extend},

		// A run that is active proves no failure of a CronJob whose last one succeeded.
		"fires, runs, and was well since": {
			in: Inputs{Asks: true, Result: Result{State: Progressing, WellAt: before(time.Minute)}, IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Minute)}, want: Resolve},
		"fires, runs, and was well before": {
			in: Inputs{Asks: true, Result: Result{State: Progressing, WellAt: before(2 * time.Hour)}, IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Minute)}, want: Keep},

		// F-B16: progress has an end.
		"in progress":                   {in: Inputs{Asks: true, Ask: limited, Result: progressing, SeenSince: before(time.Minute)}, want: Keep, again: now.Add(59 * time.Minute)},
		"in progress since":             {in: Inputs{Asks: true, Ask: limited, Result: Result{State: Progressing, Since: before(50 * time.Minute)}, SeenSince: now}, want: Keep, again: now.Add(10 * time.Minute)},
		"in progress for too long":      {in: Inputs{Asks: true, Ask: limited, Result: Result{State: Progressing, Since: before(65 * time.Minute)}, SeenSince: now}, want: Fire},
		"in progress, and fires later":  {in: Inputs{Asks: true, Ask: limited, Result: Result{State: Progressing, Since: before(64 * time.Minute)}, SeenSince: now}, want: Keep, again: now.Add(time.Minute)},
		"in progress without end":       {in: Inputs{Asks: true, Ask: Ask{}, Result: Result{State: Progressing, Since: before(1000 * time.Hour)}, SeenSince: before(1000 * time.Hour)}, want: Keep},
		"in progress, and asks not":     {in: Inputs{Ask: limited, Result: Result{State: Progressing, Since: before(65 * time.Minute)}, SeenSince: now}, want: Keep},
		"in progress, and it was fired": {in: Inputs{Asks: true, Ask: limited, Result: Result{State: Progressing, Since: before(65 * time.Minute)}, FiredFor: before(5 * time.Minute), SeenSince: now}, want: Keep},
		"cannot be judged":              {in: Inputs{Asks: true, Ask: limited, Result: Result{State: Unknown}, SeenSince: before(1000 * time.Hour)}, want: Keep},
		"fires, and cannot be judged":   {in: Inputs{Asks: true, Ask: limited, Result: Result{State: Unknown}, IsFiring: true, SeenSince: before(1000 * time.Hour)}, want: Keep},
		"fails, and has to be seen":     {in: Inputs{Asks: true, Result: Result{State: Failing, Since: before(time.Hour), Settle: time.Minute}, SeenSince: before(time.Second)}, want: Keep, again: now.Add(59 * time.Second)},

		// F-P56, F-B21: the deletion of a failed Job is no recovery.
		"a Job failed":                                   {in: job(Inputs{Asks: true, Result: ended(Failing, time.Second), SeenSince: now}), want: Fire},
		"a Job failed, and is deleted":                   {in: job(Inputs{Asks: true, IsGone: true, Result: ended(Failing, time.Second), SeenSince: now}), want: Fire},
		"its Alert fires":                                {in: job(Inputs{Asks: true, Result: ended(Failing, time.Hour), IsFiring: true, FiredFor: before(time.Hour), SeenSince: now}), want: Keep, again: now.Add(23 * time.Hour)},
		"its Alert fires, and it is deleted":             {in: job(Inputs{IsGone: true, IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Hour)}), want: Keep, again: now.Add(23 * time.Hour)},
		"a day after the failure":                        {in: job(Inputs{IsGone: true, IsFiring: true, FiredFor: before(24 * time.Hour), SeenSince: before(time.Hour)}), want: Resolve},
		"a day after, and it is there":                   {in: job(Inputs{Asks: true, Result: ended(Failing, 24*time.Hour), IsFiring: true, FiredFor: before(24 * time.Hour), SeenSince: before(time.Hour)}), want: Resolve},
		"a day after, and it was resolved":               {in: job(Inputs{Asks: true, Result: ended(Failing, 24*time.Hour), FiredFor: before(24 * time.Hour), SeenSince: before(time.Hour)}), want: Keep},
		"a person resolved the Alert of a Job":           {in: job(Inputs{Asks: true, Result: ended(Failing, time.Hour), FiredFor: before(time.Hour), SeenSince: before(time.Hour)}), want: Keep},
		"a former Job decides again":                     {in: job(Inputs{Asks: true, Result: ended(Failing, 2*time.Hour), FiredFor: before(time.Hour), SeenSince: before(time.Minute)}), want: Keep},
		"a former Job by a clock that is a moment ahead": {in: job(Inputs{Asks: true, Result: ended(Failing, 0), FiredFor: now.Add(3 * time.Second), SeenSince: now}), want: Keep},
		"a former Job by a clock that is wrong":          {in: job(Inputs{Asks: true, Result: ended(Failing, 0), FiredFor: now.Add(time.Hour), SeenSince: now}), want: Fire},
		"a Job whose Alert was resolved succeeds":        {in: job(Inputs{Asks: true, Result: ended(Healthy, time.Minute), FiredFor: before(time.Hour), SeenSince: before(time.Minute)}), want: Keep},
		"a later Job fails":                              {in: job(Inputs{Asks: true, Result: ended(Failing, time.Second), IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Hour)}), want: Extend},
		"a later Job fails after a person":               {in: job(Inputs{Asks: true, Result: ended(Failing, time.Second), FiredFor: before(time.Hour), SeenSince: before(time.Hour)}), want: Fire},
		"a later Job succeeds":                           {in: job(Inputs{Asks: true, Result: ended(Healthy, 2*time.Minute), IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Minute)}), want: Resolve},
		"a later Job has just succeeded":                 {in: job(Inputs{Asks: true, Result: ended(Healthy, time.Second), IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Second)}), want: Keep, again: now.Add(59 * time.Second)},
		"a former Job succeeded":                         {in: job(Inputs{Asks: true, Result: ended(Healthy, 2*time.Hour), IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Hour)}), want: Keep, again: now.Add(23 * time.Hour)},
		"a later Job runs":                               {in: job(Inputs{Asks: true, Result: progressing, IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Minute)}), want: Keep, again: now.Add(23 * time.Hour)},
		"a Job failed more than a day ago":               {in: job(Inputs{Asks: true, Result: ended(Failing, 25*time.Hour), SeenSince: now}), want: Keep},
		"a later Job succeeds, and is deleted":           {in: job(Inputs{Asks: true, IsGone: true, Result: ended(Healthy, 2*time.Minute), IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Minute)}), want: Resolve},
		"a later Job is suspended":                       {in: job(Inputs{Asks: true, Result: suspended, IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Minute)}), want: Keep, again: now.Add(23 * time.Hour)},
		"a Job whose Alert fires loses its label":        {in: job(Inputs{IsFiring: true, FiredFor: before(time.Hour), SeenSince: before(time.Minute)}), want: Resolve},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.ResolveAfter = time.Minute
			if got, again := Decide(c.in, now); got != c.want || !again.Equal(c.again) {
				t.Errorf("got %s, again %v, want %s, again %v", got, again, c.want, c.again)
			}
		})
	}
}

// At a due time something is done, or there is a later one (R11), and a due time is in the future.
func TestDecideEnds(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ago := []time.Duration{1000 * time.Hour, time.Hour, time.Second, 0, -time.Second, -1000 * time.Hour}
	for _, state := range []State{Healthy, Progressing, Failing, Unknown} {
		for _, since := range ago {
			for _, firedFor := range ago {
				for bits := range 32 {
					in := Inputs{
						Asks: bits&1 != 0, IsFiring: bits&2 != 0, IsJob: bits&4 != 0, IsGone: bits&8 != 0, ResolveAfter: time.Minute,
						Ask: Ask{After: 5 * time.Minute, ProgressDeadline: time.Hour}, FiredFor: now.Add(-firedFor), SeenSince: now,
						Result: Result{State: state, Since: now.Add(-since), HasEnded: bits&16 != 0},
					}
					action, again := Decide(in, now)
					switch {
					case again.IsZero():
					case action != Keep || !again.After(now):
						t.Errorf("%+v: %s, and again at %v", in, action, again)
					default:
						if action, later := Decide(in, again); action == Keep && !later.After(again) {
							t.Errorf("%+v: nothing is done at %v", in, again)
						}
					}
				}
			}
		}
	}
}

// F-B13: what cannot be judged says so, 10 seconds after its status is there, or 5 minutes after its creation without one.
func TestUnknownAt(t *testing.T) {
	seen := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	created := seen.Add(-time.Hour)
	for name, c := range map[string]struct {
		in   Inputs
		want time.Time
	}{
		"no status":       {in: Inputs{Asks: true, Result: notReported}, want: created.Add(5 * time.Minute)},
		"another status":  {in: Inputs{Asks: true, Result: Result{State: Unknown, Reason: "NoConditions"}}, want: seen.Add(10 * time.Second)},
		"asks for none":   {in: Inputs{Result: notReported}},
		"can be judged":   {in: Inputs{Asks: true, Result: Result{State: Healthy}}},
		"is in progress":  {in: Inputs{Asks: true, Result: Result{State: Progressing}}},
		"fails by itself": {in: Inputs{Asks: true, Result: Result{State: Failing}}},
	} {
		c.in.SeenSince = seen
		if got := c.in.UnknownAt(created); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Progress that never ends is a failure in the end, whatever the kind: an hour after it began, or after a process has seen it first.
func TestProgressEnds(t *testing.T) {
	for _, file := range testdata(t) {
		for _, o := range readObjects(t, file) {
			in := Inputs{Asks: true, IsJob: o.GetKind() == "Job", Ask: Ask{After: 5 * time.Minute, ProgressDeadline: time.Hour}, SeenSince: now}
			if in.Result = Compute(o, evidenceOf(o, now)); in.Result.State != Progressing {
				continue
			}
			t.Run(filepath.Base(file)+"/"+o.GetKind()+"/"+o.GetName(), func(t *testing.T) {
				at := now
				for range 5 {
					in.Result = Compute(o, evidenceOf(o, at))
					action, again := Decide(in, at)
					if action == Fire {
						return
					}
					if !again.After(at) || again.After(now.Add(48*time.Hour)) {
						t.Fatalf("%s at %v, and again at %v", action, at, again)
					}
					at = again
				}
				t.Errorf("does not fire by %v", at)
			})
		}
	}
}

// F-B16: a CronJob of a minute whose runs fail for a day has one Alert, whether it has the label or its Jobs do.
func TestAFailingCronJobHasOneAlert(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, newInputs := range map[string]func(run time.Time) Inputs{
		"of the CronJob": func(run time.Time) Inputs {
			return Inputs{Asks: true, Result: Result{State: Failing, Since: run, Reason: "RunFailed", IsRenewed: true}, SeenSince: began}
		},
		"of the Jobs": func(run time.Time) Inputs {
			return Inputs{Asks: true, IsJob: true, Result: Result{State: Failing, Since: run, HasEnded: true}, SeenSince: began}
		},
	} {
		t.Run(name, func(t *testing.T) {
			count := map[Action]int{}
			var alert Inputs // what the Alert records
			for minute := range 24 * 60 {
				run := began.Add(time.Duration(minute) * time.Minute)
				in := newInputs(run)
				in.IsFiring, in.FiredFor, in.ResolveAfter = alert.IsFiring, alert.FiredFor, time.Minute
				action, _ := Decide(in, run.Add(time.Second))
				count[action]++
				if action == Fire || action == Extend {
					alert.IsFiring, alert.FiredFor = true, run
				}
			}
			if count[Fire] != 1 || count[Resolve] != 0 {
				t.Errorf("%v", count)
			}
		})
	}
}
