// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// observeSecret observes the binding's Secret in the cache.
func (r *Reconciler) observeSecret(ctx context.Context, s *scope) error {
	meta, err := r.secrets.See(ctx, s.binding)
	if err != nil {
		return err
	}
	known := &s.memory
	s.shown = meta != nil && known.SecretVersion != "" && rules.NotAfter(known.SecretVersion, meta.ResourceVersion)
	s.inputs.Secret, s.inputs.SecretID, s.inputs.SecretVersion = bindingrules.ObserveSecret(s.binding, known, meta, r.Clock.Now())
	if s.inputs.SecretsVersion, err = r.secrets.Version(ctx, s.binding, meta); err != nil {
		return err
	}
	if known.SourcesVersion == s.inputs.SecretsVersion {
		s.inputs.Sources = known.Sources
	}
	return nil
}

// withSources reads the Secrets whose keys the binding copies, or returns why they cannot be read. They are in memory during the call only.
func (r *Reconciler) withSources(ctx context.Context, s *scope, timeout time.Duration, use func(bindingsecret.Sources) error) error {
	names := bindingsecret.SourcesOf(s.binding)
	if len(names) == 0 {
		return use(nil)
	}
	leave, err := r.Reads.Enter(ctx, s.binding.Namespace, len(names), timeout)
	if err != nil {
		return err
	}
	defer leave()
	others, err := r.secrets.ReadSources(ctx, s.binding)
	if err != nil {
		return err
	}
	return use(others)
}

// readSources judges the Secrets whose keys the binding copies, before its credentials are requested. The judgement holds until one of them
// changes.
func (r *Reconciler) readSources(ctx context.Context, s *scope) error {
	err := r.withSources(ctx, s, engine.ReadTimeout, func(others bindingsecret.Sources) error {
		return bindingsecret.CheckSources(s.binding, others)
	})
	if _, bad := errors.AsType[*bindingsecret.Error](err); err != nil && !bad {
		return engine.WithReason(v1beta1.ReasonErrorInjectingBindResult, err)
	}
	judged := bindingrules.Sources{Known: true}
	if err != nil {
		judged.Blocker = bindingsecret.BlockerForSources(s.binding, err)
	}
	s.inputs.Sources, s.memory.Sources, s.memory.SourcesVersion = judged, judged, s.inputs.SecretsVersion
	return nil
}

// inspectSecret reads the binding's Secret, and compares it with the content that was written.
func (r *Reconciler) inspectSecret(ctx context.Context, s *scope) error {
	leave, err := r.Reads.Enter(ctx, s.binding.Namespace, 1, engine.ReadTimeout)
	if err != nil {
		return err
	}
	defer leave()
	secret, err := r.readSecret(ctx, s.binding)
	if err != nil {
		return err
	}
	in, known := &s.inputs, &s.memory
	known.SecretVersion, known.SecretID, known.Modified, known.SeenAt = "", "", false, time.Time{}
	switch {
	case secret == nil:
		in.Secret, in.SecretID, in.SecretVersion = bindingrules.SecretAbsent, "", ""
		return nil
	case !bindingsecret.IsOwned(secret, s.binding):
		in.Secret, in.SecretID, in.SecretVersion = bindingrules.SecretNotOwned, "", ""
		return nil
	}
	known.SecretVersion, known.SeenAt = secret.ResourceVersion, r.Clock.Now()
	known.SecretID, known.Modified = bindingsecret.ContentOf(secret, s.binding)
	in.Secret, in.SecretID, in.SecretVersion = bindingrules.SecretInSync, known.SecretID, known.SecretVersion
	if known.Modified {
		in.Secret = bindingrules.SecretModified
	}
	return nil
}

// readNamespace reads whether the binding's namespace is being deleted: the cache may show the end of a Secret first.
func (r *Reconciler) readNamespace(ctx context.Context, s *scope) error {
	is, err := apiserver.ReadTerminating(ctx, r.Live, s.binding.Namespace)
	if err != nil {
		return engine.WithReason(v1beta1.ReasonErrorInjectingBindResult, fmt.Errorf("reading Namespace %q: %s", s.binding.Namespace, apierrors.ReasonForError(err)))
	}
	if s.inputs.Namespace = rules.NamespaceLives; is {
		s.inputs.Namespace = rules.NamespaceTerminating
	}
	return nil
}

// readSecret reads the Secret of the binding's secretName; nil: it does not exist.
func (r *Reconciler) readSecret(ctx context.Context, b *v1beta1.ServiceBinding) (*corev1.Secret, error) {
	secret, err := r.secrets.Read(ctx, b)
	if err == nil {
		return secret, nil
	}
	reason := v1beta1.ReasonErrorInjectingBindResult
	if !b.DeletionTimestamp.IsZero() {
		reason = v1beta1.ReasonErrorEjectingServiceBinding
	}
	return nil, engine.WithReason(reason, fmt.Errorf("reading the binding's Secret: %s", apierrors.ReasonForError(err)))
}
