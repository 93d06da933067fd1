// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs_test compares the documentation with what it documents: it applies manifests to a real API server with the operator's
// webhooks, and compares lists of flags, metrics and reasons with the code.
package docs_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
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
	// home is the home directory of commands.
	home string

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
		"--leader-elect", "--leader-elect-identity=" + leader, "--leader-elect-lease-duration=1h", "--ingest-bind-address=127.0.0.1:0"}})
	Expect(err).NotTo(HaveOccurred())
	k8s, err = client.New(cluster.Config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	env.Cluster, env.Client = cluster, k8s
	plugin = suite.BuildPlugin(ctx)
	receiver := httptest.NewServer(inbox.New(inbox.Options{}).Handler())
	DeferCleanup(receiver.Close)
	receiverURL = receiver.URL
	registerBroker(ctx)
	home = GinkgoT().TempDir()
	Expect(os.MkdirAll(filepath.Join(home, ".local", "bin"), 0o755)).To(Succeed())
	createNamespaces(ctx)
})

// createNamespaces creates the namespaces that commands name, and what the pages have created in them before.
func createNamespaces(ctx context.Context) {
	GinkgoHelper()
	for _, name := range []string{"monitoring", "shop", "team-a"} {
		Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	}
	out, err := kubectl(ctx, `apiVersion: v1
kind: Secret
metadata: {name: senders}
stringData: {token: change-me-to-a-random-one}
---
apiVersion: pager.k8s.co/v1beta1
kind: AlertSource
metadata: {name: prometheus}
spec: {secretRef: {name: senders}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: prometheus-posts-alerts}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bellhop-alertsource-sender}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: monitoring}]
`, "apply", "--namespace=shop", "-f", "-")
	Expect(err).NotTo(HaveOccurred(), out)
	out, err = kubectl(ctx, "", "wait", "--namespace=shop", "--for=condition=Ready", "--timeout=30s", "alertsource/prometheus")
	Expect(err).NotTo(HaveOccurred(), out)
}

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

// The examples of the pages, and the samples.
var _ = Describe("The documentation", func() {
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
		case "yaml foreign":
			It("has objects of kinds that the cluster does not have: "+b.where, func() {
				for _, document := range regexp.MustCompile(`(?m)^---$`).Split(b.text, -1) {
					var object map[string]any
					Expect(yaml.UnmarshalStrict([]byte(document), &object)).To(Succeed())
					Expect(object).To(SatisfyAll(HaveKey("apiVersion"), HaveKey("kind")))
				}
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
			if b.file() != "" {
				continue // the file as a whole is compared
			}
			It("has only code blocks of known languages: "+b.where, func() {
				Expect(b.infoString).To(BeElementOf("http", "python", "go", "text", "mermaid"), "YAML blocks are applied, see docs/contributing/writing-style.md")
			})
		}
	}

	It("has the code of the examples that it names", func() {
		parts := map[string][]string{} // by page and path
		for _, b := range readBlocks() {
			if path := b.file(); path != "" {
				page, _, _ := strings.Cut(b.where, ":")
				parts[page+" "+path] = append(parts[page+" "+path], strings.TrimSpace(b.text))
			}
		}
		Expect(parts).NotTo(BeEmpty())
		emptyLines := regexp.MustCompile(`\n{2,}`)
		for key, texts := range parts {
			_, path, _ := strings.Cut(key, " ")
			text, err := os.ReadFile(filepath.Join(repo, path))
			Expect(err).NotTo(HaveOccurred())
			want := emptyLines.ReplaceAllString(strings.TrimSpace(string(text)), "\n\n")
			Expect(emptyLines.ReplaceAllString(strings.Join(texts, "\n\n"), "\n\n")).To(Equal(want), key)
		}
	})

	DescribeTable("has samples and examples that are accepted", func(ctx SpecContext, path string) {
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
})

// A block is a fenced code block of a page.
type block struct {
	infoString string // after the opening fence
	where      string
	text       string
	output     string // the text block that directly follows
}

// file returns the path of the example that the block is a part of, or "".
func (b block) file() string {
	_, path, _ := strings.Cut(b.infoString, " ")
	if !strings.HasPrefix(path, "examples/") {
		return ""
	}
	return path
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

func sampleEntries() []TableEntry {
	var entries []TableEntry
	for _, pattern := range []string{"config/samples/*.yaml", "examples/*/*.yaml"} {
		for _, path := range must(filepath.Glob(filepath.Join(repo, pattern))) {
			if filepath.Base(path) != "kustomization.yaml" {
				entries = append(entries, Entry(must(filepath.Rel(repo, path)), path))
			}
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
	createSamples(ctx, namespace)

	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(limited, "sh", "-eu")
	cmd.Dir = repo
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(commands, samplesBroker, brokerURL))
	path := []string{filepath.Dir(plugin), filepath.Dir(cluster.KubectlPath), os.Getenv("PATH")}
	cmd.Env = append(os.Environ(), goCaches()...)
	cmd.Env = append(cmd.Env, "KUBECONFIG="+kubeconfig, "HOME="+home, "PATH="+strings.Join(path, string(os.PathListSeparator)))
	out, err := cmd.CombinedOutput()
	return strings.NewReplacer(namespace, "default", brokerURL, samplesBroker, receiverURL, "https://hooks.example.com/bellhop").Replace(string(out)), err
}

// goCaches returns the settings of Go that depend on the home directory.
var goCaches = sync.OnceValue(func() []string {
	out, err := exec.Command("go", "env", "GOCACHE", "GOPATH", "GOMODCACHE").Output()
	Expect(err).NotTo(HaveOccurred())
	values := strings.Split(string(out), "\n")
	return []string{"GOCACHE=" + values[0], "GOPATH=" + values[1], "GOMODCACHE=" + values[2]}
})

// leader is the leader's identity on the pages.
const leader = "bellhop-controller-manager-6f4d9c7b8d-x2x7k_3f0c7a52-6c0e-4a35-9f0e-2f6a3f0c9d11"

// samplesBroker is the URL of the broker in the pages and in the samples.
const samplesBroker = "https://broker.example.com"

// createSamples creates the namespaced samples, without the Secret of the Receiver, and oncall as the default Receiver. Both Receivers have
// the URL of a receiver that works. It removes the namespace default from the instance and the binding.
func createSamples(ctx context.Context, namespace string) {
	GinkgoHelper()
	manifests := []string{
		`{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {name: oncall, annotations: {pager.k8s.co/is-default-receiver: "true"}}, spec: {webhook: {url: "https://hooks.example.com/bellhop"}}}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: team-broker}, stringData: {token: change-me}}`,
	}
	for _, name := range []string{"pager_v1beta1_receiver", "pager_v1beta1_alert", "servicecatalog_v1beta1_serviceinstance", "servicecatalog_v1beta1_servicebinding"} {
		manifests = append(manifests, string(must(os.ReadFile(filepath.Join(repo, "config", "samples", name+".yaml")))))
	}
	manifest := strings.NewReplacer("https://hooks.example.com/bellhop", receiverURL, "  namespace: default\n", "").Replace(strings.Join(manifests, "\n---\n"))
	out, err := kubectl(ctx, manifest, "apply", "--namespace", namespace, "-f", "-")
	Expect(err).NotTo(HaveOccurred(), out)
	for _, sample := range []struct{ apiVersion, kind, name, condition string }{
		{"pager.k8s.co/v1beta1", "Alert", "disk-full", "Reconciling"},
		{"servicecatalog.k8s.io/v1beta1", "ServiceInstance", "example-mysql-instance", "Ready"},
		{"servicecatalog.k8s.io/v1beta1", "ServiceBinding", "example-mysql-binding", "Ready"},
	} {
		object := &unstructured.Unstructured{}
		object.SetAPIVersion(sample.apiVersion)
		object.SetKind(sample.kind)
		Eventually(func() ([]any, error) {
			err := k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: sample.name}, object)
			conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
			return conditions, err
		}).WithTimeout(30*time.Second).Should(ContainElement(SatisfyAll(HaveKeyWithValue("type", sample.condition), HaveKeyWithValue("status", "True"))), sample.name)
	}
}
