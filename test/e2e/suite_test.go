// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e_test installs Bellhop into a real cluster, and uses it there as a platform team does. "make test-e2e" builds the images, starts
// a cluster of one node unless KUBECONFIG names another one, and runs it. FULL=1 makes 20 restarts and 20 kills instead of one each.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/panics"
)

const (
	system = "bellhop-system"
	// outside is the namespace of what stands for the world outside: inbox and broker.
	outside = "outside"
)

var (
	repo  string
	image string // of the operator; the other images have its name with a suffix
	kube  client.WithWatch
	// release is the folder of a release whose files are used, or "" for what is built of this source.
	release = os.Getenv("RELEASE")
	// chart is the chart's folder or archive.
	chart = "charts/bellhop"
	// rounds is the number of restarts and of kills.
	rounds = 1
)

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(500 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "e2e")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	if image = os.Getenv("IMG"); image == "" || os.Getenv("KUBECONFIG") == "" {
		Fail("IMG and KUBECONFIG are not set: run make test-e2e")
	}
	if release != "" {
		_, version, _ := strings.Cut(filepath.Base(release), "bellhop-v")
		chart = filepath.Join(release, "bellhop-"+version+".tgz")
	}
	if os.Getenv("FULL") == "1" {
		rounds = 20
	}
	var err error
	repo, err = local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	config, err := ctrl.GetConfig()
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, pagerv1beta1.AddToScheme, servicecatalogv1beta1.AddToScheme} {
		Expect(add(scheme)).To(Succeed())
	}
	kube, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	startOutside(ctx)
})

// A panic ends one reconcile or request, which is repeated: a spec could pass in spite of it.
var _ = AfterEach(func(ctx SpecContext) {
	out, err := try(ctx, "", "kubectl", strings.Fields("logs --namespace "+system+" --selector app.kubernetes.io/name=bellhop --tail -1 --prefix --ignore-errors")...)
	if err == nil { // otherwise a Pod has just ended, or there is none
		Expect(panics.Lines(out, true)).To(BeEmpty(), "panics of the operator")
	}
})

var _ = AfterEach(func(ctx SpecContext) {
	if !CurrentSpecReport().Failed() {
		return
	}
	for _, args := range []string{
		"get pods,alerts,receivers,clusterreceivers,clusterservicebrokers,serviceinstances,servicebindings --all-namespaces -o wide",
		"logs --namespace " + system + " --selector app.kubernetes.io/name=bellhop --tail 40 --prefix",
		"logs --namespace " + outside + " --selector app --tail 40 --prefix",
	} {
		out, _ := try(ctx, "", "kubectl", strings.Fields(args)...)
		AddReportEntry("kubectl "+args, out, ReportEntryVisibilityFailureOrVerbose)
	}
})

// try runs a program in the repository, and returns all of its output.
func try(ctx context.Context, stdin, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = repo
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// run runs a program, which has to succeed.
func run(ctx context.Context, program string, args ...string) string {
	GinkgoHelper()
	out, err := try(ctx, "", program, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// output runs a program, which has to succeed, and returns its standard output. Its standard error may have what go says about downloads (F-U42).
func output(ctx context.Context, program string, args ...string) string {
	GinkgoHelper()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = repo
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	Expect(err).NotTo(HaveOccurred(), "%s %s: %s", program, strings.Join(args, " "), messages.String())
	return string(out)
}

// kubectl runs kubectl with arguments that have no spaces.
func kubectl(ctx context.Context, args string) string {
	GinkgoHelper()
	return run(ctx, "kubectl", strings.Fields(args)...)
}

// apply applies a manifest.
func apply(ctx context.Context, manifest string) {
	GinkgoHelper()
	_, err := try(ctx, manifest, "kubectl", "apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred())
}

// sample returns the path of a sample.
func sample(name string) string { return filepath.Join(repo, "config", "samples", name) }

// imageOf returns the name of another program's image.
func imageOf(program string) string {
	tag := strings.LastIndex(image, ":")
	return image[:tag] + "-" + program + image[tag:]
}
