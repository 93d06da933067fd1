// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"cmp"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
)

// isRebindPending reports whether a person has requested new credentials that are neither in the Secret nor refused permanently.
func isRebindPending(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) bool {
	asked := b.Annotations[v1beta1.RebindAnnotation]
	return asked != "" && asked != s.Rebind
}

// isRebindRequested reports whether a person has requested new credentials, or another attempt, since the last request.
func isRebindRequested(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) bool {
	return isRebindPending(b, s) && b.Annotations[v1beta1.RebindAnnotation] != s.AttemptedRebind
}

// recordRebindAttempt records that further requests are for the present value of the annotation. The first credentials of a binding serve any value
// that the annotation has by then.
func recordRebindAttempt(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) {
	switch asked := b.Annotations[v1beta1.RebindAnnotation]; {
	case !bindingphase.IsBound(s):
		s.Rebind, s.AttemptedRebind = asked, ""
	case asked == s.Rebind:
		s.AttemptedRebind = ""
	default:
		s.AttemptedRebind = asked
	}
}

// recordRebindHandled records that the new credentials are in the Secret, or that the broker has refused them permanently. An earlier version has
// recorded that when it began to request them.
func recordRebindHandled(s *v1beta1.ServiceBindingStatus) {
	s.Rebind, s.AttemptedRebind = cmp.Or(s.AttemptedRebind, s.Rebind), ""
}
