// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// uniqueCredentials returns credentials that no other binding has; they may only be in Secrets.
func uniqueCredentials(string) any {
	return map[string]string{"username": "app", "password": canary.Value + rand.Text()}
}

// revealOnce makes the broker reveal credentials once: the operator replaces them when their Secret is lost. It can create the new ones
// beside the present ones, unless the plans are notRotatable.
func revealOnce(s *osbtest.Service) { s.Behavior.RevealOnce = true }

// notRotatable makes bindings of all plans not rotatable.
func notRotatable(s *osbtest.Service) {
	for i := range s.Plans {
		s.Plans[i].BindingRotatable = false
	}
}

// notBindable makes instances of the smallest plan not bindable.
func notBindable(s *osbtest.Service) { s.Plans[0].Bindable = new(bool) }

// allRotatable makes bindings of all plans rotatable.
func allRotatable(s *osbtest.Service) {
	for i := range s.Plans {
		s.Plans[i].BindingRotatable = true
	}
}

// credentialLifetime is the lifetime of expiring credentials.
const credentialLifetime = time.Hour

// expiring makes credentials expire.
func expiring(s *osbtest.Service) { s.Behavior.Lifetime = credentialLifetime }

// bindingSecret returns the Secret of the name that a binding asks for.
func (e *Environment) bindingSecret(b *v1beta1.ServiceBinding) (*corev1.Secret, error) {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: catalog.SecretName(b)}}
	return s, e.get(s)
}

// deliveredSecret returns the Secret of a binding; an error unless the binding is Ready and the Secret has the credentials of the broker.
func (e *Environment) deliveredSecret(b *v1beta1.ServiceBinding) (*corev1.Secret, error) {
	if err := e.get(b); err != nil {
		return nil, err
	}
	e.retryIfRefused(b)
	if err := CheckReady(b.Status.Conditions, b.Status.ReconciledGeneration, b); err != nil {
		return nil, err
	}
	s, err := e.bindingSecret(b)
	if err != nil {
		return nil, err
	}
	if password := PasswordOf(e.Broker.Holds().Bindings[ExternalID(b)]); password == "" || password != string(s.Data["password"]) {
		return nil, fmt.Errorf("its Secret does not have the credentials that the broker holds for %s", ExternalID(b))
	}
	return s, nil
}

// PasswordOf returns the password of a binding at the broker; "": none.
func PasswordOf(b osbtest.Binding) string {
	var credentials struct{ Password string }
	_ = json.Unmarshal(b.Credentials, &credentials) // empty credentials have no password
	return credentials.Password
}

// bind creates an instance and a binding to it, and waits until both are Ready.
func (e *Environment) bind(class, plan string) (*v1beta1.ServiceInstance, *v1beta1.ServiceBinding) {
	si, b := e.NewInstance("db", class, plan), e.NewBinding("app", "db")
	e.create(si)
	e.create(b)
	e.waitReady(si, b)
	return si, b
}

// loseSecret deletes the Secret of a binding, and waits until the operator has created it again.
func (e *Environment) loseSecret(b *v1beta1.ServiceBinding) {
	lost, err := e.bindingSecret(b)
	e.must(err)
	e.remove(lost)
	e.await("the Secret is back", func() error {
		s, err := e.deliveredSecret(b)
		if err == nil && s.UID == lost.UID {
			return apierrors.NewConflict(corev1.Resource("secrets"), s.Name, nil)
		}
		return err
	})
}

// editSecret changes the Secret of a binding, and waits until the operator has restored the credentials. Keys that the user added stay.
func (e *Environment) editSecret(b *v1beta1.ServiceBinding) {
	s, err := e.bindingSecret(b)
	e.must(err)
	edit(e, s, func(s *corev1.Secret) {
		s.Data = map[string][]byte{"password": []byte("mine"), "note": []byte("mine")}
	})
	e.await("the Secret is restored", func() error {
		s, err := e.deliveredSecret(b)
		if err == nil && (len(s.Data["username"]) == 0 || string(s.Data["note"]) != "mine") {
			return fmt.Errorf("it has %d keys", len(s.Data))
		}
		return err
	})
}

// rebind requests other credentials, and waits for them.
func (e *Environment) rebind(b *v1beta1.ServiceBinding) {
	old := ExternalID(b)
	edit(e, b, func(b *v1beta1.ServiceBinding) {
		metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.RebindAnnotation, "now")
	})
	e.waitReplaced(b, old, e.checkMoved)
}

// waitReplaced waits until a check of the replacement of an id passes. It retries a replacement that the broker has refused.
func (e *Environment) waitReplaced(b *v1beta1.ServiceBinding, old string, check func(b *v1beta1.ServiceBinding, from string) error) {
	e.await("the credentials are replaced", func() error {
		err := check(b, old)
		if isLeft := b.Status.CurrentOperation == "" && b.Status.Rebind == b.Annotations[v1beta1.RebindAnnotation]; err != nil && ExternalID(b) == old && isLeft {
			e.requestRetry(b) // the present credentials still work
		}
		return err
	})
}

// checkReplaced returns an error unless a binding is delivered under another id.
func (e *Environment) checkReplaced(b *v1beta1.ServiceBinding, from string) error {
	_, err := e.deliveredSecret(b)
	if err == nil && ExternalID(b) == from {
		return fmt.Errorf("the id is still %s", from)
	}
	return err
}

// checkMoved returns an error unless a binding is delivered under another id, and its predecessor is gone.
func (e *Environment) checkMoved(b *v1beta1.ServiceBinding, from string) error {
	err := e.checkReplaced(b, from)
	if err == nil && len(b.Status.Predecessors) > 0 {
		return fmt.Errorf("the predecessors %v are not removed", b.Status.Predecessors)
	}
	return err
}

// renew moves the times in the status of a binding into the past, and waits for other credentials.
func (e *Environment) renew(b *v1beta1.ServiceBinding, after time.Duration) {
	old := ExternalID(b)
	e.await("the credentials are renewed", func() error {
		err := e.checkMoved(b, old)
		if s := &b.Status; err == nil || ExternalID(b) != old || s.ExpiresAt == nil || time.Until(s.ExpiresAt.Time) < credentialLifetime/2 {
			return err
		}
		for _, t := range []*metav1.Time{b.Status.ExpiresAt, b.Status.RenewBefore, b.Status.IssuedAt} {
			if t != nil { // an earlier version records fewer of them
				t.Time = t.Add(-after)
			}
		}
		return fmt.Errorf("time passes: %w", e.Client.Status().Update(e.Ctx, b))
	})
}

// waitReadyReason waits until the Ready condition of a binding has a reason.
func (e *Environment) waitReadyReason(b *v1beta1.ServiceBinding, reason string) {
	e.await("the binding is not Ready: "+reason, func() error {
		if err := e.get(b); err != nil {
			return err
		}
		for _, c := range b.Status.Conditions {
			if c.Type == v1beta1.ConditionReady && c.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("%+v", b.Status.Conditions)
	})
}

// occupySecretName creates a Secret with the name that a binding asks for, and removes it once the binding reports the conflict.
func (e *Environment) occupySecretName() {
	s := e.createSecret("app", map[string]string{"password": "mine"})
	b := e.NewBinding("app", "db")
	e.create(b)
	e.waitReadyReason(b, v1beta1.ReasonErrorInjectingBindResult)
	now, err := e.bindingSecret(b)
	e.must(err)
	if now.ResourceVersion != s.ResourceVersion {
		e.Reportf("a Secret of another owner was written")
	}
	e.must(e.Client.Delete(e.Ctx, now, client.Preconditions{UID: &s.UID}))
	e.await("the binding is delivered", func() error { _, err := e.deliveredSecret(b); return err })
}

// retain deletes objects with policy Retain.
func (e *Environment) retain(objects ...client.Object) {
	for _, o := range objects {
		e.Retained.add(ExternalID(o))
		e.must(e.Client.Patch(e.Ctx, o, annotationPatch(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)))
	}
	e.remove(objects...)
	e.waitGone(objects...)
}

// annotationPatch returns a patch that sets an annotation.
func annotationPatch(key, value string) client.Patch {
	text, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}}) // strings always encode
	return client.RawPatch(types.MergePatchType, text)
}

// importBinding creates a binding with the id of a retained one.
func (e *Environment) importBinding(before *v1beta1.ServiceBinding) *v1beta1.ServiceBinding {
	b := e.NewBinding(before.Name, before.Spec.InstanceRef.Name)
	b.Spec.ExternalID = ExternalID(before)
	e.retain(before)
	e.Foreign.add(b.Spec.ExternalID)
	e.create(b)
	e.waitReady(b)
	return b
}
