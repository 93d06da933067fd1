// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// A tenant is a namespace with ServiceInstances of a broker's service, and a ServiceBinding to each.
type tenant struct {
	api                 client.WithWatch
	namespace           string
	broker              *broker
	instances, bindings *loadGenerator
}

// newTenant creates the namespace.
func newTenant(ctx context.Context, api client.WithWatch, namespace string, server *broker) (*tenant, error) {
	if err := makeNamespace(ctx, api, namespace); err != nil {
		return nil, err
	}
	t := &tenant{api: api, namespace: namespace, broker: server}
	instances, err := watchTimeline(ctx, api, namespace, &v1beta1.ServiceInstanceList{}, func(i *v1beta1.ServiceInstance) bool { return isReady(i.Status.Conditions) })
	if err != nil {
		return nil, err
	}
	bindings, err := watchTimeline(ctx, api, namespace, &v1beta1.ServiceBindingList{}, func(b *v1beta1.ServiceBinding) bool { return isReady(b.Status.Conditions) })
	t.instances = &loadGenerator{api: api, newObject: t.instance, timeline: instances}
	t.bindings = &loadGenerator{api: api, newObject: t.binding, timeline: bindings}
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

// addBroker creates a ClusterServiceBroker, and returns once the operator has read its catalog.
func (t *tenant) addBroker(ctx context.Context) error {
	b := &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: t.namespace}}
	b.Spec.URL = t.broker.url
	if err := t.api.Create(ctx, b); err != nil {
		return err
	}
	return pollUntil(ctx, func(ctx context.Context) (bool, error) {
		err := t.api.Get(ctx, client.ObjectKeyFromObject(b), b)
		return isReady(b.Status.Conditions), err
	})
}

// removeBroker deletes the ClusterServiceBroker, and returns once it is gone.
func (t *tenant) removeBroker(ctx context.Context) error {
	b := &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: t.namespace}}
	if err := t.api.Delete(ctx, b); err != nil {
		return err
	}
	return pollUntil(ctx, func(ctx context.Context) (bool, error) {
		err := t.api.Get(ctx, client.ObjectKeyFromObject(b), b)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

// pollUntil waits for a condition, longer than for a single object, since it may be about thousands.
func pollUntil(ctx context.Context, condition func(context.Context) (bool, error)) error {
	return wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 10*stallTimeout, true, condition)
}

// checkComplete fails unless there are exactly n instances, n bindings and n Secrets.
func (t *tenant) checkComplete(ctx context.Context, n int) error {
	secrets := &corev1.SecretList{}
	if err := t.api.List(ctx, secrets, client.InNamespace(t.namespace)); err != nil {
		return err
	}
	if len(secrets.Items) != n {
		return fmt.Errorf("there are %d Secrets of %d bindings", len(secrets.Items), n)
	}
	return t.broker.checkContents(n, n)
}

// catalogObjects are the classes and plans that the operator made of a broker's catalog.
type catalogObjects struct {
	service osbtest.Service
	objects []client.Object
}

// readCatalogObjects reads the classes and plans, to create them in an environment without the operator.
func (t *tenant) readCatalogObjects(ctx context.Context) (*catalogObjects, error) {
	var classes v1beta1.ClusterServiceClassList
	var plans v1beta1.ClusterServicePlanList
	if err := errors.Join(t.api.List(ctx, &classes), t.api.List(ctx, &plans)); err != nil {
		return nil, err
	}
	catalog := &catalogObjects{service: t.broker.service}
	for _, c := range classes.Items {
		catalog.objects = append(catalog.objects, &v1beta1.ClusterServiceClass{ObjectMeta: copyUserMetadata(c.ObjectMeta), Spec: c.Spec})
	}
	for _, p := range plans.Items {
		catalog.objects = append(catalog.objects, &v1beta1.ClusterServicePlan{ObjectMeta: copyUserMetadata(p.ObjectMeta), Spec: p.Spec})
	}
	return catalog, nil
}

// copyUserMetadata leaves out what the API server sets.
func copyUserMetadata(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: m.Name, Labels: m.Labels, Annotations: m.Annotations}
}

// create creates the classes and plans in an environment whose subject reads no catalogs.
func (o *catalogObjects) create(ctx context.Context, api client.Client) error {
	for _, object := range o.objects {
		if err := api.Create(ctx, object.DeepCopyObject().(client.Object)); err != nil {
			return err
		}
	}
	return nil
}
