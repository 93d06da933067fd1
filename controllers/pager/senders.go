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
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/pushbullet"
	"github.com/gophernetes/bellhop/internal/notify/webhook"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/receivers"
)

// maxSenders bounds how many receivers are kept ready, each with its
// connections and credentials; one more replaces the least recently used.
const maxSenders = 1024

// senders keeps a sender ready for each receiver, made once for each version of
// the receiver and its Secret.
type senders struct {
	live              client.Reader // Secrets are read one at a time, never cached
	guard             *outbound.Guard
	operatorNamespace string

	mu    sync.Mutex
	ready *lru.Cache // v1beta1.ReceiverRef and namespace → *readySender
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

func newSenders(live client.Reader, guard *outbound.Guard, operatorNamespace string) *senders {
	return &senders{live: live, guard: guard, operatorNamespace: operatorNamespace,
		ready: lru.NewWithEvictionFunc(maxSenders, func(_ lru.Key, value any) {
			go value.(*readySender).replace("", nil)
		})}
}

// of is the sender for a receiver. Errors are of *notify.Error.
func (s *senders) of(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, p receivers.Party) (notify.Sender, error) {
	key := senderKey{ref: ref}
	secretNamespace := s.operatorNamespace
	if ref.Kind == v1beta1.KindReceiver {
		key.namespace, secretNamespace = namespace, namespace
	}
	entry := s.entry(key)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if entry.version == p.Version && entry.sender != nil {
		return entry.sender, nil
	}
	secret, err := s.secret(ctx, secretNamespace, p.Spec.SecretRef)
	if err != nil {
		return nil, err
	}
	sender, err := newSender(p.Spec, secret, s.guard)
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

func (r *readySender) replace(version string, sender notify.Sender) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set(version, sender)
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
	ctx = klog.NewContext(ctx, logr.Discard())
	secret := &corev1.Secret{}
	switch err := s.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, secret); {
	case apierrors.IsNotFound(err):
		return nil, &notify.Error{Class: notify.Configuration, Reason: v1beta1.ReasonSecretNotFound,
			Message: fmt.Sprintf("Secret %q does not exist in namespace %q", ref.Name, namespace)}
	case err != nil:
		return nil, &notify.Error{Class: notify.Temporary, Reason: "SecretNotRead",
			Message: fmt.Sprintf("Secret %q could not be read: %s", ref.Name, apierrors.ReasonForError(err))}
	}
	return secret.Data, nil
}

// newSender makes what talks to the receiver that spec describes. Errors name
// the field or the key of the Secret, never a value of it.
func newSender(spec *v1beta1.CommonReceiverSpec, secret map[string][]byte, guard *outbound.Guard) (notify.Sender, error) {
	options := outbound.Options{
		Timeout:           time.Duration(spec.TimeoutSeconds) * time.Second,
		CABundle:          secret["ca.crt"],
		ClientCertificate: secret["tls.crt"],
		ClientKey:         secret["tls.key"],
	}
	switch {
	case spec.Webhook != nil:
		options.InsecureSkipVerify = spec.Webhook.InsecureSkipTLSVerify
		return newWebhook(spec.Webhook, secret, guard, options)
	case spec.Pushbullet != nil:
		return newPushbullet(spec.Pushbullet, secret, guard, options)
	}
	return nil, fmt.Errorf("its provider is not served by this release of Bellhop; served are webhook and pushbullet")
}

func newWebhook(spec *v1beta1.WebhookProvider, secret map[string][]byte, guard *outbound.Guard, options outbound.Options) (notify.Sender, error) {
	c := webhook.Config{
		URL:      spec.URL,
		Method:   string(spec.Method),
		Token:    string(secret["token"]),
		Username: string(secret["username"]),
		Password: string(secret["password"]),
	}
	if c.URL == "" { // who may write the Secret but not the receiver does not redirect what else is in it
		c.URL = string(secret["url"])
	}
	for _, key := range []string{"signingSecret", "signingSecretNext"} {
		if value := string(secret[key]); value != "" {
			c.SigningSecrets = append(c.SigningSecrets, value)
		}
	}
	for _, h := range spec.Headers {
		value := h.Value
		if h.SecretKey != "" {
			if value = string(secret[h.SecretKey]); value == "" {
				return nil, fmt.Errorf("spec.webhook.headers: the Secret has no key %q for the header %s", h.SecretKey, h.Name)
			}
		}
		c.Headers = append(c.Headers, webhook.Header{Name: h.Name, Value: value})
	}
	outside, err := outbound.NewClient(guard, options)
	if err != nil {
		return nil, err
	}
	return webhook.New(c, outside)
}

func newPushbullet(spec *v1beta1.PushbulletProvider, secret map[string][]byte, guard *outbound.Guard, options outbound.Options) (notify.Sender, error) {
	outside, err := outbound.NewClient(guard, options)
	if err != nil {
		return nil, err
	}
	return pushbullet.New(pushbullet.Config{
		URL:        spec.URL,
		Token:      string(secret["token"]),
		DeviceIden: spec.DeviceIden,
		Email:      spec.Email,
		ChannelTag: spec.ChannelTag,
	}, outside)
}
