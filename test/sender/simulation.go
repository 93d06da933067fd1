// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sender runs the packages of Prometheus and Alertmanager against the operator, in random histories with a fake clock.
package sender

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing/synctest"
	"time"

	eventsv1 "k8s.io/api/events/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
	"github.com/gophernetes/bellhop/test/sender/kube"
)

var eventsResource = eventsv1.SchemeGroupVersion.WithResource("events")

// latency is how long a request to the API server, and a message between members, take at most.
const latency = 200 * time.Millisecond

// simulation has the programs of a history, and the network between them, in which things fail. It is used in a synctest bubble, whose clock is that
// of the operator's machine and of each member.
type simulation struct {
	history     history
	log         *slog.Logger
	random      *rand.Rand
	certificate tls.Certificate
	network     *network
	api         *kube.Server
	began       time.Time
	proxy       *http.Server
	running     sync.WaitGroup
	ctx         context.Context //nolint:containedctx // ends with the history
	end         context.CancelFunc

	operator *replica
	prom     *prom
	members  []*member // nil: it does not run
	disks    []data
	config   int
	// due are what ends actions.
	due []undo

	oracle *oracle

	mu    sync.Mutex
	truth map[string]bool
	// cut has how many faults keep a sender from the operator, and blind how many keep Prometheus from a member.
	cut, blind               map[string]int
	parted, refusing, losing int
	apiDown                  int
}

// undo ends an action.
type undo struct {
	at time.Time
	do func() error
}

func memberName(n int) string { return string(rune('A' + n)) }

// newSimulation starts the programs of a history.
func newSimulation(h history, log *slog.Logger, certificate tls.Certificate) (*simulation, error) {
	sim := &simulation{
		history: h, log: log, certificate: certificate, network: newNetwork(), began: time.Now(), random: rand.New(rand.NewPCG(h.seed, 1)), //nolint:gosec // to be repeated
		members: make([]*member, h.members), disks: make([]data, h.members),
		truth: map[string]bool{watchdogID: true}, cut: map[string]int{}, blind: map[string]int{},
	}
	sim.ctx, sim.end = context.WithCancel(context.Background())
	sim.api = kube.New(sim.now, resources...)
	sim.api.Latency = func() time.Duration {
		sim.mu.Lock()
		defer sim.mu.Unlock()
		return time.Duration(sim.random.Int64N(int64(latency)))
	}
	sim.oracle = newOracle(sim)
	sim.api.Created = sim.oracle.tell
	sim.putObjects()
	listener, err := sim.network.listen(sim.ctx, "tcp", "bellhop:80")
	if err != nil {
		return nil, err
	}
	sim.proxy = &http.Server{Handler: http.HandlerFunc(sim.serve), ReadHeaderTimeout: time.Minute}
	sim.running.Go(func() { _ = sim.proxy.Serve(listener) })
	if sim.operator, err = startReplica(sim.ctx, sim, "bellhop-0"); err != nil {
		return nil, err
	}
	for n := range sim.members {
		if err := sim.start(n); err != nil {
			return nil, err
		}
	}
	if err := sim.startProm(); err != nil {
		return nil, err
	}
	sim.running.Go(sim.synchronize)
	return sim, nil
}

// now is the time of the API server, and that of the senders.
func (sim *simulation) now() time.Time { return time.Now().Add(sim.history.ahead) }

// isAway reports whether the operator does not run, or cannot reach the API server.
func (sim *simulation) isAway() bool {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return sim.operator == nil || sim.apiDown > 0
}

// putObjects creates what an administrator has created.
func (sim *simulation) putObjects() {
	sim.api.Put("namespaces", "", namespace, map[string]any{"apiVersion": "v1", "kind": "Namespace"})
	sim.api.Put("secrets", namespace, "senders", map[string]any{"apiVersion": "v1", "kind": "Secret", "data": map[string]any{endpoint.TokenKey: base64.StdEncoding.EncodeToString([]byte(token))}})
	for _, name := range sources {
		sim.api.Put("receivers", namespace, name, map[string]any{"apiVersion": v1beta1.GroupVersion.String(), "kind": "Receiver", "spec": map[string]any{"event": map[string]any{}, "resolveTimeoutSeconds": int64(600)}})
		sim.api.Put("alertsources", namespace, name, map[string]any{"apiVersion": v1beta1.GroupVersion.String(), "kind": "AlertSource", "spec": map[string]any{
			"secretRef": map[string]any{"name": "senders"}, "groupBy": []any{"alertname"}, "severityLabel": "severity",
			"severityMap":  map[string]any{"critical": "Critical", "warning": "Warning", "info": "Info"},
			"receiverRefs": []any{map[string]any{"kind": "Receiver", "name": name}}, "maxAlerts": int64(sim.history.maxAlerts), "ignoreSeverities": anySlice(sim.history.ignores),
			"alertmanager": map[string]any{"groupIntervalSeconds": int64(groupInterval / time.Second), "repeatIntervalSeconds": int64((repeatInterval + groupInterval) / time.Second)},
		}})
	}
}

func anySlice(all []string) []any {
	result := []any{}
	for _, s := range all {
		result = append(result, s)
	}
	return result
}

// start starts a member with what is on its disk.
func (sim *simulation) start(n int) (err error) {
	sim.members[n], err = startMember(memberOptions{
		name: memberName(n), log: sim.log, dial: sim.network.dial, data: sim.disks[n], config: sim.history.configs[sim.config].yaml(memberName(n)),
		position: func() int { return sim.position(n) },
		gossip: func(kind gossipKind, state []byte) {
			sim.running.Go(func() { sim.gossip(n, kind, state) })
		},
	})
	return err
}

func (sim *simulation) stop(n int) (err error) {
	m := sim.member(n)
	sim.mu.Lock()
	sim.members[n] = nil
	sim.mu.Unlock()
	sim.disks[n], err = m.stop()
	return err
}

// member returns a member; nil: it does not run.
func (sim *simulation) member(n int) *member {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return sim.members[n]
}

// position is how many members before one it reaches.
func (sim *simulation) position(n int) (before int) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	for other := range n {
		if sim.members[other] != nil && sim.parted == 0 {
			before++
		}
	}
	return before
}

// gossip sends a part of the state of a member to the others.
func (sim *simulation) gossip(from int, kind gossipKind, state []byte) {
	time.Sleep(latency)
	for n := range sim.members {
		sim.mu.Lock()
		m, isParted := sim.members[n], sim.parted > 0
		sim.mu.Unlock()
		if n != from && m != nil && !isParted {
			if err := m.merge(kind, state); err != nil {
				sim.log.Error("merging", "err", err)
			}
		}
	}
}

// synchronize has the members exchange their whole state each minute.
func (sim *simulation) synchronize() {
	for sleep(sim.ctx, time.Minute) {
		for n := range sim.members {
			if m := sim.member(n); m != nil {
				state, err := m.state()
				if err != nil {
					sim.log.Error("synchronizing", "err", err)
				}
				for kind, part := range state {
					sim.gossip(n, kind, part)
				}
			}
		}
	}
}

// sleep waits, and reports whether the context has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// startProm starts Prometheus.
func (sim *simulation) startProm() (err error) {
	o := promOptions{log: sim.log, truth: sim.truthNow, post: sim.postOfProm}
	for n := range sim.members {
		o.members = append(o.members, memberName(n))
	}
	sim.prom, err = startProm(o)
	return err
}

// truthNow returns the alerts whose expressions have a result.
func (sim *simulation) truthNow() map[string]bool {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return maps.Clone(sim.truth)
}

// run carries out the actions, and has the oracle look.
func (sim *simulation) run() error {
	actions := sim.history.actions
	for at := time.Duration(0); at < sim.history.length; at += step {
		time.Sleep(step)
		synctest.Wait() // the oracle and the API server are not locked
		for len(actions) > 0 && actions[0].at <= at {
			next := actions[0]
			actions = actions[1:]
			if err := sim.do(next); err != nil {
				return fmt.Errorf("%s: %w", next.verb, err)
			}
		}
		if err := sim.undoDue(); err != nil {
			return err
		}
		synctest.Wait()
		sim.oracle.look()
	}
	return nil
}

// close ends all programs.
func (sim *simulation) close() (err error) {
	if sim.prom != nil {
		sim.prom.stop()
	}
	for n := range sim.members {
		if sim.member(n) != nil {
			err = errors.Join(err, sim.stop(n))
		}
	}
	if sim.operator != nil {
		err = errors.Join(err, sim.operator.end(false))
	}
	err = errors.Join(err, sim.proxy.Close())
	sim.end()
	sim.running.Wait()
	return err
}
