// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// editReceiver changes a Receiver.
func editReceiver(ctx context.Context, namespace, name string, edit func(*pagerv1beta1.Receiver)) {
	GinkgoHelper()
	suite.Update(ctx, env, &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, edit)
}

// startMatrix starts a server with what Bellhop needs of a homeserver of Matrix, and creates a Receiver matrix for it. While the result is
// true, it refuses messages for good.
func startMatrix(ctx context.Context, namespace string) *atomic.Bool {
	GinkgoHelper()
	refuse := &atomic.Bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if refuse.Load() && r.Method == http.MethodPut {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"errcode": "M_FORBIDDEN_WORDS", "error": "refused"}`)
			return
		}
		fmt.Fprint(w, `{"event_id": "$event25", "user_id": "@bot:example.com", "membership": "join"}`)
	}))
	DeferCleanup(server.Close)
	createSecret(ctx, namespace, "matrix", "token", "a-token")
	r := &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "matrix"}}
	r.Spec.Matrix = &pagerv1beta1.MatrixProvider{URL: server.URL, RoomID: "!ops:example.com"}
	r.Spec.SecretRef = &pagerv1beta1.SecretReference{Name: "matrix"}
	Expect(env.Client.Create(ctx, r)).To(Succeed())
	return refuse
}

// stateOf reads the state of an Alert's spec.
func stateOf(ctx context.Context, namespace, name string) pagerv1beta1.AlertState {
	GinkgoHelper()
	alert := &pagerv1beta1.Alert{}
	Expect(env.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, alert)).To(Succeed())
	return alert.Spec.State
}

var _ = Describe("resend", func() {
	var (
		t  *transcript
		in *inbox.Inbox
	)
	BeforeEach(func(ctx SpecContext) {
		t = newTranscript(ctx)
		in = startInbox(ctx, t.namespace, "team")
	})

	It("resolves and fires again", func(ctx SpecContext) {
		t.run(ctx, 0, `kubectl bellhop page "The database is down" --name=database --to=team --wait`)
		t.run(ctx, 0, "kubectl bellhop resend database --wait")
		t.run(ctx, 0, "kubectl bellhop resolve database --wait")
		t.run(ctx, 0, "kubectl bellhop resend database --wait")
		t.run(ctx, 0, "kubectl-bellhop __complete resend '' 2>/dev/null")
		t.matchGolden("resend")

		Expect(events(in)()).To(Equal([]string{"alert.fired", "alert.resolved", "alert.fired", "alert.resolved", "alert.fired"}))
		messages := in.Messages()
		Expect(messages[2]).To(SatisfyAll(HaveField("Content", messages[0].Content), HaveField("Incident", messages[0].Incident),
			HaveField("WebhookID", Not(Equal(messages[0].WebhookID)))))
	})

	It("sends again what a receiver refused", func(ctx SpecContext) {
		refuse := startMatrix(ctx, t.namespace)
		refuse.Store(true)
		t.run(ctx, 3, `kubectl bellhop page "The database is down" --name=database --to=matrix --wait`)
		t.run(ctx, 3, "kubectl bellhop test matrix")
		refuse.Store(false)
		t.run(ctx, 0, "kubectl bellhop resend database --wait")
		t.run(ctx, 0, "kubectl bellhop test matrix")
		t.matchGolden("resend_refused")
	})

	It("sends again what a receiver may have", func(ctx SpecContext) {
		editReceiver(ctx, t.namespace, "team", func(r *pagerv1beta1.Receiver) { r.Spec.DeliveryPolicy = pagerv1beta1.AtMostOnce })
		in.Respond(func(*http.Request) (int, http.Header, string) { return 0, nil, "" })
		t.run(ctx, 3, `kubectl bellhop page "The database is down" --name=database --to=team --wait`)
		in.Respond(nil)
		t.run(ctx, 0, "kubectl bellhop resend database --wait")
		t.matchGolden("resend_unknown")
		Expect(events(in)()).To(Equal([]string{"alert.fired", "alert.resolved", "alert.fired"}))
	})

	It("sends what was restored", func(ctx SpecContext) {
		t.run(ctx, 3, `kubectl bellhop page "The database is down" --name=database --to=team --labels=velero.io/restore-name=monday --wait`)
		t.run(ctx, 0, "kubectl bellhop resend database --wait")
		t.run(ctx, 0, "kubectl bellhop alerts database")
		t.matchGolden("resend_restored")
		Expect(events(in)()).To(Equal([]string{"alert.fired"}))
	})

	It("has what expired fire again", func(ctx SpecContext) {
		createSuspended(ctx, t.namespace, "holidays")
		t.try(ctx, `kubectl bellhop page "Too late" --name=late --to=holidays --expire-after=1s`)
		t.try(ctx, "kubectl wait alert/late --for=jsonpath={.status.deliveries[0].state}=Expired --timeout=30s")
		t.run(ctx, 0, "kubectl bellhop resend late")
		t.matchGolden("resend_expired")
		Expect(stateOf(ctx, t.namespace, "late")).To(Equal(pagerv1beta1.AlertFiring))
	})

	// F-U34
	It("sends again what a selector selects, and shows before what that is", func(ctx SpecContext) {
		other := createNamespace(ctx)
		t.hide(other, "OTHER")
		createSuspended(ctx, t.namespace, "holidays")
		editReceiver(ctx, t.namespace, "team", func(r *pagerv1beta1.Receiver) { r.Spec.DeliveryPolicy = pagerv1beta1.AtMostOnce })
		in.Respond(func(*http.Request) (int, http.Header, string) { return 0, nil, "" })
		t.try(ctx, `kubectl bellhop page "The database is down" --name=database --to=team --labels=app=`+t.namespace+` --wait`)
		in.Respond(nil)
		t.try(ctx, `kubectl bellhop page "Disk full" --name=disk --to=team --labels=app=`+t.namespace+` --wait`)
		t.try(ctx, `kubectl bellhop page "Not yet" --name=waits --to=holidays --labels=app=`+t.namespace+` --wait`)
		t.run(ctx, 0, "kubectl bellhop resend --unsent --dry-run")
		t.run(ctx, 0, "kubectl bellhop resend -l app="+t.namespace+" --dry-run=client")
		t.run(ctx, 0, "kubectl bellhop resend -l app="+t.namespace+" --unsent -A --dry-run")
		t.run(ctx, 0, "kubectl bellhop resend --unsent --dry-run --namespace="+other)
		before := len(in.Messages())
		t.run(ctx, 0, "kubectl bellhop resend -l app="+t.namespace+" --unsent -A")
		Eventually(func() int { return len(in.Messages()) }).Should(BeNumerically(">", before))
		t.try(ctx, "kubectl bellhop resolve disk --wait")
		t.run(ctx, 0, "kubectl bellhop resend -l app="+t.namespace+" --dry-run")
		for _, args := range []string{"-A", "database --unsent", "database -A", "-l app=orders --dry-run=server"} {
			t.run(ctx, 2, "kubectl bellhop resend "+args)
		}
		t.matchGolden("resend_selector")
		for flag, want := range map[string]int{"": 0, " --show-managed-fields": 3} {
			out, _ := t.try(ctx, "kubectl bellhop alerts -o yaml"+flag)
			Expect(strings.Count(out, "managedFields:")).To(Equal(want), flag)
		}
		out, _ := t.try(ctx, "kubectl bellhop alerts -o name --chunk-size=1")
		Expect(strings.Fields(out)).To(HaveLen(3))
	})

	It("leaves alone what cannot be sent again", func(ctx SpecContext) {
		createSuspended(ctx, t.namespace, "holidays")
		editReceiver(ctx, t.namespace, "team", func(r *pagerv1beta1.Receiver) { r.Spec.MinSeverity = pagerv1beta1.SeverityWarning })
		t.try(ctx, `kubectl bellhop page "A detail" --title="Don't panic" --name=detail --to=team --wait`)
		t.try(ctx, `kubectl bellhop page "Nobody is there" --name=holidays --to=holidays --wait`)

		t.run(ctx, 1, "kubectl bellhop resend detail")
		t.run(ctx, 0, "kubectl bellhop resend holidays")
		t.run(ctx, 3, "kubectl bellhop resend holidays --wait")
		t.run(ctx, 2, "kubectl bellhop resend")
		t.run(ctx, 1, "kubectl bellhop resend detial")
		t.run(ctx, 1, "kubectl bellhop resend detail --as=jane")
		startInbox(ctx, t.namespace, "other")
		t.try(ctx, `kubectl bellhop page "The disk is full" --name=disk --to=other --wait`)
		allow(ctx, t.namespace, "joe", []string{"get", "patch"}, "alerts")
		t.run(ctx, 1, "kubectl bellhop resend disk --as=joe")
		Expect(stateOf(ctx, t.namespace, "disk")).To(Equal(pagerv1beta1.AlertFiring))
		t.matchGolden("resend_wrong")
		Expect(in.Messages()).To(BeEmpty())
	})

	It("sets the Alert to Firing again where the receiver cannot be told", func(ctx SpecContext) {
		t.try(ctx, `kubectl bellhop page "The database is down" --name=database --to=team --wait`)
		in.Respond(inbox.Answer(http.StatusServiceUnavailable, http.Header{"Retry-After": {"600"}}))
		t.run(ctx, 4, "kubectl bellhop resend database --timeout=3s")
		Expect(stateOf(ctx, t.namespace, "database")).To(Equal(pagerv1beta1.AlertFiring))

		held := startInbox(ctx, t.namespace, "held")
		t.try(ctx, `kubectl bellhop page "The disk is full" --name=disk --to=held --wait`)
		editReceiver(ctx, t.namespace, "held", func(r *pagerv1beta1.Receiver) { r.Spec.Suspend = true })
		t.run(ctx, 3, "kubectl bellhop resend disk")
		Expect(stateOf(ctx, t.namespace, "disk")).To(Equal(pagerv1beta1.AlertFiring))
		Expect(events(held)()).To(Equal([]string{"alert.fired"}))
		t.matchGolden("resend_stalled")
	})

	It("sets the Alert to Firing again when it is interrupted", func(ctx SpecContext) {
		editReceiver(ctx, t.namespace, "team", func(r *pagerv1beta1.Receiver) { r.Spec.TimeoutSeconds = 1 })
		t.try(ctx, `kubectl bellhop page "The database is down" --name=database --to=team --wait`)
		in.Respond(inbox.Hang)
		session := t.start("resend", "database")
		Eventually(in.InFlight).Should(Equal(1))
		Eventually(session.Interrupt()).Should(gexec.Exit(130))
		Expect(stateOf(ctx, t.namespace, "database")).To(Equal(pagerv1beta1.AlertFiring))
		in.Respond(nil)
		Eventually(events(in)).Should(Equal([]string{"alert.fired", "alert.resolved", "alert.fired"}))
	})
})

var _ = Describe("test", func() {
	var t *transcript
	BeforeEach(func(ctx SpecContext) { t = newTranscript(ctx) })

	// deleted checks that no Alert is left.
	deleted := func(ctx context.Context) {
		GinkgoHelper()
		Eventually(ctx, func() ([]pagerv1beta1.Alert, error) {
			list := &pagerv1beta1.AlertList{}
			err := env.Client.List(ctx, list, client.InNamespace(t.namespace))
			return list.Items, err
		}).Should(BeEmpty())
	}

	It("sends a test alert", func(ctx SpecContext) {
		in := startInbox(ctx, t.namespace, "team")
		editReceiver(ctx, t.namespace, "team", func(r *pagerv1beta1.Receiver) { r.Spec.MinSeverity = pagerv1beta1.SeverityWarning })
		other, oncall := createClusterInbox(ctx, t.namespace)
		t.run(ctx, 0, "kubectl bellhop test team")
		t.run(ctx, 0, "kubectl bellhop test "+oncall)
		t.run(ctx, 0, "kubectl bellhop test clusterreceiver/"+oncall)
		t.run(ctx, 0, "kubectl-bellhop __complete test te 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete test team '' 2>/dev/null")
		deleted(ctx)
		Expect(events(in)()).To(Equal([]string{"alert.fired", "alert.resolved"}))
		Expect(in.Messages()[0]).To(SatisfyAll(HaveField("Severity", "Warning"), HaveField("Title", ContainSubstring("Test alert")),
			HaveField("Content", "This is a test of receiver/team, sent by kubectl bellhop test. No action is needed.")))
		Expect(other.Messages()).To(HaveLen(4))

		t.run(ctx, 0, "kubectl bellhop test team --keep | sed 's/test-alert-.* /test-alert-XXXXX /'")
		t.run(ctx, 0, "kubectl bellhop alerts -o jsonpath='{.items[*].spec.title}{.spec.title}'")
		t.matchGolden("test")
	})

	It("says what to do about a receiver that does not take it", func(ctx SpecContext) {
		in := startInbox(ctx, t.namespace, "team")
		createSuspended(ctx, t.namespace, "holidays")
		missing := &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "no-secret"}}
		missing.Spec.Webhook = &pagerv1beta1.WebhookProvider{URL: "http://127.0.0.1:9"}
		missing.Spec.SecretRef = &pagerv1beta1.SecretReference{Name: "missing"}
		Expect(env.Client.Create(ctx, missing)).To(Succeed())
		elsewhere := &pagerv1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{Name: "elsewhere-" + t.namespace}}
		elsewhere.Spec.Webhook = &pagerv1beta1.WebhookProvider{URL: "http://127.0.0.1:9"}
		Expect(env.Client.Create(ctx, elsewhere)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(env.Client.Delete(ctx, elsewhere)).To(Succeed()) })

		t.run(ctx, 3, "kubectl bellhop test holidays")
		t.run(ctx, 3, "kubectl bellhop test no-secret")
		t.run(ctx, 3, "kubectl bellhop test "+elsewhere.Name)
		in.Respond(inbox.Answer(http.StatusUnauthorized, nil))
		t.run(ctx, 3, "kubectl bellhop test team")
		in.Respond(nil)
		down := startInbox(ctx, t.namespace, "down")
		down.Respond(inbox.Answer(http.StatusServiceUnavailable, http.Header{"Retry-After": {"600"}}))
		t.run(ctx, 3, "kubectl bellhop test down --timeout=2s")
		slow := startInbox(ctx, t.namespace, "slow")
		slow.Respond(inbox.Hang)
		t.run(ctx, 3, "kubectl bellhop test slow --timeout=1s")
		t.matchGolden("test_failed")
	})

	// F-P68
	It("keeps the alert for as long as the route of an Alertmanager may wait", func(ctx SpecContext) {
		var posts atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				posts.Add(1)
			}
		}))
		DeferCleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		receiver := &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "routed"}}
		receiver.Spec.Alertmanager = &pagerv1beta1.AlertmanagerProvider{URLs: []string{server.URL}}
		Expect(env.Client.Create(ctx, receiver)).To(Succeed())

		session := t.start("test", "routed")
		Eventually(session.Err).Should(gbytes.Say("the alert fires for 1m0s before it is resolved"))
		Expect(posts.Load()).To(BeEquivalentTo(1), "it was not resolved yet")
		Eventually(session.Interrupt()).Should(gexec.Exit(130))
		deleted(ctx)
		Expect(posts.Load()).To(BeEquivalentTo(2))

		began := time.Now()
		t.run(ctx, 0, "kubectl bellhop test routed --keep-for=1s")
		Expect(time.Since(began)).To(BeNumerically(">", time.Second))
		t.run(ctx, 0, "kubectl bellhop test routed --keep-for=0s")
		t.run(ctx, 2, "kubectl bellhop test routed --keep-for=-1s")
		t.run(ctx, 2, "kubectl bellhop test routed --keep-for=600000h")
		t.run(ctx, 2, "kubectl bellhop test routed --keep-for=1s --keep")
		t.matchGolden("test_alertmanager")
	})

	It("deletes the Alert when it is interrupted", func(ctx SpecContext) {
		in := startInbox(ctx, t.namespace, "team")
		editReceiver(ctx, t.namespace, "team", func(r *pagerv1beta1.Receiver) { r.Spec.TimeoutSeconds = 1 })
		in.Respond(inbox.Hang)
		session := t.start("test", "team")
		Eventually(in.InFlight).Should(Equal(1))
		Eventually(session.Interrupt()).Should(gexec.Exit(130))
		in.Respond(nil)
		deleted(ctx)
	})

	It("explains what is wrong", func(ctx SpecContext) {
		startInbox(ctx, t.namespace, "team")
		createOthers(ctx, t.namespace)
		t.run(ctx, 2, "kubectl bellhop test")
		t.run(ctx, 2, "kubectl bellhop test team oncall")
		t.run(ctx, 2, "kubectl bellhop test secret/team")
		t.run(ctx, 1, "kubectl bellhop test taem")
		t.run(ctx, 1, "kubectl bellhop test receiver/taem")
		t.run(ctx, 1, "kubectl bellhop test team --as=jane")
		allow(ctx, t.namespace, "joe", []string{"create", "get", "list", "watch", "delete"}, "alerts")
		t.run(ctx, 1, "kubectl bellhop test team --as=joe")
		t.run(ctx, 0, "kubectl bellhop test receiver/team --as=joe")
		t.matchGolden("test_wrong")
	})
})
