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

package harness

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/test/faults/oracle"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
	"github.com/gophernetes/bellhop/test/internal/output"
)

// Result is what came of a run.
type Result struct {
	Calls    []proxy.Call
	Events   []string
	State    string
	Problems []string
	Happened bool
	Duration time.Duration
	Log      string
}

// A run is a scenario with a fault.
type Run struct {
	Cluster  *Cluster
	Injector *proxy.Injector
	Env      *scenario.Environment
	Oracle   oracle.Checker
	Log      *output.Buffer
	// processEnv is what processes have in their environment beside what all have.
	processEnv []string

	// OnLeader is told who leads; nil: nobody wants to know.
	OnLeader func(*Process)
	// stepsDone: the user has all that the steps wait for.
	stepsDone *proxy.Signal

	mu        sync.Mutex
	leader    *Process
	standby   *Process
	processes []*Process
}

// NewRun makes the world of a run. env is what processes have in their environment beside what all have.
func (l *Cluster) NewRun(ctx context.Context, sc scenario.Scenario, env ...string) (*Run, error) {
	r := &Run{Cluster: l, Injector: proxy.NewInjector(l.newestVersion), Log: &output.Buffer{}, processEnv: env, stepsDone: proxy.NewSignal()}
	var err error
	if r.Env, err = scenario.NewEnvironment(ctx, l.Client, r.Injector, r.KillLeader, sc); err != nil {
		return nil, err
	}
	r.Oracle = oracle.NewChecker(r.Env)
	r.Env.GuardBroker = r.Oracle.GuardBroker
	return r, nil
}

// TryScenario runs a scenario with a fault. expected is how it ends without one; "": that is what
// this run finds out.
func (l *Cluster) TryScenario(ctx context.Context, sc scenario.Scenario, f proxy.Fault, expected string) (Result, error) {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := l.NewRun(ctx, sc, detectMutations)
	if err != nil {
		return Result{}, err
	}
	env := r.Env
	env.Fault, env.MaxRepeats = f, f.MaxRepeats()
	defer r.Close()
	first, err := r.StartProcess(ctx, f.NeedsStandby(), "")
	if err != nil {
		return Result{}, err
	}
	r.SetLeader(first)
	if err := env.Play(sc.Prepare); err != nil {
		return Result{}, fmt.Errorf("preparing %s: %w\n%s", sc.Name, err, r.Log)
	}
	if f.NeedsStandby() {
		for r.leaseHolder(ctx) == "" && ctx.Err() == nil { // else the other one may be first
			proxy.Sleep(ctx, 50*time.Millisecond)
		}
		if r.standby, err = r.StartProcess(ctx, true, ""); err != nil {
			return Result{}, err
		}
		r.standby.server.SetStandby()
		proxy.Sleep(ctx, 2*proxy.FaultDuration) // until its caches are warm
	}
	for r.Injector.IdleTime() < 500*time.Millisecond {
		proxy.Sleep(ctx, 50*time.Millisecond)
	}
	watching := r.Oracle.WatchObjects(ctx)
	r.Injector.Arm(f)
	succeeded := make(chan struct{})
	go func() {
		r.replaceKilled(ctx, f)
		close(succeeded)
	}()
	err = env.Play(sc.Steps)
	r.stepsDone.Set()
	if err == nil && f.Kind != "" {
		r.waitForFault(ctx)
		if f.Kind == proxy.Deposed && r.Injector.Happened() {
			<-succeeded
		}
	}
	r.Injector.Disarm()
	if err != nil {
		env.Reportf("%v", err)
	}
	found := r.evaluate(expected, err == nil)
	cancel()
	watching()
	found.Duration = time.Since(began)
	return found, nil
}

// waitForFault gives the fault time to happen after the last that the user waits for.
func (r *Run) waitForFault(ctx context.Context) {
	for end := time.Now().Add(2 * proxy.FaultDuration); !r.Injector.Happened() && r.Injector.IdleTime() < proxy.FaultDuration/2 && time.Now().Before(end); {
		proxy.Sleep(ctx, 20*time.Millisecond)
	}
}

// currentLeader is the process that leads.
func (r *Run) currentLeader() *Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leader
}

// SetLeader makes a process the one that leads.
func (r *Run) SetLeader(p *Process) {
	r.mu.Lock()
	r.leader = p
	r.mu.Unlock()
	if r.OnLeader != nil {
		r.OnLeader(p)
	}
}

func (r *Run) KillLeader() { r.currentLeader().kill() }

func (r *Run) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.processes {
		p.close()
	}
	r.Env.Close()
	r.Env.RemoveObjects()
}
