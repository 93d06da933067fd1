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
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/catalog/schema"
	"github.com/gophernetes/bellhop/internal/kube"
)

// look looks up what an instance refers to. All of it is in the cache.
func (r *InstanceReconciler) look(ctx context.Context, v *instanceView) error {
	si := v.si
	v.world = instanceWorld{firstSight: r.fresh.Since(si) == 0, since: r.fresh.Since(si), definition: v.known.definition, polled: v.known.polled, asked: v.known.asked}
	w := &v.world
	var err error
	if w.offer, err = findOffer(ctx, r.index, si); err != nil {
		return err
	}
	w.refs = missingRefs(si, w.offer)
	if w.claimed, err = r.isClaimed(ctx, si, w.offer); err != nil {
		return err
	}
	if w.plans, err = r.plansToTry(ctx, si, w.offer); err != nil {
		return err
	}
	if w.working, err = r.planOf(ctx, w.offer, workingProperties(&si.Status)); err != nil {
		return err
	}
	if !si.DeletionTimestamp.IsZero() {
		w.bindings, err = r.bindingsOf(ctx, si)
		return err
	}
	if w.present, err = r.planOf(ctx, w.offer, si.Status.ExternalProperties); err != nil {
		return err
	}
	if w.parameters, err = versionOf(ctx, r.client, si.Namespace, si.Spec.ParametersFrom); err != nil {
		return err
	}
	if len(si.Spec.ParametersFrom) == 0 {
		return r.readParameters(ctx, v)
	}
	return nil
}

// findOffer finds the plan that an instance is to have, or has.
func findOffer(ctx context.Context, x index.Index, si *v1beta1.ServiceInstance) (o offer, err error) {
	ref, errs := catalog.ReferenceOf(si.Spec.PlanReference)
	if o.class, err = x.ClassOf(ctx, si); o.class == nil && err == nil && len(errs) == 0 {
		o.class, err = x.Class(ctx, si.Namespace, ref)
	}
	if o.missing, err = missing(v1beta1.ReasonReferencesNonexistentServiceClass, err); err != nil {
		return o, err
	}
	if o.class == nil && o.missing == nil {
		o.missing = &word{v1beta1.ReasonReferencesNonexistentServiceClass, errs.ToAggregate().Error()}
	}
	if o.class != nil {
		if o.plan, err = x.PlanOf(ctx, si); o.plan == nil && err == nil {
			o.plan, err = x.Plan(ctx, o.class, ref)
		}
		if o.missing, err = missing(v1beta1.ReasonReferencesNonexistentServicePlan, err); err != nil {
			return o, err
		}
		if o.plan != nil && o.plan.ClassName() != o.class.GetName() {
			o.missing = &word{v1beta1.ReasonReferencesNonexistentServicePlan, fmt.Sprintf("the plan %q is not of the class %q", o.plan.GetName(), o.class.GetName())}
			o.plan = nil
		}
	}
	return o, findBroker(ctx, x, si, &o)
}

// missing tells that something does not exist, or is not only one, from other errors.
func missing(reason string, err error) (*word, error) {
	if index.IsNotFound(err) || index.IsAmbiguous(err) {
		return &word{reason, err.Error()}, nil
	}
	return nil, err
}

// findBroker finds the broker that an instance is at, or that offers its class.
func findBroker(ctx context.Context, x index.Index, si *v1beta1.ServiceInstance, o *offer) (err error) {
	switch known := si.Status.Broker; {
	case known != nil && known.Name != "":
		o.broker, err = x.Broker(ctx, si.Namespace, *known)
	case o.class != nil:
		o.broker, err = x.BrokerOf(ctx, o.class)
	}
	gone, err := missing(v1beta1.ReasonReferencesNonexistentBroker, err)
	if gone != nil && o.missing == nil {
		o.missing = gone
	}
	return err
}

// missingRefs are the references that the spec does not have yet.
func missingRefs(si *v1beta1.ServiceInstance, o offer) *catalogRefs {
	spec := &si.Spec
	complete := spec.ClusterServiceClassRef != nil && spec.ClusterServicePlanRef != nil || spec.ServiceClassRef != nil && spec.ServicePlanRef != nil
	if complete || o.class == nil || o.plan == nil {
		return nil
	}
	return &catalogRefs{cluster: o.class.GetNamespace() == "", class: o.class.GetName(), plan: o.plan.GetName()}
}

// isClaimed says whether another live object of the broker has the instance's id.
func (r *InstanceReconciler) isClaimed(ctx context.Context, si *v1beta1.ServiceInstance, o offer) (bool, error) {
	others, err := r.index.InstancesWithID(ctx, idOf(si))
	if err != nil {
		return false, err
	}
	for _, other := range others {
		if other.UID == si.UID || !other.DeletionTimestamp.IsZero() || idOf(other) != idOf(si) {
			continue
		}
		theirs, err := findOffer(ctx, r.index, other)
		if err != nil {
			return false, err
		}
		if theirs.broker == nil || o.broker == nil || keyOf(theirs.broker) == keyOf(o.broker) {
			return true, nil
		}
	}
	return false, nil
}

func (r *InstanceReconciler) bindingsOf(ctx context.Context, si *v1beta1.ServiceInstance) (names []string, err error) {
	bindings, err := r.index.Bindings(ctx, client.ObjectKeyFromObject(si))
	for _, b := range bindings {
		names = append(names, b.Name)
	}
	return names, err
}

// plansToTry are the ids of a class's plans, where the broker has refused to remove the
// one that is on record.
func (r *InstanceReconciler) plansToTry(ctx context.Context, si *v1beta1.ServiceInstance, o offer) (ids []string, err error) {
	if o.class == nil || refusals(&si.Status) == 0 || !mayHaveAnyPlan(&si.Status) {
		return nil, nil
	}
	plans, err := r.index.PlansOf(ctx, o.class)
	for _, p := range plans {
		ids = append(ids, p.Common().ExternalID)
	}
	slices.Sort(ids)
	return ids, err
}

// planOf is the plan that properties name, nil if it is gone.
func (r *InstanceReconciler) planOf(ctx context.Context, o offer, props *v1beta1.ServiceInstancePropertiesState) (v1beta1.Plan, error) {
	if o.class == nil || props == nil {
		return nil, nil
	}
	plans, err := r.index.PlansOf(ctx, o.class)
	for _, p := range plans {
		if p.Common().ExternalID == planIDOf(props) {
			return p, err
		}
	}
	return nil, err
}

// versionOf tells which versions of Secrets parameters are from, without reading them.
func versionOf(ctx context.Context, cache client.Reader, namespace string, from []v1beta1.ParametersFromSource) (p parameters, err error) {
	if len(from) == 0 {
		return p, nil
	}
	var versions []string
	for _, source := range from {
		if source.SecretKeyRef == nil {
			continue
		}
		secret := kube.Metadata("Secret")
		err := cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: source.SecretKeyRef.Name}, secret)
		if client.IgnoreNotFound(err) != nil {
			return p, err
		}
		versions = append(versions, string(secret.UID)+"/"+secret.ResourceVersion)
	}
	p.version = catalog.Hash(strings.Join(versions, " "))
	return p, nil
}

// readParameters puts an instance's parameters together, and checks them against what
// the plan says of them.
func (r *InstanceReconciler) readParameters(ctx context.Context, v *instanceView) error {
	p, err := readParameters(ctx, r.live, v.si.Namespace, v.si.Spec.Parameters, v.si.Spec.ParametersFrom, v.world.parameters)
	if err != nil || p.problem != nil || v.world.offer.plan == nil {
		v.world.parameters = p
		return err
	}
	common := v.world.offer.plan.Common()
	plans := common.InstanceCreateParameterSchema
	if v.si.Status.ProvisionStatus == v1beta1.Provisioned {
		plans = common.InstanceUpdateParameterSchema
	}
	sent := p.Sent
	if sent == nil {
		sent = []byte("{}")
	}
	errs, _ := schema.Validate(ctx, plans, sent, schema.Options{Path: field.NewPath("spec", "parameters")}) // admission has warned of a schema that is broken
	if len(errs) > 0 {
		p.unfit = &word{v1beta1.ReasonErrorWithParameters, errs.ToAggregate().Error()}
	}
	v.world.parameters = p
	return nil
}

// readParameters reads the Secrets that parameters are from, once each.
func readParameters(ctx context.Context, live client.Reader, namespace string, inline *runtime.RawExtension, from []v1beta1.ParametersFromSource, p parameters) (parameters, error) {
	sources := make([]catalog.SecretSource, 0, len(from))
	read := map[string]map[string][]byte{}
	for _, source := range from {
		ref := source.SecretKeyRef
		if ref == nil {
			continue
		}
		if _, ok := read[ref.Name]; !ok {
			secret, err := kube.ReadSecret(ctx, live, types.NamespacedName{Namespace: namespace, Name: ref.Name})
			if client.IgnoreNotFound(err) != nil {
				return p, fmt.Errorf("reading Secret %q for parameters: %s", ref.Name, apierrors.ReasonForError(err))
			}
			if err == nil && secret.Data == nil {
				secret.Data = map[string][]byte{}
			}
			read[ref.Name] = secret.Data
		}
		sources = append(sources, catalog.SecretSource{Secret: ref.Name, Key: ref.Key, Data: read[ref.Name]})
	}
	merged, bad := catalog.Merge(inline, sources)
	p.Parameters, p.known = merged, true
	p.absent = slices.ContainsFunc(sources, func(s catalog.SecretSource) bool { return s.Data == nil })
	if bad != nil {
		p.problem = &word{v1beta1.ReasonErrorWithParameters, bad.Error()}
	}
	return p, nil
}

// namespaceUID is what brokers know a namespace by.
func namespaceUID(ctx context.Context, cache client.Reader, name string) (string, error) {
	namespace := kube.Metadata("Namespace")
	if err := cache.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return "", fmt.Errorf("looking up namespace %s, whose UID brokers are told: %s", name, err.Error()) // not wrapped: it is not the object that is gone
	}
	return string(namespace.UID), nil
}
