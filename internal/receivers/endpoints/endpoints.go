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

// Package endpoints has what this process knows of the endpoints of receivers: a sender for each version, the limits of
// requests, and what deliveries and probes have shown of them.
package endpoints

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/alert"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/providers"
	"github.com/gophernetes/bellhop/internal/secrets"
	"github.com/gophernetes/bellhop/internal/versioned"
)

// Cache has a sender for each receiver, created once for each revision of the receiver and its Secret.
type Cache struct {
	live    client.Reader // Secrets are read one at a time, and not cached
	factory providers.Factory

	Senders    *versioned.Cache[Key, *Prepared]
	Limiters   limiter.Limiters[Key] // whatever version a receiver is of
	Recoveries recoveries
}

// Key names a receiver; the namespace of a ClusterReceiver is empty.
type Key struct {
	Namespace string
	Ref       v1beta1.ReceiverRef
}

// NewCache returns a cache without senders.
func NewCache(live client.Reader, factory providers.Factory) *Cache {
	return &Cache{live: live, factory: factory, Senders: versioned.NewCache[Key, *Prepared]()}
}

// KeyOf returns the key of a receiver that is referred to in a namespace.
func KeyOf(namespace string, ref v1beta1.ReceiverRef) Key {
	if ref.Kind == v1beta1.KindClusterReceiver {
		namespace = ""
	}
	return Key{Namespace: namespace, Ref: ref}
}

// IsBlocked reports whether requests of a namespace to a receiver wait for some time.
func (s *Cache) IsBlocked(namespace string, ref v1beta1.ReceiverRef, now time.Time) bool {
	b := s.Limiters.Known(KeyOf(namespace, ref))
	return b != nil && b.Blocked(FlowOf(namespace), now) != ""
}

// Prepared is the sender of one revision of a receiver and its Secret.
type Prepared struct {
	Sender  notify.Sender
	failure error  // why there is no sender
	version string // as in lifecycle.Target
}

// Close closes idle connections.
func (p *Prepared) Close() {
	if p.Sender != nil {
		p.Sender.Close()
	}
}

// Identify sets the version of a receiver, for which its Secret is read once in each of its versions. It returns false where the
// Secret cannot be read now: then the revision stands for the version, and the attempt has the error.
func (s *Cache) Identify(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, p *lifecycle.Target) bool {
	if p.Spec == nil || p.Problem != nil && p.Problem.Reason == v1beta1.ReasonSecretNotFound {
		return false
	}
	prepared, err := s.prepare(ctx, namespace, ref, *p)
	if err != nil {
		p.Version = p.Revision
		return false
	}
	p.Version = prepared.version
	return true
}

// Sender returns the sender of a receiver and its version: p may have been identified while the Secret could not be read. An error is a
// *result.Error.
func (s *Cache) Sender(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, p lifecycle.Target) (sender notify.Sender, version string, err error) {
	prepared, err := s.prepare(ctx, namespace, ref, p)
	if err != nil {
		return nil, p.Version, err
	}
	return prepared.Sender, prepared.version, prepared.failure
}

func (s *Cache) prepare(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, p lifecycle.Target) (*Prepared, error) {
	return s.Senders.Of(KeyOf(namespace, ref), p.Revision, func() (*Prepared, error) {
		secret, err := s.secret(ctx, p.SecretNamespace, p.Spec.SecretRef)
		if err != nil {
			return nil, err
		}
		sender, err := s.factory.NewSender(p.Spec, secret.Data)
		if _, ok := errors.AsType[*result.Error](err); err != nil && !ok {
			err = &result.Error{Class: result.Configuration, Reason: result.ReasonInvalidReceiver, Message: err.Error()}
		}
		return &Prepared{Sender: sender, failure: err, version: endpointVersion(p, secret)}, nil
	})
}

// endpointVersion is the version of a receiver, as in lifecycle.Target. It stands in statuses: the Secret's UID, which they do not
// show, keeps a reader of a status from finding the Secret's content by trying.
func endpointVersion(p lifecycle.Target, secret *corev1.Secret) string {
	provider, err := json.Marshal(p.Spec.Provider)
	if err != nil {
		return p.Revision
	}
	parts := []string{"endpoint", string(p.UID), string(provider), string(secret.UID)}
	for _, key := range slices.Sorted(maps.Keys(secret.Data)) {
		parts = append(parts, key, string(secret.Data[key]))
	}
	return lifecycle.HashVersion + ":" + lifecycle.Fingerprint(parts...)
}

// secret reads a receiver's Secret; it is empty where the receiver has none.
func (s *Cache) secret(ctx context.Context, namespace string, ref *v1beta1.SecretReference) (*corev1.Secret, error) {
	if ref == nil {
		return &corev1.Secret{}, nil
	}
	secret, err := secrets.Read(ctx, s.live, client.ObjectKey{Namespace: namespace, Name: ref.Name})
	switch {
	case apierrors.IsNotFound(err):
		return nil, &result.Error{Class: result.Temporary, Reason: v1beta1.ReasonSecretNotFound,
			Message: fmt.Sprintf("Secret %q does not exist in namespace %q", ref.Name, namespace)}
	case err != nil:
		return nil, &result.Error{Class: result.Temporary, Reason: v1beta1.ReasonSecretNotRead,
			Message: fmt.Sprintf("Secret %q could not be read: %s", ref.Name, apierrors.ReasonForError(err))}
	}
	return secret, nil
}

// recoveries is when receivers last recovered from failures.
type recoveries struct {
	mu sync.Mutex
	at map[Key]time.Time
}

func (r *recoveries) Set(key Key, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[Key]time.Time{}
	}
	r.at[key] = at
}

func (r *recoveries) At(key Key) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at[key]
}

func (r *recoveries) Forget(key Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.at, key)
}

// FlowOf returns the flow of the requests of a namespace.
func FlowOf(namespace string) string { return "namespace " + namespace }

// FailureOfPanic logs a panic of a provider, and returns it as a failure.
func FailureOfPanic(ctx context.Context, ref v1beta1.ReceiverRef, broken any) *result.Error {
	err, _ := broken.(runtime.Error) // the text of other panics may have the content of a message
	log.FromContext(ctx).Error(err, "A provider panicked", "receiver", ref)
	return FailureOf(nil)
}

// FailureOf returns the failure of a sender. An error without a class has an unknown outcome, so that the request is repeated under the
// same key.
func FailureOf(err error) *result.Error {
	if failure, ok := errors.AsType[*result.Error](err); ok {
		return failure
	}
	return &result.Error{Class: result.Unknown, Reason: result.ReasonBadAnswer, Message: "the request failed with an unexpected error"}
}
