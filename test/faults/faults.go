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
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// classes are the columns of the table, by the kinds of their faults.
var classes = []struct {
	name string
	is   func(fault) bool
}{
	{"crash", func(f fault) bool { return f.then == nil && (f.kind == crashBefore || f.kind == crashAfter) }},
	{"two crashes", func(f fault) bool { return f.then != nil }},
	{"stale", func(f fault) bool { return slices.Contains([]string{stale, frozen, standby}, f.kind) }},
	{"events", func(f fault) bool { return f.watched != "" || f.kind == watchCut || f.kind == watchGone }},
	{"answers", func(f fault) bool { return isAnswer(f.kind) }},
	{"leaders", func(f fault) bool { return f.kind == deposed }},
}

func classOf(f fault) string {
	for _, c := range classes {
		if c.is(f) {
			return c.name
		}
	}
	return ""
}

// A draw is what falls to something by chance: the same for one seed, whatever else there is.
type draw func(of string) uint64

// newDraw draws for a scenario. No machine makes all calls as another does, and yet each has to try the same.
func newDraw(seed uint64, name string) draw {
	return func(of string) uint64 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", seed, name, of))
		return binary.BigEndian.Uint64(sum[:])
	}
}

// pick are a number of faults, which the draw falls on.
func (d draw) pick(all []fault, n int) []fault {
	drawn := slices.SortedFunc(slices.Values(all), func(a, b fault) int { return cmp.Compare(d(a.String()), d(b.String())) })
	return drawn[:min(n, len(drawn))]
}

// allFaults are all that can be done to a scenario of which these calls and events are known.
func allFaults(learned result, d draw) []fault {
	points := callPoints(learned.calls)
	var changes []int
	for i, c := range learned.calls {
		if c.mutates {
			changes = append(changes, i)
		}
	}
	return slices.Concat(answerFaults(learned.calls, points), mutationFaults(points, changes), eventFaults(learned.events), crashPairs(points, changes, d))
}

// callPoints are the points of calls.
func callPoints(calls []call) (points []point) {
	named := map[string]int{}
	for _, c := range calls {
		named[c.name]++
		points = append(points, pointOf(c, named[c.name]))
	}
	return points
}

// answerFaults are another answer to each call.
func answerFaults(calls []call, points []point) (all []fault) {
	for i, c := range calls {
		for _, kind := range answersAt(c.seam) {
			all = append(all, fault{kind: kind, at: points[i]})
		}
	}
	return all
}

// mutationFaults are those at calls that change something: what comes between them is lost,
// or not seen.
func mutationFaults(points []point, changes []int) (all []fault) {
	for n, i := range changes {
		for _, kind := range []string{crashBefore, crashAfter, watchCut, watchGone, deposed} {
			all = append(all, fault{kind: kind, at: points[i]})
		}
		for _, from := range changes[:n+1] {
			for _, kind := range []string{stale, frozen, standby} {
				all = append(all, fault{kind: kind, at: points[i], from: points[from]})
			}
		}
	}
	return all
}

// atNthCall has those faults that may be at any call happen at the n-th, whichever that is.
func atNthCall(all []fault, calls []call) []fault {
	number := map[point]point{}
	for i, p := range callPoints(calls) {
		number[p] = nth(i + 1)
	}
	for i := range all {
		if f := &all[i]; f.watched == "" && f.kind != deposed && !isAnswer(f.kind) {
			f.at, f.from = number[f.at], number[f.from]
		}
	}
	return all
}

// eventFaults are those of each event, and of each resource that is watched.
func eventFaults(events []string) (all []fault) {
	resources := map[string]bool{}
	for _, event := range events {
		all = append(all, fault{kind: hide, watched: event}, fault{kind: merge, watched: event})
		resource, _, _ := strings.Cut(event, "/")
		if !resources[resource] {
			resources[resource] = true
			all = append(all, fault{kind: late, watched: resource})
		}
	}
	return all
}

// crashPairs are some: which calls the second process makes is not known.
func crashPairs(points []point, changes []int, d draw) (all []fault) {
	for _, i := range changes {
		r := rand.New(rand.NewPCG(d(string(points[i])), 0))
		kind := func() string { return []string{crashBefore, crashAfter}[r.IntN(2)] }
		for range 4 {
			second := fault{kind: kind(), at: nth(1 + r.IntN(len(points)-i+1))}
			all = append(all, fault{kind: kind(), at: points[i], then: &second})
		}
	}
	return all
}

// sampleFaults takes some of the faults, of each class as large a part, but at least one.
func sampleFaults(all []fault, part float64, d draw) (some []fault) {
	byClass := map[string][]fault{}
	for _, f := range all {
		byClass[classOf(f)] = append(byClass[classOf(f)], f)
	}
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		of := byClass[class]
		some = append(some, d.pick(of, max(1, int(part*float64(len(of))+0.5)))...)
	}
	return some
}

// oneOfClass is one fault of the class whose turn it is at the n-th scenario, or of the next class that has any.
func oneOfClass(all []fault, n int, d draw) []fault {
	for i := range classes {
		of := slices.DeleteFunc(slices.Clone(all), func(f fault) bool { return !classes[(n+i)%len(classes)].is(f) })
		if len(of) > 0 {
			return d.pick(of, 1)
		}
	}
	return nil
}
