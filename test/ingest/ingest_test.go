// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var _ = Describe("Posted alerts", func() {
	It("are stored before they are accepted, and page once", func(ctx SpecContext) {
		f := newFixture(ctx)
		down := named("NodeDown", "a")
		down.EndsAt = new(time.Now().Add(time.Hour)) // without it, the time of the lapse follows the clock
		f.post(ctx, down)
		Expect(f.alerts(ctx)).To(HaveKey("NodeDown"))

		By("evaluating the rule again and again, with another value in its annotation")
		Eventually(ctx, f.messages).Should(Equal([]string{"fired NodeDown"}))
		before := f.alerts(ctx)["NodeDown"]
		for i := range 20 {
			down.Annotations["description"] = fmt.Sprintf("a is down for %d seconds", i)
			f.post(ctx, down)
		}
		f.post(ctx, named("Marker", "a"))
		Eventually(ctx, f.messages).Should(Equal([]string{"fired NodeDown", "fired Marker"}))
		Expect(f.alerts(ctx)["NodeDown"].Spec).To(Equal(before.Spec))
		Eventually(ctx, f.status(ctx)).Should(SatisfyAll(HaveField("Firing", BeEquivalentTo(2)), HaveField("LastReceivedTime", Not(BeNil()))))

		By("posting the end, twice")
		for range 2 {
			f.post(ctx, down.ended())
		}
		Eventually(ctx, f.messages).Should(Equal([]string{"fired NodeDown", "fired Marker", "resolved NodeDown"}))
		Eventually(ctx, f.status(ctx)).Should(HaveField("Firing", BeEquivalentTo(1)))
	})

	It("of a rule with many instances are one message, which does not grow at once", func(ctx SpecContext) {
		f := newFixture(ctx)
		all := make([]alert, 0, 150)
		for i := range 150 {
			all = append(all, named("NodeDown", fmt.Sprintf("node-%03d", i)))
		}
		f.post(ctx, all...)
		Eventually(ctx, f.messages).Should(Equal([]string{"fired NodeDown: 150 firing"}))
		lines := strings.Split(f.inbox.Messages()[0].RawContent, "\n")
		Expect(lines).To(HaveLen(21))
		Expect(lines[20]).To(Equal("and 130 more"))

		By("shrinking and growing by one each, of which the receiver hears later")
		f.post(ctx, all[0].ended())
		Expect(f.alerts(ctx)).To(HaveKey("NodeDown: 149 firing"))
		f.post(ctx, append(all[1:], named("NodeDown", "late"))...)
		f.post(ctx, named("Marker", "a"))
		Eventually(ctx, f.messages).Should(Equal([]string{"fired NodeDown: 150 firing", "fired Marker"}))

		By("ending all")
		for i := range all {
			all[i] = all[i].ended()
		}
		f.post(ctx, append(all, named("NodeDown", "late").ended())...)
		Eventually(ctx, f.messages).Should(HaveLen(3))
		Expect(f.messages()[2]).To(HavePrefix("resolved NodeDown"))

		By("posting more than there is room for")
		for i := range 210 {
			all = append(all[:i], named("NodeSlow", fmt.Sprintf("node-%03d", i)))
		}
		f.post(ctx, all...)
		Expect(f.alerts(ctx)).To(HaveKey("NodeSlow: 200 or more firing"))
		Eventually(ctx, f.status(ctx)).Should(SatisfyAll(HaveField("CutAlerts", BeEquivalentTo(10)), HaveField("LastCutTime", Not(BeNil()))))
	})

	It("do not fail because a person has resolved the Alert, which holds until the group fires again", func(ctx SpecContext) {
		f := newFixture(ctx)
		f.post(ctx, named("NodeDown", "a"))
		a := f.alerts(ctx)["NodeDown"]
		suite.Update(ctx, env, &a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
		f.post(ctx, named("NodeDown", "a"))
		f.post(ctx, named("NodeDown", "b"))
		f.post(ctx, named("Marker", "a"))
		Eventually(ctx, f.messages).Should(ContainElements("resolved NodeDown", "fired Marker"))
		Expect(f.alerts(ctx)["NodeDown"].Spec.State).To(Equal(v1beta1.AlertResolved))
		Expect(f.messages()).To(HaveLen(3))
	})

	It("that are wrong are answered one by one, and the others are stored", func(ctx SpecContext) {
		f := newFixture(ctx)
		body := `[{"labels": {"alertname": "A"}}, {"labels": {}}, {"labels": {"alertname": "C"}, "endsAt": "tomorrow"}, {"labels": {"alertname": "D"}}]`
		code, text, err := f.postTo(ctx, listen, "/api/v2/alerts", "Bearer "+token, []byte(body))
		Expect(err).NotTo(HaveOccurred())
		Expect(code).To(Equal(http.StatusBadRequest))
		Expect(text).To(SatisfyAll(HavePrefix("2 alerts are stored, and these are not:\nalert 1: "), ContainSubstring("\nalert 2: "), ContainSubstring("tomorrow")))
		Expect(f.alerts(ctx)).To(SatisfyAll(HaveLen(2), HaveKey("A"), HaveKey("D")))
	})

	It("of a webhook fire and end by the word of Alertmanager", func(ctx SpecContext) {
		f := newFixture(ctx)
		for _, step := range []struct{ file, message string }{
			{"firing", "fired"}, {"one-resolved", ""}, {"one-resolved-of-another-route", ""}, {"resolved", "resolved"},
		} {
			file, isOther := strings.CutSuffix(step.file, "-of-another-route")
			body, err := os.ReadFile("../../internal/pager/ingest/alertmanager/testdata/alertmanager-webhook-" + file + ".json")
			Expect(err).NotTo(HaveOccurred())
			if isOther {
				body = ofAnotherRoute(body)
			}
			code, text, err := f.postTo(ctx, listen, "/webhook", "Bearer "+token, body)
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(http.StatusOK), text)
			if step.message != "" {
				Eventually(ctx, f.messages).Should(ContainElement(HavePrefix(step.message)))
			}
		}
		Expect(f.messages()).To(HaveLen(2))
	})

	It("beyond maxAlerts are one more Alert", func(ctx SpecContext) {
		f := newFixture(ctx, func(s *v1beta1.AlertSource) { s.Spec.MaxAlerts = 3 })
		var all []alert
		for i := range 10 {
			all = append(all, named(fmt.Sprintf("Rule%d", i), "a"))
		}
		f.post(ctx, all...)
		Expect(f.alerts(ctx)).To(SatisfyAll(HaveLen(4), HaveKey("Alerts of AlertSource prometheus beyond its maxAlerts: 7 firing")))
	})

	It("of two replicas are as those of one", func(ctx SpecContext) {
		other := freeAddress()
		port, err := local.FreePort()
		Expect(err).NotTo(HaveOccurred())
		second, err := env.Cluster.StartOperator(ctx, local.OperatorOptions{
			Binary: env.Binary, Log: &env.Logs, WebhookPort: port,
			Args: []string{"--allow-outbound=127.0.0.1", "--ingest-bind-address=" + other, "--leader-elect", "--leader-elect-identity=b"},
		})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(second.Stop)

		f := newFixture(ctx)
		const groups = 10
		for round := range 4 {
			all := make([]alert, 0, groups)
			for i := range groups {
				all = append(all, named(fmt.Sprintf("Rule%d", i), fmt.Sprintf("of-sender-%d", round%2)))
			}
			f.postAt(ctx, []string{listen, other}[round%2], all...)
		}
		Eventually(ctx, f.inbox.Messages).Should(HaveLen(groups))
		By("ending what one sender has posted at the other replica, and then the rest")
		for who, address := range []string{other, listen} {
			all := make([]alert, 0, groups)
			for i := range groups {
				all = append(all, named(fmt.Sprintf("Rule%d", i), fmt.Sprintf("of-sender-%d", who)).ended())
			}
			f.postAt(ctx, address, all...)
		}
		Eventually(ctx, f.messages).Should(HaveLen(2 * groups))
		Expect(f.messages()[groups:]).To(HaveEach(HavePrefix("resolved")))
	})

	It("are lost by no kill of the operator, and page once", func(ctx SpecContext) {
		f := newFixture(ctx, func(s *v1beta1.AlertSource) { s.Spec.MaxAlerts = 1000 })
		const batches, size = 10, 50
		var sending sync.WaitGroup
		var accepted sync.Map
		for b := range batches {
			var all []alert
			for i := range size {
				all = append(all, named(fmt.Sprintf("Rule%d", b*size+i), "a"))
			}
			body := bodyOf(all...)
			sending.Go(func() {
				defer GinkgoRecover()
				Eventually(ctx, func() (int, error) { // as a sender that repeats what was not accepted
					code, _, err := f.postTo(ctx, listen, "/api/v2/alerts", "Bearer "+token, body)
					return code, err
				}).WithTimeout(2 * time.Minute).Should(Equal(http.StatusOK)) // three restarts take that long on a busy machine
				accepted.Store(b, true)
			})
		}
		for kill := range 3 {
			Eventually(ctx, func() int { return len(f.alerts(ctx)) }).Should(BeNumerically(">", 100*kill))
			env.Operator.Kill()
			env.StartOperator(context.WithoutCancel(ctx))
		}
		sending.Wait()
		Expect(f.alerts(ctx)).To(HaveLen(batches * size))
		Eventually(ctx, f.inbox.Messages).WithTimeout(time.Minute).Should(HaveLen(batches * size))
		seen := map[string]int{}
		for _, m := range f.messages() {
			seen[m]++
		}
		Expect(seen).To(HaveLen(batches * size))
	})
})

var _ = Describe("An AlertSource", func() {
	It("takes the token of its Secret, also after a change, and those of ServiceAccounts that may post", func(ctx SpecContext) {
		f := newFixture(ctx)
		code := func(token string) func() (int, error) {
			return func() (int, error) {
				code, _, err := f.postTo(ctx, listen, "/api/v2/alerts", "Bearer "+token, bodyOf(named("A", "a")))
				return code, err
			}
		}
		Expect(code("guess")()).To(Equal(http.StatusUnauthorized))
		Expect(code(token)()).To(Equal(http.StatusOK))
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "senders"}}
		suite.Update(ctx, env, secret, func(s *corev1.Secret) { s.Data["tokenNext"] = []byte("another") }) // F-P64
		Eventually(ctx, code("another")).Should(Equal(http.StatusOK))
		Expect(code(token)()).To(Equal(http.StatusOK))
		suite.Update(ctx, env, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"token": []byte("another")} })
		Eventually(ctx, code(token)).Should(Equal(http.StatusUnauthorized))
		Expect(code("another")()).To(Equal(http.StatusOK))

		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "sender"}}
		Expect(env.Client.Create(ctx, account)).To(Succeed())
		own := requestToken(ctx, account, "bellhop")
		Expect(code(own)()).To(Equal(http.StatusForbidden))
		Expect(code(requestToken(ctx, account))()).To(Equal(http.StatusUnauthorized), "the token is for the API server")

		By("giving the right; a denial counts for 10 s")
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "sender"}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1beta1.GroupVersion.Group}, Resources: []string{"alertsources/ingest"}, ResourceNames: []string{sourceName}, Verbs: []string{"create"},
		}}}
		Expect(env.Client.Create(ctx, role)).To(Succeed())
		Expect(env.Client.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "sender"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "sender"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: f.namespace, Name: "sender"}},
		})).To(Succeed())
		Eventually(ctx, code(own)).Should(Equal(http.StatusOK))
	})
})

// ofAnotherRoute returns a webhook whose last alert is the only one of a group of another route, which is over.
func ofAnotherRoute(body []byte) []byte {
	GinkgoHelper()
	var message map[string]any
	Expect(json.Unmarshal(body, &message)).To(Succeed())
	alerts := message["alerts"].([]any)
	message["groupKey"], message["status"], message["alerts"] = "{}:{}", "resolved", alerts[len(alerts)-1:]
	body, err := json.Marshal(message)
	Expect(err).NotTo(HaveOccurred())
	return body
}

func requestToken(ctx context.Context, account *corev1.ServiceAccount, audiences ...string) string {
	GinkgoHelper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	Expect(env.Client.SubResource("token").Create(ctx, account, request)).To(Succeed())
	return request.Status.Token
}
