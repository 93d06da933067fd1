// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// registered runs register and deregister in a namespace.
type registered struct{ *transcript }

// command is register with a password on standard input.
const command = "register team --namespaced --username bellhop --password-stdin --url http://127.0.0.1:9"

// do runs the plugin by the shell.
func (r registered) do(ctx context.Context, code int, commands string) string {
	GinkgoHelper()
	out, got := r.try(ctx, commands)
	Expect(got).To(Equal(code), commands+"\n"+out)
	return out
}

// secretNames are the Secrets of the namespace.
func (r registered) secretNames(ctx context.Context) (names []string) {
	GinkgoHelper()
	list := &corev1.SecretList{}
	Expect(env.Client.List(ctx, list, client.InNamespace(r.namespace))).To(Succeed())
	for _, secret := range list.Items {
		names = append(names, secret.Name)
	}
	return names
}

// password is the password in a Secret, empty without one.
func (r registered) password(ctx context.Context, name string) string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(client.IgnoreNotFound(env.Client.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: name}, secret))).To(Succeed())
	return string(secret.Data["password"])
}

// broker is a ServiceBroker of the namespace.
func (r registered) broker(ctx context.Context, name string) *v1beta1.ServiceBroker {
	GinkgoHelper()
	broker := &v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name}}
	Expect(env.Client.Get(ctx, client.ObjectKeyFromObject(broker), broker)).To(Succeed())
	return broker
}

// passwordOf is the password in the Secret that a broker refers to.
func (r registered) passwordOf(ctx context.Context, broker string) string {
	GinkgoHelper()
	auth := r.broker(ctx, broker).Spec.AuthInfo
	Expect(auth).To(HaveField("Basic", Not(BeNil())))
	return r.password(ctx, auth.Basic.SecretRef.Name)
}

// F-U18
var _ = Describe("register and deregister", func() {
	var r registered
	BeforeEach(func(ctx SpecContext) { r = registered{newTranscript(ctx)} })

	It("leave a Secret that another broker uses", func(ctx SpecContext) {
		r.do(ctx, 0, "echo right | kubectl bellhop "+command)
		r.do(ctx, 0, "kubectl bellhop register other --namespaced --url http://127.0.0.1:9 --auth-secret team-broker")
		Expect(r.do(ctx, 0, "kubectl bellhop deregister team --namespaced --wait")).To(ContainSubstring("stays, since servicebroker.servicecatalog.k8s.io/other uses it"))

		out, code := r.runThrough(ctx, "second\n", command, func(p *passage) {
			if p.writes(http.MethodPost, "servicebrokers") {
				p.WriteHeader(http.StatusForbidden)
				return
			}
			p.pass()
		})
		Expect(code).To(Equal(1), out)
		Expect(out).To(MatchRegexp(`secret/team-broker-\w{5} deleted again`))
		Expect(r.secretNames(ctx)).To(ConsistOf("team-broker"))

		r.do(ctx, 0, "echo second | kubectl bellhop "+command)
		Expect(r.passwordOf(ctx, "team")).To(Equal("second"))
		r.do(ctx, 0, "echo third | kubectl bellhop "+command)
		Expect(r.passwordOf(ctx, "team")).To(Equal("third"))
		Expect(r.secretNames(ctx)).To(HaveLen(2), "of the corrections only the last one has a Secret")
		Expect(r.passwordOf(ctx, "other")).To(Equal("right"))
	})

	It("keep the Secret of a broker that may be stored, and name it", func(ctx SpecContext) {
		unknown := func(password, method string, pass func(*passage)) {
			GinkgoHelper()
			out, code := r.runThrough(ctx, password+"\n", command, func(p *passage) {
				if p.writes(method, "servicebrokers") {
					pass(p)
				} else {
					p.pass()
				}
			})
			Expect(code).To(Equal(1), out)
			Expect(out).To(MatchRegexp(`secret/team-broker(-\w{5})? in namespace "%s" was not deleted: it is not known whether servicebroker.servicecatalog.k8s.io/team is stored`, r.namespace))
			Expect(out).To(MatchRegexp(`kubectl delete secret team-broker(-\w{5})? --namespace=%s`, r.namespace))
		}
		var later func()
		unknown("first", http.MethodPost, func(p *passage) { later = p.passLater() })
		later()
		Expect(r.passwordOf(ctx, "team")).To(Equal("first"))
		unknown("second", http.MethodPatch, (*passage).passUnanswered)
		Expect(r.passwordOf(ctx, "team")).To(Equal("second"))
	})

	It("name a Secret that may be stored later", func(ctx SpecContext) {
		out, code := r.runThrough(ctx, "right\n", command, func(p *passage) {
			if p.writes(http.MethodPost, "secrets") {
				p.WriteHeader(http.StatusGatewayTimeout)
				return
			}
			p.pass()
		})
		Expect(code).To(Equal(1), out)
		Expect(out).To(ContainSubstring("kubectl delete secret team-broker --namespace=" + r.namespace))
	})

	It("end an interrupted correction when the answer is known", func(ctx SpecContext) {
		r.do(ctx, 0, "kubectl bellhop register team --namespaced --url http://127.0.0.1:9")
		out, code := r.runThrough(ctx, "right\n", command+" --wait", func(p *passage) {
			if p.writes(http.MethodPatch, "servicebrokers") {
				p.interrupt()
				<-time.After(holdFor)
			}
			p.pass()
		})
		Expect(code).To(Equal(130), out)
		Expect(out).To(HaveSuffix("secret/team-broker created\nservicebroker.servicecatalog.k8s.io/team configured\ninterrupted\n"))
		Expect(r.passwordOf(ctx, "team")).To(Equal("right"))
	})

	It("delete the Secret of a register that is interrupted before its broker", func(ctx SpecContext) {
		out, code := r.runThrough(ctx, "right\n", command, func(p *passage) {
			if p.writes(http.MethodPost, "secrets") {
				p.interrupt()
				<-time.After(holdFor)
			}
			p.pass()
		})
		Expect(code).To(Equal(130), out)
		Expect(r.secretNames(ctx)).To(BeEmpty(), out)
	})

	It("leave the broker of another register at the same time its password", func(ctx SpecContext) {
		isBegun := false
		out, code := r.runThrough(ctx, "second\n", command, func(p *passage) {
			if p.writes(http.MethodPost, "secrets") && !isBegun {
				isBegun = true
				r.do(ctx, 0, "echo first | kubectl bellhop "+command)
			}
			p.pass()
		})
		Expect(code).To(Equal(1), out)
		Expect(r.passwordOf(ctx, "team")).To(Equal("first"))
		Expect(r.secretNames(ctx)).To(ConsistOf("team-broker"))
	})

	It("leave the next broker of the name its Secret", func(ctx SpecContext) {
		r.do(ctx, 0, "echo first | kubectl bellhop "+command)
		out, code := r.runThrough(ctx, "", "deregister team --namespaced", func(p *passage) {
			p.pass()
			if !p.writes(http.MethodDelete, "servicebrokers") {
				return
			}
			if at, code := r.try(ctx, "kubectl get servicebroker team -o jsonpath={.metadata.deletionTimestamp}"); at == "" && code == 0 {
				return // the operator has written meanwhile, so that the broker is deleted in the version that is read then
			}
			Eventually(ctx, func() int {
				_, code := r.try(ctx, "echo second | kubectl bellhop "+command)
				return code
			}).Should(BeZero())
		})
		Expect(code).To(BeZero(), out)
		Expect(r.passwordOf(ctx, "team")).To(Equal("second"))
		Expect(r.secretNames(ctx)).To(HaveLen(1))
	})

	It("leave a Secret whose values were changed meanwhile, and name it also after an interrupt", func(ctx SpecContext) {
		r.do(ctx, 0, "echo first | kubectl bellhop "+command)
		isInterrupted := false
		out, code := r.runThrough(ctx, "", "deregister team --namespaced", func(p *passage) {
			if p.writes(http.MethodDelete, "servicebrokers") && !isInterrupted { // after a write of the operator it is deleted in the version that is read then
				isInterrupted = true
				r.do(ctx, 0, `kubectl patch secret team-broker --patch='{"stringData": {"password": "second"}}'`)
				p.interrupt()
				<-time.After(holdFor)
			}
			p.pass()
		})
		Expect(code).To(Equal(130), out)
		Expect(out).To(ContainSubstring(`secret/team-broker in namespace "` + r.namespace + `" was not deleted`))
		Expect(out).To(HaveSuffix("kubectl delete secret team-broker --namespace=" + r.namespace + " deletes it\ninterrupted\n"))
		Expect(r.secretNames(ctx)).To(ConsistOf("team-broker"))
	})

	It("print no values of a Secret that is deleted", func(ctx SpecContext) {
		r.do(ctx, 0, "echo right | kubectl bellhop "+command)
		r.do(ctx, 0, "kubectl get secret team-broker -o yaml | kubectl apply -f - 2>/dev/null") // with the values in an annotation
		out := r.do(ctx, 0, "kubectl bellhop deregister team --namespaced -o yaml")
		Expect(out).To(ContainSubstring("name: team-broker\n"))
		Expect(out).NotTo(ContainSubstring("cmlnaHQ"), "the password in base64")
	})

	It("change no broker that register has not made, also after relist", func(ctx SpecContext) {
		createBroker(ctx, r.namespace, "team", "http://127.0.0.1:9/right")
		r.do(ctx, 0, "kubectl bellhop relist team --namespaced")
		Expect(r.do(ctx, 1, "kubectl bellhop register team --namespaced --url http://127.0.0.1:9")).To(ContainSubstring("it has other settings"))
		Expect(r.broker(ctx, "team").Spec.URL).To(Equal("http://127.0.0.1:9/right"))
	})

	It("use no Secret that is being deleted", func(ctx SpecContext) {
		r.do(ctx, 0, "echo first | kubectl bellhop "+command)
		r.do(ctx, 0, `kubectl patch secret team-broker --patch='{"metadata": {"finalizers": ["example.com/held"]}}' && kubectl delete secret team-broker --wait=false`)
		for _, password := range []string{"first", "second"} {
			Expect(r.do(ctx, 1, "echo "+password+" | kubectl bellhop "+command)).To(ContainSubstring("kubectl wait --for=delete secret/team-broker --namespace=" + r.namespace))
		}
		Expect(r.do(ctx, 1, "kubectl bellhop register other --namespaced --url http://127.0.0.1:9 --auth-secret team-broker")).To(ContainSubstring("is being deleted"))
		r.do(ctx, 0, `kubectl patch secret team-broker --patch='{"metadata": {"finalizers": null}}'`)
		r.do(ctx, 0, "echo second | kubectl bellhop "+command)
		Expect(r.passwordOf(ctx, "team")).To(Equal("second"))
	})

	It("delete the Secret that a correction replaces by another one", func(ctx SpecContext) {
		r.do(ctx, 0, "kubectl create secret generic mine --from-literal=username=bellhop --from-literal=password=right")
		r.do(ctx, 0, "echo wrong | kubectl bellhop "+command)
		Expect(r.do(ctx, 0, "kubectl bellhop register team --namespaced --url http://127.0.0.1:9 --auth-secret mine")).To(ContainSubstring("secret/team-broker deleted"))
		r.do(ctx, 0, "kubectl bellhop deregister team --namespaced")
		Expect(r.secretNames(ctx)).To(ConsistOf("mine"))
	})
})
