// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

const (
	// graceAfterCreation is how young an Alert is that gets one attempt although it is being deleted: kubectl apply and kubectl delete
	// in one script.
	graceAfterCreation = time.Minute
	// RestoreLabel is set by Velero on objects that it restores from a backup.
	RestoreLabel = "velero.io/restore-name"
	// deletionPolicyAnnotation, set to Retain, releases an object without telling its receivers that the alert is over.
	deletionPolicyAnnotation = "bellhop.gophernetes.io/deletion-policy"
	retain                   = "Retain"
)

func isRestored(o metav1.Object) bool {
	_, ok := o.GetLabels()[RestoreLabel]
	return ok
}

// RetainsExternal reports whether the deletion of an object leaves its messages at receivers unresolved.
func RetainsExternal(o metav1.Object) bool {
	return o.GetAnnotations()[deletionPolicyAnnotation] == retain
}

// IsOver reports whether the receivers have to hear that the Alert is over.
func IsOver(a *v1beta1.Alert) bool {
	return a.Spec.State == v1beta1.AlertResolved || !a.DeletionTimestamp.IsZero()
}

// isEdited reports whether the spec has changed since the Alert was created; a deletion raises the generation as well.
func isEdited(a *v1beta1.Alert) bool {
	created := int64(1)
	if !a.DeletionTimestamp.IsZero() {
		created++
	}
	return a.Generation > created
}

// hasInitialStatus reports whether the Alert has the status that it was created with. The default of observedGeneration is -1. The initial status
// proves nothing: the first message is sent without a record.
func hasInitialStatus(a *v1beta1.Alert) bool { return a.Status.ObservedGeneration == -1 }

// severities are all severities, in ascending order.
var severities = []v1beta1.Severity{v1beta1.SeverityInfo, v1beta1.SeverityWarning, v1beta1.SeverityCritical}

// Rank orders severities; an empty severity ranks as Info.
func Rank(s v1beta1.Severity) int {
	return slices.Index(severities, cmp.Or(s, v1beta1.SeverityInfo))
}

// expiry is when the present occurrence of the Alert expires; zero: never.
func expiry(a *v1beta1.Alert, in Inputs) time.Time {
	if a.Spec.ExpireAfterSeconds == nil {
		return time.Time{}
	}
	return firingSince(a, in).Add(time.Duration(*a.Spec.ExpireAfterSeconds) * time.Second)
}

// expired reports whether the Alert has expired.
func expired(a *v1beta1.Alert, in Inputs) bool {
	at := expiry(a, in)
	return !at.IsZero() && in.hasPassed(at)
}

// purgeTime is when the Alert deletes itself; zero: never, or not known yet.
func purgeTime(a *v1beta1.Alert) time.Time {
	if a.Spec.TTLSecondsAfterFinished == nil || a.Status.FinishedTime == nil || TrackedBy(a) != "" {
		return time.Time{}
	}
	return a.Status.FinishedTime.Add(time.Duration(*a.Spec.TTLSecondsAfterFinished) * time.Second)
}
