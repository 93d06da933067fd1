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
	"os"
	"path/filepath"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/hack/local"
)

// Suite is a control plane and the operator that runs on it. Its methods are for specs, and
// fail them.
type Suite struct {
	Cluster *local.Cluster
	// Operator is the one that was started last, of the program Binary.
	Operator *local.Operator
	Binary   string
	// Client is an administrator's.
	Client client.Client
	// Logs is what the operators print.
	Logs Log

	auditLog string
}

// Start starts the control plane, and builds the operator. The client knows the types that
// are added.
func (s *Suite) Start(ctx context.Context, types ...func(*runtime.Scheme) error) {
	ginkgo.GinkgoHelper()
	repo, err := local.FindRepo()
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.GinkgoT().Setenv("KUBE_CACHE_MUTATION_DETECTOR", "true") // an operator that changes an object of its cache ends
	s.auditLog = filepath.Join(ginkgo.GinkgoT().TempDir(), "audit.log")
	// The cluster outlives this node's context.
	s.Cluster, err = local.Start(context.WithoutCancel(ctx), local.Options{Repo: repo, AuditLog: s.auditLog, ControllerManager: true})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(s.Cluster.Stop)
	s.Binary, err = local.BuildOperator(ctx, repo)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())

	scheme := runtime.NewScheme()
	for _, add := range append(types, clientgoscheme.AddToScheme) {
		gomega.Expect(add(scheme)).To(gomega.Succeed())
	}
	config := *s.Cluster.Config
	config.QPS = -1
	s.Client, err = client.New(&config, client.Options{Scheme: scheme})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
}

// StartOperator runs the operator, at its highest log level, until stopped or killed.
func (s *Suite) StartOperator(ctx context.Context, args ...string) *local.Operator {
	ginkgo.GinkgoHelper()
	var err error
	s.Operator, err = s.Cluster.StartOperator(ctx, local.OperatorOptions{
		Binary: s.Binary,
		Args:   append([]string{"--allow-outbound=127.0.0.1", "--zap-log-level=10"}, args...),
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
