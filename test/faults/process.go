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
)

// A process is the operator's binary, with an API server that shows it one run.
type process struct {
	director *director
	seam     *apiSeam
	cmd      *exec.Cmd
	server   *http.Server
	ended    chan struct{}
	// printed is what it has printed.
	printed monitor
	// ours: it is we who end it.
	ours atomic.Bool
	once sync.Once
}

// detectMutations ends a process that changes an object of its cache. That keeps copies of
// all that was there in two minutes: where memory is measured it is not for.
const detectMutations = "KUBE_CACHE_MUTATION_DETECTOR=true"

// start runs the binary. A leader is elected where there may be two; asOf is the
// resourceVersion that it sees the world at for a while, "" for the newest.
func (r *run) start(ctx context.Context, elect bool, asOf string, flags ...string) (*process, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{director: r.director, printed: monitor{out: r.log}, ended: make(chan struct{})}
	p.seam = newAPISeam(apiSeamOptions{
		director: r.director, namespace: r.world.namespace, upstream: r.lab.upstream, transport: r.lab.operator, kill: p.kill,
	})
	if asOf != "" {
		p.seam.holdAt(asOf)
		r.showLater(p.seam.catchUp)
	}
	p.server = &http.Server{Handler: p.seam, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(listener) }()
	webhooks, err := local.FreePort()
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(r.lab.dir, fmt.Sprintf("kubeconfig-%d", listener.Addr().(*net.TCPAddr).Port))
	server := &rest.Config{Host: "http://" + listener.Addr().String()}
	if err := local.WriteKubeconfig(kubeconfig, server, &clientcmdapi.AuthInfo{}); err != nil {
		return nil, err
	}
	args := []string{
		"--operator-namespace=" + r.world.home, "--webhook-cert-dir=" + r.lab.cluster.WebhookCertDir(),
		"--webhook-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", webhooks),
		"--health-probe-bind-address=0", "--metrics-bind-address=0", "--allow-outbound=127.0.0.1",
		"--osb-api-request-timeout=2s", "--zap-log-level=5",
	}
	if elect {
		args = append(args, "--leader-elect", "--leader-elect-lease-duration=4s")
	}
	args = append(args, flags...)               // the last of two counts
	p.cmd = exec.Command(r.lab.binary, args...) //nolint:noctx // lives until it is killed
	p.cmd.Env = slices.Concat(os.Environ(), []string{"KUBECONFIG=" + kubeconfig, "KUBE_FEATURE_WatchListClient=false", "GOMAXPROCS=1", "GOTRACEBACK=all"}, r.env)
	p.cmd.Stdout, p.cmd.Stderr = &p.printed, &p.printed
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	r.director.expect(time.Now().Add(time.Second))
	go func() {
		_ = p.cmd.Wait() // it is killed, or gives up
		close(p.ended)
		if !elect { // else another one stands by
			r.replace(ctx, p, flags)
		}
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = append(r.started, p)
	return p, nil
}

// replace starts a process anew that has given up, as kubelet does.
func (r *run) replace(ctx context.Context, p *process, flags []string) {
	wait(ctx, 100*time.Millisecond)
	if p.ours.Load() || ctx.Err() != nil || r.current() != p {
		return
	}
	next, err := r.start(ctx, false, "", flags...)
	if err != nil {
		r.world.blame("starting the operator again: %v", err)
		return
	}
	r.lead(next)
}

// kill is kill -9, after which nothing that the process has asked for is begun.
func (p *process) kill() {
	p.ours.Store(true)
	p.seam.disconnect()
	_ = p.cmd.Process.Kill()
	<-p.ended
	p.director.crashed().fire()
}

// dump ends the process, with a list of its goroutines.
func (p *process) dump() {
	p.ours.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// close frees what the process has used.
func (p *process) close() {
	p.once.Do(func() {
		p.ours.Store(true)
		p.seam.disconnect()
		_ = p.cmd.Process.Kill()
		<-p.ended
		_ = p.server.Close()
	})
}

// pid is the id of the process.
func (p *process) pid() int { return p.cmd.Process.Pid }
