// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
)

// startReading starts the plugin with a standard input that does not end, and waits until the plugin reads it.
func (t *transcript) startReading(args string) *gexec.Session {
	GinkgoHelper()
	cmd := exec.Command(filepath.Join(pluginDir, "kubectl-bellhop"), strings.Fields(args)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+t.kubeconfig)
	read, write, err := os.Pipe()
	Expect(err).NotTo(HaveOccurred())
	cmd.Stdin = read
	session, err := gexec.Start(cmd, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() {
		session.Kill().Wait()
		Expect(errors.Join(read.Close(), write.Close())).To(Succeed())
	})
	Expect(write.SetWriteDeadline(time.Now().Add(30 * time.Second))).To(Succeed())
	_, err = write.WriteString(strings.Repeat("x", 1<<17)) // more than the pipe holds
	Expect(err).NotTo(HaveOccurred(), "%s reads nothing", args)
	return session
}

// startAsking starts the plugin, waits for its question, and returns a function that answers it.
func (t *transcript) startAsking(args string) (session *gexec.Session, answer func(string)) {
	GinkgoHelper()
	cmd := exec.Command(filepath.Join(pluginDir, "kubectl-bellhop"), strings.Fields(args)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+t.kubeconfig)
	input, err := cmd.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	session, err = gexec.Start(cmd, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait() })
	Eventually(session.Err).Should(gbytes.Say(`\[y/N\] $`))
	return session, func(text string) {
		GinkgoHelper()
		_, err := io.WriteString(input, text+"\n")
		Expect(err).NotTo(HaveOccurred())
	}
}

// readers are the command lines that read standard input.
var readers = []string{
	"page -", "page -f -", "resolve -f -", "register team --url=https://broker.example.com --username=bellhop --password-stdin",
	"register team --url=https://broker.example.com --token-stdin", "provision orders --class=postgres --plan=small --params=-", "provision -f -",
	"bind -f -", "unbind -f -", "deprovision -f -", "upgrade -f -", "rotate -f -", "retain -f -",
}

// F-U19
var _ = Describe("A command that reads standard input", func() {
	It("ends when it is interrupted", func(ctx SpecContext) {
		t := newTranscript(ctx)
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			for _, args := range readers {
				session := t.startReading(args)
				Eventually(session.Signal(signal)).Should(gexec.Exit(130), args)
				Expect(string(session.Err.Contents())).To(HaveSuffix("interrupted\n"), args)
			}
		}
		out, _ := t.try(ctx, "kubectl get alerts,secrets,servicebrokers,serviceinstances,servicebindings -o name")
		Expect(out).To(BeEmpty())
	})
})
