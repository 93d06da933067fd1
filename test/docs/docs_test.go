/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific infoString governing permissions and
limitations under the License.
*/

// Package docs_test compares the documentation with what it documents: it applies manifests to a real API server with the operator's
// webhooks, and compares lists of flags, metrics and reasons with the code.
package docs_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/internal/providers"
	"github.com/gophernetes/bellhop/test/internal/printed"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var (
	// repo and pages have to be known before the specs are created, as each block is a spec.
	repo  = must(local.FindRepo())
	pages = readPages()

	env     = &suite.Suite{}
	cluster *local.Cluster
	binary  string
	k8s     client.Client
	// plugin is the kubectl plugin's binary, receiverURL a receiver that accepts all messages, and brokerURL the broker of the samples.
	plugin, receiverURL, brokerURL string

	createNamespace = env.CreateNamespace
	kubectl         = env.Kubectl
)

func TestDocs(t *testing.T) {
	RegisterFailHandler(Fail)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "docs")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	// The cluster has to outlive this node's context.
	cluster, err = local.Start(context.WithoutCancel(ctx), local.Options{Repo: repo})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return cluster.Stop() })
	binary, err = local.BuildOperator(ctx, repo)
	Expect(err).NotTo(HaveOccurred())
	_, err = cluster.StartOperator(ctx, local.OperatorOptions{Binary: binary, Args: []string{"--allow-outbound=127.0.0.1",
		"--leader-elect", "--leader-elect-identity=" + leader, "--leader-elect-lease-duration=1h"}})
	Expect(err).NotTo(HaveOccurred())
	k8s, err = client.New(cluster.Config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	env.Cluster, env.Client = cluster, k8s
	plugin = suite.BuildPlugin(ctx)
	receiver := httptest.NewServer(inbox.New(inbox.Options{}).Handler())
	DeferCleanup(receiver.Close)
	receiverURL = receiver.URL
	registerBroker(ctx)
})

// registerBroker creates a broker with the name and the services that the samples use.
func registerBroker(ctx context.Context) {
	GinkgoHelper()
	const schema = `{"type": "object", "properties": {"location": {"type": "string"}}}`
	schemas := []byte(`{"service_instance": {"create": {"parameters": ` + schema + `}, "update": {"parameters": ` + schema + `}}}`)
	broker := osbtest.New(osbtest.Options{Services: []osbtest.Service{{
		ID: "64c061d6-4b2c-4ddc-b020-1b4d27da0dce", Name: "azure-mysql", Description: "A MySQL database",
		Bindable: true, InstancesRetrievable: true, BindingsRetrievable: true, PlanUpdateable: true,
		Behavior: osbtest.Behavior{Credentials: func(string) any {
			user, password := strings.ToLower(rand.Text()[:8]), rand.Text()
			return map[string]any{
				"host": "db-1.example.com", "port": 3306, "database": "orders", "username": user, "password": password,
				"uri": "mysql://" + user + ":" + password + "@db-1.example.com:3306/orders",
			}
		}},
		Plans: []osbtest.Plan{
			{ID: "438d65fd-9c12-4093-9e29-3753109aa78a", Name: "basic50", Description: "Up to 50 connections", BindingRotatable: true, Schemas: schemas},
			{ID: "2416f930-65e8-4f84-81a6-0ebf2dfa837f", Name: "standard100", Description: "Up to 100 connections", BindingRotatable: true, Schemas: schemas},
		},
	}}})
	Expect(broker.Listen()).To(Succeed())
	DeferCleanup(broker.Close)
	brokerURL = broker.URL
	out, err := kubectl(ctx, "{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ClusterServiceBroker, metadata: {name: azure}, spec: {url: "+strconv.Quote(brokerURL)+"}}",
		"apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred(), out)
	out, err = kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=30s", "clusterservicebroker/azure")
	Expect(err).NotTo(HaveOccurred(), out)
}

var _ = Describe("The documentation", func() {
	It("has a README of two screens, with examples, installation and alternatives", func() {
		Expect(strings.Count(pages["README.md"], "\n")).To(BeNumerically("<=", 95))
	})

	for _, b := range readBlocks() {
		switch b.infoString {
		case "yaml":
			It("has a manifest that is accepted: "+b.where, func(ctx SpecContext) {
				out, err := dryRun(ctx, b.text)
				Expect(err).NotTo(HaveOccurred(), out)
			})
		case "yaml invalid":
			It("has a manifest that is refused: "+b.where, func(ctx SpecContext) {
				out, err := dryRun(ctx, b.text)
				Expect(err).To(HaveOccurred(), out)
				Expect(out).To(Or(ContainSubstring("is invalid"), ContainSubstring("denied the request")), "refused for its content, and not as malformed")
			})
		case "yaml kustomize":
			It("has an overlay that builds: "+b.where, func(ctx SpecContext) {
				copied := filepath.Join(GinkgoT().TempDir(), "config")
				Expect(os.CopyFS(copied, os.DirFS(filepath.Join(repo, "config")))).To(Succeed())
				mine := filepath.Join(copied, "mine")
				Expect(os.Mkdir(mine, 0o755)).To(Succeed())
				Expect(os.WriteFile(filepath.Join(mine, "kustomization.yaml"), []byte(b.text), 0o600)).To(Succeed())
				out, err := kubectl(ctx, "", "kustomize", mine)
				Expect(err).NotTo(HaveOccurred(), out)
			})
		case "sh test":
			It("has commands that work: "+b.where, func(ctx SpecContext) {
				out, err := runCommands(ctx, b.text)
				Expect(err).NotTo(HaveOccurred(), out)
				if b.output != "" {
					Expect(printed.Compare(b.output, out)).To(Succeed())
				}
			})
		case "sh":
			It("has commands that a shell can parse, without an output: "+b.where, func(ctx SpecContext) {
				cmd := exec.CommandContext(ctx, "bash", "-n")
				cmd.Stdin = strings.NewReader(b.text)
				out, err := cmd.CombinedOutput()
				Expect(err).NotTo(HaveOccurred(), string(out))
				if !strings.HasPrefix(b.where, "docs/tutorials/") { // test/e2e runs the tutorials
					Expect(b.output).To(BeEmpty(), "an output is compared with what a block of \"sh test\" prints, see docs/contributing/writing-style.md")
				}
			})
		default:
			It("has only code blocks of known languages: "+b.where, func() {
				Expect(b.infoString).To(BeElementOf("http", "python", "go", "text"), "YAML blocks are applied, see docs/contributing/writing-style.md")
			})
		}
	}

	DescribeTable("has samples that are accepted", func(ctx SpecContext, path string) {
		text, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		out, err := dryRun(ctx, string(text))
		Expect(err).NotTo(HaveOccurred(), out)
	}, sampleEntries())

	It("has a sample of each provider, and each sample in the kustomization", func() {
		folder := filepath.Join(repo, "config", "samples")
		kustomization := string(must(os.ReadFile(filepath.Join(folder, "kustomization.yaml"))))
		var samples strings.Builder
		for _, path := range must(filepath.Glob(filepath.Join(folder, "*.yaml"))) {
			if name := filepath.Base(path); name != "kustomization.yaml" {
				Expect(kustomization).To(ContainSubstring("\n- " + name + "\n"))
				samples.Write(must(os.ReadFile(path)))
			}
		}
		for field := range reflect.TypeFor[v1beta1.Provider]().Fields() {
			Expect(samples.String()).To(MatchRegexp(`(?m)^  %s:`, jsonName(field)))
		}
	})

	It("has pictures that are well-formed, with a text for those who do not see them", func() {
		images := 0
		for _, page := range pageNames() {
			for _, tag := range regexp.MustCompile(`<img [^>]*>`).FindAllString(pages[page], -1) {
				images++
				Expect(tag).To(MatchRegexp(`alt="[^"]+"`), page)
				source := regexp.MustCompile(`src="([^"]+\.svg)"`).FindStringSubmatch(tag)
				Expect(source).NotTo(BeEmpty(), tag)
				text, err := os.ReadFile(filepath.Join(repo, filepath.Dir(page), source[1]))
				Expect(err).NotTo(HaveOccurred(), page)
				Expect(xml.Unmarshal(text, new(struct {
					XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
				}))).To(Succeed(), source[1])
			}
		}
		Expect(images).To(BeNumerically(">=", 2))
	})

	It("has an index of all pages", func() {
		for _, page := range pageNames() {
			path, inDocs := strings.CutPrefix(page, "docs/")
			if inDocs && path != "README.md" && filepath.Dir(path) != "reference/receivers" { // reference/receivers.md has these
				Expect(pages["docs/README.md"]).To(ContainSubstring("]("+path+")"), page)
			}
		}
	})

	It("has no broken links", func() {
		link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
		for _, page := range pageNames() {
			for _, match := range link.FindAllStringSubmatch(pages[page], -1) {
				target, anchor, _ := strings.Cut(match[1], "#")
				if strings.Contains(target, "://") {
					continue
				}
				path := page
				if target != "" {
					path = filepath.Join(filepath.Dir(page), target)
				}
				Expect(filepath.Join(repo, path)).To(BeAnExistingFile(), "%s links to %s", page, match[1])
				if anchor != "" {
					Expect(headingAnchors(pages[path])).To(ContainElement(anchor), "%s links to %s", page, match[1])
				}
			}
		}
	})

	It("has no broken links to it, and none in Markdown elsewhere", func() {
		mention := regexp.MustCompile(`\bdocs/[\w/-]+\.md(?:#[\w-]+)?`) // in comments, messages and URLs of this repository
		link := regexp.MustCompile(`\]\(([^)\s#]+)[^)\s]*\)`)
		Expect(filepath.WalkDir(repo, func(path string, entry fs.DirEntry, err error) error {
			name := must(filepath.Rel(repo, path))
			if err != nil || entry.IsDir() {
				if slices.Contains([]string{".git", "bin", "client", "dist", "docs"}, name) {
					return fs.SkipDir
				}
				return err
			}
			if !slices.Contains([]string{".go", ".golden", ".gotmpl", ".json", ".md", ".sh", ".tpl", ".txt", ".yaml", ".yml"}, filepath.Ext(name)) || strings.HasSuffix(name, "_test.go") {
				return nil
			}
			text := string(must(os.ReadFile(path)))
			for _, target := range mention.FindAllString(text, -1) {
				target, anchor, _ := strings.Cut(target, "#")
				Expect(filepath.Join(repo, target)).To(BeAnExistingFile(), "%s mentions %s", name, target)
				if anchor != "" {
					Expect(headingAnchors(pages[target])).To(ContainElement(anchor), "%s links to %s", name, target)
				}
			}
			if filepath.Ext(name) != ".md" {
				return nil
			}
			for _, match := range link.FindAllStringSubmatch(text, -1) {
				if !strings.Contains(match[1], "://") {
					Expect(filepath.Join(filepath.Dir(path), match[1])).To(BeAnExistingFile(), "%s links to %s", name, match[1])
				}
			}
			return nil
		})).To(Succeed())
	})

	It("has a runbook for each alert, and for no other", func() {
		rules, err := os.ReadFile(filepath.Join(repo, "config/prometheus/rules.yaml"))
		Expect(err).NotTo(HaveOccurred())
		var alerts []string
		for _, match := range regexp.MustCompile(`(?m)^ *- alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1) {
			alerts = append(alerts, match[1])
			Expect(string(rules)).To(ContainSubstring("/docs/how-to/runbooks.md#" + strings.ToLower(match[1]) + "\n"))
		}
		Expect(alerts).NotTo(BeEmpty())
		var runbooks []string
		for _, match := range regexp.MustCompile(`(?m)^## (Bellhop\w+)$`).FindAllStringSubmatch(pages["docs/how-to/runbooks.md"], -1) {
			runbooks = append(runbooks, match[1])
		}
		Expect(runbooks).To(ConsistOf(alerts))
	})

	It("names tests that exist for each threat", func() {
		rows := regexp.MustCompile(`(?m)^\| \*\*.*\|$`).FindAllString(pages["docs/explanation/security.md"], -1)
		Expect(rows).NotTo(BeEmpty())
		for _, row := range rows {
			columns := strings.Split(row, "|")
			files := regexp.MustCompile("`([^`]+_test.go)`: ((?:`[^`]+`(?:, )?)+)").FindAllStringSubmatch(columns[3], -1)
			Expect(files).NotTo(BeEmpty(), row)
			for _, file := range files {
				source, err := os.ReadFile(filepath.Join(repo, file[1]))
				Expect(err).NotTo(HaveOccurred())
				for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(file[2], -1) {
					Expect(string(source)).To(ContainSubstring(name[1]), file[1])
				}
			}
		}
	})

	It("names exactly the flags of the operator", func(ctx SpecContext) {
		help, err := exec.CommandContext(ctx, binary, "--help").Output()
		Expect(err).NotTo(HaveOccurred())
		flags := findMatches(string(help), `(?m)^  (--[a-z-]+)`)
		Expect(flags).To(ContainElement("--allow-outbound"))
		Expect(readColumn("docs/reference/flags.md", "flag", regexp.MustCompile("`(--[a-z-]+)`"))).To(ConsistOf(flags), "each once")
	})

	It("names exactly the kinds that the API server serves, with their short names and categories", func(ctx SpecContext) {
		quoted := func(names ...string) string {
			if len(names) == 0 {
				return ""
			}
			return "`" + strings.Join(names, "`, `") + "`"
		}
		served := map[string]string{} // the cells of names and categories, by kind
		for _, version := range []string{v1beta1.GroupVersion.String(), servicecatalogv1beta1.GroupVersion.String()} {
			out, err := kubectl(ctx, "", "get", "--raw", "/apis/"+version)
			Expect(err).NotTo(HaveOccurred(), out)
			var list metav1.APIResourceList
			Expect(json.Unmarshal([]byte(out), &list)).To(Succeed())
			for _, r := range list.APIResources {
				if !strings.Contains(r.Name, "/") {
					served[quoted(r.Kind)] = strings.Join([]string{quoted(r.Name, r.SingularName), quoted(r.ShortNames...), quoted(r.Categories...)}, "|")
				}
			}
		}
		documented := map[string]string{}
		for line := range strings.Lines(pages["docs/reference/kinds.md"]) {
			if cells := strings.Split(line, "|"); len(cells) == 9 && strings.Contains(cells[1], "`") {
				for i := range cells {
					cells[i] = strings.TrimSpace(cells[i])
				}
				documented[cells[1]] = strings.Join(cells[5:8], "|")
			}
		}
		Expect(documented).To(Equal(served))
	})

	It("names exactly the metrics of the operator", func() {
		metrics := findInSource(`(?:Name: +|NewDesc\()"((?:bellhop|servicecatalog)_[a-z_]+)"`, "controllers", "internal", "webhooks")
		Expect(metrics).To(ContainElements("bellhop_alerts_waiting", "servicecatalog_osb_request_count"))
		const page = "docs/reference/metrics.md"
		Expect(readColumn(page, "metric", regexp.MustCompile("`((?:bellhop|servicecatalog)_[a-z_]+)`"))).To(ConsistOf(metrics), "each once")
		classes := findInSource(`\bClass = "([A-Za-z]+)"`, "internal/notify/result", "internal/osb/result")
		Expect(classes).To(ContainElements("Unconfirmed", "Misconfigured"))
		for _, class := range classes {
			Expect(pages[page]).To(MatchRegexp(`\b%s\b`, class), "values of labels")
		}
	})

	It("names exactly the reasons of events", func() {
		const page = "docs/reference/events.md"
		reason := regexp.MustCompile("`([A-Z][A-Za-z]+)`")
		By("comparing those about Alerts")
		emit := `\.event\([a-z]+, corev1\.EventType[A-Za-z]+, `
		alerts := findInSource(emit+`"([A-Za-z]+)"`, "controllers/pager/alert")
		for _, name := range findInSource(emit+`v1beta1\.(Reason[A-Za-z]+)`, "controllers/pager/alert") {
			alerts = append(alerts, findInSource(`\b`+name+` += "([A-Za-z]+)"`, "api/pager/v1beta1")...)
		}
		stalled := findInSource(`(?m)^\t// Reason[A-Za-z]+: (?:.*\n\t// )*.*Stalled\.\n\tReason[A-Za-z]+ += "([A-Za-z]+)"`, "api/pager/v1beta1")
		Expect(stalled).To(ContainElements("NoReceiver", "ResolveTimedOut", "RecipientRefused"))
		stalled = slices.DeleteFunc(stalled, func(r string) bool { return r == "RecipientRefused" }) // of a receiver
		expectSameSet(append(alerts, stalled...), readColumn(page, "reason of an event about an Alert", reason))

		By("comparing those about services")
		values := func(pattern string, paths ...string) (found []string) {
			GinkgoHelper()
			for _, name := range findInSource(pattern, paths...) {
				found = append(found, findInSource(`\b`+name+` += "([A-Za-z]+)"`, "api/servicecatalog/v1beta1")...)
			}
			Expect(found).NotTo(BeEmpty(), pattern)
			return found
		}
		own := values(`(?:Eventf\(|audit\.Left\(|Deleted: ).*\bv1beta1\.(Reason[A-Za-z]+)`, "controllers/servicecatalog", "internal/lifecycle/catalogsync")
		own = append(own, values(`v1beta1\.(ReasonRetained)\b`, "controllers/servicecatalog/engine")...)
		expectSameSet(own, readColumn(page, "reason of an event about a service", reason))
		expectSameSet(values(`v1beta1\.(Reason[A-Za-z]+): +\{Warning: true\}`, "internal/lifecycle"), readColumn(page, "reason of a Warning, also while the operator retries", reason))
		expectSameSet(values(`v1beta1\.(Reason[A-Za-z]+): +\{Quiet: true\}`, "internal/lifecycle"), readColumn(page, "reason without an event", reason))

		By("comparing those of the provider event")
		var sent []string
		for _, event := range findInSource(`\bEvent = "([A-Za-z]+)"`, "internal/notify/result") {
			sent = append(sent, "Alert"+event)
		}
		expectSameSet(sent, readColumn(page, "reason of an event as a message", reason))
	})

	It("explains exactly the types of conditions", func() {
		types := findInSource(`(?m)^\tCondition[A-Z][A-Za-z]+ += "([A-Za-z]+)"`, "api/pager/v1beta1", "api/servicecatalog/v1beta1")
		Expect(types).To(ContainElements("Stalled", "OrphanMitigation"))
		expectSameSet(types, readColumn("docs/reference/conditions.md", "condition type", quotedName))
	})

	It("explains exactly the reasons of Alerts, receivers and answers", func() {
		const page = "docs/reference/conditions.md"
		reason := regexp.MustCompile("`([A-Z][A-Za-z]+)`")
		const declared = `\bReason[A-Za-z]+ += "([A-Za-z]+)"`
		own := []string{"Reachable", "NotProbed", "Probing", "RecipientRefused"}
		alerts := slices.DeleteFunc(findInSource(declared, "api/pager/v1beta1"), func(r string) bool { return slices.Contains(own, r) })
		Expect(alerts).To(ContainElement("ResolveTimedOut"))
		expectSameSet(alerts, readColumn(page, "reason of an Alert", reason))
		expectSameSet(append(own, "SecretNotFound", "SecretNotRead", "Suspended"), readColumn(page, "reason of a receiver", reason))
		expectSameSet(findInSource(declared, "internal/notify"), readColumn(page, "reason of an answer", reason))
	})

	It("explains exactly the reasons of brokers, instances and bindings", func() {
		const page = "docs/reference/conditions.md"
		reason := regexp.MustCompile("`([A-Z][A-Za-z]+)`")
		events := readColumn("docs/reference/events.md", "reason of an event about a service", reason)
		all := slices.Clone(events)
		for kind, name := range map[string]string{"a broker": "broker", "an instance": "instance", "a binding": "binding"} {
			documented := readColumn(page, "reason of "+kind, reason)
			Expect(append(documented, events...)).To(ContainElements(findReasons("controllers/servicecatalog/"+name, "internal/lifecycle/"+name)), "reasons of %s", kind)
			all = append(all, documented...)
		}
		expectSameSet(findReasons(servicePackages...), all)
	})

	It("classifies answers by exactly the classes and reasons of the code", func() {
		const page = "docs/reference/http-responses.md"
		const class = `\bClass = "([A-Za-z]+)"`
		expectSameSet(append(findInSource(class, "internal/notify/result"), "Confirmed"), readColumnAt(page, "answer of a receiver", 2, quotedName))
		expectSameSet(findInSource(`\bReason[A-Za-z]+ += "([A-Za-z]+)"`, "internal/notify"), readColumnAt(page, "answer of a receiver", 3, quotedName))
		expectSameSet(findInSource(class, "internal/osb/result"), readColumnAt(page, "answer of a broker", 2, quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[v1beta1.Provider]()), readColumn(page, "receiver", regexp.MustCompile(`\[([A-Za-z]+)\]\(receivers/`)))
	})

	It("names exactly the warnings of admission", func() {
		const page = "docs/reference/warnings.md"
		cell := regexp.MustCompile("^ `(.*)` $")
		var documented []string
		for _, title := range []string{"warning about an Alert or receiver", "warning about a service", "risk"} {
			documented = append(documented, readColumn(page, title, cell)...)
		}
		code := strings.Split(pages["docs/reference/messages.md"], "\n") // which are generated from the code, but have no text with a brace
		const literal = `(?:fmt\.Sprintf\()?"((?:[^"\\]|\\.)+)"`
		for _, call := range []string{`\.warn\(`, `warnings = append\(warnings, `, `ctrladmission\.Warnings\{`} {
			texts := findInSource(call+literal, "webhooks")
			Expect(texts).NotTo(BeEmpty())
			for _, text := range texts {
				text = regexp.MustCompile(`%[a-z]`).ReplaceAllString(strings.ReplaceAll(text, `\"`, `"`), "…")
				if text == "…: …" { // a field and one of the other texts
					continue
				}
				Expect(documented).To(ContainElement(HavePrefix(text)), "the documentation, compared with the code")
				code = append(code, text)
			}
		}
		for _, text := range documented {
			Expect(code).To(ContainElement(text), page)
		}
	})

	It("names exactly the annotations, labels and finalizers", func() {
		const page = "docs/reference/annotations.md"
		key := regexp.MustCompile("`((?:(?:[a-z0-9-]+\\.)+[a-z]+|kubernetes-incubator)/[A-Za-z0-9.-]+)`")
		code := findInSource(`"((?:(?:[a-z0-9-]+\.)+[a-z]+|kubernetes-incubator)/[A-Za-z][A-Za-z0-9.-]*)"`, "api", "internal", "controllers", "webhooks", "cmd/kubectl-bellhop")
		foreign := regexp.MustCompile(`^(?:(?:sigs\.)?k8s\.io|github\.com|golang\.org|go\.[a-z.]+|gopkg\.in|type\.googleapis\.com)/|/v[0-9][a-z0-9]*$|\.sh/canary$|^(?:example\.com|t\.me)/`)
		code = slices.DeleteFunc(code, foreign.MatchString) // imports, API versions and addresses
		Expect(code).To(ContainElements("pager.k8s.co/alert", "velero.io/restore-name", "servicecatalog.k8s.io/spec.externalID"))
		var documented []string
		for _, title := range []string{"annotation", "key", "label", "finalizer"} {
			documented = append(documented, readColumn(page, title, key)...)
		}
		expectSameSet(code, documented)

		By("comparing the labels of the installation with config/")
		manifests := ""
		Expect(filepath.WalkDir(filepath.Join(repo, "config"), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".yaml" {
				manifests += string(must(os.ReadFile(path)))
			}
			return err
		})).To(Succeed())
		for _, label := range readColumn(page, "label of the installation", regexp.MustCompile("`([a-z0-9./-]+)`")) {
			Expect(manifests).To(MatchRegexp(`(?m)[ {]%s: `, regexp.QuoteMeta(label)))
		}
	})

	It("is not compared with reasons of the API that the operator never uses", func() {
		expectSameSet(findInSource(`\bReason[A-Za-z]+ += "([A-Za-z]+)"`, "api/servicecatalog/v1beta1"), findReasons(servicePackages...))
	})

	It("has a page for each provider, in the same form, with exactly its fields, and with its guarantee", func() {
		form := []string{"Example", "Set up", "Reference", "Messages", "Limits and answers", "What it guarantees"}
		keys := map[string][]string{} // of the Secret
		for _, reference := range providers.References() {
			for _, mode := range reference.Modes {
				keys[reference.Name] = append(keys[reference.Name], mode.SecretKeys...)
			}
		}
		for field := range reflect.TypeFor[v1beta1.Provider]().Fields() {
			provider := jsonFields(field.Type.Elem())
			path := "docs/reference/receivers/" + strings.ToLower(jsonName(field)) + ".md"
			By("reading " + path)
			page := pages[path]
			Expect(page).To(HavePrefix("# "+jsonName(field)+"\n"), path)
			Expect(findMatches(page, `(?m)^## (.*)$`)).To(Equal(form), path)
			if len(provider) == 0 {
				Expect(page).To(ContainSubstring("`spec.%s` has no fields.", jsonName(field)), path)
			} else {
				expectSameSet(provider, readColumn(path, "field of `spec."+jsonName(field)+"`", quotedName))
			}
			if ownKeys := keys[jsonName(field)]; ownKeys != nil {
				expectSameSet(append(ownKeys, "ca.crt", "tls.crt", "tls.key"), readColumn(path, "key of the Secret", regexp.MustCompile("`([A-Za-z0-9.]+)`")))
			}
			var rows string
			for line := range strings.Lines(pages["docs/reference/receivers.md"]) {
				if cells := strings.Split(line, "|"); len(cells) == 8 && strings.Contains(cells[1], "("+filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path)+")") {
					rows += cells[2]
				}
			}
			Expect(rows).NotTo(BeEmpty(), "docs/reference/receivers.md has a row of %s", path)
			_, guarantee, _ := strings.Cut(page, "## What it guarantees")
			expectSameSet(findMatches(rows, `\b(once|twice)\b`), findMatches(guarantee, `\*\*(once|twice)\*\*`))
		}
	})

	It("names exactly the fields of receivers and of their statuses", func() {
		spec := slices.DeleteFunc(jsonFields(reflect.TypeFor[v1beta1.ClusterReceiverSpec]()), func(name string) bool {
			return slices.Contains(jsonFields(reflect.TypeFor[v1beta1.Provider]()), name)
		})
		expectSameSet(spec, readColumn("docs/reference/receivers.md", "field of `spec`", quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[v1beta1.ReceiverStatus]()), readColumn("docs/reference/receivers.md", "field of `status`", quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[v1beta1.Delivery]()), readColumn("docs/reference/alerts.md", "field of `status.deliveries`", quotedName))
		expectSameSet(findInSource(`\bDelivery[A-Z][a-z]+ +DeliveryState = "([A-Za-z]+)"`, "api/pager/v1beta1"), readColumn("docs/reference/alerts.md", "state", quotedName))
	})

	It("names exactly the fields of Alerts and of their statuses", func() {
		expectSameSet(jsonFields(reflect.TypeFor[v1beta1.AlertSpec]()), readColumn("docs/reference/alerts.md", "field of an Alert's `spec`", quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[v1beta1.AlertStatus]()), readColumn("docs/reference/alerts.md", "field of an Alert's `status`", quotedName))
	})

	It("names exactly the fields of brokers, instances and bindings", func() {
		const page = "docs/reference/services.md"
		own := func(t reflect.Type) []string {
			reference := jsonFields(reflect.TypeFor[servicecatalogv1beta1.PlanReference]())
			return slices.DeleteFunc(jsonFields(t), func(name string) bool { return slices.Contains(reference, name) })
		}
		expectSameSet(jsonFields(reflect.TypeFor[servicecatalogv1beta1.ClusterServiceBrokerSpec]()), readColumn(page, "field of a broker's `spec`", quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[servicecatalogv1beta1.AuthInfo]()), readColumn(page, "field of `authInfo`", quotedName))
		expectSameSet(own(reflect.TypeFor[servicecatalogv1beta1.ServiceInstanceSpec]()), readColumn(page, "field of an instance's `spec`", quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[servicecatalogv1beta1.ServiceBindingSpec]()), readColumn(page, "field of a binding's `spec`", quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[servicecatalogv1beta1.ServiceBrokerStatus]()), readColumn(page, "field of a broker's `status`", quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[servicecatalogv1beta1.ServiceInstanceStatus]()), readColumn(page, "field of an instance's `status`", quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[servicecatalogv1beta1.ServiceBindingStatus]()), readColumn(page, "field of a binding's `status`", quotedName))
		for _, name := range jsonFields(reflect.TypeFor[servicecatalogv1beta1.PlanReference]()) {
			Expect(pages[page]).To(ContainSubstring("| `" + name + "` |"))
		}
	})

	It("names exactly the make targets", func() {
		makefile, err := os.ReadFile(filepath.Join(repo, "Makefile"))
		Expect(err).NotTo(HaveOccurred())
		var targets []string
		for _, match := range regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## `).FindAllSubmatch(makefile, -1) {
			targets = append(targets, string(match[1]))
		}
		var named []string
		collect := func(text, pattern string) {
			for _, match := range regexp.MustCompile(pattern+`make ((?:[a-z0-9-]+ ?)+)`).FindAllStringSubmatch(text, -1) {
				named = append(named, strings.Fields(match[1])...)
			}
		}
		for _, page := range pageNames() {
			collect(pages[page], "(?m)(?:`|^    )")
		}
		for _, b := range readBlocks() {
			if strings.HasPrefix(b.infoString, "sh") {
				collect(b.text, "(?m)^")
			}
		}
		expectSameSet(targets, named)
	})

	It("names exactly the steps of the nightly run and their limits", func() {
		script, err := os.ReadFile(filepath.Join(repo, "hack/nightly.sh"))
		Expect(err).NotTo(HaveOccurred())
		steps := findMatches(string(script), `(?m)^\t([a-z0-9]+\) echo [0-9]+) ;;$`)
		var documented []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9]+)` \\|.*\\| ([0-9]+) \\|$").FindAllStringSubmatch(pages["docs/contributing/testing.md"], -1) {
			documented = append(documented, row[1]+") echo "+row[2])
		}
		expectSameSet(steps, documented)
	})

	It("names exactly the parts and the flags of the benchmarks", func(ctx SpecContext) {
		bench := exec.CommandContext(ctx, "go", "run", "-tags", "grpcnotrace", "./bench", "-help")
		bench.Dir = filepath.Join(repo, "test")
		out, err := bench.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
		help, flags, _ := strings.Cut(string(out), "\nflags:\n")
		const page = "docs/contributing/benchmarks.md"
		expectSameSet(findMatches(help, `(?m)^  ([a-z]+) +[a-z]`), readColumn(page, "part", quotedName))
		expectSameSet(findMatches(flags, `(?m)^  -([a-z-]+)`), readColumn(page, "flag", regexp.MustCompile("`-([a-z-]+)")))
	})

	It("names no folder of a developer's machine", func() {
		for _, page := range pageNames() {
			Expect(pages[page]).NotTo(MatchRegexp(`/(?:home|work|root|Users)/|/tmp/(?:[^k])`), page)
		}
	})
})

// A block is a fenced code block of a page.
type block struct {
	infoString string // after the opening fence
	where      string
	text       string
	output     string // the text block that directly follows
}

func readBlocks() []block {
	fence := regexp.MustCompile("(?ms)^( *)```([^\n]*)\n(.*?)^ *```$")
	var found []block
	for _, page := range pageNames() {
		fences := fence.FindAllStringSubmatchIndex(pages[page], -1)
		for i, at := range fences {
			line := 1 + strings.Count(pages[page][:at[0]], "\n")
			b := block{
				infoString: pages[page][at[4]:at[5]],
				where:      fmt.Sprintf("%s:%d", page, line),
				text:       pages[page][at[6]:at[7]],
			}
			if indent := pages[page][at[2]:at[3]]; indent != "" { // in a list
				b.text = regexp.MustCompile("(?m)^"+indent).ReplaceAllString(b.text, "")
			}
			if b.infoString == "text" && i > 0 && strings.TrimSpace(pages[page][fences[i-1][1]:at[0]]) == "" {
				found[len(found)-1].output = b.text
			}
			found = append(found, b)
		}
	}
	return found
}

// readPages reads the pages, by their paths in the repository. It leaves out the API reference, which is generated.
func readPages() map[string]string {
	found := map[string]string{"README.md": string(must(os.ReadFile(filepath.Join(repo, "README.md"))))}
	root := filepath.Join(repo, "docs")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" || path == filepath.Join(root, "reference", "api.md") {
			return err
		}
		text, err := os.ReadFile(path)
		found[must(filepath.Rel(repo, path))] = string(text)
		return err
	})
	return must(found, err)
}

func pageNames() []string {
	var all []string
	for name := range pages {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func sampleEntries() []TableEntry {
	var entries []TableEntry
	for _, path := range must(filepath.Glob(filepath.Join(repo, "config", "samples", "*.yaml"))) {
		if name := filepath.Base(path); name != "kustomization.yaml" {
			entries = append(entries, Entry(name, path))
		}
	}
	return entries
}

// dryRun applies each document of a manifest as a server-side dry run: in the namespace that the document names, or in a new one.
func dryRun(ctx context.Context, manifest string) (string, error) {
	GinkgoHelper()
	own := createNamespace(ctx)
	var out strings.Builder
	for _, document := range regexp.MustCompile(`(?m)^---$`).Split(manifest, -1) {
		var object metav1.PartialObjectMetadata
		Expect(yaml.Unmarshal([]byte(document), &object)).To(Succeed())
		if object.Kind == "" {
			continue
		}
		namespace := own
		if object.Namespace != "" {
			namespace = object.Namespace
			err := k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
			Expect(client.IgnoreAlreadyExists(err)).To(Succeed())
		}
		said, err := kubectl(ctx, document, "apply", "--dry-run=server", "--namespace", namespace, "-f", "-")
		out.WriteString(said)
		if err != nil {
			return out.String(), err
		}
		Expect(said).To(ContainSubstring("(server dry run)"))
	}
	return out.String(), nil
}

// runCommands runs commands in the repository, with a namespace of their own that has the namespaced samples. It replaces the
// broker of the pages by the one of the test, and in what the commands print names of the test by those that the pages use.
func runCommands(ctx context.Context, commands string) (string, error) {
	GinkgoHelper()
	config, err := clientcmd.LoadFromFile(cluster.Kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	namespace := createNamespace(ctx)
	config.Contexts[config.CurrentContext].Namespace = namespace
	kubeconfig := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, kubeconfig)).To(Succeed())
	run := func(script string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-eu")
		cmd.Dir = repo
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(script, samplesBroker, brokerURL))
		path := []string{filepath.Dir(plugin), filepath.Dir(cluster.KubectlPath), os.Getenv("PATH")}
		cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+os.TempDir(), "RECEIVER_URL="+receiverURL,
			"PATH="+strings.Join(path, string(os.PathListSeparator)))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run(createSamples)
	Expect(err).NotTo(HaveOccurred(), out)
	out, err = run(commands)
	return strings.NewReplacer(namespace, "default", brokerURL, samplesBroker, receiverURL, "https://hooks.example.com/bellhop").Replace(out), err
}

// leader is the leader's identity on the pages.
const leader = "bellhop-controller-manager-6f4d9c7b8d-x2x7k_3f0c7a52-6c0e-4a35-9f0e-2f6a3f0c9d11"

// samplesBroker is the URL of the broker in the pages and in the samples.
const samplesBroker = "https://broker.example.com"

// createSamples creates the namespaced samples, without the Secret of the Receiver, and oncall as the default Receiver. Both Receivers have
// the URL of a receiver that works. It removes the namespace default from the instance and the binding.
const createSamples = `cd config/samples
kubectl apply -f - <<END
apiVersion: pager.k8s.co/v1beta1
kind: Receiver
metadata: {name: oncall, annotations: {pager.k8s.co/is-default-receiver: "true"}}
spec: {webhook: {url: "$RECEIVER_URL"}}
END
sed "s|https://hooks.example.com/bellhop|$RECEIVER_URL|" pager_v1beta1_receiver.yaml | kubectl apply -f -
kubectl apply -f pager_v1beta1_alert.yaml
sed '/^  namespace: default$/d' servicecatalog_v1beta1_serviceinstance.yaml | kubectl apply -f -
sed '/^  namespace: default$/d' servicecatalog_v1beta1_servicebinding.yaml | kubectl apply -f -
kubectl wait --for=condition=Reconciling --timeout=30s alert/disk-full
kubectl wait --for=condition=Ready --timeout=30s serviceinstance/example-mysql-instance servicebinding/example-mysql-binding`

// readColumn returns the matches of a pattern in the first cells of the tables whose first column has this title.
func readColumn(page, title string, pattern *regexp.Regexp) []string {
	GinkgoHelper()
	return readColumnAt(page, title, 1, pattern)
}

// readColumnAt returns the matches of a pattern in a column, counted from 1, of the tables whose first column has this title.
func readColumnAt(page, title string, column int, pattern *regexp.Regexp) []string {
	GinkgoHelper()
	var found []string
	inside := false
	for line := range strings.Lines(pages[page]) {
		cells := strings.Split(line, "|")
		switch {
		case len(cells) < 3:
			inside = false
		case strings.TrimSpace(cells[1]) == title:
			inside = true
		case inside:
			for _, match := range pattern.FindAllStringSubmatch(cells[column], -1) {
				found = append(found, match[1])
			}
		}
	}
	Expect(found).NotTo(BeEmpty(), "%s has a table with the column %q", page, title)
	return found
}

// findInSource returns the matches of a pattern in the Go files below the folders, without tests.
func findInSource(pattern string, folders ...string) []string {
	GinkgoHelper()
	expression := regexp.MustCompile(pattern)
	var found []string
	for _, folder := range folders {
		Expect(filepath.WalkDir(filepath.Join(repo, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, match := range expression.FindAllSubmatch(text, -1) {
				found = append(found, string(match[1]))
			}
			return err
		})).To(Succeed())
	}
	return found
}

// servicePackages give reasons to brokers, instances and bindings.
var servicePackages = []string{"controllers/servicecatalog", "internal/brokers", "internal/lifecycle"}

// findReasons returns the reasons that the code in folders or files uses for brokers, instances and bindings.
func findReasons(paths ...string) []string {
	GinkgoHelper()
	used := findInSource(`\bv1beta1\.(Reason[A-Za-z]+)\b`, paths...)
	var values []string
	for _, name := range slices.Compact(slices.Sorted(slices.Values(used))) {
		values = append(values, findInSource(`\b`+name+` += "([A-Za-z]+)"`, "api/servicecatalog/v1beta1")...)
	}
	return values
}

// expectSameSet compares what the code has with what is documented. It ignores order and repetitions.
func expectSameSet(code, documented []string) {
	GinkgoHelper()
	distinct := func(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
	Expect(distinct(documented)).To(Equal(distinct(code)), "the documentation, compared with the code")
}

// quotedName matches a name in backquotes.
var quotedName = regexp.MustCompile("`([A-Za-z0-9]+)`")

// findMatches returns what the pattern's group matches in a text.
func findMatches(text, pattern string) []string {
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// jsonFields returns the fields of an API type by their JSON names.
func jsonFields(t reflect.Type) []string {
	var pageNames []string
	for field := range t.Fields() {
		if field.Anonymous {
			pageNames = append(pageNames, jsonFields(field.Type)...)
			continue
		}
		pageNames = append(pageNames, jsonName(field))
	}
	return pageNames
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// headingAnchors returns the anchors that GitHub gives to the headings of a page.
func headingAnchors(page string) []string {
	var found []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		var anchor bytes.Buffer
		for _, r := range strings.ToLower(match[1]) {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				anchor.WriteRune(r)
			case r == ' ':
				anchor.WriteByte('-')
			}
		}
		found = append(found, anchor.String())
	}
	return found
}

func must[T any](value T, errs ...error) T {
	for _, err := range errs {
		if err != nil {
			panic(err)
		}
	}
	return value
}
