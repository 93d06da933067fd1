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
	// named has for each group when a post that was stored for certain first named it, unless a later one has, or may have, listed it there.
	named map[string]time.Time
	// naming is how many posts that name it are being answered.
	naming int
	// isLeftOut: a post has named it while the operator was learning. With the first of these the operator does not know whether it fires by a
	// clock that is behind.
	isLeftOut bool
}

// series are the posts of a group that list an alert, since the last gap that is longer than the interval at which it is repeated, or in which it
// may have ended since the group was posted without it.
type series struct {
	since, last time.Time
	// poster is that of the last post, and missedSince is when a post of it first may have been stored that does not list the alert; zero: none.
	poster      string
	missedSince time.Time
}

func (s series) goesOn() bool {
	isMissed := !s.missedSince.IsZero() && time.Since(s.missedSince) >= missedFor
	return time.Since(s.last) < repeatInterval+2*groupInterval && !isMissed
}

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

// post is what a sender posts.
type post struct {
	alerts []postedAlert
	// poster is the group of a route of a member, and group are its labels; empty: it is a post of Prometheus.
	poster, group string
	// isWhole: it lists each alert of the group.
	isWhole bool
}

// postedAlert is an alert in a post.
type postedAlert struct {
	id    string
	fires bool
	// group are the labels of its group, as groupOf returns them.
	group string
}

// read returns what a sender has posted.
func read(source, from string, body []byte, now time.Time) (p post) {
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
			p.alerts = append(p.alerts, postedAlert{a.Annotations["summary"], a.EndsAt.After(now), groupOf(map[string]string{"alertname": a.Labels["alertname"]})})
		}
		return p
	}
	var webhook struct {
		Alerts          []alert           `json:"alerts"`
		GroupKey        string            `json:"groupKey"`
		GroupLabels     map[string]string `json:"groupLabels"`
		TruncatedAlerts int               `json:"truncatedAlerts"`
	}
	_ = json.Unmarshal(body, &webhook)
	p.poster, p.group, p.isWhole = from+webhook.GroupKey, groupOf(webhook.GroupLabels), webhook.TruncatedAlerts == 0
	for _, a := range webhook.Alerts {
		p.alerts = append(p.alerts, postedAlert{a.Annotations["summary"], a.Status == "firing", p.group})
	}
	return p
}

// lists reports whether a post has an alert.
func (p post) lists(id string) bool {
	return slices.ContainsFunc(p.alerts, func(a postedAlert) bool { return a.id == id })
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
	began, p := time.Now(), read(source, from, body, o.sim.now())
	for _, a := range p.alerts {
		if !a.fires {
			o.of(source, a.id).naming++
		}
	}
	return func(code int) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.sim.log.Info("a post was answered", "at", began.Sub(o.sim.began).String(), "source", source, "from", from, "code", code, "alerts", fmt.Sprint(p.alerts))
		for _, a := range p.alerts {
			s := o.of(source, a.id)
			if a.fires {
				s.listed(p.poster, a.group, began, code)
				continue
			}
			s.naming--
			s.end(a.group, began, code, source == apiSource && time.Since(o.outage) < learning)
		}
		if p.isWhole {
			o.miss(source, p, began, code)
		}
	}
}

// miss records that a post does not list the other alerts that its group of its member has listed.
func (o *oracle) miss(source string, p post, began time.Time, code int) {
	if code != 200 && code != 0 {
		return
	}
	for id, s := range o.known[source] {
		if in := s.listedIn[p.group]; in.poster == p.poster && in.missedSince.IsZero() && !p.lists(id) {
			in.missedSince = began
			s.listedIn[p.group] = in
		}
	}
}

// listed records that a post has listed an alert as firing.
func (s *seen) listed(poster, group string, began time.Time, code int) {
	switch code {
	case 200:
	case 0: // it may have been stored: a reload of a member ends its posts
		delete(s.named, group)
		return
	default:
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
	in.last, in.poster, in.missedSince = time.Now(), poster, time.Time{}
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
