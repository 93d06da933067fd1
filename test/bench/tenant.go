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

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// A tenant is a namespace with ServiceInstances of a broker's service, and a ServiceBinding to each.
type tenant struct {
	api                 client.WithWatch
	namespace           string
	broker              *broker
	instances, bindings *crowd
}

// newTenant makes a namespace.
func newTenant(ctx context.Context, api client.WithWatch, namespace string, of *broker) (*tenant, error) {
	if err := makeNamespace(ctx, api, namespace); err != nil {
		return nil, err
	}
	t := &tenant{api: api, namespace: namespace, broker: of}
	instances, err := follow(ctx, api, namespace, &v1beta1.ServiceInstanceList{}, func(i *v1beta1.ServiceInstance) bool { return isReady(i.Status.Conditions) })
	if err != nil {
		return nil, err
	}
	bindings, err := follow(ctx, api, namespace, &v1beta1.ServiceBindingList{}, func(b *v1beta1.ServiceBinding) bool { return isReady(b.Status.Conditions) })
	t.instances = &crowd{api: api, object: t.instance, seen: instances}
	t.bindings = &crowd{api: api, object: t.binding, seen: bindings}
	return t, err
}

func isReady(conditions []v1beta1.Condition) bool {
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool {
		return c.Type == v1beta1.ConditionReady && c.Status == v1beta1.ConditionTrue
	})
}

func (t *tenant) instance(i int) client.Object {
	si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: objectName(i)}}
	si.Spec.ClusterServiceClassExternalName = t.broker.service.Name
	si.Spec.ClusterServicePlanExternalName = t.broker.service.Plans[0].Name
	si.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"location":"eastus","resourceGroup":"bench","firewallRules":[{"startIPAddress":"0.0.0.0","endIPAddress":"255.255.255.255","name":"AllowAll"}]}`)}
	return si
}

func (t *tenant) binding(i int) client.Object {
	sb := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: objectName(i)}}
	sb.Spec.InstanceRef.Name = objectName(i)
	return sb
}

// addBroker makes a ClusterServiceBroker, and returns once its catalog is read.
func (t *tenant) addBroker(ctx context.Context) error {
	b := &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: t.namespace}}
	b.Spec.URL = t.broker.url
	if err := t.api.Create(ctx, b); err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		err := t.api.Get(ctx, client.ObjectKeyFromObject(b), b)
		return isReady(b.Status.Conditions), err
	})
}

// removeBroker deletes it, and returns once it is gone.
func (t *tenant) removeBroker(ctx context.Context) error {
	b := &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: t.namespace}}
	if err := t.api.Delete(ctx, b); err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		err := t.api.Get(ctx, client.ObjectKeyFromObject(b), b)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

// eventually returns once it is so. It waits longer than for an object alone: it may be about thousands.
func eventually(ctx context.Context, is func(context.Context) (bool, error)) error {
	return wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 10*patience, true, is)
}

// check fails unless there are n instances with a binding each, and their Secrets.
func (t *tenant) check(ctx context.Context, n int) error {
	secrets := &corev1.SecretList{}
	if err := t.api.List(ctx, secrets, client.InNamespace(t.namespace)); err != nil {
		return err
	}
	if len(secrets.Items) != n {
		return fmt.Errorf("there are %d Secrets of %d bindings", len(secrets.Items), n)
	}
	return t.broker.checkHolds(n, n)
}

// An offer is what a broker's catalog is in a cluster.
type offer struct {
	service osbtest.Service
	objects []client.Object
}

// offered is what there is of classes and plans, to be made elsewhere.
func (t *tenant) offered(ctx context.Context) (*offer, error) {
	var classes v1beta1.ClusterServiceClassList
	var plans v1beta1.ClusterServicePlanList
	if err := errors.Join(t.api.List(ctx, &classes), t.api.List(ctx, &plans)); err != nil {
		return nil, err
	}
	all := &offer{service: t.broker.service}
	for _, c := range classes.Items {
		all.objects = append(all.objects, &v1beta1.ClusterServiceClass{ObjectMeta: ownMeta(c.ObjectMeta), Spec: c.Spec})
	}
	for _, p := range plans.Items {
		all.objects = append(all.objects, &v1beta1.ClusterServicePlan{ObjectMeta: ownMeta(p.ObjectMeta), Spec: p.Spec})
	}
	return all, nil
}

// ownMeta is what is not the API server's.
func ownMeta(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: m.Name, Labels: m.Labels, Annotations: m.Annotations}
}

// make makes the classes and plans where nobody reads catalogs.
func (o *offer) make(ctx context.Context, api client.Client) error {
	for _, object := range o.objects {
		if err := api.Create(ctx, object.DeepCopyObject().(client.Object)); err != nil {
			return err
		}
	}
	return nil
}
