// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// F-S56: the namespace controller deletes the Secret of a binding before the binding, and the cache may not show the deletion of the namespace
// by then, or the deletion of the Secret only in a live read.
func TestNothingIsFetchedInATerminatingNamespace(t *testing.T) {
	living := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns"}}
	ending := living.DeepCopy()
	ending.DeletionTimestamp, ending.Finalizers = new(metav1.NewTime(rulestest.T0)), []string{"kubernetes"}
	for name, test := range map[string]struct {
		cached, live *corev1.Namespace
		requests     bool
	}{
		"the cache shows it":              {ending, ending, false},
		"the cache is behind":             {living, ending, false},
		"a person has deleted the Secret": {living, living, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingSample(bound)
			f.b.Status.SecretVersion, f.in = "5", bindingrules.Inputs{}
			cache, c := controllertest.NewCluster(t, interceptor.Funcs{}, test.cached), controllertest.NewCluster(t, interceptor.Funcs{}, test.live, f.b)
			r := newReconciler(c, cache, c, &engine.Config{ServerTime: serverTime, Index: index.Index{Cache: cache}, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
			s := viewOf(r, f.b, bindingrules.Inputs{})
			if err := r.observe(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			seen := newBindingSample(bound).in
			s.inputs.BoundInstance, s.inputs.Broker, s.inputs.Now = seen.BoundInstance, seen.Broker, rulestest.T0
			step := s.Decide(t.Context())
			for step.Need != "" {
				if err := s.Supply(t.Context(), step.Need); err != nil {
					t.Fatal(err)
				}
				step = s.Decide(t.Context())
			}
			ready := rules.FindCondition(s.next.Status.Conditions, v1beta1.ConditionReady)
			if (step.Request != nil) != test.requests || !test.requests && ready.Reason != v1beta1.ReasonNamespaceTerminating {
				t.Errorf("request %+v, %+v", step.Request, ready)
			}
		})
	}
}

// TestABindingSeesWhatIsOnRecordOfItsInstance: one was asked for that the broker had just called unusable.
func TestABindingSeesWhatIsOnRecordOfItsInstance(t *testing.T) {
	f := newBindingSample()
	f.in.BoundInstance.Instance.Name = f.b.Spec.InstanceRef.Name
	shown := f.in.BoundInstance.Instance
	recorded := shown.DeepCopy()
	recorded.Status.Unusable = true
	cache, c := controllertest.NewCluster(t, interceptor.Funcs{}, shown), controllertest.NewCluster(t, interceptor.Funcs{}, recorded)
	r := newReconciler(c, cache, c, &engine.Config{ServerTime: serverTime, Index: index.Index{Cache: cache}, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
	if g, err := r.findBoundInstance(t.Context(), f.b); err != nil || g.Instance == nil || !g.Instance.Status.Unusable {
		t.Errorf("it sees %+v, %v", g.Instance, err)
	}
}

// TestAPollKnowsRequiredParameters: parameters from Secrets are not read for a poll, whose answer may be that one of them was refused.
func TestAPollKnowsRequiredParameters(t *testing.T) {
	f, o := newBindingSample(), rulestest.NewOffering()
	class, plan, si := o.Class.(*v1beta1.ClusterServiceClass), o.Plan.(*v1beta1.ClusterServicePlan), f.in.BoundInstance.Instance
	class.Spec.ClusterServiceBrokerName = o.Broker.GetName()
	plan.SetOwners(o.Broker.GetName(), class.Name)
	plan.Spec.ServiceBindingCreateParameterSchema = &runtime.RawExtension{Raw: []byte(`{"required":["role"]}`)}
	catalog.SetRefs(&si.Spec, catalog.Cluster, catalog.Refs{Class: class.Name, Plan: plan.Name})
	f.b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
	f.b.Status.AsyncOpInProgress = true
	c := controllertest.NewCluster(t, interceptor.Funcs{}, class, plan, o.Broker, si)
	r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Index: index.Index{Cache: c}, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
	s := viewOf(r, f.b, bindingrules.Inputs{})
	if err := r.observe(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := s.inputs.Parameters; got.Known || !slices.Equal(got.Required, []string{"role"}) {
		t.Errorf("%+v, want role", got)
	}
}

// TestClaimantsOfAReplacedID: an id that is replaced is a former one from then on, also before the next reconcile.
func TestClaimantsOfAReplacedID(t *testing.T) {
	f := newBindingSample()
	other := f.b.DeepCopy()
	other.Name, other.UID, other.CreationTimestamp = "earlier", "other", metav1.NewTime(rulestest.T0.Add(-time.Hour))
	c := controllertest.NewCluster(t, interceptor.Funcs{}, f.b, other)
	r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Index: index.Index{Cache: c}, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
	s := viewOf(r, f.b, bindingrules.Inputs{})
	if err := r.observe(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if s.inputs.OwnsPredecessor(s.binding, "id") {
		t.Errorf("it may remove what an earlier object has: %+v", s.inputs.FormerClaimants)
	}
}

// R11: how old credentials are is measured over the reconciles of a process, also once nothing else is remembered about the binding.
func TestTheAgeOfCredentialsIsRemembered(t *testing.T) {
	b := &v1beta1.ServiceBinding{}
	b.Status.ReconciledGeneration, b.Status.SecretVersion, b.Status.ExternalProperties = 1, "7", &v1beta1.ServiceBindingPropertiesState{}
	base := &engine.Scope{Before: b, Object: b, Memory: &engine.Memory{}}
	s := &scope{Scope: base, binding: b, shown: true}
	s.inputs.Secret, s.inputs.Uptime, s.memory.SecretVersion = bindingrules.SecretInSync, time.Minute, "7"
	s.inputs.NoteIssue(nil, new(metav1.NewTime(rulestest.T0)))
	s.remember()
	next := &scope{Scope: base, binding: b}
	if next.recall(); next.memory.Issued == nil || next.memory.Issued.Looked != time.Minute || next.memory.SecretVersion != "" {
		t.Errorf("remembered is %+v", next.memory)
	}
}
