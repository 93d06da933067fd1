// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// The parts of objects that are read, without those that Trimmed has as fields.
var (
	keptMetadata    = []string{"generation", "creationTimestamp", "deletionTimestamp", "labels", "annotations"}
	keptLabels      = []string{v1beta1.PageLabel}
	keptAnnotations = append([]string{selectedNode}, AskAnnotations...)
	keptSpec        = []string{
		"replicas", "paused", "suspend", "selector", "schedule", "timeZone", "startingDeadlineSeconds", "concurrencyPolicy", "volumeName", "storageClassName",
		"type", "refreshInterval", "refreshPolicy",
	}
	keptConditions = []string{"type", "status", "reason", "message", "lastTransitionTime", "observedGeneration"}
	keptOperation  = []string{"phase", "message", "startedAt", "finishedAt", "syncResult"}
	keptSync       = []string{"status", "revision", "revisions"}
	keptAttempt    = []string{"lastReconciledStatus"}
	keptContainer  = []string{"name", "restartCount", "lastState"}
	keptStatus     = []string{
		"observedGeneration", "conditions", "updatedReplicas", "availableReplicas", "readyReplicas", "numberReady", "desiredNumberScheduled",
		"active", "failed", "startTime", "lastScheduleTime", "lastSuccessfulTime", "phase", "message", "health", "operationState", "state", "reason",
		"failureTime", "notAfter", "renewalTime", "refreshTime", "history", "sync", "phaseReason", "loadBalancer", "currentHealthy", "desiredHealthy",
		"expectedPods", "containerStatuses",
	}
)

// maxKept bounds the values that are kept of an object, at all depths: each event decodes them again.
const maxKept = 10_000

// A Trimmed is an object in a cache, with only the fields that Compute, ParseAsk, PodSelector, and Alerts and Events about the object read. The rest
// of the object is JSON, which takes a fifth of the memory of the maps that it is decoded into.
type Trimmed struct {
	Kind string
	// CronJob is the name of the CronJob that controls the object, a Job; empty: none does.
	CronJob string

	namespace, name, resourceVersion string

	uid     types.UID
	created time.Time
	rest    string
}

// Created returns when the object was created. It decodes nothing: the first list of a process asks for it of each object.
func (t *Trimmed) Created() time.Time { return t.created }

// Trim returns the fields of an object that are read. It changes the object.
func Trim(o *unstructured.Unstructured) (*Trimmed, error) {
	t := &Trimmed{Kind: o.GetKind(), CronJob: cronJobOf(o), namespace: o.GetNamespace(), name: o.GetName(), resourceVersion: o.GetResourceVersion(), uid: o.GetUID()}
	t.created = o.GetCreationTimestamp().Time
	keep(o.Object, []string{"apiVersion", "kind", "metadata", "spec", "status"})
	hadStatus, specChanged := !statusOf(o).isEmpty(), specChangedAt(o)
	metadata, status := keepIn(o.Object, "metadata", keptMetadata), keepIn(o.Object, "status", keptStatus)
	if hadStatus && fields(status).isEmpty() {
		status[hasMore] = true
	}
	if hasEndedBeforeDeletion(o) {
		delete(metadata, "deletionTimestamp")
	}
	if o.GroupVersionKind().GroupKind() == cronJob && !specChanged.IsZero() { // of the other entries nothing is read
		metadata["managedFields"] = []any{map[string]any{"time": specChanged.Format(time.RFC3339), "fieldsV1": map[string]any{"f:spec": map[string]any{}}}}
	}
	keepIn(metadata, "labels", keptLabels)
	keepIn(metadata, "annotations", keptAnnotations)
	keepIn(o.Object, "spec", keptSpec)
	keepIn(keepIn(status, "operationState", keptOperation), "syncResult", keptSync)
	keepIn(status, "sync", keptSync)
	for list, kept := range map[string][]string{"history": keptAttempt, "containerStatuses": keptContainer, "conditions": keptConditions} {
		for _, element := range fields(status).objects(list) {
			keep(element, kept)
		}
	}
	if found, ok := status["conditions"].(map[string]any); ok {
		for kind := range found {
			keepIn(found, kind, keptConditions)
		}
	}
	left := maxKept
	bound(o.Object, &left)
	rest, err := json.Marshal(o.Object)
	t.rest = string(rest)
	return t, err
}

// cronJobOf returns the name of the CronJob that controls a Job; empty: none does.
func cronJobOf(o *unstructured.Unstructured) string {
	if owner := metav1.GetControllerOf(o); o.GetKind() == "Job" && owner != nil && owner.Kind == cronJob.Kind {
		return owner.Name
	}
	return ""
}

// hasEndedBeforeDeletion reports whether an object is a Job that had ended before it was deleted. It counts with its state then: a Job that its TTL
// deletes has a deletionTimestamp for as long as its Pods exist.
func hasEndedBeforeDeletion(o *unstructured.Unstructured) bool {
	deleted := o.GetDeletionTimestamp()
	if o.GetKind() != "Job" || deleted == nil {
		return false
	}
	job, err := decode[batchv1.Job](o)
	ended := endOf(&job)
	return err == nil && ended != nil && !ended.LastTransitionTime.After(deleted.Time)
}

// GetObjectMeta returns the fields by which a cache finds and compares objects.
func (t *Trimmed) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: t.namespace, Name: t.name, ResourceVersion: t.resourceVersion, UID: t.uid}
}

// Object returns the object without the fields that Trim has removed. The caller may change it.
func (t *Trimmed) Object() (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(t.rest)); err != nil {
		return nil, err
	}
	o.SetNamespace(t.namespace)
	o.SetName(t.name)
	o.SetResourceVersion(t.resourceVersion)
	o.SetUID(t.uid)
	return o, nil
}

// keepIn removes all but some fields from an object in a field, and returns that object; nil: the field is not an object.
func keepIn(parent map[string]any, field string, names []string) map[string]any {
	part, _ := parent[field].(map[string]any)
	keep(part, names)
	return part
}

// bound removes the values within a value, at all depths, that exceed the number left.
func bound(value any, left *int) any {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if *left--; *left < 0 {
				delete(value, name)
				continue
			}
			value[name] = bound(value[name], left)
		}
	case []any:
		for i := range value {
			if *left--; *left < 0 {
				return value[:i]
			}
			value[i] = bound(value[i], left)
		}
	}
	return value
}

func keep(part map[string]any, names []string) {
	maps.DeleteFunc(part, func(name string, _ any) bool { return !slices.Contains(names, name) })
}
