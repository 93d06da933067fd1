// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"
)

// transcript is what a user types and sees in one namespace.
type transcript struct {
	namespace  string
	kubeconfig string
	// home is HOME and the working directory, and path has further folders of programs.
	home string
	path []string
	text strings.Builder
	// replace are texts that differ from run to run, with what golden files have instead.
	replace [][2]string
}

// newTranscript creates a namespace, and a kubeconfig whose context has it.
func newTranscript(ctx context.Context) *transcript {
	GinkgoHelper()
	t := &transcript{namespace: createNamespace(ctx)}
	config, err := clientcmd.LoadFromFile(env.Cluster.Kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	config.Contexts[config.CurrentContext].Namespace = t.namespace
	t.kubeconfig = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, t.kubeconfig)).To(Succeed())
	t.home = filepath.Dir(t.kubeconfig)
	t.replace = [][2]string{{t.namespace, "NAMESPACE"}, {brokerURL, "http://broker.example.com"}}
	return t
}

// run runs a shell command in which kubectl and its plugin are in the PATH, and adds it and what it prints to the transcript. It returns the
// output, and fails if the exit code is another one than expected.
func (t *transcript) run(ctx context.Context, exitCode int, command string) string {
	GinkgoHelper()
	out, code := t.try(ctx, command)
	fmt.Fprintf(&t.text, "$ %s\n%s", command, out)
	if !strings.HasSuffix(out, "\n") && out != "" {
		t.text.WriteString("\n")
	}
	if code != 0 {
		fmt.Fprintf(&t.text, "[exit code %d]\n", code)
	}
	t.text.WriteString("\n")
	Expect(code).To(Equal(exitCode), "%s\n%s", command, out)
	return out
}

// try runs a shell command as run does, outside of the transcript.
func (t *transcript) try(ctx context.Context, command string) (out string, exitCode int) {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	path := append(t.path, pluginDir, filepath.Dir(env.Cluster.KubectlPath), os.Getenv("PATH"))
	cmd.Env = append(os.Environ(), "KUBECONFIG="+t.kubeconfig, "HOME="+t.home, "PATH="+strings.Join(path, string(os.PathListSeparator)))
	cmd.Dir = t.home
	output, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		Expect(err).NotTo(HaveOccurred())
	}
	return string(output), cmd.ProcessState.ExitCode()
}

// hide replaces a text that differs from run to run.
func (t *transcript) hide(text, instead string) {
	t.replace = append(t.replace, [2]string{text, instead})
}

var (
	ages       = regexp.MustCompile(`(^|[^:=] +|\()\d+(?:s|m|ms|m\d+s)\b`)
	timestamps = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	uuids      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	ports      = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	accounts   = regexp.MustCompile(`\b(u|db)_[a-z0-9]{8,}\b`) // of the demo's MySQL server
	versions   = regexp.MustCompile(`(resourceVersion"?: )"\d+"`)
	columns    = regexp.MustCompile(`  +(\S)`)
	// Of bindings that are deleted, as a webhook with a late cache shows them.
	lateWarnings = regexp.MustCompile(`(?m)^Warning: ServiceInstance "\S+" stays until its ServiceBindings are gone: .*\n`)
)

// matchGolden compares the transcript with testdata/NAME.golden. Times, ages, ids, ports and the width of columns do not count.
func (t *transcript) matchGolden(name string) {
	GinkgoHelper()
	text := t.text.String()
	for _, r := range t.replace {
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	text = timestamps.ReplaceAllString(text, "TIME")
	text = uuids.ReplaceAllStringFunc(text, func(id string) string {
		if strings.HasPrefix(id, "5f1b1c2a-7c3e-4a3e-9a51-0a3c7d1f6a") { // of the broker's catalog
			return id
		}
		return "UUID"
	})
	text = ports.ReplaceAllString(text, "127.0.0.1:PORT")
	text = accounts.ReplaceAllString(text, "${1}_RANDOM")
	text = versions.ReplaceAllString(text, `$1"VERSION"`)
	text = lateWarnings.ReplaceAllString(text, "")
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "$ ") {
			line = ages.ReplaceAllString(line, "${1}AGE")
		}
		indent := len(line) - len(strings.TrimLeft(line, " │├└─|`-"))
		lines[i] = line[:indent] + strings.TrimRight(columns.ReplaceAllString(line[indent:], "  $1"), " ")
	}
	matchGolden(name, strings.Join(lines, "\n"))
}
