// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var withVariants = flag.Bool("variants", false, "check that the oracle finds each variant of the operator that has a mistake")

const (
	repo        = "../.."
	sourceRules = "internal/pager/sourcerules/"
)

// mistake replaces a text that a source file has exactly once.
type mistake struct{ file, right, wrong string }

// variant is an operator with a mistake that the oracle must find.
type variant struct {
	name  string
	edits []mistake
	// history is one in which the mistake is made, and failure begins what the oracle says about it.
	history history
	failure string
}

// short returns a history with one member, whose groups are those of a route, and no fault but what is in its actions.
func short(length time.Duration, root route, actions ...action) history {
	return history{members: 1, skew: make([]time.Duration, 1), maxAlerts: 200, length: length, configs: []amConfig{{root: root}}, actions: actions}
}

// variants are former faults: the cure of a finding is taken back.
func variants() []variant {
	const diskA, diskB, netC, cpuB = "disk-a-warning;", "disk-b-warning;", "net-c-info;", "cpu-b-critical;"
	byName, byTeam := route{receiver: "pager", groupBy: []string{"alertname"}}, route{receiver: "pager", groupBy: []string{"team"}}
	twoRoutes := byName
	twoRoutes.routes = []route{{receiver: "pager", groupBy: []string{"alertname"}, matchers: []string{"node=a"}}}
	late := short(time.Hour, byName, action{verb: fires, id: cpuB}, action{at: 20 * time.Minute, verb: ends, id: cpuB})
	late.ahead = 7 * time.Minute
	return []variant{
		{name: "F_P43-an-end-ends-what-it-does-not-list", edits: []mistake{{sourceRules + "groups.go", `	g.order = math.MaxInt
`, `	g.order = math.MaxInt
	g.isOver = webhook != nil && webhook.State == alertmanager.Resolved
`}},
			history: short(2*time.Hour, twoRoutes, action{verb: fires, id: diskA}, action{verb: fires, id: diskB}, action{at: time.Hour, verb: ends, id: diskB}),
			failure: "a resolve/"},
		{name: "F_P43-a-whole-webhook-ends-what-it-does-not-list", edits: []mistake{{sourceRules + "unreported.go", `	if !isMarked {
		i.UnlistedTime = times.Timestamp(now)
	}
}`, `	if !isMarked {
		end(i, now)
	}
}`}},
			history: short(2*time.Hour, byTeam, action{verb: fires, id: diskA}, action{verb: fires, id: netC}, action{at: time.Hour, verb: restarts, number: 1}),
			failure: "a second page/"},
		{name: "F_P45-a-full-alert-hides-a-critical-one", edits: []mistake{{sourceRules + "instances.go", `	slices.SortStableFunc(firing, func(x, y int) int { return rank(y) - rank(x) })
`, `	_ = rank
`}},
			history: short(time.Hour, byName, action{verb: floods, length: 2 * time.Hour}),
			failure: "not paged/"},
		{name: "F_P46-the-first-post-proves-all", edits: []mistake{{sourceRules + "unreported.go", `	if i.LapseSeconds == 0 {
		return in.lastReceived()
	}
	return notAhead(in.Series.Until, in.Now)
`, `	return in.lastReceived()
`}, {sourceRules + "unreported.go", `		since, length = times.Latest(since, in.Series.Since), max(length, lapseAfter(i))
`, `		length = lapseAfterStart
`}},
			history: short(3*time.Hour, byName, action{verb: fires, id: cpuB}, action{verb: fires, id: netC}, action{at: time.Hour, verb: disconnects, number: 1, length: time.Hour}),
			failure: "a resolve/prometheus-"},
		{name: "F_P47-the-clock-of-the-replica", edits: []mistake{{"internal/pager/ingest/times.go", `	now = t.Server.Last()
	if now.IsZero() {
`, `	now = t.Clock.Now()
	if now.IsZero() {
`}},
			history: late, failure: "not ended/prometheus/"},
		{name: "F_B15-what-is-not-listed-fires-for-ever", edits: []mistake{{sourceRules + "unreported.go", `	if !isMarked {
		i.UnlistedTime = times.Timestamp(now)
	}
}`, `	_ = isMarked
}`}, {sourceRules + "unreported.go", `	return i.ListedTime != nil && in.lastReceived().After(silentFrom(i, in))
`, `	return false
`}},
			history: short(time.Hour+goneAfter+2*step, byTeam, action{verb: fires, id: diskA}, action{verb: fires, id: netC}, action{at: time.Hour, verb: silences, id: netC, length: 9 * time.Hour}),
			failure: "not ended/"},
	}
}

// sources returns the edited files by their paths.
func (v variant) sources() (map[string]string, error) {
	wrong := map[string]string{}
	for _, e := range v.edits {
		path, err := filepath.Abs(filepath.Join(repo, e.file))
		if err != nil {
			return nil, err
		}
		if _, ok := wrong[path]; !ok {
			text, err := os.ReadFile(path) //nolint:gosec // a source of the repository
			if err != nil {
				return nil, err
			}
			wrong[path] = string(text)
		}
		if n := strings.Count(wrong[path], e.right); n != 1 {
			return nil, fmt.Errorf("%s has %q %d times, so that the mistake cannot be made", e.file, e.right, n)
		}
		wrong[path] = strings.Replace(wrong[path], e.right, e.wrong, 1)
	}
	return wrong, nil
}

func TestVariantsApplyToTheSource(t *testing.T) {
	for _, v := range variants() {
		if _, err := v.sources(); err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
	}
}

// TestHistoriesOfVariants runs the histories in which the variants make their mistakes.
func TestHistoriesOfVariants(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			if failures := run(t, v.history, nil); len(failures) > 0 {
				t.Errorf("%s\n%s", strings.Join(failures, "\n"), v.history)
			}
		})
	}
}

// TestVariants builds this test with each mistake, and checks that the oracle finds it.
func TestVariants(t *testing.T) {
	if !*withVariants {
		t.Skip("without -variants")
	}
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			output, err := exec.CommandContext(t.Context(), v.build(t), "-test.run=^TestHistoriesOfVariants$/^"+v.name+"$").CombinedOutput() //nolint:gosec // built here
			if err == nil || !strings.Contains(string(output), ": "+v.failure) {
				t.Errorf("the oracle says %v, not %q\n%s", err, v.failure, output)
			}
		})
	}
}

// build builds this test with the mistake, and returns its path.
func (v variant) build(t *testing.T) string {
	t.Helper()
	sources, err := v.sources()
	if err != nil {
		t.Fatal(err)
	}
	dir, replace := t.TempDir(), map[string]string{}
	for path, text := range sources {
		replace[path] = filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sender.test")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "grpcnotrace", "-vet=off", "-ldflags=-w", "-overlay", overlay, "-o", binary, ".") //nolint:gosec // as above
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building it: %v\n%s", err, output)
	}
	return binary
}
