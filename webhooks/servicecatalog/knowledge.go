// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
)

// knowledge looks up objects in the caches. A cache that is not synced knows nothing: a request that depends on it is accepted, and the check is
// left to the controller.
type knowledge struct {
	index index.Index
	// synced reports whether the caches have all objects of the kinds of objs.
	synced func(ctx context.Context, objs ...client.Object) bool
}

// offer is the class and the plan that a reference names.
type offer struct {
	// class and plan are nil where they are not known.
	class v1beta1.Class
	plan  v1beta1.Plan
	// problem is why one of them does not exist; nil: both exist, or it is not known.
	problem error
	// unknown is why it is not known; empty: it is.
	unknown string
	// instead lists existing classes or plans with similar names; empty: there is no similar one.
	instead string
}

func (o offer) refs() (r catalog.Refs) {
	if o.class != nil {
		r.Class = o.class.GetName()
	}
	if o.plan != nil {
		r.Plan = o.plan.GetName()
	}
	return r
}

// offerOf looks up the reference of an instance. Without a plan it is the class's only one, if the catalog of the class was read
// completely.
func (k knowledge) offerOf(ctx context.Context, i *v1beta1.ServiceInstance, ref catalog.Reference) offer {
	if !k.knowsCatalogs(ctx) {
		return offer{unknown: "Bellhop is still starting"}
	}
	class, err := k.classOf(ctx, i, ref)
	if err != nil {
		if missing, ok := errors.AsType[*index.NotFoundError](err); ok {
			if unread := k.index.Unread(ctx, ref.Scope, i.Namespace); unread != "" {
				return offer{unknown: unread, instead: missing.Instead}
			}
		}
		return offer{problem: err}
	}
	o := offer{class: class}
	if o.plan, err = k.index.Plan(ctx, class, ref); err != nil {
		o.plan, o.problem = nil, err
	}
	// A class may exist before all of its plans do.
	if o.problem != nil || ref.Plan == "" {
		if half := k.halfRead(ctx, class); half != "" {
			return offer{class: class, unknown: half}
		}
	}
	return o
}

// classOf returns the class of an instance by its reference in the spec, or else by the name in its plan reference, which may be
// the name of another class later.
func (k knowledge) classOf(ctx context.Context, i *v1beta1.ServiceInstance, ref catalog.Reference) (v1beta1.Class, error) {
	if own := catalog.RefsOf(&i.Spec, ref.Scope).Class; own != "" {
		return k.index.ClassNamed(ctx, ref.Scope, i.Namespace, own)
	}
	return k.index.Class(ctx, i.Namespace, ref)
}

// refsTo returns the references to the class and the plan that ref names in the catalog, or the kept ones where there are any. The caches are read
// also before they are synced: the request then waits for them, or fails.
func (k knowledge) refsTo(ctx context.Context, namespace string, ref catalog.Reference, kept catalog.Refs) (r catalog.Refs, err error) {
	var class v1beta1.Class
	if kept.Class != "" {
		class, err = k.index.ClassNamed(ctx, ref.Scope, namespace, kept.Class)
	} else {
		class, err = k.index.Class(ctx, namespace, ref)
	}
	r = kept
	if err == nil {
		r.Class = class.GetName()
	}
	if err == nil && r.Plan == "" {
		var plan v1beta1.Plan
		if plan, err = k.index.Plan(ctx, class, ref); err == nil {
			r.Plan = plan.GetName()
		}
	}
	if index.IsNotFound(err) || index.IsAmbiguous(err) {
		return r, nil
	}
	return r, err
}

// instanceOffer looks up the references of an instance, or the class and the plan that its spec names where it has no references.
func (k knowledge) instanceOffer(ctx context.Context, i *v1beta1.ServiceInstance) offer {
	ref, errs := catalog.ReferenceOf(i.Spec.PlanReference)
	if len(errs) > 0 {
		return offer{problem: errs.ToAggregate()}
	}
	if !k.knowsCatalogs(ctx) {
		return offer{unknown: "Bellhop is still starting"}
	}
	class, err := k.index.ClassOf(ctx, i)
	if err != nil || class == nil {
		return k.offerOf(ctx, i, ref)
	}
	plan, err := k.index.PlanOf(ctx, i)
	if err != nil || plan == nil {
		return offer{class: class, problem: err}
	}
	return offer{class: class, plan: plan}
}

// knowsCatalogs reports whether the caches of both scopes are synced: a name may be in either.
func (k knowledge) knowsCatalogs(ctx context.Context) bool {
	return k.synced(ctx, &v1beta1.ClusterServiceBroker{}, &v1beta1.ClusterServiceClass{}, &v1beta1.ClusterServicePlan{},
		&v1beta1.ServiceBroker{}, &v1beta1.ServiceClass{}, &v1beta1.ServicePlan{})
}

// halfRead reports that the caches do not show the whole catalog that a class comes from, so that more of its plans may follow. It compares
// numbers: the broker's status, which is written after the classes and plans, has how many there are. No times are compared: the status has times
// of the operator's clock, a class has times of the API server's.
func (k knowledge) halfRead(ctx context.Context, class v1beta1.Class) string {
	kinds := catalogsync.KindsOf(catalog.ScopeOf(class))
	broker, err := k.index.BrokerOf(ctx, class)
	switch {
	case index.IsNotFound(err), err == nil && !kinds.IsOurs(class):
		return "" // a class that is created by hand, with its plans
	case err != nil:
		return err.Error()
	}
	classes, errClasses := k.index.Classes(ctx, broker)
	plans, errPlans := k.index.Plans(ctx, broker)
	if err := errors.Join(errClasses, errPlans); err != nil {
		return err.Error()
	}
	if status := broker.CommonStatus(); countOffered(kinds, classes) != int(status.ServiceClasses) || countOffered(kinds, plans) != int(status.ServicePlans) {
		return fmt.Sprintf("the catalog of %s %q is being read", kinds.BrokerKind(), broker.GetName())
	}
	return ""
}

// countOffered counts the classes or plans that a catalog offers, as the broker's status does.
func countOffered[T catalogsync.Object](kinds catalogsync.Kinds, list []T) (n int) {
	for _, o := range list {
		if kinds.IsOurs(o) && !*catalogsync.RemovedFlag(o) {
			n++
		}
	}
	return n
}

// lacksSecret reports that a Secret does not exist, as far as the cache is synced.
func (k knowledge) lacksSecret(ctx context.Context, name types.NamespacedName) bool {
	return k.synced(ctx, apiserver.Metadata("Secret")) && apierrors.IsNotFound(k.index.Cache.Get(ctx, name, apiserver.Metadata("Secret")))
}
