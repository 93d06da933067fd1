// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"

	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

var _ = Describe("The catalog", func() {
	It("lists services and plans in each format", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.run(ctx, 0, "kubectl bellhop marketplace --broker acme")
		t.run(ctx, 0, "kubectl bellhop marketplace --broker acme -o wide")
		t.run(ctx, 0, "kubectl bellhop marketplace --broker acme --no-headers")
		t.run(ctx, 0, "kubectl bellhop marketplace --broker acme -o name")
		t.run(ctx, 0, "kubectl bellhop marketplace --broker acme -o jsonpath='{.items[*].spec.externalName}'")
		t.run(ctx, 0, "kubectl bellhop marketplace --broker acme -o go-template='{{range .items}}{{.spec.externalName}}{{\"\\n\"}}{{end}}'")
		t.run(ctx, 0, "kubectl bellhop plans postgres")
		t.run(ctx, 0, "kubectl bellhop plans postgres -o wide")
		t.run(ctx, 0, "kubectl bellhop plans postgres -o name")
		t.run(ctx, 0, "kubectl bellhop schema postgres/small")
		t.run(ctx, 0, "kubectl bellhop schema postgres/small --for update -o yaml")
		t.run(ctx, 0, "kubectl bellhop schema postgres/small -o json")
		t.run(ctx, 0, "kubectl bellhop schema queue")
		t.run(ctx, 0, "kubectl bellhop marketplace --broker none")
		t.run(ctx, 2, "kubectl bellhop plans postgress")
		t.run(ctx, 2, "kubectl bellhop plans")
		t.run(ctx, 2, "kubectl bellhop schema postgres/tiny")
		t.run(ctx, 2, "kubectl bellhop schema postgres")
		t.run(ctx, 2, "kubectl bellhop schema postgres/small --for delete")
		t.run(ctx, 2, "kubectl bellhop schema postgres/small -o table2")
		t.run(ctx, 1, "kubectl bellhop marketplace --as jane")
		t.matchGolden("catalog")

		out, _ := t.try(ctx, "kubectl bellhop marketplace --broker acme -o json")
		var list struct {
			Items []servicecatalogv1beta1.ClusterServicePlan
		}
		Expect(json.Unmarshal([]byte(out), &list)).To(Succeed())
		Expect(list.Items).To(HaveLen(3))
		Expect(list.Items[0].Kind).To(Equal("ClusterServicePlan"))
		out, _ = t.try(ctx, "kubectl bellhop plans postgres -o yaml")
		Expect(out).To(ContainSubstring("kind: ClusterServicePlan"))
	})

	It("completes names", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.run(ctx, 0, "kubectl-bellhop __complete plans ''")
		t.run(ctx, 0, "kubectl-bellhop __complete schema postgres/ 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete provision db --class postgres --plan l 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete marketplace --broker ac 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete marketplace --output j 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete relist ac 2>/dev/null")
		t.matchGolden("complete-catalog")
	})
})

var _ = Describe("Services", func() {
	It("are provisioned, bound, updated, rotated and given back", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.run(ctx, 0, "kubectl bellhop provision orders --class postgres --plan small -p region=eu --wait")
		t.run(ctx, 0, "kubectl bellhop bind orders --wait")
		t.run(ctx, 0, "kubectl bellhop bind orders --name reports --secret-name reports-db --labels app=reports --wait -o name")
		t.run(ctx, 0, "kubectl get secret reports-db -o name")
		t.run(ctx, 0, "kubectl bellhop update orders --plan large -p storage=20 -p backup.enabled=true --wait")
		t.run(ctx, 0, "kubectl get serviceinstance orders -o jsonpath='{.status.externalProperties.clusterServicePlanExternalName} {.spec.parameters}'")
		t.run(ctx, 0, "kubectl bellhop update orders -p storage- -p region=us --wait -o jsonpath='{.spec.parameters}'")
		t.run(ctx, 0, "kubectl bellhop update orders -p region=us")
		t.run(ctx, 0, "kubectl bellhop update orders --repeat --wait")
		t.run(ctx, 0, "kubectl bellhop upgrade orders")
		before, _ := t.try(ctx, "kubectl get secret orders -o jsonpath='{.data.password}'")
		t.run(ctx, 0, "kubectl bellhop rotate orders --wait")
		after, _ := t.try(ctx, "kubectl get secret orders -o jsonpath='{.data.password}'")
		Expect(after).NotTo(BeEmpty())
		Expect(after).NotTo(Equal(before))
		t.run(ctx, 1, "kubectl bellhop deprovision orders")
		t.run(ctx, 0, "kubectl bellhop unbind -l app=reports --wait")
		t.run(ctx, 0, "kubectl bellhop deprovision orders --unbind --wait")
		t.run(ctx, 0, "kubectl get serviceinstances,servicebindings,secrets")
		t.matchGolden("services")
	})

	It("can be kept as manifests", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.run(ctx, 0, "kubectl bellhop provision orders --class postgres --plan small -p region=eu --params-secret orders/admin --labels app=orders --dry-run=client -o yaml | tee orders.yaml")
		t.run(ctx, 0, "kubectl bellhop bind orders --dry-run -o yaml 2>&1 | cat; kubectl create secret generic orders --from-literal=admin='{\"storage\": 7}'")
		t.run(ctx, 0, "kubectl apply -f orders.yaml && kubectl wait --for=condition=Ready --timeout=60s serviceinstance/orders")
		t.run(ctx, 0, "kubectl bellhop bind orders --name app --dry-run=client -o yaml")
		t.run(ctx, 0, "kubectl bellhop bind orders --name app --dry-run=server")
		t.run(ctx, 0, "kubectl bellhop update orders --plan large --dry-run=client -o yaml")
		t.run(ctx, 0, "kubectl bellhop update orders --plan large --dry-run=server -o jsonpath='{.spec.clusterServicePlanExternalName}'")
		t.run(ctx, 0, "kubectl bellhop deprovision -f orders.yaml --dry-run=client")
		t.run(ctx, 0, "kubectl bellhop provision copy -f orders.yaml --plan large --class postgres --dry-run=client -o json")
		t.run(ctx, 0, "kubectl bellhop register second --url https://broker.example.com --auth-secret second --dry-run=client -o yaml")
		t.run(ctx, 0, "echo secret | kubectl bellhop register second --url https://broker.example.com --username bellhop --password-stdin --relist-every 15m --dry-run=client -o yaml")
		t.run(ctx, 0, "kubectl get serviceinstances,servicebindings -o name")
		t.run(ctx, 0, "cat orders.yaml | kubectl bellhop deprovision -f - --wait")
		t.matchGolden("manifests")
	})

	It("are printed in each format by commands that write", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.run(ctx, 0, "kubectl bellhop provision orders --class queue --wait >/dev/null && kubectl bellhop bind orders --wait >/dev/null")
		for _, command := range []string{
			"provision another --class queue", "adopt old --class queue --external-id 1", "update orders --repeat", "retain orders", "deprovision orders --unbind",
			"bind orders --name app", "unbind orders", "register second --url https://broker.example.com", "relist acme",
		} {
			for _, format := range []string{"name", "json", "yaml", "jsonpath='{.kind} {.metadata.name}'", "go-template='{{.kind}} {{.metadata.name}}{{\"\\n\"}}'"} {
				t.run(ctx, 0, "kubectl bellhop "+command+" --dry-run=client -o "+format)
			}
		}
		t.run(ctx, 0, "kubectl bellhop rotate orders --dry-run=client -o name")
		t.run(ctx, 0, "kubectl bellhop rotate orders --dry-run=server")
		t.run(ctx, 0, "kubectl bellhop deprovision orders --unbind --wait >/dev/null")
		t.matchGolden("formats")
	})

	It("can be adopted and retained", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.run(ctx, 0, "kubectl bellhop provision first --class queue --wait")
		id, _ := t.try(ctx, "kubectl get serviceinstance first -o jsonpath='{.spec.externalID}'")
		t.run(ctx, 0, "kubectl bellhop retain first")
		t.run(ctx, 0, "kubectl bellhop retain first")
		t.run(ctx, 0, "kubectl bellhop deprovision first --wait")
		t.run(ctx, 2, "kubectl bellhop adopt first --class queue")
		t.run(ctx, 0, "kubectl bellhop adopt first --class queue --external-id "+id+" --delete-with-object --wait")
		t.run(ctx, 0, "kubectl bellhop retain first --off")
		t.run(ctx, 0, "kubectl bellhop adopt third --class queue --external-id 77 --dry-run=client -o yaml")
		t.run(ctx, 0, "kubectl bellhop deprovision first --wait")
		t.matchGolden("adopt")
	})

	// F-U34
	It("are deleted by a selector only after a question", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.run(ctx, 0, "kubectl bellhop provision first --class queue --labels app=orders --wait")
		t.run(ctx, 0, "kubectl bellhop provision second --class queue --labels app=orders --wait && kubectl bellhop retain second")
		t.run(ctx, 0, "kubectl bellhop bind first --wait")
		t.run(ctx, 1, "kubectl bellhop deprovision -l app=orders --yes")
		t.run(ctx, 1, "kubectl bellhop deprovision -l app=orders --unbind </dev/null")
		t.run(ctx, 1, "echo no | kubectl bellhop deprovision first second --unbind -i")
		t.run(ctx, 2, "kubectl bellhop deprovision first -i --yes")
		t.run(ctx, 0, "kubectl bellhop deprovision -l app=orders --unbind --dry-run=server")
		question, answer := t.startAsking("deprovision -l app=orders --unbind")
		t.try(ctx, "kubectl bellhop retain first")
		answer("y")
		Eventually(question).Should(gexec.Exit(1))
		Expect(string(question.Err.Contents())).To(HaveSuffix(
			"error: serviceinstance.servicecatalog.k8s.io/first has changed since it was shown, and was not deleted\n" +
				"hint: run the command again: it shows what is deleted now\n"))
		t.try(ctx, "kubectl bellhop retain first --off")
		t.run(ctx, 0, "kubectl get serviceinstances,servicebindings -o name")
		t.run(ctx, 0, "echo y | kubectl bellhop deprovision -l app=orders --unbind --wait")
		t.run(ctx, 0, "kubectl bellhop provision third --class queue --labels app=orders --wait")
		t.run(ctx, 0, "kubectl bellhop deprovision -l app=orders --yes --wait")
		t.matchGolden("deprovision")
	})

	It("explain wrong input and missing rights", func(ctx SpecContext) {
		t := newTranscript(ctx)
		for _, command := range []string{
			"provision", "provision db", "provision db --class postgress", "provision db --class postgres", "provision db --class postgres --plan tiny",
			"provision db --class postgres --plan small", "provision db --class postgres --plan small -p region=mars -p storage=99 -p colour=red",
			"provision db --class postgres --plan small -p region", "provision db --class postgres --plan small --params none.yaml",
			"provision db --class postgres --plan small --params-secret admin", "provision db --class queue --dry-run=perhaps", "provision db --class queue -o table",
			"provision db --klass queue", "bind", "update db", "upgrade", "unbind one -l app=x", "register second", "register second --url broker.example.com",
			"register second --url https://broker.example.com --username bellhop",
		} {
			t.run(ctx, 2, "kubectl bellhop "+command)
		}
		t.run(ctx, 0, "kubectl bellhop provision orders --class queue --wait")
		for _, command := range []string{
			"provision Orders --class queue", "provision orders --class queue", "bind order", "update order --plan small", "rotate orders", "relist acm", "deregister acm",
			"unbind -l app=none", "provision db --class queue --as jane", "bind orders --as jane", "deprovision orders --as jane", "rotate orders --as jane",
			"register second --url https://broker.example.com --as jane", "relist acme --as jane", "deregister acme --as jane",
			"retain orders --as jane", "plans queue --as jane", "schema queue --as jane", "update orders --repeat --as jane", "upgrade orders --as jane",
			"adopt old --class queue --external-id 1 --as jane", "unbind orders --as jane", "marketplace --context none", "marketplace --server https://127.0.0.1:1",
		} {
			t.run(ctx, 1, "kubectl bellhop "+command)
		}
		t.run(ctx, 0, "kubectl bellhop deprovision orders --wait")
		t.matchGolden("mistakes")
	})

	It("end a wait when a person has to act, or after the timeout", func(ctx SpecContext) {
		t := newTranscript(ctx)
		broker := osbtest.New(osbtest.Options{})
		Expect(broker.Listen()).To(Succeed())
		DeferCleanup(broker.Close)
		broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Answer: osbtest.Error(400, "", "the account is closed")})
		t.hide(broker.URL, "http://team.example.com")
		t.run(ctx, 0, "kubectl bellhop register team --namespaced --url "+broker.URL+" --wait")
		class, _ := t.try(ctx, "kubectl get serviceclasses -o jsonpath='{.items[0].spec.externalName}'")
		plan, _ := t.try(ctx, "kubectl get serviceplans -o jsonpath='{.items[0].spec.externalName}'")
		t.run(ctx, 3, "kubectl bellhop provision refused --class "+class+" --broker team --plan "+plan+" --wait")
		t.run(ctx, 0, "kubectl bellhop deprovision refused --wait")
		t.run(ctx, 0, "kubectl bellhop relist team --namespaced --wait")
		t.run(ctx, 4, "kubectl bellhop bind -f - --wait --timeout 1s <<EOF\n{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: early}, spec: {instanceRef: {name: late}}}\nEOF")
		t.run(ctx, 0, "kubectl bellhop deregister team --namespaced --wait")
		t.matchGolden("wait")
	})
})
