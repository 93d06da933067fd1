// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// startOtherBroker starts a broker with classes of its own, which wants a password.
func (t *transcript) startOtherBroker() string {
	GinkgoHelper()
	broker := osbtest.New(osbtest.Options{Username: "bellhop", Password: "right"})
	Expect(broker.Listen()).To(Succeed())
	DeferCleanup(broker.Close)
	t.hide(broker.URL, "http://team.example.com")
	return broker.URL
}

// deleteAfterwards deletes an object of the cluster, whatever has become of it.
func (t *transcript) deleteAfterwards(object string) {
	DeferCleanup(func(ctx context.Context) { t.try(ctx, "kubectl delete --ignore-not-found "+object) })
}

// suffixed is the end of the name of a Secret that register has made beside an earlier one.
var suffixed = regexp.MustCompile(`-broker-\w{5}\b`)

// F-U18
var _ = DescribeTable("register can be repeated after a failure, and deregister removes what it made", func(ctx SpecContext, kind, golden string, scope func(namespace string) (register, deregister string)) {
	t := newTranscript(ctx)
	url := t.startOtherBroker()
	name := "team-" + t.namespace
	t.deleteAfterwards(kind + " " + name)
	t.write("ca.crt", "no certificate")
	ofRegister, ofDeregister := scope(t.namespace)
	command := " | kubectl bellhop register " + name + ofRegister + " --username bellhop --password-stdin --url "
	register, registerWrong := "echo right"+command, "echo wrong"+command
	deregister := "kubectl bellhop deregister " + name + ofDeregister
	left := "kubectl get secrets,servicebrokers -o name; kubectl get clusterservicebrokers -o name | grep " + t.namespace

	t.run(ctx, 1, register+url+" --ca-file=ca.crt --insecure-skip-broker-tls-verify")
	t.run(ctx, 1, left)
	t.run(ctx, 0, register+"http://127.0.0.1:9")
	t.run(ctx, 0, register+url+" --dry-run=server")
	t.run(ctx, 0, register+url+" --wait")
	t.run(ctx, 0, register+url+" --wait")
	t.run(ctx, 1, registerWrong+url+" --wait")
	t.run(ctx, 1, register+"http://127.0.0.1:9")
	t.run(ctx, 0, deregister+" --dry-run=server")
	t.run(ctx, 0, deregister+" --wait")
	t.run(ctx, 1, left)

	out, code := t.try(ctx, registerWrong+url+" --wait --timeout=1s") // how far the operator is after that differs
	Expect(code).To(Equal(4), out)
	out = t.run(ctx, 0, register+url+" --wait")
	t.hide(suffixed.FindString(out), "-broker-RANDOM")
	t.run(ctx, 0, deregister+" --wait")
	t.run(ctx, 0, "kubectl create secret generic "+name+"-broker --from-literal=username=bellhop --from-literal=password=right")
	t.run(ctx, 1, register+url)
	t.run(ctx, 0, "kubectl bellhop register "+name+ofRegister+" --url "+url+" --auth-secret="+name+"-broker --wait")
	t.run(ctx, 0, deregister+" --wait")
	t.run(ctx, 0, "kubectl get secrets -o name")
	t.matchGolden(golden)
},
	Entry("of the cluster", "clusterservicebroker", "register-cluster", func(namespace string) (string, string) { return " --secret-namespace=" + namespace, "" }),
	Entry("of a namespace", "servicebroker", "register-namespaced", func(string) (string, string) { return " --namespaced", " --namespaced" }),
)

var _ = It("register leaves the Secret of a broker that the user may not correct", func(ctx SpecContext) {
	t := newTranscript(ctx)
	register := " | kubectl bellhop register team --namespaced --username bellhop --password-stdin --url http://127.0.0.1:9"
	for _, step := range []struct {
		commands string
		code     int
	}{
		{"kubectl create role brokers --verb=create,get --resource=servicebrokers.servicecatalog.k8s.io && kubectl create rolebinding brokers --role=brokers --user=joe", 0},
		{"kubectl create role secrets --verb=create,get,patch,update,delete --resource=secrets && kubectl create rolebinding secrets --role=secrets --user=joe", 0},
		{"echo right" + register, 0},
		{"echo other" + register + " --as=joe", 1},
		{"kubectl get secret team-broker", 0},
	} {
		out, code := t.try(ctx, step.commands)
		Expect(code).To(Equal(step.code), step.commands+"\n"+out)
	}
})
