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

package servicecatalog

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/credentials"
)

// settling is how long the cache may take to show a Secret that this process has written or read.
const settling = 10 * time.Second

// bindingMemory is what this process remembers of a binding and its Secret beyond the status.
type bindingMemory struct {
	callMemory
	// seen is the resourceVersion of the Secret that this process read or wrote last, at a time. It had the credentials of the id
	// seenOf, or was modified.
	seen, seenOf string
	edited       bool
	at           time.Time
	// ejected: this process has deleted it.
	ejected bool
}

// sightOf returns what is known of a Secret: seen is its metadata in the cache; nil: the cache has none.
func sightOf(b *v1beta1.ServiceBinding, known *bindingMemory, seen *metav1.PartialObjectMetadata, now time.Time) (is secretState, of, version string) {
	s := &b.Status
	deleting := !b.DeletionTimestamp.IsZero()
	expected := isExpected(b)
	before := seen != nil && s.SecretVersion != "" && notAfter(seen.ResourceVersion, s.SecretVersion)
	unrecorded := s.SecretVersion == "" // by a process that was killed, or by the original service-catalog
	// A Secret that belongs to another may be of an earlier binding of the name.
	outdated := expected && (before || unrecorded && deleting)
	switch {
	case known.ejected:
		return secretAbsent, "", ""
	case seen == nil && known.seen != "" && now.Before(known.at.Add(settling)), seen != nil && known.seen != "" && notAfter(seen.ResourceVersion, known.seen):
		if known.edited {
			return secretEdited, "", ""
		}
		return secretGood, known.seenOf, known.seen
	case seen == nil && !expected:
		return secretAbsent, "", ""
	case seen == nil:
		return secretUnseen, "", ""
	case !credentials.IsOwned(seen, b) && !outdated:
		return secretOthers, "", ""
	case credentials.IsOwned(seen, b) && isDelivered(s) && (before || unrecorded):
		return secretGood, "", seen.ResourceVersion
	}
	return secretUnseen, "", ""
}

// isExpected reports whether a binding's Secret should exist, or may.
func isExpected(b *v1beta1.ServiceBinding) bool {
	s := &b.Status
	return s.SecretVersion != "" || isDelivered(s) && b.DeletionTimestamp.IsZero() || isBound(s) && s.CurrentOperation == "" ||
		s.CurrentOperation == v1beta1.OperationBind && s.UnbindStatus == v1beta1.UnbindRequired
}

// contentOf returns the id whose credentials a Secret has, and whether they were modified.
func contentOf(secret *corev1.Secret, b *v1beta1.ServiceBinding) (of string, edited bool) {
	s := &b.Status
	if !credentials.IsRecorded(secret) { // the original service-catalog wrote no record
		return "", s.SecretVersion != "" || !isDelivered(s)
	}
	ids := []string{bindingID(b, s)}
	if s.PredecessorID != "" && s.CurrentOperation != "" {
		ids = append(ids, s.PredecessorID)
	}
	for _, id := range ids {
		if credentials.IsIntact(secret, id) {
			return id, false
		}
	}
	return "", true
}

// settle drops what need not be remembered of a binding whose credentials are in the Secret. shown: the cache shows the Secret as
// this process knows it.
func (k *bindingMemory) settle(s *v1beta1.ServiceBindingStatus, secret secretState, shown bool) {
	if secret != secretGood || !isDelivered(s) || s.CurrentOperation != "" || k.told != nil {
		return
	}
	k.callMemory = callMemory{}
	if shown && k.seen == s.SecretVersion { // cache and status agree
		*k = bindingMemory{}
	}
}
