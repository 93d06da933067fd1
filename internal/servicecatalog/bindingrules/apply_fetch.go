// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// applyFetch records the result of a fetch of a binding.
func (ap *application) applyFetch() {
	inspects := !ap.call.Repeat // the request inspects the binding that the broker has under an id of ours
	switch {
	case ap.Answer.Class == osbresult.Done && inspects && (ap.Answer.Binding.Credentials == nil || !ap.matches(ap.call.Properties)):
		ap.recordForeignBinding("the broker has a binding under the id, and does not return its credentials, or does not confirm these parameters")
	case ap.Answer.Class == osbresult.Done:
		ap.recordBound()
	case ap.Answer.Class == osbresult.Gone && inspects: // nothing
		ap.RecordNoConflict()
	case ap.Answer.Class == osbresult.Rejected && inspects:
		ap.recordForeignBinding("the broker has something else under the id: " + ap.DescribeOutcome())
	default:
		set := ap.RetryRequest("Fetch", v1beta1.ReasonFetchingBindingFailed)
		if bindingphase.IsDelivered(&ap.status) && !inspects {
			set.Message += "; to get other credentials without it, change the annotation " + v1beta1.RebindAnnotation
		}
		ap.setConditions(set)
	}
}

// matches reports whether the fetched binding has the parameters of a request.
func (ap *application) matches(props *v1beta1.ServiceBindingPropertiesState) bool {
	if props == nil {
		return false
	}
	var told *runtime.RawExtension
	if raw := ap.Answer.Binding.Parameters; raw != nil {
		told = &runtime.RawExtension{Raw: raw}
	}
	has, bad := catalog.Merge(told, nil)
	return bad == nil && has.Checksum == props.ParameterChecksum
}

// recordForeignBinding records that the binding which the broker has under the id cannot be used. It is removed only if a request on record, whose
// outcome is not known, may have created it: a record that was restored from a backup does not show which bindings were created later.
func (ap *application) recordForeignBinding(message string) {
	found := ap.Answer.Binding
	isOthers := found != nil && found.Parameters != nil && !ap.matches(ap.call.Properties) && !ap.matches(ap.status.InProgressProperties)
	if ap.call.Owned && (ap.Attempts().Unknown == 0 || isOthers) {
		ap.setConditions(ap.HoldConflict("something else: " + message))
		return
	}
	if !ap.call.MayMitigate() {
		ap.stopRetryingAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message)
	}
	ap.startMitigation(rules.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
}
