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
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// uniqueCredentials are those of a binding: no two have the same, and each may stand in Secrets
// only.
func uniqueCredentials(string) any {
	return map[string]string{"username": "app", "password": canary.Value + rand.Text()}
}

// Services of which the broker tells credentials once: a Secret that is lost takes others.
// It can make them beside the present ones, unless it is rigid.
func revealOnce(s *osbtest.Service) { s.Behavior.RevealOnce = true }

func notRotatable(s *osbtest.Service) {
	for i := range s.Plans {
		s.Plans[i].BindingRotatable = false
	}
}

// notBindable has instances of the smallest plan not be bound to.
func notBindable(s *osbtest.Service) { s.Plans[0].Bindable = new(bool) }

func allRotatable(s *osbtest.Service) {
	for i := range s.Plans {
		s.Plans[i].BindingRotatable = true
	}
}

// Credentials of passing services end after a while.
const credentialLifetime = time.Hour

func expiring(s *osbtest.Service) { s.Behavior.Lifetime = credentialLifetime }

// bindingSecret is the Secret that has a binding's name for it.
func (e *Environment) bindingSecret(b *v1beta1.ServiceBinding) (*corev1.Secret, error) {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: catalog.SecretName(b)}}
	return s, e.get(s)
}

// deliveredSecret says whether a binding is Ready, with what the broker tells now in its Secret.
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
	if told := PasswordOf(e.Broker.Holds().Bindings[ExternalID(b)]); told == "" || told != string(s.Data["password"]) {
		return nil, fmt.Errorf("its Secret has not what the broker has under %s", ExternalID(b))
	}
	return s, nil
}

func PasswordOf(b osbtest.Binding) string {
	var told struct{ Password string }
	_ = json.Unmarshal(b.Credentials, &told) // nothing is nothing
	return told.Password
}

// bind makes an instance and a binding to it, and waits until both are there.
func (e *Environment) bind(class, plan string) (*v1beta1.ServiceInstance, *v1beta1.ServiceBinding) {
	si, b := e.NewInstance("db", class, plan), e.NewBinding("app", "db")
	e.create(si)
	e.create(b)
	e.waitReady(si, b)
	return si, b
}

// loseSecret has a user delete a binding's Secret, and waits until it is back.
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

// editSecret has a user change what a binding's Secret has, and waits until that is put
// right. What the user has added stays.
func (e *Environment) editSecret(b *v1beta1.ServiceBinding) {
	s, err := e.bindingSecret(b)
	e.must(err)
	edit(e, s, func(s *corev1.Secret) {
		s.Data = map[string][]byte{"password": []byte("mine"), "note": []byte("mine")}
	})
	e.await("the Secret is put right", func() error {
		s, err := e.deliveredSecret(b)
		if err == nil && (len(s.Data["username"]) == 0 || string(s.Data["note"]) != "mine") {
			return fmt.Errorf("it has %d keys", len(s.Data))
		}
		return err
	})
}

// rebind asks for other credentials, and waits for them.
func (e *Environment) rebind(b *v1beta1.ServiceBinding) {
	old := ExternalID(b)
	edit(e, b, func(b *v1beta1.ServiceBinding) {
		metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.RebindAnnotation, "now")
	})
	e.await("there are others", func() error {
		err := e.checkMoved(b, old)
		if isLeft := b.Status.CurrentOperation == "" && b.Status.Rebind == b.Annotations[v1beta1.RebindAnnotation]; err != nil && ExternalID(b) == old && isLeft {
			e.requestRetry(b) // the broker has refused it, and what there is works
		}
		return err
	})
}

// checkMoved says whether a binding is delivered under another id than before.
func (e *Environment) checkMoved(b *v1beta1.ServiceBinding, from string) error {
	_, err := e.deliveredSecret(b)
	if err == nil && ExternalID(b) == from {
		return fmt.Errorf("it is still %s", from)
	}
	return err
}

// renew lets time pass, which is to say that the status tells of earlier times, and waits
// for other credentials.
func (e *Environment) renew(b *v1beta1.ServiceBinding, after time.Duration) {
	old := ExternalID(b)
	e.await("they are renewed", func() error {
		err := e.checkMoved(b, old)
		if s := &b.Status; err == nil || ExternalID(b) != old || s.ExpiresAt == nil || time.Until(s.ExpiresAt.Time) < credentialLifetime/2 {
			return err
		}
		for _, t := range []*metav1.Time{b.Status.ExpiresAt, b.Status.RenewBefore, b.Status.Attempts.LastTime} {
			t.Time = t.Add(-after)
		}
		return fmt.Errorf("time passes: %w", e.Client.Status().Update(e.Ctx, b))
	})
}

// waitReadyReason waits until a binding's Ready says what is in its way.
func (e *Environment) waitReadyReason(b *v1beta1.ServiceBinding, reason string) {
	e.await("the binding says what is in its way", func() error {
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

// occupySecretName makes a Secret that is in a binding's way, and frees its name once the binding
// has said so.
func (e *Environment) occupySecretName() {
	s := e.createSecret("app", map[string]string{"password": "mine"})
	b := e.NewBinding("app", "db")
	e.create(b)
	e.waitReadyReason(b, v1beta1.ReasonErrorInjectingBindResult)
	now, err := e.bindingSecret(b)
	e.must(err)
	if now.ResourceVersion != s.ResourceVersion {
		e.Reportf("the Secret of somebody else was written")
	}
	e.must(e.Client.Delete(e.Ctx, now, client.Preconditions{UID: &s.UID}))
	e.await("the binding is delivered", func() error { _, err := e.deliveredSecret(b); return err })
}

// retain deletes a binding and its instance, and lets what the broker has stay there.
func (e *Environment) retain(objects ...client.Object) {
	for _, o := range objects {
		e.Retained.add(ExternalID(o))
		e.must(e.Client.Patch(e.Ctx, o, annotationPatch(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)))
	}
	e.remove(objects...)
	e.waitGone(objects...)
}

func annotationPatch(key, value string) client.Patch {
	text, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}}) // strings
	return client.RawPatch(types.MergePatchType, text)
}

// importBinding makes a binding of an id that the broker has already, from an object before it.
func (e *Environment) importBinding(before *v1beta1.ServiceBinding) *v1beta1.ServiceBinding {
	b := e.NewBinding(before.Name, before.Spec.InstanceRef.Name)
	b.Spec.ExternalID = ExternalID(before)
	e.retain(before)
	e.Foreign.add(b.Spec.ExternalID)
	e.create(b)
	e.waitReady(b)
	return b
}
