// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

func init() {
	for _, k := range []kindSet{clusterWide, namespaced} {
		Describe("A "+k.broker, func() {
			When("its catalog can be read", func() { describeRelisting(k) })
			When("its catalog cannot be read", func() { describeFailures(k) })
			When("it requires credentials", func() { describeCredentials(k) })
			When("it is deleted", func() { describeBrokerDeletion(k) })
			Describe("The Secret of its credentials", func() { describeCredentialsSecret(k) })
		})
		Describe("A "+k.broker, func() { describeBroker(k) })
	}
}

// useBasicAuthSecret makes a broker use a Secret of a namespace.
func (k kindSet) useBasicAuthSecret(namespace, name string) func(v1beta1.Broker) {
	return func(b v1beta1.Broker) {
		ref := &v1beta1.ObjectReference{Name: name}
		if !k.isNamespaced() {
			ref.Namespace = namespace
		}
		b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: ref}}
	}
}

// requestRelist makes the operator read the broker's catalog again.
func requestRelist(b v1beta1.Broker) { b.Common().RelistRequests++ }

func describeRelisting(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("reports it, uses the newest version of the API, and sends no other request", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{})
		start := markAudit()
		b := createReadyBroker(ctx, k, namespace, server)
		status := *b.CommonStatus()
		Expect(status).To(SatisfyAll(
			HaveField("APIVersion", "2.17"), HaveField("LastConditionState", "Ready"), HaveField("ServiceClasses", int32(2)), HaveField("ServicePlans", int32(4)),
			HaveField("Attempts", int32(0)), HaveField("ObservedGeneration", b.GetGeneration()), HaveField("LastCatalogRetrievalTime", Not(BeNil())),
			haveCondition("Stalled", "False", "FetchedCatalog"), haveCondition("Reconciling", "False", "FetchedCatalog"), haveReadyMessage("2 classes with 4 plans")))
		Expect(status.Conditions[len(status.Conditions)-1].Type).To(Equal("Ready"), "old clients read the last condition")
		Expect(b.GetFinalizers()).To(Equal([]string{v1beta1.Finalizer}))
		Expect(b.GetGeneration()).To(Equal(int64(1)), "the operator writes nothing into the spec")
		Eventually(readEvents(ctx, b)).Should(ContainElement(ContainSubstring("Normal FetchedCatalog")))

		about := func() []string { return requestsFor(start, b.GetNamespace(), []string{b.GetName()}) }
		Eventually(about).Should(HaveLen(1), "the API server may log a request after its effect was seen")
		Expect(about()[0]).To(HaveSuffix("brokers/status"))
		Expect(server.Counts()).To(Equal(map[osb.Operation]int{osb.GetCatalog: 1}))
		Expect(server.Violations()).To(BeEmpty())
		Expect(logs.String()).To(ContainSubstring(server.Calls()[0].Header.Get("X-Broker-API-Request-Identity")), "the operator's log has the request identity that the broker got")
		update(ctx, b, requestRelist)
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
		Eventually(about).Should(HaveLen(2), "one for each time")
	})

	It("reads it again when the spec changes or spec.relistRequests increases", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{})
		b := createReadyBroker(ctx, k, namespace, server, func(b v1beta1.Broker) { b.Common().RelistBehavior = v1beta1.RelistManual })
		for i, edit := range []func(v1beta1.Broker){requestRelist, func(b v1beta1.Broker) { b.Common().RelistBehavior = v1beta1.RelistDuration }} {
			update(ctx, b, edit)
			Eventually(brokerStatus(ctx, b)).Should(beReady(b))
			Expect(server.Counts()[osb.GetCatalog]).To(Equal(i + 2))
		}
		for _, call := range server.Calls() {
			Expect(call.Header.Get("If-None-Match")).To(BeEmpty(), "with another spec the same catalog can lead to other objects")
		}
	})

	// F-U31: the write of what the broker has answered is the last thing that could overwrite it.
	It("keeps what another process has recorded meanwhile", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{})
		b := createReadyBroker(ctx, k, namespace, server)
		hold := make(chan struct{})
		server.Inject(osbtest.Fault{On: osb.GetCatalog, Times: 1, Hold: hold, Answer: osbtest.Error(http.StatusInternalServerError, "", "no longer true")})
		update(ctx, b, requestRelist)
		Eventually(server.Counts).Should(HaveKeyWithValue(osb.GetCatalog, 2))
		status := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"status":{"reconciledGeneration":%d,"lastCatalogRetrievalTime":%q}}`, b.GetGeneration(), time.Now().UTC().Format(time.RFC3339)))
		Expect(k8s.Status().Patch(ctx, b, status)).To(Succeed())
		start := markAudit()
		close(hold)
		Eventually(refusedWrites(start, b)).ShouldNot(BeZero())
		Expect(brokerStatus(ctx, b)()).To(haveCondition("Ready", "True", "FetchedCatalog"))
	})

	It("uses the newest version that the broker supports", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{Versions: []string{"2.13", "2.14"}})
		b := createReadyBroker(ctx, k, namespace, server)
		Expect(b.CommonStatus().APIVersion).To(Equal("2.14"))

		By("upgrading the broker")
		server.Change(func(o *osbtest.Options) { o.Versions = []string{"2.14", "2.17"} })
		update(ctx, b, requestRelist)
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beReady(b), HaveField("APIVersion", "2.17")))

		By("using another broker")
		old := startBroker(osbtest.Options{Versions: []string{"2.13"}})
		update(ctx, b, func(b v1beta1.Broker) { b.Common().URL = old.URL })
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beReady(b), HaveField("APIVersion", "2.13")))
		update(ctx, b, func(b v1beta1.Broker) { b.Common().URL = server.URL })
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beReady(b), HaveField("APIVersion", "2.17")))
	})

	It("reports that it was abandoned when its finalizer is removed, and sends no more requests", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{})
		b := createReadyBroker(ctx, k, namespace, server)
		server.Forget()
		update(ctx, b, func(b v1beta1.Broker) { b.SetFinalizers(nil) })
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "Abandoned"), haveCondition("Stalled", "True", "Abandoned")))
		update(ctx, b, requestRelist)
		Eventually(brokerStatus(ctx, b)).Should(HaveField("ObservedGeneration", b.GetGeneration()))
		Expect(b.GetFinalizers()).To(BeEmpty())
		Expect(server.Calls()).To(BeEmpty())

		By("restoring the finalizer")
		update(ctx, b, func(b v1beta1.Broker) { b.SetFinalizers([]string{v1beta1.Finalizer}) })
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
	})
}

func describeFailures(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	// conformance: C16
	It("keeps the former catalog, reports the broker's description, and retries", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{})
		b := createReadyBroker(ctx, k, namespace, server)
		lift := server.Inject(osbtest.Fault{On: osb.GetCatalog, Answer: osbtest.Error(http.StatusInternalServerError, "Oops", "the disk\nis \x1b[31mfull")})
		update(ctx, b, requestRelist)
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(
			haveCondition("Ready", "False", "ErrorFetchingCatalog"), haveCondition("Reconciling", "True", "ErrorFetchingCatalog"),
			haveReadyMessage("/v2/catalog: HTTP 500 Oops: the disk"), HaveField("LastConditionState", "ErrorFetchingCatalog"),
			HaveField("Attempts", BeNumerically(">=", 2)), HaveField("NextAttemptTime", Not(BeNil())), HaveField("OperationStartTime", Not(BeNil()))))
		for _, c := range b.CommonStatus().Conditions {
			Expect(c.Message).NotTo(ContainSubstring("\x1b"))
		}
		Eventually(readEvents(ctx, b)).Should(ContainElement(ContainSubstring("Warning ErrorFetchingCatalog")))
		Expect(logs.Lines("Broker does not work", b.GetName())).To(HaveLen(1), "once, and not for each attempt")
		Expect(k.classes(ctx, b)()).To(SatisfyAll(HaveLen(2), haveRemoved[v1beta1.Class]()))

		lift()
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beReady(b), HaveField("Attempts", int32(0)), HaveField("NextAttemptTime", BeNil()), HaveField("OperationStartTime", BeNil())))
		Eventually(logs.Lines).WithArguments("Broker works again", b.GetName()).Should(HaveLen(1))
	})

	It("waits as long as Retry-After says", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{})
		server.Inject(osbtest.Fault{On: osb.GetCatalog, Answer: osbtest.Error(http.StatusTooManyRequests, "", "later", "Retry-After", "3600")})
		b := k.createBroker(ctx, namespace, server)
		Eventually(brokerStatus(ctx, b)).Should(haveCondition("Ready", "False", "ErrorFetchingCatalog"))
		Expect(b.CommonStatus().NextAttemptTime.Sub(b.GetCreationTimestamp().Time).Minutes()).To(BeNumerically("~", 60, 2))
	})

	It("reports the versions that the operator supports", func(ctx SpecContext) {
		b := k.createBroker(ctx, namespace, startBroker(osbtest.Options{Versions: []string{"3.0"}}))
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorFetchingCatalog"), haveReadyMessage("HTTP 412"), haveReadyMessage("2.17"), haveReadyMessage("2.13")))
	})

	It("waits until the broker can be reached", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{})
		server.Close()
		b := k.createBroker(ctx, namespace, server)
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorFetchingCatalog"), HaveField("Attempts", BeNumerically(">=", 2))))
		Expect(server.Listen()).To(Succeed())
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
	})
}

func describeCredentials(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	// F-U8: the event has the reason of the condition.
	It("reports what is missing, and continues once it exists", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{Username: "alice", Password: "correct horse"})
		b := k.createBroker(ctx, namespace, server, k.useBasicAuthSecret(namespace, "login"))
		Eventually(brokerStatus(ctx, b)).Should(beReconciling("ErrorGettingAuthCredentials", `spec.authInfo.basic.secretRef: Secret "login" does not exist`), "it may be applied next")
		Eventually(readEvents(ctx, b)).Should(ContainElement(ContainSubstring("Warning ErrorGettingAuthCredentials")))

		secret := createSecret(ctx, namespace, "login", "username", "alice")
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beStalled("ErrorGettingAuthCredentials", `the key "password" of Secret`),
			haveCondition("Failed", "True", "ErrorGettingAuthCredentials"), HaveField("LastConditionState", "Failed")), "svcat register --wait waits for Ready or Failed")
		update(ctx, secret, func(s *corev1.Secret) { s.StringData = map[string]string{"password": "wrong horse"} })
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorFetchingCatalog"), haveCondition("Stalled", "False", "ErrorFetchingCatalog"), haveReadyMessage("HTTP 401")))
		update(ctx, secret, func(s *corev1.Secret) { s.StringData = map[string]string{"password": "correct horse"} })
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
		Expect(logs.String()).NotTo(ContainSubstring("correct horse"))
		Expect(logs.String()).NotTo(ContainSubstring("wrong horse"))
	})

	It("probes new credentials when they change, with a conditional request for the catalog", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{Username: "alice", Password: "first one"})
		secret := createSecret(ctx, namespace, "login", "username", "alice", "password", "first one")
		b := createReadyBroker(ctx, k, namespace, server, k.useBasicAuthSecret(namespace, "login"))
		server.Forget()
		server.Change(func(o *osbtest.Options) { o.Password = "second one" })
		update(ctx, secret, func(s *corev1.Secret) { s.StringData = map[string]string{"password": "second one"} })
		Eventually(func() []osbtest.Call { return server.Calls(osb.GetCatalog) }).Should(ConsistOf(SatisfyAll(
			HaveField("Status", http.StatusNotModified), HaveField("Header", HaveKey("If-None-Match")))))
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
	})
}

func describeBrokerDeletion(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("is deleted with its classes and plans, without those that a user created", func(ctx SpecContext) {
		server := startBroker(osbtest.Options{})
		b := createReadyBroker(ctx, k, namespace, server)
		classes, err := k.classes(ctx, b)()
		Expect(err).NotTo(HaveOccurred())
		var one v1beta1.Class
		for _, class := range classes {
			one = class
		}
		own := one.DeepCopyObject().(v1beta1.Class)
		own.SetName("own-" + b.GetName())
		own.SetResourceVersion("")
		own.SetOwnerReferences(nil)
		own.Common().ExternalName = "own"
		Expect(k8s.Create(ctx, own)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) error { return client.IgnoreNotFound(k8s.Delete(ctx, own)) })
		update(ctx, b, requestRelist)
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
		Expect(k.classes(ctx, b)()).To(SatisfyAll(HaveLen(3), haveRemoved[v1beta1.Class]()))

		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(k.classes(ctx, b)()).To(HaveLen(1))
		Expect(k.plans(ctx, b)()).To(BeEmpty())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(own), own)).To(Succeed())
		Eventually(readEvents(ctx, b)).Should(ContainElement(MatchRegexp("Normal Deleted.*Successfully")))
	})

	It("stays while there are instances, and names them", func(ctx SpecContext) {
		service := newService("db", "small")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{service}, Username: "alice", Password: "x"})
		secret := createSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		b := createReadyBroker(ctx, k, namespace, server, k.useBasicAuthSecret(namespace, "login"))
		si := k.createInstance(ctx, namespace, "data", service.Name, "small")
		Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "True", "ProvisionedSuccessfully"))

		Eventually(readFinalizers(ctx, secret)).ShouldNot(BeEmpty())
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beStalled("InUse", "1 ServiceInstance ("+namespace+"/data)"), haveReadyMessage("deletion-policy")))
		Eventually(readEvents(ctx, b)).Should(ContainElement(ContainSubstring("Warning InUse")))
		Expect(k.classes(ctx, b)()).To(HaveLen(1))
		Expect(server.Holds().Instances).To(HaveLen(1))

		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(checkGone(ctx, si)).Should(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Eventually(checkGone(ctx, secret)).Should(Succeed())
		Expect(server.Holds().Instances).To(BeEmpty())
		Expect(k.classes(ctx, b)()).To(BeEmpty())
	})
}

func describeCredentialsSecret(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("has a finalizer while there are instances, and no other Secret has", func(ctx SpecContext) {
		service := newService("db", "small")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{service}, Username: "alice", Password: "x"})
		secret := createSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		other := createSecret(ctx, namespace, "other", "username", "alice", "password", "x")
		b := createReadyBroker(ctx, k, namespace, server, k.useBasicAuthSecret(namespace, "login"))
		Expect(readFinalizers(ctx, secret)()).To(BeEmpty())

		si := k.createInstance(ctx, namespace, "data", service.Name, "small")
		Eventually(readFinalizers(ctx, secret)).Should(Equal([]string{v1beta1.AuthSecretFinalizer}))
		Expect(readFinalizers(ctx, other)()).To(BeEmpty())
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(readEvents(ctx, secret)).Should(ContainElement(SatisfyAll(ContainSubstring("Warning CredentialsInUse"), ContainSubstring(b.GetName()))))
		Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "True", "ProvisionedSuccessfully"))

		By("changing to another Secret")
		update(ctx, b, k.useBasicAuthSecret(namespace, "other"))
		Eventually(readFinalizers(ctx, other)).Should(Equal([]string{v1beta1.AuthSecretFinalizer}))
		Eventually(checkGone(ctx, secret)).Should(Succeed())
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
		Expect(server.Counts()).To(HaveKeyWithValue(osb.GetCatalog, 2), "an edit of the spec reads the catalog again, a finalizer does not")

		By("deleting the last instance")
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(checkGone(ctx, si)).Should(Succeed())
		Eventually(readFinalizers(ctx, other)).Should(BeEmpty())
		Expect(other.Data).To(HaveKeyWithValue("password", []byte("x")))
	})

	It("gets its finalizer before the first request that creates something at the broker", func(ctx SpecContext) {
		service := newService("db", "small")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{service}, Username: "alice", Password: "x"})
		secret := createSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		createReadyBroker(ctx, k, namespace, server, k.useBasicAuthSecret(namespace, "login"))
		update(ctx, secret, func(s *corev1.Secret) { s.Finalizers = []string{"example.com/theirs"} })
		Expect(k8s.Delete(ctx, secret)).To(Succeed()) // the API server adds no other finalizer to a Secret that is being deleted

		si := k.createInstance(ctx, namespace, "data", service.Name, "small")
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(
			haveCondition("Ready", "False", "ErrorGettingAuthCredentials"), haveReadyMessage(`Secret "login"`)))
		Expect(server.Counts()).NotTo(HaveKey(osb.ProvisionInstance))

		update(ctx, secret, func(s *corev1.Secret) { s.Finalizers = nil })
		Eventually(checkGone(ctx, secret)).Should(Succeed())
		createSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "True", "ProvisionedSuccessfully"))
	})

	It("loses its finalizer when the operator starts and no broker needs the Secret", serial, func(ctx SpecContext) {
		operator.Kill()
		held := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "held", Finalizers: []string{v1beta1.AuthSecretFinalizer, "example.com/theirs"}}}
		Expect(k8s.Create(ctx, held)).To(Succeed())
		startOperator(context.WithoutCancel(ctx))
		Eventually(readFinalizers(ctx, held)).Should(Equal([]string{"example.com/theirs"}))
		update(ctx, held, func(s *corev1.Secret) { s.Finalizers = nil })
	})
}

func describeBroker(k kindSet) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("costs no request when the operator restarts", serial, func(ctx SpecContext) {
		service := newService("db", "small")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{service}, Username: "alice", Password: "x"})
		login := createSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		b := createReadyBroker(ctx, k, namespace, server, k.useBasicAuthSecret(namespace, "login"))
		si := k.createInstance(ctx, namespace, "data", service.Name, "small")
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		Eventually(readFinalizers(ctx, login)).ShouldNot(BeEmpty())
		classes, err := k.classes(ctx, b)()
		Expect(err).NotTo(HaveOccurred())
		names := []string{b.GetName()}
		for _, class := range classes {
			names = append(names, class.GetName())
		}
		operator.Kill()
		start := markAudit()
		server.Forget()
		startOperator(context.WithoutCancel(ctx))
		createReadyBroker(ctx, k, namespace, startBroker(osbtest.Options{}))
		Expect(requestsFor(start, b.GetNamespace(), names)).To(BeEmpty())
		Expect(server.Calls()).To(BeEmpty())

		By("changing the credentials while the operator is down")
		operator.Kill()
		server.Change(func(o *osbtest.Options) { o.Password = "y" })
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "login"}}
		update(ctx, secret, func(s *corev1.Secret) { s.StringData = map[string]string{"password": "y"} })
		startOperator(context.WithoutCancel(ctx))
		Eventually(func() []osbtest.Call { return server.Calls(osb.GetCatalog) }).Should(ConsistOf(HaveField("Status", http.StatusNotModified)))
	})

	It("has metrics", serial, func(ctx SpecContext) {
		token := createMetricsToken(ctx, namespace)
		b := createReadyBroker(ctx, k, namespace, startBroker(osbtest.Options{}))
		series := b.GetName()
		if k.isNamespaced() { // F-S20: tenants make as many as they like
			series = ""
		}
		Eventually(func() (string, error) { return scrape(ctx, token) }).Should(SatisfyAll(
			MatchRegexp(`servicecatalog_broker_service_class_count\{broker="`+series+`",namespace=""\} [1-9]`),
			MatchRegexp(`servicecatalog_broker_service_plan_count\{broker="`+series+`",namespace=""\} [1-9]`),
			MatchRegexp(`servicecatalog_osb_request_count\{broker="`+series+`",method="GetCatalog",status="2xx"\} [1-9]`),
			MatchRegexp(`bellhop_osb_requests_total\{class="Done",operation="GetCatalog"\} [1-9]`),
			MatchRegexp(`bellhop_osb_request_duration_seconds_count\{broker="`+series+`",operation="GetCatalog"\} [1-9]`),
			MatchRegexp(`bellhop_servicecatalog_objects\{kind="`+k.broker+`",ready="True"\} [1-9]`),
			ContainSubstring(`bellhop_operation_age_seconds{kind="ServiceInstance"} `)))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(func() (string, error) { return scrape(ctx, token) }).ShouldNot(ContainSubstring(b.GetName()))
	})

	It("has the columns of the former service-catalog", func(ctx SpecContext) {
		b := createReadyBroker(ctx, k, namespace, startBroker(osbtest.Options{}))
		args := []string{"get", strings.ToLower(k.broker), b.GetName()}
		if k.isNamespaced() {
			args = append(args, "-n", namespace)
		}
		out, err := kubectl(ctx, "", args...)
		Expect(err).NotTo(HaveOccurred())
		lines := strings.Split(strings.TrimSpace(out), "\n")
		Expect(strings.Fields(lines[0])).To(Equal([]string{"NAME", "URL", "STATUS", "AGE"}))
		Expect(strings.Fields(lines[1])[:3]).To(Equal([]string{b.GetName(), b.Common().URL, "Ready"}))
	})
}
