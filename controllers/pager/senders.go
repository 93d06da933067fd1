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

// secretTimeout is how long reading a Secret may take, while others wait for it.
const secretTimeout = 10 * time.Second

// senders keeps a sender ready for each receiver, made once for each version of
// the receiver and its Secret.
type senders struct {
	live  client.Reader // Secrets are read one at a time, never cached
	guard *outbound.Guard

	mu    sync.Mutex
	ready *lru.Cache // v1beta1.ReceiverRef and namespace → *readySender
}

type senderKey struct {
	namespace string
	ref       v1beta1.ReceiverRef
}

type readySender struct {
	// bulkhead is the receiver's, whatever version it is of.
	bulkhead outbound.Bulkhead

	mu      sync.Mutex
	version string
	sender  notify.Sender
}

func newSenders(live client.Reader, guard *outbound.Guard) *senders {
	return &senders{live: live, guard: guard,
		ready: lru.NewWithEvictionFunc(maxSenders, func(_ lru.Key, value any) {
			go value.(*readySender).close()
		})}
}

// at is what there is for a receiver, as seen from a namespace.
func (s *senders) at(namespace string, ref v1beta1.ReceiverRef) *readySender {
	if ref.Kind == v1beta1.KindClusterReceiver {
		namespace = ""
	}
	return s.entry(senderKey{namespace: namespace, ref: ref})
}

// of is the sender for a receiver. Errors are of *notify.Error.
func (s *senders) of(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, p receivers.Party) (notify.Sender, error) {
	entry := s.at(namespace, ref)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if entry.version == p.Version && entry.sender != nil {
		return entry.sender, nil
	}
	secret, err := s.secret(ctx, p.SecretNamespace, p.Spec.SecretRef)
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

// newSender makes what talks to the receiver that spec describes. Errors name
// the field or the key of the Secret, never a value of it.
func newSender(spec *v1beta1.CommonReceiverSpec, data map[string][]byte, guard *outbound.Guard) (notify.Sender, error) {
	keys := &credentials{data: data}
	options := outbound.Options{
		Timeout:           time.Duration(spec.TimeoutSeconds) * time.Second,
		CABundle:          data["ca.crt"],
		ClientCertificate: data["tls.crt"],
		ClientKey:         data["tls.key"],
	}
	if spec.Webhook != nil {
		options.InsecureSkipVerify = spec.Webhook.InsecureSkipTLSVerify
	}
	outside, err := outbound.NewClient(guard, options)
	if err != nil {
		return nil, err
	}
	switch {
	case spec.Webhook != nil:
		config, err := webhookConfig(spec.Webhook, keys)
		if err != nil {
			return nil, err
		}
		return webhook.New(config, outside)
	case spec.Pushbullet != nil:
		p := spec.Pushbullet
		config := pushbullet.Config{URL: p.URL, Token: keys.get("token"), DeviceIden: p.DeviceIden, Email: p.Email, ChannelTag: p.ChannelTag}
		if keys.err != nil {
			return nil, keys.err
		}
		return pushbullet.New(config, outside)
	}
	return nil, errors.New("its provider is not served by this release of Bellhop; served are webhook and pushbullet")
}

func webhookConfig(spec *v1beta1.WebhookProvider, keys *credentials) (webhook.Config, error) {
	c := webhook.Config{
		URL:      spec.URL,
		Method:   string(spec.Method),
		Token:    keys.get("token"),
		Username: keys.get("username"),
		Password: keys.get("password"),
	}
	if c.URL == "" { // who may write the Secret but not the receiver does not redirect what else is in it
		c.URL = keys.get("url")
	}
	for _, key := range []string{"signingSecret", "signingSecretNext"} {
		if value := keys.get(key); value != "" {
			c.SigningSecrets = append(c.SigningSecrets, value)
		}
	}
	for _, h := range spec.Headers {
		value := h.Value
		if h.SecretKey != "" {
			if value = keys.get(h.SecretKey); value == "" {
				return c, fmt.Errorf("spec.webhook.headers: the Secret has no key %q for the header %s", h.SecretKey, h.Name)
			}
		}
		c.Headers = append(c.Headers, webhook.Header{Name: h.Name, Value: value})
	}
	return c, keys.err
}

// maxCredential bounds a credential, in bytes: looking for it in what others
// answer costs as much as it is long.
const maxCredential = 4096

// credentials are the values of a Secret; err is the first that cannot be one.
type credentials struct {
	data map[string][]byte
	err  error
}

func (c *credentials) get(key string) string {
	value := c.data[key]
	if len(value) > maxCredential && c.err == nil {
		c.err = fmt.Errorf("the Secret's key %s has %d bytes: at most %d are taken", key, len(value), maxCredential)
	}
	return string(value)
}
