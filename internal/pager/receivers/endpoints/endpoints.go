// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package endpoints has this process's state of the endpoints of receivers: a sender for each version, the limits of requests, and the results of
// deliveries and probes.
package endpoints

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/outbound/versioned"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/panics"
)

// ErrBusy is returned where a receiver's Secret is being read, which may take long. The caller asks again after BusyDelay.
var ErrBusy = versioned.ErrBusy

// IsBusy reports whether an error is that a receiver's Secret, or its metadata, are being read. The caller asks again after BusyDelay.
func IsBusy(err error) bool { return errors.Is(err, ErrBusy) || errors.Is(err, secrets.ErrBusy) }

// BusyDelay is the delay after ErrBusy.
const BusyDelay = time.Second

// Cache has a sender and a limiter for each receiver. A sender is replaced when the receiver's endpoint or its timeout changes. The Secret is
// read once for each revision of the receiver and its Secret.
type Cache struct {
	apiReader client.Reader // reads Secrets one at a time: their content is not cached
	factory   providers.Factory
	// Policy of Receivers' addresses in Secrets. It is set before the first request.
	Policy receivers.Policy

	Senders *versioned.Cache[Key, *PreparedSender]
	kept    keptSenders
	// Limiters has one limiter for each receiver, of any version. The limiters of the Receivers of a namespace share a bound.
	Limiters   limiter.Limiters[Key]
	Recoveries recoveries
}

// Key names a receiver; the namespace of a ClusterReceiver is empty.
type Key struct {
	Namespace string
	Ref       v1beta1.ReceiverRef
}

// NewCache returns a cache without senders.
func NewCache(apiReader client.Reader, factory providers.Factory) *Cache {
	c := &Cache{apiReader: apiReader, factory: factory, Senders: versioned.NewCache[Key, *PreparedSender]()}
	c.Limiters.TenantOf = func(key Key) string { return key.Namespace }
	return c
}

// KeyOf returns the key of a receiver that is referred to in a namespace.
func KeyOf(namespace string, ref v1beta1.ReceiverRef) Key {
	if ref.Kind == v1beta1.KindClusterReceiver {
		namespace = ""
	}
	return Key{Namespace: namespace, Ref: ref}
}

// IsBlocked reports whether the limiter of a receiver delays the requests of a namespace now.
func (c *Cache) IsBlocked(namespace string, ref v1beta1.ReceiverRef, now time.Time) bool {
	known := c.Limiters.Known(KeyOf(namespace, ref))
	return known != nil && known.Blocked(FlowOf(namespace), now) != ""
}

// PreparedSender is the sender of one revision of a receiver and its Secret.
type PreparedSender struct {
	Sender  notify.Sender // nil: see failure
	failure error         // why there is no sender
	version string        // as in alertrules.Target
	note    string        // as in alertrules.Target
	timeout int32         // of the receiver's spec
	// hosts of the receiver's requests, as far as the spec or the Secret has them.
	hosts []string
	// target is the last one that it was prepared for.
	target atomic.Pointer[alertrules.Target]
}

// Close closes idle connections.
func (p *PreparedSender) Close() {
	if p.Sender != nil {
		p.Sender.Close()
	}
}

// SetVersion sets the version of a target, and the abilities of its sender. It reads the receiver's Secret, once for each version of the Secret. It
// returns false where the Secret cannot be read now. Then the version is the revision, and an attempt to send fails with the error. An error is
// ErrBusy: a worker does not wait for the read of another one. Where the receiver or its Secret is gone it returns false, too: the target sends
// resolves with the former sender, if that is kept.
func (c *Cache) SetVersion(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, target *alertrules.Target) (ok bool, err error) {
	isSecretMissing := target.Problem != nil && target.Problem.Reason == v1beta1.ReasonSecretNotFound
	key := KeyOf(namespace, ref)
	if target.Spec == nil || isSecretMissing {
		return false, c.setKept(ctx, key, target)
	}
	c.kept.drop(key) // it was created again
	prepared, err := c.Senders.TryOf(key, target.Revision, c.newSender(ctx, ref, *target))
	switch {
	case errors.Is(err, ErrBusy):
		return false, err
	case err != nil:
		target.Version = target.Revision
		return false, nil //nolint:nilerr // an attempt to send fails with the error
	}
	describe(ctx, target, prepared)
	return true, nil
}

// describe sets the version of a target, and the abilities of its sender.
func describe(ctx context.Context, target *alertrules.Target, prepared *PreparedSender) {
	target.Version, target.SecretNote = prepared.version, prepared.note
	if prepared.Sender != nil {
		target.Edits = func(externalID string) bool { return canEdit(ctx, prepared.Sender, externalID) }
	}
}

// canEdit is notify.CanEdit. A panic of the provider must not end a decision, which is about all receivers of an Alert.
func canEdit(ctx context.Context, sender notify.Sender, externalID string) (can bool) {
	var err error // without an answer the message cannot be changed
	defer panics.Recover(ctx, panics.Receiver, "reading an external ID", &err)
	return notify.CanEdit(sender, externalID)
}

// Sender returns the sender of a receiver, and its version. That differs from the target's version if SetVersion could not read the Secret.
// An error is a *result.Error.
func (c *Cache) Sender(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, target alertrules.Target) (sender notify.Sender, version string, err error) {
	prepared, err := c.preparedSender(ctx, KeyOf(namespace, ref), target)
	if err != nil {
		return nil, target.Version, err
	}
	return prepared.Sender, prepared.version, prepared.failure
}

func (c *Cache) preparedSender(ctx context.Context, key Key, target alertrules.Target) (*PreparedSender, error) {
	if target.ResolvesOnly {
		return c.keptSender(key, target)
	}
	return c.Senders.Of(key, target.Revision, c.newSender(ctx, key.Ref, target))
}

// newSender returns the function that makes the sender of the target's revision. It returns the former one if the endpoint and the timeout are
// the same: a sender may remember its deliveries. An error means that the Secret could not be read. A configuration of which the provider makes no
// sender is prepared, too, with its failure.
func (c *Cache) newSender(ctx context.Context, ref v1beta1.ReceiverRef, target alertrules.Target) func(former *PreparedSender) (*PreparedSender, error) {
	return func(former *PreparedSender) (_ *PreparedSender, err error) {
		defer func() {
			if recovered := recover(); recovered != nil {
				failed := panics.Count(ctx, panics.Receiver, "preparing requests to the receiver", recovered)
				err = &result.Error{Class: result.Temporary, Reason: result.ReasonInternalError, Message: failed.Error()}
			}
		}()
		secret, err := c.readSecret(ctx, target.SecretNamespace, target.Spec.SecretRef)
		if err != nil {
			return nil, err
		}
		version, timeout := endpointVersion(target, secret), target.Spec.TimeoutSeconds
		if former != nil && former.failure == nil && former.version == version && former.timeout == timeout {
			former.target.Store(&target)
			return former, nil
		}
		note := providers.UnusedKeys(target.Spec, secret.Data)
		var sender notify.Sender
		if ref.Kind == v1beta1.KindReceiver {
			err = c.Policy.CheckSecret(secret.Data)
		}
		if err == nil {
			sender, err = c.factoryOf(ref.Kind).NewSender(target.Spec, secret.Data)
		}
		inSecret := providers.SecretAddress(target.Spec, secret.Data)
		if err != nil {
			err = invalidReceiver(err, target.Spec, note)
		} else {
			note = withRisks(note, receivers.RisksInSecret(inSecret))
		}
		prepared := &PreparedSender{Sender: sender, failure: err, version: version, note: note, timeout: timeout, hosts: hostsOf(target.Spec, inSecret)}
		prepared.target.Store(&target)
		return prepared, nil
	}
}

// factoryOf returns the factory of the senders of a kind of receiver.
func (c *Cache) factoryOf(kind v1beta1.ReceiverKind) providers.Factory {
	factory := c.factory
	factory.AbsoluteNames = kind == v1beta1.KindReceiver && c.Policy == receivers.PolicyStrict
	return factory
}

// withRisks adds to a note the warnings about an address in a Secret, whose content admission does not see.
func withRisks(note string, risks []string) string {
	for _, risk := range risks {
		if note != "" {
			note += ". "
		}
		note += risk
	}
	return note
}

// hostsOf returns the hosts in a spec, and those in its Secret.
func hostsOf(spec *v1beta1.CommonReceiverSpec, inSecret []notify.Address) (hosts []string) {
	if p, ok := providers.Of(spec); ok {
		inSecret = append(inSecret, p.Addresses()...)
	}
	for _, a := range inSecret {
		hosts = append(hosts, a.Host)
	}
	return hosts
}

// CheckAddress returns the error of a delivery to a receiver whose address is an IP address or localhost, and that the guard refuses. It
// makes no request. An error is a *result.Error.
func (c *Cache) CheckAddress(ctx context.Context, namespace string, ref v1beta1.ReceiverRef, target alertrules.Target) error {
	prepared, err := c.Senders.Of(KeyOf(namespace, ref), target.Revision, c.newSender(ctx, ref, target))
	if err != nil {
		return err
	}
	for _, host := range prepared.hosts {
		if err := c.factory.Guard.CheckHost(host); err != nil {
			return notify.FromRequest(err)
		}
	}
	return nil
}

// invalidReceiver returns the error of a configuration of which the provider makes no sender, as a *result.Error. note is about the
// Secret's keys, of which one may be misspelt; without one the error says which Secret has the value.
func invalidReceiver(err error, spec *v1beta1.CommonReceiverSpec, note string) error {
	failure := result.Error{Class: result.Configuration, Reason: result.ReasonInvalidReceiver, Message: err.Error()}
	if classified, ok := errors.AsType[*result.Error](err); ok {
		failure = *classified
	}
	fields, _, _ := strings.Cut(failure.Message, ": ")
	if name := providers.SecretOf(spec, fields); note == "" && name != "" {
		note = fmt.Sprintf("it is a key of Secret %q", name)
		if strings.Contains(fields, ",") {
			note = fmt.Sprintf("they are keys of Secret %q", name)
		}
	}
	if note != "" {
		failure.Message += "; " + note
	}
	return &failure
}

// endpointVersion returns the version of a receiver, as in alertrules.Target. It is a hash that statuses show. The Secret's UID, which they
// do not show, is part of it: without the UID, a reader of a status could compare the hash with the hashes of guessed credentials.
func endpointVersion(target alertrules.Target, secret *corev1.Secret) string {
	provider, err := json.Marshal(target.Spec.Provider)
	if err != nil {
		return target.Revision
	}
	parts := []string{"endpoint", string(target.UID), string(provider), string(secret.UID)}
	for _, key := range slices.Sorted(maps.Keys(secret.Data)) {
		parts = append(parts, key, string(secret.Data[key]))
	}
	return alertrules.HashVersion + ":" + alertrules.Fingerprint(parts...)
}

// readSecret reads a receiver's Secret; it is empty where the receiver has none. An error is a *result.Error.
func (c *Cache) readSecret(ctx context.Context, namespace string, ref *v1beta1.SecretReference) (*corev1.Secret, error) {
	if ref == nil {
		return &corev1.Secret{}, nil
	}
	secret, err := secrets.Read(ctx, c.apiReader, client.ObjectKey{Namespace: namespace, Name: ref.Name})
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

// recoveries has the times at which receivers last recovered from failures: Alerts that wait for a receiver need not wait any longer. Its
// zero value is empty.
type recoveries struct {
	mu sync.Mutex
	at map[Key]time.Time
}

// Set records when a receiver recovered.
func (r *recoveries) Set(key Key, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[Key]time.Time{}
	}
	r.at[key] = at
}

// At returns when a receiver last recovered; zero: it has not, since this process started.
func (r *recoveries) At(key Key) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at[key]
}

// Forget drops a receiver that was deleted.
func (r *recoveries) Forget(key Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.at, key)
}

// FlowOf returns the flow of a namespace's requests in the limiter of a receiver: flows get slots in turn.
func FlowOf(namespace string) string { return "namespace " + namespace }

// FailureOfPanic returns a panic of a provider as a failure. It is called by the deferred function that recovers.
func FailureOfPanic(ctx context.Context, ref v1beta1.ReceiverRef, recovered any) *result.Error {
	return notify.FromPanic(log.IntoContext(ctx, log.FromContext(ctx).WithValues("receiver", ref)), recovered)
}

// FailureOf returns an error of a sender as a *result.Error. Another error gets the class Unknown: the request is
// repeated under the same key.
func FailureOf(err error) *result.Error {
	if failure, ok := errors.AsType[*result.Error](err); ok {
		return failure
	}
	return &result.Error{Class: result.Unknown, Reason: result.ReasonBadAnswer, Message: "the request failed with an unexpected error"}
}

// unasked are the reasons of requests that were not sent, or were canceled, or ended with a panic, which says nothing of the receiver.
var unasked = []string{result.ReasonInternalError, result.ReasonCanceled, v1beta1.ReasonSecretNotFound, v1beta1.ReasonSecretNotRead}

// LimiterResult returns the meaning of a failure for other requests to the receiver. A refusal is an answer.
func LimiterResult(failure *result.Error) limiter.Result {
	switch {
	case failure == nil:
		return limiter.Result{}
	case failure.Reason == result.ReasonRateLimited || failure.RetryAfter > 0:
		return limiter.Result{Outcome: limiter.Throttled, RetryAfter: failure.RetryAfter, MayHaveArrived: failure.Class == result.Unknown}
	case slices.Contains(unasked, failure.Reason):
		return limiter.Result{Outcome: limiter.NotSent}
	case failure.Class == result.Configuration && failure.Reason == result.ReasonUnauthorized:
		return limiter.Result{Outcome: limiter.Unauthorized}
	case failure.Class == result.Configuration:
		return limiter.Result{Outcome: limiter.Misconfigured}
	case failure.Partial != "": // it took the message for others
		return limiter.Result{}
	case failure.Class == result.Permanent, failure.Class == result.Unconfirmed, failure.Reason == result.ReasonConflict:
		return limiter.Result{Outcome: limiter.Refused}
	}
	return limiter.Result{Outcome: limiter.Unavailable}
}
