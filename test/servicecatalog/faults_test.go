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
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

var _ = Describe("Faults", func() {
	AfterEach(func(ctx SpecContext) {
		if GinkgoParallelProcess() == 1 && isClosed(operator.Ended()) { // a Serial spec has failed half-way
			startOperator(context.WithoutCancel(ctx))
		}
	})
	restart := func(ctx context.Context) {
		GinkgoHelper()
		operator.Kill()
		startOperator(context.WithoutCancel(ctx))
	}

	// conformance: P18 O13 L16
	It("lose, double and orphan nothing in 8 kills during 80 provisions, bindings and deletions", serial, func(ctx SpecContext) {
		const n, kills = 80, 8
		s := newSite(ctx, namespaced, osbtest.Options{})
		unhurried(s, 5*time.Millisecond)
		w := newCrowd(s, n)
		done := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(done)
			w.live(ctx)
		}()
		rnd := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 1))
		for kill := range kills {
			// At a random moment of the work, measured in requests rather than time.
			target := s.changes() + 1 + rnd.IntN(2*3*n/kills)
			Eventually(func() bool { return s.changes() >= target || isClosed(done) }).
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

	It("of a broker that acts and then drops the connection lose, double and orphan nothing", func(ctx SpecContext) {
		const n = 30
		s := newSite(ctx, namespaced, osbtest.Options{})
		var calls atomic.Int32
		s.Inject(osbtest.Fault{Acts: true, Answer: osbtest.Drop, Match: func(c osbtest.Call) bool {
			return !strings.HasPrefix(string(c.Operation), "Get") && calls.Add(1)%4 == 0
		}})
		w := newCrowd(s, n)
		w.live(ctx)
		w.check(ctx)
	})

	It("leave nothing out and repeat nothing when a warm standby takes over", serial, func(ctx SpecContext) {
		const n = 60
		elect := []string{"--leader-elect"}
		Expect(operator.Stop()).To(Succeed())
		startOperator(context.WithoutCancel(ctx), elect...)
		s := newSite(ctx, namespaced, osbtest.Options{})
		unhurried(s, 50*time.Millisecond)
		port, err := local.FreePort()
		Expect(err).NotTo(HaveOccurred())
		standby, err := cluster.StartOperator(context.WithoutCancel(ctx), local.OperatorOptions{
			Binary: its.Binary, Log: logs, WebhookPort: port, Args: append([]string{"--allow-outbound=127.0.0.1"}, elect...)})
		Expect(err).NotTo(HaveOccurred())
		instances := make([]*v1beta1.ServiceInstance, n)
		inParallel(n, func(i int) { instances[i] = s.instance(ctx, fmt.Sprint("db", i)) })
		Eventually(s.changes).Should(BeNumerically(">", n/3))
		Expect(operator.Stop()).To(Succeed(), "the lease is released")
		Expect(s.changes()).To(BeNumerically("<", n))
		for _, si := range instances {
			Eventually(instanceStatus(ctx, si)).WithTimeout(time.Minute).Should(bePresent(si))
			Expect(s.History(si.Spec.ExternalID)).To(Equal(osbtest.History{Puts: 1, Creations: 1, Ready: true}))
		}
		Expect(standby.Stop()).To(Succeed())
		startOperator(context.WithoutCancel(ctx))
	})

	It("record what was done before a graceful stop ends the process", serial, func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		release := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Hold: release})
		si := s.instance(ctx, "db")
		Eventually(s.sent(si.Spec.ExternalID)).Should(HaveLen(1))
		stopped, before := make(chan error), len(logs.String())
		go func() { stopped <- operator.Stop() }()
		Eventually(func() string { return logs.String()[before:] }).Should(ContainSubstring("Stopping and waiting for leader election runnables"))
		close(release)
		Eventually(stopped).Should(Receive(Succeed()))
		Expect(instanceStatus(ctx, si)()).To(bePresent(si))
		startOperator(context.WithoutCancel(ctx))
		s.provisioned(ctx, "later") // and what was there before has been looked at
		Expect(s.sent(si.Spec.ExternalID)()).To(HaveLen(1))
	})

	// conformance: B07
	It("that keep credentials from their Secret lose none, also with the process", serial, func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, toldOnce, notRotatable)
		s.provisioned(ctx, "db")
		for name, kill := range map[string]bool{"delayed": false, "killed": true} {
			permit := withoutSecrets(ctx, s.namespace)
			b := s.binding(ctx, name, "db")
			Eventually(bindingOf(ctx, b)).Should(haveCondition("Ready", "False", "ErrorInjectingBindResult"))
			if kill {
				operator.Kill()
			}
			permit()
			if kill {
				startOperator(context.WithoutCancel(ctx))
			}
			Eventually(bindingOf(ctx, b)).WithTimeout(time.Minute).Should(beBound(b))
			Expect(keysOf(ctx, b)()).To(HaveKeyWithValue("password", s.passwordOf(currentID(b))))
			if !kill {
				Expect(s.sent(b.Spec.ExternalID)()).To(Equal([]string{"Bind"}), "they are not asked for again")
			}
		}
		Expect(s.Holds().Bindings).To(HaveLen(2), "what nobody knows the credentials of is gone")
		Expect(s.Violations()).To(BeEmpty())
	})

	It("record what was done on an object that was edited meanwhile", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		release := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Hold: release})
		si := s.instance(ctx, "db", parameters(`{"a":1}`))
		Eventually(s.sent(si.Spec.ExternalID)).Should(HaveLen(1))
		update(ctx, si, func(si *v1beta1.ServiceInstance) { si.Labels["edited"] = "meanwhile"; parameters(`{"a":2}`)(si) })
		close(release)
		Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
		Expect(si.Labels).To(HaveKey("edited"))
		Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "UpdateInstance"}))
		Expect(s.held(si.Spec.ExternalID).Parameters).To(MatchJSON(`{"a":2}`))
	})

	It("leave what another process has recorded meanwhile", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		twin := s.provisioned(ctx, "twin")
		release := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Acts: true, Hold: release, Answer: osbtest.Error(http.StatusBadRequest, "", "too late")})
		si := s.instance(ctx, "db")
		Eventually(s.sent(si.Spec.ExternalID)).Should(HaveLen(1))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(si), si)).To(Succeed())
		before := si.DeepCopy()
		twin.Status.DeepCopyInto(&si.Status)
		Expect(k8s.Status().Patch(ctx, si, client.MergeFrom(before))).To(Succeed())
		close(release)
		Consistently(instanceStatus(ctx, si)).Should(bePresent(si))
	})

	Describe("in which an object is forced away while it is being provisioned", func() {
		// forced away: the finalizer is removed, and the object with it.
		inFlightOf := func(ctx context.Context, s *site, service osbtest.Service, edits ...func(*v1beta1.ServiceInstance)) (*v1beta1.ServiceInstance, chan struct{}) {
			GinkgoHelper()
			release := make(chan struct{})
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Hold: release})
			si := s.newInstance(ctx, s.namespace, "db", service.Name, service.Plans[0].Name, edits...)
			Eventually(s.sent(si.Spec.ExternalID)).Should(HaveLen(1))
			abandon(ctx, si)
			Eventually(gone(ctx, si)).Should(Succeed())
			return si, release
		}
		inFlight := func(ctx context.Context, s *site, edits ...func(*v1beta1.ServiceInstance)) (*v1beta1.ServiceInstance, chan struct{}) {
			GinkgoHelper()
			return inFlightOf(ctx, s, s.atOnce, edits...)
		}

		It("undo what they have made for it", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			si, release := inFlight(ctx, s)
			again := s.instance(ctx, "db")
			close(release)
			Eventually(instanceStatus(ctx, again)).Should(bePresent(again), "it has nothing to do with the other")
			Eventually(s.sent(si.Spec.ExternalID)).Should(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
			Eventually(func() map[string]osbtest.Instance { return s.Holds().Instances }).Should(SatisfyAll(HaveLen(1), HaveKey(again.Spec.ExternalID)))
			Eventually(eventsAbout(ctx, si)).Should(ContainElement(ContainSubstring("Normal OrphanMitigationSuccessful")))
		})

		It("see to it that it is undone, where that takes its time", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			s.Inject(osbtest.Fault{On: osb.DeprovisionInstance, Times: 1, Failure: &osbtest.Failure{Description: "not now"}})
			s.Inject(osbtest.Fault{On: osb.DeprovisionInstance, Times: 1, Answer: osbtest.Error(500, "", "oops")})
			si, release := inFlightOf(ctx, s, s.inTime)
			close(release)
			Eventually(eventsAbout(ctx, si)).Should(ContainElement(ContainSubstring("Normal OrphanMitigationSuccessful")))
			Expect(s.Holds().Instances).To(BeEmpty(), "it is not said before")
			Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance", "DeprovisionInstance", "DeprovisionInstance"}))
			Expect(s.Violations()).To(BeEmpty())
		})

		It("serve the next object of that name, though the other's broker cannot be asked", func(ctx SpecContext) {
			s := offlineSite(ctx, namespaced, osbtest.Options{Username: "bell", Password: "hop"})
			secret := newSecret(ctx, s.namespace, "auth", "username", "bell", "password", "hop")
			registerBroker(ctx, namespaced, s.namespace, s.Broker, func(b v1beta1.Broker) {
				b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: "auth"}}}
			})
			other := newSite(ctx, clusterWide, osbtest.Options{})
			si, release := inFlight(ctx, s)
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			Eventually(gone(ctx, secret)).Should(Succeed())
			close(release)
			Eventually(s.held).WithArguments(si.Spec.ExternalID).Should(HaveField("State", osbtest.Ready))
			again := other.newInstance(ctx, s.namespace, "db", other.atOnce.Name, other.atOnce.Plans[0].Name)
			Eventually(instanceStatus(ctx, again)).Should(bePresent(again))
			Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))

			newSecret(ctx, s.namespace, "auth", "username", "bell", "password", "hop")
			Eventually(func() map[string]osbtest.Instance { return s.Holds().Instances }).Should(BeEmpty())
			Eventually(eventsAbout(ctx, si)).Should(ContainElement(ContainSubstring("Normal OrphanMitigationSuccessful")))
		})

		It("leave what may have been there before, and say so", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			si, release := inFlight(ctx, s, withID("brought-along"))
			close(release)
			Eventually(eventsAbout(ctx, si)).Should(ContainElement(SatisfyAll(ContainSubstring("Warning OrphanMitigationFailed"), ContainSubstring(`under the id "brought-along" is left there`))))
			Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(s.held(si.Spec.ExternalID).State).To(Equal(osbtest.Ready))
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
				s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[0].InstancesRetrievable = c.retrievable })
				release := make(chan struct{})
				s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Acts: true, Hold: release})
				si := s.instance(ctx, "db", parameters(`{"a":1}`))
				id := si.Spec.ExternalID
				Eventually(s.sent(id)).Should(HaveLen(1))
				update(ctx, si, func(si *v1beta1.ServiceInstance) { s.setPlan(c.plan)(si); parameters(`{"a":2}`)(si) })
				operator.Kill()
				close(release)
				startOperator(context.WithoutCancel(ctx))
				Eventually(hurried(ctx, si)).Should(bePresent(si))
				Expect(s.Holds().Instances).To(HaveLen(1))
				Expect(s.held(idOf(si))).To(SatisfyAll(HaveField("State", osbtest.Ready), HaveField("Parameters", MatchJSON(`{"a":2}`)), HaveField("PlanID", HavePrefix(planIDs[c.plan]))))
				Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
				Expect(idOf(si)).NotTo(Equal(id), "a late removal cannot reach it")
				Expect(s.sent(idOf(si))()).To(Equal([]string{"ProvisionInstance"}))
			})
		}
	})

	Describe("between a request and its record", func() {
		It("end in the removal of what was made, if the object is deleted", serial, func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			release := make(chan struct{})
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Acts: true, Hold: release})
			si := s.instance(ctx, "db")
			Eventually(s.sent(si.Spec.ExternalID)).Should(HaveLen(1))
			operator.Kill()
			close(release)
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			startOperator(context.WithoutCancel(ctx))
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
			Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
		})
	})

	// conformance: L13 O14
	It("do not prolong what the broker may take", serial, func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[1].Plans[0].MaximumPollingDuration = 10
			services[1].Behavior.Never = true
		})
		si := s.slowInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
		began, operation := si.Status.OperationStartTime, *si.Status.LastOperation
		restart(ctx)
		s.Forget()
		Eventually(func() []osbtest.Call { return s.Calls(osb.PollLastOperation) }).Should(ContainElement(HaveField("Query", HaveKeyWithValue("operation", []string{operation}))))
		Expect(instanceStatus(ctx, si)()).To(HaveField("OperationStartTime", Equal(began)))
		Eventually(instanceStatus(ctx, si)).WithTimeout(time.Minute).Should(HaveField("OrphanMitigationInProgress", true))
		restart(ctx)
		Eventually(func() map[string]osbtest.Instance { // the removal may not have begun when the operator was killed
			s.Finish(si.Spec.ExternalID, nil)
			return s.Holds().Instances
		}).Should(BeEmpty())
		anew := HaveField("ExternalID", Not(BeElementOf("", si.Spec.ExternalID)))
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAny(haveCondition("Ready", "False", "OrphanMitigationSuccessful"), anew))
	})

	It("F-S1: remove nothing that the broker finished while the operator was down for longer than it may take", serial, func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[1].Behavior.Never = true })
		down := func(o client.Object, id string) { // past the deadline, which is a week
			operator.Kill()
			Expect(s.Finish(id, nil)).To(BeTrue())
			began := fmt.Sprintf(`{"status":{"operationStartTime":%q}}`, time.Now().Add(-8*24*time.Hour).UTC().Format(time.RFC3339))
			Expect(k8s.Status().Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(began)))).To(Succeed())
			startOperator(context.WithoutCancel(ctx))
		}
		si := s.slowInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
		down(si, si.Spec.ExternalID)
		Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
		b := s.binding(ctx, "access", "db")
		Eventually(bindingOf(ctx, b)).Should(HaveField("AsyncOpInProgress", true))
		down(b, b.Spec.ExternalID)
		Eventually(bindingOf(ctx, b)).Should(beBound(b))
		Expect(s.Counts()).To(SatisfyAll(HaveKeyWithValue(osb.ProvisionInstance, 1), HaveKeyWithValue(osb.Bind, 1),
			Not(HaveKey(osb.DeprovisionInstance)), Not(HaveKey(osb.Unbind))))
	})
})

// withoutSecrets has the API server take no new Secret in a namespace until that is
// permitted again.
func withoutSecrets(ctx context.Context, namespace string) (permit func()) {
	GinkgoHelper()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "no-secrets"}}
	quota.Spec.Hard = corev1.ResourceList{corev1.ResourceSecrets: resource.MustParse("0")}
	Expect(k8s.Create(ctx, quota)).To(Succeed())
	quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: quota.Spec.Hard} // which no controller says here
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

// planIDs are how ids of plans begin.
var planIDs = map[string]string{"small": osbtest.SyncPlan, "large": osbtest.SyncOtherPlan}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// unhurried has the broker take a while for each change, so that kills find requests under
// way: some before it acts, some after.
func unhurried(s *site, pace time.Duration) {
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

// changes is how many changes the broker was asked for.
func (s *site) changes() int {
	counts := s.Counts()
	return counts[osb.ProvisionInstance] + counts[osb.Bind] + counts[osb.DeprovisionInstance] + counts[osb.Unbind]
}

// crowd is many instances, each with a binding, some of which are deleted again.
type crowd struct {
	*site
	members []*member
}

// member is one of them: with an id of the instance, and of the binding.
type member struct {
	si      *v1beta1.ServiceInstance
	b       *v1beta1.ServiceBinding
	deleted bool
	// deletes are those that the broker had got when the objects were first seen ready, by id.
	deletes map[string]int
}

func newCrowd(s *site, n int) *crowd { return &crowd{site: s, members: make([]*member, n)} }

// live makes all of them, and deletes some: as users do it whose requests may fail while
// the cluster is in trouble.
func (w *crowd) live(ctx context.Context) {
	GinkgoHelper()
	inParallel(len(w.members), func(i int) {
		m := &member{deletes: map[string]int{}, deleted: i%3 == 0}
		w.members[i] = m
		service := w.atOnce
		if i%4 == 1 {
			service = w.inTime
		}
		m.si = w.named(fmt.Sprint("db", i), service)
		m.b = &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: fmt.Sprint("binding", i)}}
		m.b.Spec.InstanceRef.Name, m.b.Spec.SecretName = m.si.Name, m.b.Name+"-secret"
		persist(ctx, m.si)
		persist(ctx, m.b)
		if i%6 != 0 { // the others are deleted whatever they are up to
			Eventually(instanceStatus(ctx, m.si)).WithTimeout(2 * time.Minute).Should(bePresent(m.si))
			m.deletes[idOf(m.si)] = w.History(idOf(m.si)).Deletes
			Eventually(bindingOf(ctx, m.b)).WithTimeout(2 * time.Minute).Should(beBound(m.b))
			m.deletes[currentID(m.b)] = w.History(currentID(m.b)).Deletes
		}
		if !m.deleted {
			return
		}
		for _, o := range []client.Object{m.si, m.b} { // in the wrong order
			Eventually(func() error { return client.IgnoreNotFound(k8s.Delete(ctx, o)) }).WithTimeout(time.Minute).Should(Succeed())
		}
		Eventually(gone(ctx, m.si)).WithTimeout(2 * time.Minute).Should(Succeed())
	})
}

// persist makes an object, however often it takes.
func persist(ctx context.Context, o client.Object) {
	GinkgoHelper()
	Eventually(func() error {
		o.SetResourceVersion("")
		if err := k8s.Create(ctx, o); !apierrors.IsAlreadyExists(err) {
			return err
		}
		return k8s.Get(ctx, client.ObjectKeyFromObject(o), o) // the answer to an earlier attempt was lost
	}).WithTimeout(time.Minute).Should(Succeed())
}

// idOf is the id under which the broker knows an instance.
func idOf(si *v1beta1.ServiceInstance) string {
	return cmp.Or(si.Status.ExternalID, si.Spec.ExternalID)
}

// check compares what the broker has with the objects.
func (w *crowd) check(ctx context.Context) {
	GinkgoHelper()
	instances, bindings, secrets := map[string]bool{}, map[string]bool{}, map[string]*v1beta1.ServiceBinding{}
	for _, m := range w.members {
		if m.deleted {
			Eventually(gone(ctx, m.b)).WithTimeout(time.Minute).Should(Succeed())
			continue
		}
		Eventually(instanceStatus(ctx, m.si)).WithTimeout(time.Minute).Should(bePresent(m.si))
		Eventually(bindingOf(ctx, m.b)).WithTimeout(time.Minute).Should(beBound(m.b))
		instances[idOf(m.si)], bindings[currentID(m.b)], secrets[m.b.Spec.SecretName] = true, true, m.b
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
	Expect(found.Items).To(HaveLen(len(secrets)), "no Secret without a binding")
	for _, secret := range found.Items {
		b := secrets[secret.Name]
		Expect(b).NotTo(BeNil(), secret.Name)
		Expect(secret.OwnerReferences).To(ConsistOf(HaveField("UID", b.UID)))
		var credentials struct{ Username, Password string }
		Expect(json.Unmarshal(holds.Bindings[currentID(b)].Credentials, &credentials)).To(Succeed())
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
