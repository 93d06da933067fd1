// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
)

func broker(url string, edits ...func(*v1beta1.CommonServiceBrokerSpec)) *v1beta1.ServiceBroker {
	b := &v1beta1.ServiceBroker{}
	namespaceName(b, "ns", "b")
	b.Spec.URL, b.Spec.RelistBehavior = url, v1beta1.RelistDuration
	for _, edit := range edits {
		edit(&b.Spec.CommonServiceBrokerSpec)
	}
	return b
}

func global(b *v1beta1.ServiceBroker) *v1beta1.ClusterServiceBroker {
	c := &v1beta1.ClusterServiceBroker{Spec: v1beta1.ClusterServiceBrokerSpec{CommonServiceBrokerSpec: b.Spec.CommonServiceBrokerSpec}}
	namespaceName(c, "", b.Name)
	return c
}

// TestAddresses: what cannot be used or must not be dialled is refused, what is risky is
// a matter of policy.
func TestAddresses(t *testing.T) {
	const (
		plain    = "the connection is not encrypted"
		within   = "the address is in the cluster"
		careless = "credentials and parameters are sent to any server that answers"
	)
	insecure := func(s *v1beta1.CommonServiceBrokerSpec) { s.InsecureSkipTLSVerify = true }
	oauth := func(url string) func(*v1beta1.CommonServiceBrokerSpec) {
		return func(s *v1beta1.CommonServiceBrokerSpec) {
			s.AuthInfo = &v1beta1.AuthInfo{OAuth2: &v1beta1.OAuth2Auth{SecretAuth: v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: "mine"}}, TokenURL: url}}
		}
	}
	guard := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, []netip.Addr{netip.MustParseAddr("10.96.0.1")})
	for _, c := range []struct {
		name   string
		broker *v1beta1.ServiceBroker
		error  []string
		risks  []string // warnings, or with the strict policy errors
	}{
		{name: "https", broker: broker("https://broker.example.com/path")},
		{name: "http", broker: broker("http://broker.example.com"), risks: []string{plain}},
		{name: "a Service", broker: broker("https://osba.osba.svc"), risks: []string{within}},
		{name: "a Service with the cluster's domain", broker: broker("https://osba.osba.SVC.cluster.local.:8080"), risks: []string{within}},
		{name: "F-S63: a Service in full-width letters", broker: broker("https://vault.prod.ｓｖｃ"), risks: []string{within}},
		{name: "F-S63: a token server in full-width letters", broker: broker("https://broker.example.com", oauth("https://vault。prod。svc/token")), risks: []string{within}},
		{name: "F-S63: loopback in full-width digits", broker: broker("https://１２７.0.0.1"), error: []string{"loopback"}},
		{name: "F-S63: a number", broker: broker("https://0x7f000001"), error: []string{`spec.url: Invalid value: "0x7f000001"`, "192.0.2.7"}},
		{name: "a single label", broker: broker("http://osba"), risks: []string{plain, within}},
		{name: "no verification", broker: broker("https://broker.example.com", insecure), risks: []string{careless}},
		{name: "loopback", broker: broker("https://127.0.0.1:1"), error: []string{`spec.url: Invalid value: "127.0.0.1"`, "loopback"}},
		{name: "loopback by its name", broker: broker("http://localhost:1"), error: []string{"loopback"}},
		{name: "loopback that is allowed", broker: broker("http://127.0.0.2:1")},
		{name: "metadata", broker: broker("https://[::ffff:169.254.169.254]/"), error: []string{"spec.url: Invalid value", "metadata"}},
		{name: "the API server", broker: broker("https://10.96.0.1"), error: []string{"API server's own"}},
		{name: "an address", broker: broker("https://10.1.2.3")},
		{name: "no scheme", broker: broker("broker.example.com"), error: []string{"spec.url: Invalid value", "must be an absolute http or https URL"}},
		{name: "another scheme", broker: broker("ftp://broker.example.com"), error: []string{"must be an absolute http or https URL"}},
		{name: "no host", broker: broker("https:///v2"), error: []string{"must be an absolute http or https URL"}},
		{name: "no URL", broker: broker("https://a b\x7f"), error: []string{"spec.url: Invalid value: must be an http or https URL"}},
		{name: "a password", broker: broker("https://user:hunter2@broker.example.com"), error: []string{`spec.url: Invalid value: "https://broker.example.com"`, "must have no user name"}},
		{name: "a query", broker: broker("https://broker.example.com?key=hunter2"), error: []string{`spec.url: Invalid value: "https://broker.example.com"`, "must end with its path"}},
		{name: "where tokens are got", broker: broker("https://broker.example.com", oauth("http://tokens.example.com?x=y")), risks: []string{"spec.authInfo.oauth2.tokenURL", plain}},
		{name: "where tokens must not be got", broker: broker("https://broker.example.com", oauth("https://169.254.169.254/latest")), error: []string{"spec.authInfo.oauth2.tokenURL: Invalid value"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, policy := range []BrokerPolicy{BrokerPolicyCompatible, BrokerPolicyStrict} {
				o := Options{BrokerPolicy: policy, Guard: guard}
				v := brokerValidator[*v1beta1.ServiceBroker]{starting(t), reviewer(t, new([]string), "mine"), o}
				warnings, err := v.ValidateCreate(request(t, nil), c.broker)
				if policy == BrokerPolicyStrict && len(c.risks) > 0 {
					says(t, "strict", text(err), slices.Concat(c.risks, []string{"Forbidden", "--broker-policy=strict"})...)
				} else {
					says(t, "error", text(err), c.error...)
					says(t, "warnings", lines(warnings), c.risks...)
				}
				if strings.Contains(text(err)+lines(warnings), "hunter2") {
					t.Errorf("a credential is repeated: %v %v", err, warnings)
				}

				// Nothing of it is new in an update that changes something else.
				changed := c.broker.DeepCopy()
				changed.Spec.RelistRequests++
				warnings, err = v.ValidateUpdate(request(t, c.broker), c.broker, changed)
				says(t, "update", text(err))
				says(t, "update", lines(warnings), c.risks...)

				shared := brokerValidator[*v1beta1.ClusterServiceBroker]{starting(t), reviewer(t, new([]string), "mine"), o}
				if c.broker.Spec.AuthInfo == nil && len(c.error) == 0 {
					warnings, err = shared.ValidateCreate(request(t, nil), global(c.broker))
					says(t, "of the cluster", text(err))
					says(t, "of the cluster", lines(warnings), c.risks...)
				}
			}
		})
	}
}

// TestWhoMayUseACredential: whoever sends a Secret somewhere has to have the right to read
// it, and it is asked for whenever it would go elsewhere or less well guarded.
func TestWhoMayUseACredential(t *testing.T) {
	basic := func(name string) func(*v1beta1.CommonServiceBrokerSpec) {
		return func(s *v1beta1.CommonServiceBrokerSpec) {
			s.AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: name}}}
		}
	}
	var asked []string
	v := brokerValidator[*v1beta1.ServiceBroker]{knowing(t), reviewer(t, &asked, "mine"), Options{Guard: outbound.NewGuard(nil, nil)}}
	old := broker("https://broker.example.com", basic("theirs"))
	for _, c := range []struct {
		name  string
		edit  func(*v1beta1.CommonServiceBrokerSpec)
		asked []string
		error []string
	}{
		{name: "a request to relist", edit: func(s *v1beta1.CommonServiceBrokerSpec) { s.RelistRequests++ }},
		{name: "another URL", edit: func(s *v1beta1.CommonServiceBrokerSpec) { s.URL += "/x" }, asked: []string{"ns/theirs"},
			error: []string{"spec.authInfo.basic.secretRef.name: Forbidden", `"alice" may not get Secret "theirs" in namespace "ns", so they may not have it sent either`}},
		{name: "no verification", edit: func(s *v1beta1.CommonServiceBrokerSpec) { s.InsecureSkipTLSVerify = true }, asked: []string{"ns/theirs"}, error: []string{"may not get Secret"}},
		{name: "a Secret of one's own", edit: basic("mine"), asked: []string{"ns/mine"}},
		{name: "a certificate besides", edit: func(s *v1beta1.CommonServiceBrokerSpec) {
			basic("mine")(s)
			s.AuthInfo.ClientCertificate = &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: "theirs"}}
		}, asked: []string{"ns/mine", "ns/theirs"}, error: []string{"spec.authInfo.clientCertificate.secretRef.name: Forbidden"}},
		{name: "no credentials", edit: func(s *v1beta1.CommonServiceBrokerSpec) { s.AuthInfo = nil }},
		{name: "no URL", edit: func(s *v1beta1.CommonServiceBrokerSpec) { s.URL = "nonsense" }, error: []string{`spec.url: Invalid value`}},
		{name: "nothing", edit: func(*v1beta1.CommonServiceBrokerSpec) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// One that is being deleted is still used, until its instances are gone.
			for _, deleted := range []*metav1.Time{nil, {Time: t0}} {
				asked = nil
				old := old.DeepCopy()
				old.DeletionTimestamp = deleted
				b := old.DeepCopy()
				c.edit(b.Common())
				_, err := v.ValidateUpdate(request(t, old), old, b)
				says(t, "error", text(err), c.error...)
				if !slices.Equal(asked, c.asked) {
					t.Errorf("asked for %v instead of %v", asked, c.asked)
				}
			}
		})
	}

	// F-S15: a broker that is led elsewhere, or created again under its name, is sent the parameters of its instances and
	// bindings.
	from := func(secret string) []v1beta1.ParametersFromSource {
		return []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: secret, Key: "all"}}}
	}
	si := instance(func(i *v1beta1.ServiceInstance) {
		i.Status.Broker = &v1beta1.BrokerReference{Kind: "ServiceBroker", Name: old.Name}
	})
	plain := broker("https://broker.example.com")
	moved := broker("https://thief.example.com")
	for what, objs := range map[string][]client.Object{
		"an instance": {instance(func(i *v1beta1.ServiceInstance) {
			i.Spec.ParametersFrom, i.Status.Broker = from("parameters"), si.Status.Broker
		})},
		"a binding": {si, binding(func(b *v1beta1.ServiceBinding) { b.Spec.ParametersFrom = from("parameters") })},
	} {
		parameters := brokerValidator[*v1beta1.ServiceBroker]{knowing(t, objs...), reviewer(t, &asked, "mine"), v.options}
		_, moving := parameters.ValidateUpdate(request(t, plain), plain, moved)
		says(t, "an update, with "+what, text(moving), `spec.url: Forbidden`, `may not get Secret "parameters" in namespace "ns"`)
		_, creating := parameters.ValidateCreate(request(t, nil), moved)
		says(t, "a creation, with "+what, text(creating), `spec.url: Forbidden`)
	}

	elsewhere := broker("https://broker.example.com", func(s *v1beta1.CommonServiceBrokerSpec) {
		s.AuthInfo = &v1beta1.AuthInfo{Bearer: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Namespace: "other", Name: "Bad_Name"}}}
	})
	_, err := v.ValidateCreate(request(t, nil), elsewhere)
	says(t, "another namespace", text(err), "spec.authInfo.bearer.secretRef.namespace: Invalid value", `must be left out, or be the broker's own: "ns"`, "spec.authInfo.bearer.secretRef.name: Invalid value")
	shared := brokerValidator[*v1beta1.ClusterServiceBroker]{knowing(t), reviewer(t, &asked, "mine"), v.options}
	_, err = shared.ValidateCreate(request(t, nil), global(broker("https://broker.example.com", basic("mine"))))
	says(t, "no namespace", text(err), "spec.authInfo.basic.secretRef.namespace: Required value: a ClusterServiceBroker sets the namespace of its Secret")
	_, err = v.ValidateCreate(request(t, nil), broker("https://broker.example.com", basic("")))
	says(t, "no name", text(err), "spec.authInfo.basic.secretRef.name: Required value: must name a Secret")
	_, err = v.ValidateCreate(request(t, nil), broker("https://broker.example.com", func(s *v1beta1.CommonServiceBrokerSpec) { s.CABundle = []byte("foo") }))
	says(t, "no certificate", text(err), "spec.caBundle", "PEM")
}

func TestBrokersKeepTheirFinalizer(t *testing.T) {
	old := broker("https://broker.example.com", func(s *v1beta1.CommonServiceBrokerSpec) { s.RelistRequests = 7 })
	old.Finalizers = []string{"mine", v1beta1.Finalizer}
	d := brokerDefaulter[*v1beta1.ServiceBroker]{decoder}
	for name, c := range map[string]struct {
		edit func(*v1beta1.ServiceBroker)
		want []string
	}{
		"a manifest in its place":    {func(b *v1beta1.ServiceBroker) { *b = *broker("https://broker.example.com") }, []string{v1beta1.Finalizer}},
		"another URL":                {func(b *v1beta1.ServiceBroker) { b.Spec.URL += "/x" }, []string{"mine", v1beta1.Finalizer}},
		"a finalizer of one's own":   {func(b *v1beta1.ServiceBroker) { b.Finalizers = append(b.Finalizers, "x") }, []string{"mine", v1beta1.Finalizer, "x"}},
		"another URL, and let it go": {func(b *v1beta1.ServiceBroker) { b.Finalizers, b.Spec.URL = nil, "https://x" }, []string{v1beta1.Finalizer}},
	} {
		t.Run(name, func(t *testing.T) {
			b := old.DeepCopy()
			c.edit(b)
			if err := d.Default(request(t, old), b); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(b.Finalizers, c.want) || b.Spec.RelistRequests != 7 {
				t.Errorf("%v, %d", b.Finalizers, b.Spec.RelistRequests)
			}
		})
	}
}

// TestDeletionsWarn: what is deleted although something needs it.
func TestDeletionsWarn(t *testing.T) {
	class := clusterClass("broker", "class")
	plan := clusterPlan(class, "plan")
	objs := []client.Object{class, plan}
	for _, name := range []string{"f", "a", "b", "c", "d", "e"} {
		objs = append(objs, live(func(i *v1beta1.ServiceInstance) { i.Name = name }))
		b := &v1beta1.ServiceBinding{}
		namespaceName(b, "ns", "to-a-"+name)
		b.Spec.InstanceRef.Name = "a"
		if name == "f" { // F-U13: a binding that is being deleted holds up nothing
			b.Finalizers, b.DeletionTimestamp = []string{v1beta1.Finalizer}, new(metav1.Now())
		}
		objs = append(objs, b)
	}
	k := knowing(t, objs...)
	warnings, err := brokerValidator[*v1beta1.ClusterServiceBroker]{knowledge: k}.ValidateDelete(request(t, nil), clusterBroker("broker", true))
	says(t, "broker", text(err)+lines(warnings), `ClusterServiceBroker "broker" stays until its ServiceInstances are gone: ns/a, ns/b, ns/c, ns/d, ns/e and 1 more`)
	warnings, err = classValidator[*v1beta1.ClusterServiceClass]{k}.ValidateDelete(request(t, nil), class)
	says(t, "class", text(err)+lines(warnings), `ServiceInstances of ClusterServiceClass "class" are left`, "ns/a")
	warnings, err = planValidator[*v1beta1.ClusterServicePlan]{k}.ValidateDelete(request(t, nil), plan)
	says(t, "plan", text(err)+lines(warnings), `ServiceInstances of ClusterServicePlan "plan" are left`)
	warnings, err = instanceValidator{knowledge: k}.ValidateDelete(request(t, nil), live(func(i *v1beta1.ServiceInstance) { i.Name = "a" }))
	says(t, "instance", text(err)+lines(warnings), `ServiceInstance "a" stays until its ServiceBindings are gone: ns/to-a-a, ns/to-a-b, ns/to-a-c, ns/to-a-d, ns/to-a-e`)
	if strings.Contains(lines(warnings), "more") {
		t.Errorf("the warning counts a binding that is being deleted: %s", lines(warnings))
	}
	for name, edit := range map[string]func(*v1beta1.ServiceInstance){
		"not provisioned": func(i *v1beta1.ServiceInstance) { i.Status.DeprovisionStatus = v1beta1.DeprovisionNotRequired },
		"removed":         func(i *v1beta1.ServiceInstance) { i.Status.DeprovisionStatus = v1beta1.DeprovisionSucceeded },
		"abandoned":       func(i *v1beta1.ServiceInstance) { i.Finalizers = nil },
		"retained": func(i *v1beta1.ServiceInstance) {
			i.Annotations = map[string]string{v1beta1.DeletionPolicyAnnotation: v1beta1.DeletionPolicyRetain}
		},
	} {
		warnings, err = instanceValidator{knowledge: k}.ValidateDelete(request(t, nil), live(func(i *v1beta1.ServiceInstance) { i.Name = "a" }, edit))
		says(t, name, text(err)+lines(warnings))
	}
	warnings, err = instanceValidator{knowledge: k}.ValidateDelete(request(t, nil), live())
	says(t, "nothing", text(err)+lines(warnings))
	warnings, err = instanceValidator{knowledge: starting(t, objs...)}.ValidateDelete(request(t, nil), live(func(i *v1beta1.ServiceInstance) { i.Name = "a" }))
	says(t, "starting", text(err)+lines(warnings))
}

// F-JS9: another address may lead to another broker, which does not have what was requested at the former one.
func TestF_JS9_MovesWarn(t *testing.T) {
	class := clusterClass("broker", "class")
	objs := []client.Object{class, clusterPlan(class, "plan")}
	for _, name := range []string{"a", "b"} {
		objs = append(objs, live(func(i *v1beta1.ServiceInstance) { i.Name = name }))
	}
	old := clusterBroker("broker", true)
	old.Spec.URL = "https://user:hunter2@old.example.com/osb/"
	moved := func(url, from string) *v1beta1.ClusterServiceBroker {
		b := old.DeepCopy()
		b.Spec.URL = url
		if from != "" {
			metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.MovedFromAnnotation, from)
		}
		return b
	}
	const warning = "spec.url: the broker has 2 ServiceInstances and 0 ServiceBindings that were requested at the former address"
	for name, c := range map[string]struct {
		to   *v1beta1.ClusterServiceBroker
		want []string
	}{
		"another address":    {moved("https://new.example.com", ""), []string{warning, v1beta1.MovedFromAnnotation + "=https://old.example.com:443/osb;", "BrokerMoved"}},
		"another spelling":   {moved("https://OLD.example.com:443/osb", ""), nil},
		"a confirmed move":   {moved("https://new.example.com", "https://older.example.com, https://old.example.com/osb"), nil},
		"of another address": {moved("https://new.example.com", "https://older.example.com"), []string{warning}},
	} {
		v := brokerValidator[*v1beta1.ClusterServiceBroker]{knowing(t, objs...), reviewer(t, new([]string)), Options{BrokerPolicy: BrokerPolicyCompatible, Guard: outbound.NewGuard(nil, nil)}}
		warnings, err := v.ValidateUpdate(request(t, old), old, c.to)
		says(t, name, text(err)+lines(warnings), c.want...)
		v.knowledge = starting(t, objs...)
		warnings, err = v.ValidateUpdate(request(t, old), old, c.to)
		says(t, name+", while the operator starts", text(err)+lines(warnings))
		if strings.Contains(text(err)+lines(warnings), "hunter2") {
			t.Errorf("%s: a credential is repeated", name)
		}
	}
}
