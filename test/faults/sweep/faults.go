// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// classes are the classes of faults, in the order of the columns of the report.
var classes = []struct {
	name string
	is   func(proxy.Fault) bool
}{
	{"crash", func(f proxy.Fault) bool {
		return f.Then == nil && (f.Kind == proxy.CrashBefore || f.Kind == proxy.CrashAfter)
	}},
	{"two crashes", func(f proxy.Fault) bool { return f.Then != nil }},
	{"stale", func(f proxy.Fault) bool {
		return slices.Contains([]string{proxy.Stale, proxy.Frozen, proxy.Standby}, f.Kind)
	}},
	{"events", func(f proxy.Fault) bool {
		return f.Watched != "" || f.Kind == proxy.WatchCut || f.Kind == proxy.WatchGone
	}},
	{"answers", func(f proxy.Fault) bool { return proxy.IsAnswer(f.Kind) }},
	{"leaders", func(f proxy.Fault) bool { return f.Kind == proxy.Deposed }},
	{"time", proxy.Fault.IsOfTime},
	{"neighbours", proxy.Fault.IsOfNeighbours},
}

// classOf returns the class of a fault; "": none.
func classOf(f proxy.Fault) string {
	for _, c := range classes {
		if c.is(f) {
			return c.name
		}
	}
	return ""
}

// classNames returns the names of all classes.
func classNames() (names []string) {
	for _, c := range classes {
		names = append(names, c.name)
	}
	return names
}

// draw returns a pseudo-random number for a name: the same for a seed and a scenario, whichever other names there are.
type draw func(of string) uint64

// newDraw returns the draw of a scenario. Two machines do not make all the same calls, and must still try the same faults.
func newDraw(seed uint64, name string) draw {
	return func(of string) uint64 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", seed, name, of))
		return binary.BigEndian.Uint64(sum[:])
	}
}

// pick returns n of the faults.
func (d draw) pick(all []proxy.Fault, n int) []proxy.Fault {
	drawn := slices.SortedFunc(slices.Values(all), func(a, b proxy.Fault) int { return cmp.Compare(d(a.String()), d(b.String())) })
	return drawn[:min(n, len(drawn))]
}

// allFaults returns all faults of a scenario with these calls and events.
func allFaults(learned harness.Result, d draw) []proxy.Fault {
	points := callPoints(learned.Calls)
	var changes []int
	for i, c := range learned.Calls {
		if c.Mutates {
			changes = append(changes, i)
		}
	}
	return slices.Concat(answerFaults(learned.Calls, points), mutationFaults(points, changes), eventFaults(learned.Events), crashPairs(points, changes, d),
		eachAt(points, proxy.TimeKinds()), eachAt(points, proxy.NeighbourKinds()))
}

// callPoints returns the points of calls.
func callPoints(calls []proxy.Call) (points []proxy.Point) {
	named := map[string]int{}
	for _, c := range calls {
		named[c.Name]++
		points = append(points, proxy.PointOf(c, named[c.Name]))
	}
	return points
}

// answerFaults replace the answer to each call.
func answerFaults(calls []proxy.Call, points []proxy.Point) (all []proxy.Fault) {
	for i, c := range calls {
		for _, kind := range proxy.AnswersAt(c.Seam) {
			all = append(all, proxy.Fault{Kind: kind, At: points[i]})
		}
	}
	return all
}

// mutationFaults are at calls that change something: a change is lost, or not seen.
func mutationFaults(points []proxy.Point, changes []int) (all []proxy.Fault) {
	for n, i := range changes {
		for _, kind := range []string{proxy.CrashBefore, proxy.CrashAfter, proxy.WatchCut, proxy.WatchGone, proxy.Deposed} {
			all = append(all, proxy.Fault{Kind: kind, At: points[i]})
		}
		for _, from := range changes[:n+1] {
			for _, kind := range []string{proxy.Stale, proxy.Frozen, proxy.Standby} {
				all = append(all, proxy.Fault{Kind: kind, At: points[i], From: points[from]})
			}
		}
	}
	return all
}

// atNthCall moves those faults that may be at any call to the n-th call, whatever its name is.
func atNthCall(all []proxy.Fault, calls []proxy.Call) []proxy.Fault {
	number := map[proxy.Point]proxy.Point{}
	for i, p := range callPoints(calls) {
		number[p] = proxy.Nth(i + 1)
	}
	for i := range all {
		if f := &all[i]; f.Watched == "" && f.Kind != proxy.Deposed && !proxy.IsAnswer(f.Kind) {
			f.At, f.From = number[f.At], number[f.From]
		}
	}
	return all
}

// eachAt returns faults of each of some kinds at each call.
func eachAt(points []proxy.Point, kinds []string) (all []proxy.Fault) {
	for _, at := range points {
		for _, kind := range kinds {
			all = append(all, proxy.Fault{Kind: kind, At: at})
		}
	}
	return all
}

// eventFaults are at each event, and at each watched resource.
func eventFaults(events []string) (all []proxy.Fault) {
	resources := map[string]bool{}
	for _, event := range events {
		all = append(all, proxy.Fault{Kind: proxy.Hide, Watched: event}, proxy.Fault{Kind: proxy.Merge, Watched: event})
		resource, _, _ := strings.Cut(event, "/")
		if !resources[resource] {
			resources[resource] = true
			all = append(all, proxy.Fault{Kind: proxy.Late, Watched: resource})
		}
	}
	return all
}

// crashPairs are some pairs: the calls of the second process are not known. At each call there are all pairs of kinds, each with one second call, which
// stays the same when there are more calls, unless the new one is drawn.
func crashPairs(points []proxy.Point, changes []int, d draw) (all []proxy.Fault) {
	kinds := []string{proxy.CrashBefore, proxy.CrashAfter}
	for _, i := range changes {
		for _, first := range kinds {
			for _, second := range kinds {
				all = append(all, d.crashPair(points[i], first, second, len(points)-i+1))
			}
		}
	}
	return all
}

// crashPair returns a pair of crashes, of which the second one is at one of the first calls.
func (d draw) crashPair(at proxy.Point, first, second string, calls int) (drawn proxy.Fault) {
	least := uint64(math.MaxUint64)
	for n := range calls {
		f := proxy.Fault{Kind: first, At: at, Then: &proxy.Fault{Kind: second, At: proxy.Nth(n + 1)}}
		if number := d(f.String()); number <= least {
			least, drawn = number, f
		}
	}
	return drawn
}

// sampleFaults returns the same part of each class, but at least one fault of each.
func sampleFaults(all []proxy.Fault, part float64, d draw) (some []proxy.Fault) {
	byClass := map[string][]proxy.Fault{}
	for _, f := range all {
		byClass[classOf(f)] = append(byClass[classOf(f)], f)
	}
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		of := byClass[class]
		some = append(some, d.pick(of, max(1, int(part*float64(len(of))+0.5)))...)
	}
	return some
}

// place is where a fault of a class happens. Which faults are possible there may depend on other calls.
type place struct {
	class, watched string
	at             proxy.Point
}

func placeOf(f proxy.Fault) place { return place{classOf(f), f.Watched, f.At} }

// oneAtEachPoint returns a fault of each class at each call and event that has any.
func oneAtEachPoint(all []proxy.Fault, d draw) (some []proxy.Fault) {
	byPlace := map[place][]proxy.Fault{}
	for _, f := range all {
		byPlace[placeOf(f)] = append(byPlace[placeOf(f)], f)
	}
	for _, of := range byPlace {
		some = append(some, d.pick(of, 1)...)
	}
	return d.pick(some, len(some)) // in an order that is always the same
}

// Share is one of several shares of the chosen runs, which together are all of them: Number is 1 to Of. The zero value is all runs.
type Share struct{ Number, Of uint64 }

// Set reads a share, such as 2/5.
func (s *Share) Set(text string) error {
	number, of, _ := strings.Cut(text, "/")
	var err error
	if s.Number, err = strconv.ParseUint(number, 10, 32); err == nil {
		s.Of, err = strconv.ParseUint(of, 10, 32)
	}
	if err != nil || s.Number < 1 || s.Number > s.Of {
		return errors.New("it must be a number of shares and which one of them, such as 2/5")
	}
	return nil
}

func (s Share) String() string {
	if s.Of == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Number, s.Of)
}

// has reports whether the run with a number belongs to the share.
func (s Share) has(number uint64) bool { return s.Of == 0 || number%s.Of == s.Number-1 }

// of returns the faults of this share. A place stays in its share when calls of the scenario change, as each share learns them in a run of its own.
func (s Share) of(all []proxy.Fault, d draw) []proxy.Fault {
	return slices.DeleteFunc(all, func(f proxy.Fault) bool { return !s.has(d(fmt.Sprintf("share of %+v", placeOf(f)))) })
}

// ofEachClass returns at most n faults of each of some classes.
func ofEachClass(all []proxy.Fault, names []string, n int, d draw) (some []proxy.Fault) {
	for _, name := range names {
		of := slices.DeleteFunc(slices.Clone(all), func(f proxy.Fault) bool { return classOf(f) != name })
		some = append(some, d.pick(of, n)...)
	}
	return some
}

// oneOfClass returns a fault of the n-th of some classes, or of the next one that has any.
func oneOfClass(all []proxy.Fault, names []string, n uint64, d draw) []proxy.Fault {
	for i := range names {
		name := names[(n+uint64(i))%uint64(len(names))]
		of := slices.DeleteFunc(slices.Clone(all), func(f proxy.Fault) bool { return classOf(f) != name })
		if len(of) > 0 {
			return d.pick(of, 1)
		}
	}
	return nil
}
