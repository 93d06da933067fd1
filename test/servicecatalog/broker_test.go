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
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

func init() {
	for _, k := range []kinds{clusterWide, namespaced} {
		Describe("A "+k.broker, func() {
			When("its catalog can be read", func() { describeRelist(k) })
			When("its catalog cannot be read", func() { describeFailures(k) })
			When("it wants credentials", func() { describeCredentials(k) })
			When("it is deleted", func() { describeBrokerDeletion(k) })
			Describe("The Secret by which it is reached", func() { describeCredentialsSecret(k) })
		})
		Describe("A "+k.broker, func() { describeBroker(k) })
	}
}

// withSecret has a broker use a Secret of a namespace.
func (k kinds) withSecret(namespace, name string) func(v1beta1.Broker) {
	return func(b v1beta1.Broker) {
		ref := &v1beta1.ObjectReference{Name: name}
		if !k.isNamespaced() {
			ref.Namespace = namespace
		}
		b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: ref}}
	}
}

func finalizersOf(ctx context.Context, secret *corev1.Secret) func() ([]string, error) {
	return func() ([]string, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret)
		return secret.Finalizers, err
	}
}

// relist asks for a broker's catalog to be read.
func relist(b v1beta1.Broker) { b.Common().RelistRequests++ }

func describeRelist(k kinds) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx) })

	It("says so, in the newest version of the protocol, and keeps quiet", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{})
		start := now()
		b := registerBroker(ctx, k, namespace, server)
		status := *b.CommonStatus()
		Expect(status).To(SatisfyAll(
			HaveField("APIVersion", "2.17"), HaveField("LastConditionState", "Ready"), HaveField("ServiceClasses", int32(2)), HaveField("ServicePlans", int32(4)),
			HaveField("Attempts", int32(0)), HaveField("ObservedGeneration", b.GetGeneration()), HaveField("LastCatalogRetrievalTime", Not(BeNil())),
			haveCondition("Stalled", "False", "FetchedCatalog"), haveCondition("Reconciling", "False", "FetchedCatalog"), saying("2 classes with 4 plans")))
		Expect(status.Conditions[len(status.Conditions)-1].Type).To(Equal("Ready"), "old clients read the last one")
		Expect(b.GetFinalizers()).To(Equal([]string{v1beta1.Finalizer}))
		Expect(b.GetGeneration()).To(Equal(int64(1)), "nothing of ours is in the spec")
		Eventually(eventsAbout(ctx, b)).Should(ContainElement(ContainSubstring("Normal FetchedCatalog")))

		about := func() []string { return requestsFor(start, b.GetNamespace(), []string{b.GetName()}) }
		Eventually(about).Should(HaveLen(1), "what is seen may be logged a little later")
		Expect(about()[0]).To(HaveSuffix("brokers/status"))
		Expect(server.Counts()).To(Equal(map[osb.Operation]int{osb.GetCatalog: 1}))
		Expect(server.Violations()).To(BeEmpty())
		Expect(logs.String()).To(ContainSubstring(server.Calls()[0].Header.Get("X-Broker-API-Request-Identity")), "what the broker logs can be found here")
		update(ctx, b, relist)
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
		Eventually(about).Should(HaveLen(2), "one each time")
	})

	It("reads it again when the spec changes or somebody asks", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{})
		b := registerBroker(ctx, k, namespace, server, func(b v1beta1.Broker) { b.Common().RelistBehavior = v1beta1.RelistManual })
		for i, edit := range []func(v1beta1.Broker){relist, func(b v1beta1.Broker) { b.Common().RelistBehavior = v1beta1.RelistDuration }} {
			update(ctx, b, edit)
			Eventually(brokerStatus(ctx, b)).Should(beReady(b))
			Expect(server.Counts()[osb.GetCatalog]).To(Equal(i + 2))
		}
		for _, call := range server.Calls() {
			Expect(call.Header.Get("If-None-Match")).To(BeEmpty(), "another spec can make something else of the same catalog")
		}
	})

	It("leaves what another process has found out meanwhile", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{})
		b := registerBroker(ctx, k, namespace, server)
		hold := make(chan struct{})
		server.Inject(osbtest.Fault{On: osb.GetCatalog, Times: 1, Hold: hold, Answer: osbtest.Error(http.StatusInternalServerError, "", "no longer true")})
		update(ctx, b, relist)
		Eventually(server.Counts).Should(HaveKeyWithValue(osb.GetCatalog, 2))
		status := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"status":{"reconciledGeneration":%d,"lastCatalogRetrievalTime":%q}}`, b.GetGeneration(), time.Now().UTC().Format(time.RFC3339)))
		Expect(k8s.Status().Patch(ctx, b, status)).To(Succeed())
		close(hold)
		Consistently(brokerStatus(ctx, b)).Should(haveCondition("Ready", "True", "FetchedCatalog"))
	})

	It("speaks the newest version that the broker takes", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{Versions: []string{"2.13", "2.14"}})
		b := registerBroker(ctx, k, namespace, server)
		Expect(b.CommonStatus().APIVersion).To(Equal("2.14"))

		By("having been upgraded")
		server.Change(func(o *osbtest.Options) { o.Versions = []string{"2.14", "2.17"} })
		update(ctx, b, relist)
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beReady(b), HaveField("APIVersion", "2.17")))

		By("being another one")
		old := newBroker(osbtest.Options{Versions: []string{"2.13"}})
		update(ctx, b, func(b v1beta1.Broker) { b.Common().URL = old.URL })
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beReady(b), HaveField("APIVersion", "2.13")))
		update(ctx, b, func(b v1beta1.Broker) { b.Common().URL = server.URL })
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beReady(b), HaveField("APIVersion", "2.17")))
	})

	It("is let go when somebody takes the finalizer off, and says so", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{})
		b := registerBroker(ctx, k, namespace, server)
		server.Forget()
		update(ctx, b, func(b v1beta1.Broker) { b.SetFinalizers(nil) })
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "Abandoned"), haveCondition("Stalled", "True", "Abandoned")))
		update(ctx, b, relist)
		Eventually(brokerStatus(ctx, b)).Should(HaveField("ObservedGeneration", b.GetGeneration()))
		Expect(b.GetFinalizers()).To(BeEmpty())
		Expect(server.Calls()).To(BeEmpty())

		By("having it again")
		update(ctx, b, func(b v1beta1.Broker) { b.SetFinalizers([]string{v1beta1.Finalizer}) })
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
	})
}

func describeFailures(k kinds) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx) })

	// conformance: C16
	It("keeps the last one, says why in the broker's words, and goes on trying", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{})
		b := registerBroker(ctx, k, namespace, server)
		lift := server.Inject(osbtest.Fault{On: osb.GetCatalog, Answer: osbtest.Error(http.StatusInternalServerError, "Oops", "the disk\nis \x1b[31mfull")})
		update(ctx, b, relist)
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(
			haveCondition("Ready", "False", "ErrorFetchingCatalog"), haveCondition("Reconciling", "True", "ErrorFetchingCatalog"),
			saying("/v2/catalog: HTTP 500 Oops: the disk"), HaveField("LastConditionState", "ErrorFetchingCatalog"),
			HaveField("Attempts", BeNumerically(">=", 2)), HaveField("NextAttemptTime", Not(BeNil())), HaveField("OperationStartTime", Not(BeNil()))))
		for _, c := range b.CommonStatus().Conditions {
			Expect(c.Message).NotTo(ContainSubstring("\x1b"))
		}
		Eventually(eventsAbout(ctx, b)).Should(ContainElement(ContainSubstring("Warning ErrorFetchingCatalog")))
		Expect(logs.Lines("Broker does not work", b.GetName())).To(HaveLen(1), "not at each attempt")
		Expect(k.classes(ctx, b)()).To(SatisfyAll(HaveLen(2), haveRemoved[v1beta1.Class]()))

		lift()
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(beReady(b), HaveField("Attempts", int32(0)), HaveField("NextAttemptTime", BeNil()), HaveField("OperationStartTime", BeNil())))
		Eventually(logs.Lines).WithArguments("Broker works again", b.GetName()).Should(HaveLen(1))
	})

	It("waits as long as the broker asks", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{})
		server.Inject(osbtest.Fault{On: osb.GetCatalog, Answer: osbtest.Error(http.StatusTooManyRequests, "", "later", "Retry-After", "3600")})
		b := k.register(ctx, namespace, server)
		Eventually(brokerStatus(ctx, b)).Should(haveCondition("Ready", "False", "ErrorFetchingCatalog"))
		Expect(b.CommonStatus().NextAttemptTime.Sub(b.GetCreationTimestamp().Time).Minutes()).To(BeNumerically("~", 60, 2))
	})

	It("names the versions that it could speak", func(ctx SpecContext) {
		b := k.register(ctx, namespace, newBroker(osbtest.Options{Versions: []string{"3.0"}}))
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorFetchingCatalog"), saying("HTTP 412"), saying("2.17"), saying("2.13")))
	})

	It("waits for a broker that cannot be reached", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{})
		server.Close()
		b := k.register(ctx, namespace, server)
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorFetchingCatalog"), HaveField("Attempts", BeNumerically(">=", 2))))
		Expect(server.Listen()).To(Succeed())
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
	})
}

func describeCredentials(k kinds) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx) })

	It("says what is missing, and goes on when it is there", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{Username: "alice", Password: "correct horse"})
		b := k.register(ctx, namespace, server, k.withSecret(namespace, "login"))
		Eventually(brokerStatus(ctx, b)).Should(waiting("ErrorFetchingCatalog", `spec.authInfo.basic.secretRef: Secret "login" does not exist`), "it may be applied next")
		Eventually(eventsAbout(ctx, b)).Should(ContainElement(ContainSubstring("Warning ErrorGettingAuthCredentials")))

		secret := newSecret(ctx, namespace, "login", "username", "alice")
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(stalled("ErrorFetchingCatalog", `the key "password" of Secret`),
			haveCondition("Failed", "True", "ErrorFetchingCatalog"), HaveField("LastConditionState", "Failed")), "svcat register --wait waits for Ready or Failed")
		update(ctx, secret, func(s *corev1.Secret) { s.StringData = map[string]string{"password": "wrong horse"} })
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorFetchingCatalog"), haveCondition("Stalled", "False", "ErrorFetchingCatalog"), saying("HTTP 401")))
		update(ctx, secret, func(s *corev1.Secret) { s.StringData = map[string]string{"password": "correct horse"} })
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
		Expect(logs.String()).NotTo(ContainSubstring("correct horse"))
		Expect(logs.String()).NotTo(ContainSubstring("wrong horse"))
	})

	It("tries new ones before anybody needs them, and asks only whether the catalog has changed", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{Username: "alice", Password: "first one"})
		secret := newSecret(ctx, namespace, "login", "username", "alice", "password", "first one")
		b := registerBroker(ctx, k, namespace, server, k.withSecret(namespace, "login"))
		server.Forget()
		server.Change(func(o *osbtest.Options) { o.Password = "second one" })
		update(ctx, secret, func(s *corev1.Secret) { s.StringData = map[string]string{"password": "second one"} })
		Eventually(func() []osbtest.Call { return server.Calls(osb.GetCatalog) }).Should(ConsistOf(SatisfyAll(
			HaveField("Status", http.StatusNotModified), HaveField("Header", HaveKey("If-None-Match")))))
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
	})
}

func describeBrokerDeletion(k kinds) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx) })

	It("goes with its classes and plans, but for those that somebody made", func(ctx SpecContext) {
		server := newBroker(osbtest.Options{})
		b := registerBroker(ctx, k, namespace, server)
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
		update(ctx, b, relist)
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
		Expect(k.classes(ctx, b)()).To(SatisfyAll(HaveLen(3), haveRemoved[v1beta1.Class]()))

		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(gone(ctx, b)).Should(Succeed())
		Expect(k.classes(ctx, b)()).To(HaveLen(1))
		Expect(k.plans(ctx, b)()).To(BeEmpty())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(own), own)).To(Succeed())
		Eventually(eventsAbout(ctx, b)).Should(ContainElement(MatchRegexp("Normal Deleted.*Successfully")))
	})

	It("stays, and says for whom, while there are instances", func(ctx SpecContext) {
		service := offering("db", "small")
		server := newBroker(osbtest.Options{Services: []osbtest.Service{service}, Username: "alice", Password: "x"})
		secret := newSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		b := registerBroker(ctx, k, namespace, server, k.withSecret(namespace, "login"))
		si := k.newInstance(ctx, namespace, "data", service.Name, "small")
		Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "True", "ProvisionedSuccessfully"))

		Eventually(finalizersOf(ctx, secret)).ShouldNot(BeEmpty())
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(brokerStatus(ctx, b)).Should(SatisfyAll(stalled("InUse", "1 ServiceInstance ("+namespace+"/data)"), saying("deletion-policy")))
		Eventually(eventsAbout(ctx, b)).Should(ContainElement(ContainSubstring("Warning InUse")))
		Expect(k.classes(ctx, b)()).To(HaveLen(1))
		Expect(server.Holds().Instances).To(HaveLen(1))

		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(gone(ctx, si)).Should(Succeed())
		Eventually(gone(ctx, b)).Should(Succeed())
		Eventually(gone(ctx, secret)).Should(Succeed())
		Expect(server.Holds().Instances).To(BeEmpty())
		Expect(k.classes(ctx, b)()).To(BeEmpty())
	})
}

func describeCredentialsSecret(k kinds) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx) })

	It("is held while there are instances, and no other is", func(ctx SpecContext) {
		service := offering("db", "small")
		server := newBroker(osbtest.Options{Services: []osbtest.Service{service}, Username: "alice", Password: "x"})
		secret := newSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		other := newSecret(ctx, namespace, "other", "username", "alice", "password", "x")
		b := registerBroker(ctx, k, namespace, server, k.withSecret(namespace, "login"))
		Expect(finalizersOf(ctx, secret)()).To(BeEmpty())

		si := k.newInstance(ctx, namespace, "data", service.Name, "small")
		Eventually(finalizersOf(ctx, secret)).Should(Equal([]string{v1beta1.AuthSecretFinalizer}))
		Expect(finalizersOf(ctx, other)()).To(BeEmpty())
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(eventsAbout(ctx, secret)).Should(ContainElement(SatisfyAll(ContainSubstring("Warning CredentialsInUse"), ContainSubstring(b.GetName()))))
		Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "True", "ProvisionedSuccessfully"))

		By("using another one")
		update(ctx, b, k.withSecret(namespace, "other"))
		Eventually(finalizersOf(ctx, other)).Should(Equal([]string{v1beta1.AuthSecretFinalizer}))
		Eventually(gone(ctx, secret)).Should(Succeed())
		Eventually(brokerStatus(ctx, b)).Should(beReady(b))
		Expect(server.Counts()).To(HaveKeyWithValue(osb.GetCatalog, 2), "a finalizer is no news, an edit is")

		By("deleting the last instance")
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(gone(ctx, si)).Should(Succeed())
		Eventually(finalizersOf(ctx, other)).Should(BeEmpty())
		Expect(other.Data).To(HaveKeyWithValue("password", []byte("x")))
	})

	It("is held before anything is made that could not be removed without it", func(ctx SpecContext) {
		service := offering("db", "small")
		server := newBroker(osbtest.Options{Services: []osbtest.Service{service}, Username: "alice", Password: "x"})
		secret := newSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		registerBroker(ctx, k, namespace, server, k.withSecret(namespace, "login"))
		update(ctx, secret, func(s *corev1.Secret) { s.Finalizers = []string{"example.com/theirs"} })
		Expect(k8s.Delete(ctx, secret)).To(Succeed()) // from now on it takes no other finalizer

		si := k.newInstance(ctx, namespace, "data", service.Name, "small")
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(
			haveCondition("Ready", "False", "ErrorGettingAuthCredentials"), saying(`Secret "login"`)))
		Expect(server.Counts()).NotTo(HaveKey(osb.ProvisionInstance))

		update(ctx, secret, func(s *corev1.Secret) { s.Finalizers = nil })
		Eventually(gone(ctx, secret)).Should(Succeed())
		newSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "True", "ProvisionedSuccessfully"))
	})

	It("is let go when the operator finds, starting, that nobody needs it", serial, func(ctx SpecContext) {
		operator.Kill()
		held := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "held", Finalizers: []string{v1beta1.AuthSecretFinalizer, "example.com/theirs"}}}
		Expect(k8s.Create(ctx, held)).To(Succeed())
		startOperator(context.WithoutCancel(ctx))
		Eventually(finalizersOf(ctx, held)).Should(Equal([]string{"example.com/theirs"}))
		update(ctx, held, func(s *corev1.Secret) { s.Finalizers = nil })
	})
}

func describeBroker(k kinds) {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx) })

	It("costs nothing when the operator starts again", serial, func(ctx SpecContext) {
		service := offering("db", "small")
		server := newBroker(osbtest.Options{Services: []osbtest.Service{service}, Username: "alice", Password: "x"})
		login := newSecret(ctx, namespace, "login", "username", "alice", "password", "x")
		b := registerBroker(ctx, k, namespace, server, k.withSecret(namespace, "login"))
		si := k.newInstance(ctx, namespace, "data", service.Name, "small")
		Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
		Eventually(finalizersOf(ctx, login)).ShouldNot(BeEmpty())
		Eventually(brokerStatus(ctx, b)).Should(HaveField("CredentialsVersion", HaveSuffix("/"+login.ResourceVersion)))
		classes, err := k.classes(ctx, b)()
		Expect(err).NotTo(HaveOccurred())
		names := []string{b.GetName()}
		for _, class := range classes {
			names = append(names, class.GetName())
		}
		operator.Kill()
		start := now()
		server.Forget()
		startOperator(context.WithoutCancel(ctx))
		registerBroker(ctx, k, namespace, newBroker(osbtest.Options{}))
		Expect(requestsFor(start, b.GetNamespace(), names)).To(BeEmpty())
		Expect(server.Calls()).To(BeEmpty())

		By("having missed that the credentials changed")
		operator.Kill()
		server.Change(func(o *osbtest.Options) { o.Password = "y" })
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "login"}}
		update(ctx, secret, func(s *corev1.Secret) { s.StringData = map[string]string{"password": "y"} })
		startOperator(context.WithoutCancel(ctx))
		Eventually(func() []osbtest.Call { return server.Calls(osb.GetCatalog) }).Should(ConsistOf(HaveField("Status", http.StatusNotModified)))
	})

	It("is counted", serial, func(ctx SpecContext) {
		token := metricsToken(ctx, namespace)
		b := registerBroker(ctx, k, namespace, newBroker(osbtest.Options{}))
		Eventually(func() (string, error) { return scrape(ctx, token) }).Should(SatisfyAll(
			ContainSubstring(`servicecatalog_broker_service_class_count{broker="`+b.GetName()+`",namespace="`+b.GetNamespace()+`"} 2`),
			ContainSubstring(`servicecatalog_broker_service_plan_count{broker="`+b.GetName()+`",namespace="`+b.GetNamespace()+`"} 4`),
			ContainSubstring(`servicecatalog_osb_request_count{broker="`+b.GetName()+`",method="GetCatalog",status="2xx"} 1`),
			MatchRegexp(`bellhop_osb_requests_total\{class="Done",operation="GetCatalog"\} [1-9]`),
			ContainSubstring(`bellhop_osb_request_duration_seconds_count{broker="`+b.GetName()+`",namespace="`+b.GetNamespace()+`",operation="GetCatalog"} 1`),
			MatchRegexp(`bellhop_servicecatalog_objects\{kind="`+k.broker+`",ready="True"\} [1-9]`),
			ContainSubstring(`bellhop_operation_age_seconds{kind="ServiceInstance"} `)))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(func() (string, error) { return scrape(ctx, token) }).ShouldNot(ContainSubstring(b.GetName()))
	})

	It("is shown as it always was", func(ctx SpecContext) {
		b := registerBroker(ctx, k, namespace, newBroker(osbtest.Options{}))
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
