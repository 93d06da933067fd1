// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"cmp"
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// ObjectLists returns a list of each kind that a run may have.
func (e *Environment) ObjectLists() []client.ObjectList {
	lists := []client.ObjectList{
		&pagerv1beta1.AlertList{}, &v1beta1.ServiceInstanceList{}, &v1beta1.ServiceBindingList{}, &corev1.SecretList{},
		&pagerv1beta1.AlertSourceList{},
	}
	if e.ClusterWide {
		return append(lists, &pagerv1beta1.ClusterReceiverList{},
			&v1beta1.ClusterServiceBrokerList{}, &v1beta1.ClusterServiceClassList{}, &v1beta1.ClusterServicePlanList{})
	}
	return append(lists, &pagerv1beta1.ReceiverList{},
		&v1beta1.ServiceBrokerList{}, &v1beta1.ServiceClassList{}, &v1beta1.ServicePlanList{})
}

// ListScope restricts a list to the run.
func (e *Environment) ListScope(list client.ObjectList) client.ListOption {
	switch list.(type) {
	case *pagerv1beta1.ClusterReceiverList, *v1beta1.ClusterServiceBrokerList, *v1beta1.ClusterServiceClassList, *v1beta1.ClusterServicePlanList:
		return client.MatchingLabels{proxy.RunLabel: e.Namespace}
	}
	return client.InNamespace(e.Namespace)
}

// untilRestarted is how often a list is repeated while the API server restarts: for five seconds.
var untilRestarted = wait.Backoff{Duration: 250 * time.Millisecond, Steps: 20}

// isBroken reports whether a request failed without an answer of the API server, as while it restarts.
func isBroken(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status)
}

// Objects returns all objects of the run.
func (e *Environment) Objects() (all []client.Object, err error) {
	for _, list := range e.ObjectLists() {
		err := retry.OnError(untilRestarted, isBroken, func() error { return e.Client.List(context.WithoutCancel(e.Ctx), list, e.ListScope(list)) })
		if err != nil {
			return nil, err
		}
		if err := meta.EachListItem(list, func(o runtime.Object) error {
			all = append(all, o.(client.Object))
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// BrokerIDs returns the ids that the broker holds.
func (e *Environment) BrokerIDs() map[string]bool {
	held := map[string]bool{}
	holds := e.Broker.Holds()
	for id := range holds.Instances {
		held[id] = true
	}
	for id := range holds.Bindings {
		held[id] = true
	}
	return held
}

// ExternalID returns the id that an object claims at the broker.
func ExternalID(o client.Object) string {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		return cmp.Or(o.Status.ExternalID, o.Spec.ExternalID)
	case *v1beta1.ServiceBinding:
		return cmp.Or(o.Status.ExternalID, o.Spec.ExternalID)
	}
	return ""
}

// RemoveObjects deletes the objects that are left, without their finalizers.
func (e *Environment) RemoveObjects() {
	ctx := context.WithoutCancel(e.Ctx)
	all, err := e.Objects()
	if err != nil {
		return
	}
	for _, o := range all {
		if len(o.GetFinalizers()) > 0 {
			bare := o.DeepCopyObject().(client.Object)
			bare.SetFinalizers(nil)
			_ = e.Client.Patch(ctx, bare, client.MergeFrom(o)) // best effort: it only saves resources of the machine
		}
		_ = e.Client.Delete(ctx, o)
	}
}
