// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package hostile_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// Credentials of others than the attackers: each says where it came from.
const (
	authCanary    = canary.Value + "-auth"
	paramCanary   = canary.Value + "-parameter"
	bindingCanary = canary.Value + "-binding"
	hookCanary    = canary.Value + "-receiver"
	payrollCanary = canary.Value + "-payroll"
)

// canaries are the credentials, none of which an attacker may get.
var canaries = []string{authCanary, paramCanary, bindingCanary, hookCanary, payrollCanary}

const (
	alertEvery    = 250 * time.Millisecond
	instanceEvery = time.Second
)

// victim is a namespace that attacks nothing.
type victim struct {
	namespace string
	inbox     *inbox.Inbox
	broker    *osbtest.Broker
	created   map[string]time.Time // of Alerts and instances, by name
	ids       map[string]string    // of instances, by name
	twin      string               // the id of an instance that the attackers know
}

func newVictim(ctx context.Context) *victim {
	GinkgoHelper()
	v := &victim{namespace: env.CreateNamespace(ctx), inbox: inbox.New(inbox.Options{}), created: map[string]time.Time{}, ids: map[string]string{}}
	services := osbtest.DefaultServices()[:1]
	services[0].Behavior.Credentials = func(string) any { return map[string]any{"password": bindingCanary} }
	v.broker = osbtest.Start(GinkgoT(), osbtest.Options{Username: "bell", Password: authCanary, Services: services})

	env.CreateSecret(ctx, v.namespace, "hook", "token", hookCanary)
	env.CreateSecret(ctx, v.namespace, "auth", "username", "bell", "password", authCanary)
	env.CreateSecret(ctx, v.namespace, "params", "json", fmt.Sprintf(`{"password": %q}`, paramCanary))
	createReady(ctx, v.namespace, fmt.Sprintf(`{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {name: oncall, annotations: {%s: "true"}}, spec: {webhook: {url: %q}, secretRef: {name: hook}}}`,
		pagerv1beta1.DefaultReceiverAnnotation, serve(httptest.NewServer(v.inbox.Handler()))))
	createReady(ctx, "", fmt.Sprintf(`{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ClusterServiceBroker, metadata: {name: good}, spec: {url: %q, authInfo: {basic: {secretRef: {namespace: %q, name: auth}}}}}`, v.broker.URL, v.namespace))
	twin := createReady(ctx, v.namespace, v.instance("known"))
	v.twin, _, _ = unstructured.NestedString(twin.Object, "spec", "externalID")
	v.ids["known"] = v.twin
	createReady(ctx, v.namespace, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: known}, spec: {instanceRef: {name: known}}}`)
	return v
}

func (v *victim) instance(name string) string {
	return `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: ` + name + `}, spec: {clusterServiceClassExternalName: database,
clusterServicePlanExternalName: small, parametersFrom: [{secretKeyRef: {name: params, key: json}}]}}`
}

// latencies are how long users waited: for the first message of an Alert, and for the first request of an instance.
type latencies struct{ pages, requests []time.Duration }

// use creates Alerts and instances for a while, and returns once each was sent and is Ready.
func (v *victim) use(ctx context.Context, prefix string, during time.Duration) latencies {
	GinkgoHelper()
	var alerts, instances []string
	began := time.Now()
	for i := 0; time.Since(began) < during; i++ {
		name := fmt.Sprintf("%s-%d", prefix, i)
		v.created["alert "+name] = time.Now()
		create(ctx, v.namespace, `{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: `+name+`}, spec: {title: `+name+`, content: disk full}}`)
		alerts = append(alerts, name)
		if i%int(instanceEvery/alertEvery) == 0 {
			v.created["instance "+name] = time.Now()
			u := create(ctx, v.namespace, v.instance(name))
			v.ids[name], _, _ = unstructured.NestedString(u.Object, "spec", "externalID")
			instances = append(instances, name)
		}
		select {
		case <-time.After(time.Until(began.Add(time.Duration(i+1) * alertEvery))):
		case <-ctx.Done():
			Fail("the time of the spec is over")
		}
	}
	var l latencies
	Eventually(ctx, func() []string { return missing(alerts, v.messages()) }).Should(BeEmpty(), "Alerts of which no message came")
	messages := v.messages()
	for _, name := range alerts {
		l.pages = append(l.pages, messages[name].Sub(v.created["alert "+name]))
	}
	Eventually(ctx, func() []string { return missing(instances, v.provisioned()) }).Should(BeEmpty(), "instances for which no request came")
	provisioned := v.provisioned()
	for _, name := range instances {
		l.requests = append(l.requests, provisioned[name].Sub(v.created["instance "+name]))
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(servicecatalogv1beta1.SchemeGroupVersion.WithKind("ServiceInstance"))
		u.SetNamespace(v.namespace)
		u.SetName(name)
		Eventually(ctx, readiness(ctx, u)).Should(Equal("True"), name)
	}
	return l
}

// missing returns the names that are not among those that have come.
func missing(names []string, come map[string]time.Time) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !come[name].IsZero() })
}

// messages returns when the first message of each Alert came.
func (v *victim) messages() map[string]time.Time {
	came := map[string]time.Time{}
	for _, m := range v.inbox.Messages() {
		if m.Namespace == v.namespace && m.Accepted > 0 {
			came[m.Name] = m.ReceivedAt
		}
	}
	return came
}

// provisioned returns when the first request for each instance came.
func (v *victim) provisioned() map[string]time.Time {
	first := map[string]time.Time{}
	for _, call := range v.broker.Calls(osb.ProvisionInstance) {
		if at, ok := first[call.InstanceID]; !ok || call.At.Before(at) {
			first[call.InstanceID] = call.At
		}
	}
	came := map[string]time.Time{}
	for name, id := range v.ids {
		came[name] = first[id]
	}
	return came
}

// check fails if anything of the victim's was lost or changed outside.
func (v *victim) check() {
	GinkgoHelper()
	fired := map[string]int{}
	for _, m := range v.inbox.Messages() {
		Expect(m.Namespace).To(Equal(v.namespace), "a message of another namespace: %s", m.Title)
		Expect(m.Event).To(Equal("alert.fired"), "%s", m.Title)
		fired[m.Name]++
	}
	for name, n := range fired {
		Expect(n).To(Equal(1), "messages of Alert %s", name)
	}
	held := v.broker.Holds().Instances
	Expect(held).To(HaveLen(len(v.ids)), "instances at the broker")
	for name, id := range v.ids {
		Expect(held).To(HaveKey(id), "instance %s", name)
	}
	for _, call := range v.broker.Calls(osb.DeprovisionInstance, osb.Unbind, osb.UpdateInstance) {
		Fail(fmt.Sprintf("the broker got %s of %s from %+v", call.Operation, call.ID(), call.Identity))
	}
	for _, call := range v.broker.Calls(osb.ProvisionInstance, osb.Bind) {
		Expect(v.ids).To(ContainElement(call.InstanceID), "%s of another instance by %+v", call.Operation, call.Identity)
	}
}

// percentile returns the nearest-rank percentile.
func percentile(all []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}
