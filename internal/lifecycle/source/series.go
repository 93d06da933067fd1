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

package source

import (
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/alert"
)

// minGap and maxGap bound how long a series may be without a post. Prometheus posts each alert that fires once a minute, or whenever its rule is
// evaluated.
const minGap, maxGap = 3 * time.Minute, 24 * time.Hour

// Series is a series of posts to the API without a gap, each of which was stored as a whole. A sender that posts what fires again and again has
// posted it within a series that is long enough. After an outage of the sender, its first post proves nothing.
type Series struct {
	// Since and Until are the times of its first and its last post; zero: there was none.
	Since, Until time.Time
}

// SeriesOf returns the series that the status of a source has.
func SeriesOf(source *v1beta1.AlertSource) (s Series) {
	status := &source.Status
	if status.ReceivingSince == nil || status.ReceivingUntil == nil {
		return Series{}
	}
	s.Since, s.Until = status.ReceivingSince.Time, status.ReceivingUntil.Time
	if status.ReceivingBrokenTime != nil {
		s.Since = lifecycle.Latest(s.Since, status.ReceivingBrokenTime.Time)
	}
	return s
}

// With returns the series with one more post, or another series after a gap.
func (s Series) With(at time.Time, gap time.Duration) Series {
	if s.Since.IsZero() || at.Sub(s.Until) > gap || lifecycle.IsAhead(s.Until, at) || lifecycle.IsAhead(s.Since, at) {
		return Series{Since: at, Until: at}
	}
	return Series{Since: s.Since, Until: lifecycle.Latest(s.Until, at)}
}

// gap is how long a source may be without a post within a series: as long as the longest time that a post gives an alert, after which it has to
// be posted again.
func gap(in Inputs, groups []group) time.Duration {
	longest := minGap
	for i := range in.Alerts {
		for _, instance := range in.Alerts[i].Spec.Instances {
			if isFiring(instance) {
				longest = max(longest, lapseAfter(instance))
			}
		}
	}
	for _, g := range groups {
		for _, p := range g.posted {
			longest = max(longest, p.EndsAt.Sub(in.Now))
		}
	}
	return min(longest, maxGap)
}

// lapseAfter is how long a post gives an instance; 0: it does not say it.
func lapseAfter(i v1beta1.AlertInstance) time.Duration {
	return time.Duration(i.LapseSeconds) * time.Second
}
