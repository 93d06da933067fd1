// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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

// findControlPlane runs hack/controlplane, and forwards its messages.
func findControlPlane(ctx context.Context, repo string, controllerManager bool) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "-C", filepath.Join(repo, "hack", "controlplane"), "run", ".",
		"-controller-manager="+strconv.FormatBool(controllerManager))
	cmd.Stderr = os.Stderr
	// It runs other processes: it gets a signal, and ends them.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("getting a control plane: %w", err)
	}
	return string(bytes.TrimSpace(out)), nil
}

func (c *Cluster) startControlPlane(ctx context.Context, binaries, auditLog string) error {
	wrapped, err := bindToParent(binaries, filepath.Join(c.dir, "bin"))
	if err != nil {
		return err
	}
	existing := false // independent of USE_EXISTING_CLUSTER
	env := &envtest.Environment{
		UseExistingCluster:       &existing,
		ControlPlaneStartTimeout: time.Minute, ControlPlaneStopTimeout: time.Minute,
	}
	// paths have priority over the TEST_ASSET_ variables
	env.ControlPlane.KubectlPath = c.KubectlPath
	env.ControlPlane.Etcd = &envtest.Etcd{Path: filepath.Join(wrapped, "etcd")}
	apiServer := env.ControlPlane.GetAPIServer()
	apiServer.Path = filepath.Join(wrapped, "kube-apiserver")
	apiServer.CertDir = filepath.Join(c.dir, "kube-apiserver") // outlives a restart
	if err := os.MkdirAll(apiServer.CertDir, 0o700); err != nil {
		return err
	}
	if auditLog != "" {
		policy := filepath.Join(c.dir, "audit-policy.yaml")
		if err := os.WriteFile(policy, []byte(auditPolicy(c.Namespace, c.ServiceAccount)), 0o600); err != nil {
			return err
		}
		apiServer.Configure().Set("audit-policy-file", policy).Set("audit-log-path", auditLog).
			Set("audit-log-maxsize", "10000") // a single file, as tests count all requests
	}
	pidFile := filepath.Join(wrapped, "kube-apiserver.pid")
	c.cleanups = append(c.cleanups, func() error { return stopControlPlane(context.WithoutCancel(ctx), env.Stop, pidFile) })
	if c.Config, err = env.Start(); err != nil {
		return fmt.Errorf("starting the control plane: %w", err)
	}
	c.EtcdURL = env.ControlPlane.Etcd.URL.String()
	c.kill = func(ctx context.Context) error { return killFromPIDFile(ctx, pidFile) }
	c.restart = func(ctx context.Context) error {
		if err := c.kill(ctx); err != nil {
			return err
		}
		return apiServer.Start()
	}
	return nil
}

// apiServerGrace is how long the API server may take to end by itself. It waits a minute for open watches, such as those of a user's
// kubectl, and has no state to save.
const apiServerGrace = 2 * time.Second

// stopControlPlane stops the control plane, and kills the API server after apiServerGrace.
func stopControlPlane(ctx context.Context, stop func() error, pidFile string) error {
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(apiServerGrace):
	}
	killed := killFromPIDFile(ctx, pidFile)
	return errors.Join(killed, <-stopped)
}

// KillAPIServer kills the API server, until RestartAPIServer. It does not work for an existing cluster.
func (c *Cluster) KillAPIServer(ctx context.Context) error {
	if c.kill == nil {
		return errors.New("this process did not start the API server")
	}
	return c.kill(ctx)
}

// RestartAPIServer kills the API server, if it runs, and starts it again at the same address with the data of etcd. It does not work for an existing
// cluster.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	if c.restart == nil {
		return errors.New("this process did not start the API server")
	}
	if err := c.restart(ctx); err != nil {
		return fmt.Errorf("restarting the API server: %w", err)
	}
	return nil
}

// killFromPIDFile kills the process whose id is in a file, and waits until it is gone.
func killFromPIDFile(ctx context.Context, file string) error {
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

// auditPolicy logs all requests of the operator, and all requests about Bellhop's kinds and Secrets, which budgets limit. The level
// Metadata logs no bodies, so that no credential gets into the log.
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

// bindToParent returns a folder with scripts for programs that write their process id to a file, and that the kernel kills together with
// this process. envtest has no such setting, so the scripts start the programs with setpriv, where that exists.
func bindToParent(binaries, dir string) (string, error) {
	prefix := ""
	if setpriv, err := exec.LookPath("setpriv"); err == nil && runtime.GOOS == "linux" {
		prefix = "'" + setpriv + "' --pdeathsig KILL "
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, program := range []string{"etcd", "kube-apiserver"} {
		path := filepath.Join(dir, program)
		script := fmt.Sprintf("#!/bin/sh\necho $$ >'%s.pid'\nexec %s'%s' \"$@\"\n", path, prefix, filepath.Join(binaries, program))
		if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// startControllerManager runs the controllers that tests and demo depend on: without them a deleted namespace and its objects stay.
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
	started, err := startProcess(cmd)
	if err != nil {
		log.Close()
		return err
	}
	c.cleanups = append(c.cleanups, func() error {
		started.kill() // it has no state to save
		return log.Close()
	})
	probe := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // it generates its certificate when it starts
	}}
	if err := started.waitForURL(ctx, probe, fmt.Sprintf("https://127.0.0.1:%d/healthz", port)); err != nil {
		return fmt.Errorf("kube-controller-manager: %w (its log: %s)", err, log.Name())
	}
	return nil
}
