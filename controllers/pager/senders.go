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

package pager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/receivers"
)

// maxSenders bounds how many receivers are kept ready, each with its
// connections and credentials; one more replaces the least recently used.
const maxSenders = 1024

// secretTimeout is how long reading a Secret may take, while others wait for it.
const secretTimeout = 10 * time.Second

// senders keeps a sender ready for each receiver, made once for each version of
// the receiver and its Secret.
type senders struct {
	live client.Reader // Secrets are read one at a time, never cached
	workshop

	mu        sync.Mutex
	ready     *lru.Cache // senderKey → *readySender
	bulkheads map[senderKey]*outbound.Bulkhead
	sweepAt   int // of so many bulkheads
}

type senderKey struct {
	namespace string
	ref       v1beta1.ReceiverRef
}

type readySender struct {
	mu      sync.Mutex
	version string
	sender  notify.Sender
}

func newSenders(live client.Reader, w workshop) *senders {
	return &senders{live: live, workshop: w, bulkheads: map[senderKey]*outbound.Bulkhead{},
		ready: lru.NewWithEvictionFunc(maxSenders, func(_ lru.Key, value any) {
			go value.(*readySender).close()
		})}
}

// keyOf is the key of a receiver, as seen from a namespace.
func keyOf(namespace string, ref v1beta1.ReceiverRef) senderKey {
	if ref.Kind == v1beta1.KindClusterReceiver {
		namespace = ""
	}
	return senderKey{namespace: namespace, ref: ref}
}

// bulkhead is a receiver's, whatever version it is of. One that is idle may be
// replaced by another.
func (s *senders) bulkhead(namespace string, ref v1beta1.ReceiverRef, now time.Time) *outbound.Bulkhead {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := keyOf(namespace, ref)
	if b, ok := s.bulkheads[key]; ok {
		return b
	}
	if len(s.bulkheads) >= s.sweepAt {
		maps.DeleteFunc(s.bulkheads, func(_ senderKey, b *outbound.Bulkhead) bool { return b.Idle(now) })
		s.sweepAt = 2*len(s.bulkheads) + maxSenders
	}
	b := &outbound.Bulkhead{}
	s.bulkheads[key] = b
	return b
}

// knownBulkhead is nil where nothing was sent yet.
func (s *senders) knownBulkhead(namespace string, ref v1beta1.ReceiverRef) *outbound.Bulkhead {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bulkheads[keyOf(namespace, ref)]
}

// withdraw gives up an Alert's place in a receiver's queue, if it has one.
func (s *senders) withdraw(namespace string, ref v1beta1.ReceiverRef, who types.NamespacedName, now time.Time) {
	if b := s.knownBulkhead(namespace, ref); b != nil {
		b.Withdraw(who, now)
	}
}

// isBlocked says whether a receiver takes nothing from a namespace for some time.
func (s *senders) isBlocked(namespace string, ref v1beta1.ReceiverRef, now time.Time) bool {
	b := s.knownBulkhead(namespace, ref)
	return b != nil && b.Blocked(laneOf(namespace), now) != ""
}

// of is the sender for a receiver. Errors are of *notify.Error.
func (s *senders) of(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, p receivers.Party) (notify.Sender, error) {
	entry := s.entry(keyOf(namespace, ref))
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if entry.version == p.Version && entry.sender != nil {
		return entry.sender, nil
	}
	secret, err := s.secret(ctx, p.SecretNamespace, p.Spec.SecretRef)
	if err != nil {
		return nil, err
	}
	sender, err := s.newSender(p.Spec, secret)
	if err != nil {
		if _, ok := errors.AsType[*notify.Error](err); ok {
			return nil, err
		}
		return nil, &notify.Error{Class: notify.Configuration, Reason: notify.ReasonInvalidReceiver, Message: err.Error()}
	}
	entry.set(p.Version, sender)
	return sender, nil
}

func (s *senders) entry(key senderKey) *readySender {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry, ok := s.ready.Get(key); ok {
		return entry.(*readySender)
	}
	entry := &readySender{}
	s.ready.Add(key, entry)
	return entry
}

func (r *readySender) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set("", nil)
}

func (r *readySender) set(version string, sender notify.Sender) {
	if r.sender != nil {
		r.sender.Close()
	}
	r.version, r.sender = version, sender
}

// secret reads a Secret's content. It logs nothing: at its highest level the
// client writes bodies.
func (s *senders) secret(ctx context.Context, namespace string, ref *v1beta1.SecretReference) (map[string][]byte, error) {
	if ref == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(klog.NewContext(ctx, logr.Discard()), secretTimeout)
	defer cancel()
	secret := &corev1.Secret{}
	switch err := s.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, secret); {
	case apierrors.IsNotFound(err):
		return nil, &notify.Error{Class: notify.Configuration, Reason: v1beta1.ReasonSecretNotFound,
			Message: fmt.Sprintf("Secret %q does not exist in namespace %q", ref.Name, namespace)}
	case err != nil:
		return nil, &notify.Error{Class: notify.Temporary, Reason: v1beta1.ReasonSecretNotRead,
			Message: fmt.Sprintf("Secret %q could not be read: %s", ref.Name, apierrors.ReasonForError(err))}
	}
	return secret.Data, nil
}
