// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/schema"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// ParametersVersion returns the version of the Secrets of parameters, from the cached metadata.
func ParametersVersion(ctx context.Context, cache client.Reader, namespace string, from []v1beta1.ParametersFromSource) (p rules.Parameters, err error) {
	if len(from) == 0 {
		return p, nil
	}
	var versions []string
	for _, source := range from {
		if source.SecretKeyRef == nil {
			continue
		}
		secret := apiserver.Metadata("Secret")
		err := cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: source.SecretKeyRef.Name}, secret, client.UnsafeDisableDeepCopy)
		if client.IgnoreNotFound(err) != nil {
			return p, err
		}
		versions = append(versions, string(secret.UID)+"/"+secret.ResourceVersion)
	}
	p.Version = catalog.Hash(strings.Join(versions, " "))
	return p, nil
}

// Sources are where the parameters of an object come from.
type Sources struct {
	Inline *runtime.RawExtension
	From   []v1beta1.ParametersFromSource
	// Sent are the checksums of the parameters that the broker has, or may have.
	Sent []string
}

// NewSources returns the sources of an object's parameters; sent are the checksums that are on record, of which it drops empty ones.
func NewSources(inline *runtime.RawExtension, from []v1beta1.ParametersFromSource, sent ...string) Sources {
	return Sources{Inline: inline, From: from, Sent: slices.DeleteFunc(sent, func(sum string) bool { return sum == "" })}
}

// ReadParameters reads the Secrets of parameters, once each, and merges the parameters. Of a Secret only the keys of parameters are kept. No
// further Secret is read once the values are too large together, so that the memory is bounded. It returns secrets.ErrBusy where other objects come
// first.
func (r *Reconciler) ReadParameters(ctx context.Context, obj client.Object, have Sources, p rules.Parameters) (rules.Parameters, error) {
	if len(have.From) > 0 {
		leave, err := r.Reads.Enter(ctx, obj.GetNamespace(), 1, ReadTimeout)
		if err != nil {
			return p, err
		}
		defer leave()
	}
	sources := make([]catalog.SecretSource, 0, len(have.From))
	read := map[string]map[string][]byte{}
	for _, source := range have.From {
		ref := source.SecretKeyRef
		if ref == nil {
			continue
		}
		if _, ok := read[ref.Name]; !ok {
			secret, err := secrets.Read(ctx, r.Live, types.NamespacedName{Namespace: obj.GetNamespace(), Name: ref.Name})
			if client.IgnoreNotFound(err) != nil {
				return p, fmt.Errorf("reading Secret %q for parameters: %s", ref.Name, apierrors.ReasonForError(err))
			}
			read[ref.Name] = nil
			if err == nil {
				read[ref.Name] = keysOf(secret, have.From)
			}
		}
		sources = append(sources, catalog.SecretSource{Secret: ref.Name, Key: ref.Key, Data: read[ref.Name]})
		if catalog.SizeOf(sources) > catalog.MaxSent { // Merge refuses them
			break
		}
	}
	merged, bad := catalog.Merge(have.Inline, sources, have.Sent...)
	p.Parameters, p.Known = merged, true
	p.SecretMissing = slices.ContainsFunc(sources, func(s catalog.SecretSource) bool { return s.Data == nil })
	if bad != nil {
		p.Blocker = rules.BlockedBy(v1beta1.ReasonErrorWithParameters, bad.Error())
		if p.SecretMissing {
			p.Blocker = rules.MissingReference(obj, v1beta1.ReasonErrorWithParameters, bad.Error())
		}
		return p, nil
	}
	var key []byte // parameters of the spec alone are in the status as they are
	if len(sources) > 0 {
		var err error
		if key, err = r.DigestKey.Get(ctx); err != nil {
			return p, err
		}
	}
	p.Digest = catalog.Digest(key, merged.Sent)
	return p, nil
}

// keysOf returns the keys of a Secret that have parameters.
func keysOf(secret *corev1.Secret, from []v1beta1.ParametersFromSource) map[string][]byte {
	data := map[string][]byte{}
	for _, source := range from {
		if ref := source.SecretKeyRef; ref != nil && ref.Name == secret.Name {
			if value, ok := secret.Data[ref.Key]; ok {
				data[ref.Key] = value
			}
		}
	}
	return data
}

// parametersDigest is the digest of an object's parameters that this process has read.
type parametersDigest struct {
	generation      int64
	version, digest string
}

// RecallDigest adds the digest of parameters whose version alone is known, where this process has read that version.
func (r *Memory) RecallDigest(obj client.Object, p *rules.Parameters) {
	if r.parameters.generation == obj.GetGeneration() && r.parameters.version == p.Version {
		p.Digest = r.parameters.digest
	}
}

// RememberDigest remembers the digest of parameters from Secrets, so that each version is read only once.
func (r *Memory) RememberDigest(obj client.Object, p rules.Parameters) {
	if p.Version != "" && p.Digest != "" {
		r.parameters = parametersDigest{obj.GetGeneration(), p.Version, p.Digest}
	}
}

// ValidateParameters validates the parameters of an object with a schema of its plan, unless an annotation says that the broker decides.
func ValidateParameters(ctx context.Context, obj client.Object, plan v1beta1.Plan, planSchema *runtime.RawExtension, p rules.Parameters) rules.Parameters {
	p.Invalid, p.Required = nil, nil
	if catalog.IsSchemaAdvisory(plan, obj) {
		return p
	}
	sent := p.Sent
	if sent == nil {
		sent = []byte("{}")
	}
	errs, _ := schema.Validate(ctx, planSchema, sent, schema.Options{Path: field.NewPath("spec", "parameters"), Origins: p.Origins}) // admission has warned of an invalid schema
	if len(errs) > 0 {
		p.Invalid = rules.BlockedBy(v1beta1.ReasonErrorWithParameters, errs.ToAggregate().Error())
		return p
	}
	p.Required = schema.Required(planSchema)
	return p
}

// RequiredParameters returns the names of the parameters that a schema of a plan requires; none where an annotation says that the broker
// decides. It reads no Secret: the operation that is polled may fail because of such a parameter.
func RequiredParameters(obj client.Object, plan v1beta1.Plan, planSchema *runtime.RawExtension) []string {
	if catalog.IsSchemaAdvisory(plan, obj) {
		return nil
	}
	return schema.Required(planSchema)
}
