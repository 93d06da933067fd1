// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/gophernetes/bellhop/internal/kube/leadership"
)

// reasonBlocked is the reason of the Event about a process that does not lead because another installation does.
const reasonBlocked = "OtherInstallationLeads"

// exclusiveLock is a lease that is not held while another installation that serves some of the same kinds holds its own: an installation serves both
// API groups, or one of them. It reads the leases of the others whenever client-go reads, acquires or renews its own.
//
// While another lease is live, Get returns the record of that one, so that client-go waits as it does for another replica. Two processes may acquire
// their leases at the same time, each before it can see the other's: so each looks again once it has its own, and releases it if the other is
// there. While its own lease is valid, a leader does not give way to a lease that it has not seen renewed: the other process releases that one. A
// leader that was paused until its own lease ended does, and ends where it reads that another process may have led meanwhile.
type exclusiveLock struct {
	resourcelock.Interface

	others []*watchedLease
	clock  clock.PassiveClock
	// stop ends a process that leads although another one does, which may be of a release that does not look at this lease, or has since.
	stop      context.CancelCauseFunc
	isLeading bool
	// ended is why this process does not lead any more; nil: it may. client-go asks for the lease again until the controllers have stopped.
	ended error
	// lasting is until when no other process leads by the own lease.
	lasting *leadership.Lease

	// lease is the one that the Events regard.
	lease   *coordinationv1.Lease
	events  record.EventRecorder
	logger  logr.Logger
	blocked *prometheus.GaugeVec
}

// forgottenAfter is for how long a lease was not renewed that does not block a process which sees it for the first time: its holder has ended without
// releasing it, as where its role was deleted before it. The clocks of two machines differ by less.
const forgottenAfter = 10 * time.Minute

// watchedLease is the lease of another installation, and its last content and change that this process has seen.
type watchedLease struct {
	resourcelock.Interface

	name      string
	record    resourcelock.LeaderElectionRecord
	raw       string
	changedAt time.Time
	// isRenewed: its holder was seen to renew it. Until then it may be of a process that has ended, or one that has acquired it at the same time as
	// this one, and releases it.
	isRenewed  bool
	isReported bool
	isDenied   bool
}

// isLive reports whether the lease is held, and was renewed within its duration. Like client-go, it counts from when this process saw the last change:
// the clocks of two machines differ.
func (w *watchedLease) isLive(now time.Time) bool {
	return w.record.HolderIdentity != "" && now.Before(w.changedAt.Add(time.Duration(w.record.LeaseDurationSeconds)*time.Second))
}

// see remembers when the lease was changed, and reports whether it was.
func (w *watchedLease) see(record resourcelock.LeaderElectionRecord, raw string, now time.Time) (hasChanged bool) {
	if raw == w.raw {
		return false
	}
	isFirst := w.raw == ""
	w.isRenewed = !isFirst && record.HolderIdentity == w.record.HolderIdentity
	w.record, w.raw, w.changedAt = record, raw, now
	if isFirst && now.Sub(record.RenewTime.Time) > forgottenAfter {
		w.changedAt = time.Time{}
	}
	return true
}

// newBlockedMetric returns the metric of leases that keep this process from leading.
func newBlockedMetric() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bellhop_leader_election_blocked",
		Help: "1 while this process does not lead because another installation that serves the same kinds does, by the lease of that one.",
	}, []string{"lease"})
}

// Get returns the record of another installation that leads, else the record of the own lease.
func (l *exclusiveLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if l.ended != nil {
		return nil, nil, l.ended
	}
	own, raw, err := l.Interface.Get(ctx)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, nil, err
	}
	if err == nil && l.isLeading && own.HolderIdentity != l.Identity() { // client-go would go on leading if the other one has released it
		return nil, nil, l.end(fmt.Errorf("the lease is held by %q: another process has led, or may, and what this one remembers may be obsolete", own.HolderIdentity))
	}
	other, otherErr := l.findLive(ctx)
	if otherErr != nil {
		return nil, nil, otherErr
	}
	if other != nil && l.yieldsTo(other) {
		if l.isLeading { // client-go would wait for the end of its deadline, while the controllers run
			_ = l.giveWay(other)
		}
		return new(other.record), []byte(other.raw), nil
	}
	return own, raw, err
}

// yieldsTo reports whether this process does not lead beside a live lease.
func (l *exclusiveLock) yieldsTo(other *watchedLease) bool {
	return !l.isLeading || other.isRenewed || l.mayHaveBeenReplaced()
}

// giveWay ends a process that leads beside another installation.
func (l *exclusiveLock) giveWay(other *watchedLease) error {
	return l.end(fmt.Errorf("the lease %s is held by %s, which serves the same kinds: scale one of the two Deployments to 0", other.name, other.record.HolderIdentity))
}

// mayHaveBeenReplaced reports whether another process may have led since this one last renewed its lease.
func (l *exclusiveLock) mayHaveBeenReplaced() bool { return l.isLeading && l.lasting.Err() != nil }

// end ends the process with an error. It does not acquire or renew its lease any more: what it remembers may be obsolete.
func (l *exclusiveLock) end(err error) error {
	l.ended = err
	l.lasting.End()
	l.stop(err)
	return err
}

// lead records that the lease was acquired or renewed.
func (l *exclusiveLock) lead(held resourcelock.LeaderElectionRecord) {
	l.isLeading = true
	l.lasting.Renew(held.RenewTime.Time, time.Duration(held.LeaseDurationSeconds)*time.Second)
}

// Create acquires the lease, which does not exist.
func (l *exclusiveLock) Create(ctx context.Context, next resourcelock.LeaderElectionRecord) error {
	if l.ended != nil {
		return l.ended
	}
	if l.mayHaveBeenReplaced() {
		return l.end(errors.New("the lease was deleted after it had ended: another process may have led, and what this one remembers may be obsolete"))
	}
	if err := l.Interface.Create(ctx, next); err != nil {
		return err
	}
	return l.keepIfAlone(ctx, next)
}

// Update acquires, renews or releases the lease.
func (l *exclusiveLock) Update(ctx context.Context, next resourcelock.LeaderElectionRecord) error {
	if next.HolderIdentity == "" {
		l.isLeading = false
		l.lasting.End()
		return l.Interface.Update(ctx, next)
	}
	if l.ended != nil {
		return l.ended
	}
	if l.isLeading {
		other, err := l.findLive(ctx)
		if err != nil {
			return err
		}
		if other != nil && l.yieldsTo(other) {
			return l.giveWay(other)
		}
	}
	if err := l.Interface.Update(ctx, next); err != nil {
		return err
	}
	if l.isLeading {
		l.lead(next)
		return nil
	}
	return l.keepIfAlone(ctx, next)
}

// keepIfAlone releases a lease that has just been acquired if another installation has acquired its own meanwhile.
func (l *exclusiveLock) keepIfAlone(ctx context.Context, acquired resourcelock.LeaderElectionRecord) error {
	other, err := l.findLive(ctx)
	if err == nil && other == nil {
		l.lead(acquired)
		return nil
	}
	acquired.HolderIdentity, acquired.LeaseDurationSeconds = "", 1
	released := l.Interface.Update(ctx, acquired)
	if err == nil {
		err = fmt.Errorf("%s holds the lease %s", other.record.HolderIdentity, other.name)
	}
	return errors.Join(err, released)
}

// findLive reads the other leases, reports their changes, and returns one that is live, preferably one that was seen renewed; nil: no other lease is
// live.
func (l *exclusiveLock) findLive(ctx context.Context) (live *watchedLease, err error) {
	for _, other := range l.others {
		record, raw, err := other.Get(ctx)
		switch {
		case apierrors.IsNotFound(err):
			record, raw = &resourcelock.LeaderElectionRecord{}, nil
		case apierrors.IsForbidden(err): // the roles of a former release have no right to it, and its installation has no such lease
			record, raw = &resourcelock.LeaderElectionRecord{}, nil
			if !other.isDenied {
				other.isDenied = true
				l.logger.Error(err, "The lease of another form of installation cannot be read, and is taken for free", "otherLease", other.name)
			}
		case err != nil:
			return nil, fmt.Errorf("reading the lease %s: %w", other.name, err)
		}
		if hasChanged := other.see(*record, string(raw), l.clock.Now()); hasChanged && l.mayHaveBeenReplaced() {
			return nil, l.end(fmt.Errorf("the lease %s was acquired or renewed after that of this process had ended: what this one remembers may be obsolete", other.name))
		}
		isLive := other.isLive(l.clock.Now())
		isBlocking := isLive && (other.isRenewed || other.isReported) // reported: by its former holder
		if isBlocking != other.isReported {
			other.isReported = isBlocking
			l.report(other)
		}
		if isLive && (live == nil || other.isRenewed) {
			live = other
		}
	}
	return live, nil
}

// report says that another installation has begun or ended to keep this process from leading.
func (l *exclusiveLock) report(other *watchedLease) {
	if !other.isReported {
		l.blocked.DeleteLabelValues(other.name)
		l.logger.Info("The other installation does not lead any more", "otherLease", other.name)
		return
	}
	l.blocked.WithLabelValues(other.name).Set(1)
	l.logger.Info("Not leading: another installation serves the same kinds, scale its Deployment to 0", "otherLease", other.name, "holder", other.record.HolderIdentity)
	l.events.Eventf(l.lease, corev1.EventTypeWarning, reasonBlocked,
		"%s does not lead: %s holds the lease %s and serves the same kinds. Scale its Deployment to 0.", l.Identity(), other.record.HolderIdentity, other.name)
}
