// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package hostile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
	"github.com/gophernetes/bellhop/test/internal/sender"
)

const (
	// bombProperties are the required properties of a schema of 51 kB, each of which is missing.
	bombProperties, bombDepth = 8000, 58
	// manyValues are those of a Secret of parameters.
	manyValues = 20000
	// largeCredentials are the bytes of the credentials of a binding.
	largeCredentials = 500 << 10
	// manyPlans are those of a catalog of the largest size.
	manyPlans = 40000
	// manyElements are those of an array in an Alert of the largest size.
	manyElements = 300_000
	// parameterDepth is that of parameters of almost 256 KiB.
	parameterDepth = 9000
	// sources are the AlertSources of one namespace, which post sourcesAtOnce times at once each.
	sources, sourcesAtOnce = 16, 4
)

// attackers are a tenant with all rights of the ClusterRole edit, and rights on brokers, receivers and sources; a user of a shared
// namespace with rights on instances, bindings and brokers, and none on Secrets; and a Pod without credentials.
type attackers struct {
	*stranger
	victim         *victim
	trap           *trap
	tenant, shared string
	eve, clerk     client.Client
	broker         *osbtest.Broker // of the tenant
	clerkBroker    *osbtest.Broker
	catalog        *httptest.Server // of a ClusterServiceBroker whose operator is hostile
	catalogs       atomic.Int64     // requests for it

	mu    sync.Mutex
	heard []string // what the servers of the attackers got
	turns map[string]int
	// stored counts what admission must not let the API server store.
	stored map[string]int

	deletions sync.WaitGroup
}

func newAttackers(ctx context.Context, v *victim) *attackers {
	GinkgoHelper()
	a := &attackers{stranger: newStranger(), victim: v, trap: newTrap(ctx), tenant: env.CreateNamespace(ctx), shared: env.CreateNamespace(ctx), eve: as("eve"), clerk: as("clerk"), turns: map[string]int{}, stored: map[string]int{}}
	grant(ctx, a.tenant, "eve", "edit")
	for _, role := range []string{"bellhop-servicecatalog-servicebroker-admin-role", "bellhop-pager-receiver-admin-role", "bellhop-pager-alertsource-admin-role"} {
		grant(ctx, a.tenant, "eve", role)
	}
	for _, kind := range []string{"servicebroker", "serviceinstance", "servicebinding"} {
		grant(ctx, a.shared, "clerk", "bellhop-servicecatalog-"+kind+"-admin-role")
	}
	a.prepareTenant(ctx)
	a.prepareShared(ctx)
	a.prepareCatalog(ctx)
	a.prepareOther(ctx)
	return a
}

// service is one of a hostile broker, whose ids no other has.
func service(number int, name string, behave osbtest.Behavior, schema string) osbtest.Service {
	s := osbtest.DefaultServices()[0]
	s.ID, s.Name, s.Behavior = fmt.Sprintf("5e12ce00-0000-4000-8000-0000000001%02d", number), name, behave
	s.Plans = []osbtest.Plan{{ID: fmt.Sprintf("91a40000-0000-4000-8000-0000000001%02d", number), Name: "plan", Description: "A plan"}}
	if schema != "" {
		s.Plans[0].Schemas = json.RawMessage(`{"service_instance":{"create":{"parameters":` + schema + `}}}`)
	}
	return s
}

func (a *attackers) prepareTenant(ctx context.Context) {
	GinkgoHelper()
	var required []string
	for i := range bombProperties {
		required = append(required, fmt.Sprintf("%q", fmt.Sprintf("%x", i)))
	}
	bomb := `{"$schema":"http://json-schema.org/draft-07/schema#","items":{"required":[` + strings.Join(required, ",") + `]},"additionalProperties":{"$ref":"#"}}`
	large := func(string) any { return map[string]any{"text": strings.Repeat("x", largeCredentials)} }
	nested := func(string) any {
		return map[string]any{"a": json.RawMessage(strings.Repeat(`[`, 50) + strings.Repeat(`"x",`, 20000) + `"x"` + strings.Repeat(`]`, 50))}
	}
	a.broker = osbtest.Start(GinkgoT(), osbtest.Options{Services: []osbtest.Service{
		service(1, "bomb", osbtest.Behavior{}, bomb), service(2, "large", osbtest.Behavior{Credentials: large}, ""), service(3, "nested", osbtest.Behavior{Credentials: nested}, ""),
		service(4, "failing", osbtest.Behavior{}, ""),
	}})
	a.broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Match: func(c osbtest.Call) bool {
		return strings.Contains(string(c.Body), service(4, "", osbtest.Behavior{}, "").ID)
	},
		Answer: osbtest.Status(http.StatusInternalServerError, `{"description": "v00001 failed"}`, "Content-Type", "application/json")})
	createReady(ctx, a.tenant, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBroker, metadata: {name: hostile}, spec: {url: "`+a.broker.URL+`"}}`)
	for _, class := range []string{"large", "nested"} {
		createReady(ctx, a.tenant, instanceOf(class, class, ""))
	}
	parameters := `{"x":[{},{},{},{},{}]}`
	for range bombDepth {
		parameters = `{"` + strings.Repeat("a", 64) + `":` + parameters + `}`
	}
	values := make([]string, manyValues)
	for i := range values {
		values[i] = fmt.Sprintf("%q", fmt.Sprintf("v%05d", i))
	}
	env.CreateSecret(ctx, a.tenant, "bomb", "json", parameters)
	env.CreateSecret(ctx, a.tenant, "values", "json", `{"x":[`+strings.Join(values, ",")+`]}`)
	env.CreateSecret(ctx, a.tenant, "senders", "token", "hostile")
	for i := range sources {
		createReady(ctx, a.tenant, fmt.Sprintf(`{apiVersion: pager.k8s.co/v1beta1, kind: AlertSource, metadata: {name: s%d}, spec: {secretRef: {name: senders}}}`, i))
	}
}

// prepareShared creates what another user has in the shared namespace: a Secret, and an instance and a binding that wait for what the clerk
// can create, and that get parameters of the Secret.
func (a *attackers) prepareShared(ctx context.Context) {
	GinkgoHelper()
	env.CreateSecret(ctx, a.shared, "payroll", "json", fmt.Sprintf(`{"leak": %q}`, payrollCanary))
	a.clerkBroker = osbtest.Start(GinkgoT(), osbtest.Options{Services: []osbtest.Service{service(11, "wanted", osbtest.Behavior{}, "")}})
	create(ctx, a.shared, instanceOf("waits", "wanted", "payroll"))
	create(ctx, a.shared, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: waits}, spec: {instanceRef: {name: later}, parametersFrom: [{secretKeyRef: {name: payroll, key: json}}]}}`)
}

// otherKind has an array as that of Alerts, of which the API server refuses a long one.
const otherKind = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: others.hostile.example.com}, spec: {group: hostile.example.com, scope: Namespaced,
names: {kind: Other, listKind: OtherList, plural: others, singular: other}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {
spec: {type: object, x-kubernetes-preserve-unknown-fields: true},
status: {type: object, properties: {deliveries: {type: array, maxItems: 16, items: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}}}]}}`

// prepareOther creates the kind of harmless requests, with all rights for the tenant.
func (a *attackers) prepareOther(ctx context.Context) {
	GinkgoHelper()
	create(ctx, "", otherKind)
	create(ctx, a.tenant, `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: others}, rules: [{apiGroups: [hostile.example.com], resources: [others], verbs: ["*"]}]}`)
	create(ctx, a.tenant, `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: others}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: others}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}]}`)
}

// prepareCatalog registers a ClusterServiceBroker whose catalog is as large as one may be, and not valid.
func (a *attackers) prepareCatalog(ctx context.Context) {
	GinkgoHelper()
	plans := make([]string, manyPlans)
	for i := range plans {
		plans[i] = fmt.Sprintf(`{"id":"91a40000-0000-4000-9000-%012d","name":"p%d","description":"%s"}`, i, i%100, strings.Repeat("x", 200))
	}
	catalog := `{"services":[{"id":"5e12ce00-0000-4000-9000-000000000001","name":"many","description":"x","bindable":true,"plans":[` + strings.Join(plans, ",") + `]}]}`
	a.catalog = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.listen(r)
		a.catalogs.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, catalog)
	}))
	create(ctx, "", `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ClusterServiceBroker, metadata: {name: many}, spec: {url: "`+serve(a.catalog)+`"}}`)
}

// listen records a request to a server of the attackers.
func (a *attackers) listen(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = append(a.heard, fmt.Sprint(r.URL, r.Header, string(body)))
}

// instanceOf is an instance of a namespaced class, with the parameters of a Secret.
func instanceOf(name, class, secret string) string {
	from := ""
	if secret != "" {
		from = `, parametersFrom: [{secretKeyRef: {name: ` + secret + `, key: json}}]`
	}
	return `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: "` + name + `"}, spec: {serviceClassExternalName: ` + class + `, servicePlanExternalName: plan` + from + `}}`
}

// attack is one sequence. Each turn is followed by a pause.
type attack struct {
	name  string
	pause time.Duration
	turn  func(ctx context.Context, n int, isHostile bool)
}

func (a *attackers) attacks() []attack {
	return []attack{
		{"F-S57: a status that does not decode", 500 * time.Millisecond, a.undecodableStatus},
		{"F-S58: a schema with many violations", 500 * time.Millisecond, a.schemaBomb},
		{"F-S59: reviews whose end does not come", 0, a.halfReviews},
		{"F-S59: a conversion without a length", time.Second, a.endlessConversion},
		{"F-S59: elements that are large once they are decoded", 2 * time.Second, a.largeOnceDecoded},
		{"F-S59, F-P52: connections that send nothing", 0, a.idle},
		{"F-S60: a review that names 20,000 Secrets", time.Second, a.manySecrets},
		{"F-S60: parameters that are deep, and have a long name", 2 * time.Second, a.deepParameters},
		{"F-S61: a catalog of 40,000 plans", 5 * time.Second, a.largeCatalog},
		{"F-S40: a Secret of 20,000 values", time.Second, a.manyValues},
		{"F-S41: credentials that cannot be written", 250 * time.Millisecond, a.unwritable},
		{"F-S43: transforms of nested credentials", time.Second, a.transforms},
		{"F-P52: wrong tokens", 50 * time.Millisecond, a.wrongTokens},
		{"F-P60: 16 sources post at once", 0, a.manySources},
		{"F-S63: addresses of others", 250 * time.Millisecond, a.addresses},
		{"F-S51, F-S62: objects of another user that wait are completed", time.Minute, a.complete},
		{"forged annotations", 500 * time.Millisecond, a.annotations},
	}
}

// run attacks, or sends as many harmless requests, until the context ends.
func (a *attackers) run(ctx context.Context, isHostile bool) {
	var running sync.WaitGroup
	for _, attack := range a.attacks() {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				attack.turn(ctx, n, isHostile)
				a.mu.Lock()
				if isHostile {
					a.turns[attack.name]++
				}
				a.mu.Unlock()
				select {
				case <-time.After(attack.pause):
				case <-ctx.Done():
				}
			}
		})
	}
	running.Wait()
	a.deletions.Wait()
}

// objectLife is for how long the object of a turn exists: the operator acts on it, and on its deletion.
const objectLife = 3 * time.Second

// briefly creates the object of a manifest as a user, and deletes it later. Most are refused.
func (a *attackers) briefly(ctx context.Context, user client.Client, namespace, manifest string) {
	u := object(namespace, manifest)
	if user.Create(ctx, u) == nil {
		a.inspect(u)
		a.deleteLater(ctx, user, u)
	}
}

// inspect records what the API server has stored although admission must not let it.
func (a *attackers) inspect(u *unstructured.Unstructured) {
	spec, err := json.Marshal(u.Object["spec"])
	if err != nil {
		panic(err) // it came as JSON
	}
	var found []string
	if name, _, _ := unstructured.NestedString(u.Object, "spec", "userInfo", "username"); name == "root" {
		found = append(found, "the identity of another user")
	}
	if bytes.Contains(spec, []byte(`"payroll"`)) {
		found = append(found, "a Secret that the user may not read")
	}
	if strings.HasPrefix(u.GetAnnotations()[servicecatalogv1beta1.MadeIDAnnotation], a.victim.twin+" ") {
		found = append(found, "a record that another object's id was made for it")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, what := range found {
		a.stored[what]++
	}
}

func (a *attackers) deleteLater(ctx context.Context, user client.Client, u client.Object) {
	a.deletions.Go(func() {
		select {
		case <-time.After(objectLife):
		case <-ctx.Done():
		}
		_ = user.Delete(context.WithoutCancel(ctx), u) // what was not deleted goes with the namespace
	})
}

// undecodableStatus forges an identity, a use of a Secret, or a record in each request, with a status that does not decode: a request with two
// forgeries is refused if only one of them is seen.
func (a *attackers) undecodableStatus(ctx context.Context, n int, isHostile bool) {
	status, forgeries := "{}", []string{"", "", ""}
	if isHostile {
		status = "{conditions: 7}"
		forgeries = []string{
			`userInfo: {username: root, uid: "0", groups: ["system:masters"]}, `,
			`parametersFrom: [{secretKeyRef: {name: payroll, key: json}}], `,
			`secretTransforms: [{addKeysFrom: {secretRef: {name: payroll}}}], `,
		}
	}
	for i, forged := range forgeries {
		name := fmt.Sprintf("b%d-%d-%t", n, i, isHostile)
		a.briefly(ctx, a.clerk, a.shared, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: `+name+`}, status: `+status+`, spec: {`+forged+`instanceRef: {name: later}}}`)
		binding := object(a.shared, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: patched-`+name+`}, spec: {instanceRef: {name: later}}}`)
		if a.clerk.Create(ctx, binding) == nil {
			patch, err := json.Marshal(object("", `{status: `+status+`, spec: {`+forged+`secretName: patched-`+name+`}}`).Object)
			if err == nil && a.clerk.Patch(ctx, binding, client.RawPatch(types.MergePatchType, patch)) == nil {
				a.inspect(binding)
			}
			a.deleteLater(ctx, a.clerk, binding)
		}
	}
	// The id of the victim's instance, and a record that it was made for this object, alone and together.
	id, record := "", ""
	if isHostile {
		id = `, externalID: ` + a.victim.twin
		record = `, annotations: {bellhop.gophernetes.io/made-id: "` + a.victim.twin + " " + time.Now().UTC().Format(time.RFC3339) + `"}`
	}
	for i, forged := range []struct{ record, id string }{{record, ""}, {"", id}, {record, id}} {
		for _, class := range []string{"none-", "database"} {
			name := fmt.Sprintf("%s-%d-%d-%t", strings.Trim(class, "-"), n, i, isHostile)
			if class == "none-" {
				class += name
			} else if forged.id == "" {
				continue // an instance of the victim's class, which the clerk may create
			}
			a.briefly(ctx, a.clerk, a.shared, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: `+name+forged.record+`}, status: `+status+`,
spec: {clusterServiceClassExternalName: `+class+`, clusterServicePlanExternalName: small`+forged.id+`}}`)
		}
	}
}

// largeOnceDecoded sends what takes hundreds of times its size once it is decoded: arrays of empty elements. Harmless ones are of a kind that
// Bellhop does not have, so that what they need of the API server is in both runs.
func (a *attackers) largeOnceDecoded(ctx context.Context, n int, isHostile bool) {
	kind := `"apiVersion":"hostile.example.com/v1","kind":"Other"`
	if isHostile {
		kind = `"apiVersion":"pager.k8s.co/v1alpha1","kind":"Alert"`
	}
	deliveries := strings.TrimSuffix(strings.Repeat("{},", manyElements), ",")
	a.briefly(ctx, a.eve, a.tenant, fmt.Sprintf(`{%s,"metadata":{"name":"empty-%d-%t"},"spec":{"message":"x"},"status":{"deliveries":[%s]}}`, kind, n, isHostile, deliveries))
	c := newStrangerClient()
	defer c.CloseIdleConnections()
	deliveries = strings.TrimSuffix(strings.Repeat("{},", 7*manyElements), ",")
	alert := `{"apiVersion":"pager.k8s.co/v1beta1","kind":"Alert","status":{"deliveries":[` + deliveries + `]}}`
	post(ctx, c, "https://"+a.webhooks(isHostile)+"/convert", "", strings.NewReader(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"1","desiredAPIVersion":"pager.k8s.co/v1alpha1","objects":[`+alert+`]}}`))
	post(ctx, c, "https://"+a.webhooks(isHostile)+"/validate-pager-k8s-co-v1beta1-alert", "", strings.NewReader(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","object":`+alert+`}}`))
}

// deepParameters sends parameters whose comparison with themselves takes the square of their size: deep ones, and ones with a long name. Harmless
// ones are of a kind that Bellhop does not have.
func (a *attackers) deepParameters(ctx context.Context, n int, isHostile bool) {
	kind, user, namespace := `"apiVersion":"hostile.example.com/v1","kind":"Other"`, a.eve, a.tenant
	if isHostile {
		kind, user, namespace = `"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBinding"`, a.clerk, a.shared
	}
	deep := strings.Repeat(`{"kkkkkkkkkkkkkkkkkkkk":`, parameterDepth) + "1" + strings.Repeat("}", parameterDepth)
	long := `{"` + strings.Repeat("k", 120<<10) + `":[` + strings.Repeat("0,", 60<<10) + `0]}`
	c := newStrangerClient()
	defer c.CloseIdleConnections()
	for i, parameters := range []string{deep, long} {
		binding := fmt.Sprintf(`{%s,"metadata":{"name":"deep-%d-%d-%t"},"spec":{"instanceRef":{"name":"later"},"parameters":%s}}`, kind, n, i, isHostile, parameters)
		a.briefly(ctx, user, namespace, binding)
		post(ctx, c, "https://"+a.webhooks(isHostile)+"/mutate-servicecatalog-k8s-io-v1beta1-servicebinding", "", strings.NewReader(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","object":`+binding+`}}`))
	}
}

func (a *attackers) schemaBomb(ctx context.Context, n int, isHostile bool) {
	secret := ""
	if isHostile {
		secret = "bomb"
	}
	a.briefly(ctx, a.eve, a.tenant, instanceOf(fmt.Sprintf("bomb-%d-%t", n, isHostile), "bomb", secret))
}

func (a *attackers) largeCatalog(ctx context.Context, _ int, isHostile bool) {
	if !isHostile {
		return
	}
	broker := object("", `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ClusterServiceBroker, metadata: {name: many}}`)
	if env.Client.Get(ctx, client.ObjectKeyFromObject(broker), broker) == nil {
		requests := broker.Object["spec"].(map[string]any)
		n, _ := requests["relistRequests"].(int64)
		requests["relistRequests"] = n + 1
		_ = env.Client.Update(ctx, broker) // fails after a conflict
	}
}

func (a *attackers) manyValues(ctx context.Context, n int, isHostile bool) {
	secret := ""
	if isHostile {
		secret = "values"
	}
	a.briefly(ctx, a.eve, a.tenant, instanceOf(fmt.Sprintf("values-%d-%t", n, isHostile), "failing", secret))
}

func (a *attackers) unwritable(ctx context.Context, n int, isHostile bool) {
	class, transform := "nested", ""
	if isHostile {
		class, transform = "large", `, secretTransforms: [{addKeysFrom: {secretRef: {name: missing}}}]`
	}
	u := object(a.tenant, fmt.Sprintf(`{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: unwritable-%d-%t}, spec: {instanceRef: {name: %s}%s}}`, n, isHostile, class, transform))
	_ = a.eve.Create(ctx, u) // it stays
}

func (a *attackers) transforms(ctx context.Context, n int, isHostile bool) {
	count, path := 1, "{.a}"
	if isHostile {
		count, path = 64, "{..*}"
	}
	var all []string
	for i := range count {
		all = append(all, fmt.Sprintf(`{addKey: {key: k%d, jsonPathExpression: "%s"}}`, i, path))
	}
	a.briefly(ctx, a.eve, a.tenant, fmt.Sprintf(`{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: nested-%d-%t}, spec: {instanceRef: {name: nested}, secretTransforms: [%s]}}`,
		n, isHostile, strings.Join(all, ", ")))
}

// manySources posts bodies that come slowly to all sources of the tenant.
func (a *attackers) manySources(ctx context.Context, _ int, isHostile bool) {
	var posts sync.WaitGroup
	for i := range sources {
		for range sourcesAtOnce {
			posts.Go(func() {
				c := sender.NewClient()
				defer c.CloseIdleConnections()
				url := fmt.Sprintf("https://%s/v1/namespaces/%s/alertsources/s%d/api/v2/alerts", a.posts(isHostile), a.tenant, i)
				post(ctx, c, url, "Bearer hostile", newSlowBody(ctx))
			})
		}
	}
	posts.Wait()
}

// newSlowBody returns a body that comes within five seconds.
func newSlowBody(ctx context.Context) io.Reader {
	left := 50
	return readerFunc(func(p []byte) (int, error) {
		if left--; left < 0 {
			return 0, io.EOF
		}
		select {
		case <-time.After(100 * time.Millisecond):
			return copy(p, strings.Repeat(" ", min(len(p), 32<<10))), nil
		case <-ctx.Done():
			return 0, io.ErrUnexpectedEOF
		}
	})
}

// readerFunc is an io.Reader.
type readerFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (a *attackers) addresses(ctx context.Context, n int, isHostile bool) {
	url := a.catalog.URL
	if all := a.trap.urls(); isHostile {
		url = all[n%len(all)]
	}
	a.briefly(ctx, a.eve, a.tenant, fmt.Sprintf(`{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBroker, metadata: {name: address-%d-%t}, spec: {url: %q}}`, n, isHostile, url))
	a.briefly(ctx, a.eve, a.tenant, fmt.Sprintf(`{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {name: address-%d-%t}, spec: {webhook: {url: %q}}}`, n, isHostile, url))
}

// complete offers the class that an instance of another user waits for, and creates the instance that a binding waits for.
func (a *attackers) complete(ctx context.Context, _ int, isHostile bool) {
	if !isHostile {
		return
	}
	_ = a.clerk.Create(ctx, object(a.shared, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBroker, metadata: {name: wanted}, spec: {url: "`+a.clerkBroker.URL+`"}}`))
	_ = a.clerk.Create(ctx, object(a.shared, instanceOf("later", "wanted", "")))
}

func (a *attackers) annotations(ctx context.Context, n int, isHostile bool) {
	forged := ""
	if isHostile {
		forged = `bellhop.gophernetes.io/made-id: "` + a.victim.twin + ` 2020-01-02T03:04:05Z", bellhop.gophernetes.io/written-from: "99999999", bellhop.gophernetes.io/deletion-policy: Delete`
	}
	name := fmt.Sprintf("forged-%d-%t", n, isHostile)
	a.briefly(ctx, a.eve, a.tenant, `{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: `+name+`, annotations: {`+forged+`}}, spec: {content: x, receiverRefs: [{kind: Receiver, name: none}]}}`)
	a.briefly(ctx, a.eve, a.tenant, `{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: `+name+`, annotations: {`+forged+`}}, spec: {serviceClassExternalName: large, servicePlanExternalName: plan}}`)
}

// places are all texts that the attackers have got or can read, by their names.
func (a *attackers) places(ctx context.Context) map[string]string {
	GinkgoHelper()
	a.mu.Lock()
	places := map[string]string{"a server of the attackers": strings.Join(a.heard, "\n")}
	a.mu.Unlock()
	for name, broker := range map[string]*osbtest.Broker{"the tenant's broker": a.broker, "the clerk's broker": a.clerkBroker} {
		var calls []string
		for _, call := range broker.Calls() {
			calls = append(calls, fmt.Sprint(call.URI, call.Header, string(call.Body)))
		}
		places[name] = strings.Join(calls, "\n")
	}
	for _, kind := range []string{"alerts", "receivers", "alertsources", "servicebrokers", "serviceinstances", "servicebindings", "secrets", "events"} {
		out, err := env.Kubectl(ctx, "", "get", kind, "--namespace="+a.tenant, "-o", "yaml")
		Expect(err).NotTo(HaveOccurred(), out)
		places[kind+" of the tenant"] = out
		if kind != "secrets" { // the shared namespace has one of another user
			out, err = env.Kubectl(ctx, "", "get", kind, "--namespace="+a.shared, "-o", "yaml")
			Expect(err).NotTo(HaveOccurred(), out)
			places[kind+" of the shared namespace"] = out
		}
	}
	out, err := env.Kubectl(ctx, "", "get", "secrets", "--namespace="+a.shared, "--field-selector=metadata.name!=payroll", "-o", "yaml")
	Expect(err).NotTo(HaveOccurred(), out)
	places["other Secrets of the shared namespace"] = out
	return places
}

// checkSecrecy fails if a credential of others is where the attackers can read it.
func (a *attackers) checkSecrecy(ctx context.Context) {
	GinkgoHelper()
	places := a.places(ctx)
	for _, secret := range canaries {
		Expect(canary.Find(places, secret)).To(BeEmpty())
	}
}

// checkIdentities fails if a broker was told of a user that no request of this suite is from.
func (a *attackers) checkIdentities() {
	GinkgoHelper()
	for _, broker := range []*osbtest.Broker{a.broker, a.clerkBroker, a.victim.broker} {
		for _, call := range broker.Calls() {
			if call.Identity != nil {
				Expect(call.Identity.Username).NotTo(Equal("root"), "%s of %s", call.Operation, call.ID())
			}
		}
	}
}
