// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1alpha1"
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// numbered returns n items of a list or a map, in YAML.
func numbered(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(items, ", ")
}

var _ = Describe("The API", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	// dryRun returns what kubectl prints when it applies a manifest as a server-side dry run.
	dryRun := func(ctx context.Context, manifest string) string {
		out, _ := kubectl(ctx, manifest, "apply", "--dry-run=server", "-n", namespace, "-f", "-")
		return out
	}
	alert := func(version, spec string) string {
		return fmt.Sprintf("apiVersion: pager.k8s.co/%s\nkind: Alert\nmetadata: {name: a}\nspec: %s", version, spec)
	}
	receiver := func(spec string) string {
		return "apiVersion: pager.k8s.co/v1beta1\nkind: Receiver\nmetadata: {name: r}\nspec: " + spec
	}
	clusterReceiver := func(spec string) string {
		return "apiVersion: pager.k8s.co/v1beta1\nkind: ClusterReceiver\nmetadata: {name: r}\nspec: " + spec
	}

	DescribeTable("accepts or refuses a manifest with", func(ctx SpecContext, manifest string, want OmegaMatcher) {
		Expect(dryRun(ctx, manifest)).To(want)
		Expect(kubectl(ctx, "", "get", "alerts,receivers", "-n", namespace, "--ignore-not-found", "-o", "name")).To(BeEmpty(), "a dry run stores nothing")
	},
		Entry("an Alert", alert("v1beta1", `{content: x}`), ContainSubstring("created (server dry run)")),
		Entry("an Alert without content", alert("v1beta1", `{title: x}`), ContainSubstring("spec.content: Required value")),
		Entry("an Alert with empty content", alert("v1beta1", `{content: ""}`), ContainSubstring("spec.content")),
		Entry("content of 16 KiB", alert("v1beta1", `{content: "`+strings.Repeat("a", 16384)+`"}`), ContainSubstring("created")),
		Entry("content of more than 16 KiB, counted in bytes", alert("v1beta1", `{content: "`+strings.Repeat("ä", 8193)+`"}`), ContainSubstring("must be at most 16384 bytes (16 KiB) in UTF-8")),
		Entry("content of more than 16 KiB through v1alpha1", alert("v1alpha1", `{message: "`+strings.Repeat("ä", 8193)+`"}`), ContainSubstring("must be at most 16384 bytes (16 KiB) in UTF-8")),
		Entry("an unknown severity", alert("v1beta1", `{content: x, severity: Fatal}`), ContainSubstring(`Unsupported value: "Fatal": supported values: "Info", "Warning", "Critical"`)),
		Entry("the same receiver twice", alert("v1beta1", `{content: x, receiverRefs: [{kind: Receiver, name: a}, {kind: Receiver, name: a}]}`), ContainSubstring("Duplicate value")),
		// F-U12: a receiver without a kind is a Receiver, in both versions.
		Entry("a receiver without a kind", alert("v1beta1", `{content: x, receiverRefs: [{name: a}]}`), SatisfyAll(ContainSubstring(`Receiver "a" does not exist`), ContainSubstring("created"))),
		Entry("a receiver without a kind, in v1alpha1", alert("v1alpha1", `{message: x, receiverRefs: [{name: a}]}`), SatisfyAll(ContainSubstring(`Receiver "a" does not exist`), ContainSubstring("created"))),
		Entry("a receiver twice, once without a kind", alert("v1beta1", `{content: x, receiverRefs: [{name: a}, {kind: Receiver, name: a}]}`), ContainSubstring("Duplicate value")),
		Entry("an expiry of 0 seconds", alert("v1beta1", `{content: x, expireAfterSeconds: 0}`), ContainSubstring("spec.expireAfterSeconds")),
		Entry("a title that is too long", alert("v1beta1", `{content: x, title: "`+strings.Repeat("a", 257)+`"}`), ContainSubstring("spec.title: Too long")),
		Entry("a title that is too long, through v1alpha1", "apiVersion: pager.k8s.co/v1alpha1\nkind: Alert\nmetadata: {name: a, annotations: {pager.k8s.co/title: "+strings.Repeat("a", 257)+"}}\nspec: {message: x}",
			ContainSubstring("metadata.annotations[pager.k8s.co/title]: Too long")),
		Entry("the annotation of v1alpha1 for the title in v1beta1", "apiVersion: pager.k8s.co/v1beta1\nkind: Alert\nmetadata: {name: a, annotations: {pager.k8s.co/title: x}}\nspec: {content: x}",
			ContainSubstring("in v1beta1 set spec.title")),
		Entry("instances and links", alert("v1beta1", `{content: x, joinedTime: "2026-01-01T00:00:00Z", instances: [{key: a, text: pod-1, startsAt: "2026-01-01T00:00:00Z", lapsesAt: "2026-01-01T00:05:00Z"}, {key: b}], links: [{text: Runbook, href: "https://example.com/r?x=1#y"}]}`), ContainSubstring("created")),
		Entry("instances and links, in v1alpha1", alert("v1alpha1", `{message: x, instances: [{key: a, endsAt: "2026-01-01T00:05:00Z"}], links: [{text: Runbook, href: "http://example.com:9090"}]}`), ContainSubstring("created")),
		Entry("an instance twice", alert("v1beta1", `{content: x, instances: [{key: a}, {key: a}]}`), ContainSubstring("Duplicate value")),
		Entry("200 instances", alert("v1beta1", `{content: x, instances: [`+numbered(200, "{key: k%d, text: "+strings.Repeat("a", 256)+"}")+`]}`), ContainSubstring("created")),
		Entry("201 instances", alert("v1beta1", `{content: x, instances: [`+numbered(201, "{key: k%d}")+`]}`), ContainSubstring("spec.instances: Too many: 201: must have at most 200 items")),
		Entry("a text of an instance that is too long, counted in bytes", alert("v1beta1", `{content: x, instances: [{key: a, text: "`+strings.Repeat("ä", 129)+`"}]}`), ContainSubstring("must be at most 256 bytes in UTF-8")),
		Entry("five links", alert("v1beta1", `{content: x, links: [`+strings.TrimSuffix(strings.Repeat(`{text: a, href: "https://example.com"},`, 5), ",")+`]}`), ContainSubstring("spec.links: Too many: 5: must have at most 4 items")),
		Entry("a link with a script", alert("v1beta1", `{content: x, links: [{text: a, href: "javascript:alert(1)"}]}`),
			ContainSubstring("must be an absolute http or https URL such as https://example.com/runbook, and is: javascript:alert(1)")),
		Entry("a link without a host", alert("v1beta1", `{content: x, links: [{text: a, href: "/runbook"}]}`), ContainSubstring("must be an absolute http or https URL")),
		Entry("a generated name", "apiVersion: pager.k8s.co/v1beta1\nkind: Alert\nmetadata: {generateName: a-}\nspec: {content: x}", Or(ContainSubstring("cannot use generate name with apply"), ContainSubstring("created"))),

		Entry("a webhook", receiver(`{webhook: {url: "https://example.com/x"}}`), ContainSubstring("created")),
		Entry("no provider", receiver(`{timeoutSeconds: 5}`), ContainSubstring(" must be set; set are: none")),
		// F-JP5: what is set is named.
		Entry("two providers", receiver(`{webhook: {url: "https://example.com/x"}, pushbullet: {}, secretRef: {name: x}}`), ContainSubstring("must be set; set are: webhook pushbullet")),
		Entry("a provider without its credentials", receiver(`{slack: {}}`), ContainSubstring("slack needs secretRef: a Secret with the key url of the incoming webhook, or token of the bot")),
		Entry("a rate limit of 0", receiver(`{webhook: {url: "https://example.com"}, rateLimit: {count: 0, periodSeconds: 60}}`), ContainSubstring("spec.rateLimit.count")),
		Entry("a rate limit for each namespace of a ClusterReceiver", clusterReceiver(`{webhook: {url: "https://example.com"}, namespaceRateLimit: {count: 1, periodSeconds: 1}}`), ContainSubstring("created")),
		Entry("a rate limit for each namespace of a Receiver", receiver(`{webhook: {url: "https://example.com"}, namespaceRateLimit: {count: 1, periodSeconds: 1}}`), ContainSubstring(`unknown field "spec.namespaceRateLimit"`)),
		Entry("an unknown delivery policy", receiver(`{webhook: {url: "https://example.com"}, deliveryPolicy: ExactlyOnce}`), ContainSubstring(`supported values: "AtLeastOnce", "AtMostOnce"`)),
		Entry("an invalid chat", receiver(`{telegram: {chatID: "t.me/x"}, secretRef: {name: x}}`), ContainSubstring(`spec.telegram.chatID: Invalid value: "t.me/x": must be the number of a chat`)),
		Entry("the alias of a room instead of its id", receiver(`{matrix: {url: "https://example.com", roomID: "#ops:example.com"}, secretRef: {name: x}}`), ContainSubstring(`spec.matrix.roomID: Invalid value: "#ops:example.com": must be the id of a room, such as !abc:example.com`)),
		// F-B8: the words are those of the webhook; what the schema says without one is in its own words.
		Entry("a notifier", receiver(`{grpc: {address: "notifier.shop.svc:8443", serverName: notifier, parameters: {a.b-c_1: ""}}}`), ContainSubstring("created")),
		Entry("the URL of a notifier", receiver(`{grpc: {address: "https://notifier.example.com:443"}}`), ContainSubstring("must be a host and a port, such as notifier.example.com:8443")),
		Entry("17 parameters of a notifier", receiver(`{grpc: {address: "a:1", parameters: {`+numbered(17, "k%d: x")+`}}}`), ContainSubstring("must have at most 16 items")),
		Entry("a parameter with a blank in its name", receiver(`{grpc: {address: "a:1", parameters: {"a b": x}}}`), ContainSubstring("the name of a parameter is of 1 to 63 letters")),
		Entry("the name of a channel", receiver(`{slack: {channel: "#alerts"}, secretRef: {name: x}}`), ContainSubstring(`spec.slack.channel: Invalid value: "#alerts": must be the id of a channel`)),
		Entry("a name in another language", receiver(`{email: {host: smtp.example.com, from: "Jürgen <a@example.com>", to: [b@example.com]}}`), ContainSubstring("created")),
		Entry("two addresses in one", receiver(`{email: {host: smtp.example.com, from: a@example.com, to: ["a@x, b@x"]}}`), ContainSubstring("write each as an item of its own")),
		Entry("ntfy without a topic", receiver(`{ntfy: {}}`), ContainSubstring("ntfy needs ntfy.topic, or secretRef: a Secret with the key topic")),
		Entry("a label that Bellhop sets", receiver(`{alertmanager: {urls: ["https://example.com"], labels: {severity: page}}}`), ContainSubstring("severity and bellhop_incident are set by Bellhop itself")),
		Entry("a credential in a URL", receiver(`{gotify: {url: "https://me:secret@example.com"}, secretRef: {name: x}}`), SatisfyAll(ContainSubstring("must have neither user, query nor fragment"), Not(ContainSubstring("me:secret")))),
		Entry("an invalid URL", receiver(`{webhook: {url: "example.com"}}`), ContainSubstring("must be an absolute http or https URL with a host")),
		Entry("a webhook without a URL", receiver(`{webhook: {}}`), ContainSubstring("webhook needs webhook.url, or secretRef")),
		Entry("Pushbullet without a token", receiver(`{pushbullet: {}}`), ContainSubstring("pushbullet needs secretRef")),
		Entry("two targets at Pushbullet", receiver(`{pushbullet: {email: a@example.com, channelTag: x}, secretRef: {name: x}}`), ContainSubstring("at most one of the fields in [deviceIden email channelTag]")),
		Entry("a header that Bellhop sets", receiver(`{webhook: {url: "https://example.com", headers: [{name: Webhook-Id, value: x}]}}`), ContainSubstring("cannot be set: it is bellhop's own")),
		Entry("another header that Bellhop sets", receiver(`{webhook: {url: "https://example.com", headers: [{name: accept-encoding, value: x}]}}`), ContainSubstring("cannot be set: it is bellhop's own")),
		Entry("a credential in a plain header", receiver(`{webhook: {url: "https://example.com", headers: [{name: Authorization, value: x}]}}`), ContainSubstring("belongs into the Secret")),
		Entry("a header with two values", receiver(`{webhook: {url: "https://example.com", headers: [{name: X, value: x, secretKey: x}]}, secretRef: {name: x}}`), ContainSubstring("exactly one of the fields in [value secretKey]")),
		Entry("a header that contains another header", receiver(`{webhook: {url: "https://example.com", headers: [{name: X, value: "a\r\nb"}]}}`), ContainSubstring("spec.webhook.headers[0]")),
		Entry("a secret header without a Secret", receiver(`{webhook: {url: "https://example.com", headers: [{name: X, secretKey: x}]}}`), ContainSubstring("webhook.headers with a secretKey need secretRef")),
		Entry("F-B26 a header that the connection sets", receiver(`{alertmanager: {urls: ["https://example.com"], headers: [{name: transfer-Encoding, value: x}]}}`), SatisfyAll(ContainSubstring("spec.alertmanager.headers[0].name"), ContainSubstring("Bellhop or the connection sets transfer-Encoding"))),
		Entry("a header for the content", receiver(`{ntfy: {topic: x, headers: [{name: Content-Language, value: x}]}}`), ContainSubstring("Bellhop or the connection sets Content-Language")),
		Entry("a credential as a header", receiver(`{gotify: {url: "https://example.com", headers: [{name: Authorization, secretKey: x}]}, secretRef: {name: x}}`), ContainSubstring("use another name, and keys of the Secret")),
		Entry("a name that is none of a header", receiver(`{matrix: {url: "https://example.com", roomID: "!a:example.com", headers: [{name: "X Y", value: x}]}, secretRef: {name: x}}`), ContainSubstring("spec.matrix.headers[0].name")),
		Entry("a value of two lines", receiver(`{mattermost: {headers: [{name: X, value: "a\r\nb"}]}, secretRef: {name: x}}`), ContainSubstring("spec.mattermost.headers[0].value")),
		Entry("a header that is set twice", receiver(`{alertmanager: {urls: ["https://example.com"], headers: [{name: X, value: x}, {name: x, value: x}]}}`), ContainSubstring("each header is set once")),
		Entry("a secret header of Alertmanager without a Secret", receiver(`{alertmanager: {urls: ["https://example.com"], headers: [{name: X, secretKey: x}]}}`), ContainSubstring("alertmanager.headers with a secretKey need secretRef")),
		Entry("a secret header of ntfy without a Secret", receiver(`{ntfy: {topic: x, headers: [{name: X, secretKey: x}]}}`), ContainSubstring("ntfy.headers with a secretKey need secretRef")),
		Entry("a timeout that is too long", receiver(`{webhook: {url: "https://example.com"}, timeoutSeconds: 3600}`), ContainSubstring("spec.timeoutSeconds")),
		Entry("an invalid selector", clusterReceiver(`{webhook: {url: "https://example.com"}, namespaceSelector: {matchExpressions: [{key: x, operator: In}]}}`), ContainSubstring("spec.namespaceSelector.matchExpressions[0].values: Required value")),
		Entry("a loopback address among others", receiver(`{alertmanager: {urls: ["https://example.com", "http://[::1]/"]}}`), ContainSubstring("spec.alertmanager.urls[1]: Invalid value")),
		Entry("a loopback address of a mail server", receiver(`{email: {host: "[::1]:25", from: a@example.com, to: [b@example.com]}}`), ContainSubstring("spec.email.host: Invalid value")),
		Entry("a loopback address of a webhook", receiver(`{webhook: {url: "http://[::1]/"}}`), ContainSubstring("spec.webhook.url: Invalid value")),
	)

	DescribeTable("warns about a valid manifest with", func(ctx SpecContext, manifest, want string) {
		env.WaitForAdmission(ctx, manifest)
		Expect(dryRun(ctx, manifest)).To(SatisfyAll(MatchRegexp("Warning: .*"+want), ContainSubstring("created")))
	},
		Entry("a receiver that does not exist", alert("v1beta1", `{content: x, receiverRefs: [{kind: Receiver, name: nobody}]}`), `receiverRefs\[0\].*Receiver "nobody" does not exist`),
		Entry("no default receiver", alert("v1alpha1", `{message: x}`), "there is no default receiver"),
		Entry("a Secret that does not exist", receiver(`{webhook: {url: "https://example.com"}, secretRef: {name: nothing}}`), `Secret "nothing" does not exist`),
		Entry("a ClusterReceiver that no namespace may use", clusterReceiver(`{webhook: {url: "https://example.com"}}`), "no namespace may use this receiver"),
		Entry("plain http", receiver(`{webhook: {url: "http://example.com"}}`), "spec.webhook.url: the connection is not encrypted"),
		Entry("mail without encryption", receiver(`{email: {host: mail.example.com, tls: None, from: a@example.com, to: [b@example.com]}}`), "spec.email.host: the connection is not encrypted"),
		Entry("mail without encryption, with a Secret", receiver(`{email: {host: mail.example.com, tls: None, from: a@example.com, to: [b@example.com]}, secretRef: {name: x}}`), "spec.email.tls: with None no username and password"),
		// F-B27: this table uses kubectl apply, as Argo CD does.
		Entry("a receiver without a kind", alert("v1beta1", `{content: x, receiverRefs: [{name: a}]}`), `receiverRefs\[0\]: write kind: Receiver`),
		Entry("a receiver without a kind, in v1alpha1", alert("v1alpha1", `{message: x, receiverRefs: [{name: a}]}`), `receiverRefs\[0\]: write kind: Receiver`),
		Entry("a time to live that Argo CD would revert", "apiVersion: pager.k8s.co/v1beta1\nkind: Alert\nmetadata: {name: a, annotations: {argocd.argoproj.io/tracking-id: x}}\nspec: {content: x, ttlSecondsAfterFinished: 5}", "Argo CD tracks this Alert"),
	)

	It("warns when expireAfterSeconds is edited, and when a receiver with pending deliveries is deleted", func(ctx SpecContext) {
		hook := startFakeReceiver()
		hook.Respond(respondWith(http.StatusServiceUnavailable, "Retry-After", "600"))
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", Not(BeEmpty())))
		Expect(kubectl(ctx, "", "patch", "alert", "a", "-n", namespace, "--type=merge", "-p", `{"spec":{"expireAfterSeconds":600}}`)).
			To(ContainSubstring("counts from when the Alert began to fire"))
		Eventually(func() (string, error) {
			return kubectl(ctx, "", "delete", "receiver", "hook", "-n", namespace, "--dry-run=server")
		}).Should(MatchRegexp(`Warning: Alerts that are not delivered to Receiver "hook" yet.*: 1`))
	})

	It("accepts a generated name", func(ctx SpecContext) {
		a := &v1alpha1.Alert{ObjectMeta: metav1.ObjectMeta{GenerateName: "a-", Namespace: namespace}, Spec: v1alpha1.AlertSpec{Message: "x"}}
		Expect(k8s.Create(ctx, a)).To(Succeed())
		Expect(a.Finalizers).To(ConsistOf(v1beta1.AlertFinalizer))
		Expect(a.Annotations).NotTo(HaveKey(v1alpha1.TitleAnnotation))
	})

	It("describes every field in kubectl explain, in both versions", func(ctx SpecContext) {
		for _, version := range []string{"v1alpha1", "v1beta1"} {
			out, err := kubectl(ctx, "", "explain", "alerts.spec", "--recursive=false", "--api-version=pager.k8s.co/"+version)
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(ContainSubstring("in seconds from when the Alert began to fire"))
			Expect(out).NotTo(ContainSubstring("<no description>"))
		}
		for _, path := range []string{"alerts.status.deliveries", "receivers.spec", "receivers.spec.webhook.headers", "clusterreceivers.spec"} {
			out, err := kubectl(ctx, "", "explain", path, "--api-version=pager.k8s.co/v1beta1")
			Expect(err).NotTo(HaveOccurred())
			Expect(out).NotTo(ContainSubstring("<no description>"), path)
		}
	})

	It("supports get, edit, patch and server-side apply in both versions, and keeps the deliveries in the status", func(ctx SpecContext) {
		hook := startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.Title = "Old title" }, "hook")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		deliveries := a.Status.Deliveries
		old := "alerts.v1alpha1.pager.k8s.co"
		Expect(kubectl(ctx, "", "get", old, "a", "-n", namespace, "-o", "jsonpath={.spec.message}|{.metadata.annotations.pager\\.k8s\\.co/title}|{.status.deliveries[0].state}")).
			To(Equal(a.Spec.Content + "|Old title|Sent"))

		By("labelling, patching and editing through v1alpha1")
		Expect(kubectl(ctx, "", "label", old, "a", "-n", namespace, "team=storage")).To(ContainSubstring("labeled"))
		Expect(kubectl(ctx, "", "patch", old, "a", "-n", namespace, "--type=merge", "-p", `{"spec":{"ttlSecondsAfterFinished":3600}}`)).To(ContainSubstring("patched"))
		editor := filepath.Join(GinkgoT().TempDir(), "editor")
		Expect(os.WriteFile(editor, []byte("#!/bin/sh\nsed -i.bak 's/ttlSecondsAfterFinished: 3600/ttlSecondsAfterFinished: 7200/' \"$1\"\n"), 0o755)).To(Succeed())
		cmd := cluster.Kubectl(ctx, "edit", old, "a", "-n", namespace)
		cmd.Env = append(cmd.Env, "KUBE_EDITOR="+editor)
		out, err := cmd.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
		Expect(string(out)).To(ContainSubstring("edited"))
		update(ctx, &v1alpha1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "a"}}, func(a *v1alpha1.Alert) {
			a.Annotations[v1alpha1.TitleAnnotation] = "Old title"
			a.Labels["edited"] = "yes"
		})
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(*a.Spec.TTLSecondsAfterFinished).To(BeEquivalentTo(7200))
		Expect(a.Labels).To(HaveKeyWithValue("edited", "yes"))
		Expect(a.Spec.Title).To(Equal("Old title"))
		Expect(a.Status.Deliveries).To(Equal(deliveries))

		By("writing the unchanged status through v1alpha1")
		spoke := &v1alpha1.Alert{}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), spoke)).To(Succeed())
		Expect(k8s.Status().Update(ctx, spoke)).To(Succeed())
		Expect(alertStatus(ctx, a)()).To(HaveField("Deliveries", Equal(deliveries)))

		By("changing the title, which is part of the content, through v1alpha1")
		Expect(kubectl(ctx, "", "annotate", old, "a", "-n", namespace, "--overwrite", "pager.k8s.co/title=New title")).To(ContainSubstring("annotated"))
		Eventually(hook.eventTypes(a)).Should(Equal([]string{"fired", "updated"}))
		Expect(hook.messagesAbout(a)[1].Title).To(Equal("New title"))

		By("using server-side apply in both versions")
		Expect(kubectl(ctx, "apiVersion: pager.k8s.co/v1alpha1\nkind: Alert\nmetadata: {name: b, annotations: {pager.k8s.co/title: t}}\nspec: {message: one, receiverRefs: [{kind: Receiver, name: hook}]}",
			"apply", "--server-side", "-n", namespace, "-f", "-")).To(ContainSubstring("serverside-applied"))
		Expect(kubectl(ctx, "apiVersion: pager.k8s.co/v1beta1\nkind: Alert\nmetadata: {name: b}\nspec: {title: t, content: two, receiverRefs: [{kind: Receiver, name: hook}]}",
			"apply", "--server-side", "-n", namespace, "-f", "-")).To(ContainSubstring("serverside-applied"))
		b := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "b"}}
		Eventually(alertStatus(ctx, b)).Should(beSent(b))
		Expect(b.Spec.Content).To(Equal("two"))
		Expect(b.Spec.Title).To(Equal("t"))
	})

	It("accepts Alerts and edits of metadata while the operator is down", serial, func(ctx SpecContext) {
		hook := startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL)
		before := createAlert(ctx, namespace, "before", nil, "hook")
		Expect(kubectl(ctx, "apiVersion: pager.k8s.co/v1alpha1\nkind: Alert\nmetadata: {name: older}\nspec: {message: x, receiverRefs: [{kind: Receiver, name: hook}]}",
			"apply", "-n", namespace, "-f", "-")).To(ContainSubstring("created"))
		older := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "older"}}
		Eventually(alertStatus(ctx, older)).Should(beSent(older))
		Eventually(alertStatus(ctx, before)).Should(beSent(before))
		operator.Kill()
		DeferCleanup(func(ctx SpecContext) { startOperator(context.WithoutCancel(ctx)) })

		Expect(k8s.Patch(ctx, older, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"x":"y"}}}`)))).To(Succeed(),
			"also where a manager of v1alpha1 is on record")
		during := createAlert(ctx, namespace, "during", nil, "hook")
		Expect(during.Finalizers).To(BeEmpty())
		Expect(k8s.Patch(ctx, before, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"x":"y"}}}`)))).To(Succeed())
		r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hook"}}
		Expect(k8s.Patch(ctx, r, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"x":"y"}}}`)))).To(Succeed())
		Expect(k8s.Patch(ctx, before, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
		Expect(k8s.Delete(ctx, r)).To(Succeed(), "webhooks never block a deletion")

		titled := createAlert(ctx, namespace, "titled", func(a *v1beta1.Alert) {
			a.Annotations = map[string]string{v1beta1.TitleAnnotation: "means nothing here"}
		}, "hook")

		startOperator(context.WithoutCancel(ctx))
		createReceiver(ctx, namespace, "hook", hook.URL)
		Eventually(alertStatus(ctx, during)).Should(beSent(during))
		Eventually(alertStatus(ctx, titled)).Should(beSent(titled), "an object that admission would have refused does not block its Alert")
		Expect(hook.messagesAbout(titled)[0].Title).To(Equal("Kubernetes alert for " + namespace + "/titled"))
		Expect(k8s.Delete(ctx, titled)).To(Succeed())
		Eventually(checkGone(ctx, titled)).Should(Succeed())
		Expect(during.Finalizers).To(ConsistOf(v1beta1.AlertFinalizer))
		operator.Kill() // the cleanup starts the operator for the next specs
	})

	It("lets no user make the operator send a Secret that the user may not read", func(ctx SpecContext) {
		Expect(k8s.Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "receivers"},
			Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{"pager.k8s.co"}, Resources: []string{"receivers"}, Verbs: []string{"*"}},
				{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"mine"}, Verbs: []string{"get"}},
			}})).To(Succeed())
		Expect(k8s.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "receivers"},
			RoleRef:  rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: "receivers"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "eve"}}})).To(Succeed())
		config := rest.CopyConfig(cluster.Config)
		config.Impersonate.UserName = "eve"
		eve, err := client.New(config, client.Options{Scheme: k8s.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "r"}}
		r.Spec.Webhook = &v1beta1.WebhookProvider{URL: "https://eve.example.com"}
		r.Spec.SecretRef = &v1beta1.SecretReference{Name: "theirs"}
		create := func() error { return eve.Create(ctx, r.DeepCopy()) }
		Eventually(create).Should(MatchError(SatisfyAll(ContainSubstring("spec.secretRef.name: Forbidden"), ContainSubstring(`"eve" may not get Secret "theirs"`))))
		r.Spec.SecretRef.Name = "mine"
		Expect(eve.Create(ctx, r)).To(Succeed())
		// The operator may write to the Receiver at the same time.
		change := func(r *v1beta1.Receiver, edit func(*v1beta1.Receiver)) func() error {
			return func() error {
				if err := k8s.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
					return err
				}
				edit(r)
				return eve.Update(ctx, r)
			}
		}
		Eventually(change(r, func(r *v1beta1.Receiver) { r.Spec.SecretRef.Name = "theirs" })).Should(MatchError(ContainSubstring("may not get Secret")))

		By("changing the address of a Receiver with another user's Secret")
		other := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "other"}}
		other.Spec.Webhook = &v1beta1.WebhookProvider{URL: "https://example.com"}
		other.Spec.SecretRef = &v1beta1.SecretReference{Name: "theirs"}
		Expect(k8s.Create(ctx, other)).To(Succeed())
		Eventually(change(other, func(r *v1beta1.Receiver) { r.Spec.Webhook.URL = "https://eve.example.com" })).
			Should(MatchError(ContainSubstring("may not get Secret")))
	})

	It("serves metrics to authorized clients, and health to all clients", func(ctx SpecContext) {
		hook := startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))

		_, err := scrape(ctx, "")
		Expect(err).To(MatchError("401 Unauthorized"))
		_, err = scrape(ctx, createToken(ctx, namespace, "nobody"))
		Expect(err).To(MatchError("403 Forbidden"))
		token := createMetricsToken(ctx, namespace)
		Eventually(func() (string, error) { return scrape(ctx, token) }).Should(SatisfyAll(
			MatchRegexp(`bellhop_alert_attempts_total{event="Fired",outcome="Confirmed",provider="webhook"} [1-9]`),
			MatchRegexp(`bellhop_alert_deliveries_total{provider="webhook",state="Sent"} [1-9]`),
			ContainSubstring(`bellhop_alert_delivery_duration_seconds_bucket{provider="webhook",le="1"}`),
			MatchRegexp(`(?m)^bellhop_alerts_waiting \d`),
			MatchRegexp(`(?m)^bellhop_alert_oldest_waiting_seconds\{severity="Critical"\} \d`),
			MatchRegexp(`(?m)^bellhop_build_info\{commit="[^"]*",goversion="go[^"]+",version="[^"]+"\} 1`),
		))
		for _, path := range []string{"/healthz", "/readyz"} {
			resp, err := http.Get(operator.HealthURL + path)
			Expect(err).NotTo(HaveOccurred())
			resp.Body.Close()
			Expect(resp.StatusCode).To(Equal(http.StatusOK))
		}
	})

	It("lets an Alert be deleted once an admission policy that refuses its update is gone", func(ctx SpecContext) {
		hook := startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		policy := fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
    resourceRules: [{apiGroups: [pager.k8s.co], apiVersions: ["*"], operations: [UPDATE], resources: [alerts]}]
  validations: [{expression: "has(object.metadata.labels) && 'team' in object.metadata.labels"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec: {policyName: %[1]s, validationActions: [Deny]}`, namespace)
		Expect(kubectl(ctx, policy, "apply", "-f", "-")).To(ContainSubstring("created"))
		Eventually(func() error {
			_, err := kubectl(ctx, "", "label", "alert", "a", "-n", namespace, "--overwrite", "x=y", "--dry-run=server")
			return err
		}).Should(HaveOccurred())
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		Eventually(logs.Lines).WithArguments("failed expression", namespace).ShouldNot(BeEmpty(), "the operator logs the refusal as an error, not as a conflict")
		Expect(kubectl(ctx, policy, "delete", "-f", "-")).To(ContainSubstring("deleted"))
		Eventually(checkGone(ctx, a)).WithTimeout(time.Minute).Should(Succeed())
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "resolved"}))
	})

	It("creates an event for each transition", func(ctx SpecContext) {
		hook := startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		Eventually(func() (string, error) {
			return kubectl(ctx, "", "get", "events", "-n", namespace, "-o", "custom-columns=R:.reason,M:.message", "--no-headers")
		}).Should(SatisfyAll(
			MatchRegexp(`Sent\s+Sent to Receiver/hook`), MatchRegexp(`Resolved\s+Resolve sent to Receiver/hook`)))
	})
})
