// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// newDeafReconciler has an API server that takes statuses, and gives out nothing else.
func newDeafReconciler(t *testing.T, b *v1beta1.ServiceBinding) (*Reconciler, client.Client) {
	t.Helper()
	deaf := apierrors.NewServiceUnavailable("away")
	c := controllertest.NewCluster(t, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, ok := o.(*v1beta1.ServiceBinding); ok {
				return c.Get(ctx, key, o, opts...)
			}
			return deaf
		},
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return deaf },
	}, b)
	r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: brokers.NewClients(c, c, outbound.NewGuard(nil, nil), 0, nil, nil), Clock: clocktesting.NewFakePassiveClock(rulestest.T0), Recorder: events.NewFakeRecorder(10),
		ObserveRequest: func(brokers.Key, limiter.Result) {}, ClusterID: brokers.NewClusterID(c, c, types.NamespacedName{Namespace: "bellhop", Name: "cluster"})})
	return r, c
}

// viewOf is what a reconcile sees of a binding that is on record.
func viewOf(r *Reconciler, b *v1beta1.ServiceBinding, in bindingrules.Inputs) *scope {
	s := &scope{r: r, binding: b.DeepCopy(), inputs: in}
	s.Scope = &engine.Scope{
		Before: b, Object: s.binding, Memory: &engine.Memory{}, Inputs: &s.inputs.Inputs, Broker: in.Broker,
	}
	return s
}

// TestABindingSaysWhatIsInTheWayOfARequest: also where the API server is, and until it
// is not.
func TestABindingSaysWhatIsInTheWayOfARequest(t *testing.T) {
	unseen := func(f *bindingSample) { f.in.Secret = bindingrules.SecretUnknown }
	given := func(f *bindingSample) {
		f.in.Parameters.Known = false
		f.b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "input", Key: "json"}}}
	}
	for name, test := range map[string]struct {
		is           []func(*bindingSample)
		ready        v1beta1.ConditionStatus
		reason, says string
		letsGo       bool
	}{
		"what it copies":           {ss(copying), "False", v1beta1.ReasonErrorInjectingBindResult, `Reading Secret "more"`, false},
		"its parameters":           {ss(given), "False", v1beta1.ReasonErrorWithParameters, `"input"`, false},
		"its Secret":               {ss(bound, unseen), "True", v1beta1.ReasonInjectedBindResult, "reading the binding's Secret", false},
		"its Secret, when deleted": {ss(bound, unseen, beingDeleted, hasDefinition), "Unknown", v1beta1.ReasonErrorEjectingServiceBinding, "Reading the binding's Secret", true},
		"its Secret, to go":        {ss(bound, beingDeleted, hasDefinition), "Unknown", v1beta1.ReasonErrorEjectingServiceBinding, "the binding's Secret", true},
		"its kind":                 {ss(bound, beingDeleted), "Unknown", v1beta1.ReasonErrorEjectingServiceBinding, "CustomResourceDefinition", true},
		"the cluster's id":         {nil, "False", v1beta1.ReasonErrorGettingClusterID, "the cluster's id", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingSample(test.is...)
			r, c := newDeafReconciler(t, f.b)
			before := &v1beta1.ServiceBinding{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(f.b), before); err != nil {
				t.Fatal(err)
			}
			broker := f.in.Broker.DeepCopyObject().(v1beta1.Broker)
			broker.Common().URL = "https://broker.example"
			f.in.Broker = broker
			_, err := r.Run(t.Context(), viewOf(r, before, f.in))
			if err == nil {
				t.Error("it is not tried again")
			}
			after := &v1beta1.ServiceBinding{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(f.b), after); err != nil {
				t.Fatal(err)
			}
			ready, stalled := rules.FindCondition(after.Status.Conditions, v1beta1.ConditionReady), rules.FindCondition(after.Status.Conditions, v1beta1.ConditionStalled)
			if ready == nil || ready.Status != test.ready || ready.Reason != test.reason || !strings.Contains(ready.Message, test.says) || stalled.Status != v1beta1.ConditionFalse {
				t.Fatalf("it says %+v", after.Status.Conditions)
			}
			if strings.Contains(ready.Message, v1beta1.DeletionPolicyRetain) != test.letsGo {
				t.Errorf("how to release it: %s", ready.Message)
			}
		})
	}
}

// F-S41: credentials that cannot be written are not kept. What others have in the Secret is theirs to remove: then the broker is asked
// for the credentials again.
func TestCredentialsThatDoNotFitAreDropped(t *testing.T) {
	f := newBindingSample()
	secret := bindingsecret.NewSecret(f.b, "", nil)
	secret.Data = map[string][]byte{"theirs": make([]byte, corev1.MaxSecretSize-5)}
	c := controllertest.NewCluster(t, interceptor.Funcs{}, secret)
	r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
	returned := newCredentials("x")
	f.in.SecretsVersion = "before"
	s := viewOf(r, f.b, f.in)
	s.memory.Received = &bindingrules.Received{BindingID: "id", Binding: returned}
	returned.Credentials = json.RawMessage(`{"password":"0123456789"}`)
	if err := r.writeSecret(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got, u := s.memory.Received, s.memory.Unwritten; got != nil || u == nil || u.Unfit || u.BindingID != "id" || u.SecretsVersion != "before" || u.InstanceFingerprint != bindingrules.InstanceFingerprint(f.in.BoundInstance.Instance) {
		t.Errorf("it keeps %+v and %+v", got, u)
	}
	if ready := rules.FindCondition(s.binding.Status.Conditions, v1beta1.ConditionReady); !strings.Contains(ready.Message, "with what else is in it") {
		t.Errorf("it says %s", ready.Message)
	}
}

// TestTheEventOfARotation: it says that the former credentials are deleted only where this object may delete them.
func TestTheEventOfARotation(t *testing.T) {
	found := func(f *bindingSample) {
		f.answered(bindingrules.Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 200, Sent: true}, Binding: &osbresult.Binding{Credentials: json.RawMessage(`{"password":"x"}`)}})
	}
	brought := func(f *bindingSample) { f.b.Annotations = nil }
	claimed := func(f *bindingSample) {
		f.in.FormerClaimants = map[string]rules.Claimants{"id": {rulestest.Owner}}
	}
	const deleted, left = `the former ones are deleted at the broker at 2026-11-20T13:00:00Z or later`, `the former ones stay valid: the binding under the id "id" is left at the broker, as the event Retained says`
	for name, test := range map[string]struct {
		is   []func(*bindingSample)
		want string
	}{
		"of its own binding":          {ss(bound), deleted},
		"of one that it was given":    {ss(brought, found), left},
		"of one that it has created":  {ss(brought, bound), deleted},
		"of one that another one has": {ss(bound, claimed), left},
	} {
		f := newBindingSample(test.is...)
		metav1.SetMetaDataAnnotation(&f.b.ObjectMeta, v1beta1.RebindAnnotation, "now")
		f.in.NextNumber = 1
		next := bindingrules.Decide(f.b, f.in)
		answer := bindingrules.Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 201, Sent: true}, Binding: newCredentials("y")}
		f.in.Memory = f.in.Memory.ObserveAnswer(f.b, *next.Request, answer)
		f.b.Status = bindingrules.Apply(f.b, next.Status, *next.Request, answer, f.in.Now)
		recorder := events.NewFakeRecorder(10)
		c := controllertest.NewCluster(t, interceptor.Funcs{})
		r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Recorder: recorder, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
		s := viewOf(r, f.b, f.in)
		s.memory.RequestMemory = f.in.Memory
		if err := r.writeSecret(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		close(recorder.Events)
		if got, want := <-recorder.Events, `Normal InjectedBindResult Secret "b" has new credentials; `+test.want; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// copying is a binding whose Secret gets the keys of another one.
func copying(f *bindingSample) {
	f.b.Spec.SecretTransforms = []v1beta1.SecretTransform{{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Name: "more"}}}}
}

// F-S41: 1,000 bindings whose credentials could not be written held 1 GiB.
func TestNoCredentialsAreKeptAfterAReconcile(t *testing.T) {
	refused := interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "access", errors.New("exceeded quota"))
	}}
	for name, test := range map[string]struct {
		is     []func(*bindingSample)
		server interceptor.Funcs
	}{
		"a source is gone":           {ss(copying), interceptor.Funcs{}},
		"the API server refuses":     {nil, refused},
		"it was not tried":           {nil, interceptor.Funcs{}},
		"a replacement, and refused": {ss(bound), refused},
	} {
		f := newBindingSample(test.is...)
		c := controllertest.NewCluster(t, test.server)
		r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
		s := viewOf(r, f.b, f.in)
		s.memory.Received = &bindingrules.Received{BindingID: "id", Binding: newCredentials(strings.Repeat("x", 1<<20-100))}
		if name != "it was not tried" {
			_ = r.writeSecret(t.Context(), s)
			if s.memory.Unwritten == nil {
				t.Errorf("%s: it is not remembered", name)
			}
		}
		s.remember()
		if kept, _ := s.Memory.Memory.(bindingrules.Memory); kept.Received != nil {
			t.Errorf("%s: credentials are kept", name)
		}
	}
}

// TestASecretInTheWayIsWatched: what the cache has never shown may go without a word.
func TestASecretInTheWayIsWatched(t *testing.T) {
	f := newBindingSample()
	theirs := &corev1.Secret{}
	theirs.Namespace, theirs.Name = f.b.Namespace, catalog.SecretName(f.b)
	c := controllertest.NewCluster(t, interceptor.Funcs{}, theirs)
	f.in.SecretsVersion = "before"
	for name, test := range map[string]struct {
		cache client.Client
		again bool
	}{
		"shown":     {c, false},
		"not shown": {controllertest.NewCluster(t, interceptor.Funcs{}), true},
	} {
		r := newReconciler(c, test.cache, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
		s := viewOf(r, f.b, f.in)
		s.memory.Received = &bindingrules.Received{BindingID: "id", Binding: newCredentials("x")}
		err := r.writeSecret(t.Context(), s)
		if u := s.memory.Unwritten; (err != nil) != test.again || s.memory.Received != nil || (u.SecretsVersion == "") != test.again {
			t.Errorf("%s: %v, and it keeps %+v", name, err, s.memory)
		}
		if err != nil && !strings.Contains(err.Error(), "already exists and is not owned by this ServiceBinding") {
			t.Errorf("%s: it says %v", name, err)
		}
	}
}

// TestASecretIsLookedForUntilTheCacheShowsIt: it may have been deleted before that.
func TestASecretIsLookedForUntilTheCacheShowsIt(t *testing.T) {
	f := newBindingSample()
	r := newReconciler(nil, nil, nil, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
	s := viewOf(r, f.b, f.in)
	s.memory.SecretVersion, s.memory.SeenAt = "7", rulestest.T0.Add(-time.Second)
	if got := r.nextLook(t.Context(), s); !got.Equal(s.memory.SeenAt.Add(bindingrules.SecretCacheDelay)) {
		t.Errorf("a Secret that is not shown yet is looked at at %s", got)
	}
	s.shown = true
	if got := r.nextLook(t.Context(), s); !got.IsZero() {
		t.Errorf("one that is shown is looked at at %s", got)
	}
}

// TestASecretThatWasFoundIsLookedForUntilTheCacheShowsIt: ours or another's.
func TestASecretThatWasFoundIsLookedForUntilTheCacheShowsIt(t *testing.T) {
	f := newBindingSample(bound)
	stranger := &corev1.Secret{}
	stranger.Namespace, stranger.Name = f.b.Namespace, catalog.SecretName(f.b)
	for name, secret := range map[string]*corev1.Secret{"ours": bindingsecret.NewSecret(f.b, "id", nil), "another's": stranger} {
		c := controllertest.NewCluster(t, interceptor.Funcs{}, secret)
		for shown, cache := range map[bool]client.Client{false: controllertest.NewCluster(t, interceptor.Funcs{}), true: c} {
			r := newReconciler(c, cache, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
			s := viewOf(r, f.b, f.in)
			if err := r.inspectSecret(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if secret != stranger { // as the next reconcile does
				if err := r.observeSecret(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.nextLook(t.Context(), s); shown != got.IsZero() {
				t.Errorf("%s, shown (%t): looked at again at %s", name, shown, got)
			}
		}
	}
}

// TestABindingSaysWhoseCredentialsAreMissing: there may be many brokers.
func TestABindingSaysWhoseCredentialsAreMissing(t *testing.T) {
	f := newBindingSample()
	broker := f.in.Broker.DeepCopyObject().(*v1beta1.ClusterServiceBroker)
	broker.Spec.AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Namespace: "osba", Name: "login"}}}
	f.in.Broker = broker
	c := controllertest.NewCluster(t, interceptor.Funcs{}, f.b)
	r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clock: clocktesting.NewFakePassiveClock(rulestest.T0), Recorder: events.NewFakeRecorder(10), Clients: brokers.NewClients(c, c, nil, 0, nil, nil)})
	s := viewOf(r, f.b, f.in)
	if _, err := r.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	after := &v1beta1.ServiceBinding{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(f.b), after); err != nil {
		t.Fatal(err)
	}
	ready := rules.FindCondition(after.Status.Conditions, v1beta1.ConditionReady)
	if want := `ClusterServiceBroker "` + broker.Name + `": spec.authInfo.basic.secretRef: Secret "login" does not exist in namespace "osba"`; ready == nil ||
		ready.Reason != v1beta1.ReasonErrorGettingAuthCredentials || !strings.Contains(ready.Message, want) {
		t.Errorf("it says %+v, want %q", ready, want)
	}
}

// TestTheSecretsThatABrokerMayRepeat: they are all known as long as the Secret has what the broker told.
func TestTheSecretsThatABrokerMayRepeat(t *testing.T) {
	password := bindingsecret.Content{Data: map[string][]byte{"password": []byte("hunter2")}}
	for name, test := range map[string]struct {
		is   []func(*bindingSample)
		put  func(*bindingSample, *Reconciler) error
		want string
	}{
		"nothing was told": {ss(), nil, "none"},
		"as it was written": {ss(bound), func(f *bindingSample, r *Reconciler) error {
			_, err := r.secrets.Put(t.Context(), f.b, "id", password)
			return err
		}, "[hunter2] true"},
		"of another id": {ss(bound), func(f *bindingSample, r *Reconciler) error {
			_, err := r.secrets.Put(t.Context(), f.b, "other", password)
			return err
		}, "[] false"},
		"gone":                  {ss(bound, beingDeleted), nil, "[] false"},
		"told, and not written": {ss(bound, unwritten("hunter3")), nil, "[hunter3] true"},
		"what is to be repeated": {ss(func(f *bindingSample) {
			f.answered(bindingrules.Answer{Outcome: osbresult.Outcome{Class: osbresult.Unknown, Status: 500, Sent: true}})
		}), nil, "none"},
	} {
		f := newBindingSample(test.is...)
		c := controllertest.NewCluster(t, interceptor.Funcs{}, f.b)
		r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
		if test.put != nil {
			if err := test.put(f, r); err != nil {
				t.Fatal(err)
			}
		}
		s, got := viewOf(r, f.b, f.in), "none"
		s.memory.RequestMemory = f.in.Memory
		if secrets := r.secretsOf(t.Context(), s); secrets != nil {
			values, all := secrets()
			got = fmt.Sprint(slices.Compact(values), all)
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// F-JS15: the Secret of a binding is deleted before the request to the broker. Its values are read before, so that they are redacted in what
// the broker answers, and a Secret that cannot be read is deleted as well.
func TestTheValuesOfADeletedSecretAreKnown(t *testing.T) {
	for name, want := range map[string]string{"readable": "[hunter2] true", "unreadable": "[] false"} {
		f, unreadable := newBindingSample(bound, beingDeleted), false
		c := controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, ok := o.(*corev1.Secret); ok && unreadable {
				return apierrors.NewInternalError(errors.New("the key of the encryption at rest is lost"))
			}
			return c.Get(ctx, key, o, opts...)
		}}, f.b)
		r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
		if _, err := r.secrets.Put(t.Context(), f.b, "id", bindingsecret.Content{Data: map[string][]byte{"password": []byte("hunter2")}}); err != nil {
			t.Fatal(err)
		}
		s := viewOf(r, f.b, f.in)
		unreadable = name == "unreadable"
		if err := r.deleteSecret(t.Context(), s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		values, all := r.secretsOf(t.Context(), s)()
		if got := fmt.Sprint(slices.Compact(values), all); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		unreadable = false
		if left, err := r.readSecret(t.Context(), f.b); left != nil || err != nil {
			t.Errorf("%s: the Secret is left: %v, %v", name, left, err)
		}
	}
}

// unwritten has credentials told that are not in the Secret yet.
func unwritten(password string) func(*bindingSample) {
	return func(f *bindingSample) {
		f.in.Memory.Received = &bindingrules.Received{BindingID: "id", Binding: newCredentials(password)}
	}
}
