// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

const (
	// defaultAfter is for how long an object has to fail by default; a Job or a CronJob has failed when its status says so.
	defaultAfter = 5 * time.Minute
	maxAfter     = 24 * time.Hour
	// defaultDeadline is for how long an object may be in progress by default; a Job may be for ever.
	defaultDeadline     = time.Hour
	maxProgressDeadline = 30 * 24 * time.Hour
	maxReceivers        = 16 // of an Alert
)

// Selector selects the objects that have the label.
const Selector = v1beta1.PageLabel + "=true"

// ConsentSelector selects the Namespaces whose objects may ask for Alerts.
const ConsentSelector = v1beta1.PageByLabelLabel + "=enabled"

// AskAnnotations are the annotations of objects that ParseAsk reads.
var AskAnnotations = []string{
	v1beta1.PageReceiversAnnotation, v1beta1.PageAfterAnnotation, v1beta1.PageSeverityAnnotation, v1beta1.PageProgressDeadlineAnnotation,
}

// Consents reports whether the objects of a Namespace may ask for Alerts.
func Consents(namespace metav1.Object) bool {
	return namespace.GetLabels()[v1beta1.PageByLabelLabel] == "enabled"
}

// Ask has the settings of an object's Alert, by its label and annotations.
type Ask struct {
	// Receivers of the Alert; none: the default one.
	Receivers []v1beta1.ReceiverRef
	// After is for how long the object has to fail before an Alert is created.
	After time.Duration
	// ProgressDeadline is for how long the object may be in progress before that counts as a failure; 0: for ever.
	ProgressDeadline time.Duration
	Severity         v1beta1.Severity
}

// ParseAsk reads the Ask of an object of a kind; asks is false without the label. An error names the annotation, its value and valid values.
func ParseAsk(o metav1.Object, kind string) (ask Ask, asks bool, err error) {
	if o.GetLabels()[v1beta1.PageLabel] != "true" || o.GetDeletionTimestamp() != nil {
		return Ask{}, false, nil
	}
	annotations := o.GetAnnotations()
	ask = Ask{Severity: v1beta1.SeverityCritical, After: defaultAfter, ProgressDeadline: defaultDeadline}
	switch kind {
	case "Job":
		ask.After, ask.ProgressDeadline = 0, 0
	case "CronJob":
		ask.After = 0
	}
	if ask.After, err = parseSeconds(annotations, v1beta1.PageAfterAnnotation, ask.After, maxAfter); err != nil {
		return Ask{}, true, err
	}
	if ask.ProgressDeadline, err = parseSeconds(annotations, v1beta1.PageProgressDeadlineAnnotation, ask.ProgressDeadline, maxProgressDeadline); err != nil {
		return Ask{}, true, err
	}
	if value, ok := annotations[v1beta1.PageSeverityAnnotation]; ok {
		ask.Severity = v1beta1.Severity(value)
		if !slices.Contains([]v1beta1.Severity{v1beta1.SeverityInfo, v1beta1.SeverityWarning, v1beta1.SeverityCritical}, ask.Severity) {
			return Ask{}, true, fmt.Errorf("annotation %s is %q: it has to be %s, %s or %s", v1beta1.PageSeverityAnnotation, value, v1beta1.SeverityInfo, v1beta1.SeverityWarning, v1beta1.SeverityCritical)
		}
	}
	if value, ok := annotations[v1beta1.PageReceiversAnnotation]; ok {
		if ask.Receivers, err = parseReceivers(value); err != nil {
			return Ask{}, true, fmt.Errorf("annotation %s is %q: %w", v1beta1.PageReceiversAnnotation, value, err)
		}
	}
	return ask, true, nil
}

// parseSeconds reads a number of seconds from 0 to a limit; absent: the default.
func parseSeconds(annotations map[string]string, name string, byDefault, limit time.Duration) (time.Duration, error) {
	value, ok := annotations[name]
	if !ok {
		return byDefault, nil
	}
	seconds, err := strconv.ParseUint(value, 10, 32)
	if duration := time.Duration(seconds) * time.Second; err == nil && duration <= limit {
		return duration, nil
	}
	return 0, fmt.Errorf("annotation %s is %q: it has to be a number of seconds from 0 to %d", name, value, int(limit.Seconds()))
}

// parseReceivers reads a list such as "oncall, clusterreceiver/chat".
func parseReceivers(list string) ([]v1beta1.ReceiverRef, error) {
	var refs []v1beta1.ReceiverRef
	seen := map[v1beta1.ReceiverRef]bool{}
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		kind, name, hasKind := strings.Cut(item, "/")
		if !hasKind {
			kind, name = string(v1beta1.KindReceiver), item
		}
		ref := v1beta1.ReceiverRef{Name: name}
		switch strings.ToLower(kind) {
		case "receiver":
			ref.Kind = v1beta1.KindReceiver
		case "clusterreceiver":
			ref.Kind = v1beta1.KindClusterReceiver
		}
		if problems := validation.IsDNS1123Subdomain(name); ref.Kind == "" || len(problems) > 0 {
			return nil, fmt.Errorf("%q has to be the name of a Receiver, receiver/NAME or clusterreceiver/NAME", item)
		}
		if !seen[ref] {
			refs = append(refs, ref)
		}
		seen[ref] = true
	}
	if len(refs) > maxReceivers {
		return nil, fmt.Errorf("it has to name at most %d receivers", maxReceivers)
	}
	return refs, nil
}
