// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package suite runs the real operator against a real control plane, for suites that test it from outside.
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
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/hack/local"
)

// Serial decorates specs that stop the operator, or that change objects which other specs depend on. "make test" runs them on a control
// plane of their own. Where all specs run together, these run last, in the first Ginkgo process.
var Serial = []any{ginkgo.Serial, ginkgo.Label("serial")}

// Suite is a control plane with an operator. The first Ginkgo process starts both, and the others connect to them, so that specs run in
// parallel. The methods are for specs: they fail the spec instead of returning errors.
type Suite struct {
	Cluster *local.Cluster
	// Overlay is the folder in config/ that Start installs. Default: default.
	Overlay string
	// Operator is the one that was started last. Binary is its program. Only the first process can stop it.
	Operator *local.Operator
	Binary   string
	// Client has the rights of an administrator.
	Client client.Client
	// Logs has what all operators printed.
	Logs Log

	auditLog string
	args     []string // for every operator
}

// connection is what the first Ginkgo process sends to the others.
type connection struct {
	Kubeconfig, KubectlPath, Namespace, ServiceAccount, WebhookURL string
	MetricsURL, HealthURL                                          string
	AuditLog, OperatorLog                                          string
}

// Start is for the first function of SynchronizedBeforeSuite: it starts the control plane, and an operator with these arguments. The
// second function passes the result to Join.
func (s *Suite) Start(ctx context.Context, args ...string) []byte {
	ginkgo.GinkgoHelper()
	repo, err := local.FindRepo()
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.GinkgoT().Setenv("KUBE_CACHE_MUTATION_DETECTOR", "true") // makes the operator panic if it changes an object of its cache
	dir := ginkgo.GinkgoT().TempDir()
	s.auditLog, s.args = filepath.Join(dir, "audit.log"), args
	gomega.Expect(s.Logs.create(filepath.Join(dir, "operator.log"))).To(gomega.Succeed())
	// The cluster has to outlive this node's context.
	s.Cluster, err = local.Start(context.WithoutCancel(ctx), local.Options{Repo: repo, Overlay: s.Overlay, AuditLog: s.auditLog, ControllerManager: true})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(s.Cluster.Stop)
	s.Binary, err = local.BuildOperator(ctx, repo)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	s.StartOperator(ctx)

	all, err := json.Marshal(connection{
		Kubeconfig: s.Cluster.Kubeconfig, KubectlPath: s.Cluster.KubectlPath, Namespace: s.Cluster.Namespace,
		ServiceAccount: s.Cluster.ServiceAccount, WebhookURL: s.Cluster.WebhookURL,
		MetricsURL: s.Operator.MetricsURL, HealthURL: s.Operator.HealthURL, AuditLog: s.auditLog, OperatorLog: s.Logs.path,
	})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return all
}

// Join is for the second function of SynchronizedBeforeSuite: it connects this process with what Start has started. The client's scheme
// gets the given types.
func (s *Suite) Join(started []byte, types ...func(*runtime.Scheme) error) {
	ginkgo.GinkgoHelper()
	if s.Cluster == nil { // this is not the first process
		s.connect(started)
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

func (s *Suite) connect(started []byte) {
	ginkgo.GinkgoHelper()
	var all connection
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

// StartOperator runs an operator until it is stopped or killed.
func (s *Suite) StartOperator(ctx context.Context, args ...string) *local.Operator {
	ginkgo.GinkgoHelper()
	gomega.Expect(ginkgo.GinkgoParallelProcess()).To(gomega.Equal(1), "only a Serial spec may start an operator")
	var err error
	s.Operator, err = s.Cluster.StartOperator(ctx, local.OperatorOptions{
		Binary: s.Binary,
		Args:   slices.Concat([]string{"--allow-outbound=127.0.0.1", "--zap-log-level=5"}, s.args, args),
		Log:    &s.Logs,
	})
	if err != nil {
		ginkgo.Fail("starting the operator: " + err.Error()) // with what it printed, and without the fields of the error's type
	}
	return s.Operator
}

// WaitForAdmission waits until the webhooks' caches are filled, so that admission gives complete warnings about a manifest. Before
// that, as after the restart of another spec, it only warns that it could not check.
func (s *Suite) WaitForAdmission(ctx context.Context, manifest string) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(ctx, func() (string, error) { return s.Kubectl(ctx, manifest, "create", "--dry-run=server", "-f", "-") }).
		ShouldNot(gomega.ContainSubstring("still starting"))
}

// WaitForControllers waits until the operator's controllers have reconciled the objects of a manifest, and deletes them. Objects that
// are created afterwards are known to be new, and not a former leader's.
func (s *Suite) WaitForControllers(ctx context.Context, manifest string) {
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

// Kubectl runs kubectl as administrator and returns what it printed.
func (s *Suite) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := s.Cluster.Kubectl(ctx, args...)
	cmd.Env = append(cmd.Env, "HOME="+os.TempDir())
	if strings.HasPrefix(stdin, "{") {
		stdin = "---\n" + stdin // kubectl 1.31 reads what begins with a brace as JSON only
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Apply applies a manifest as administrator.
func (s *Suite) Apply(ctx context.Context, manifest string) {
	ginkgo.GinkgoHelper()
	out, err := s.Kubectl(ctx, manifest, "apply", "-f", "-")
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), out)
}

// Wait runs kubectl wait, with arguments that have no spaces.
func (s *Suite) Wait(ctx context.Context, args string) {
	ginkgo.GinkgoHelper()
	out, err := s.Kubectl(ctx, "", append([]string{"wait"}, strings.Fields(args)...)...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), out)
}
