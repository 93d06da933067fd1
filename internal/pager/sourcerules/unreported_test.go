// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

func (c *cluster) firing(pod string, labels ...string) alertmanager.Alert {
	return inState(c.fire("Down", pod, t0, labels...), alertmanager.Firing)
}

func (c *cluster) resolved(pod string, labels ...string) alertmanager.Alert {
	return inState(ended(c.fire("Down", pod, t0, labels...), c.now), alertmanager.Resolved)
}

// F-P43: two routes of Alertmanager have one receiver, so that their groups are one Alert. The end of one says nothing about the other.
func TestTwoRoutesOfOneReceiver(t *testing.T) {
	c := newCluster(t)
	critical := c.firing("db", "severity=critical")
	wantChanges(t, c.receive(routed(`{}/{severity="critical"}`, alertmanager.Firing, critical)), Fires)
	c.now = t0.Add(6 * time.Minute)
	wantChanges(t, c.receive(routed("{}", alertmanager.Firing, c.firing("a"))), Grows)
	c.now = t0.Add(12 * time.Minute)
	over := routed("{}", alertmanager.Resolved, c.resolved("a"))
	wantChanges(t, c.receive(over), Edits)
	for n := range 60 {
		c.now = t0.Add(time.Duration(15+n) * time.Minute)
		wantChanges(t, c.receive(over))
		wantChanges(t, c.review())
	}
	if got := c.only().Spec; got.State != v1beta1.AlertFiring || got.Severity != v1beta1.SeverityCritical {
		t.Errorf("%s, %s", got.State, got.Severity)
	}
	wantChanges(t, c.receive(routed("{}", alertmanager.Resolved, c.resolved("db", "severity=critical"))), Resolves) // the same labels are the same alert
}

// F-B15: an alert that is silenced or inhibited is missing in the webhooks of its group, which is posted again soon.
func TestAMutedAlertEnds(t *testing.T) {
	c := newCluster(t)
	wantChanges(t, c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b"))), Fires)
	c.now = t0.Add(4 * time.Hour)
	wantChanges(t, c.receive(webhook(alertmanager.Firing, c.firing("a"))), Records)
	if !c.wake.Equal(c.now.Add(15*time.Minute + time.Second)) {
		t.Errorf("it is reviewed at %s", c.wake)
	}
	c.now = c.wake
	wantChanges(t, c.review(), Edits)
	if got := c.only().Spec; got.Content != "pod=a, severity=warning" || got.State != v1beta1.AlertFiring {
		t.Errorf("%s, content %q", got.State, got.Content)
	}
}

// Alertmanager keeps no alerts over a restart: its first webhook has those that Prometheus has posted by then.
func TestARestartOfAlertmanagerEndsNothing(t *testing.T) {
	c := newCluster(t)
	c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
	c.now = t0.Add(time.Hour)
	wantChanges(t, c.receive(webhook(alertmanager.Firing, c.firing("b"))), Records)
	c.now = c.now.Add(5 * time.Minute)
	wantChanges(t, c.review())
	wantChanges(t, c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b"))), Records)
	c.now = c.now.Add(15 * time.Minute)
	wantChanges(t, c.review())
}

// A restart of the operator after a webhook that misses an alert gives the sender the same time again.
func TestARestartAfterAMark(t *testing.T) {
	c := newCluster(t)
	c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
	c.receive(webhook(alertmanager.Firing, c.firing("a")))
	c.servedSince = t0.Add(time.Hour)
	c.now = c.servedSince.Add(14 * time.Minute)
	wantChanges(t, c.review())
	c.now = c.servedSince.Add(15 * time.Minute)
	wantChanges(t, c.review(), Edits)
}

// F-B15: a post that was refused may have listed what is marked, of a group or of the whole source.
func TestARefusalAfterAMark(t *testing.T) {
	refuse := func(c *cluster) { c.source.Status.ReceivingBrokenTime = &metav1.Time{Time: c.now} }
	t.Run("of a group", func(t *testing.T) {
		c := newCluster(t)
		c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
		c.receive(webhook(alertmanager.Firing, c.firing("a")))
		for range 4 { // Alertmanager posts it every 5 minutes
			c.now = c.now.Add(5 * time.Minute)
			refuse(c)
			wantChanges(t, c.review())
		}
		if want := c.now.Add(15*time.Minute + time.Second); !c.wake.Equal(want) {
			t.Errorf("it is reviewed at %s, want %s", c.wake, want)
		}
		c.now = c.wake
		wantChanges(t, c.review(), Edits)
	})
	t.Run("of a silence", func(t *testing.T) {
		c := newCluster(t)
		c.receive(webhook(alertmanager.Firing, c.firing("a")))
		c.now = t0.Add(122 * time.Hour)
		c.heard = c.now
		wantChanges(t, c.review(), Records)
		c.now = c.now.Add(time.Hour)
		refuse(c)
		c.heard = c.now
		wantChanges(t, c.review())
		c.now = c.now.Add(16 * time.Minute)
		c.heard = c.now
		wantChanges(t, c.review(), Resolves)
	})
}

// F-B15: a group that is muted as a whole, or that a reload has given another key, is not posted. Posts of other groups prove that the sender is
// there.
func TestAGroupThatIsNotPostedAnyMore(t *testing.T) {
	c := newCluster(t)
	other := func() alertmanager.Post {
		post := routed("{}/other", alertmanager.Firing, inState(c.fire("Slow", "a", t0), alertmanager.Firing))
		post.Group.Labels = map[string]string{"alertname": "Slow"}
		return post
	}
	state := func() v1beta1.AlertState {
		c.review()
		return c.alerts[nameOf(c.source, "webhook", "bellhop", map[string]string{"alertname": "Down"})].Spec.State
	}
	c.receive(webhook(alertmanager.Firing, c.firing("a")))
	c.now = t0.Add(59 * time.Minute)
	c.receive(webhook(alertmanager.Firing, c.firing("a"))) // its time is not recorded
	for _, step := range []struct {
		after time.Duration // since it was listed last
		post  bool
		want  v1beta1.AlertState
	}{
		{119 * time.Hour, true, v1beta1.AlertFiring},
		{200 * time.Hour, false, v1beta1.AlertFiring}, // nothing was heard meanwhile
		{201 * time.Hour, true, v1beta1.AlertFiring},
		{201*time.Hour + 14*time.Minute, true, v1beta1.AlertFiring},
		{202 * time.Hour, false, v1beta1.AlertFiring},
		{202*time.Hour + time.Minute, true, v1beta1.AlertResolved},
	} {
		if c.now = t0.Add(59*time.Minute + step.after); step.post {
			c.receive(other())
		}
		if got := state(); got != step.want {
			t.Errorf("%s after %s, want %s", got, step.after, step.want)
		}
	}
}

// A webhook without a group key says nothing about what it does not list.
func TestAWebhookWithoutAKey(t *testing.T) {
	c := newCluster(t)
	keyless := func(state alertmanager.State, alerts ...alertmanager.Alert) alertmanager.Post {
		post := webhook(state, alerts...)
		post.Group.Key = ""
		return post
	}
	c.receive(keyless(alertmanager.Firing, c.firing("a"), c.firing("b")))
	for range 5 {
		c.now = c.now.Add(20 * time.Minute)
		c.receive(keyless(alertmanager.Firing, c.firing("a")))
		wantChanges(t, c.review())
	}
	for range 8 {
		c.now = c.now.Add(24 * time.Hour)
		c.post(c.fire("Slow", "a", c.now))
		c.review()
	}
	if firing, _ := states(c.alerts[nameOf(c.source, "webhook", "bellhop", map[string]string{"alertname": "Down"})]); firing != 2 {
		t.Errorf("%d fire after 8 days", firing)
	}
	wantChanges(t, c.receive(keyless(alertmanager.Resolved, c.resolved("a"), c.resolved("b"))), Resolves)
}

// Two sibling routes with the same matchers have groups of one key, and a receiver each: an Alert each.
func TestTwoReceiversWithOneGroupKey(t *testing.T) {
	c := newCluster(t)
	for range 3 {
		for _, receiver := range []string{"slack", "pager"} {
			post := webhook(alertmanager.Firing, c.firing("a"))
			post.Group.Receiver = receiver
			c.receive(post)
		}
		c.now = c.now.Add(16 * time.Minute)
		wantChanges(t, c.review())
		c.now = c.now.Add(4 * time.Hour)
	}
	if n := c.notifications(); n != 2 {
		t.Errorf("%d pages for two starts", n)
	}
}

// What a truncated webhook does not list may be behind the cut.
func TestATruncatedGroupIsNoSilence(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.Alertmanager.RepeatIntervalSeconds = 14700
	c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
	for range 6 {
		c.now = c.now.Add(4 * time.Hour)
		post := webhook(alertmanager.Firing, c.firing("a"))
		post.Group.Unlisted = 1
		c.receive(post)
		c.review()
	}
	if firing, _ := states(c.only()); firing != 2 {
		t.Errorf("%d fire", firing)
	}
}

// A reload of Alertmanager gives the groups other keys. What the webhooks of the new ones do not list may be behind their cut, until none is cut for
// the interval of repetition.
func TestATruncatedGroupOfAnotherKeyIsNoSilence(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.Alertmanager.RepeatIntervalSeconds = 14700
	c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
	post := func(truncated int) {
		c.now = c.now.Add(4 * time.Hour)
		after := routed("{}/{}", alertmanager.Firing, c.firing("a"))
		after.Group.Unlisted = truncated
		c.receive(after)
		c.review()
	}
	for range 6 {
		post(1)
	}
	if firing, _ := states(c.only()); firing != 2 {
		t.Errorf("%d fire: one may be behind the cut", firing)
	}
	for range 3 {
		post(0)
	}
	if firing, _ := states(c.only()); firing != 1 {
		t.Errorf("%d fire: nothing is cut any more", firing)
	}
}

// What was muted before an upgrade has no record of the webhook that listed it. It ends as what is not listed any more.
func TestAMutedAlertOfAFormerRelease(t *testing.T) {
	c := newCluster(t)
	c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
	c.edit(func(s *v1beta1.AlertSpec) {
		for n := range s.Instances {
			s.Instances[n].Severity, s.Instances[n].Poster, s.Instances[n].ListedTime = "", "", nil
		}
	})
	c.servedSince = t0
	wantChanges(t, c.review()) // at rest
	for range 48 {
		c.now = c.now.Add(4 * time.Hour)
		c.receive(webhook(alertmanager.Firing, c.firing("a")))
		c.review()
	}
	if firing, _ := states(c.only()); firing != 1 {
		t.Errorf("%d fire", firing)
	}
}

// A mark by a clock that was ahead is made again.
func TestAMarkInTheFuture(t *testing.T) {
	c := newCluster(t)
	c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
	c.now = t0.Add(100 * time.Hour)
	c.receive(webhook(alertmanager.Firing, c.firing("a")))
	c.now = t0.Add(time.Hour)
	wantChanges(t, c.receive(webhook(alertmanager.Firing, c.firing("a"))), Records)
	c.now = c.now.Add(15 * time.Minute)
	wantChanges(t, c.review(), Edits)
}

// The instances of a former release have no severity and no poster. An upgrade sends no message and resolves nothing.
func TestAnUpgradeWithFiringGroups(t *testing.T) {
	for name, post := range map[string]func(*cluster) alertmanager.Post{
		"Alertmanager": func(c *cluster) alertmanager.Post {
			return webhook(alertmanager.Firing, c.firing("a", "severity=critical"), c.firing("b"))
		},
		"Prometheus": func(c *cluster) alertmanager.Post {
			return alertmanager.Post{Alerts: []alertmanager.Alert{c.fire("Down", "a", t0, "severity=critical"), c.fire("Down", "b", t0)}}
		},
	} {
		c := newCluster(t)
		c.receive(post(c))
		c.edit(func(s *v1beta1.AlertSpec) {
			for n := range s.Instances {
				i := &s.Instances[n]
				i.Severity, i.Poster, i.ListedTime, i.LapseSeconds = "", "", nil, 0
			}
		})
		c.servedSince = c.now
		for range 24 * 60 {
			c.now = c.now.Add(time.Minute)
			wantChanges(t, c.review())
			if changes := c.receive(post(c)); len(changes) > 0 && changes[0] != Records {
				t.Fatalf("%s: changes are %v", name, changes)
			}
		}
		if got := c.only().Spec; got.State != v1beta1.AlertFiring || got.Severity != v1beta1.SeverityCritical || got.Instances[0].Severity == "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// Two routes into one receiver post the same alert in turn, each whole. The recorded poster is that of the last one. No message follows from that, and
// what neither lists ends.
func TestTwoRoutesThatPostTheSameAlert(t *testing.T) {
	c := newCluster(t)
	c.receive(routed("{}", alertmanager.Firing, c.firing("a")))
	c.receive(routed("{}/{}", alertmanager.Firing, c.firing("a")))
	for n := range 24 { // each group is posted at most once in group_interval
		c.now = c.now.Add(150 * time.Second)
		wantChanges(t, c.receive(routed([]string{"{}", "{}/{}"}[n%2], alertmanager.Firing, c.firing("a"))), Records)
		wantChanges(t, c.review())
	}
	c.now = c.now.Add(time.Hour)
	c.receive(routed("{}", alertmanager.Firing, c.firing("b")))
	c.receive(routed("{}/{}", alertmanager.Firing, c.firing("b")))
	c.now = c.now.Add(16 * time.Minute)
	c.review()
	if firing, _ := states(c.only()); firing != 1 {
		t.Errorf("%d fire: neither route lists it", firing)
	}
}

// Nothing is silent any more by a longer interval of repetition, and what was marked by the former one does not end.
func TestARepeatIntervalThatRises(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.Alertmanager.RepeatIntervalSeconds = 3600
	c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
	c.now = t0.Add(3 * time.Hour)
	c.receive(routed("{}/other", alertmanager.Firing, c.firing("c"))) // nothing lists a and b any more
	c.review()
	c.source.Spec.Alertmanager.RepeatIntervalSeconds = 432000
	c.now = c.now.Add(16 * time.Minute)
	c.review()
	if firing, _ := states(c.only()); firing != 3 {
		t.Errorf("%d fire: by the new interval all may", firing)
	}
}

// A repeat interval that falls makes no silence of the mark of a group: that mark needs no later post.
func TestARepeatIntervalThatFalls(t *testing.T) {
	c := newCluster(t)
	c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
	c.now = t0.Add(3 * time.Hour)
	c.receive(webhook(alertmanager.Firing, c.firing("a")))
	c.source.Spec.Alertmanager.RepeatIntervalSeconds = 300
	c.now = c.now.Add(16 * time.Minute)
	c.review()
	if firing, _ := states(c.only()); firing != 1 {
		t.Errorf("%d fire: the group misses one of two", firing)
	}
}

// A sender of the API at the source of a webhook is another sender, which is not to be: its posts show that the source is there. They end nothing
// of the webhook within the interval of repetition.
func TestPostsToTheAPIBesideAWebhook(t *testing.T) {
	c := newCluster(t)
	c.receive(webhook(alertmanager.Firing, c.firing("a")))
	for range 119 {
		c.now = c.now.Add(time.Hour)
		c.post(c.fire("Other", "x", t0))
		c.review()
	}
	down := c.alerts[nameOf(c.source, "webhook", "bellhop", map[string]string{"alertname": "Down"})]
	if firing, _ := states(down); firing != 1 || down.Spec.Instances[0].UnlistedTime != nil {
		t.Errorf("got %+v", down.Spec.Instances)
	}
}

// A severity that falls in a group that is full: what has no place is posted again, and what ended made room.
func TestAFallInAFullGroup(t *testing.T) {
	c := newCluster(t)
	var alerts []alertmanager.Alert
	for n := range maxInstances + 10 {
		severity := "severity=warning"
		if n == 0 {
			severity = "severity=critical"
		}
		alerts = append(alerts, c.fire("Down", fmt.Sprintf("pod-%03d", n), t0, severity))
	}
	c.post(alerts...)
	c.now = c.now.Add(6 * time.Minute)
	for n := range alerts {
		alerts[n].EndsAt = c.now.Add(4 * time.Minute)
	}
	alerts[0].EndsAt = c.now
	c.post(alerts...)
	c.review()
	if got := c.only().Spec; got.Severity != v1beta1.SeverityWarning || count(got.Instances, isFiring) != maxInstances {
		t.Errorf("%s, %d fire", got.Severity, count(got.Instances, isFiring))
	}
	alerts[1].Labels["severity"] = "critical" // another alert, by its labels
	alerts[1].StartsAt = c.now
	c.post(alerts[1:]...)
	if got := c.only().Spec; got.Severity != v1beta1.SeverityCritical || count(got.Instances, isFiring) != maxInstances {
		t.Errorf("%s, %d fire", got.Severity, count(got.Instances, isFiring))
	}
}

// slow is a webhook about the group Slow of one Alertmanager of a pair, by a route that its key names.
func slow(externalURL, route string, state alertmanager.State, a alertmanager.Alert) alertmanager.Post {
	post := routed(route, state, inState(a, state))
	post.Group.Key = route + `:{alertname="Slow"}`
	post.Group.ExternalURL, post.Group.Labels = externalURL, map[string]string{"alertname": "Slow"}
	return post
}

// F-P43: a post ends what it names as resolved, whoever posted it before: also beyond maxAlerts, where the other one of a pair, or a route of
// another key after a reload, says the end. It is said once.
func TestAnEndByAnotherPosterBeyondMaxAlerts(t *testing.T) {
	for name, end := range map[string]struct{ externalURL, route string }{
		"the same poster":         {"https://am-0", "{}"},
		"the other one of a pair": {"https://am-1", "{}"},
		"a route of another key":  {"https://am-0", "{}/{team}"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.source.Spec.MaxAlerts = 1
			c.receive(webhook(alertmanager.Firing, c.firing("a")))
			beyond := c.fire("Slow", "b", t0)
			c.receive(slow("https://am-0", "{}", alertmanager.Firing, beyond))
			if firing, _ := states(c.alerts["prom-more"]); firing != 1 {
				t.Fatalf("%d fire beyond maxAlerts", firing)
			}
			c.now = c.now.Add(10 * time.Minute)
			c.receive(slow(end.externalURL, end.route, alertmanager.Resolved, ended(beyond, c.now)))
			if more := c.alerts["prom-more"]; more.Spec.State != v1beta1.AlertResolved {
				t.Errorf("after its end the Alert is %s", more.Spec.State)
			}
		})
	}
}

// The alert of another poster gets an Alert of its own, beside the one beyond maxAlerts: the end ends both.
func TestAnEndOfWhatFiresInTwoAlerts(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.MaxAlerts = 1
	c.receive(webhook(alertmanager.Firing, c.firing("a")))
	beyond := c.fire("Slow", "b", t0)
	c.receive(slow("https://am-0", "{}", alertmanager.Firing, beyond))
	c.source.Spec.MaxAlerts = 2
	c.now = c.now.Add(4 * time.Hour)
	c.receive(slow("https://am-1", "{}", alertmanager.Firing, beyond))
	c.now = c.now.Add(10 * time.Minute)
	c.receive(slow("https://am-1", "{}", alertmanager.Resolved, ended(beyond, c.now)))
	if firing, _ := states(c.alerts["prom-more"]); firing != 0 {
		t.Errorf("after its end %d fire beyond maxAlerts", firing)
	}
}

// F-P45: a webhook that Alertmanager has cut may have what was marked as not listed before, also where it is the post that would end it.
func TestACutWebhookAfterAMark(t *testing.T) {
	for name, route := range map[string]string{"of its own group": "{}", "of another key": "{}/{}"} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.source.Spec.Alertmanager.RepeatIntervalSeconds = 14700
			c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
			c.now = t0.Add(6 * time.Hour) // the group was muted meanwhile
			c.receive(routed("{}/other", alertmanager.Firing, c.firing("c")))
			c.review() // a and b are marked
			c.now = c.now.Add(30 * time.Minute)
			cut := routed(route, alertmanager.Firing, c.firing("a"))
			cut.Group.Unlisted = 1
			c.receive(cut)
			c.review()
			if firing, _ := states(c.only()); firing != 3 {
				t.Errorf("%d fire: b may be behind the cut of this post", firing)
			}
		})
	}
}

// The mark of a silence goes where the repeat interval was raised since, also if the next review is that of a post.
func TestARepeatIntervalThatRisesBeforeAPost(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.Alertmanager.RepeatIntervalSeconds = 3600
	c.receive(webhook(alertmanager.Firing, c.firing("a"), c.firing("b")))
	c.now = t0.Add(3 * time.Hour)
	c.receive(routed("{}/other", alertmanager.Firing, c.firing("c")))
	c.review()
	c.source.Spec.Alertmanager.RepeatIntervalSeconds = 432000
	c.now = c.now.Add(30 * time.Minute)
	c.receive(routed("{}/other", alertmanager.Firing, c.firing("c")))
	c.review()
	if firing, _ := states(c.only()); firing != 3 {
		t.Errorf("%d fire: by the new interval all may", firing)
	}
}

// A former end that another sender repeats says nothing about an alert that has begun to fire since: also beyond maxAlerts.
func TestAFormerEndBeyondMaxAlerts(t *testing.T) {
	for name, maxAlerts := range map[string]int32{"in an Alert of its own": 2, "beyond maxAlerts": 1} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.source.Spec.MaxAlerts = maxAlerts
			c.post(c.fire("Down", "a", t0))
			c.post(c.fire("Slow", "b", t0))
			c.now = t0.Add(10 * time.Minute)
			former := ended(c.fire("Slow", "b", t0), c.now)
			c.post(former)
			c.now = t0.Add(20 * time.Minute)
			again := c.fire("Slow", "b", t0.Add(19*time.Minute))
			c.post(c.fire("Down", "a", t0), again)
			before := c.notifications()
			for range 10 {
				c.now = c.now.Add(20 * time.Second)
				c.post(former)
				if n := c.firingOf(again); n != 1 {
					t.Fatalf("%d of the alert fire after a former end", n)
				}
				c.post(c.fire("Down", "a", t0), again)
			}
			if n := c.notifications() - before; n != 0 {
				t.Errorf("%d notifications", n)
			}
		})
	}
	t.Run("by a webhook", func(t *testing.T) {
		c := newCluster(t)
		c.source.Spec.MaxAlerts = 1
		c.receive(webhook(alertmanager.Firing, c.firing("a")))
		c.now = t0.Add(time.Hour)
		again := c.fire("Slow", "b", c.now.Add(-time.Minute))
		c.receive(slow("https://am-0", "{}", alertmanager.Firing, again))
		c.now = c.now.Add(time.Minute)
		c.receive(slow("https://am-0", "{}", alertmanager.Resolved, ended(c.fire("Slow", "b", t0), t0.Add(10*time.Minute))))
		if n := c.firingOf(again); n != 1 {
			t.Errorf("%d fire", n)
		}
	})
}

// firingOf returns how many instances of an alert fire.
func (c *cluster) firingOf(alert alertmanager.Alert) (n int) {
	for _, a := range c.alerts {
		for _, i := range a.Spec.Instances {
			if i.Key == keyOf(alert.Labels) && isFiring(i) {
				n++
			}
		}
	}
	return n
}
