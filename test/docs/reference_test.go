// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/providers"
)

// The reference, compared with the code both ways: what the code has is documented, and what is documented the code has.
var _ = Describe("The documentation", func() {
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
		classes := findInSource(`\bClass = "([A-Za-z]+)"`, "internal/pager/notify/result", "internal/servicecatalog/osb/osbresult")
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
		ofOthers := []string{"RecipientRefused", "ListenerOff", "TokenMissing"} // of receivers and AlertSources
		Expect(stalled).To(ContainElements(append([]string{"NoReceiver", "ResolveTimedOut"}, ofOthers...)))
		stalled = slices.DeleteFunc(stalled, func(r string) bool { return slices.Contains(ofOthers, r) })
		expectSameSet(append(alerts, stalled...), readColumn(page, "reason of an event about an Alert", reason))

		By("comparing those about AlertSources")
		expectSameSet(findInSource(`\breason[A-Za-z]+ += "([A-Za-z]+)"`, "internal/pager/ingest"), readColumn(page, "reason of an event about an AlertSource", reason))

		By("comparing those about labelled objects")
		labelled := findInSource(`(?m)^\treason[A-Za-z]+ += "([A-Za-z]+)"`, "controllers/pager/health")
		expectSameSet(labelled, readColumn(page, "reason of an event about a labelled object", reason))

		By("comparing those about services")
		values := func(pattern string, paths ...string) (found []string) {
			GinkgoHelper()
			for _, name := range findInSource(pattern, paths...) {
				found = append(found, findInSource(`\b`+name+` += "([A-Za-z]+)"`, "api/servicecatalog/v1beta1")...)
			}
			Expect(found).NotTo(BeEmpty(), pattern)
			return found
		}
		own := values(`(?:Eventf\(|audit\.Left\(|Deleted: ).*\bv1beta1\.(Reason[A-Za-z]+)`, "controllers/servicecatalog", "internal/servicecatalog/catalog/catalogsync")
		own = append(own, values(`v1beta1\.(ReasonRetained)\b`, "controllers/servicecatalog/engine")...)
		expectSameSet(own, readColumn(page, "reason of an event about a service", reason))
		expectSameSet(values(`v1beta1\.(Reason[A-Za-z]+): +\{Warning: true\}`, "internal/servicecatalog/rules"), readColumn(page, "reason of a Warning, also while the operator retries", reason))
		expectSameSet(values(`v1beta1\.(Reason[A-Za-z]+): +\{Quiet: true\}`, "internal/servicecatalog/rules"), readColumn(page, "reason without an event", reason))

		By("comparing those of the provider event")
		var sent []string
		for _, event := range findInSource(`\bEvent = "([A-Za-z]+)"`, "internal/pager/notify/result") {
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
		own, ofSources := []string{"Reachable", "NotProbed", "Probing", "RecipientRefused"}, []string{"Listening", "ListenerOff", "TokenMissing"}
		alerts := slices.DeleteFunc(findInSource(declared, "api/pager/v1beta1"), func(r string) bool { return slices.Contains(own, r) || slices.Contains(ofSources, r) })
		Expect(alerts).To(ContainElement("ResolveTimedOut"))
		expectSameSet(alerts, readColumn(page, "reason of an Alert", reason))
		expectSameSet(append(own, "SecretNotFound", "SecretNotRead", "Suspended", "InternalError"), readColumn(page, "reason of a receiver", reason))
		expectSameSet(append(ofSources, "SecretNotFound", "SecretNotRead", "InternalError"), readColumn(page, "reason of an AlertSource", reason))
		expectSameSet(findInSource(declared, "internal/pager/notify"), readColumn(page, "reason of an answer", reason))
	})

	It("explains exactly the reasons of brokers, instances and bindings", func() {
		const page = "docs/reference/conditions.md"
		reason := regexp.MustCompile("`([A-Z][A-Za-z]+)`")
		events := readColumn("docs/reference/events.md", "reason of an event about a service", reason)
		all := slices.Clone(events)
		for kind, name := range map[string]string{"a broker": "broker", "an instance": "instance", "a binding": "binding"} {
			documented := readColumn(page, "reason of "+kind, reason)
			Expect(append(documented, events...)).To(ContainElements(findReasons("controllers/servicecatalog/"+name, "internal/servicecatalog/"+name+"rules")), "reasons of %s", kind)
			all = append(all, documented...)
		}
		expectSameSet(findReasons(servicePackages...), all)
	})

	It("classifies answers by exactly the classes and reasons of the code", func() {
		const page = "docs/reference/http-responses.md"
		const class = `\bClass = "([A-Za-z]+)"`
		var rows []string
		for _, row := range notifytest.AnswerRows() {
			outcome := "| `" + string(row.Class) + "` | `" + row.Reason + "` | "
			if row.Class == "" {
				outcome = "| `Confirmed` | | "
			}
			rows = append(rows, "| "+row.Answer+" "+outcome)
		}
		_, documented, found := strings.Cut(pages[page], "| answer of a receiver | outcome | reason | retried |\n| --- | --- | --- | --- |\n")
		Expect(found).To(BeTrue())
		documented, _, _ = strings.Cut(documented, "| no complete answer ")
		Expect(findMatches(documented, `(?m)^(\|[^|]*\|[^|]*\|[^|]*\| ).*\|$`)).To(Equal(rows), "which are tested with each provider")
		expectSameSet(append(findInSource(class, "internal/pager/notify/result"), "Confirmed"), readColumnAt(page, "answer of a receiver", 2, quotedName))
		expectSameSet(findInSource(`\bReason[A-Za-z]+ += "([A-Za-z]+)"`, "internal/pager/notify"), readColumnAt(page, "answer of a receiver", 3, quotedName))
		expectSameSet(findInSource(class, "internal/servicecatalog/osb/osbresult"), readColumnAt(page, "answer of a broker", 2, quotedName))
		expectSameSet(jsonFields(reflect.TypeFor[v1beta1.Provider]()), readColumn(page, "receiver", regexp.MustCompile(`\[([A-Za-z]+)\]\(receivers/`)))
	})

	It("names exactly the warnings of admission", func() {
		const page = "docs/reference/warnings.md"
		cell := regexp.MustCompile("^ `(.*)` $")
		var documented []string
		for _, title := range []string{"warning about an Alert or receiver", "warning about a service", "risk"} {
			documented = append(documented, readColumn(page, title, cell)...)
		}
		messages, err := os.ReadFile(filepath.Join(repo, "hack", "messages", "testdata", "messages.txt"))
		Expect(err).NotTo(HaveOccurred())
		code := strings.Split(string(messages), "\n") // which are generated from the code, but have no text with a brace
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
		foreign := regexp.MustCompile(`^(?:(?:sigs\.)?k8s\.io|connectrpc\.com|github\.com|(?:google\.)?golang\.org|go\.[a-z.]+|gopkg\.in|type\.googleapis\.com)/|/v[0-9][a-z0-9]*$|\.sh/canary$|^(?:example\.com|t\.me)/`)
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
})

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
var servicePackages = []string{"controllers/servicecatalog", "internal/servicecatalog"}

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
