// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	apply "github.com/gophernetes/bellhop/client/applyconfiguration/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// fieldManager owns the fields of Alerts that follow from labels.
const fieldManager = "bellhop-page-by-label"

const (
	maxName    = 253
	maxTitle   = 256
	maxContent = 4096 // bytes
	maxSummary = 1024 // of these, bytes of text from the object's status
)

// alertName returns the name of the Alert about an object. An object that is created again has another.
func alertName(kind, name string, uid types.UID) string {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(uid)) // never fails
	suffix := fmt.Sprintf("-%08x", hash.Sum32())
	prefix := strings.ToLower(kind) + "-" + name
	if len(prefix) > maxName-len(suffix) {
		prefix = strings.TrimRight(prefix[:maxName-len(suffix)], "-.")
	}
	return prefix + suffix
}

// isRecorded reports whether an Alert says which object it is about, as each does since version 0.6. A resolved Alert stays as it is.
func isRecorded(alert *v1beta1.Alert) bool {
	return alert.Annotations[v1beta1.PagedObjectAnnotation] != "" || !isFiring(alert)
}

// firedFor returns when the failure began that an Alert has fired for; zero: it does not say.
func firedFor(alert *v1beta1.Alert) time.Time {
	if alert == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, alert.Annotations[v1beta1.FailingSinceAnnotation])
	if err != nil {
		return time.Time{}
	}
	return at
}

// alertKind returns the kind in the name of the Alert; the Jobs of a CronJob have another Alert than the CronJob.
func (req request) alertKind() string {
	if req.isJob() {
		return "Job"
	}
	return req.Kind
}

// isFiring reports whether an Alert exists and is not resolved. Of one that is being deleted nothing is decided.
func isFiring(alert *v1beta1.Alert) bool {
	return alert != nil && alert.Spec.State != v1beta1.AlertResolved
}

// ttlOfJobAlert is for how many seconds an Alert about a Job, which no owner deletes, is kept once it is resolved.
const ttlOfJobAlert int32 = 24 * 60 * 60

// newAlert returns the firing Alert about an object, as it is applied. The details are below the summary of the object's status.
func newAlert(req request, resource schema.GroupVersionResource, object *unstructured.Unstructured, ask healthrules.Ask, result healthrules.Result, details string) *apply.AlertApplyConfiguration {
	title := fmt.Sprintf("%s %s/%s is failing", object.GetKind(), req.Namespace, object.GetName())
	content := strings.TrimRight(summaryOf(result)+"\n"+details, "\n")
	alert := newAlertOf(req.Namespace, alertName(req.alertKind(), req.Name, req.identity()), resource, ask, title, content).
		WithAnnotations(subjectAnnotations(req, string(object.GetUID()), result.Since))
	if req.isJob() {
		alert.Spec.WithTTLSecondsAfterFinished(ttlOfJobAlert)
		return alert
	}
	owner := applymeta.OwnerReference().WithAPIVersion(object.GetAPIVersion()).WithKind(object.GetKind()).WithName(req.Name).WithUID(req.UID)
	return alert.WithOwnerReferences(owner)
}

// subjectAnnotations say which object an Alert is about, and for which failure it has fired.
func subjectAnnotations(req request, uid string, since time.Time) map[string]string {
	return map[string]string{
		v1beta1.PagedObjectAnnotation:  req.Kind + "/" + req.Name,
		v1beta1.PagedUIDAnnotation:     uid,
		v1beta1.FailingSinceAnnotation: since.UTC().Format(time.RFC3339),
	}
}

func newAlertOf(namespace, name string, resource schema.GroupVersionResource, ask healthrules.Ask, title, content string) *apply.AlertApplyConfiguration {
	spec := apply.AlertSpec().WithTitle(redact.Shorten(title, maxTitle)).WithContent(redact.Shorten(content, maxContent)).
		WithSeverity(ask.Severity).WithState(v1beta1.AlertFiring)
	for _, ref := range ask.Receivers {
		spec.WithReceiverRefs(apply.ReceiverRef().WithKind(ref.Kind).WithName(ref.Name))
	}
	return apply.Alert(name, namespace).WithSpec(spec).
		WithAnnotations(map[string]string{v1beta1.PagedResourceAnnotation: healthrules.FormatResource(resource)})
}

// summaryOf returns the reason and message of a failing object's status in a line.
func summaryOf(result healthrules.Result) string {
	if result.Message == "" {
		return result.Reason
	}
	return redact.Shorten(result.Reason+": "+result.Message, maxSummary)
}
