// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/workload"
)

// enablePageByLabel gives the operator the rights of config/page-by-label, and its flag, until the specs of the container have ended.
func enablePageByLabel(ctx SpecContext) {
	GinkgoHelper()
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	out, err := kubectl(ctx, "", "apply", "-f", filepath.Join(repo, "config/page-by-label/role.yaml"))
	Expect(err).NotTo(HaveOccurred(), out)
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "bellhop-page-by-label-role"}}
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{"example.com"}, Resources: []string{"houses", "boats"}, Verbs: []string{"list", "watch"}})
	Expect(k8s.Update(ctx, role)).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "page-by-label"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "bellhop-page-by-label-role"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: cluster.Namespace, Name: cluster.ServiceAccount}},
	}
	Expect(k8s.Create(ctx, binding)).To(Succeed())
	restartWithPageByLabel(ctx)
	DeferCleanup(func(ctx SpecContext) {
		Expect(k8s.Delete(ctx, binding)).To(Succeed())
		operator.Kill()
		startOperator(context.WithoutCancel(ctx))
	})
}

// restartWithPageByLabel kills the operator and starts it again. It may not read ReplicaSets.
func restartWithPageByLabel(ctx context.Context) {
	GinkgoHelper()
	operator.Kill()
	startOperator(context.WithoutCancel(ctx), "--page-by-label", "--page-kinds=apps/v1/replicasets,houses.example.com,boats.example.com:Floats=False", "--page-resolve-after=3s")
}

// createDeployment creates a Deployment that fails and asks for Alerts at once. No controller changes its status.
func createDeployment(ctx context.Context, namespace, name string, annotations map[string]string) *appsv1.Deployment {
	GinkgoHelper()
	d := workload.NewDeployment(metav1.ObjectMeta{
		Namespace: namespace, Name: name, Labels: map[string]string{v1beta1.PageLabel: "true"}, Annotations: map[string]string{v1beta1.PageAfterAnnotation: "0"},
	})
	maps.Copy(d.Annotations, annotations)
	Expect(k8s.Create(ctx, d)).To(Succeed())
	setRollout(ctx, d, true)
	return d
}

func setRollout(ctx context.Context, d *appsv1.Deployment, isFailing bool) {
	GinkgoHelper()
	workload.SetRollout(d, isFailing)
	Expect(k8s.Status().Update(ctx, d)).To(Succeed())
}

// setLabel sets a label of an object; nil removes it.
func setLabel(ctx context.Context, o client.Object, label string, value *string) {
	GinkgoHelper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{label: value}}})
	Expect(err).NotTo(HaveOccurred())
	Expect(k8s.Patch(ctx, o, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

// consent labels a Namespace so that objects in it may ask for Alerts.
func consent(ctx context.Context, namespace string) {
	GinkgoHelper()
	setLabel(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, v1beta1.PageByLabelLabel, new("enabled"))
}

// newJob returns a Job that asks for Alerts.
func newJob(namespace, name string) *batchv1.Job {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1beta1.PageLabel: "true"}}}
	job.Spec.Template.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main", Image: "a"}}}
	return job
}

// createFailedJob creates a Job that has failed and asks for Alerts. Of its pods there is none.
func createFailedJob(ctx context.Context, namespace, name string) *batchv1.Job {
	GinkgoHelper()
	job := newJob(namespace, name)
	Expect(k8s.Create(ctx, job)).To(Succeed())
	failJob(ctx, job)
	return job
}

// install installs the definition of a kind of example.com until the spec has ended.
func install(ctx SpecContext, singular string) {
	GinkgoHelper()
	plural, kind := singular+"s", strings.ToUpper(singular[:1])+singular[1:]
	out, err := kubectl(ctx, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: %[1]s, singular: %[2]s, kind: %[3]s}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, plural, singular, kind), "apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred(), out)
	DeferCleanup(func(ctx SpecContext) {
		out, err := kubectl(ctx, "", "delete", "crd", plural+".example.com")
		Expect(err).NotTo(HaveOccurred(), out)
	})
}

func failJob(ctx context.Context, job *batchv1.Job) {
	GinkgoHelper()
	workload.SetFailed(job)
	Expect(k8s.Status().Update(ctx, job)).To(Succeed())
}

var _ = Describe("An object with the label", serial, Ordered, func() {
	var namespace string
	var hook *fakeReceiver

	BeforeAll(enablePageByLabel)
	BeforeEach(func(ctx SpecContext) {
		namespace, hook = createNamespace(ctx), startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) {
			r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
		})
	})

	alerts := func(ctx context.Context) func() ([]v1beta1.Alert, error) {
		return func() ([]v1beta1.Alert, error) {
			var list v1beta1.AlertList
			err := k8s.List(ctx, &list, client.InNamespace(namespace))
			return list.Items, err
		}
	}
	events := func() (types []string) {
		for _, m := range hook.Messages() {
			types = append(types, m.Event)
		}
		return types
	}

	It("has an Alert once it fails, which is resolved with its deletion", func(ctx SpecContext) {
		consent(ctx, namespace)
		d := createDeployment(ctx, namespace, "orders", map[string]string{v1beta1.PageSeverityAnnotation: "Warning"})
		Eventually(hook.Messages).Should(ConsistOf(SatisfyAll(
			HaveField("Title", ContainSubstring("Deployment "+namespace+"/orders is failing")),
			HaveField("Content", ContainSubstring(`ProgressDeadlineExceeded: ReplicaSet "orders-1" has timed out progressing.`)),
			HaveField("Severity", "Warning"))))
		created, err := alerts(ctx)()
		Expect(err).NotTo(HaveOccurred())
		Expect(created).To(ConsistOf(SatisfyAll(
			HaveField("Name", HavePrefix("deployment-orders-")),
			HaveField("OwnerReferences", ConsistOf(HaveField("UID", d.UID))))))

		By("creating none again after a restart")
		restartWithPageByLabel(ctx)
		other := createDeployment(ctx, namespace, "other", nil)
		Eventually(hook.Messages).Should(ContainElement(HaveField("Title", ContainSubstring("other is failing"))))
		Expect(hook.Messages()).To(HaveLen(2))

		By("resolving it with the deletion of the object")
		Expect(k8s.Delete(ctx, other)).To(Succeed())
		Expect(k8s.Delete(ctx, d)).To(Succeed())
		Eventually(alerts(ctx)).Should(BeEmpty())
		Expect(events()).To(ConsistOf("alert.fired", "alert.fired", "alert.resolved", "alert.resolved"))
	})

	It("has none while it is healthy, or where its Namespace does not consent", func(ctx SpecContext) {
		d := createDeployment(ctx, namespace, "orders", nil)
		Eventually(env.ReadEvents(ctx, d)).Should(ContainElement(SatisfyAll(HavePrefix("Warning NamespaceDoesNotPage: "), ContainSubstring(v1beta1.PageByLabelLabel+"=enabled"))))
		setRollout(ctx, d, false)
		consent(ctx, namespace)
		failing := createDeployment(ctx, namespace, "failing", nil)
		Eventually(alerts(ctx)).Should(ConsistOf(HaveField("OwnerReferences", ConsistOf(HaveField("UID", failing.UID)))))
		Eventually(hook.Messages).Should(HaveLen(1))
	})

	It("has none if an annotation is wrong, and an event that says what would be right", func(ctx SpecContext) {
		consent(ctx, namespace)
		d := createDeployment(ctx, namespace, "orders", map[string]string{v1beta1.PageAfterAnnotation: "5m"})
		Eventually(env.ReadEvents(ctx, d)).Should(ContainElement(`Warning InvalidPageAnnotation: Annotation pager.k8s.co/page-after-seconds is "5m": it has to be a number of seconds from 0 to 86400`))
		Expect(alerts(ctx)()).To(BeEmpty())
		d.Annotations[v1beta1.PageAfterAnnotation] = "0"
		Expect(k8s.Update(ctx, d)).To(Succeed())
		setRollout(ctx, d, true) // of the new generation, which annotations of a Deployment change, too
		Eventually(alerts(ctx)).Should(HaveLen(1))
	})

	It("has the exit code of its container in the Alert", func(ctx SpecContext) {
		consent(ctx, namespace)
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "backup", Labels: map[string]string{v1beta1.PageLabel: "true"}}}
		job.Spec.Template.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main", Image: "a"}}}
		Expect(k8s.Create(ctx, job)).To(Succeed())
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "backup-1", Labels: job.Spec.Template.Labels}, Spec: job.Spec.Template.Spec}
		Expect(k8s.Create(ctx, pod)).To(Succeed())
		pod.Status.Phase = corev1.PodFailed
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}}}}
		Expect(k8s.Status().Update(ctx, pod)).To(Succeed())
		failJob(ctx, job)
		Eventually(hook.Messages).Should(ConsistOf(SatisfyAll(
			HaveField("Title", ContainSubstring("Job "+namespace+"/backup is failing")),
			HaveField("Content", SatisfyAll(
				ContainSubstring("BackoffLimitExceeded"), ContainSubstring("Container main of Pod backup-1 ended with exit code 3: Error"), Not(ContainSubstring("Log:")))))))
	})

	It("has its Alert resolved once its Namespace withdraws its consent, and fired again by another consent", func(ctx SpecContext) {
		consent(ctx, namespace)
		d := createDeployment(ctx, namespace, "orders", nil)
		Eventually(events).Should(Equal([]string{"alert.fired"}))
		setLabel(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, v1beta1.PageByLabelLabel, nil)
		Eventually(env.ReadEvents(ctx, d)).Should(ContainElement(HavePrefix("Warning NamespaceDoesNotPage: ")))
		other := createDeployment(ctx, namespace, "other", nil)
		Eventually(env.ReadEvents(ctx, other)).Should(ContainElement(HavePrefix("Warning NamespaceDoesNotPage: ")))
		Eventually(events).Should(Equal([]string{"alert.fired", "alert.resolved"}))
		Expect(k8s.Delete(ctx, other)).To(Succeed())
		consent(ctx, namespace)
		Eventually(events).Should(Equal([]string{"alert.fired", "alert.resolved", "alert.fired"}))
		Expect(alerts(ctx)()).To(HaveLen(1))
	})

	It("has one Alert though its label comes and goes", func(ctx SpecContext) {
		consent(ctx, namespace)
		d := createDeployment(ctx, namespace, "orders", nil)
		for range 10 {
			setLabel(ctx, d, v1beta1.PageLabel, nil)
			setLabel(ctx, d, v1beta1.PageLabel, new("true"))
		}
		createFailedJob(ctx, namespace, "later")
		Eventually(hook.Messages).Should(ContainElement(HaveField("Title", ContainSubstring("later is failing"))))
		Eventually(hook.Messages).Should(HaveLen(2))
		setLabel(ctx, d, v1beta1.PageLabel, nil)
		Eventually(events).Should(HaveLen(3))
		Expect(events()[2]).To(Equal("alert.resolved"))
	})

	It("has no Alert under a name that somebody else uses", func(ctx SpecContext) {
		consent(ctx, namespace)
		d := createDeployment(ctx, namespace, "orders", nil)
		Eventually(alerts(ctx)).Should(HaveLen(1))
		created, err := alerts(ctx)()
		Expect(err).NotTo(HaveOccurred())
		name := created[0].Name
		setLabel(ctx, d, v1beta1.PageLabel, nil)
		Eventually(events).Should(ContainElement("alert.resolved"))
		Expect(k8s.Delete(ctx, &created[0])).To(Succeed())
		Eventually(alerts(ctx)).Should(BeEmpty())
		other := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1beta1.AlertSpec{Title: "of a person", Content: "of a person"}}
		Expect(k8s.Create(ctx, other)).To(Succeed())
		setLabel(ctx, d, v1beta1.PageLabel, new("true"))
		Eventually(env.ReadEvents(ctx, d)).Should(ContainElement("Warning AlertNameInUse: Alert " + name + " exists and is not about this object: it is left as it is, and no Alert is sent"))
		Expect(alerts(ctx)()).To(ConsistOf(HaveField("Spec.Title", "of a person")))
	})

	It("is of a resource that the operator may read: an Event has the rule that is missing", func(ctx SpecContext) {
		lease := &coordinationv1.Lease{} // the operator's; Events about it have no UID
		Eventually(env.ReadEvents(ctx, lease)).Should(ContainElement(`Warning PageByLabelForbidden: The operator cannot read apps/v1/replicasets, so no Alert is sent about them: ` +
			`add to ClusterRole bellhop-page-by-label-role the rule {apiGroups: ["apps"], resources: [replicasets], verbs: [list, watch]}`))
		Eventually(env.Scrape).WithArguments(ctx, createMetricsToken(ctx, namespace)).
			Should(ContainSubstring(`bellhop_page_by_label_failures_total{reason="Forbidden",resource="apps/v1/replicasets"}`))
	})

	// resolve resolves the Alert of the namespace as a person does.
	resolve := func(ctx context.Context) {
		GinkgoHelper()
		Eventually(func() error {
			list, err := alerts(ctx)()
			if err != nil {
				return err
			}
			list[0].Spec.State = v1beta1.AlertResolved
			return k8s.Update(ctx, &list[0])
		}).Should(Succeed())
	}

	// waitForOther waits until the operator has handled what it observed before, by an object that fails now.
	waitForOther := func(ctx context.Context, name string) {
		GinkgoHelper()
		createDeployment(ctx, namespace, name, nil)
		Eventually(hook.Messages).Should(ContainElement(HaveField("Title", ContainSubstring(name+" is failing"))))
	}

	It("F-P53: stays resolved by a person until another failure begins", func(ctx SpecContext) {
		consent(ctx, namespace)
		d := createDeployment(ctx, namespace, "orders", nil)
		Eventually(events).Should(Equal([]string{"alert.fired"}))
		resolve(ctx)
		Eventually(events).Should(Equal([]string{"alert.fired", "alert.resolved"}))
		restartWithPageByLabel(ctx)
		waitForOther(ctx, "other")
		Expect(events()).To(Equal([]string{"alert.fired", "alert.resolved", "alert.fired"}))

		By("failing again, a second later")
		for i := range d.Status.Conditions {
			d.Status.Conditions[i].LastTransitionTime = metav1.NewTime(d.Status.Conditions[i].LastTransitionTime.Add(time.Second))
		}
		Expect(k8s.Status().Update(ctx, d)).To(Succeed())
		Eventually(events).Should(HaveLen(4))

		By("being paused, and resumed with the failure of before")
		pause := func(isPaused bool) {
			update(ctx, d, func(d *appsv1.Deployment) { d.Spec.Paused = isPaused })
			d.Status.ObservedGeneration = d.Generation
			Expect(k8s.Status().Update(ctx, d)).To(Succeed())
		}
		pause(true)
		Eventually(events).Should(HaveLen(5))
		Expect(events()[4]).To(Equal("alert.resolved"))
		pause(false)
		Eventually(events).Should(HaveLen(6))
	})

	It("F-P55: has its Alert resolved though its deletion leaves the Alert", func(ctx SpecContext) {
		consent(ctx, namespace)
		d := createDeployment(ctx, namespace, "orders", nil)
		Eventually(events).Should(Equal([]string{"alert.fired"}))
		Expect(k8s.Delete(ctx, d, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(Succeed())
		Eventually(events).Should(Equal([]string{"alert.fired", "alert.resolved"}))
		Expect(alerts(ctx)()).To(ConsistOf(SatisfyAll(HaveField("OwnerReferences", BeEmpty()), HaveField("Spec.State", v1beta1.AlertResolved))))
	})

	It("F-P56, F-B21: keeps the Alert about a Job that its TTL deletes, until a later Job of the name succeeds", func(ctx SpecContext) {
		consent(ctx, namespace)
		job := newJob(namespace, "import")
		job.Annotations = map[string]string{v1beta1.PageAfterAnnotation: "2"}
		job.Finalizers = []string{"example.com/pods"} // it exists for as long as its Pods do
		Expect(k8s.Create(ctx, job)).To(Succeed())
		failJob(ctx, job)
		Expect(k8s.Delete(ctx, job)).To(Succeed())
		Eventually(events).Should(Equal([]string{"alert.fired"}))
		waitForOther(ctx, "other")
		update(ctx, job, func(job *batchv1.Job) { job.Finalizers = nil })
		waitForOther(ctx, "another")
		Expect(events()).NotTo(ContainElement("alert.resolved"))
		Expect(alerts(ctx)()).To(ContainElement(SatisfyAll(HaveField("Name", HavePrefix("job-import-")), HaveField("OwnerReferences", BeEmpty()), HaveField("Spec.State", v1beta1.AlertFiring))))
		later := newJob(namespace, "import")
		Expect(k8s.Create(ctx, later)).To(Succeed())
		workload.SetSucceeded(later)
		for i := range later.Status.Conditions { // times have seconds
			later.Status.Conditions[i].LastTransitionTime = metav1.NewTime(time.Now().Add(2 * time.Second))
		}
		Expect(k8s.Status().Update(ctx, later)).To(Succeed())
		Eventually(events).Should(ContainElement("alert.resolved"))
	})

	It("F-P56: has an Alert though it is deleted as soon as it has failed", func(ctx SpecContext) {
		consent(ctx, namespace)
		waitForOther(ctx, "other")
		for i := range 5 { // as with a TTL of 0
			job := createFailedJob(ctx, namespace, fmt.Sprintf("hook-%d", i))
			Expect(k8s.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		}
		Eventually(hook.Messages).Should(HaveLen(6))
	})

	It("is one of the Jobs of a CronJob, which have one Alert", func(ctx SpecContext) {
		consent(ctx, namespace)
		cronJob := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "backup"}, Spec: batchv1.CronJobSpec{Schedule: "0 0 1 1 *"}}
		cronJob.Spec.JobTemplate.Spec.Template.Spec = newJob(namespace, "a").Spec.Template.Spec
		Expect(k8s.Create(ctx, cronJob)).To(Succeed())
		var job *batchv1.Job
		for i := range 5 {
			job = newJob(namespace, fmt.Sprintf("backup-%d", i))
			Expect(controllerutil.SetControllerReference(cronJob, job, k8s.Scheme())).To(Succeed())
			Expect(k8s.Create(ctx, job)).To(Succeed())
			workload.SetFailed(job)
			for c := range job.Status.Conditions {
				job.Status.Conditions[c].LastTransitionTime = metav1.NewTime(time.Now().Add(time.Duration(i) * time.Second))
			}
			Expect(k8s.Status().Update(ctx, job)).To(Succeed())
			Eventually(alerts(ctx)).Should(ConsistOf(HaveField("Annotations", HaveKeyWithValue(v1beta1.PagedUIDAnnotation, string(job.UID)))))
		}
		Eventually(events).Should(Equal([]string{"alert.fired"}))
		resolve(ctx)
		Eventually(events).Should(Equal([]string{"alert.fired", "alert.resolved"}))

		By("deleting the CronJob without its Jobs")
		update(ctx, job, func(job *batchv1.Job) { job.OwnerReferences = nil })
		waitForOther(ctx, "other")
		Expect(events()).To(Equal([]string{"alert.fired", "alert.resolved", "alert.fired"}))
	})

	It("F-B13: says that it cannot be judged, to whom created or changed it, and not to all after a restart", func(ctx SpecContext) {
		consent(ctx, namespace)
		install(ctx, "boat") // the operator finds resources that are served later
		install(ctx, "house")
		create := func(kind, name, status string) *unstructured.Unstructured {
			GinkgoHelper()
			var out string
			Eventually(func() (err error) {
				out, err = kubectl(ctx, fmt.Sprintf(`{apiVersion: example.com/v1, kind: %s, metadata: {name: %s, namespace: %s, labels: {pager.k8s.co/page: "true"}, annotations: {pager.k8s.co/page-after-seconds: "0"}}, status: %s}`,
					kind, name, namespace, status), "apply", "-f", "-")
				return err
			}).Should(Succeed(), func() string { return out })
			o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": kind}}
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o)).To(Succeed())
			return o
		}

		By("naming what means a failure in the flag")
		create("Boat", "sinks", `{conditions: [{type: Floats, status: "False", reason: Leak, message: Water comes in, lastTransitionTime: "2026-01-01T00:00:00Z"}]}`)
		create("Boat", "floats", `{conditions: [{type: Floats, status: "True"}]}`)
		Eventually(hook.Messages).Should(ConsistOf(SatisfyAll(HaveField("Title", "Boat "+namespace+"/sinks is failing"), HaveField("Content", "Leak: Water comes in"))))

		By("a failure of a resource that was served later")
		create("House", "collapsed", `{conditions: [{type: Ready, status: "False", reason: Collapsed, message: The roof is gone, lastTransitionTime: "2026-01-01T00:00:00Z"}]}`)
		Eventually(hook.Messages).Should(ContainElement(SatisfyAll(HaveField("Title", "House "+namespace+"/collapsed is failing"), HaveField("Content", "Collapsed: The roof is gone"))))

		By("progress that never ends")
		create("House", "built", `{conditions: [{type: Ready, status: Unknown, reason: Building, lastTransitionTime: "2026-01-01T00:00:00Z"}]}`)
		Eventually(hook.Messages).Should(ContainElement(SatisfyAll(HaveField("Title", "House "+namespace+"/built is failing"),
			HaveField("Content", HavePrefix("ProgressDeadlineExceeded: it has been in progress since 2026-01-01T00:00:00Z: Building")))))

		By("a status that has neither Ready nor Stalled")
		lit := create("House", "lit", `{conditions: [{type: Lit, status: "True"}]}`)
		const words = "Warning HealthUnknown: No Alert is sent about this object, whatever happens: its status has neither the condition Ready nor Stalled (it has Lit). " +
			"Name the conditions that mean a failure in --page-kinds, such as rollouts.argoproj.io:Available=False, or remove the label"
		Eventually(env.ReadEvents(ctx, lit)).WithTimeout(15 * time.Second).Should(ContainElement(words))
		token := createMetricsToken(ctx, namespace)
		count := `bellhop_page_by_label_unknown_objects{resource="houses.example.com"} 1`
		Eventually(env.Scrape).WithArguments(ctx, token).Should(ContainSubstring(count))

		By("emitting no event after a restart")
		restartWithPageByLabel(ctx)
		Eventually(env.Scrape).WithArguments(ctx, token).Should(ContainSubstring(count))
		Expect(env.ReadEvents(ctx, lit)()).To(ConsistOf(words))
	})

	It("F-B17: is healthy as a claim that waits for its first consumer", func(ctx SpecContext) {
		consent(ctx, namespace)
		class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: namespace}, Provisioner: "example.com/disk", VolumeBindingMode: new(storagev1.VolumeBindingWaitForFirstConsumer)}
		Expect(k8s.Create(ctx, class)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, class)).To(Succeed()) })
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "data", Labels: map[string]string{v1beta1.PageLabel: "true"}, Annotations: map[string]string{v1beta1.PageAfterAnnotation: "0"},
		}}
		claim.Spec = corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class.Name, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		}
		Expect(k8s.Create(ctx, claim)).To(Succeed())
		waitForOther(ctx, "other")
		Expect(hook.Messages()).To(HaveLen(1))
		claim.Annotations["volume.kubernetes.io/selected-node"] = "node"
		Expect(k8s.Update(ctx, claim)).To(Succeed())
		Eventually(hook.Messages).Should(ContainElement(HaveField("Title", ContainSubstring("data is failing"))))
	})

	It("has an Alert of an earlier version, which knew it by the owner", func(ctx SpecContext) {
		consent(ctx, namespace)
		job := createFailedJob(ctx, namespace, "import")
		Eventually(events).Should(Equal([]string{"alert.fired"}))
		By("writing the Alert as the earlier version did")
		Eventually(func() error {
			list, err := alerts(ctx)()
			if err != nil {
				return err
			}
			list[0].Annotations = map[string]string{v1beta1.PagedResourceAnnotation: "batch/v1/jobs"}
			list[0].OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID}}
			return k8s.Update(ctx, &list[0])
		}).Should(Succeed())
		Eventually(alerts(ctx)).Should(ConsistOf(SatisfyAll(HaveField("OwnerReferences", BeEmpty()), HaveField("Annotations", SatisfyAll(
			HaveKeyWithValue(v1beta1.PagedObjectAnnotation, "Job/import"), HaveKeyWithValue(v1beta1.PagedUIDAnnotation, string(job.UID)), HaveKey(v1beta1.FailingSinceAnnotation))))))
		Expect(events()).To(Equal([]string{"alert.fired"}))
	})

	It("has one Alert whatever happens to the operator: 200 Jobs, and kills of the leader", func(ctx SpecContext) {
		const namespaces, jobs = 5, 40 // at most 60 Alerts a minute fire in a namespace
		names := make([]string, namespaces)
		for i := range names {
			names[i] = createNamespace(ctx)
			consent(ctx, names[i])
			createReceiver(ctx, names[i], "hook", hook.URL, func(r *v1beta1.Receiver) {
				r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
			})
		}
		go func() {
			defer GinkgoRecover()
			runInParallel(namespaces*jobs, func(i int) { createFailedJob(ctx, names[i%namespaces], fmt.Sprintf("job-%d", i)) })
		}()
		for kills := range 4 {
			Eventually(func() int { return len(hook.Messages()) }).Should(BeNumerically(">", 40*kills+20))
			restartWithPageByLabel(ctx)
		}
		Eventually(func() int { return len(hook.Messages()) }).WithTimeout(40 * time.Second).Should(Equal(namespaces * jobs))
		titles := map[string]int{}
		for _, m := range hook.Messages() {
			titles[m.Title]++
		}
		Expect(titles).To(HaveLen(namespaces * jobs))
		for _, name := range names {
			var list v1beta1.AlertList
			Expect(k8s.List(ctx, &list, client.InNamespace(name))).To(Succeed())
			Expect(list.Items).To(HaveLen(jobs))
		}
	})

	It("is one of at most 60 that fire in a minute, and an Alert says how many more there are", func(ctx SpecContext) {
		consent(ctx, namespace)
		runInParallel(63, func(i int) { createDeployment(ctx, namespace, fmt.Sprintf("d%d", i), nil) })
		Eventually(alerts(ctx)).Should(SatisfyAll(HaveLen(61), ContainElement(SatisfyAll(
			HaveField("Name", "page-by-label-more"), HaveField("Spec.Content", HavePrefix("3 more objects"))))))
	})
})
