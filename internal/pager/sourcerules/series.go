// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

// minGap is how long a series may be without a post, at least. Prometheus posts each alert that fires once a minute, or whenever its rule is
// evaluated.
const minGap = 3 * time.Minute

// Series is a series of posts to the API without a gap, each of which was stored as a whole. A sender that posts alerts again and again while they
// fire has posted each of them within a series that is long enough. After an outage of the sender, its first post proves nothing.
type Series struct {
	// Since and Until are the times of its first and its last post; zero: there was no post.
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
		s.Since = times.Latest(s.Since, status.ReceivingBrokenTime.Time)
	}
	return s
}

// With returns the series with one more post, or another series after a gap.
func (s Series) With(at time.Time, gap time.Duration) Series {
	if s.Since.IsZero() || at.Sub(s.Until) > gap || times.IsAhead(s.Until, at) || times.IsAhead(s.Since, at) {
		return Series{Since: at, Until: at}
	}
	return Series{Since: s.Since, Until: times.Latest(s.Until, at)}
}

// gap is how long a source may be without a post since the last one of its series: the shortest time that it gave an instance which had not
// passed its end then. The sender had to post that one again. A rule that is evaluated seldom does not hide an outage from the others.
func gap(in Inputs) time.Duration {
	shortest := time.Duration(0)
	for i := range in.Alerts {
		for _, instance := range in.Alerts[i].Spec.Instances {
			after := lapseAfter(instance)
			isExpected := isFiring(instance) && after > 0 && instance.LapsesAt != nil && instance.LapsesAt.After(in.Series.Until)
			if isExpected && (shortest == 0 || after < shortest) {
				shortest = after
			}
		}
	}
	return max(shortest, minGap)
}

// lapseAfter is how long a post gives an instance; 0: it does not say it.
func lapseAfter(i v1beta1.AlertInstance) time.Duration {
	return time.Duration(i.LapseSeconds) * time.Second
}
