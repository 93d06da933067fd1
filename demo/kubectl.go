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
	d.screen.printCommand("$", command)
	defer d.screen.flush()
	out, err := d.runShell(ctx, command)
	d.screen.printf("%s", bytes.TrimRight([]byte(indent(string(out))), "\n"))
	if err != nil {
		first, _, _ := strings.Cut(command, "\n")
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

// runShell runs a command line in the repository, with the environment that printSuggestions tells the user to set.
func (d *demo) runShell(ctx context.Context, command string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = d.repo
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+d.cluster.Kubeconfig, "PATH="+filepath.Dir(d.cluster.KubectlPath)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"KUBECACHEDIR="+d.kubectlCache(), "SIGNING_SECRET="+d.secret, "BROKER_PASSWORD="+d.brokerPassword)
	// A process group of its own, so that all processes of the shell can be killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd.CombinedOutput()
}
