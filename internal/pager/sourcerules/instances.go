// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

// maxInstances is how many an Alert has.
const maxInstances = 200

func isFiring(i v1beta1.AlertInstance) bool { return i.EndsAt == nil }

// isAnnounced reports whether the content has an instance.
func isAnnounced(i v1beta1.AlertInstance) bool { return isFiring(i) && !i.Waiting }

// isWaiting reports whether an instance has to join the content.
func isWaiting(i v1beta1.AlertInstance) bool { return isFiring(i) && i.Waiting }

func count(instances []v1beta1.AlertInstance, is func(v1beta1.AlertInstance) bool) (n int) {
	for _, i := range instances {
		if is(i) {
			n++
		}
	}
	return n
}

// instancesOf returns a copy of the instances of an Alert; a nil Alert has none. An instance that a person added may have no start: it gets the
// creation of the Alert.
func instancesOf(a *v1beta1.Alert) []v1beta1.AlertInstance {
	if a == nil {
		return nil
	}
	instances := slices.Clone(a.Spec.Instances)
	for n := range instances {
		if instances[n].StartsAt == nil {
			instances[n].StartsAt = &a.CreationTimestamp
		}
	}
	return instances
}

// highest is the highest severity of the instances that fire; empty: none fires. An instance of a former release has no severity of its own: it
// counts with the Alert's, which is not lower.
func highest(instances []v1beta1.AlertInstance, ofAlert v1beta1.Severity) (severity v1beta1.Severity) {
	for _, i := range instances {
		if own := cmp.Or(i.Severity, ofAlert); isFiring(i) && (severity == "" || alertrules.Rank(own) > alertrules.Rank(severity)) {
			severity = own
		}
	}
	return severity
}

// merge returns the instances of an Alert after a post about its group, and how many that fire have no place. New ones wait.
func merge(present *v1beta1.Alert, g group, now time.Time) (instances []v1beta1.AlertInstance, cut int) {
	instances = instancesOf(present)
	index := make(map[string]int, len(instances))
	for i := range instances {
		index[instances[i].Key] = i
	}
	named, shift := map[string]bool{}, phase(g.name)
	for _, p := range g.posted {
		named[p.key] = true
		i, isKnown := index[p.key]
		if p.fires(now) && !isKnown {
			index[p.key] = len(instances)
			instances = append(instances, newInstance(p, shift, now))
			g.report.list(&instances[len(instances)-1], now)
			continue
		}
		if isKnown {
			g.mergeKnown(&instances[i], p, shift, now)
		}
	}
	for i := range instances {
		isPassedOver := !named[instances[i].Key] && isFiring(instances[i])
		if isPassedOver && g.isOver {
			end(&instances[i], now)
		} else if isPassedOver {
			g.report.pass(&instances[i], now)
		}
	}
	ofAlert := v1beta1.Severity("")
	if present != nil {
		ofAlert = present.Spec.Severity
	}
	return fit(instances, ofAlert)
}

// mergeKnown merges a posted alert into its instance, which the Alert has.
func (g group) mergeKnown(i *v1beta1.AlertInstance, p posted, shift time.Duration, now time.Time) {
	if p.fires(now) {
		repeat(i, p, shift, now)
		if isFiring(*i) {
			g.report.list(i, now)
		}
		return
	}
	if g.isList && !isFiring(*i) {
		return
	}
	if p.hasMoved && isFiringAt(p.Alert, now) {
		if g.report.mayHaveListed(*i) { // otherwise another group of it has no Alert
			end(i, now)
		}
		return
	}
	if at := endOf(p.Alert, now); isEndOf(p.Alert, *i, at) {
		end(i, at)
	}
}

// fit returns the instances for which an Alert has a place, and how many that fire have none. A higher severity takes the place of a lower one.
// Of the same severity the first ones stay, which are those that the Alert has already: otherwise each post of a group that is larger than an
// Alert would write other ones.
func fit(instances []v1beta1.AlertInstance, ofAlert v1beta1.Severity) (kept []v1beta1.AlertInstance, cut int) {
	var firing []int
	for n := range instances {
		if isFiring(instances[n]) {
			firing = append(firing, n)
		}
	}
	if cut = len(firing) - maxInstances; cut <= 0 {
		return instances, 0
	}
	rank := func(n int) int { return alertrules.Rank(cmp.Or(instances[n].Severity, ofAlert)) }
	slices.SortStableFunc(firing, func(x, y int) int { return rank(y) - rank(x) })
	isCut := make(map[int]bool, cut)
	for _, n := range firing[maxInstances:] {
		isCut[n] = true
	}
	kept = make([]v1beta1.AlertInstance, 0, len(instances)-cut)
	for n := range instances {
		if !isCut[n] {
			kept = append(kept, instances[n])
		}
	}
	return kept, cut
}

// newInstance returns the instance of an alert that begins to fire.
func newInstance(p posted, shift time.Duration, now time.Time) v1beta1.AlertInstance {
	i := v1beta1.AlertInstance{
		Key: p.key, Text: p.Text(), Labels: p.labels(), Severity: p.severity, StartsAt: times.Timestamp(startOf(p.Alert, now)), LapsesAt: lapseOf(p.Alert, now), Waiting: true,
	}
	if !p.EndsAt.IsZero() { // otherwise it is seldom posted again
		i.LapsesAt, i.LapseSeconds = roundedUp(i.LapsesAt, shift), lapseSeconds(p.Alert, now)
	}
	return i
}

// startOf is when an alert began to fire: now if its sender's clock is ahead, or does not give the time.
func startOf(a alertmanager.Alert, now time.Time) time.Time {
	if a.StartsAt.IsZero() || a.StartsAt.After(now) {
		return now
	}
	return a.StartsAt
}

// endOf is when an alert that does not fire has ended.
func endOf(a alertmanager.Alert, now time.Time) time.Time {
	if a.EndsAt.IsZero() || a.EndsAt.After(now) {
		return now
	}
	return a.EndsAt
}

// isEndOf reports whether the end of an alert ends its instance, and not an earlier time that it fired. If the sender, such as amtool, does not say
// when the alert began, its last post counts.
func isEndOf(a alertmanager.Alert, i v1beta1.AlertInstance, at time.Time) bool {
	return a.StartsAt.IsZero() || !a.StartsAt.Before(i.StartsAt.Time) || !at.Before(i.StartsAt.Time)
}

// lapseOf is when an instance lapses unless it is posted again; nil: a webhook says when it ends.
func lapseOf(a alertmanager.Alert, now time.Time) *metav1.Time {
	switch {
	case a.State != "":
		return nil
	case a.EndsAt.IsZero():
		return times.Timestamp(now.Add(defaultLapse))
	case a.EndsAt.After(now.Add(maxLapse)):
		return times.Timestamp(now.Add(maxLapse))
	}
	return times.Timestamp(a.EndsAt)
}

// lapseSeconds is how long a post gives an alert that fires, at least 1; 0: it does not say it.
func lapseSeconds(a alertmanager.Alert, now time.Time) int32 {
	lapses := lapseOf(a, now)
	if lapses == nil || a.EndsAt.IsZero() {
		return 0
	}
	return int32(max(1, lapses.Sub(now)/time.Second)) //nolint:gosec // at most maxLapse
}

// roundedUp rounds the time of a lapse up to a step. The steps of each group are shifted, so that the writes of many groups are spread.
func roundedUp(at *metav1.Time, shift time.Duration) *metav1.Time {
	if at == nil {
		return nil
	}
	step := at.Add(-shift).Truncate(lapseStep).Add(shift)
	if step.Before(at.Time) {
		step = step.Add(lapseStep)
	}
	return times.Timestamp(step)
}

// phase is a duration below lapseStep, in whole seconds, that follows from the name of a group.
func phase(group string) time.Duration {
	digest, _ := hex.DecodeString(alertrules.Fingerprint("phase", group)) // it is hexadecimal
	return time.Duration(binary.BigEndian.Uint64(digest)%uint64(lapseStep/time.Second)) * time.Second
}

// repeat merges an alert that fires into its instance.
func repeat(i *v1beta1.AlertInstance, p posted, shift time.Duration, now time.Time) {
	if !isFiring(*i) {
		restart(i, p, shift, now)
		return
	}
	i.Severity = p.severity
	if i.Labels == "" { // an instance of a former release
		if i.Labels = p.labels(); i.Labels != "" {
			i.Text = p.Text()
		}
	}
	isSame := i.PreviousEndsAt == nil || p.StartsAt.After(i.PreviousEndsAt.Time) // not an earlier time that the alert fired
	if isSame && !p.StartsAt.IsZero() && p.StartsAt.Before(i.StartsAt.Time) {
		i.StartsAt = times.Timestamp(p.StartsAt)
	}
	switch lapses, after := lapseOf(p.Alert, now), lapseSeconds(p.Alert, now); {
	case lapses == nil:
		i.LapsesAt, i.LapseSeconds = nil, 0
	case i.LapsesAt == nil, lapses.After(i.LapsesAt.Time), after > 0 && i.LapseSeconds == 0:
		i.LapsesAt, i.LapseSeconds = roundedUp(lapses, shift), cmp.Or(after, i.LapseSeconds)
	}
}

// restart has an instance fire again that has ended, if its alert began to fire after that end, or if a sender still posts it after the time
// in which a pair may disagree: then from now on, so that the end, which the other one posts again, does not count.
func restart(i *v1beta1.AlertInstance, p posted, shift time.Duration, now time.Time) {
	isNew := p.State != "" || startOf(p.Alert, now).After(i.EndsAt.Time)
	if !isNew && now.Before(i.EndsAt.Add(endGrace)) {
		return
	}
	again := newInstance(p, shift, now)
	if again.PreviousEndsAt = i.EndsAt; !isNew {
		again.StartsAt = times.Timestamp(now)
	}
	*i = again
}

// end ends an instance, not before its start. Of two ends the later one counts.
func end(i *v1beta1.AlertInstance, at time.Time) {
	ends := times.Timestamp(at)
	if ends.Before(i.StartsAt) {
		ends = i.StartsAt
	}
	if isFiring(*i) || ends.After(i.EndsAt.Time) {
		i.EndsAt, i.PreviousEndsAt, i.LapsesAt, i.LapseSeconds, i.UnlistedTime, i.Waiting = ends, nil, nil, 0, nil, false
	}
}

// allEnded returns instances of which none fires.
func allEnded(instances []v1beta1.AlertInstance, now time.Time) []v1beta1.AlertInstance {
	for n := range instances {
		if isFiring(instances[n]) {
			end(&instances[n], now)
		}
	}
	return instances
}

// withFiringOf returns instances with those that fire in another Alert of the group but not here.
func withFiringOf(instances []v1beta1.AlertInstance, other *v1beta1.Alert) []v1beta1.AlertInstance {
	for _, i := range instancesOf(other) {
		if !isFiring(i) || knows(instances, i) {
			continue
		}
		i.Waiting = true
		instances = append(slices.DeleteFunc(instances, func(own v1beta1.AlertInstance) bool { return own.Key == i.Key }), i)
	}
	return instances
}

// knows reports whether instances have one that fires in another Alert, or its end.
func knows(instances []v1beta1.AlertInstance, i v1beta1.AlertInstance) bool {
	return slices.ContainsFunc(instances, func(own v1beta1.AlertInstance) bool {
		return own.Key == i.Key && (isFiring(own) || !i.StartsAt.After(own.EndsAt.Time))
	})
}

// bounded returns at most 200 instances, without those that ended long ago: first those that fire, the earliest first, and then those that
// have ended, the latest first.
func bounded(instances []v1beta1.AlertInstance, now time.Time) []v1beta1.AlertInstance {
	instances = slices.DeleteFunc(slices.Clone(instances), func(i v1beta1.AlertInstance) bool { return isOld(i, now) })
	slices.SortFunc(instances, func(x, y v1beta1.AlertInstance) int {
		switch {
		case isFiring(x) != isFiring(y) && isFiring(x):
			return -1
		case isFiring(x) != isFiring(y):
			return 1
		case !isFiring(x) && !x.EndsAt.Equal(y.EndsAt):
			return y.EndsAt.Compare(x.EndsAt.Time)
		}
		return cmp.Or(x.StartsAt.Compare(y.StartsAt.Time), strings.Compare(x.Key, y.Key))
	})
	return instances[:min(len(instances), maxInstances)]
}

func isOld(i v1beta1.AlertInstance, now time.Time) bool {
	return !isFiring(i) && now.Sub(i.EndsAt.Time) > keepEnded
}
