// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// computeApplication computes the result for an Application of Argo CD: that Argo CD may sync it, and the health that it has computed of its
// objects.
func computeApplication(o *unstructured.Unstructured, _ Evidence) Result {
	status := statusOf(o)
	for _, c := range status.conditions() { // they have no status: each that exists holds
		if strings.HasSuffix(c.kind, "Error") {
			return Result{State: Failing, Since: c.since, Reason: c.kind, Message: c.message}
		}
	}
	operation, health := status.object("operationState"), status.object("health")
	phase, message := operation.text("phase"), health.text("message")
	since := health.time("lastTransitionTime")
	if (phase == "Failed" || phase == "Error") && !isSuperseded(status) {
		return Result{State: Failing, Since: operation.time("finishedAt"), Reason: "Sync" + phase, Message: operation.text("message")}
	}
	switch reported := health.text("status"); reported {
	case "Degraded", "Missing", "Unknown":
		return Result{State: Failing, Since: since, Reason: reported, Message: message}
	case "Healthy":
		if phase == "Running" || phase == "Terminating" {
			return Result{State: Progressing, Since: operation.time("startedAt"), Reason: "Sync" + phase, Message: operation.text("message")}
		}
		return Result{State: Healthy, Reason: reported}
	case "Suspended":
		return suspended
	case "":
		return notReported
	default:
		return Result{State: Progressing, Since: since, Reason: reported, Message: message}
	}
}

// isSuperseded reports whether an Application is in sync with other revisions than its last operation had: the revision that failed has been
// reverted, and nothing was left to do.
func isSuperseded(application fields) bool {
	sync := application.object("sync")
	operated, synced := revisionsOf(application.object("operationState").object("syncResult")), revisionsOf(sync)
	return sync.text("status") == "Synced" && len(operated) > 0 && len(synced) > 0 && !slices.Equal(operated, synced)
}

// revisionsOf returns the revision of the source of an Application, or the revisions of several sources.
func revisionsOf(part fields) []string {
	if revision := part.text("revision"); revision != "" {
		return []string{revision}
	}
	list, _ := part["revisions"].([]any)
	var revisions []string
	for _, element := range list {
		revision, _ := element.(string)
		revisions = append(revisions, revision)
	}
	return revisions
}

// computeApplicationSet computes the result for an ApplicationSet of Argo CD.
func computeApplicationSet(o *unstructured.Unstructured, _ Evidence) Result {
	found := statusOf(o).conditions()
	failed, updated := found.findAs("ErrorOccurred", statusTrue), found.findAs("ResourcesUpToDate", statusTrue)
	switch {
	case failed != nil:
		return withState(Failing, failed)
	case updated != nil:
		return withState(Healthy, updated)
	}
	return Result{State: Progressing, Reason: "ResourcesNotUpToDate"}
}

// computeACME computes the result for an Order or a Challenge of cert-manager.
func computeACME(o *unstructured.Unstructured, _ Evidence) Result {
	status := statusOf(o)
	state, since := status.text("state"), status.time("failureTime")
	if since.IsZero() { // a Challenge has none
		since = o.GetCreationTimestamp().Time
	}
	switch state {
	case "valid":
		return Result{State: Healthy, Reason: state}
	case "invalid", "expired", "errored":
		return Result{State: Failing, Since: since, Reason: state, Message: status.text("reason")}
	}
	return Result{State: Progressing, Since: o.GetCreationTimestamp().Time, Reason: state, Message: status.text("reason")}
}

// computeRollout computes the result for a Rollout of Argo Rollouts by its phase. A rollout that is complete or pauses is not looked at by its
// controller: it fails if fewer Pods are available than a Deployment allows by default. The condition Progressing has no time of use: it keeps that
// of an earlier rollout.
func computeRollout(o *unstructured.Unstructured, _ Evidence) Result {
	status := statusOf(o)
	phase, message, found := status.text("phase"), status.text("message"), status.conditions()
	isSteady := phase == "Paused" || found.findAs("Completed", statusTrue) != nil
	unavailable := found.findAs("Available", statusFalse)
	switch {
	case phase == "Degraded":
		for _, sign := range []Sign{{"InvalidSpec", statusTrue}, {"Progressing", statusFalse}} {
			if c := found.findAs(sign.Condition, sign.Status); c != nil {
				return withState(Failing, c)
			}
		}
		return Result{State: Failing, Reason: phase, Message: message}
	case isSteady && unavailable != nil && lacksAQuarter(o):
		return Result{State: Failing, Since: unavailable.since, Reason: "PodsNotAvailable", Message: unavailable.message}
	case phase == "Paused" && strings.HasPrefix(message, "Inconclusive"):
		return Result{State: Failing, Reason: message, Message: "the analysis is inconclusive: a person has to promote or to abort the rollout"}
	case phase == "Paused", phase == "Healthy":
		return Result{State: Healthy, Reason: phase, Message: message}
	case phase == "":
		return Result{State: Unknown, Reason: "NoPhase", Message: "its controller has not reported a phase"}
	}
	return Result{State: Progressing, Reason: phase, Message: message}
}

// lacksAQuarter reports whether more than a quarter of the replicas of an object are not available.
func lacksAQuarter(o *unstructured.Unstructured) bool {
	want := int64(1)
	if spec := fields(o.Object).object("spec"); spec["replicas"] != nil {
		want = spec.number("replicas")
	}
	return 4*statusOf(o).number("availableReplicas") < 3*want
}

// phasesOfPostgres has the phases of a Cluster of CloudNativePG that are no failure; its controller has others for failures.
var phasesOfPostgres = map[string]State{
	"Cluster in healthy state": Healthy,
	"Waiting for user action":  Healthy, // a supervised switchover
	"Cluster upgrade delayed":  Healthy, // the operator has a time for it

	"NoPhase":                                                  Progressing,
	"Setting up primary":                                       Progressing,
	"Creating a new replica":                                   Progressing,
	"Switchover in progress":                                   Progressing,
	"Upgrading cluster":                                        Progressing,
	"Upgrading Postgres major version":                         Progressing,
	"Online upgrade in progress":                               Progressing,
	"Applying configuration":                                   Progressing,
	"Promoting to primary cluster":                             Progressing,
	"Primary instance is being restarted in-place":             Progressing,
	"Primary instance is being restarted without a switchover": Progressing,
}

// computePostgres computes the result for a Cluster of CloudNativePG by its phase, and by the archive of its log, without which it fills its disk.
func computePostgres(o *unstructured.Unstructured, _ Evidence) Result {
	status := statusOf(o)
	found, phase := status.conditions(), cmp.Or(status.text("phase"), "NoPhase")
	if hibernated := found.findAs("cnpg.io/hibernation", statusTrue); hibernated != nil {
		return withState(halted, hibernated)
	}
	result := Result{State: Failing, Reason: phase, Message: status.text("phaseReason")}
	if state, ok := phasesOfPostgres[phase]; ok {
		result.State = state
	}
	if archiving := found.findAs("ContinuousArchiving", statusFalse); archiving != nil && result.State == Healthy {
		return withState(Failing, archiving)
	}
	if ready := found.findAs(conditionReady, statusFalse); ready != nil && result.State == Progressing {
		result.Since = ready.since
	}
	return result
}

// alsoCertificate: a Certificate of cert-manager stays ready while its renewal hangs, also after it has expired. It fails once half of the time for
// the renewal has passed.
func alsoCertificate(o *unstructured.Unstructured, e Evidence, result Result) Result {
	status := statusOf(o)
	renewal, expiry := status.time("renewalTime"), status.time("notAfter")
	if expiry.IsZero() || result.State == Failing {
		return result
	}
	late := expiry
	if !renewal.IsZero() && renewal.Before(expiry) {
		late = renewal.Add(expiry.Sub(renewal) / 2)
	}
	switch {
	case !e.Now.Before(late):
		return Result{State: Failing, Since: late, Reason: "RenewalOverdue", Message: "it is not renewed, and expires at " + expiry.UTC().Format(time.RFC3339)}
	case result.State == Healthy:
		result.Again = late
	}
	return result
}

// maxRefreshDelay is for how long External Secrets delays a retry at most.
const maxRefreshDelay = 15 * time.Minute

// alsoExternalSecret: an ExternalSecret stays ready while nothing refreshes it. It fails once two refreshes are overdue.
func alsoExternalSecret(o *unstructured.Unstructured, e Evidence, result Result) Result {
	spec, refreshed := fields(o.Object).object("spec"), statusOf(o).time("refreshTime")
	interval, err := time.ParseDuration(spec.text("refreshInterval"))
	isPeriodic := spec.text("refreshPolicy") == "" || spec.text("refreshPolicy") == "Periodic"
	if result.State != Healthy || err != nil || interval <= 0 || !isPeriodic || refreshed.IsZero() {
		return result
	}
	if result.Again = refreshed.Add(2*interval + maxRefreshDelay); e.Now.Before(result.Again) {
		return result
	}
	return Result{State: Failing, Since: result.Again, Reason: "RefreshOverdue", Message: "it was refreshed last at " + refreshed.UTC().Format(time.RFC3339)}
}

// alsoKustomization: each retry of a Kustomization of Flux sets Ready to Unknown. Its history says how the last attempt ended.
func alsoKustomization(o *unstructured.Unstructured, _ Evidence, result Result) Result {
	result.IsRenewed = true
	attempts := statusOf(o).objects("history") // the last one first
	if result.State != Progressing || len(attempts) == 0 {
		return result
	}
	if ended := attempts[0].text("lastReconciledStatus"); ended != "" && ended != "ReconciliationSucceeded" {
		return Result{State: Failing, Reason: ended, Message: "the last attempt failed, and another one is in progress: " + result.Message}
	}
	return result
}
