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

package health

import (
	"fmt"
	"hash/fnv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	apply "github.com/gophernetes/bellhop/client/applyconfiguration/pager/v1beta1"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/health"
	"github.com/gophernetes/bellhop/internal/redact"
)

// fieldManager owns the fields of Alerts that follow from labels.
const fieldManager = "bellhop-page-by-label"

const (
	maxName    = 253
	maxTitle   = 256
	maxContent = 4096 // bytes
	maxSummary = 1024 // of these, bytes of what the object's status says
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

// isAbout reports whether an Alert was created about an object.
func isAbout(alert *v1beta1.Alert, uid types.UID) bool {
	if alert.Annotations[v1beta1.PagedResourceAnnotation] == "" {
		return false
	}
	for _, owner := range alert.OwnerReferences {
		if owner.UID == uid {
			return true
		}
	}
	return false
}

// isFiring reports whether an Alert exists and is not resolved. Of one that is being deleted nothing is decided.
func isFiring(alert *v1beta1.Alert) bool {
	return alert != nil && alert.Spec.State != v1beta1.AlertResolved
}

// newAlert returns the firing Alert about an object, as it is applied. The details follow what the object's status says.
func newAlert(req request, object *unstructured.Unstructured, ask lifecycle.Ask, result lifecycle.Result, details string) *apply.AlertApplyConfiguration {
	kind := object.GetKind()
	title := fmt.Sprintf("%s %s/%s is failing", kind, req.Namespace, req.Name)
	content := strings.TrimRight(summaryOf(result)+"\n"+details, "\n")
	owner := applymeta.OwnerReference().WithAPIVersion(object.GetAPIVersion()).WithKind(kind).WithName(req.Name).WithUID(req.UID)
	return newAlertOf(req.Namespace, alertName(kind, req.Name, req.UID), req.Resource, ask, title, content).WithOwnerReferences(owner)
}

func newAlertOf(namespace, name string, resource schema.GroupVersionResource, ask lifecycle.Ask, title, content string) *apply.AlertApplyConfiguration {
	spec := apply.AlertSpec().WithTitle(redact.Shorten(title, maxTitle)).WithContent(redact.Shorten(content, maxContent)).
		WithSeverity(ask.Severity).WithState(v1beta1.AlertFiring)
	for _, ref := range ask.Receivers {
		spec.WithReceiverRefs(apply.ReceiverRef().WithKind(ref.Kind).WithName(ref.Name))
	}
	return apply.Alert(name, namespace).WithSpec(spec).
		WithAnnotations(map[string]string{v1beta1.PagedResourceAnnotation: lifecycle.FormatResource(resource)})
}

// summaryOf says in a line what the status of a failing object says.
func summaryOf(result lifecycle.Result) string {
	if result.Message == "" {
		return result.Reason
	}
	return redact.Shorten(result.Reason+": "+result.Message, maxSummary)
}
