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
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube"
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/receivers"
)

// senders keeps a sender ready for each receiver, made once for each version of
// the receiver and its Secret.
type senders struct {
	live client.Reader // Secrets are read one at a time, never cached
	workshop

	ready     *kube.Keeper[senderKey, notify.Sender]
	bulkheads outbound.Bulkheads[senderKey] // whatever version a receiver is of
}

type senderKey struct {
	namespace string
	ref       v1beta1.ReceiverRef
}

func newSenders(live client.Reader, w workshop) *senders {
	return &senders{live: live, workshop: w, ready: kube.NewKeeper[senderKey, notify.Sender]()}
}

// keyOf is the key of a receiver, as seen from a namespace.
func keyOf(namespace string, ref v1beta1.ReceiverRef) senderKey {
	if ref.Kind == v1beta1.KindClusterReceiver {
		namespace = ""
	}
	return senderKey{namespace: namespace, ref: ref}
}

// isBlocked says whether a receiver takes nothing from a namespace for some time.
func (s *senders) isBlocked(namespace string, ref v1beta1.ReceiverRef, now time.Time) bool {
	b := s.bulkheads.Known(keyOf(namespace, ref))
	return b != nil && b.Blocked(laneOf(namespace), now) != ""
}

// of is the sender for a receiver. Errors are of *notify.Error.
func (s *senders) of(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, p receivers.Party) (notify.Sender, error) {
	return s.ready.Of(keyOf(namespace, ref), p.Version, func() (notify.Sender, error) {
		secret, err := s.secret(ctx, p.SecretNamespace, p.Spec.SecretRef)
		if err != nil {
			return nil, err
		}
		sender, err := s.newSender(p.Spec, secret)
		if _, ok := errors.AsType[*notify.Error](err); err != nil && !ok {
			err = &notify.Error{Class: notify.Configuration, Reason: notify.ReasonInvalidReceiver, Message: err.Error()}
		}
		return sender, err
	})
}

// secret reads a Secret's content.
func (s *senders) secret(ctx context.Context, namespace string, ref *v1beta1.SecretReference) (map[string][]byte, error) {
	if ref == nil {
		return nil, nil
	}
	secret, err := kube.ReadSecret(ctx, s.live, client.ObjectKey{Namespace: namespace, Name: ref.Name})
	switch {
	case apierrors.IsNotFound(err):
		return nil, &notify.Error{Class: notify.Configuration, Reason: v1beta1.ReasonSecretNotFound,
			Message: fmt.Sprintf("Secret %q does not exist in namespace %q", ref.Name, namespace)}
	case err != nil:
		return nil, &notify.Error{Class: notify.Temporary, Reason: v1beta1.ReasonSecretNotRead,
			Message: fmt.Sprintf("Secret %q could not be read: %s", ref.Name, apierrors.ReasonForError(err))}
	}
	return secret.Data, nil
}
