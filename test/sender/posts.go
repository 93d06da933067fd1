// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// seen is what is known of an alert at a source, from its sender.
type seen struct {
	// dueSince is since when the alert fires and is not muted at each member that can post; zero: it is not so.
	dueSince time.Time
	// firesSince is the same at each member, though it may not post; of Prometheus, while it runs.
	firesSince time.Time
	// goneSince is since when it fires at no member, or is muted; zero: it is not so.
	goneSince time.Time
	// awaySince is the same, whether or not a member can post.
	awaySince time.Time
	// hasGone: it was away for longer than endsAfter since a post has listed it, so that it may have ended.
	hasGone bool
	// listedSince is when a post first listed it as firing after it had ended, or was muted; zero: none has.
	listedSince time.Time
	// listedAt is when the last post that listed it as firing was answered.
	listedAt time.Time
	// listedIn has the posts that list it as firing, for each group.
	listedIn map[string]series
	// maybeNamed is when a post that named it as resolved may have been stored; zero: none was, or it was listed after that.
	maybeNamed time.Time
	// named has for each group when a post that was stored for certain first named it, unless a later one has listed it there.
	named map[string]time.Time
	// naming is how many posts that name it are being answered.
	naming int
	// isLeftOut: a post has named it while the operator was learning. With the first of these the operator does not know whether it fires by a
	// clock that is behind.
	isLeftOut bool
}

// series are the posts of a group that list an alert, since the last gap that is longer than the interval at which it is repeated.
type series struct{ since, last time.Time }

func (s series) goesOn() bool { return time.Since(s.last) < repeatInterval+2*groupInterval }

// isPartOf reports whether it was first posted with a group just before or after a message of an Alert, so that it is a part of that message.
func (s *seen) isPartOf(message time.Time) bool {
	if s.listedSince.Sub(message).Abs() <= burst {
		return true
	}
	for _, in := range s.listedIn {
		if in.since.Sub(message).Abs() <= burst {
			return true
		}
	}
	return false
}

// isNamed reports whether a post has named it as resolved, or may have.
func (s *seen) isNamed() bool { return s.naming > 0 || !s.maybeNamed.IsZero() }

// isOver reports whether it has ended, or may have, and no post that was answered has listed it since.
func (s *seen) isOver() bool { return s.listedSince.IsZero() || s.hasGone }

// hasBeen reports whether it has been gone since a time, for longer than that. A post may have listed it between two looks: a member that starts
// again posts what it has got, while what inhibits it is on its way.
func (s *seen) hasBeen(since time.Time, longer time.Duration) bool {
	return !since.IsZero() && time.Since(since) > longer && time.Since(s.listedAt) > longer
}

// postedAlert is an alert in a post.
type postedAlert struct {
	id    string
	fires bool
	// group are the labels of its group, as groupOf returns them.
	group string
}

// read returns the alerts of a post.
func read(source string, body []byte, now time.Time) (all []postedAlert) {
	type alert struct {
		Status      string            `json:"status"`
		EndsAt      time.Time         `json:"endsAt"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	}
	if source == apiSource {
		var posted []alert
		_ = json.Unmarshal(body, &posted)
		for _, a := range posted {
			all = append(all, postedAlert{a.Annotations["summary"], a.EndsAt.After(now), groupOf(map[string]string{"alertname": a.Labels["alertname"]})})
		}
		return all
	}
	var webhook struct {
		Alerts      []alert           `json:"alerts"`
		GroupLabels map[string]string `json:"groupLabels"`
	}
	_ = json.Unmarshal(body, &webhook)
	for _, a := range webhook.Alerts {
		all = append(all, postedAlert{a.Annotations["summary"], a.Status == "firing", groupOf(webhook.GroupLabels)})
	}
	return all
}

// groupOf returns the labels by which a group, or an Alert, is known.
func groupOf(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != v1beta1.AlertSourceLabel {
			all = append(all, fmt.Sprintf("%s=%s", name, labels[name]))
		}
	}
	return strings.Join(all, ",")
}

// posting records a post that is sent to the operator, and returns what records its answer: the code is 0 if the post may have been stored.
func (o *oracle) posting(source, from string, body []byte) (answered func(code int)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	began, all := time.Now(), read(source, body, o.sim.now())
	for _, a := range all {
		if !a.fires {
			o.of(source, a.id).naming++
		}
	}
	return func(code int) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.sim.log.Info("a post was answered", "at", began.Sub(o.sim.began).String(), "source", source, "from", from, "code", code, "alerts", fmt.Sprint(all))
		for _, a := range all {
			s := o.of(source, a.id)
			if a.fires {
				s.listed(a.group, began, code)
				continue
			}
			s.naming--
			s.end(a.group, began, code, source == apiSource && time.Since(o.outage) < learning)
		}
	}
}

// listed records that a post has listed an alert as firing.
func (s *seen) listed(group string, began time.Time, code int) {
	if code == 0 { // it may have been stored
		delete(s.named, group)
	}
	if code != 200 {
		return
	}
	if s.isOver() {
		s.listedSince = time.Now()
	}
	s.listedAt, s.hasGone, s.isLeftOut = time.Now(), false, false
	if s.listedIn == nil {
		s.listedIn = map[string]series{}
	}
	in := s.listedIn[group]
	if !in.goesOn() {
		in.since = time.Now()
	}
	in.last = time.Now()
	s.listedIn[group] = in
	delete(s.named, group)
	if s.maybeNamed.Before(began) { // otherwise it is not known which of both was stored first
		s.maybeNamed = time.Time{}
	}
}

// end records that a post has named an alert as resolved.
func (s *seen) end(group string, began time.Time, code int, isLearning bool) {
	if code != 200 && code != 0 {
		return
	}
	s.maybeNamed, s.listedSince = time.Now(), time.Time{}
	if code == 200 && isLearning && !s.isLeftOut {
		s.isLeftOut = true
		return
	}
	if _, isNamed := s.named[group]; code == 200 && s.listedAt.Before(began) && !isNamed { // Prometheus names it for 15 minutes
		if s.named == nil {
			s.named = map[string]time.Time{}
		}
		s.named[group] = time.Now()
	}
}
