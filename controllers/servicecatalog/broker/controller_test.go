// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
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
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/outbound/limiter/limitertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokerrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// newBrokerReconciler works with a fake cluster and a clock of its own.
func newBrokerReconciler(t *testing.T, s catalogsync.Kinds, c client.Client, now time.Time) (*Reconciler, *clocktesting.FakePassiveClock) {
	t.Helper()
	at := clocktesting.NewFakePassiveClock(now)
	x, recorder, barrier := index.Index{Cache: c}, events.NewFakeRecorder(1000), &consistency.CacheBarrier{Cache: c, Live: c}
	return &Reconciler{
		catalogWriter: catalogWriter{Kinds: s, client: c, index: x}, cached: x, live: c,
		barrier: barrier, fresh: barrier.Of(v1beta1.GroupVersion.WithKind(s.BrokerKind()), s.NewBroker()),
		connections: brokers.NewClients(c, c, outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil), time.Minute,
			brokers.NewDigestKey(c, c, types.NamespacedName{Namespace: "bellhop-system", Name: brokers.DigestKeySecret}), func(brokers.Key, osb.Observation) {}),
		protect:       func(types.NamespacedName) {},
		forgetMetrics: func(brokers.Key) {}, recorder: recorder, clock: at, interval: 24 * time.Hour,
	}, at
}

// reconcileBroker reconciles once and returns the broker as it then is.
func reconcileBroker(t *testing.T, r *Reconciler, b v1beta1.Broker) (v1beta1.Broker, ctrl.Result) {
	t.Helper()
	result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)})
	if err != nil {
		t.Fatal(err)
	}
	now := r.NewBroker()
	if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(b), now); err != nil {
		t.Fatal(err)
	}
	return now, result
}

func TestABrokerThatCameAroundAdmissionGetsTheFinalizer(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		b := controllertest.NewBroker(s, osbtest.Start(t, osbtest.Options{}).URL)
		b.SetFinalizers(nil)
		r, _ := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
		got, result := reconcileBroker(t, r, b)
		if !slices.Equal(got.GetFinalizers(), []string{v1beta1.Finalizer}) || rulestest.SayConditions(got.CommonStatus().Conditions) != "True FetchedCatalog" || result.RequeueAfter != 24*time.Hour {
			t.Errorf("%s: finalizers are %q, %s, again after %v", s.Scope, got.GetFinalizers(), rulestest.SayConditions(got.CommonStatus().Conditions), result.RequeueAfter)
		}
	}
}

// The status of a broker says nothing before it has the finalizer.
func TestRefusedFinalizerOfANewBroker(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		b := controllertest.NewBroker(s, "http://127.0.0.1:1")
		b.SetFinalizers(nil)
		c := controllertest.NewCluster(t, interceptor.Funcs{Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
			return apierrors.NewForbidden(schema.GroupResource{}, o.GetName(), errors.New("denied by policy"))
		}}, b)
		r, _ := newBrokerReconciler(t, s, c, rulestest.Noon)
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)}); err == nil {
			t.Errorf("%s: no error", s.Scope)
		}
		select {
		case said := <-r.recorder.(*events.FakeRecorder).Events:
			if !strings.HasPrefix(said, "Warning FinalizerRefused The API server refuses ") || !strings.HasSuffix(said, "denied by policy") {
				t.Errorf("%s: the event is %q", s.Scope, said)
			}
		default:
			t.Errorf("%s: no event", s.Scope)
		}
	}
}

func TestWhatWasReadIsRecordedOnABrokerThatWasChangedMeanwhile(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		server := osbtest.Start(t, osbtest.Options{})
		b := controllertest.NewBroker(s, server.URL)
		stale := true
		c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			if _, ok := o.(v1beta1.Broker); ok && stale {
				stale = false
				return apierrors.NewConflict(schema.GroupResource{}, o.GetName(), errors.New("it was changed"))
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		}}, b)
		r, _ := newBrokerReconciler(t, s, c, rulestest.Noon)
		if got, _ := reconcileBroker(t, r, b); got.CommonStatus().ReconciledGeneration != 1 {
			t.Errorf("%s: status is %+v", s.Scope, got.CommonStatus())
		}
		if n := server.Counts()[osb.GetCatalog]; n != 1 {
			t.Errorf("%s: the catalog was read %d times", s.Scope, n)
		}
	}
}

// replaced is an API server that has another object of the name than the cache.
type replaced struct{ client.Reader }

func (r replaced) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	err := r.Reader.Get(ctx, key, o, opts...)
	o.SetUID("another")
	return err
}

func TestNothingIsRecordedOnAnotherBrokerOfTheName(t *testing.T) {
	b := controllertest.NewBroker(catalogsync.ClusterWide, osbtest.Start(t, osbtest.Options{}).URL)
	c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(_ context.Context, _ client.Client, _ string, o client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
		return apierrors.NewConflict(schema.GroupResource{}, o.GetName(), errors.New("it was changed"))
	}}, b)
	r, _ := newBrokerReconciler(t, catalogsync.ClusterWide, c, rulestest.Noon)
	r.live = replaced{c}
	if got, result := reconcileBroker(t, r, b); got.CommonStatus().ReconciledGeneration != 0 || result.IsZero() {
		t.Errorf("status is %+v, again: %v", got.CommonStatus(), !result.IsZero())
	}
}

func TestABrokerIsNotLetGoWhileTheCacheLacksAnInstance(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		b := controllertest.NewBroker(s, "http://127.0.0.1:1")
		b.SetDeletionTimestamp(&metav1.Time{Time: rulestest.Noon})
		r, _ := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
		r.live = controllertest.NewCluster(t, interceptor.Funcs{}, &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "late"}})
		if got, result := reconcileBroker(t, r, b); len(got.GetFinalizers()) != 1 || result.IsZero() {
			t.Errorf("%s: finalizers are %q, again: %v", s.Scope, got.GetFinalizers(), !result.IsZero())
		}
		r.live = r.client
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)}); err != nil {
			t.Fatal(err)
		}
		if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(b), s.NewBroker()); !apierrors.IsNotFound(err) {
			t.Errorf("%s: the broker is still there: %v", s.Scope, err)
		}
	}
}

func TestABrokerGoesThoughTheDefinitionOfInstancesIsGone(t *testing.T) {
	b := controllertest.NewBroker(catalogsync.ClusterWide, "http://127.0.0.1:1")
	b.SetDeletionTimestamp(&metav1.Time{Time: rulestest.Noon})
	r, _ := newBrokerReconciler(t, catalogsync.ClusterWide, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
	r.live = controllertest.NewCluster(t, interceptor.Funcs{List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, _ ...client.ListOption) error {
		return apierrors.NewNotFound(schema.GroupResource{}, fmt.Sprintf("%T", list))
	}})
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)}); err != nil {
		t.Fatal(err)
	}
	if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(b), catalogsync.ClusterWide.NewBroker()); !apierrors.IsNotFound(err) {
		t.Errorf("the broker is still there: %v", err)
	}
}

func TestABrokerIsNeededByABindingWithoutItsInstance(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		b := controllertest.NewBroker(s, "http://127.0.0.1:1")
		b.SetDeletionTimestamp(&metav1.Time{Time: rulestest.Noon})
		binding := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "app"}}
		binding.Status.Target = &v1beta1.ServiceBindingTarget{BrokerReference: v1beta1.BrokerReference{Kind: s.BrokerKind(), Name: "osba"}}
		r, _ := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b, binding), rulestest.Noon)
		got, _ := reconcileBroker(t, r, b)
		if said := rulestest.SayConditions(got.CommonStatus().Conditions); said != "False InUse Stalled" || !strings.Contains(rules.FindCondition(got.CommonStatus().Conditions, v1beta1.ConditionReady).Message, "1 ServiceBinding (demo/app)") {
			t.Errorf("%s: conditions say %q", s.Scope, said)
		}
		if names := r.placesOf(binding); !slices.Equal(names, []types.NamespacedName{client.ObjectKeyFromObject(b)}) {
			t.Errorf("%s: whose going is of interest to %v", s.Scope, names)
		}
		binding.Status.LeftBehind = []v1beta1.LeftBehind{{ID: "id", Target: *binding.Status.Target}}
		binding.Status.LeftBehind[0].Target.Name = "osbb"
		if names := r.placesOf(binding); len(names) != 2 || names[1].Name != "osbb" { // F-S70
			t.Errorf("%s: whose left ids are of interest to %v", s.Scope, names)
		}
	}
}

func TestOnlyTheContentOfASecretIsAnotherVersionOfTheCredentials(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		server := osbtest.Start(t, osbtest.Options{Username: "alice", Password: "x"})
		b := controllertest.NewBroker(s, server.URL)
		b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Namespace: "demo", Name: "login"}}}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "login", UID: "login"}, Data: map[string][]byte{"username": []byte("alice"), "password": []byte("x")}}
		c := controllertest.NewCluster(t, interceptor.Funcs{}, b, secret)
		r, _ := newBrokerReconciler(t, s, c, rulestest.Noon)
		want := func(when string, relists int) v1beta1.Broker {
			t.Helper()
			got, _ := reconcileBroker(t, r, b)
			if n := server.Counts()[osb.GetCatalog]; n != relists {
				t.Errorf("%s: %s the catalog was read %d times", s.Scope, when, n)
			}
			return got
		}
		edit := func(change func()) {
			t.Helper()
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
				t.Fatal(err)
			}
			change()
			if err := c.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
		recorded := want("at first", 1)
		edit(func() { secret.Finalizers = []string{v1beta1.AuthSecretFinalizer} })
		want("with the finalizer", 1)
		edit(func() { secret.Labels = map[string]string{"team": "a"} })
		r, at := newBrokerReconciler(t, s, c, rulestest.Noon.Add(time.Minute))
		if got := want("with another label, after a restart", 1); got.GetResourceVersion() != recorded.GetResourceVersion() {
			t.Errorf("%s: after a restart the broker is %+v", s.Scope, got)
		}
		edit(func() { secret.Data["password"] = []byte("y") })
		if got := want("with another password", 2); rulestest.SayConditions(got.CommonStatus().Conditions) != "False ErrorFetchingCatalog Reconciling" {
			t.Errorf("%s: %s", s.Scope, rulestest.SayConditions(got.CommonStatus().Conditions))
		}
		edit(func() { delete(secret.Data, "password") })
		at.SetTime(rulestest.Noon.Add(2 * time.Minute))
		if got := want("without a password", 2); rulestest.SayConditions(got.CommonStatus().Conditions) != "False ErrorGettingAuthCredentials Stalled Failed" {
			t.Errorf("%s: %s", s.Scope, rulestest.SayConditions(got.CommonStatus().Conditions))
		}
	}
}

// A Secret that is created late, and cannot be read at once: no further event follows.
func TestASecretThatCannotBeReadIsReadAgain(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		server := osbtest.Start(t, osbtest.Options{Username: "alice", Password: "x"})
		b := controllertest.NewBroker(s, server.URL)
		b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Namespace: "demo", Name: "login"}}}
		b.SetCreationTimestamp(metav1.NewTime(rulestest.Noon))
		reads := 0
		c := controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if _, isSecret := o.(*corev1.Secret); isSecret && key.Name == "login" {
				if reads++; reads <= 2 { // each reconcile reads it twice
					return apierrors.NewTimeoutError("the request did not complete in time", 0)
				}
			}
			return c.Get(ctx, key, o, options...)
		}}, b)
		r, at := newBrokerReconciler(t, s, c, rulestest.Noon)
		now, _ := reconcileBroker(t, r, b)
		if got := rulestest.SayConditions(now.CommonStatus().Conditions); got != "False ErrorGettingAuthCredentials Reconciling" {
			t.Fatalf("%s: without the Secret: %s", s.Scope, got)
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "login", UID: "login"}, Data: map[string][]byte{"username": []byte("alice"), "password": []byte("x")}}
		if err := c.Create(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		_, result := reconcileBroker(t, r, now)
		if result.RequeueAfter <= 0 || result.RequeueAfter > time.Minute {
			t.Fatalf("%s: the Secret is read again after %s", s.Scope, result.RequeueAfter)
		}
		at.SetTime(at.Now().Add(result.RequeueAfter))
		now, _ = reconcileBroker(t, r, now)
		if got := rulestest.SayConditions(now.CommonStatus().Conditions); got != "True FetchedCatalog" {
			t.Errorf("%s: once it can be read: %s", s.Scope, got)
		}
	}
}

func TestWhatCannotBeWrittenIsTriedAgainAndHoldsUpNothingElse(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		server := osbtest.Start(t, osbtest.Options{})
		b := controllertest.NewBroker(s, server.URL)
		broken := true
		c := controllertest.NewCluster(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if broken && o.GetName() == osbtest.SyncPlan {
				return apierrors.NewInvalid(schema.GroupKind{Kind: s.PlanKind()}, o.GetName(), nil)
			}
			if broken && o.GetName() == osbtest.AsyncService {
				return apierrors.NewInternalError(errors.New("etcd"))
			}
			o.SetUID(types.UID("of " + o.GetName())) // which the API server does
			return c.Create(ctx, o, opts...)
		}}, b)
		r, at := newBrokerReconciler(t, s, c, rulestest.Noon)
		got, result := reconcileBroker(t, r, b)
		status := got.CommonStatus()
		if rulestest.SayConditions(status.Conditions) != "True PartlySynced" || status.ServiceClasses != 1 || status.ServicePlans != 3 || status.Attempts != 1 || status.CatalogETag != "" || result.RequeueAfter > 3*time.Second {
			t.Errorf("%s: %s, again after %v, status is %+v", s.Scope, rulestest.SayConditions(status.Conditions), result.RequeueAfter, status)
		}
		message := rules.FindCondition(status.Conditions, v1beta1.ConditionReady).Message
		for _, want := range []string{fmt.Sprintf("%s %q could not be written: ", s.PlanKind(), osbtest.SyncPlan), "is invalid", fmt.Sprintf("%s %q could not be written: InternalError", s.ClassKind(), osbtest.AsyncService)} {
			if !strings.Contains(message, want) {
				t.Errorf("%s: message %q lacks %q", s.Scope, message, want)
			}
		}
		broken = false
		at.SetTime(rulestest.Noon.Add(time.Minute))
		if got, _ := reconcileBroker(t, r, b); rulestest.SayConditions(got.CommonStatus().Conditions) != "True FetchedCatalog" || got.CommonStatus().ServicePlans != 4 || got.CommonStatus().Attempts != 0 {
			t.Errorf("%s: status is %+v", s.Scope, got.CommonStatus())
		}
	}
}

// TestAClassComesAfterAllOfItsPlans: else an instance that names no plan takes the only one that is
// there.
func TestAClassComesAfterAllOfItsPlans(t *testing.T) {
	isPlanList := func(list client.ObjectList) bool {
		switch list.(type) {
		case *v1beta1.ClusterServicePlanList, *v1beta1.ServicePlanList:
			return true
		}
		return false
	}
	for _, s := range catalogsync.AllKinds {
		for name, test := range map[string]struct {
			unwritten error
			unseen    bool
			want      int32
		}{
			"one cannot be written now":  {errors.New("etcd"), false, 1}, // the other service's
			"a webhook cannot be called": {errors.New(`failed calling webhook "x": no endpoints`), false, 1},
			"the cache shows none yet":   {nil, true, 0},
		} {
			server := osbtest.Start(t, osbtest.Options{})
			b, broken := controllertest.NewBroker(s, server.URL), true
			c := controllertest.NewCluster(t, interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
					if broken && test.unwritten != nil && o.GetName() == osbtest.SyncPlan {
						return apierrors.NewInternalError(test.unwritten)
					}
					o.SetUID(types.UID("of " + o.GetName())) // which the API server does
					return c.Create(ctx, o, opts...)
				},
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					if broken && test.unseen && isPlanList(list) {
						return nil
					}
					return c.List(ctx, list, opts...)
				},
			}, b)
			r, at := newBrokerReconciler(t, s, c, rulestest.Noon)
			got, result := reconcileBroker(t, r, b)
			message := rules.FindCondition(got.CommonStatus().Conditions, v1beta1.ConditionReady).Message
			if n := got.CommonStatus().ServiceClasses; n != test.want || !strings.Contains(message, errTooEarly.Error()) || result.RequeueAfter > 3*time.Second {
				t.Errorf("%s, %s: %d classes, %q, again after %s", s.Scope, name, n, message, result.RequeueAfter)
			}
			broken = false
			at.SetTime(rulestest.Noon.Add(time.Minute))
			if got, _ := reconcileBroker(t, r, b); rulestest.SayConditions(got.CommonStatus().Conditions) != "True FetchedCatalog" || got.CommonStatus().ServiceClasses != 2 {
				t.Errorf("%s, %s: then status is %+v", s.Scope, name, got.CommonStatus())
			}
		}
	}
}

func TestACatalogIsReadWhenAnAnswerSaysThatItHasChanged(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		server := osbtest.Start(t, osbtest.Options{})
		b := controllertest.NewBroker(s, server.URL)
		r, at := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
		reconcileBroker(t, r, b)
		r.RequestRelist(brokers.KeyOf(b))
		if _, result := reconcileBroker(t, r, b); result.RequeueAfter != brokerrules.MinDemanded {
			t.Errorf("%s: it was read just now; again after %v", s.Scope, result.RequeueAfter)
		}
		at.SetTime(rulestest.Noon.Add(brokerrules.MinDemanded))
		if _, result := reconcileBroker(t, r, b); result.RequeueAfter != 24*time.Hour {
			t.Errorf("%s: again after %v", s.Scope, result.RequeueAfter)
		}
		if calls := server.Calls(); len(calls) != 2 || calls[1].Status != 304 {
			t.Errorf("%s: calls are %+v", s.Scope, calls)
		}
	}
}

// TestACatalogIsReadAgainWhenItHasChangedMeanwhile: what was read may be the former one.
func TestACatalogIsReadAgainWhenItHasChangedMeanwhile(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		server := osbtest.Start(t, osbtest.Options{})
		b := controllertest.NewBroker(s, server.URL)
		r, at := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
		server.Inject(osbtest.Fault{On: osb.GetCatalog, Times: 1, Acts: true, Match: func(osbtest.Call) bool {
			at.SetTime(rulestest.Noon.Add(time.Second))
			r.RequestRelist(brokers.KeyOf(b))
			return false
		}})
		if _, result := reconcileBroker(t, r, b); result.RequeueAfter != brokerrules.MinDemanded {
			t.Errorf("%s: again after %v", s.Scope, result.RequeueAfter)
		}
	}
}

func TestABrokerThatIsDeletedDoesNotWaitForItsCatalog(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		now := time.Now() // the limiter has a clock of its own
		b := controllertest.NewBroker(s, "http://127.0.0.1:1")
		r, _ := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b), now)
		freed := limitertest.FillSlots(t, r.connections.Limiters.Of(brokers.KeyOf(b), now), now)
		reconcileBroker(t, r, b)
		if err := r.client.Delete(t.Context(), b.DeepCopyObject().(v1beta1.Broker)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)}); err != nil {
			t.Fatal(err)
		}
		if !freed() {
			t.Errorf("%s: it still waits", s.Scope)
		}
	}
}

func TestWhatIsReadWhileTheProcessStopsIsNotRecorded(t *testing.T) {
	server := osbtest.Start(t, osbtest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	server.Inject(osbtest.Fault{On: osb.GetCatalog, Match: func(osbtest.Call) bool { cancel(); return true }, Answer: osbtest.Hang})
	b := controllertest.NewBroker(catalogsync.ClusterWide, server.URL)
	r, _ := newBrokerReconciler(t, catalogsync.ClusterWide, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
	if _, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	now := catalogsync.ClusterWide.NewBroker()
	if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(b), now); err != nil || now.CommonStatus().ObservedGeneration != 0 {
		t.Errorf("status is %+v, %v", now.CommonStatus(), err)
	}
}

func TestACatalogWaitsForItsTurnAndThenSaysSo(t *testing.T) {
	server := osbtest.Start(t, osbtest.Options{})
	b := controllertest.NewBroker(catalogsync.ClusterWide, server.URL)
	start := time.Now() // the limiter has a clock of its own
	r, at := newBrokerReconciler(t, catalogsync.ClusterWide, controllertest.NewCluster(t, interceptor.Funcs{}, b), start)
	freed := limitertest.FillSlots(t, r.connections.Limiters.Of(brokers.KeyOf(b), start), start)
	got, result := reconcileBroker(t, r, b)
	if len(got.CommonStatus().Conditions) > 0 || result.RequeueAfter != brokers.QueueHeartbeat {
		t.Errorf("at first in silence: %+v, again after %v", got.CommonStatus(), result.RequeueAfter)
	}
	at.SetTime(start.Add(engine.QueuedConditionDelay))
	if got, _ = reconcileBroker(t, r, b); rulestest.SayConditions(got.CommonStatus().Conditions) != "False Queued Reconciling" {
		t.Errorf("conditions say %q", rulestest.SayConditions(got.CommonStatus().Conditions))
	}
	freed()
	if got, _ = reconcileBroker(t, r, b); rulestest.SayConditions(got.CommonStatus().Conditions) != "True FetchedCatalog" {
		t.Errorf("conditions say %q", rulestest.SayConditions(got.CommonStatus().Conditions))
	}
}

// TestABrokerThatIsMendedIsAskedAtOnce: what was at its former address does not keep it waiting.
func TestABrokerThatIsMendedIsAskedAtOnce(t *testing.T) {
	start := time.Now() // the limiter has a clock of its own
	b := controllertest.NewBroker(catalogsync.ClusterWide, osbtest.Start(t, osbtest.Options{}).URL)
	b.CommonStatus().ObservedGeneration, b.CommonStatus().Attempts = 1, 3
	b.CommonStatus().NextAttemptTime = &metav1.Time{Time: start.Add(2 * time.Second)}
	c := controllertest.NewCluster(t, interceptor.Funcs{}, b)
	r, at := newBrokerReconciler(t, catalogsync.ClusterWide, c, start)
	now, _ := reconcileBroker(t, r, b)
	leave, _ := r.connections.Limiters.Of(brokers.KeyOf(b), start).Enter(limiter.Request{ID: "another"}, start)
	leave(start, limiter.Result{Outcome: limiter.Throttled, RetryAfter: time.Minute})
	at.SetTime(start.Add(10 * time.Second))
	if now, _ = reconcileBroker(t, r, now); now.CommonStatus().LastCatalogRetrievalTime != nil {
		t.Error("it is not left alone")
	}
	now.SetGeneration(2)
	now.Common().URL += "/"
	if err := c.Update(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if now, _ = reconcileBroker(t, r, now); rulestest.SayConditions(now.CommonStatus().Conditions) != "True FetchedCatalog" {
		t.Errorf("conditions say %q", rulestest.SayConditions(now.CommonStatus().Conditions))
	}
}

// delayed is a queue that notes what is to be looked at later.
type delayed struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	names []string
}

func (d *delayed) AddAfter(req reconcile.Request, _ time.Duration) {
	d.names = append(d.names, req.String())
}

func TestWhatIsChangedBehindOurBackIsLookedAt(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		b := controllertest.NewBroker(s, "http://127.0.0.1:1")
		r, _ := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
		class, plan := s.NewClass(), s.NewPlan()
		class.SetBrokerName("osba")
		plan.SetOwners("osba", "class")
		for _, o := range []client.Object{class, plan} {
			o.SetNamespace(b.GetNamespace())
			edited := o.DeepCopyObject().(client.Object)
			edited.SetGeneration(2)
			q := &delayed{}
			handler := r.offered()
			handler.Create(t.Context(), event.CreateEvent{Object: o}, q)
			handler.Update(t.Context(), event.UpdateEvent{ObjectOld: o, ObjectNew: o}, q)
			if len(q.names) > 0 {
				t.Errorf("%s: what we do ourselves is looked at: %q", s.Scope, q.names)
			}
			handler.Update(t.Context(), event.UpdateEvent{ObjectOld: o, ObjectNew: edited}, q)
			handler.Delete(t.Context(), event.DeleteEvent{Object: o}, q)
			if want := client.ObjectKeyFromObject(b).String(); !slices.Equal(q.names, []string{want, want}) {
				t.Errorf("%s: looked at is %q, want %q", s.Scope, q.names, want)
			}
		}
	}
}

// TestABindingThatMovesIsGoneFromABroker: which may wait for just that.
func TestABindingThatMovesIsGoneFromABroker(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		b := controllertest.NewBroker(s, "http://127.0.0.1:1")
		r, _ := newBrokerReconciler(t, s, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
		at := func(broker string) *v1beta1.ServiceBinding {
			target := &v1beta1.ServiceBindingTarget{BrokerReference: v1beta1.BrokerReference{Kind: s.BrokerKind(), Name: broker}}
			return &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "app"}, Status: v1beta1.ServiceBindingStatus{Target: target}}
		}
		q := &delayed{}
		r.detached().Update(t.Context(), event.UpdateEvent{ObjectOld: at("osba"), ObjectNew: at("osba")}, q)
		if len(q.names) > 0 {
			t.Errorf("%s: each change of it matters", s.Scope)
		}
		r.detached().Update(t.Context(), event.UpdateEvent{ObjectOld: at("osba"), ObjectNew: at("osbb")}, q)
		r.detached().Delete(t.Context(), event.DeleteEvent{Object: at("osba")}, q)
		if want := client.ObjectKeyFromObject(b).String(); !slices.Equal(q.names, []string{want, want}) {
			t.Errorf("%s: looked at is %q, want %q", s.Scope, q.names, want)
		}
	}
}

func TestWhatMattersAboutWhereAnInstanceIs(t *testing.T) {
	first := &v1beta1.ServiceInstance{}
	for name, edit := range map[string]func(*v1beta1.ServiceInstance){
		"its class": func(si *v1beta1.ServiceInstance) {
			si.Spec.ClusterServiceClassRef = &v1beta1.ClusterObjectReference{Name: "c"}
		},
		"its namespaced class": func(si *v1beta1.ServiceInstance) { si.Spec.ServiceClassRef = &v1beta1.LocalObjectReference{Name: "c"} },
		"its plan": func(si *v1beta1.ServiceInstance) {
			si.Spec.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: "p"}
		},
		"its namespaced plan": func(si *v1beta1.ServiceInstance) { si.Spec.ServicePlanRef = &v1beta1.LocalObjectReference{Name: "p"} },
		"its broker":          func(si *v1beta1.ServiceInstance) { si.Status.Broker = &v1beta1.BrokerReference{Name: "b"} },
		"what the broker has": func(si *v1beta1.ServiceInstance) {
			si.Status.ExternalProperties = &v1beta1.ServiceInstancePropertiesState{ServicePlanExternalID: "p"}
		},
		"what it was sent": func(si *v1beta1.ServiceInstance) {
			si.Status.InProgressProperties = &v1beta1.ServiceInstancePropertiesState{ClusterServicePlanExternalID: "p"}
		},
	} {
		edited := first.DeepCopy()
		edit(edited)
		if whereIs(first) == whereIs(edited) {
			t.Errorf("%s does not matter", name)
		}
	}
	edited := first.DeepCopy()
	edited.Status.ObservedGeneration, edited.Status.Conditions = 1, []v1beta1.Condition{{Type: "Ready"}}
	if whereIs(first) != whereIs(edited) {
		t.Error("each report of its state matters")
	}
}

// F-S36: only a broker that does not exist is forgotten.
func TestABrokerThatCannotBeReadIsNotForgotten(t *testing.T) {
	b := controllertest.NewBroker(catalogsync.ClusterWide, "https://osba.example")
	for failure, forgotten := range map[error]bool{apierrors.NewInternalError(errors.New("etcd")): false, apierrors.NewNotFound(schema.GroupResource{}, b.GetName()): true} {
		fails := false
		c := controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, ok := o.(v1beta1.Broker); ok && fails {
				return failure
			}
			return c.Get(ctx, key, o, opts...)
		}}, b)
		r, _ := newBrokerReconciler(t, catalogsync.ClusterWide, c, rulestest.Noon)
		if err := r.barrier.WaitForSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.RequestRelist(brokers.KeyOf(b))
		fails = true
		_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)})
		if is, _ := r.demands.of(brokers.KeyOf(b)); is == forgotten || (err == nil) != forgotten {
			t.Errorf("%v: the request for a relist is there: %t, %v", failure, is, err)
		}
	}
}

// F-S78: an earlier version has recorded no address of a broker whose catalog is not read again by itself. The operator records the present one
// before it changes, since the broker's objects were requested there.
func TestTheAddressOfAnEarlierVersionIsRecorded(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		first, second := osbtest.Start(t, osbtest.Options{}), osbtest.Start(t, osbtest.Options{})
		b := controllertest.NewBroker(s, first.URL)
		b.Common().RelistBehavior = v1beta1.RelistManual
		instance := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "db"}}
		instance.Status.Broker = &v1beta1.BrokerReference{Kind: s.BrokerKind(), Name: b.GetName()}
		c := controllertest.NewCluster(t, interceptor.Funcs{}, b, instance)
		r, _ := newBrokerReconciler(t, s, c, rulestest.Noon)
		now, _ := reconcileBroker(t, r, b)
		address := now.CommonStatus().Addresses
		if len(address) != 1 {
			t.Fatalf("%s: read at %+v", s.Scope, address)
		}
		now.CommonStatus().Addresses = nil
		if err := c.Status().Update(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		n := len(first.Calls())
		if now, _ = reconcileBroker(t, r, b); len(now.CommonStatus().Addresses) != 1 || now.CommonStatus().Addresses[0].Digest != address[0].Digest || len(first.Calls()) != n {
			t.Fatalf("%s: at rest: %+v, after %d requests", s.Scope, now.CommonStatus().Addresses, len(first.Calls())-n)
		}
		version := now.GetResourceVersion()
		if now, _ = reconcileBroker(t, r, b); now.GetResourceVersion() != version {
			t.Errorf("%s: it is written again", s.Scope)
		}
		now.Common().URL = second.URL
		now.SetGeneration(now.GetGeneration() + 1)
		if err := c.Update(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if now, _ = reconcileBroker(t, r, b); len(now.CommonStatus().Addresses) != 2 || now.CommonStatus().Addresses[0].Digest != address[0].Digest {
			t.Errorf("%s: after a move: %+v", s.Scope, now.CommonStatus().Addresses)
		}
	}
}
