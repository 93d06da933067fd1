// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// SecretCacheDelay is how long the cache may take to show a Secret that this process has written or read.
const SecretCacheDelay = 10 * time.Second

// Memory has the facts about a binding and its Secret that this process remembers beyond the status.
type Memory struct {
	RequestMemory
	// SecretVersion is the resourceVersion of the Secret that this process read or wrote last, at SeenAt. It had the credentials of the id
	// SecretID, or was modified.
	SecretVersion, SecretID string
	Modified                bool
	SeenAt                  time.Time
	// Deleted: this process has deleted it.
	Deleted bool
	// Sources is the result of a read of the Secrets of addKeysFrom; SourcesVersion is the version of all of them at that time.
	Sources        Sources
	SourcesVersion string
	// Overlaps are those of the predecessors that this process has seen; nil: there are none.
	Overlaps *Overlaps
	// Issued is how long ago the credentials were issued that end, as this process has measured it; nil: there are none, or it has not.
	Issued *operation.Age
}

// ObserveSecret returns the state of a Secret, as far as it is known. seen is its metadata in the cache; nil: the cache does not have it.
func ObserveSecret(b *v1beta1.ServiceBinding, known *Memory, seen *metav1.PartialObjectMetadata, now time.Time) (state SecretState, id, version string) {
	s := &b.Status
	deleting := !b.DeletionTimestamp.IsZero()
	expected := isExpected(b)
	before := seen != nil && s.SecretVersion != "" && rules.NotAfter(seen.ResourceVersion, s.SecretVersion)
	unrecorded := s.SecretVersion == "" // by a process that was killed, or by the original service-catalog
	// A Secret that belongs to another may be of an earlier binding of the name.
	outdated := expected && (before || unrecorded && deleting)
	switch {
	case known.Deleted:
		return SecretAbsent, "", ""
	case seen == nil && known.SecretVersion != "" && now.Before(times.DueAfter(known.SeenAt, SecretCacheDelay, now)), seen != nil && known.SecretVersion != "" && rules.NotAfter(seen.ResourceVersion, known.SecretVersion):
		if known.Modified {
			return SecretModified, "", ""
		}
		return SecretInSync, known.SecretID, known.SecretVersion
	case seen == nil && !expected:
		return SecretAbsent, "", ""
	case seen == nil:
		return SecretUnknown, "", ""
	case !bindingsecret.IsOwned(seen, b) && !outdated:
		return SecretNotOwned, "", ""
	case bindingsecret.IsOwned(seen, b) && bindingphase.IsDelivered(s) && (before || unrecorded):
		return SecretInSync, "", seen.ResourceVersion
	}
	return SecretUnknown, "", ""
}

// isExpected reports whether a binding's Secret should exist, or may.
func isExpected(b *v1beta1.ServiceBinding) bool {
	s := &b.Status
	phase := bindingphase.Of(s)
	return s.SecretVersion != "" || bindingphase.IsDelivered(s) && b.DeletionTimestamp.IsZero() || bindingphase.IsBound(s) && phase.Task == bindingphase.Idle ||
		(phase.Creates() || phase.IsMitigating()) && s.UnbindStatus == v1beta1.UnbindRequired
}

// ForgetSettled drops the facts that are not needed about a binding whose credentials are in the Secret. shown: the cache shows the Secret as this
// process knows it.
func (m *Memory) ForgetSettled(s *v1beta1.ServiceBindingStatus, instance *v1beta1.ServiceInstance, secret SecretState, shown bool) {
	if secret != SecretInSync || !bindingphase.IsDelivered(s) || bindingphase.TaskOf(s) != bindingphase.Idle || m.Received != nil || m.Unwritten != nil {
		return
	}
	if m.recovery.hasFailed(fetch) && IsMadeBefore(s, instance) { // until that is recorded: otherwise they would be fetched at each attempt
		return
	}
	m.RequestMemory = RequestMemory{}
	if shown && m.SecretVersion == s.SecretVersion { // cache and status agree
		*m = Memory{Overlaps: m.Overlaps, Issued: m.Issued}
	}
}

// secretOf returns the reference to the Secret of a binding.
func secretOf(b *v1beta1.ServiceBinding) *v1beta1.LocalObjectReference {
	return &v1beta1.LocalObjectReference{Name: catalog.SecretName(b)}
}

// nameSecret has the status name the Secret as long as the Secret has the credentials. A status of an earlier version does not name it: the next
// write of the status adds the name, but the name alone causes no write.
func (d *decision) nameSecret() {
	s := &d.Status
	switch {
	case d.SecretAction == DeleteSecret, d.in.Secret == SecretAbsent, d.in.Secret == SecretNotOwned:
		s.Binding = nil
	case s.Binding != nil || d.in.Secret != SecretInSync || !bindingphase.IsDelivered(s) || !d.b.DeletionTimestamp.IsZero():
	case d.Request != nil || d.SecretAction != "" || !equality.Semantic.DeepEqual(s, &d.b.Status):
		s.Binding = secretOf(d.b)
	}
}

// ServiceOf returns the service that a binding is to. Its class is the class of the instance; empty where the binding has another target than the
// instance.
func ServiceOf(b *v1beta1.ServiceBinding, in Inputs) (service bindingsecret.Service) {
	target, bound := TargetOf(b, in), in.BoundInstance
	if target == nil {
		return service
	}
	service.Broker = target.Name
	if bound.Target != target {
		return service
	}
	if bound.Class != nil {
		service.Class = bound.Class.Common().ExternalName
	} else { // it is no longer in the catalog
		spec := &bound.Instance.Spec
		service.Class = cmp.Or(spec.ClusterServiceClassExternalName, spec.ServiceClassExternalName)
	}
	return service
}

// ApplySecretWritten returns the status once the credentials of the present id are in the Secret, which has that resourceVersion.
func ApplySecretWritten(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, delivered *osbresult.Binding, version string, now time.Time, server times.Server) v1beta1.ServiceBindingStatus {
	ap := newApplication(b, status, Request{}, Answer{}, now)
	s := &ap.status
	if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	if s.ExternalProperties == nil {
		s.ExternalProperties = &v1beta1.ServiceBindingPropertiesState{UserInfo: b.Spec.UserInfo}
	}
	begin := server.Begin(now)
	recordReplaced(b, s, begin)
	replaces := ap.phase.IsReplacement()
	if replaces {
		retire(b, s, s.PredecessorID, begin)
		s.PredecessorID = ""
		recordRebindHandled(s)
	}
	if delivered != nil && (replaces || hasExpiry(delivered)) { // otherwise the end is unchanged, or not known
		recordExpiry(s, delivered, now, server)
	}
	ap.phase = bindingphase.Phase{}
	s.SecretName, s.SecretVersion, s.UnbindStatus = catalog.SecretName(b), version, v1beta1.UnbindRequired
	s.Binding = secretOf(b)
	s.ObservedGeneration, s.ReconciledGeneration, s.Attempts = b.Generation, b.Generation, nil
	ap.setConditions(injectedConditions(ap.b))
	return ap.encoded()
}

// ApplySecretRefused returns the status if the credentials could not be put into the Secret. occupied: the Secret belongs to another.
func ApplySecretRefused(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, why string, occupied bool, now time.Time) v1beta1.ServiceBindingStatus {
	ap := newApplication(b, status, Request{}, Answer{}, now)
	ap.status.ObservedGeneration = b.Generation
	if occupied {
		ap.status.ReconciledGeneration, ap.status.Binding = 0, nil
	}
	ap.setConditions(unwrittenConditions(why, bindingphase.IsDelivered(&ap.status)))
	return ap.encoded()
}
