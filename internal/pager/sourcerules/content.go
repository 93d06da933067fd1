// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

const (
	// maxLines is how many instances the content has.
	maxLines = 20
	// maxContent is the length of the content about one instance, in bytes.
	maxContent = 4096
)

// newAlert returns the Alert of a group, without content.
func newAlert(source *v1beta1.AlertSource, g group) *v1beta1.Alert {
	labels := alertmanager.ObjectLabels(g.labels)
	labels[v1beta1.AlertSourceLabel] = source.Name
	return &v1beta1.Alert{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: source.Namespace, Name: g.name, Labels: maps.Clone(labels),
			Annotations: map[string]string{v1beta1.AlertGroupAnnotation: g.title},
		},
	}
}

// takeReceivers has an Alert that begins to fire reach the receivers that the source names now, unless a person has changed the receivers of the
// Alert. An Alert of a former release does not record the receivers that the source has written.
func (d *decision) takeReceivers() {
	a, refs := d.desired, d.in.Source.Spec.ReceiverRefs
	written, isRecorded := a.Annotations[v1beta1.AlertSourceReceiversAnnotation]
	if !isRecorded {
		written = receiversHash(refs)
	}
	isChangedByPerson := d.present != nil && receiversHash(a.Spec.ReceiverRefs) != written
	if isChangedByPerson {
		return
	}
	a.Spec.ReceiverRefs = slices.Clone(refs)
	metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1beta1.AlertSourceReceiversAnnotation, receiversHash(refs))
}

// receiversHash is a hash of a set of receivers.
func receiversHash(refs []v1beta1.ReceiverRef) string {
	parts := make([]string, len(refs))
	for i, ref := range refs {
		parts[i] = string(cmp.Or(ref.Kind, v1beta1.KindReceiver)) + "/" + ref.Name
	}
	slices.Sort(parts)
	return alertrules.Fingerprint(append(parts, "receivers")...)[:hashLength]
}

// setContent sets title and content from the instances.
func (d *decision) setContent() {
	instances := shown(d.instances())
	title := d.group.title
	if d.present != nil { // the title at first: a later post may have fewer alerts of the group
		title = cmp.Or(d.present.Annotations[v1beta1.AlertGroupAnnotation], title)
	}
	suffix := fmt.Sprintf(": %s firing", number(len(instances)))
	spec := &d.desired.Spec
	spec.Title = redact.Shorten(title, alertmanager.MaxTitle-len(suffix)) + suffix
	spec.Content = contentOf(instances)
}

// describeOnly sets title and content from a posted alert, if it is the only instance that fires.
func (d *decision) describeOnly() {
	fire := d.firingPosted()
	if d.group.isList {
		return
	}
	if instances := shown(d.instances()); len(fire) == 1 && len(instances) == 1 && fire[0].key == instances[0].Key {
		d.desired.Spec.Title, d.desired.Spec.Content = fire[0].Title(), redact.Shorten(fire[0].Details(), maxContent)
	}
}

// explainEnd adds to the content of an Alert that ends since when its last instances are not reported, if their sender did not say the end.
func (d *decision) explainEnd() {
	fired := map[string]bool{}
	for _, i := range d.before {
		fired[i.Key] = isFiring(i)
	}
	var since *metav1.Time
	for _, i := range d.instances() {
		if fired[i.Key] && i.UnlistedTime != nil && (since == nil || i.UnlistedTime.After(since.Time)) {
			since = i.UnlistedTime
		}
	}
	if since != nil {
		d.desired.Spec.Content = withLine(d.desired.Spec.Content, "Not reported any more since %s.", times.Format(since.Time))
	}
}

// withLine returns a content with one more line.
func withLine(content, format string, args ...any) string {
	return redact.Shorten(content, maxLines*(alertmanager.MaxText+1)) + "\n" + fmt.Sprintf(format, args...)
}

// number is how many instances fire. Of an Alert that is full it is not known how many more do.
func number(n int) string {
	if n >= maxInstances {
		return fmt.Sprintf("%d or more", n)
	}
	return fmt.Sprint(n)
}

// contentOf has a line for each instance: the highest severity first, and of the same the latest, since a new message is about those.
func contentOf(instances []v1beta1.AlertInstance) string {
	ordered := slices.Clone(instances)
	slices.Reverse(ordered)
	slices.SortStableFunc(ordered, func(x, y v1beta1.AlertInstance) int { return alertrules.Rank(y.Severity) - alertrules.Rank(x.Severity) })
	lines := Lines(ordered)
	for n, i := range ordered {
		lines[n] = cmp.Or(lines[n], i.Key)
	}
	if more := len(lines) - maxLines; more > 0 {
		lines = append(lines[:maxLines], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// links are those that all posted alerts that fire have.
func (d *decision) links() (links []v1beta1.AlertLink) {
	for n, p := range d.firingPosted() {
		var own []v1beta1.AlertLink
		for _, link := range p.Links() {
			own = append(own, v1beta1.AlertLink{Text: link.Text, Href: link.Href})
		}
		if n == 0 {
			links = own
		}
		links = slices.DeleteFunc(links, func(l v1beta1.AlertLink) bool { return !slices.Contains(own, l) })
	}
	return links
}
