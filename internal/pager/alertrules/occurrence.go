// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

// occurrence is one of the times that an Alert fires.
type occurrence struct {
	number int64
	since  time.Time // zero: the Alert does not fire
}

// present returns the present occurrence of an Alert: the recorded one, the first one, which begins with the Alert, or another one, which
// begins with the plan.
func (in Inputs) present(a *v1beta1.Alert) occurrence {
	recorded, since := a.Status.Occurrence, a.Status.FiringSince
	isHeard := slices.ContainsFunc(a.Status.Deliveries, IsConsidered)
	switch {
	case IsOver(a) && recorded == 0 && isHeard: // of a former release, which did not count
		return occurrence{number: 1}
	case IsOver(a):
		return occurrence{number: recorded}
	case since != nil && !in.isWrong(since.Time):
		return occurrence{recorded, since.Time}
	case since != nil: // the clock of the API server has been corrected
		return occurrence{recorded, in.finishedAt()}
	case recorded == 0 && !isRecordedAsOver(a, in.Refs):
		return occurrence{1, a.CreationTimestamp.Time}
	case recorded == 0 && isHeard:
		return occurrence{2, in.finishedAt()}
	}
	return occurrence{recorded + 1, in.finishedAt()}
}

// BeginsAgain reports whether an Alert fires again, which its status does not say yet. Then the default receiver is looked up anew.
func BeginsAgain(a *v1beta1.Alert) bool {
	return !IsOver(a) && a.Status.Occurrence > 0 && a.Status.FiringSince == nil
}

// isRecordedAsOver reports whether the status of an Alert whose occurrences are not recorded says that it is resolved: by its condition, or, while
// resolves are being sent, by the rows of its receivers.
func isRecordedAsOver(a *v1beta1.Alert, refs []v1beta1.ReceiverRef) bool {
	if ready := meta.FindStatusCondition(a.Status.Conditions, v1beta1.ConditionReady); ready != nil && ready.Reason == v1beta1.ReasonResolved {
		return true
	}
	return slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool {
		isOver := isResolved(row.LastAttemptedHash) && row.FilteredHash == "" && row.State != v1beta1.DeliveryExpired
		return isOver && slices.Contains(refs, RefOf(row))
	})
}

// setOccurrence records the present occurrence.
func (in Inputs) setOccurrence(a *v1beta1.Alert, status *v1beta1.AlertStatus) {
	now := in.present(a)
	status.Occurrence = now.number
	if !now.since.IsZero() {
		status.FiringSince = times.Timestamp(now.since)
	}
}

// firingSince is when the present occurrence began; for an Alert that does not fire, when it was created.
func firingSince(a *v1beta1.Alert, in Inputs) time.Time {
	if since := in.present(a).since; !since.IsZero() {
		return since
	}
	return a.CreationTimestamp.Time
}

// RecordedSince is when the present occurrence of an Alert began, as far as its status says.
func RecordedSince(a *v1beta1.Alert) metav1.Time {
	if a.Status.FiringSince != nil {
		return *a.Status.FiringSince
	}
	return a.CreationTimestamp
}
