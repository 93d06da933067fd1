// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
)

// createSuspended creates a Receiver that takes nothing.
func createSuspended(ctx context.Context, namespace, name string) *pagerv1beta1.Receiver {
	GinkgoHelper()
	r := &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	r.Spec.Webhook = &pagerv1beta1.WebhookProvider{URL: "http://127.0.0.1:9"}
	r.Spec.Suspend = true
	Expect(env.Client.Create(ctx, r)).To(Succeed())
	return r
}

// createOthers creates so many Receivers that only similar names are suggested, and not ClusterReceivers of other specs.
func createOthers(ctx context.Context, namespace string) {
	GinkgoHelper()
	for _, name := range []string{"billing", "holidays", "weekends"} {
		createSuspended(ctx, namespace, name)
	}
}

// createClusterInbox creates a ClusterReceiver for an inbox, with the name oncall-NAMESPACE, as such objects are shared by all specs.
func createClusterInbox(ctx context.Context, namespace string) (in *inbox.Inbox, name string) {
	GinkgoHelper()
	in = inbox.New(inbox.Options{})
	server := httptest.NewServer(in.Handler())
	DeferCleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	r := &pagerv1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{Name: "oncall-" + namespace}}
	r.Spec.Webhook = &pagerv1beta1.WebhookProvider{URL: server.URL}
	r.Spec.NamespaceSelector = &metav1.LabelSelector{}
	Expect(env.Client.Create(ctx, r)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(env.Client.Delete(ctx, r)).To(Succeed()) })
	return in, r.Name
}

// allow lets a user do something in a namespace with some kinds of the group pager.k8s.co.
func allow(ctx context.Context, namespace, user string, verbs []string, resources ...string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: user}
	rule := rbacv1.PolicyRule{APIGroups: []string{pagerv1beta1.GroupVersion.Group}, Resources: resources, Verbs: verbs}
	Expect(env.Client.Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule}})).To(Succeed())
	Expect(env.Client.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
}

// events are the events of an inbox's messages, in the order of arrival.
func events(in *inbox.Inbox) func() []string {
	return func() []string {
		var events []string
		for _, message := range in.Messages() {
			events = append(events, message.Event)
		}
		return events
	}
}

// start starts the plugin in the background.
func (t *transcript) start(args ...string) *gexec.Session {
	GinkgoHelper()
	cmd := exec.Command(filepath.Join(pluginDir, "kubectl-bellhop"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+t.kubeconfig)
	session, err := gexec.Start(cmd, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait() })
	return session
}

// write writes a file into the folder that commands run in.
func (t *transcript) write(name, text string) {
	GinkgoHelper()
	Expect(os.WriteFile(filepath.Join(filepath.Dir(t.kubeconfig), name), []byte(text), 0o600)).To(Succeed())
}

const alertManifest = `apiVersion: pager.k8s.co/v1beta1
kind: Alert
metadata:
  name: from-a-file
  labels: {app: orders}
spec:
  title: Orders
  content: Orders are late
  severity: Warning
  receiverRefs: [{kind: Receiver, name: team}]
`

var _ = Describe("page", func() {
	var t *transcript
	BeforeEach(func(ctx SpecContext) { t = newTranscript(ctx) })

	It("pages and waits", func(ctx SpecContext) {
		in := startInbox(ctx, t.namespace, "team")
		other, oncall := createClusterInbox(ctx, t.namespace)
		t.write("alert.yaml", alertManifest)

		t.run(ctx, 0, `kubectl bellhop page "The database is down" --name=database --to=team,`+oncall+` --severity=critical --title=Database --wait`)
		t.run(ctx, 0, `echo "Disk is full" | kubectl bellhop page - --name=disk --to=receiver/team --labels=app=orders --expire-after=1h --ttl=24h --wait`)
		t.run(ctx, 0, `kubectl bellhop page "Orders are very late" -f alert.yaml --severity=Critical`)
		t.run(ctx, 0, `kubectl bellhop page "Wait and print" --name=printed --to=team --wait -o jsonpath='{.status.deliveries[0].state}{"\n"}'`)
		t.run(ctx, 0, `kubectl bellhop page "No answer is waited for" --to=team | sed 's/page-.* /page-XXXXX /'`)
		t.run(ctx, 0, `kubectl bellhop page "There is no receiver" --name=none`)
		t.matchGolden("page")

		Eventually(in.Messages).Should(ContainElement(SatisfyAll(HaveField("Name", "from-a-file"), HaveField("Content", "Orders are very late"),
			HaveField("Severity", "Critical"), HaveField("Title", ContainSubstring("Orders")))))
		Expect(other.Messages()).To(ConsistOf(HaveField("Content", "The database is down")))
		disk := t.run(ctx, 0, "kubectl get alerts.pager.k8s.co disk -o jsonpath='{.metadata.labels.app} {.spec.content} {.spec.expireAfterSeconds} {.spec.ttlSecondsAfterFinished}'")
		Expect(disk).To(Equal("orders Disk is full 3600 86400"))
	})

	It("pages the default receiver", func(ctx SpecContext) {
		in := startInbox(ctx, t.namespace, "team")
		t.run(ctx, 0, "kubectl annotate receivers.pager.k8s.co team pager.k8s.co/is-default-receiver=true")
		t.run(ctx, 0, `kubectl bellhop page "Somebody should look" --name=default --wait`)
		t.matchGolden("page_default")
		Expect(events(in)()).To(Equal([]string{"alert.fired"}))
	})

	It("prints manifests and creates nothing", func(ctx SpecContext) {
		startInbox(ctx, t.namespace, "team")
		t.write("alert.yaml", alertManifest)
		const command = `kubectl bellhop page "The database is down" --name=database --to=team --severity=Critical --labels=app=orders --expire-after=1h`
		for _, flags := range []string{"", " -o yaml", " -o json", " -o name", " -o jsonpath='{.spec.content}'", " -o go-template='{{.metadata.name}}'"} {
			t.run(ctx, 0, command+" --dry-run=client"+flags)
		}
		t.run(ctx, 0, `kubectl bellhop page -f alert.yaml --to=clusterreceiver/later --title="Orders are late" --wait --dry-run=client -o yaml`)
		t.run(ctx, 0, command+" --dry-run=server -o yaml")
		t.run(ctx, 0, `kubectl bellhop page "The database is down" --to=team --dry-run=client -o yaml | kubectl apply --dry-run=server -f - | sed 's/page-.* created/page-XXXXX created/'`)
		t.run(ctx, 0, "kubectl bellhop alerts")
		t.matchGolden("page_dry_run")
	})

	It("says why receivers did not take it", func(ctx SpecContext) {
		in := startInbox(ctx, t.namespace, "team")
		in.Respond(inbox.Answer(http.StatusServiceUnavailable, http.Header{"Retry-After": {"600"}}))
		slow := startInbox(ctx, t.namespace, "slow")
		slow.Respond(inbox.Hang)
		createSuspended(ctx, t.namespace, "holidays")
		fine := startInbox(ctx, t.namespace, "fine")

		t.run(ctx, 3, `kubectl bellhop page "Nobody is there" --name=holidays --to=holidays,fine --wait`)
		t.run(ctx, 4, `kubectl bellhop page "It fails" --name=fails --to=team --wait --timeout=5s`)
		t.run(ctx, 4, `kubectl bellhop page "It hangs" --name=hangs --to=slow --wait --timeout=2s`)
		t.run(ctx, 3, `kubectl bellhop page "Print it" --name=printed --to=holidays --wait -o jsonpath='{.status.deliveries[0].reason}{"\n"}'`)
		t.matchGolden("page_stalled")
		Expect(events(fine)()).To(Equal([]string{"alert.fired"}))
	})

	It("shows deliveries live on a terminal, once", func(ctx SpecContext) {
		in := startInbox(ctx, t.namespace, "team")
		in.Respond(func(*http.Request) (int, http.Header, string) {
			in.Respond(nil)
			return http.StatusServiceUnavailable, nil, ""
		})
		t.run(ctx, 0, `script -qec 'kubectl bellhop page "The database is down" --name=database --to=team --wait' /dev/null | tr -d '\r'`)
		t.matchGolden("page_terminal")
	})

	It("explains what is wrong with the command line", func(ctx SpecContext) {
		startInbox(ctx, t.namespace, "team")
		createOthers(ctx, t.namespace)
		t.write("alert.yaml", alertManifest)
		t.write("two.yaml", alertManifest+"---\n"+alertManifest)
		t.write("secret.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: x}}")
		for _, args := range []string{
			"", "database is down", `""`, "- </dev/null", "- -f - </dev/null", "text --severity=high", "text --to=secret/team", "text --to=receiver/",
			"text --expire-after=1ms", "text --ttl=-1s", "text --dry-run=maybe", "text -o xml", "text --colour", "-f two.yaml", "-f secret.yaml",
		} {
			t.run(ctx, 2, "kubectl bellhop page "+args)
		}
		for _, args := range []string{"text --to=taem", "text --name=Wrong_Name --to=team", "-f missing.yaml"} {
			t.run(ctx, 1, "kubectl bellhop page "+args)
		}
		t.matchGolden("page_wrong")
	})

	It("explains what a user may not do", func(ctx SpecContext) {
		startInbox(ctx, t.namespace, "team")
		allow(ctx, t.namespace, "joe", []string{"create"}, "alerts")
		t.run(ctx, 1, `kubectl bellhop page "The database is down" --as=jane`)
		t.run(ctx, 1, `kubectl bellhop page "The database is down" --to=team --as=jane`)
		t.run(ctx, 1, `kubectl bellhop page "The database is down" --name=joes --to=team --as=joe`)
		t.run(ctx, 1, `kubectl bellhop page "The database is down" --name=joes-second --to=receiver/team --wait --as=joe`)
		allow(ctx, t.namespace, "ann", []string{"create", "get"}, "alerts", "receivers")
		t.run(ctx, 0, `kubectl bellhop page "The database is down" --name=anns --to=team --as=ann`)
		t.matchGolden("page_forbidden")
	})

	It("completes receivers and severities", func(ctx SpecContext) {
		startInbox(ctx, t.namespace, "team")
		startInbox(ctx, t.namespace, "test")
		for _, args := range []string{"--to te", "--to team,te", "--severity ''", "--name ''", "''"} {
			t.run(ctx, 0, "kubectl-bellhop __complete page "+args+" 2>/dev/null")
		}
		t.matchGolden("page_complete")
	})
})

var _ = Describe("alerts", func() {
	var t *transcript
	BeforeEach(func(ctx SpecContext) {
		t = newTranscript(ctx)
		startInbox(ctx, t.namespace, "team")
		createSuspended(ctx, t.namespace, "holidays")
	})

	It("lists in all formats", func(ctx SpecContext) {
		all := " --labels=spec=" + t.namespace
		t.try(ctx, `kubectl bellhop page "The database is down" --name=database --title=Database --severity=Critical --to=team --wait`+all)
		t.try(ctx, `kubectl bellhop page "Holidays" --name=holidays --to=holidays --wait`+all)
		t.try(ctx, `kubectl bellhop page "It was nothing" --name=nothing --to=team --wait --labels=app=orders,spec=`+t.namespace)
		t.try(ctx, "kubectl bellhop resolve nothing --wait")

		for _, args := range []string{
			"", " -o wide", " --no-headers", " -o name", " -l app=orders", " --unsent", " --state=resolved", " --state=Firing", " holidays database",
			" -A -l spec=" + t.namespace, " -A -o wide --unsent -l spec=" + t.namespace, " database -o yaml", " nothing -o json", " -o jsonpath='{.items[*].metadata.name}'", " -l app=orders -o jsonpath='{.items[*].metadata.name}'",
			" -o go-template='{{range .items}}{{.spec.state}} {{end}}'", " -l app=none", " -l app=none -o name", " -l app=none -o json",
		} {
			t.run(ctx, 0, "kubectl bellhop alerts"+args)
		}
		t.matchGolden("alerts")
	})

	It("watches", func(ctx SpecContext) {
		table := t.start("alerts", "--watch")
		names := t.start("alerts", "-w", "-o", "name")
		unsent := t.start("alerts", "-w", "-o", "jsonpath={.metadata.name} {.status.sent}{'\\n'}", "--unsent")
		out, code := t.try(ctx, `kubectl bellhop page "Watch this" --name=watched --to=team --wait`)
		Expect(code).To(BeZero(), out)
		Eventually(table.Out).Should(gbytes.Say(`NAME +SEVERITY +STATE +SENT +RECEIVERS +REASON +AGE\nwatched +Info +Firing +false +<none> +<none> +\S+\n`))
		Eventually(table.Out).Should(gbytes.Say(`watched +Info +Firing +true +1/1 +Sent +\S+\n`))
		Eventually(names.Out).Should(gbytes.Say("alert.pager.k8s.co/watched\nalert.pager.k8s.co/watched\n"))
		Eventually(unsent.Out).Should(gbytes.Say("watched false\nwatched true\n"))
		t.try(ctx, "kubectl bellhop resolve watched --wait")
		Eventually(table.Out).Should(gbytes.Say(`watched +Info +Resolved +true +1/1 +Resolved +\S+\n`))
		Expect(strings.Count(string(table.Out.Contents()), "NAME")).To(Equal(1))
		Expect(string(unsent.Out.Contents())).NotTo(ContainSubstring("true\nwatched"))
		Eventually(table.Interrupt()).Should(gexec.Exit(130))
	})

	It("explains what is wrong, and completes", func(ctx SpecContext) {
		t.try(ctx, `kubectl bellhop page "The database is down" --name=database --to=team`)
		for _, args := range []string{"database -l app=orders", "database -A", "--unsent --state=Resolved", "--state=over", "-o xml"} {
			t.run(ctx, 2, "kubectl bellhop alerts "+args)
		}
		t.run(ctx, 1, "kubectl bellhop alerts databse")
		t.run(ctx, 1, "kubectl bellhop alerts databse -w")
		t.run(ctx, 1, "kubectl bellhop alerts --as=jane")
		t.run(ctx, 1, "kubectl bellhop alerts -A --as=jane")
		t.run(ctx, 0, "kubectl-bellhop __complete alerts da 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete alerts --state '' 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete alerts -o '' 2>/dev/null")
		t.matchGolden("alerts_wrong")
	})
})

var _ = Describe("resolve", func() {
	var t *transcript
	BeforeEach(func(ctx SpecContext) { t = newTranscript(ctx) })

	It("resolves Alerts by name, label and manifest", func(ctx SpecContext) {
		in := startInbox(ctx, t.namespace, "team")
		t.write("alert.yaml", alertManifest)
		for _, name := range []string{"database", "orders", "payments"} {
			t.try(ctx, "kubectl bellhop page text --to=team --wait --labels=app="+name+" --name="+name)
		}
		t.try(ctx, "kubectl bellhop page -f alert.yaml --wait")

		t.run(ctx, 0, "kubectl bellhop resolve database --dry-run=client -o yaml")
		t.run(ctx, 0, "kubectl bellhop resolve database --dry-run=server")
		t.run(ctx, 0, "kubectl-bellhop __complete resolve '' 2>/dev/null")
		t.run(ctx, 0, "kubectl bellhop resolve database --wait")
		t.run(ctx, 0, "kubectl bellhop resolve database")
		t.run(ctx, 0, "kubectl bellhop resolve -l 'app in (orders,payments)' --wait | LC_ALL=C sort")
		t.run(ctx, 0, "kubectl bellhop resolve -f alert.yaml -o name --wait")
		t.run(ctx, 0, "kubectl bellhop alerts")
		t.run(ctx, 0, "kubectl-bellhop __complete resolve '' 2>/dev/null")
		t.matchGolden("resolve")
		Expect(in.Messages()).To(HaveLen(8), "4 Alerts, fired and resolved")
	})

	It("says why receivers are not told", func(ctx SpecContext) {
		in := startInbox(ctx, t.namespace, "team")
		t.try(ctx, "kubectl bellhop page text --to=team --wait --name=database")
		in.Respond(inbox.Answer(http.StatusServiceUnavailable, http.Header{"Retry-After": {"600"}}))
		t.run(ctx, 4, "kubectl bellhop resolve database --wait --timeout=3s")
		t.matchGolden("resolve_stalled")
	})

	It("explains what is wrong", func(ctx SpecContext) {
		startInbox(ctx, t.namespace, "team")
		t.try(ctx, "kubectl bellhop page text --to=team --name=database")
		for _, args := range []string{"", "database -l app=orders", "database --dry-run=maybe"} {
			t.run(ctx, 2, "kubectl bellhop resolve "+args)
		}
		for _, args := range []string{"databse", "-l app=none", "database --as=jane", "-l app=orders --as=jane"} {
			t.run(ctx, 1, "kubectl bellhop resolve "+args)
		}
		allow(ctx, t.namespace, "joe", []string{"get"}, "alerts")
		t.run(ctx, 1, "kubectl bellhop resolve database --as=joe")
		t.matchGolden("resolve_wrong")
	})
})
