/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package source

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/ingest/alertmanager"
	"github.com/gophernetes/bellhop/internal/redact"
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
		Spec: v1beta1.AlertSpec{ReceiverRefs: slices.Clone(source.Spec.ReceiverRefs)},
	}
}

// setContent sets title and content from the instances.
func (d *decision) setContent() {
	instances := shown(d.instances())
	title := d.group.title
	if d.present != nil { // what it was at first: a later post may have fewer alerts of the group
		title = cmp.Or(d.present.Annotations[v1beta1.AlertGroupAnnotation], title)
	}
	suffix := fmt.Sprintf(": %s firing", number(len(instances)))
	spec := &d.desired.Spec
	spec.Title = redact.Shorten(title, alertmanager.MaxTitle-len(suffix)) + suffix
	spec.Content = linesOf(instances)
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

// number is how many instances fire. Of an Alert that is full it is not known how many more do.
func number(n int) string {
	if n >= maxInstances {
		return fmt.Sprintf("%d or more", n)
	}
	return fmt.Sprint(n)
}

// linesOf has a line for each instance: the latest first, since a new message is about those.
func linesOf(instances []v1beta1.AlertInstance) string {
	lines := make([]string, 0, maxLines+1)
	for _, i := range slices.Backward(instances) {
		if len(lines) == maxLines {
			lines = append(lines, fmt.Sprintf("and %d more", len(instances)-maxLines))
			break
		}
		lines = append(lines, cmp.Or(i.Text, i.Key))
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
