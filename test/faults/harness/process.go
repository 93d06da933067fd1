// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// Process is a process of the operator, with the proxy through which it sees the API server.
type Process struct {
	injector *proxy.Injector
	server   *proxy.APIServer
	cmd      *exec.Cmd
	http     *http.Server
	ended    chan struct{}
	// log monitors the output of the process, and writes it to Run.Log.
	log logMonitor
	// ingest is the address of the listener of AlertSources; "": none.
	ingest string
	// endedByUs: the harness ends the process.
	endedByUs atomic.Bool
	closeOnce sync.Once
}

// detectMutations makes client-go panic if a process changes an object of its cache. It keeps copies of all objects, so that it is not for runs
// that measure memory.
const detectMutations = "KUBE_CACHE_MUTATION_DETECTOR=true"

// ProcessOptions say how a process of the operator is started.
type ProcessOptions struct {
	Binary string
	Elect  bool   // two processes run, and one is elected
	AsOf   string // the resourceVersion that the process sees at first; "": the newest
	Flags  []string
}

// StartProcess starts the operator.
func (r *Run) StartProcess(ctx context.Context, o ProcessOptions) (*Process, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Process{injector: r.Injector, log: logMonitor{out: r.Log}, ended: make(chan struct{})}
	p.server = proxy.NewAPIServer(proxy.APIServerOptions{
		Injector: r.Injector, Namespace: r.Env.Namespace, Upstream: r.Cluster.upstream, Transport: r.Cluster.transport, Kill: p.kill, Stop: p.stop,
	})
	if o.AsOf != "" {
		p.server.HoldAt(o.AsOf)
		r.showLater(p.server.CatchUp)
	}
	p.http = &http.Server{Handler: p.server, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.http.Serve(listener) }()
	if r.isIngest {
		port, err := local.FreePort()
		if err != nil {
			return nil, err
		}
		p.ingest = fmt.Sprintf("127.0.0.1:%d", port)
	}
	if p.cmd, err = r.command(listener.Addr().(*net.TCPAddr), p.ingest, o); err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	r.Injector.ExpectWork(time.Now().Add(time.Second))
	go func() {
		_ = p.cmd.Wait() // it was killed, or exited by itself
		close(p.ended)
		r.restart(ctx, p, o)
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.processes = append(r.processes, p)
	return p, nil
}

// command returns the command line of an operator that uses the API server at an address, and listens for posts at another.
func (r *Run) command(api *net.TCPAddr, ingest string, o ProcessOptions) (*exec.Cmd, error) {
	webhooks, err := local.FreePort()
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(r.Cluster.Dir, fmt.Sprintf("kubeconfig-%d", api.Port))
	server := &rest.Config{Host: "http://" + api.String()}
	if err := local.WriteKubeconfig(kubeconfig, server, &clientcmdapi.AuthInfo{}); err != nil {
		return nil, err
	}
	args := []string{
		"--operator-namespace=" + r.Env.OperatorNamespace, "--webhook-cert-dir=" + r.Cluster.ControlPlane.WebhookCertDir(),
		"--webhook-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", webhooks),
		"--health-probe-bind-address=0", "--metrics-bind-address=0", "--allow-outbound=127.0.0.1",
		"--osb-api-request-timeout=2s", "--zap-log-level=5",
	}
	if o.Elect {
		args = append(args, "--leader-elect", "--leader-elect-lease-duration=4s")
	}
	if ingest != "" {
		args = append(args, "--ingest-bind-address="+ingest)
	}
	args = append(args, r.flags...)
	args = append(args, o.Flags...)        // the last of two values is used
	cmd := exec.Command(o.Binary, args...) //nolint:noctx // runs until it is killed
	cmd.Env = slices.Concat(os.Environ(), []string{"KUBECONFIG=" + kubeconfig, "KUBE_FEATURE_WatchListClient=false", "GOMAXPROCS=1", "GOTRACEBACK=all"}, r.processEnv)
	return cmd, nil
}

// restart replaces a leader that exited by itself, as kubelet does, unless a standby takes over.
func (r *Run) restart(ctx context.Context, p *Process, o ProcessOptions) {
	proxy.Sleep(ctx, 100*time.Millisecond)
	if p.endedByUs.Load() || ctx.Err() != nil || r.currentLeader() != p || r.hasStandby() {
		return
	}
	next, err := r.StartProcess(ctx, ProcessOptions{Binary: o.Binary, Elect: o.Elect, Flags: o.Flags})
	if err != nil {
		r.Env.Reportf("starting the operator again: %v", err)
		return
	}
	r.SetLeader(next)
}

// kill kills the process with SIGKILL. No request of the process is begun afterwards.
func (p *Process) kill() {
	p.endedByUs.Store(true)
	p.server.Disconnect()
	_ = p.cmd.Process.Kill()
	<-p.ended
	p.injector.KillSignal().Set()
}

// stop stops the process for a while, as if its machine were suspended. Its timers that are due meanwhile fire when it runs again.
func (p *Process) stop() {
	if p.cmd.Process.Signal(syscall.SIGSTOP) == nil {
		p.injector.ExpectWork(time.Now().Add(proxy.StopDuration + time.Second))
		time.AfterFunc(proxy.StopDuration, func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) })
	}
}

// dump ends the process with a list of its goroutines.
func (p *Process) dump() {
	p.endedByUs.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// close releases what the process used.
func (p *Process) close() {
	p.closeOnce.Do(func() {
		p.endedByUs.Store(true)
		p.server.Disconnect()
		_ = p.cmd.Process.Kill()
		<-p.ended
		_ = p.http.Close()
	})
}

// hasEnded reports whether the process has ended, or is killed.
func (p *Process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return p.endedByUs.Load()
	}
}

// ProcessID returns the id of the process.
func (p *Process) ProcessID() int { return p.cmd.Process.Pid }
