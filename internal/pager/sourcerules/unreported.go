// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

const (
	// listedEvery is how often the time is written at which a webhook listed an instance.
	listedEvery = time.Hour
	// restartGrace is for how long after an interval a sender may still list instances that it has lost: Alertmanager keeps no alerts over a restart,
	// and Prometheus posts them again within a minute or so.
	restartGrace = 5 * time.Minute
	// silentGrace is for how long after the first post that follows a silence the other groups of the source may still be posted, at least.
	silentGrace = 15 * time.Minute
	// unkeyed is the poster of webhooks without a key of their group: they say nothing about instances that they do not list.
	unkeyed = "unkeyed"
)

// report says how a post counts for instances that it does not list.
type report struct {
	// isWebhook: the post has the alerts of a group of Alertmanager.
	isWebhook bool
	// poster identifies that group, its receiver and its Alertmanager; or it is unkeyed.
	poster string
	// isWhole: the post lists all that fires in the group.
	isWhole bool
}

func reportOf(post alertmanager.Post) report {
	g := post.Group
	switch {
	case g == nil:
		return report{}
	case g.Key == "":
		return report{isWebhook: true, poster: unkeyed}
	}
	poster := alertrules.Fingerprint("poster", g.Key, g.Receiver, g.ExternalURL)[:hashLength] // two receivers may have groups of one key
	return report{isWebhook: true, poster: poster, isWhole: g.IsWhole()}
}

// list records that the post lists an instance as firing.
func (r report) list(i *v1beta1.AlertInstance, now time.Time) {
	i.UnlistedTime, i.Poster = nil, r.poster
	switch {
	case !r.isWebhook, r.poster == unkeyed:
		i.ListedTime = nil
	case i.ListedTime == nil || now.Sub(i.ListedTime.Time).Abs() >= listedEvery:
		i.ListedTime = times.Timestamp(now)
	}
}

// mayHaveListed reports whether the group that is posted is the one that has listed an instance, as far as that is known.
func (r report) mayHaveListed(i v1beta1.AlertInstance) bool {
	return i.Poster == "" || i.Poster == r.poster
}

// pass records that the post does not list an instance. It should have if the group that listed it last is posted as a whole. An instance does not
// end by that alone: the first webhook after a restart of Alertmanager lists only alerts that have arrived there by then. A group that is truncated
// may have it.
func (r report) pass(i *v1beta1.AlertInstance, now time.Time) {
	isOfPoster := r.isWebhook && r.poster != unkeyed && r.poster == i.Poster
	if !isOfPoster {
		return
	}
	if !r.isWhole {
		r.list(i, now)
		return
	}
	isMarked := i.UnlistedTime != nil && !times.IsAhead(i.UnlistedTime.Time, now)
	if !isMarked {
		i.UnlistedTime = times.Timestamp(now)
	}
}

// review returns the instances after those have ended, or are marked, that posts do not report any more.
func review(instances []v1beta1.AlertInstance, in Inputs) []v1beta1.AlertInstance {
	for n := range instances {
		i := &instances[n]
		if !isFiring(*i) {
			continue
		}
		switch {
		case hasLapsed(*i, in):
			end(i, i.LapsesAt.Time)
		case isMarkedAsSilent(*i) && i.UnlistedTime.Time.Before(silentFrom(*i, in)): // the interval was raised, or a webhook was cut
			i.UnlistedTime = nil
		case hasGone(*i, in):
			since := i.UnlistedTime
			end(i, in.Now)
			i.UnlistedTime = since // an end that the sender says has none
		case isSilent(*i, in) && i.UnlistedTime == nil:
			i.UnlistedTime, i.Poster = times.Timestamp(in.lastReceived()), ""
		case isOfFormerRelease(*i) && in.lastReceived().After(in.ServedSince):
			i.ListedTime = times.Timestamp(in.lastReceived())
		}
	}
	return instances
}

// isOfFormerRelease reports whether a webhook has listed an instance before that was recorded. It may have listed it just before.
func isOfFormerRelease(i v1beta1.AlertInstance) bool {
	return i.LapsesAt == nil && i.Poster == "" && i.ListedTime == nil
}

// hasLapsed reports whether an instance has to end that was not posted again: a post was received after its time, and the listener has served
// for long enough to have got it.
func hasLapsed(i v1beta1.AlertInstance, in Inputs) bool {
	return i.LapsesAt != nil && lastPost(i, in).After(lapseDue(i, in))
}

// lastPost is the last post that may prove that an instance has lapsed. A sender that does not say when an alert ends does not post it again
// either, so that any post of the source does.
func lastPost(i v1beta1.AlertInstance, in Inputs) time.Time {
	if i.LapseSeconds == 0 {
		return in.lastReceived()
	}
	return notAhead(in.Series.Until, in.Now)
}

// lapseDue is after which time a post of the source proves that an instance has lapsed.
func lapseDue(i v1beta1.AlertInstance, in Inputs) time.Time {
	since, length := in.ServedSince, lapseAfterStart
	if i.LapseSeconds > 0 {
		since, length = times.Latest(since, in.Series.Since), max(length, lapseAfter(i))
	}
	return times.Latest(since.Add(length), i.LapsesAt.Time)
}

// hasGone reports whether an instance has to end that is marked as not listed. One that its group misses ends after the time in which the group
// is posted twice; one of which nothing was heard at all, with a later post of the source.
func hasGone(i v1beta1.AlertInstance, in Inputs) bool {
	switch {
	case i.UnlistedTime == nil:
		return false
	case isMarkedAsSilent(i):
		return !in.lastReceived().Before(in.unlistedSince(i).Add(max(silentGrace, missedGrace(in))))
	}
	return !in.Now.Before(missedDue(i, in))
}

// missedGrace is for how long an instance that its group does not list may be listed again.
func missedGrace(in Inputs) time.Duration {
	return 2*time.Duration(in.Source.Spec.Alertmanager.GroupIntervalSeconds)*time.Second + restartGrace
}

// missedDue is when an instance ends that its group does not list.
func missedDue(i v1beta1.AlertInstance, in Inputs) time.Time {
	return in.unlistedSince(i).Add(missedGrace(in))
}

// unlistedSince is since when no post lists an instance that is marked. A post that was refused may have listed it.
func (in Inputs) unlistedSince(i v1beta1.AlertInstance) time.Time {
	since := times.Latest(in.ServedSince, i.UnlistedTime.Time)
	if refused := in.Source.Status.ReceivingBrokenTime; refused != nil {
		since = times.Latest(since, notAhead(refused.Time, in.Now))
	}
	return since
}

// isSilent reports whether no webhook lists an instance any more: Alertmanager does not post a group that is muted as a whole, and a change of
// its configuration gives a group another key.
func isSilent(i v1beta1.AlertInstance, in Inputs) bool {
	return i.ListedTime != nil && in.lastReceived().After(silentFrom(i, in))
}

// silentFrom is from when on an instance should have been listed again. A webhook that Alertmanager has cut may have it, in a group of any key.
func silentFrom(i v1beta1.AlertInstance, in Inputs) time.Time {
	since := i.ListedTime.Time
	if truncated := in.Source.Status.LastTruncatedTime; truncated != nil {
		since = times.Latest(since, notAhead(truncated.Time, in.Now))
	}
	return since.Add(listedEvery + time.Duration(in.Source.Spec.Alertmanager.RepeatIntervalSeconds)*time.Second)
}

// isMarkedAsSilent reports whether an instance was marked since no webhook lists it: then it has no poster. One that its group misses has.
func isMarkedAsSilent(i v1beta1.AlertInstance) bool {
	return i.UnlistedTime != nil && i.ListedTime != nil && i.Poster == ""
}

// reviewDue is just after the time at which an instance may end by time; zero: never.
func reviewDue(i v1beta1.AlertInstance, in Inputs) time.Time {
	switch {
	case !isFiring(i):
		return time.Time{}
	case i.LapsesAt != nil:
		return lapseDue(i, in).Add(time.Second)
	case i.UnlistedTime != nil && !isMarkedAsSilent(i):
		return missedDue(i, in).Add(time.Second)
	}
	return time.Time{}
}
