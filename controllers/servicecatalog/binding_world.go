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
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/credentials"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/catalog/schema"
)

// settling is for how long the cache may not show a Secret that this process has written.
const settling = 10 * time.Second

// bindingKnown is what this process knows of a binding and its Secret beyond the status.
type bindingKnown struct {
	bindingMemory
	// seen is the version of the Secret that was last read or written here, which had the
	// credentials of the id seenOf, or was edited; and when it was written.
	seen, seenOf string
	edited       bool
	written      time.Time
	// ejected: it was deleted.
	ejected bool
}

// settle forgets what a process needs not know of a binding that is as it should be.
func (k *bindingKnown) settle(v *bindingView) {
	s := &v.b.Status
	if v.world.secret != secretGood || !isDelivered(s) || s.CurrentOperation != "" || k.told != nil {
		return
	}
	k.bindingMemory = bindingMemory{}
	if v.shown && k.seen == s.SecretVersion { // as cache and record say, too
		*k = bindingKnown{}
	}
}

// look looks up what a binding refers to. All of it is in the cache.
func (r *BindingReconciler) look(ctx context.Context, v *bindingView) (err error) {
	since := r.fresh.Since(v.before)
	v.world = bindingWorld{firstSight: since == 0, definition: v.known.definition, polled: v.known.polled, asked: v.known.asked}
	w := &v.world
	if w.ground, err = findGround(ctx, r.index, v.b); err != nil {
		return err
	}
	target := targetOf(v.b, *w)
	if target != nil {
		if w.broker, err = r.index.Broker(ctx, v.b.Namespace, target.BrokerReference); index.IsNotFound(err) {
			w.broker, err = nil, nil
		}
		if err != nil {
			return err
		}
	}
	if w.claimed, err = r.isClaimed(ctx, v.b, bindingID(v.b, &v.b.Status), target); err != nil {
		return err
	}
	if id := v.b.Status.PredecessorID; id != "" {
		if w.predecessorClaimed, err = r.isClaimed(ctx, v.b, id, target); err != nil {
			return err
		}
	}
	if w.parameters, err = versionOf(ctx, r.client, v.b.Namespace, v.b.Spec.ParametersFrom); err != nil {
		return err
	}
	if len(v.b.Spec.ParametersFrom) == 0 {
		if err := r.readParameters(ctx, v); err != nil {
			return err
		}
	}
	return r.seeSecret(ctx, v)
}

// findGround finds what a binding is to be made on.
func findGround(ctx context.Context, x index.Index, b *v1beta1.ServiceBinding) (g ground, err error) {
	instance := &v1beta1.ServiceInstance{}
	if err := x.Cache.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.InstanceRef.Name}, instance); err != nil {
		return g, client.IgnoreNotFound(err)
	}
	g.instance = instance
	o, err := findOffer(ctx, x, instance)
	if err != nil {
		return g, err
	}
	g.class, g.plan, g.missing = o.class, o.plan, o.missing
	if g.missing != nil {
		reason := g.missing.reason
		if instance.Spec.ClusterServiceClassRef == nil && instance.Spec.ServiceClassRef == nil {
			reason = v1beta1.ReasonErrorInstanceRefsUnresolved
		}
		g.missing = &word{reason, fmt.Sprintf("ServiceInstance %q: %s", instance.Name, g.missing.message)}
	}
	props := instance.Status.ExternalProperties
	if instance.Status.ProvisionStatus != v1beta1.Provisioned || props == nil {
		return g, nil
	}
	at := instance.Status.Broker
	if at == nil && o.broker != nil && o.class != nil {
		at = brokerReference(o)
	}
	if at != nil {
		g.target = &v1beta1.ServiceBindingTarget{BrokerReference: *at, PlanID: planIDOf(props), InstanceID: idOf(instance)}
	}
	if o.class != nil { // the spec may ask for another plan than the instance has
		plans, err := x.PlansOf(ctx, o.class)
		if err != nil {
			return g, err
		}
		for _, p := range plans {
			if p.Common().ExternalID == planIDOf(props) {
				g.plan = p
			}
		}
	}
	return g, nil
}

// isClaimed says whether another live object of the broker has an id, or has still to
// remove what is there under it.
func (r *BindingReconciler) isClaimed(ctx context.Context, b *v1beta1.ServiceBinding, id string, target *v1beta1.ServiceBindingTarget) (bool, error) {
	others, err := r.index.BindingsWithID(ctx, id)
	if err != nil {
		return false, err
	}
	for _, other := range others {
		if other.UID == b.UID || !other.DeletionTimestamp.IsZero() || bindingID(other, &other.Status) != id && other.Status.PredecessorID != id {
			continue
		}
		g, err := findGround(ctx, r.index, other)
		if err != nil {
			return false, err
		}
		theirs := targetOf(other, bindingWorld{ground: g})
		if target == nil || theirs == nil || samePlace(target, b.Namespace, theirs, other.Namespace) {
			return true, nil
		}
	}
	return false, nil
}

// samePlace says whether two targets, of bindings in two namespaces, are one instance.
func samePlace(a *v1beta1.ServiceBindingTarget, in string, b *v1beta1.ServiceBindingTarget, within string) bool {
	local := a.Kind == "ServiceBroker"
	return a.Kind == b.Kind && a.Name == b.Name && a.InstanceID == b.InstanceID && (!local || in == within)
}

// readParameters puts a binding's parameters together, and checks them against what the
// plan says of them.
func (r *BindingReconciler) readParameters(ctx context.Context, v *bindingView) error {
	p, err := readParameters(ctx, r.live, v.b.Namespace, v.b.Spec.Parameters, v.b.Spec.ParametersFrom, v.world.parameters)
	if err != nil {
		return err
	}
	if len(v.b.Spec.ParametersFrom) > 0 && p.problem == nil {
		r.recent.remember(secretsKey{uid: v.b.UID, parameters: p.Checksum}, p.Secrets)
	}
	if plan := v.world.ground.plan; p.problem == nil && plan != nil {
		sent := p.Sent
		if sent == nil {
			sent = []byte("{}")
		}
		errs, _ := schema.Validate(ctx, plan.Common().ServiceBindingCreateParameterSchema, sent, schema.Options{Path: field.NewPath("spec", "parameters")}) // admission has warned of a schema that is broken
		if len(errs) > 0 {
			p.problem = &word{v1beta1.ReasonErrorWithParameters, errs.ToAggregate().Error()}
		}
	}
	v.world.parameters = p
	return nil
}

// seeSecret says what the cache knows of the binding's Secret.
func (r *BindingReconciler) seeSecret(ctx context.Context, v *bindingView) error {
	meta, err := r.secrets.See(ctx, v.b)
	if err != nil {
		return err
	}
	known := &v.known.bindingKnown
	v.shown = meta != nil && known.seen != "" && notAfter(known.seen, meta.ResourceVersion)
	v.world.secret, v.world.secretOf, v.world.secretVersion = sightOf(v.b, v.world.firstSight, known, meta, r.clock.Now())
	return nil
}

// sightOf is what a process knows of a Secret of which its cache knows seen.
func sightOf(b *v1beta1.ServiceBinding, firstSight bool, known *bindingKnown, seen *metav1.PartialObjectMetadata, now time.Time) (is secretState, of, version string) {
	s := &b.Status
	sure := func() (secretState, string, string) {
		if known.edited {
			return secretEdited, "", ""
		}
		return secretGood, known.seenOf, known.seen
	}
	switch {
	case known.ejected:
		return secretAbsent, "", ""
	case seen == nil && known.seen != "" && now.Before(known.written.Add(settling)):
		return sure()
	case seen == nil && (isExpected(b) || !b.DeletionTimestamp.IsZero() && s.UnbindStatus == "" && !firstSight):
		return secretUnseen, "", ""
	case seen == nil:
		return secretAbsent, "", ""
	case known.seen != "" && notAfter(seen.ResourceVersion, known.seen):
		return sure()
	case !credentials.IsOwned(seen, b):
		return secretOthers, "", ""
	case isDelivered(s) && (s.SecretVersion == "" || notAfter(seen.ResourceVersion, s.SecretVersion)): // the former service-catalog wrote no version
		return secretGood, "", seen.ResourceVersion
	}
	return secretUnseen, "", ""
}

// isExpected says whether a binding's Secret should be there, or may be.
func isExpected(b *v1beta1.ServiceBinding) bool {
	s := &b.Status
	return s.SecretVersion != "" || isDelivered(s) && b.DeletionTimestamp.IsZero() || isBound(s) && s.CurrentOperation == "" ||
		s.CurrentOperation == v1beta1.OperationBind && s.UnbindStatus == v1beta1.UnbindRequired
}

func notAfter(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order <= 0
}

// lookAtSecret reads the binding's Secret, and compares it with what was written.
func (r *BindingReconciler) lookAtSecret(ctx context.Context, v *bindingView) error {
	secret, err := r.readSecret(ctx, v.b)
	if err != nil {
		return err
	}
	w, known := &v.world, &v.known.bindingKnown
	known.seen, known.seenOf, known.edited, known.written = "", "", false, time.Time{}
	switch {
	case secret == nil:
		w.secret, w.secretOf, w.secretVersion = secretAbsent, "", ""
		return nil
	case !credentials.IsOwned(secret, v.b):
		w.secret, w.secretOf, w.secretVersion = secretOthers, "", ""
		return nil
	}
	known.seen = secret.ResourceVersion
	known.seenOf, known.edited = contentOf(secret, v.b)
	if key := (secretsKey{uid: v.b.UID, id: known.seenOf}); hasAll(secret, v.b, known.seenOf) && r.recent.of(key) == nil {
		r.recent.remember(key, credentials.ValuesIn(secret))
	}
	w.secret, w.secretOf, w.secretVersion = secretGood, known.seenOf, known.seen
	if known.edited {
		w.secret = secretEdited
	}
	return nil
}

// readSecret reads the Secret that has a binding's name for it; nil: there is none.
func (r *BindingReconciler) readSecret(ctx context.Context, b *v1beta1.ServiceBinding) (*corev1.Secret, error) {
	secret, err := r.secrets.Read(ctx, b)
	if err == nil {
		return secret, nil
	}
	reason := v1beta1.ReasonErrorInjectingBindResult
	if !b.DeletionTimestamp.IsZero() {
		reason = v1beta1.ReasonErrorEjectingServiceBinding
	}
	return nil, inTheWay(reason, fmt.Errorf("reading the binding's Secret: %s", apierrors.ReasonForError(err)))
}

// contentOf says of which of a binding's ids a Secret has the credentials, and whether
// they are not as they should be.
func contentOf(secret *corev1.Secret, b *v1beta1.ServiceBinding) (of string, edited bool) {
	s := &b.Status
	if !credentials.IsRecorded(secret) { // the former service-catalog wrote none
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
