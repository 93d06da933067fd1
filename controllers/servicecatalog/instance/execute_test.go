// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// conformance: F01
func TestAnInstanceIsFetchedOnlyWhereTheBrokerCan(t *testing.T) {
	for _, retrievable := range []bool{true, false} {
		broker, client := controllertest.StartBroker(t)
		class := &v1beta1.ClusterServiceClass{}
		class.Spec.InstanceRetrievable = retrievable
		inspectInstance(t.Context(), client, osb.Params{InstanceID: "id", ServiceID: osbtest.SyncService, PlanID: osbtest.SyncPlan}, class)
		if fetched := len(broker.Calls(osb.GetInstance)); (fetched == 1) != retrievable {
			t.Errorf("retrievable %v: fetched %d times", retrievable, fetched)
		}
	}
}

// F-B23: the dashboard of an instance may be known only after its asynchronous provisioning or update. No answer to the request for it is a
// failure of the operation.
func TestPollFetchesDashboard(t *testing.T) {
	late := func(o *osbtest.Options) {
		for i := range o.Services {
			o.Services[i].Behavior.LateDashboard, o.Services[i].Behavior.Polls = true, 1
		}
	}
	for name, test := range map[string]struct {
		call    instancerules.Request
		fault   *osbtest.Fault
		fetched int
		want    string
	}{
		"known":          {fetched: 0},
		"not known":      {call: instancerules.Request{FetchDashboard: true}, fetched: 1, want: "https://dashboard.example.com/id"},
		"another plan":   {call: instancerules.Request{FetchDashboard: true, HasOtherPlans: true}, fetched: 1, want: "https://dashboard.example.com/id"},
		"there is none":  {call: instancerules.Request{FetchDashboard: true}, fault: &osbtest.Fault{On: osb.GetInstance, Answer: osbtest.Status(200, `{}`)}, fetched: 1},
		"an error":       {call: instancerules.Request{FetchDashboard: true}, fault: &osbtest.Fault{On: osb.GetInstance, Answer: osbtest.Error(500, "", "oops")}, fetched: 1},
		"a wrong answer": {call: instancerules.Request{FetchDashboard: true}, fault: &osbtest.Fault{On: osb.GetInstance, Answer: osbtest.Status(200, `{"dashboard_url":7}`)}, fetched: 1},
	} {
		t.Run(name, func(t *testing.T) {
			broker, client := controllertest.StartBroker(t)
			broker.Change(late)
			if test.fault != nil {
				broker.Inject(*test.fault)
			}
			params := osb.Params{InstanceID: "id", ServiceID: osbtest.AsyncService, PlanID: osbtest.AsyncPlan, AcceptsIncomplete: true}
			made, out := client.Provision(t.Context(), osb.ProvisionRequest{Params: params, Context: osb.Context{Namespace: "n", ClusterID: "c", InstanceName: "i"}, OrganizationGUID: "o", SpaceGUID: "s"})
			if out.Class != osbresult.Accepted || made.DashboardURL != "" {
				t.Fatalf("%+v, %+v", made, out)
			}
			test.call.LastOperation = made.Operation
			a := pollInstance(t.Context(), client, params, &test.call)
			if a.State != osbresult.InProgress || len(broker.Calls(osb.GetInstance)) > 0 {
				t.Fatalf("in progress: %+v, fetched %d times", a, len(broker.Calls(osb.GetInstance)))
			}
			a = pollInstance(t.Context(), client, params, &test.call)
			calls := broker.Calls(osb.GetInstance)
			if a.Class != osbresult.Done || a.State != osbresult.Succeeded || a.DashboardURL != test.want || len(calls) != test.fetched {
				t.Errorf("%+v, fetched %d times", a, len(calls))
			}
			for _, c := range calls {
				if named := c.Query.Has("plan_id"); named == test.call.HasOtherPlans {
					t.Errorf("the plan is named: %t", named)
				}
			}
		})
	}
}

// An instance that bypassed admission has no status before it has the finalizer: an event says that it is refused.
func TestRefusedFinalizerAndID(t *testing.T) {
	si, recorder := rulestest.NewInstance(), events.NewFakeRecorder(10)
	si.Finalizers = nil
	c := controllertest.NewCluster(t, interceptor.Funcs{Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "serviceinstances"}, o.GetName(), errors.New("denied by policy"))
	}}, si)
	r := newReconciler(c, c, &engine.Config{ServerTime: func() times.Server { return times.Server{} }, Index: index.Index{Cache: c}, Clients: &brokers.Clients{}, Recorder: recorder, Clock: clocktesting.NewFakePassiveClock(rulestest.T0),
		Barrier: consistency.CacheBarrier{Cache: c, Live: c}})
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}); err == nil {
		t.Error("no error")
	}
	select {
	case said := <-recorder.Events:
		if !strings.HasPrefix(said, "Warning FinalizerRefused The API server refuses ") || !strings.HasSuffix(said, "denied by policy") {
			t.Errorf("the event is %q", said)
		}
	default:
		t.Error("no event")
	}
}

// F-S62: the webhook sets the references that its own cache shows. Where that is behind, the write changes nothing, and is repeated.
func TestReferencesThatTheWebhookDoesNotSetAreWrittenAgain(t *testing.T) {
	for name, sets := range map[string]bool{"set": true, "not set": false} {
		si := rulestest.NewInstance()
		catalog.SetRefs(&si.Spec, catalog.Cluster, catalog.Refs{})
		funcs := interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if err := c.Patch(ctx, o, p, opts...); err != nil || sets {
				return err
			}
			catalog.SetRefs(&o.(*v1beta1.ServiceInstance).Spec, catalog.Cluster, catalog.Refs{})
			return nil
		}}
		r := claimsReconciler(t)
		r.Client = controllertest.NewCluster(t, funcs, si)
		if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(si), si); err != nil {
			t.Fatal(err)
		}
		err := r.writeReferences(t.Context(), si, &instancerules.References{Scope: catalog.Cluster, Refs: catalog.Refs{Class: "c", Plan: "p"}})
		if (err == nil) != sets || err != nil && !errors.Is(err, errRefsNotSet) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// F-S76: a broker may repeat parameters that it was sent under an id that is left behind. No status has them, so that its words are withheld
// where parameters are from Secrets.
func TestF_S76_WordsAboutALeftBehindIDAreWithheld(t *testing.T) {
	for name, test := range map[string]struct {
		edit     func(*v1beta1.ServiceInstance)
		withheld bool
	}{
		"without parameters": {func(*v1beta1.ServiceInstance) {}, false},
		"with Secrets in the spec": {func(si *v1beta1.ServiceInstance) {
			si.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "s", Key: "k"}}}
		}, true},
		"with Secrets that the broker has": {func(si *v1beta1.ServiceInstance) {
			si.Status.ExternalProperties = &v1beta1.ServiceInstancePropertiesState{ParameterChecksum: "sum", ParametersVersion: "7"}
		}, true},
	} {
		si := rulestest.NewInstance()
		test.edit(si)
		call := &instancerules.Request{Request: operation.Request{Operation: rules.Deprovision, ID: "left", CleanUp: true}}
		secrets := (&Reconciler{}).secretsOf(t.Context(), &scope{Scope: &engine.Scope{}, instance: si}, call)
		isWithheld := false
		if secrets != nil {
			_, all := secrets()
			isWithheld = !all
		}
		if isWithheld != test.withheld {
			t.Errorf("%s: withheld %t", name, isWithheld)
		}
	}
}
