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

package binding

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// ApplySecretWritten returns the status once the credentials of the present id are in the Secret, which has that resourceVersion.
func ApplySecretWritten(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, of *osbresult.Binding, version string, now time.Time) v1beta1.ServiceBindingStatus {
	f := &application{b: b, status: *status.DeepCopy(), now: now}
	s := &f.status
	if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	if s.ExternalProperties == nil {
		s.ExternalProperties = &v1beta1.ServiceBindingPropertiesState{UserInfo: b.Spec.UserInfo}
	}
	replaces := f.isReplacement()
	if replaces {
		retire(b, s, s.PredecessorID, now)
		s.PredecessorID, s.Rotates = "", false
	}
	if of != nil && (replaces || hasExpiry(of)) { // otherwise the end is unchanged, or not known
		recordExpiry(s, of, now)
	}
	f.setPhase(Idle)
	s.SecretName, s.SecretVersion, s.UnbindStatus = catalog.SecretName(b), version, v1beta1.UnbindRequired
	s.ObservedGeneration, s.ReconciledGeneration, s.Attempts = b.Generation, b.Generation, nil
	f.setConditions(injectedConditions(f.b))
	return f.status
}

// recordExpiry records when credentials that the broker has returned end.
func recordExpiry(s *v1beta1.ServiceBindingStatus, of *osbresult.Binding, now time.Time) {
	end, renewal := expiryTime(of.ExpiresAt), expiryTime(of.RenewBefore)
	if hasExpiry(of) && s.IssuedAt != nil && end.Equal(s.ExpiresAt) && renewal.Equal(s.RenewBefore) {
		return // the same ones
	}
	s.ExpiresAt, s.RenewBefore, s.IssuedAt = end, renewal, nil
	if hasExpiry(of) {
		s.IssuedAt = lifecycle.Timestamp(now)
	}
}

// hasExpiry reports whether the broker has said when the credentials end.
func hasExpiry(b *osbresult.Binding) bool { return !b.ExpiresAt.IsZero() || !b.RenewBefore.IsZero() }

// expiryTime returns a time of the broker's for the status; nil: the broker gave none.
func expiryTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return lifecycle.Timestamp(t)
}

// ApplySecretRefused returns the status if the credentials could not be put into the Secret. occupied: the Secret belongs to another.
func ApplySecretRefused(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, why string, occupied bool, now time.Time) v1beta1.ServiceBindingStatus {
	f := &application{b: b, status: *status.DeepCopy(), now: now}
	f.status.ObservedGeneration = b.Generation
	if occupied {
		f.status.ReconciledGeneration = 0
	}
	f.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonErrorInjectingBindResult, Stalled: true,
		Message: "The credentials cannot be put into the Secret: " + why})
	return f.status
}
