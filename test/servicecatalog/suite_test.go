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

// Package servicecatalog_test runs the real operator against a real API server and real
// HTTP brokers, and asserts what a user sees, and what the brokers do.
package servicecatalog_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

var (
	cluster  *local.Cluster
	binary   string
	operator *local.Operator
	k8s      client.Client
	auditLog string
	logs     = &buffer{}
)

func TestServiceCatalog(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(time.Second)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "servicecatalog")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	auditLog = filepath.Join(GinkgoT().TempDir(), "audit.log")
	// The cluster outlives this node's context.
	cluster, err = local.Start(context.WithoutCancel(ctx), local.Options{Repo: repo, AuditLog: auditLog, ControllerManager: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return cluster.Stop() })
	binary, err = local.BuildOperator(ctx, repo)
	Expect(err).NotTo(HaveOccurred())

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		Expect(add(scheme)).To(Succeed())
	}
	config := *cluster.Config
	config.QPS = -1
	k8s, err = client.New(&config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	startOperator(ctx)
})

// Each spec has the log of its own time: at this level there is much.
var _ = BeforeEach(func() { logs.reset() })

var _ = AfterEach(func() {
	if CurrentSpecReport().Failed() {
		AddReportEntry("operator log", logs.tail(8000))
	}
})

// startOperator runs the operator, at its highest log level, until stopped or killed.
func startOperator(ctx context.Context, args ...string) {
	GinkgoHelper()
	var err error
	operator, err = cluster.StartOperator(ctx, local.OperatorOptions{
		Binary: binary,
		Args:   append([]string{"--allow-outbound=127.0.0.1", "--zap-log-level=10"}, args...),
		Log:    logs,
	})
	Expect(err).NotTo(HaveOccurred())
}

// buffer is what the operator printed.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *buffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b = bytes.Buffer{}
}

func (b *buffer) tail(n int) string {
	s := b.String()
	return s[max(0, len(s)-n):]
}

// newNamespace makes a namespace that goes with the spec.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
	Expect(k8s.Create(ctx, ns)).To(Succeed())
	return ns.Name
}

// newBroker is a broker on a port of its own. Its services are DefaultServices under ids
// and names that no other spec has, unless the options say otherwise.
func newBroker(o osbtest.Options) *osbtest.Broker {
	GinkgoHelper()
	if o.Services == nil && o.Catalog == nil {
		o.Services = uniqueServices()
	}
	return osbtest.Start(GinkgoT(), o)
}

// unique is a text that no other spec has and that a name can have as it is.
func unique() string { return strings.ReplaceAll(rand.String(8), "z", "y") }

// uniqueServices are DefaultServices under ids and names of their own.
func uniqueServices() []osbtest.Service {
	suffix := "-" + unique()
	services := osbtest.DefaultServices()
	for i := range services {
		services[i].ID += suffix
		services[i].Name += suffix
		services[i].Plans = slices.Clone(services[i].Plans)
		for j := range services[i].Plans {
			services[i].Plans[j].ID += suffix
		}
	}
	return services
}

// offering is a service with some plans, under ids of its own.
func offering(name string, plans ...string) osbtest.Service {
	suffix := "-" + unique()
	s := osbtest.Service{ID: name + suffix, Name: name + suffix, Description: "Offers " + name, Bindable: true, PlanUpdateable: true}
	for _, plan := range plans {
		s.Plans = append(s.Plans, osbtest.Plan{ID: plan + suffix, Name: plan, Description: "Is " + plan})
	}
	return s
}

// kinds are those of one scope: what is said of one holds for the other.
type kinds struct {
	broker, class, plan string
	newBroker           func() v1beta1.Broker
	newClass            func() v1beta1.Class
	newPlan             func() v1beta1.Plan
}

var (
	clusterWide = kinds{"ClusterServiceBroker", "ClusterServiceClass", "ClusterServicePlan",
		func() v1beta1.Broker { return &v1beta1.ClusterServiceBroker{} },
		func() v1beta1.Class { return &v1beta1.ClusterServiceClass{} },
		func() v1beta1.Plan { return &v1beta1.ClusterServicePlan{} }}
	namespaced = kinds{"ServiceBroker", "ServiceClass", "ServicePlan",
		func() v1beta1.Broker { return &v1beta1.ServiceBroker{} },
		func() v1beta1.Class { return &v1beta1.ServiceClass{} },
		func() v1beta1.Plan { return &v1beta1.ServicePlan{} }}
)

func (k kinds) isNamespaced() bool { return k.broker == namespaced.broker }

// within is the namespace of objects of these kinds.
func (k kinds) within(namespace string) string {
	if k.isNamespaced() {
		return namespace
	}
	return ""
}

// register makes a broker object for a server, of a name that no other spec has. What is of
// the cluster goes when the spec ends.
func (k kinds) register(ctx context.Context, namespace string, server *osbtest.Broker, edits ...func(v1beta1.Broker)) v1beta1.Broker {
	GinkgoHelper()
	b := k.newBroker()
	b.SetName("broker-" + unique())
	b.SetNamespace(k.within(namespace))
	b.Common().URL = server.URL
	for _, edit := range edits {
		edit(b)
	}
	Expect(k8s.Create(ctx, b)).To(Succeed())
	if !k.isNamespaced() {
		DeferCleanup(deleteIfThere, b)
	}
	return b
}

func deleteIfThere(ctx SpecContext, o client.Object) error {
	return client.IgnoreNotFound(k8s.Delete(ctx, o))
}

// registerBroker is register, and waits until the broker is Ready.
func registerBroker(ctx context.Context, k kinds, namespace string, server *osbtest.Broker, edits ...func(v1beta1.Broker)) v1beta1.Broker {
	GinkgoHelper()
	b := k.register(ctx, namespace, server, edits...)
	Eventually(brokerStatus(ctx, b)).Should(beReady(b))
	return b
}

// brokerStatus reads a broker's status again.
func brokerStatus(ctx context.Context, b v1beta1.Broker) func() (v1beta1.ServiceBrokerStatus, error) {
	return func() (v1beta1.ServiceBrokerStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(b), b)
		return *b.CommonStatus(), err
	}
}

// beReady is a status that says so about the present spec.
func beReady(b v1beta1.Broker) OmegaMatcher {
	return SatisfyAll(
		haveCondition("Ready", "True", "FetchedCatalog"),
		WithTransform(func(s v1beta1.ServiceBrokerStatus) bool { return s.ReconciledGeneration == b.GetGeneration() }, BeTrue()),
	)
}

// classes are those of a broker, by external name.
func (k kinds) classes(ctx context.Context, b v1beta1.Broker) func() (map[string]v1beta1.Class, error) {
	return func() (map[string]v1beta1.Class, error) {
		named := map[string]v1beta1.Class{}
		add := func(c v1beta1.Class) {
			if c.BrokerName() == b.GetName() {
				named[c.Common().ExternalName] = c
			}
		}
		if k.isNamespaced() {
			var list v1beta1.ServiceClassList
			err := k8s.List(ctx, &list, client.InNamespace(b.GetNamespace()))
			for i := range list.Items {
				add(&list.Items[i])
			}
			return named, err
		}
		var list v1beta1.ClusterServiceClassList
		err := k8s.List(ctx, &list)
		for i := range list.Items {
			add(&list.Items[i])
		}
		return named, err
	}
}

// plans are those of a broker, by external id.
func (k kinds) plans(ctx context.Context, b v1beta1.Broker) func() (map[string]v1beta1.Plan, error) {
	return func() (map[string]v1beta1.Plan, error) {
		known := map[string]v1beta1.Plan{}
		add := func(p v1beta1.Plan) {
			if p.BrokerName() == b.GetName() {
				known[p.Common().ExternalID] = p
			}
		}
		if k.isNamespaced() {
			var list v1beta1.ServicePlanList
			err := k8s.List(ctx, &list, client.InNamespace(b.GetNamespace()))
			for i := range list.Items {
				add(&list.Items[i])
			}
			return known, err
		}
		var list v1beta1.ClusterServicePlanList
		err := k8s.List(ctx, &list)
		for i := range list.Items {
			add(&list.Items[i])
		}
		return known, err
	}
}

// haveRemoved matches classes or plans of which those with a key, and no others, are marked
// as removed.
func haveRemoved[T any](keys ...string) OmegaMatcher {
	return WithTransform(func(all map[string]T) []string {
		removed := []string{}
		for key, o := range all {
			switch o := any(o).(type) {
			case v1beta1.Class:
				if o.CommonStatus().RemovedFromBrokerCatalog {
					removed = append(removed, key)
				}
			case v1beta1.Plan:
				if o.CommonStatus().RemovedFromBrokerCatalog {
					removed = append(removed, key)
				}
			}
		}
		return removed
	}, ConsistOf(keys))
}

// newInstance makes an instance of a service's plan, by their names in the catalog.
func (k kinds) newInstance(ctx context.Context, namespace, name, class, plan string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	GinkgoHelper()
	si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if k.isNamespaced() {
		si.Spec.ServiceClassExternalName, si.Spec.ServicePlanExternalName = class, plan
	} else {
		si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName = class, plan
	}
	for _, edit := range edits {
		edit(si)
	}
	Expect(k8s.Create(ctx, si)).To(Succeed())
	return si
}

// instanceStatus reads an instance's status again.
func instanceStatus(ctx context.Context, si *v1beta1.ServiceInstance) func() (v1beta1.ServiceInstanceStatus, error) {
	return func() (v1beta1.ServiceInstanceStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(si), si)
		return si.Status, err
	}
}

// newSecret makes a Secret.
func newSecret(ctx context.Context, namespace, name string, pairs ...string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		secret.StringData[pairs[i]] = pairs[i+1]
	}
	Expect(k8s.Create(ctx, secret)).To(Succeed())
	return secret
}

// update edits an object as it is now.
func update[T client.Object](ctx context.Context, o T, edit func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		edit(o)
		return k8s.Update(ctx, o)
	}).Should(Succeed())
}

// haveCondition matches a status with such a condition.
func haveCondition(kind, is, reason string) OmegaMatcher {
	return HaveField("Conditions", ContainElement(SatisfyAll(
		HaveField("Type", kind), HaveField("Status", v1beta1.ConditionStatus(is)), HaveField("Reason", reason))))
}

// saying matches a status whose condition Ready has a message with the text.
func saying(text string) OmegaMatcher {
	return HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", "Ready"), HaveField("Message", ContainSubstring(text)))))
}

// stalled matches a status that waits for somebody, with a message about it.
func stalled(reason, message string) OmegaMatcher {
	return SatisfyAll(haveCondition("Stalled", "True", reason), haveCondition("Ready", "False", reason), saying(message))
}

// gone succeeds once the object is not there any more.
func gone(ctx context.Context, o client.Object) func() error {
	return func() error {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err == nil {
			return errors.New("still there")
		}
		return client.IgnoreNotFound(err)
	}
}

// eventsAbout are the reasons and notes of the events about an object.
func eventsAbout(ctx context.Context, o client.Object) func() ([]string, error) {
	return func() ([]string, error) {
		var list eventsv1.EventList
		err := k8s.List(ctx, &list)
		var said []string
		for _, e := range list.Items {
			if e.Regarding.UID == o.GetUID() {
				said = append(said, e.Type+" "+e.Reason+": "+e.Note)
			}
		}
		return said, err
	}
}

// auditEvent is what the API server logs of a request.
type auditEvent struct {
	Stage      string
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  *struct{ Resource, Namespace, Name, Subresource, APIGroup string }
}

func (e auditEvent) String() string { return e.Verb + " " + e.RequestURI }

// operatorRequests are the operator's requests since an offset in the audit log, but for
// events, leases, reviews and watches.
func operatorRequests(since int64) []auditEvent {
	GinkgoHelper()
	f, err := os.Open(auditLog)
	Expect(err).NotTo(HaveOccurred())
	defer f.Close()
	_, err = f.Seek(since, 0)
	Expect(err).NotTo(HaveOccurred())
	user := fmt.Sprintf("system:serviceaccount:%s:%s", cluster.Namespace, cluster.ServiceAccount)
	var requests []auditEvent
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e auditEvent
		Expect(json.Unmarshal(lines.Bytes(), &e)).To(Succeed())
		ours := e.Stage == "ResponseComplete" && e.User.Username == user && e.ObjectRef != nil
		if ours && e.Verb != "watch" && !slices.Contains([]string{"events", "leases", "subjectaccessreviews", "tokenreviews"}, e.ObjectRef.Resource) {
			requests = append(requests, e)
		}
	}
	return requests
}

// requestsFor are the operator's requests about the objects of a name and of some resources,
// as "verb resource/subresource"; no resources are all.
func requestsFor(since int64, names []string, resources ...string) []string {
	GinkgoHelper()
	var about []string
	for _, e := range operatorRequests(since) {
		if !slices.Contains(names, e.ObjectRef.Name) || len(resources) > 0 && !slices.Contains(resources, e.ObjectRef.Resource) {
			continue
		}
		about = append(about, strings.TrimSuffix(e.Verb+" "+e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/"))
	}
	return about
}

func auditSize() int64 {
	GinkgoHelper()
	info, err := os.Stat(auditLog)
	Expect(err).NotTo(HaveOccurred())
	return info.Size()
}

// scrape is what the operator says at its metrics' address.
func scrape(ctx context.Context, token string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, operator.MetricsURL, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := insecure.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// metricsToken is of a ServiceAccount that may read metrics.
func metricsToken(ctx SpecContext, namespace string) string {
	GinkgoHelper()
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: namespace},
		RoleRef:  rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "bellhop-metrics-reader"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: "prometheus"}}}
	Expect(k8s.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) error { return k8s.Delete(ctx, binding) })
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prometheus"}}
	Expect(k8s.Create(ctx, account)).To(Succeed())
	request := &authenticationv1.TokenRequest{}
	Expect(k8s.SubResource("token").Create(ctx, account, request)).To(Succeed())
	return request.Status.Token
}

// kubectl runs kubectl as administrator and returns what it printed.
func kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := cluster.Kubectl(ctx, args...)
	cmd.Env = append(cmd.Env, "HOME="+os.TempDir())
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
