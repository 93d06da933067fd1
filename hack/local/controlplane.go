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

package local

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// controlPlaneBinaries asks hack/controlplane, and shows what it has to say.
func controlPlaneBinaries(ctx context.Context, repo string, controllerManager bool) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "-C", filepath.Join(repo, "hack", "controlplane"), "run", ".",
		"-controller-manager="+strconv.FormatBool(controllerManager))
	cmd.Stderr = os.Stderr
	// It is a process of its own that has others: it is asked to end, and passes that on.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("getting a control plane: %w", err)
	}
	return string(bytes.TrimSpace(out)), nil
}

func (c *Cluster) startControlPlane(binaries, auditLog string) error {
	wrapped, err := dieWithUs(binaries, filepath.Join(c.dir, "bin"))
	if err != nil {
		return err
	}
	existing := false // whatever USE_EXISTING_CLUSTER says
	env := &envtest.Environment{
		UseExistingCluster:       &existing,
		ControlPlaneStartTimeout: time.Minute, ControlPlaneStopTimeout: time.Minute,
	}
	// Paths that are set win over the TEST_ASSET_ variables.
	env.ControlPlane.KubectlPath = c.KubectlPath
	env.ControlPlane.Etcd = &envtest.Etcd{Path: filepath.Join(wrapped, "etcd")}
	apiServer := env.ControlPlane.GetAPIServer()
	apiServer.Path = filepath.Join(wrapped, "kube-apiserver")
	apiServer.CertDir = filepath.Join(c.dir, "kube-apiserver") // which outlives a restart
	if err := os.MkdirAll(apiServer.CertDir, 0o700); err != nil {
		return err
	}
	if auditLog != "" {
		policy := filepath.Join(c.dir, "audit-policy.yaml")
		if err := os.WriteFile(policy, []byte(auditPolicy(c.Namespace, c.ServiceAccount)), 0o600); err != nil {
			return err
		}
		apiServer.Configure().Set("audit-policy-file", policy).Set("audit-log-path", auditLog).
			Set("audit-log-maxsize", "10000") // one file: whoever counts requests wants all of them
	}
	c.stops = append(c.stops, env.Stop)
	if c.Config, err = env.Start(); err != nil {
		return fmt.Errorf("starting the control plane: %w", err)
	}
	c.restart = func(ctx context.Context) error {
		if err := killNamed(ctx, filepath.Join(wrapped, "kube-apiserver.pid")); err != nil {
			return err
		}
		return apiServer.Start()
	}
	return nil
}

// RestartAPIServer is kill -9 to the API server, and starts it again at the same address and with what etcd has. It is for
// Linux, with a control plane of our own.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	if c.restart == nil {
		return errors.New("the API server is not ours")
	}
	if err := c.restart(ctx); err != nil {
		return fmt.Errorf("restarting the API server: %w", err)
	}
	return nil
}

// killNamed ends the process whose id is in a file, and waits until it is gone.
func killNamed(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil {
		return err
	}
	victim, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	for err := victim.Kill(); !errors.Is(err, os.ErrProcessDone); err = victim.Signal(syscall.Signal(0)) {
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// auditPolicy records what the budgets are about: all that the operator asks for, and what happens to our objects and to
// Secrets. The level has no bodies, so no credential gets into the log.
func auditPolicy(namespace, serviceAccount string) string {
	return fmt.Sprintf(`apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["system:serviceaccount:%s:%s"]
- level: Metadata
  resources:
  - group: pager.k8s.co
  - group: servicecatalog.k8s.io
  - group: ""
    resources: [secrets]
- level: None
`, namespace, serviceAccount)
}

// dieWithUs returns a folder with programs that the kernel kills when this process is killed, and that leave their process
// id beside them. envtest starts them and has no such setting, so setpriv, where there is one, starts them in between.
func dieWithUs(binaries, dir string) (string, error) {
	setpriv, _ := exec.LookPath("setpriv")
	if setpriv == "" || runtime.GOOS != "linux" {
		return binaries, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, program := range []string{"etcd", "kube-apiserver"} {
		path := filepath.Join(dir, program)
		script := fmt.Sprintf("#!/bin/sh\necho $$ >'%s.pid'\nexec '%s' --pdeathsig KILL '%s' \"$@\"\n", path, setpriv, filepath.Join(binaries, program))
		if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// startControllerManager runs the controllers that tests and demo can see: without them a deleted namespace stays, and so
// does what it holds.
func (c *Cluster) startControllerManager(ctx context.Context, path string) error {
	port, err := FreePort()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(c.dir, "kube-controller-manager.log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(path, //nolint:noctx // lives until Stop
		"--kubeconfig="+c.Kubeconfig, "--authentication-kubeconfig="+c.Kubeconfig, "--authorization-kubeconfig="+c.Kubeconfig,
		"--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(port), "--leader-elect=false",
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--controllers=namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller,serviceaccount-controller")
	cmd.Stdout, cmd.Stderr = log, log
	started, err := start(cmd)
	if err != nil {
		log.Close()
		return err
	}
	c.stops = append(c.stops, func() error {
		started.kill() // it has nothing to finish
		return log.Close()
	})
	probe := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // its certificate is made at start and known to nobody
	}}
	if err := started.waitFor(ctx, probe, fmt.Sprintf("https://127.0.0.1:%d/healthz", port)); err != nil {
		return fmt.Errorf("kube-controller-manager: %w (its log: %s)", err, log.Name())
	}
	return nil
}
