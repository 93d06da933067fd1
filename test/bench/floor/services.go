// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// A request is one that Bellhop sent to a broker.
type request struct {
	Method, URI string
	Header      http.Header
	Body        []byte
}

// services sends the requests that an instance and a binding need, as copies of those that Bellhop sent.
type services struct {
	client client.Client
	http   *http.Client
	url    string

	model struct {
		Instance                             v1beta1.ServiceInstance
		Binding                              v1beta1.ServiceBinding
		Secret                               corev1.Secret
		Provision, Deprovision, Bind, Unbind request
	}
	instanceAhead, bindingAhead   []byte // statuses before the request, as JSON
	instanceStatus, bindingStatus []byte // of the model, as JSON
}

// setUpServices adds a reconciler for instances and another for bindings.
func setUpServices(mgr ctrl.Manager, o options) error {
	s := &services{client: mgr.GetClient(), http: o.httpClient(), url: o.url}
	err := o.readModel(&s.model)
	if err != nil {
		return err
	}
	instance, binding := s.model.Instance.Status.DeepCopy(), s.model.Binding.Status.DeepCopy()
	instance.CurrentOperation, instance.InProgressProperties, instance.ExternalProperties = v1beta1.OperationProvision, instance.ExternalProperties, nil
	binding.CurrentOperation, binding.InProgressProperties, binding.ExternalProperties = v1beta1.OperationBind, binding.ExternalProperties, nil
	for into, status := range map[*[]byte]any{
		&s.instanceAhead: instance, &s.instanceStatus: s.model.Instance.Status,
		&s.bindingAhead: binding, &s.bindingStatus: s.model.Binding.Status,
	} {
		if *into, err = json.Marshal(status); err != nil {
			return err
		}
	}
	for kind, reconcileKind := range map[client.Object]reconcile.Func{
		&v1beta1.ServiceInstance{}: s.reconcileInstance,
		&v1beta1.ServiceBinding{}:  s.reconcileBinding,
	} {
		err := ctrl.NewControllerManagedBy(mgr).
			For(kind, builder.WithPredicates(predicate.GenerationChangedPredicate{})). // its own status patches do not trigger it
			WithOptions(controller.Options{MaxConcurrentReconciles: o.workers}).
			Complete(reconcileKind)
		if err != nil {
			return err
		}
	}
	return nil
}

// reconcileInstance provisions a new instance, and deprovisions a deleted one.
func (s *services) reconcileInstance(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	i := &v1beta1.ServiceInstance{}
	if err := s.client.Get(ctx, request.NamespacedName, i); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	switch {
	case !i.DeletionTimestamp.IsZero():
		if err := s.sendRecorded(ctx, s.model.Deprovision, i, ""); err != nil {
			return ctrl.Result{}, fmt.Errorf("deprovisioning: %w", err)
		}
		return ctrl.Result{}, s.client.Patch(ctx, i, client.RawPatch(types.JSONPatchType, finalizerPatch(i)))
	case len(i.Status.Conditions) == 0:
		if err := s.client.Status().Patch(ctx, i, client.RawPatch(types.JSONPatchType, statusPatch(i, s.instanceAhead))); err != nil {
			return ctrl.Result{}, fmt.Errorf("recording the request: %w", err)
		}
		if err := s.sendRecorded(ctx, s.model.Provision, i, ""); err != nil {
			return ctrl.Result{}, fmt.Errorf("provisioning: %w", err)
		}
		return ctrl.Result{}, s.client.Status().Patch(ctx, i, client.RawPatch(types.JSONPatchType, statusPatch(i, s.instanceStatus)))
	}
	return ctrl.Result{}, nil
}

// reconcileBinding binds a new binding, and unbinds a deleted one.
func (s *services) reconcileBinding(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	b, i := &v1beta1.ServiceBinding{}, &v1beta1.ServiceInstance{}
	if err := s.client.Get(ctx, request.NamespacedName, b); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.InstanceRef.Name}, i); err != nil {
		return ctrl.Result{}, err
	}
	switch {
	case !b.DeletionTimestamp.IsZero():
		if err := s.sendRecorded(ctx, s.model.Unbind, i, b.Spec.ExternalID); err != nil {
			return ctrl.Result{}, fmt.Errorf("unbinding: %w", err)
		}
		if err := s.client.Delete(ctx, s.secret(b)); err != nil {
			return ctrl.Result{}, fmt.Errorf("deleting the Secret: %w", err)
		}
		return ctrl.Result{}, s.client.Patch(ctx, b, client.RawPatch(types.JSONPatchType, finalizerPatch(b)))
	case len(b.Status.Conditions) == 0:
		if err := s.client.Status().Patch(ctx, b, client.RawPatch(types.JSONPatchType, statusPatch(b, s.bindingAhead))); err != nil {
			return ctrl.Result{}, fmt.Errorf("recording the request: %w", err)
		}
		if err := s.sendRecorded(ctx, s.model.Bind, i, b.Spec.ExternalID); err != nil {
			return ctrl.Result{}, fmt.Errorf("binding: %w", err)
		}
		if err := s.client.Create(ctx, s.secret(b)); err != nil {
			return ctrl.Result{}, fmt.Errorf("writing the Secret: %w", err)
		}
		return ctrl.Result{}, s.client.Status().Patch(ctx, b, client.RawPatch(types.JSONPatchType, statusPatch(b, s.bindingStatus)))
	}
	return ctrl.Result{}, nil
}

// secret returns the Secret of the model, for another binding.
func (s *services) secret(b *v1beta1.ServiceBinding) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: b.Namespace, Name: b.Name, Labels: s.model.Secret.Labels, Annotations: s.model.Secret.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(b, v1beta1.GroupVersion.WithKind("ServiceBinding"))},
		},
		Type: s.model.Secret.Type,
		Data: s.model.Secret.Data,
	}
}

// sendRecorded repeats a request of Bellhop with the ids of another instance or binding.
func (s *services) sendRecorded(ctx context.Context, recorded request, i *v1beta1.ServiceInstance, bindingID string) error {
	replacer := strings.NewReplacer(s.model.Instance.Spec.ExternalID, i.Spec.ExternalID, s.model.Binding.Spec.ExternalID, bindingID, s.model.Instance.Name, i.Name)
	r, err := http.NewRequestWithContext(ctx, recorded.Method, s.url+replacer.Replace(recorded.URI), strings.NewReader(replacer.Replace(string(recorded.Body))))
	if err != nil {
		return err
	}
	r.Header = recorded.Header
	return sendRequest(s.http, r)
}
