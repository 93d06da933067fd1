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

// run shows a command line and what it answers.
func (d *demo) run(ctx context.Context, command string) error {
	d.screen.command("$", command)
	defer d.screen.flush()
	out, err := d.shell(ctx, command)
	d.screen.say("%s", bytes.TrimRight([]byte(indent(string(out))), "\n"))
	if err != nil {
		first, _, _ := strings.Cut(command, "\n")
		return fmt.Errorf("%s: %w", first, err)
	}
	return nil
}

// get reads an object, unseen.
func (d *demo) get(ctx context.Context, what string, into any) error {
	out, err := d.shell(ctx, "kubectl get "+what+" -o json")
	if err != nil {
		return fmt.Errorf("kubectl get %s: %w: %s", what, err, bytes.TrimSpace(out))
	}
	return json.Unmarshal(out, into)
}

// shell runs a command line with the environment that the user is told to set, in the repository.
func (d *demo) shell(ctx context.Context, command string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = d.repo
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+d.cluster.Kubeconfig, "PATH="+filepath.Dir(d.cluster.KubectlPath)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"KUBECACHEDIR="+d.kubectlCache(), "SIGNING_SECRET="+d.secret, "BROKER_PASSWORD="+d.brokerPassword)
	// A group of its own, so that what the shell has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd.CombinedOutput()
}
