// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

func aResult() harness.Result {
	return harness.Result{
		Calls:  []proxy.Call{{Seam: proxy.SeamAPI, Name: "GET secrets/login", Mutates: false}, {Seam: proxy.SeamOutside, Name: "PUT service_instances", Mutates: true}, {Seam: proxy.SeamAPI, Name: "PATCH serviceinstances/db/status", Mutates: true}},
		Events: []string{"serviceinstances/db#1", "serviceinstances/db#2", "secrets/login#1"},
	}
}

func TestEachClassHasFaults(t *testing.T) {
	counts := map[string]int{}
	for _, f := range allFaults(aResult(), newDraw(1, "db")) {
		counts[classOf(f)]++
	}
	want := map[string]int{
		"crash": 2 * 2, "two crashes": 2 * 4, "stale": 3 * 3, "events": 3*2 + 2 + 2*2,
		"answers": 2*len(proxy.AnswersAt(proxy.SeamAPI)) + len(proxy.AnswersAt(proxy.SeamOutside)), "leaders": 2, "time": 3 * len(proxy.TimeKinds()), "neighbours": 3 * len(proxy.NeighbourKinds()),
	}
	for class, n := range want {
		if counts[class] != n {
			t.Errorf("%s has %d faults, not %d", class, counts[class], n)
		}
	}
	if len(counts) != len(classes) || len(classes) != len(want) {
		t.Errorf("the classes are %v", counts)
	}
}

func TestTheLongestRunsBegin(t *testing.T) {
	short := &scenarioSweep{learned: harness.Result{Duration: time.Second}, faults: []proxy.Fault{{Kind: proxy.CrashBefore}, {Kind: proxy.StoppedLeader}}}
	long := &scenarioSweep{learned: harness.Result{Duration: 5 * time.Second}, faults: []proxy.Fault{{Kind: proxy.CrashAfter}}}
	var got []string
	for _, j := range jobsOf([]*scenarioSweep{short, long}, Options{Seed: 1}) {
		got = append(got, j.Kind)
	}
	if want := []string{proxy.StoppedLeader, proxy.CrashAfter, proxy.CrashBefore}; !slices.Equal(got, want) {
		t.Errorf("the order is %v, not %v", got, want)
	}
}

func TestAtNthCallMovesFaultsOfUnorderedScenarios(t *testing.T) {
	var at []string
	for _, f := range atNthCall(allFaults(aResult(), newDraw(1, "db")), aResult().Calls) {
		if slices.Contains([]string{proxy.CrashBefore, proxy.Standby, proxy.Deposed}, f.Kind) && f.Then == nil {
			at = append(at, f.String())
		}
	}
	want := []string{"crash-before@2", "deposed@PUT:service_instances#1", "standby@2<2", "crash-before@3", "deposed@PATCH:serviceinstances/db/status#1", "standby@3<2", "standby@3<3"}
	if slices.Sort(want); !slices.Equal(slices.Sorted(slices.Values(at)), want) {
		t.Errorf("they are %v", at)
	}
}

func TestSampleHasFaultsOfEachClass(t *testing.T) {
	d := newDraw(1, "db")
	all := allFaults(aResult(), d)
	if got := sampleFaults(all, 1, d); len(got) != len(all) {
		t.Errorf("all are %d of %d", len(got), len(all))
	}
	if few := sampleFaults(all, 0.001, d); len(few) != len(classes) {
		t.Errorf("at least one of each class: %v", few)
	}
	half := sampleFaults(all, 0.5, d)
	if len(half) < len(all)/2-len(classes) || len(half) > len(all)/2+len(classes) {
		t.Errorf("half of %d are %d", len(all), len(half))
	}
	if again := sampleFaults(all, 0.5, newDraw(1, "db")); !slices.EqualFunc(half, again, func(a, b proxy.Fault) bool { return a.String() == b.String() }) {
		t.Error("one seed has two shares")
	}
}

func TestOneOfClassAlternates(t *testing.T) {
	d, counts := newDraw(1, "db"), map[string]int{}
	for n := range 2 * len(classes) {
		some := oneOfClass(allFaults(aResult(), d), classNames(), uint64(n), d)
		if len(some) != 1 || classOf(some[0]) != classes[n%len(classes)].name {
			t.Errorf("the %d-th scenario is tried with %v", n, some)
		}
		counts[classOf(some[0])]++
	}
	if len(counts) != len(classes) {
		t.Errorf("the classes are %v", counts)
	}
	crashes := slices.DeleteFunc(allFaults(aResult(), d), func(f proxy.Fault) bool { return classOf(f) != "crash" })
	if some := oneOfClass(crashes, classNames(), 3, d); len(some) != 1 {
		t.Errorf("a scenario that has faults of one class is tried with %v", some)
	}
	for n, want := range []string{"crash", "leaders", "crash", "leaders"} {
		if some := oneOfClass(allFaults(aResult(), d), []string{"crash", "leaders"}, uint64(n), d); len(some) != 1 || classOf(some[0]) != want {
			t.Errorf("of two classes, the %d-th scenario is tried with %v", n, some)
		}
	}
	if some := oneOfClass(nil, classNames(), 0, d); some != nil {
		t.Errorf("a scenario without faults is tried with %v", some)
	}
}

func TestOfEachClass(t *testing.T) {
	d := newDraw(1, "db")
	some := ofEachClass(allFaults(aResult(), d), []string{"crash", "events"}, 2, d)
	for name, want := range map[string]int{"crash": 2, "events": 2, "stale": 0} {
		if n := count(some, func(f proxy.Fault) bool { return classOf(f) == name }); n != want {
			t.Errorf("%d faults of class %s in %v", n, name, some)
		}
	}
}

func TestOneAtEachPoint(t *testing.T) {
	d := newDraw(1, "db")
	counts := map[string]int{}
	some := oneAtEachPoint(allFaults(aResult(), d), d)
	for _, f := range some {
		counts[classOf(f)]++
	}
	// Three calls, of which two change something, three events, and two watched resources.
	want := map[string]int{"crash": 2, "two crashes": 2, "stale": 2, "events": 2 + 3 + 2, "answers": 3, "leaders": 2, "time": 3, "neighbours": 3}
	if !maps.Equal(counts, want) {
		t.Errorf("the classes are %v, not %v", counts, want)
	}
	var shared []string
	for _, text := range []string{"1/3", "2/3", "3/3"} {
		var share Share
		if err := share.Set(text); err != nil || share.String() != text {
			t.Fatalf("%s is %s, %v", text, share, err)
		}
		for _, f := range share.of(slices.Clone(some), d) {
			shared = append(shared, f.String())
		}
	}
	slices.Sort(shared)
	if len(shared) != len(some) || len(slices.Compact(shared)) != len(some) {
		t.Errorf("three shares of %d runs have %d", len(some), len(shared))
	}
	if got := (Share{}).of(slices.Clone(some), d); len(got) != len(some) {
		t.Errorf("without a share there are %d of %d runs", len(got), len(some))
	}
	for _, wrong := range []string{"", "2", "0/3", "4/3", "1/0", "-1/3", "a/b"} {
		if err := new(Share).Set(wrong); err == nil {
			t.Errorf("%q is a share", wrong)
		}
	}
}

// callsOf returns so many writes, and reads after them.
func callsOf(writes int, reads ...string) (all []proxy.Call) {
	for i := range writes {
		all = append(all, proxy.Call{Seam: proxy.SeamAPI, Name: fmt.Sprintf("PATCH alerts/a%d/status", i), Mutates: true})
	}
	for _, name := range reads {
		all = append(all, proxy.Call{Seam: proxy.SeamAPI, Name: name})
	}
	return all
}

// planOf returns the scenario "db" with the faults that are planned where a run without a fault has these calls.
func planOf(t *testing.T, calls []proxy.Call, o Options) *scenarioSweep {
	t.Helper()
	s := &scenarioSweep{scenario: scenario.Scenario{Name: "db"}, learned: harness.Result{Calls: calls}}
	if err := planFaults([]*scenarioSweep{s}, o); err != nil {
		t.Fatal(err)
	}
	return s
}

// Each share learns the calls in a run of its own, which may have another call.
func TestSharesTryEachPlaceOnce(t *testing.T) {
	for name, other := range map[string][]proxy.Call{"the same calls": callsOf(30), "one more read": callsOf(30, "GET secrets/x"), "one more write": callsOf(31)} {
		tried := map[place]int{}
		for number, calls := range [][]proxy.Call{callsOf(30), other} {
			for _, f := range planOf(t, calls, Options{Each: true, Seed: 1, Share: Share{Number: uint64(number) + 1, Of: 2}}).faults {
				tried[placeOf(f)]++
			}
		}
		for _, f := range planOf(t, callsOf(30), Options{Each: true, Seed: 1}).faults {
			if n := tried[placeOf(f)]; n != 1 {
				t.Errorf("%s: %+v is tried %d times", name, placeOf(f), n)
			}
		}
	}
}

// Where the second crash can be at few calls only, there is still one for each pair of kinds.
func TestCrashPairsHaveAllKinds(t *testing.T) {
	kinds := map[string]int{}
	for _, f := range crashPairs([]proxy.Point{"PUT:x#1"}, []int{0}, newDraw(1, "db")) {
		kinds[f.Kind+" "+f.Then.Kind]++
	}
	if want := map[string]int{"crash-before crash-before": 1, "crash-before crash-after": 1, "crash-after crash-before": 1, "crash-after crash-after": 1}; !maps.Equal(kinds, want) {
		t.Errorf("they are %v", kinds)
	}
}

func TestSampleIsStableWhenACallIsAdded(t *testing.T) {
	d := newDraw(1, "db")
	names := func(r harness.Result) (names []string) {
		for _, f := range sampleFaults(allFaults(r, d), 0.1, d) {
			names = append(names, f.String())
		}
		return names
	}
	more := aResult()
	more.Calls = append(more.Calls, proxy.Call{Seam: proxy.SeamAPI, Name: "GET secrets/login", Mutates: false})
	before, after := names(aResult()), names(more)
	stay := count(before, func(f string) bool { return slices.Contains(after, f) })
	if stay < len(before)*3/4 {
		t.Errorf("of %v only %d are in %v", before, stay, after)
	}
}

// With a wrong or unknown time of the API server it is not defined when something ends, unless it must not end for half an hour.
func TestEndsAreDefined(t *testing.T) {
	removed := map[string]string{
		"alert":         "",
		"alert-ttl":     "date-ahead-58s date-ahead-58s-briefly date-ahead-1h date-behind-58s date-behind-1h date-alternates start-date-ahead-58s start-date-behind-1h start-date-missing machine-ahead-1h machine-behind-58s",
		"source-grows":  "date-ahead-1h date-behind-1h date-alternates start-date-missing machine-ahead-1d",
		"alert-endures": "date-ahead-1h start-date-ahead-1h machine-ahead-1y", "grpc-alert-endures": "date-ahead-1h start-date-ahead-1h",
		"cluster-broker-namespace-deleted": "machine-ahead-1d clock-ahead-1h start-ahead-1y",
		"binding-renewed":                  "clock-ahead-1h clock-behind-1h machine-behind-1h start-ahead-1d", "binding-ended": "machine-ahead-1y",
	}
	kept := map[string]string{
		"alert":                            "date-ahead-1h date-behind-1h date-alternates start-date-missing machine-ahead-1h",
		"alert-ttl":                        "date-ahead-1h-briefly date-behind-1h-briefly date-behind-58s-briefly date-missing clock-ahead-1h start-ahead-1y restart-behind-1h stopped crash-after",
		"source-grows":                     "date-missing clock-behind-1h",
		"cluster-broker-namespace-deleted": "date-missing stopped start-date-missing date-ahead-1h date-behind-58s clock-behind-1h clock-ahead-58s restart-ahead-1d",
		"binding-renewed":                  "start-date-missing date-ahead-1h start-date-behind-1h date-behind-58s clock-ahead-58s machine-behind-58s restart-ahead-1d",
		"alert-endures":                    "date-ahead-58s date-ahead-58s-briefly date-behind-58s date-behind-1h date-alternates date-missing start-date-ahead-58s start-date-behind-1h start-date-missing machine-behind-1h",
	}
	tested := 0
	for _, sc := range scenario.All() {
		for kind := range strings.FieldsSeq(removed[sc.Name]) {
			if tested++; !sc.HasNoEnd(proxy.Fault{Kind: kind, At: proxy.Nth(1)}) {
				t.Errorf("%s is tried with %s", sc.Name, kind)
			}
		}
		for kind := range strings.FieldsSeq(kept[sc.Name]) {
			if tested++; sc.HasNoEnd(proxy.Fault{Kind: kind, At: proxy.Nth(1)}) {
				t.Errorf("%s is not tried with %s", sc.Name, kind)
			}
		}
	}
	if tested != 70 {
		t.Errorf("%d faults are tested", tested)
	}
}

func TestAllFaultsCanBeParsed(t *testing.T) {
	for _, f := range allFaults(aResult(), newDraw(1, "db")) {
		again, err := proxy.ParseFault(f.String())
		if err != nil || again.String() != f.String() {
			t.Errorf("%s: %v, %v", f, again, err)
		}
	}
}

func TestCallPointsAreNumberedByName(t *testing.T) {
	got := callPoints([]proxy.Call{{Name: "GET secrets/a"}, {Name: "PUT x"}, {Name: "GET secrets/a"}})
	if want := []proxy.Point{"GET:secrets/a#1", "PUT:x#1", "GET:secrets/a#2"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
