// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
)

// failures is the namespace of objects that request Alerts by a label.
const failures = "failures"

// noImage is an image that no node has, and no registry.
const noImage = "localhost/bellhop-no-image:none"

// itAlertsAboutFailures fails objects of a namespace that consents, and reads what arrives.
func itAlertsAboutFailures() {
	Describe("alerts about objects with the label", Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			apply(ctx, strings.NewReplacer("NAMESPACE", failures, "OUTSIDE", outside, "CONSENT", v1beta1.PageByLabelLabel, "DEFAULT", v1beta1.DefaultReceiverAnnotation).Replace(`
{apiVersion: v1, kind: Namespace, metadata: {name: NAMESPACE, labels: {CONSENT: enabled}}}
---
apiVersion: pager.k8s.co/v1beta1
kind: Receiver
metadata: {name: inbox, namespace: NAMESPACE, annotations: {DEFAULT: "true"}}
spec: {webhook: {url: "http://inbox.OUTSIDE.svc/"}}
`))
			kubectl(ctx, "wait --namespace "+failures+" --for=condition=Ready --timeout=60s receiver/inbox")
		})

		It("sends the exit code of a Job within 30 seconds", func(ctx SpecContext) {
			createFailingJob(ctx, "exit", "database.invalid")
			Eventually(messagesOf(ctx, "Job", "exit")).WithTimeout(30 * time.Second).Should(ConsistOf(SatisfyAll(
				HaveField("Event", "alert.fired"), HaveField("Severity", "Critical"),
				HaveField("Content", ContainSubstring("ended with exit code 3: Error")))))
		})
		itQuotesLogs()
		It("sends nothing while 20 replicas are rolled out", expectQuietRollout)
		It("sends one Alert about an image that cannot be pulled, and resolves it once the image is right", func(ctx SpecContext) {
			createDeployment(ctx, "image", noImage, 1, 15)
			about := messagesOf(ctx, "Deployment", "image")
			fired := SatisfyAll(HaveField("Event", "alert.fired"), HaveField("Content", SatisfyAll(
				ContainSubstring("ProgressDeadlineExceeded"), MatchRegexp("ErrImagePull|ImagePullBackOff"), ContainSubstring(noImage))))
			Eventually(about).Should(ConsistOf(fired))

			kubectl(ctx, "set image --namespace "+failures+" deployment/image main="+imageOf("demo-inbox"))
			kubectl(ctx, "rollout status --timeout=90s --namespace "+failures+" deployment/image")
			Eventually(about).Should(ConsistOf(fired, HaveField("Event", "alert.resolved")))
		})
		It("sends an Alert about a claim for which no volume is made, and none about one that waits for its first consumer", func(ctx SpecContext) {
			const named = "e2e-claims" // cluster-scoped
			for _, mode := range []string{"WaitForFirstConsumer", "Immediate"} {
				apply(ctx, strings.NewReplacer("NAMED", named, "MODE", mode, "LOWER", strings.ToLower(mode), "NAMESPACE", failures, "LABEL", v1beta1.PageLabel, "AFTER", v1beta1.PageAfterAnnotation).Replace(`
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: NAMED-LOWER}, provisioner: none.invalid, volumeBindingMode: MODE}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: LOWER, namespace: NAMESPACE, labels: {LABEL: "true"}, annotations: {AFTER: "0"}}
spec: {storageClassName: NAMED-LOWER, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`))
				DeferCleanup(func(ctx SpecContext) { kubectl(ctx, "delete storageclass "+named+"-"+strings.ToLower(mode)) })
			}
			Eventually(messagesOf(ctx, "PersistentVolumeClaim", "immediate")).Should(ConsistOf(HaveField("Event", "alert.fired")))
			Expect(messagesOf(ctx, "PersistentVolumeClaim", "waitforfirstconsumer")()).To(BeEmpty())
		})
		It("sends nothing about what fails because its namespace is deleted", func(ctx SpecContext) {
			kubectl(ctx, "delete --timeout=2m namespace/"+failures)
			Expect(messagesOf(ctx, "Deployment", "image")()).To(HaveLen(2))
		})
	})
}

// itQuotesLogs fails Jobs whose log has a text that is nowhere else.
func itQuotesLogs() {
	It("quotes the log of a container only where the ClusterRole bellhop-diagnostics is bound, and without Secrets", func(ctx SpecContext) {
		const canary = "canary-of-the-log.invalid"
		createFailingJob(ctx, "unread", canary)
		Eventually(messagesOf(ctx, "Job", "unread")).Should(HaveLen(1))
		Expect(kubectl(ctx, "logs --namespace "+failures+" job/unread")).To(ContainSubstring(canary))
		for _, public := range []string{
			kubectl(ctx, "get alerts --namespace "+failures+" -o yaml"), kubectl(ctx, "get events --all-namespaces -o yaml"),
			kubectl(ctx, "logs --namespace "+system+" --selector control-plane=controller-manager --tail=-1"),
		} {
			Expect(public).NotTo(ContainSubstring(canary))
		}

		const secret = "host-in-a-secret.invalid" // older than the Pod by seconds: of the same second, it may have changed since
		kubectl(ctx, "create secret generic host --namespace "+failures+" --from-literal=host="+secret)
		kubectl(ctx, "create rolebinding bellhop-diagnostics --namespace "+failures+" --clusterrole=bellhop-diagnostics --serviceaccount="+system+":"+serviceAccount)
		Eventually(func() (string, error) {
			return try(ctx, "", "kubectl", "auth", "can-i", "get", "pods", "--subresource=log", "--namespace="+failures, "--as=system:serviceaccount:"+system+":"+serviceAccount)
		}).Should(ContainSubstring("yes"))
		createFailingJob(ctx, "read", canary)
		Eventually(messagesOf(ctx, "Job", "read")).Should(ConsistOf(HaveField("Content", MatchRegexp(`Log:\nlogin: .*`+canary))))

		createFailingJob(ctx, "secret", "", "{name: DB_host, valueFrom: {secretKeyRef: {name: host, key: host}}}")
		Eventually(messagesOf(ctx, "Job", "secret")).Should(ConsistOf(HaveField("Content", SatisfyAll(
			ContainSubstring("Log:\nlogin: "), Not(ContainSubstring(secret))))))
		Expect(kubectl(ctx, "logs --namespace "+failures+" job/secret")).To(ContainSubstring(secret))
	})
}

// expectQuietRollout creates and restarts a Deployment. The first Alert after that is about another Deployment, which fails later.
func expectQuietRollout(ctx SpecContext) {
	alerts, err := kube.Watch(ctx, &v1beta1.AlertList{}, client.InNamespace(failures))
	Expect(err).NotTo(HaveOccurred())
	defer alerts.Stop()
	createDeployment(ctx, "quiet", imageOf("demo-inbox"), 20, 600)
	rolledOut := "rollout status --timeout=3m --namespace " + failures + " deployment/quiet"
	kubectl(ctx, rolledOut)
	kubectl(ctx, "rollout restart --namespace "+failures+" deployment/quiet")
	kubectl(ctx, rolledOut)
	createDeployment(ctx, "marker", noImage, 1, 5)
	Expect(namesUntil(ctx, alerts, "deployment-marker-")).NotTo(ContainElement(HavePrefix("deployment-quiet-")))
	Expect(messagesOf(ctx, "Deployment", "quiet")()).To(BeEmpty())
	kubectl(ctx, "delete --namespace "+failures+" deployment/quiet deployment/marker")
}

// namesUntil reads a watch until it shows an object whose name has a prefix, and returns the names of all objects that it has shown.
func namesUntil(ctx context.Context, objects watch.Interface, prefix string) (names []string) {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		select {
		case event, ok := <-objects.ResultChan():
			Expect(ok).To(BeTrue(), "the watch has ended")
			o, ok := event.Object.(client.Object)
			Expect(ok).To(BeTrue(), "%v", event.Object)
			names = append(names, o.GetName())
			if strings.HasPrefix(o.GetName(), prefix) {
				return names
			}
		case <-ctx.Done():
			Fail("the watch has shown only " + strings.Join(names, ", "))
		}
	}
}

// createFailingJob creates a Job that cannot log in to a database. Its log has the host. More environment variables are in YAML.
func createFailingJob(ctx context.Context, name, host string, env ...string) {
	GinkgoHelper()
	if host != "" {
		env = append(env, "{name: DB_host, value: "+host+"}")
	}
	apply(ctx, strings.NewReplacer("NAMESPACE", failures, "LABEL", v1beta1.PageLabel, "NAME", name, "IMAGE", imageOf("demo-login"), "ENV", strings.Join(env, ", ")).Replace(`
apiVersion: batch/v1
kind: Job
metadata: {name: NAME, namespace: NAMESPACE, labels: {LABEL: "true"}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: IMAGE, args: [-exit-code=3], env: [ENV]}
`))
}

// createDeployment creates a Deployment that fails if its rollout makes no progress for some seconds, and then requests an Alert at once.
func createDeployment(ctx context.Context, name, image string, replicas, deadline int) {
	GinkgoHelper()
	apply(ctx, strings.NewReplacer("NAMESPACE", failures, "LABEL", v1beta1.PageLabel, "AFTER", v1beta1.PageAfterAnnotation, "NAME", name, "IMAGE", image, "REPLICAS", strconv.Itoa(replicas), "DEADLINE", strconv.Itoa(deadline)).Replace(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: NAMESPACE, labels: {LABEL: "true"}, annotations: {AFTER: "0"}}
spec:
  replicas: REPLICAS
  progressDeadlineSeconds: DEADLINE
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - {name: main, image: IMAGE, imagePullPolicy: IfNotPresent, args: [-unsigned, "-listen=:8080"], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}
`))
}

// messagesOf returns the messages about an object in the namespace.
func messagesOf(ctx context.Context, kind, name string) func() []inbox.Message {
	return func() (about []inbox.Message) {
		GinkgoHelper()
		for _, m := range messagesAbout(ctx, failures) {
			if strings.Contains(m.Title, kind+" "+failures+"/"+name+" is failing") {
				about = append(about, m)
			}
		}
		return about
	}
}
