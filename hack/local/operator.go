// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// OperatorOptions configure a process of the operator.
type OperatorOptions struct {
	// Binary is the path that BuildOperator returned.
	Binary string
	// Args follow the arguments that StartOperator sets.
	Args []string
	// Log gets the output of the operator. Default: only errors have the end of it.
	Log io.Writer
	// WebhookPort is for a second operator, which the API server does not call: a port from FreePort.
	WebhookPort int
}

// An Operator is a process of the operator's binary.
type Operator struct {
	// MetricsURL serves metrics over TLS, to authorized clients.
	MetricsURL string
	// HealthURL is the base of /healthz and /readyz.
	HealthURL string

	process *process
	log     *tailWriter
	once    sync.Once
	err     error
}

// BuildOperator builds the operator's binary, and returns its path. If the environment variable BELLHOP_OPERATOR names a binary, it
// returns that one: so several programs can share one build, or run a binary that was built in another way.
func BuildOperator(ctx context.Context, repo string) (string, error) {
	if built := os.Getenv("BELLHOP_OPERATOR"); built != "" {
		return built, nil
	}
	bin := filepath.Join(repo, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	// Several suites may build at the same time: each uses a name of its own, and the last one stays.
	temp, err := os.CreateTemp(bin, ".operator-")
	if err != nil {
		return "", err
	}
	temp.Close()
	defer os.Remove(temp.Name())
	path := filepath.Join(bin, "operator")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "grpcnotrace", "-o", temp.Name(), ".")
	cmd.Dir = repo
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the operator: %w\n%s", err, out)
	}
	return path, os.Rename(temp.Name(), path)
}

// StartOperator runs the operator's binary with its ServiceAccount, and returns once it is ready.
func (c *Cluster) StartOperator(ctx context.Context, options OperatorOptions) (*Operator, error) {
	kubeconfig, err := c.OperatorKubeconfig(ctx)
	if err != nil {
		return nil, err
	}
	webhooks := options.WebhookPort
	if webhooks == 0 {
		webhooks = c.WebhookPort
	}
	health, err := FreePort()
	if err != nil {
		return nil, err
	}
	metrics, err := FreePort()
	if err != nil {
		return nil, err
	}
	o := &Operator{
		MetricsURL: fmt.Sprintf("https://127.0.0.1:%d/metrics", metrics),
		HealthURL:  fmt.Sprintf("http://127.0.0.1:%d", health),
		log:        &tailWriter{to: options.Log},
	}
	cmd := exec.Command(options.Binary, append([]string{ //nolint:noctx // lives until Stop or Kill
		"--webhook-cert-dir=" + c.hooks.LocalServingCertDir,
		"--webhook-host=" + c.listenHost(),
		"--webhook-port=" + strconv.Itoa(webhooks),
		"--health-probe-bind-address=127.0.0.1:" + strconv.Itoa(health),
		"--metrics-bind-address=127.0.0.1:" + strconv.Itoa(metrics),
		"--operator-namespace=" + c.Namespace,
	}, options.Args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stdout, cmd.Stderr = o.log, o.log
	if o.process, err = startProcess(cmd); err != nil {
		return nil, fmt.Errorf("starting the operator: %w", err)
	}
	c.cleanups = append(c.cleanups, o.Stop)
	if err := o.process.waitForURL(ctx, &http.Client{Timeout: time.Second}, o.HealthURL+"/readyz"); err != nil {
		o.Kill()
		return nil, fmt.Errorf("the operator: %w\n%s", err, o.log)
	}
	return o, nil
}

// listenHost is loopback if only this machine calls the webhooks, so that its network cannot reach them.
func (c *Cluster) listenHost() string {
	if c.hooks.LocalServingHostExternalName == "127.0.0.1" {
		return "127.0.0.1"
	}
	return ""
}

// PID returns the id of the operator's process.
func (o *Operator) PID() int { return o.process.cmd.Process.Pid }

// Ended is closed when the operator's process has ended, for any reason.
func (o *Operator) Ended() <-chan struct{} { return o.process.ended }

// Kill sends SIGKILL, and returns when the process is gone.
func (o *Operator) Kill() {
	o.once.Do(o.process.kill)
}

// Stop sends SIGTERM, as the kubelet does, and returns how the process ended. After Kill it returns nil.
func (o *Operator) Stop() error {
	o.once.Do(func() {
		if err := o.process.stop(startTimeout); err != nil {
			o.err = fmt.Errorf("the operator: %w\n%s", err, o.log)
		}
	})
	return o.err
}

// tailWriter forwards what is written to it, and keeps the end.
type tailWriter struct {
	to   io.Writer
	mu   sync.Mutex
	kept []byte
}

const tailSize = 4 << 10

func (t *tailWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*tailSize {
		t.kept = append([]byte{}, t.kept[len(t.kept)-tailSize:]...)
	}
	if t.to != nil {
		return t.to.Write(p)
	}
	return len(p), nil
}

func (t *tailWriter) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.kept[max(0, len(t.kept)-tailSize):]
	return string(bytes.TrimSpace(kept))
}
