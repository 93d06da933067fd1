/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package suite runs the real operator against a real control plane, for suites that look
// at it from outside.
package suite

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/hack/local"
)

// Serial decorates specs that stop the operator, or that change what belongs to the whole cluster. "make test" runs them apart from the
// others, on a control plane of their own; where all run together, they are the last, in the first Ginkgo process.
var Serial = []any{ginkgo.Serial, ginkgo.Label("serial")}

// Suite is a control plane and an operator that runs on it. The first Ginkgo process starts both, the others use them, so that specs
// run in parallel. The methods are for specs, and fail them.
type Suite struct {
	Cluster *local.Cluster
	// Operator is the one that was started last, of the program Binary. Only the first process can stop it.
	Operator *local.Operator
	Binary   string
	// Client is an administrator's.
	Client client.Client
	// Logs is what the operators print.
	Logs Log

	auditLog string
	args     []string // every operator's
}

// shared is what the first Ginkgo process tells the others.
type shared struct {
	Kubeconfig, KubectlPath, Namespace, ServiceAccount, WebhookURL string
	MetricsURL, HealthURL                                          string
	AuditLog, OperatorLog                                          string
}

// Start is for the first function of SynchronizedBeforeSuite: it starts the control plane and an operator with these arguments. The
// result is for Join.
func (s *Suite) Start(ctx context.Context, args ...string) []byte {
	ginkgo.GinkgoHelper()
	repo, err := local.FindRepo()
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.GinkgoT().Setenv("KUBE_CACHE_MUTATION_DETECTOR", "true") // an operator that changes an object of its cache ends
	dir := ginkgo.GinkgoT().TempDir()
	s.auditLog, s.args = filepath.Join(dir, "audit.log"), args
	gomega.Expect(s.Logs.create(filepath.Join(dir, "operator.log"))).To(gomega.Succeed())
	// The cluster outlives this node's context.
	s.Cluster, err = local.Start(context.WithoutCancel(ctx), local.Options{Repo: repo, AuditLog: s.auditLog, ControllerManager: true})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(s.Cluster.Stop)
	s.Binary, err = local.BuildOperator(ctx, repo)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	s.StartOperator(ctx)

	all, err := json.Marshal(shared{
		Kubeconfig: s.Cluster.Kubeconfig, KubectlPath: s.Cluster.KubectlPath, Namespace: s.Cluster.Namespace,
		ServiceAccount: s.Cluster.ServiceAccount, WebhookURL: s.Cluster.WebhookURL,
		MetricsURL: s.Operator.MetricsURL, HealthURL: s.Operator.HealthURL, AuditLog: s.auditLog, OperatorLog: s.Logs.path,
	})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return all
}

// Join is for the second function of SynchronizedBeforeSuite: it connects this process with what Start has started. The client knows
// the types that are added.
func (s *Suite) Join(started []byte, types ...func(*runtime.Scheme) error) {
	ginkgo.GinkgoHelper()
	if s.Cluster == nil { // not the first process
		s.join(started)
	}
	scheme := runtime.NewScheme()
	for _, add := range append(types, clientgoscheme.AddToScheme) {
		gomega.Expect(add(scheme)).To(gomega.Succeed())
	}
	config := *s.Cluster.Config
	config.QPS = -1
	var err error
	s.Client, err = client.New(&config, client.Options{Scheme: scheme})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
}

func (s *Suite) join(started []byte) {
	ginkgo.GinkgoHelper()
	var all shared
	gomega.Expect(json.Unmarshal(started, &all)).To(gomega.Succeed())
	config, err := clientcmd.BuildConfigFromFlags("", all.Kubeconfig)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	s.Cluster = &local.Cluster{
		Config: config, Kubeconfig: all.Kubeconfig, KubectlPath: all.KubectlPath, WebhookURL: all.WebhookURL,
		Namespace: all.Namespace, ServiceAccount: all.ServiceAccount,
	}
	s.Operator = &local.Operator{MetricsURL: all.MetricsURL, HealthURL: all.HealthURL}
	s.auditLog, s.Logs.path = all.AuditLog, all.OperatorLog
}

// StartOperator runs the operator until stopped or killed.
func (s *Suite) StartOperator(ctx context.Context, args ...string) *local.Operator {
	ginkgo.GinkgoHelper()
	gomega.Expect(ginkgo.GinkgoParallelProcess()).To(gomega.Equal(1), "only a Serial spec may start an operator")
	var err error
	s.Operator, err = s.Cluster.StartOperator(ctx, local.OperatorOptions{
		Binary: s.Binary,
		Args:   slices.Concat([]string{"--allow-outbound=127.0.0.1", "--zap-log-level=5"}, s.args, args),
		Log:    &s.Logs,
	})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return s.Operator
}

// AwaitKnowledge returns once the operator has read what it takes to say something of a manifest. Before that, as after the restart
// of another spec, it admits it with a warning that it was not checked.
func (s *Suite) AwaitKnowledge(ctx context.Context, manifest string) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(ctx, func() (string, error) { return s.Kubectl(ctx, manifest, "create", "--dry-run=server", "-f", "-") }).
		ShouldNot(gomega.ContainSubstring("still starting"))
}

// AwaitControllers returns once the operator's controllers have looked at the objects of a manifest, which it then deletes: what is created
// from then on is known to be new, and not a former leader's.
func (s *Suite) AwaitControllers(ctx context.Context, manifest string) {
	ginkgo.GinkgoHelper()
	for _, args := range [][]string{
		{"apply", "-f", "-"},
		{"wait", "--timeout=1m", "--for=jsonpath={.status.observedGeneration}=1", "-f", "-"},
		{"delete", "--timeout=1m", "-f", "-"},
	} {
		out, err := s.Kubectl(ctx, manifest, args...)
		gomega.Expect(err).NotTo(gomega.HaveOccurred(), "%v: %s", args, out)
	}
}

// Namespace makes a namespace of the spec's own.
func (s *Suite) Namespace(ctx context.Context) string {
	ginkgo.GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
	gomega.Expect(s.Client.Create(ctx, ns)).To(gomega.Succeed())
	return ns.Name
}

// Kubectl runs kubectl as administrator and returns what it printed.
func (s *Suite) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := s.Cluster.Kubectl(ctx, args...)
	cmd.Env = append(cmd.Env, "HOME="+os.TempDir())
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
