// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// runCommand prints a command line, runs it, and prints its output.
func (d *demo) runCommand(ctx context.Context, command string) error {
	first, _, _ := strings.Cut(command, "\n")
	d.screen.printCommand("$", command)
	d.screen.setActivity(first)
	defer d.screen.setActivity("")
	defer d.screen.flush()
	out, err := d.runShell(ctx, command)
	d.screen.printf("%s", bytes.TrimRight([]byte(indent(string(out))), "\n"))
	if err != nil {
		return fmt.Errorf("%s: %w", first, err)
	}
	return nil
}

// getObject reads an object without printing it.
func (d *demo) getObject(ctx context.Context, what string, into any) error {
	out, err := d.runShell(ctx, "kubectl get "+what+" -o json")
	if err != nil {
		return fmt.Errorf("kubectl get %s: %w: %s", what, err, bytes.TrimSpace(out))
	}
	return json.Unmarshal(out, into)
}

// runShell runs a command line as a user's terminal does that has run useCluster: its environment has nothing else of the demo.
func (d *demo) runShell(ctx context.Context, command string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", d.useCluster()+"\n"+command)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	// A process group of its own, so that all processes of the shell can be killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd.CombinedOutput()
}

// useCluster is the command with which a terminal uses the cluster.
func (d *demo) useCluster() string { return ". " + quote(filepath.Join(d.dir, "use-cluster")) }

// writeSettings writes the file that useCluster reads. It has the passwords, which commands need that are run again.
func (d *demo) writeSettings() error {
	var settings strings.Builder
	fmt.Fprintf(&settings, "PATH=%s:$PATH\n", quote(filepath.Dir(d.cluster.KubectlPath)))
	for _, variable := range [][2]string{
		{"KUBECONFIG", d.cluster.Kubeconfig},
		{"KUBECACHEDIR", filepath.Join(d.dir, "kubectl")}, // so that the user's cache gets no entries about this temporary cluster
		{"SIGNING_SECRET", d.secret},
		{"BROKER_PASSWORD", d.brokerPassword},
	} {
		fmt.Fprintf(&settings, "export %s=%s\n", variable[0], quote(variable[1]))
	}
	fmt.Fprintf(&settings, "export PATH\ncd %s\n", quote(d.repo))
	return os.WriteFile(filepath.Join(d.dir, "use-cluster"), []byte(settings.String()), 0o600)
}

// quote quotes text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
