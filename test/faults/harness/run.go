// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package harness runs scenarios: it starts the operator on a control plane that all runs share, kills it, lets another process take over,
// and waits until the operator is idle.
package harness

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/test/faults/oracle"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
	"github.com/gophernetes/bellhop/test/internal/output"
)

// Result is the outcome of a run.
type Result struct {
	Calls    []proxy.Call
	Events   []string
	State    string
	Problems []string
	Happened bool
	Duration time.Duration
	Log      string
}

// Run is a scenario with a fault.
type Run struct {
	Cluster  *Cluster
	Injector *proxy.Injector
	Env      *scenario.Environment
	Oracle   oracle.Checker
	Log      *output.Buffer
	// processEnv is added to the environment of processes.
	processEnv []string
	// flags are added to those of the processes.
	flags []string
	// isIngest: each process listens for posts to AlertSources.
	isIngest bool
	// hasReplicas: two processes run from the beginning, whatever the fault.
	hasReplicas bool
	// reusesID: a resource gets the id of one that was deleted.
	reusesID bool

	// OnLeader is called with each process that leads; nil: nothing is called.
	OnLeader func(*Process)
	// stepsDone is set when the steps have ended.
	stepsDone *proxy.Signal

	mu        sync.Mutex
	leader    *Process
	standby   *Process
	processes []*Process
}

// NewRun creates the environment of a run. env is added to the process environment of its operators.
func (c *Cluster) NewRun(ctx context.Context, sc scenario.Scenario, env ...string) (*Run, error) {
	r := &Run{
		Cluster: c, Injector: proxy.NewInjector(c.newestVersion), Log: &output.Buffer{}, stepsDone: proxy.NewSignal(),
		isIngest: sc.Ingest, hasReplicas: sc.Replicas, reusesID: sc.ReusesID,
	}
	var err error
	if r.Env, err = scenario.NewEnvironment(ctx, c.Client, r.Injector, r.KillLeader, r.stopLeader, sc); err != nil {
		return nil, err
	}
	r.Injector.ClockFile = filepath.Join(c.Dir, "clock-"+r.Env.Namespace)
	r.processEnv = slices.Concat(env, []string{proxy.ClockVariable + "=" + r.Injector.ClockFile})
	r.Env.Sender.SetListeners(r.listeners)
	if sc.PageByLabel {
		r.flags = []string{"--page-by-label", "--page-resolve-after=1s"}
	}
	r.Env.Troubled = r.Env.Troubled || c.Operator != c.Successor // of two versions one may have a fault that is mended in the other
	r.Env.Uncompared = strings.FieldsFunc(c.Uncompared, func(r rune) bool { return r == ',' })
	r.Oracle = oracle.NewChecker(r.Env)
	r.Env.GuardBroker = r.Oracle.GuardBroker
	return r, nil
}

// TryScenario runs a scenario with a fault. learned is the run without a fault; the zero value: this run is that one.
func (c *Cluster) TryScenario(ctx context.Context, sc scenario.Scenario, f proxy.Fault, learned Result) (Result, error) {
	start := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := c.NewRun(ctx, sc, detectMutations)
	if err != nil {
		return Result{}, err
	}
	env := r.Env
	env.Fault, env.MaxRepeats = f, f.MaxRepeats()
	defer r.Close()
	if err := r.prepare(ctx, sc, f); err != nil {
		return Result{}, err
	}
	endWatches := r.Oracle.WatchObjects(ctx)
	r.Injector.Arm(f)
	takenOver := make(chan struct{})
	go func() {
		r.replaceKilled(ctx, f)
		close(takenOver)
	}()
	neighbourIsDone := r.startNeighbour(ctx, f)
	err = env.Play(sc.Steps)
	r.stepsDone.Set()
	if env.HasEndedEarly() {
		err = nil
	}
	if err == nil && f.Kind != "" {
		r.waitForFault(ctx, f)
		if f.IsOverlap() && r.Injector.Happened() {
			<-takenOver
		}
	}
	r.Injector.Disarm()
	if f.Kind == proxy.NeighbourEdits && r.Injector.Happened() {
		<-neighbourIsDone // another neighbour continues, or has done its one deed
	}
	if err != nil {
		env.Reportf("%v", err)
	}
	found := r.evaluate(learned, err == nil)
	cancel()
	endWatches()
	<-neighbourIsDone
	found.Duration = time.Since(start)
	return found, nil
}

// startNeighbour has a neighbour act once the fault happens. isDone is closed when it has ended, at the latest with ctx.
func (r *Run) startNeighbour(ctx context.Context, f proxy.Fault) (isDone <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ctx.Done():
		case <-r.Injector.WhenHappened():
			if err := r.Env.Play(func(e *scenario.Environment) { e.ActAsNeighbour(ctx, f.Kind) }); err != nil && ctx.Err() == nil {
				r.Env.Reportf("%v", err)
			}
		}
	}()
	return done
}

// prepare starts the processes and prepares the scenario. It returns once no request is made.
func (r *Run) prepare(ctx context.Context, sc scenario.Scenario, f proxy.Fault) error {
	first, err := r.StartProcess(ctx, ProcessOptions{Binary: r.Cluster.Operator, Elect: r.elects(f), Flags: r.replicaFlags()})
	if err != nil {
		return err
	}
	r.SetLeader(first)
	if err := r.Env.Play(sc.Prepare); err != nil {
		return fmt.Errorf("preparing %s: %w\n%s", sc.Name, err, r.Log)
	}
	if r.elects(f) {
		for r.leaseHolder(ctx) == "" && ctx.Err() == nil { // otherwise the other process may be elected first
			proxy.Sleep(ctx, 50*time.Millisecond)
		}
		standby, err := r.StartProcess(ctx, ProcessOptions{Binary: r.Cluster.Successor, Elect: true, Flags: r.replicaFlags()})
		if err != nil {
			return err
		}
		standby.server.SetStandby()
		r.setStandby(standby)
		proxy.Sleep(ctx, 2*proxy.FaultDuration) // until its caches are filled
	}
	for r.Injector.IdleTime() < 500*time.Millisecond {
		proxy.Sleep(ctx, 50*time.Millisecond)
	}
	return nil
}

// elects reports whether two processes run, and one is elected.
func (r *Run) elects(f proxy.Fault) bool { return f.NeedsStandby() || r.hasReplicas }

// replicaFlags returns flags of replicas that no fault deposes: a leader that is slow on a busy machine stays one.
func (r *Run) replicaFlags() []string {
	if !r.hasReplicas {
		return nil
	}
	return []string{"--leader-elect-lease-duration=12s"}
}

// waitForFault gives the fault time to happen after the last step, and one of a clock to last until the operator believes it, or is restarted.
func (r *Run) waitForFault(ctx context.Context, f proxy.Fault) {
	for end := time.Now().Add(2 * proxy.FaultDuration); !r.Injector.Happened() && r.Injector.IdleTime() < proxy.FaultDuration/2 && time.Now().Before(end); {
		proxy.Sleep(ctx, 20*time.Millisecond)
	}
	for end := time.Now().Add(scenario.Deadline); f.IsOfTime() && r.Injector.IsBusy() && time.Now().Before(end); {
		proxy.Sleep(ctx, 20*time.Millisecond)
	}
}

// currentLeader returns the process that leads.
func (r *Run) currentLeader() *Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leader
}

// listeners returns the addresses to which senders post: those of all processes that run, that of the leader first.
func (r *Run) listeners() (addresses []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.processes {
		switch {
		case p.hasEnded() || p.ingest == "":
		case p == r.leader:
			addresses = slices.Insert(addresses, 0, p.ingest)
		default:
			addresses = append(addresses, p.ingest)
		}
	}
	return addresses
}

// setStandby sets the process that takes over when the leader ends.
func (r *Run) setStandby(p *Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.standby = p
}

func (r *Run) hasStandby() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.standby != nil
}

// SetLeader records which process leads.
func (r *Run) SetLeader(p *Process) {
	r.mu.Lock()
	r.leader = p
	r.mu.Unlock()
	if r.OnLeader != nil {
		r.OnLeader(p)
	}
}

// stopLeader stops the process that leads for a while.
func (r *Run) stopLeader() { r.currentLeader().stop() }

// KillLeader kills the process that leads.
func (r *Run) KillLeader() { r.currentLeader().kill() }

// Close kills the processes and removes what is left of the run.
func (r *Run) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.processes {
		p.close()
	}
	r.Env.Close()
	r.Env.RemoveObjects()
}
