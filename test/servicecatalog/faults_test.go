// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

var _ = Describe("Faults", func() {
	AfterEach(func(ctx SpecContext) {
		if GinkgoParallelProcess() == 1 && isClosed(operator.Ended()) { // a failed Serial spec may have left the operator stopped
			startOperator(context.WithoutCancel(ctx))
		}
	})
	restart := func(ctx context.Context) {
		GinkgoHelper()
		operator.Kill()
		startOperator(context.WithoutCancel(ctx))
	}

	// conformance: P18 O13 L16
	It("lose, duplicate and orphan nothing in 8 kills during 80 provisions, bindings and deletions", serial, func(ctx SpecContext) {
		const n, kills = 80, 8
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		slowDownChanges(s, 5*time.Millisecond)
		w := newWorkload(s, n)
		done := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(done)
			w.run(ctx)
		}()
		rnd := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 1))
		for kill := range kills {
			// The moment of the kill depends on a random number of requests, not on time.
			target := s.changeCount() + 1 + rnd.IntN(2*3*n/kills)
			Eventually(func() bool { return s.changeCount() >= target || isClosed(done) }).
				WithPolling(time.Millisecond).WithTimeout(time.Minute).Should(BeTrue())
			operator.Kill()
			if kill == kills/2 {
				Expect(cluster.RestartAPIServer(ctx)).To(Succeed())
			}
			startOperator(context.WithoutCancel(ctx))
		}
		Eventually(done).WithTimeout(2 * time.Minute).Should(BeClosed())
		w.check(ctx)
		for id, h := range s.Histories() {
			Expect(h.Creations).To(BeNumerically("<=", 1), "%s was made twice: %+v", id, h)
		}
	})

	It("of a broker that acts and then drops the connection lose, duplicate and orphan nothing", func(ctx SpecContext) {
		const n = 30
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		var calls atomic.Int32
		s.Inject(osbtest.Fault{Acts: true, Answer: osbtest.Drop, Match: func(c osbtest.Call) bool {
			return !strings.HasPrefix(string(c.Operation), "Get") && calls.Add(1)%4 == 0
		}})
		w := newWorkload(s, n)
		w.run(ctx)
		w.check(ctx)
	})

	It("lose and repeat nothing when a warm standby becomes the leader", serial, func(ctx SpecContext) {
		const n = 60
		elect := []string{"--leader-elect"}
		Expect(operator.Stop()).To(Succeed())
		startOperator(context.WithoutCancel(ctx), elect...)
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		slowDownChanges(s, 50*time.Millisecond)
		port, err := local.FreePort()
		Expect(err).NotTo(HaveOccurred())
		standby, err := cluster.StartOperator(context.WithoutCancel(ctx), local.OperatorOptions{
			Binary: env.Binary, Log: logs, WebhookPort: port, Args: append([]string{"--allow-outbound=127.0.0.1"}, elect...)})
		Expect(err).NotTo(HaveOccurred())
		instances := make([]*v1beta1.ServiceInstance, n)
		runInParallel(n, func(i int) { instances[i] = s.createSyncInstance(ctx, fmt.Sprint("db", i)) })
		Eventually(s.changeCount).Should(BeNumerically(">", n/3))
		Expect(operator.Stop()).To(Succeed(), "the lease is released")
		Expect(s.changeCount()).To(BeNumerically("<", n))
		for _, si := range instances {
			Eventually(instanceStatus(ctx, si)).WithTimeout(time.Minute).Should(beProvisioned(si))
			Expect(s.History(si.Spec.ExternalID)).To(Equal(osbtest.History{Puts: 1, Creations: 1, Ready: true}))
		}
		Expect(standby.Stop()).To(Succeed())
		startOperator(context.WithoutCancel(ctx))
	})

	It("do not lose the outcome of a request when the operator is stopped gracefully", serial, func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		release := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Hold: release})
		si := s.createSyncInstance(ctx, "db")
		Eventually(s.requestsAbout(si.Spec.ExternalID)).Should(HaveLen(1))
		stopped, before := make(chan error), len(logs.String())
		go func() { stopped <- operator.Stop() }()
		Eventually(func() string { return logs.String()[before:] }).Should(ContainSubstring("Stopping and waiting for leader election runnables"))
		close(release)
		Eventually(stopped).Should(Receive(Succeed()))
		Expect(instanceStatus(ctx, si)()).To(beProvisioned(si))
		startOperator(context.WithoutCancel(ctx))
		s.createReadyInstance(ctx, "later") // so that the operator has reconciled the objects before
		Expect(s.requestsAbout(si.Spec.ExternalID)()).To(HaveLen(1))
	})

	// conformance: B07
	It("that prevent the Secret of a binding leave no binding without credentials, also if the operator is killed", serial, func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, revealCredentialsOnce, disableRotation)
		s.createReadyInstance(ctx, "db")
		for name, kill := range map[string]bool{"delayed": false, "killed": true} {
			permit := forbidNewSecrets(ctx, s.namespace)
			b := s.createBinding(ctx, name, "db", func(b *v1beta1.ServiceBinding) {
				metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.RotationOverlapAnnotation, "0")
			})
			Eventually(bindingStatus(ctx, b)).Should(haveCondition("Ready", "False", "ErrorInjectingBindResult"))
			Consistently(s.requestsAbout(b.Spec.ExternalID), 3*time.Second).Should(Equal([]string{"Bind"}), "the operator asks the broker again only once the API server accepts a Secret")
			if kill {
				operator.Kill()
			}
			permit()
			if kill {
				startOperator(context.WithoutCancel(ctx))
			}
			Eventually(bindingStatus(ctx, b)).WithTimeout(2 * time.Minute).Should(beBound(b))
			Expect(readSecretKeys(ctx, b)()).To(HaveKeyWithValue("password", s.passwordAtBroker(bindingIDAtBroker(b))))
		}
		Eventually(func() map[string]osbtest.Binding { return s.Holds().Bindings }).Should(HaveLen(2), "bindings whose credentials were lost are removed")
		Expect(s.Violations()).To(BeEmpty())
	})

	It("do not lose the outcome of a request when the object is edited meanwhile", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		release := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Hold: release})
		si := s.createSyncInstance(ctx, "db", setParameters(`{"a":1}`))
		Eventually(s.requestsAbout(si.Spec.ExternalID)).Should(HaveLen(1))
		update(ctx, si, func(si *v1beta1.ServiceInstance) { si.Labels["edited"] = "meanwhile"; setParameters(`{"a":2}`)(si) })
		close(release)
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		Expect(si.Labels).To(HaveKey("edited"))
		Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "UpdateInstance"}))
		Expect(s.instanceAtBroker(si.Spec.ExternalID).Parameters).To(MatchJSON(`{"a":2}`))
	})

	// F-U31: the write of what the broker has answered is the last thing that could overwrite it.
	It("do not overwrite what another process has recorded meanwhile", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		twin := s.createReadyInstance(ctx, "twin")
		release := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Acts: true, Hold: release, Answer: osbtest.Error(http.StatusBadRequest, "", "too late")})
		si := s.createSyncInstance(ctx, "db")
		Eventually(s.requestsAbout(si.Spec.ExternalID)).Should(HaveLen(1))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(si), si)).To(Succeed())
		before := si.DeepCopy()
		twin.Status.DeepCopyInto(&si.Status)
		Expect(k8s.Status().Patch(ctx, si, client.MergeFrom(before))).To(Succeed())
		start := markAudit()
		close(release)
		Eventually(refusedWrites(start, si)).ShouldNot(BeZero())
		Expect(instanceStatus(ctx, si)()).To(beProvisioned(si))
	})

	// F-S6: what admission accepts can be recorded, with the fields that are managed of each parameter, also during an update.
	It("are not caused by the largest parameters that admission accepts", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		large := func(value int) func(*v1beta1.ServiceInstance) {
			var text strings.Builder
			for i := range catalog.MaxFields {
				fmt.Fprintf(&text, `,"%04d":"%0*d"`, i, catalog.MaxParameters/catalog.MaxFields-1-len(`,"0000":""`), value)
			}
			return setParameters("{" + text.String()[1:] + "}")
		}
		si := s.createReadyInstance(ctx, "db", large(1))
		update(ctx, si, large(2))
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "UpdateInstance"}))
		Expect(si.Status.ExternalProperties).To(SatisfyAll(HaveField("Parameters", BeNil()), HaveField("ParameterChecksum", Not(BeEmpty()))))
	})

	// F-S23: the API server's answer to a patch of an object that was changed meanwhile is recognized by its text.
	It("recognize a write of an object that was changed meanwhile", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		si := s.createReadyInstance(ctx, "db")
		for _, o := range []client.Object{createSecret(ctx, s.namespace, "plain", "a", "b"), si} {
			stale := o.DeepCopyObject().(client.Object)
			Expect(k8s.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"changed":"meanwhile"}}}`)))).To(Succeed())
			Expect(patch.AddFinalizer(ctx, k8s, stale, "example.com/none")).To(MatchError(patch.ErrStale))
		}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(si), si)).To(Succeed())
		stale := si.DeepCopy()
		stale.ResourceVersion = "1"
		Expect(patch.Status(ctx, k8s, stale, stale.Status)).To(MatchError(patch.ErrStale))
	})

	Describe("in which an object is abandoned while it is being provisioned", func() {
		// startAbandoned creates an instance, and removes its finalizer, and so the object, while the provision request is in flight.
		startAbandoned := func(ctx context.Context, s *serviceNamespace) (*v1beta1.ServiceInstance, chan struct{}) {
			GinkgoHelper()
			release := make(chan struct{})
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Hold: release})
			si := s.createSyncInstance(ctx, "db")
			Eventually(s.requestsAbout(si.Spec.ExternalID)).Should(HaveLen(1))
			abandonAndDelete(ctx, si)
			Eventually(checkGone(ctx, si)).Should(Succeed())
			return si, release
		}
		// F-S37: the finalizer was removed, so that nothing more is sent.
		It("send nothing more, report what is left, and do not block the next object of the name", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			si, release := startAbandoned(ctx, s)
			again := s.createSyncInstance(ctx, "db")
			close(release)
			Eventually(instanceStatus(ctx, again)).Should(beProvisioned(again), "the new object does not depend on the abandoned one")
			Eventually(readEvents(ctx, si)).Should(ContainElement(SatisfyAll(ContainSubstring("Warning ResultNotRecorded"), ContainSubstring("HTTP 201"), ContainSubstring(fmt.Sprintf("(id %q at %s", si.Spec.ExternalID, s.URL)))))
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(s.instanceAtBroker(si.Spec.ExternalID).State).To(Equal(osbtest.Ready))
			Expect(s.Violations()).To(BeEmpty())
		})
	})

	Describe("in which the spec was changed after a request whose outcome is not known", func() {
		for _, c := range []struct {
			what        string
			retrievable bool
			plan        string
		}{
			{"instances can be fetched", true, "small"},
			{"instances cannot be fetched", false, "small"},
			{"instances can be fetched, and the plan was changed", true, "large"},
			{"instances cannot be fetched, and the plan was changed", false, "large"},
		} {
			// conformance: P14
			It("remove what it may have created before what the spec asks for now is created, where "+c.what, serial, func(ctx SpecContext) {
				s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[0].InstancesRetrievable = c.retrievable })
				release := make(chan struct{})
				s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Acts: true, Hold: release})
				si := s.createSyncInstance(ctx, "db", setParameters(`{"a":1}`))
				id := si.Spec.ExternalID
				Eventually(s.requestsAbout(id)).Should(HaveLen(1))
				update(ctx, si, func(si *v1beta1.ServiceInstance) { s.setPlan(c.plan)(si); setParameters(`{"a":2}`)(si) })
				operator.Kill()
				close(release)
				startOperator(context.WithoutCancel(ctx))
				Eventually(statusWithoutBackoff(ctx, si)).Should(beProvisioned(si))
				Expect(s.Holds().Instances).To(HaveLen(1))
				Expect(s.instanceAtBroker(instanceIDAtBroker(si))).To(SatisfyAll(HaveField("State", osbtest.Ready), HaveField("Parameters", MatchJSON(`{"a":2}`)), HaveField("PlanID", HavePrefix(planIDs[c.plan]))))
				Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
				Expect(instanceIDAtBroker(si)).NotTo(Equal(id), "a late removal cannot reach it")
				Expect(s.requestsAbout(instanceIDAtBroker(si))()).To(Equal([]string{"ProvisionInstance"}))
			})
		}
	})

	Describe("between a request and its record", func() {
		It("do not keep the instance from being deprovisioned, if the object is deleted", serial, func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			release := make(chan struct{})
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Acts: true, Hold: release})
			si := s.createSyncInstance(ctx, "db")
			Eventually(s.requestsAbout(si.Spec.ExternalID)).Should(HaveLen(1))
			operator.Kill()
			close(release)
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			startOperator(context.WithoutCancel(ctx))
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
		})
	})

	// conformance: L13 O14
	It("do not extend the maximum polling duration", serial, func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[1].Plans[0].MaximumPollingDuration = 10
			services[1].Behavior.Never = true
		})
		si := s.createAsyncInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
		began, operation := si.Status.OperationStartTime, *si.Status.LastOperation
		restart(ctx)
		s.Forget()
		Eventually(func() []osbtest.Call { return s.Calls(osb.PollLastOperation) }).Should(ContainElement(HaveField("Query", HaveKeyWithValue("operation", []string{operation}))))
		Expect(instanceStatus(ctx, si)()).To(HaveField("OperationStartTime", Equal(began)))
		Eventually(instanceStatus(ctx, si)).WithTimeout(time.Minute).Should(HaveField("OrphanMitigationInProgress", true))
		restart(ctx)
		Eventually(func() map[string]osbtest.Instance { // the deprovision request may not have been sent before the kill
			s.Finish(si.Spec.ExternalID, nil)
			return s.Holds().Instances
		}).Should(BeEmpty())
		anew := HaveField("ExternalID", Not(BeElementOf("", si.Spec.ExternalID)))
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAny(haveCondition("Ready", "False", "OrphanMitigationSuccessful"), anew))
	})

	It("F-S1: remove nothing that the broker finished while the operator was down for longer than the maximum polling duration", serial, func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[1].Behavior.Never = true })
		stopPastDeadline := func(o client.Object, id string) { // stopPastDeadline stops the operator while the broker finishes, and moves the start of the operation back by more than the deadline
			operator.Kill()
			Expect(s.Finish(id, nil)).To(BeTrue())
			began := fmt.Sprintf(`{"status":{"operationStartTime":%q}}`, time.Now().Add(-8*24*time.Hour).UTC().Format(time.RFC3339))
			Expect(k8s.Status().Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(began)))).To(Succeed())
			startOperator(context.WithoutCancel(ctx))
		}
		si := s.createAsyncInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
		stopPastDeadline(si, si.Spec.ExternalID)
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		b := s.createBinding(ctx, "access", "db")
		Eventually(bindingStatus(ctx, b)).Should(HaveField("AsyncOpInProgress", true))
		stopPastDeadline(b, b.Spec.ExternalID)
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))
		Expect(s.Counts()).To(SatisfyAll(HaveKeyWithValue(osb.ProvisionInstance, 1), HaveKeyWithValue(osb.Bind, 1),
			Not(HaveKey(osb.DeprovisionInstance)), Not(HaveKey(osb.Unbind))))
	})
})

// forbidNewSecrets makes the API server refuse new Secrets in a namespace until permit is called.
func forbidNewSecrets(ctx context.Context, namespace string) (permit func()) {
	GinkgoHelper()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "no-secrets"}}
	quota.Spec.Hard = corev1.ResourceList{corev1.ResourceSecrets: resource.MustParse("0")}
	Expect(k8s.Create(ctx, quota)).To(Succeed())
	quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: quota.Spec.Hard} // this control plane has no controller that computes the status of quotas
	Expect(k8s.Status().Update(ctx, quota)).To(Succeed())
	try := func() error {
		return k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "try-"}})
	}
	Eventually(try).Should(MatchError(apierrors.IsForbidden, "IsForbidden"))
	return func() {
		GinkgoHelper()
		Expect(k8s.Delete(ctx, quota)).To(Succeed())
		Eventually(try).Should(Succeed())
	}
}

// planIDs are the beginnings of the plans' ids.
var planIDs = map[string]string{"small": osbtest.SyncPlan, "large": osbtest.SyncOtherPlan}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// slowDownChanges delays requests that change something at the broker, so that kills interrupt them: some before the broker acts,
// some after.
func slowDownChanges(s *serviceNamespace, pace time.Duration) {
	ticks, stop := make(chan struct{}), make(chan struct{})
	go func() {
		ticker := time.NewTicker(pace)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
			select {
			case ticks <- struct{}{}:
			case <-stop:
				return
			}
		}
	}()
	DeferCleanup(func() { close(stop) })
	isChange := func(c osbtest.Call) bool {
		return slices.Contains([]osb.Operation{osb.ProvisionInstance, osb.Bind, osb.DeprovisionInstance, osb.Unbind}, c.Operation)
	}
	var count atomic.Int32
	s.Inject(osbtest.Fault{Hold: ticks, Match: isChange})
	s.Inject(osbtest.Fault{Hold: ticks, Acts: true, Match: func(c osbtest.Call) bool { return isChange(c) && count.Add(1)%2 == 0 }})
}

// changeCount counts the requests that change something at the broker.
func (s *serviceNamespace) changeCount() int {
	counts := s.Counts()
	return counts[osb.ProvisionInstance] + counts[osb.Bind] + counts[osb.DeprovisionInstance] + counts[osb.Unbind]
}

// workload creates and deletes many instances, each with a binding.
type workload struct {
	*serviceNamespace
	members []*member
}

// member is an instance with its binding.
type member struct {
	si      *v1beta1.ServiceInstance
	b       *v1beta1.ServiceBinding
	deleted bool
	// deletes counts the DELETE requests that the broker had got by id when the objects were first Ready.
	deletes map[string]int
}

func newWorkload(s *serviceNamespace, n int) *workload {
	return &workload{serviceNamespace: s, members: make([]*member, n)}
}

// run creates all objects, and deletes some. It retries requests that fail, as users do while the API server restarts.
func (w *workload) run(ctx context.Context) {
	GinkgoHelper()
	runInParallel(len(w.members), func(i int) {
		m := &member{deletes: map[string]int{}, deleted: i%3 == 0}
		w.members[i] = m
		service := w.syncService
		if i%4 == 1 {
			service = w.asyncService
		}
		m.si = w.newInstanceObject(fmt.Sprint("db", i), service)
		m.b = &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: fmt.Sprint("binding", i)}}
		m.b.Spec.InstanceRef.Name, m.b.Spec.SecretName = m.si.Name, m.b.Name+"-secret"
		createRepeatedly(ctx, m.si)
		createRepeatedly(ctx, m.b)
		if i%6 != 0 { // the others are deleted in whatever state they are
			Eventually(instanceStatus(ctx, m.si)).WithTimeout(2 * time.Minute).Should(beProvisioned(m.si))
			m.deletes[instanceIDAtBroker(m.si)] = w.History(instanceIDAtBroker(m.si)).Deletes
			Eventually(bindingStatus(ctx, m.b)).WithTimeout(2 * time.Minute).Should(beBound(m.b))
			m.deletes[bindingIDAtBroker(m.b)] = w.History(bindingIDAtBroker(m.b)).Deletes
		}
		if !m.deleted {
			return
		}
		for _, o := range []client.Object{m.si, m.b} { // the instance first, which has to wait for its binding
			Eventually(func() error { return client.IgnoreNotFound(k8s.Delete(ctx, o)) }).WithTimeout(time.Minute).Should(Succeed())
		}
		Eventually(checkGone(ctx, m.si)).WithTimeout(2 * time.Minute).Should(Succeed())
	})
}

// createRepeatedly creates an object, and retries until the API server answers.
func createRepeatedly(ctx context.Context, o client.Object) {
	GinkgoHelper()
	Eventually(func() error {
		o.SetResourceVersion("")
		if err := k8s.Create(ctx, o); !apierrors.IsAlreadyExists(err) {
			return err
		}
		return k8s.Get(ctx, client.ObjectKeyFromObject(o), o) // the answer to an earlier attempt was lost
	}).WithTimeout(time.Minute).Should(Succeed())
}

// instanceIDAtBroker returns the id under which the broker knows an instance.
func instanceIDAtBroker(si *v1beta1.ServiceInstance) string {
	return cmp.Or(si.Status.ExternalID, si.Spec.ExternalID)
}

// check compares the objects with what the broker has.
func (w *workload) check(ctx context.Context) {
	GinkgoHelper()
	instances, bindings, secrets := map[string]bool{}, map[string]bool{}, map[string]*v1beta1.ServiceBinding{}
	for _, m := range w.members {
		if m.deleted {
			Eventually(checkGone(ctx, m.b)).WithTimeout(time.Minute).Should(Succeed())
			continue
		}
		Eventually(instanceStatus(ctx, m.si)).WithTimeout(time.Minute).Should(beProvisioned(m.si))
		Eventually(bindingStatus(ctx, m.b)).WithTimeout(time.Minute).Should(beBound(m.b))
		instances[instanceIDAtBroker(m.si)], bindings[bindingIDAtBroker(m.b)], secrets[m.b.Spec.SecretName] = true, true, m.b
	}
	Expect(instances).To(HaveLen(len(secrets)), "each has an id of its own")
	Expect(bindings).To(HaveLen(len(secrets)))
	holds := w.Holds()
	Expect(slices.Sorted(maps.Keys(holds.Instances))).To(Equal(slices.Sorted(maps.Keys(instances))), "no orphan, no duplicate, nothing lost")
	Expect(slices.Sorted(maps.Keys(holds.Bindings))).To(Equal(slices.Sorted(maps.Keys(bindings))))
	Expect(holds.Instances).To(HaveEach(HaveField("State", osbtest.Ready)))
	Expect(holds.Bindings).To(HaveEach(HaveField("State", osbtest.Ready)))

	var found corev1.SecretList
	Expect(k8s.List(ctx, &found, client.InNamespace(w.namespace))).To(Succeed())
	Expect(found.Items).To(HaveLen(len(secrets)), "each Secret has a binding")
	for _, secret := range found.Items {
		b := secrets[secret.Name]
		Expect(b).NotTo(BeNil(), secret.Name)
		Expect(secret.OwnerReferences).To(ConsistOf(HaveField("UID", b.UID)))
		var credentials struct{ Username, Password string }
		Expect(json.Unmarshal(holds.Bindings[bindingIDAtBroker(b)].Credentials, &credentials)).To(Succeed())
		Expect(string(secret.Data["username"])).To(Equal(credentials.Username))
		Expect(string(secret.Data["password"])).To(Equal(credentials.Password))
	}
	for _, m := range w.members {
		for id, deletes := range m.deletes {
			if !m.deleted {
				Expect(w.History(id).Deletes).To(Equal(deletes), "%s was ready, and nobody has deleted it", id)
			}
		}
	}
	Expect(w.Violations()).To(BeEmpty())
}
