// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// bindingSample is a binding with what its reconcile looks up.
type bindingSample struct {
	b  *v1beta1.ServiceBinding
	in bindingrules.Inputs
}

// newBindingSample is a new binding to an instance that is provisioned.
func newBindingSample(edits ...func(*bindingSample)) *bindingSample {
	o, si := rulestest.NewOffering(), rulestest.NewInstance()
	si.Status.ProvisionStatus = v1beta1.Provisioned
	si.Status.ExternalProperties = &v1beta1.ServiceInstancePropertiesState{ClusterServicePlanExternalID: "small-id"}
	b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "b", UID: "uid-b", Generation: 1,
		CreationTimestamp: metav1.NewTime(rulestest.T0), Finalizers: []string{v1beta1.Finalizer},
		Annotations: map[string]string{v1beta1.MadeIDAnnotation: catalog.MadeID("id", rulestest.T0)}}}
	b.Spec.InstanceRef.Name, b.Spec.ExternalID = "db", "id"
	s := &bindingSample{b: b, in: bindingrules.Inputs{Inputs: operation.Inputs{Now: rulestest.T0}, Broker: o.Broker, BoundInstance: bindingrules.BoundInstance{Instance: si, Class: o.Class, Plan: o.Plan,
		Target: &v1beta1.ServiceBindingTarget{BrokerReference: *rules.ReferenceTo(o), PlanID: "small-id", InstanceID: "id"}}}}
	s.in.Parameters.Known = true
	for _, edit := range edits {
		edit(s)
	}
	return s
}

// answered takes an answer to the next request into the status, and puts credentials into the Secret if there are any.
func (s *bindingSample) answered(a bindingrules.Answer) {
	next := bindingrules.Decide(s.b, s.in)
	s.in.Memory = s.in.Memory.ObserveAnswer(s.b, *next.Request, a)
	s.b.Status = bindingrules.Apply(s.b, next.Status, *next.Request, a, s.in.Now)
	if next = bindingrules.Decide(s.b, s.in); next.SecretAction != bindingrules.WriteSecret {
		return
	}
	t := s.in.Memory.Received
	s.b.Status = bindingrules.ApplySecretWritten(s.b, next.Status, t.Binding, "7", s.in.Now, serverTime())
	s.in.Memory = bindingrules.RequestMemory{}
	s.in.Secret, s.in.SecretID, s.in.SecretVersion = bindingrules.SecretInSync, t.BindingID, "7"
}

// newCredentials are a binding's, as a broker returns them.
func newCredentials(password string) *osbresult.Binding {
	return &osbresult.Binding{Created: true, Credentials: json.RawMessage(`{"password":"` + password + `"}`)}
}

func bound(s *bindingSample) {
	s.answered(bindingrules.Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 201, Sent: true}, Binding: newCredentials("x")})
}

func beingDeleted(s *bindingSample) {
	s.b.DeletionTimestamp = new(metav1.NewTime(rulestest.T0))
	s.b.Generation++
}

func hasDefinition(s *bindingSample) { s.in.Definition = rules.DefinitionLives }

func ss(edits ...func(*bindingSample)) []func(*bindingSample) { return edits }

// serverTime is the API server's time in tests of the reconciler.
func serverTime() times.Server { return rulestest.ServerTime(rulestest.T0, false) }
