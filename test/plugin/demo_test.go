// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"

	"github.com/gophernetes/bellhop/hack/local"
)

// The first hour of a user: make demo runs in one terminal, and the plugin alone is used in another.
var _ = Describe("Beside make demo", func() {
	It("the plugin pages, gets a database, logs in to it, and removes everything", func(ctx SpecContext) {
		t, demo := startDemo(ctx)
		for _, step := range []struct {
			command  string
			exitCode int
		}{
			{"kubectl bellhop doctor", 0},

			// A page.
			{"kubectl bellhop page", 2},
			{"kubectl bellhop page 'the disk is full' --severity urgent", 2},
			{"kubectl bellhop page 'the disk is full' --to inbux", 1},
			{"kubectl bellhop page 'the disk is full :warning:' --name disk --severity critical --title 'Disk of node-7' --wait", 0},
			{"kubectl bellhop alerts", 0},
			{"kubectl bellhop test inbox", 0},
			{"kubectl bellhop resolve disc", 1},
			{"kubectl bellhop resolve disk --wait", 0},

			// A database.
			{"kubectl bellhop marketplace", 0},
			{"kubectl bellhop provision orders --class mysql", 2},
			{"kubectl bellhop provision orders --class azure-mysql --plan basic", 2},
			{"kubectl bellhop schema azure-mysql/basic50", 0},
			{"kubectl bellhop provision orders --class azure-mysql --plan basic50 -p location=7 -p size=5", 2},
			{"kubectl bellhop provision orders --class azure-mysql --plan basic50 -p location=eastus -p resourceGroup=demo --wait", 0},
			{"kubectl bellhop creds orders", 1},
			{"kubectl bellhop bind order", 1},
			{"kubectl bellhop bind orders --wait", 0},
			{"kubectl bellhop exec orders login", 2},
			{"kubectl bellhop exec orders --prefix DB_ -- login", 0},
			{"kubectl bellhop tree broker/mysql", 0},
			{"kubectl bellhop update orders --plan standard100 --wait", 0},
			{"kubectl bellhop rotate orders --wait", 0},
			{"kubectl bellhop exec orders --prefix DB_ -- login", 0},

			// Everything is removed.
			{"kubectl bellhop deregister mysql", 1},
			{"kubectl bellhop deprovision orders", 1},
			{"kubectl bellhop deprovision orders --unbind --wait", 0},
			{"kubectl bellhop deregister mysql --wait", 0},
			{"kubectl bellhop resolve disk disk-full --delete --wait", 0},
			{"kubectl bellhop tree", 0},
		} {
			t.run(ctx, step.exitCode, step.command)
		}
		Expect(demo).To(gbytes.Say("the disk is full ⚠"))
		t.matchGolden("demo")
	})
})

// startDemo runs make demo until it waits for Ctrl-C. The transcript has its cluster, and the program login in its PATH.
func startDemo(ctx context.Context) (*transcript, *gbytes.Buffer) {
	GinkgoHelper()
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	programs := GinkgoT().TempDir()
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", programs, ".", "./cmd/login")
	build.Dir = filepath.Join(repo, "demo")
	out, err := build.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))

	run := exec.Command(filepath.Join(programs, "demo"))
	run.Dir = repo
	run.Env = append(os.Environ(), "KUBECONFIG=/none")
	session, err := gexec.Start(run, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Eventually(session.Signal(syscall.SIGINT), "30s").Should(gexec.Exit(0)) })
	Eventually(session.Out, "3m").Should(gbytes.Say("The demo runs until Ctrl-C"))

	said := string(session.Out.Contents())
	file := regexp.MustCompile(`\. '([^']+/use-cluster)'`).FindStringSubmatch(said)
	Expect(file).To(HaveLen(2))
	settings, err := os.ReadFile(file[1])
	Expect(err).NotTo(HaveOccurred())
	kubeconfig := regexp.MustCompile(`export KUBECONFIG='([^']+)'`).FindStringSubmatch(string(settings))
	Expect(kubeconfig).To(HaveLen(2))
	t := &transcript{namespace: "default", kubeconfig: kubeconfig[1], path: []string{programs}, home: programs}
	for _, url := range regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindAllString(said, -1) {
		t.hide(url, "http://127.0.0.1:PORT")
	}
	return t, session.Out
}
