// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// operators are the cluster with the operator under test, and with the one that scenarios of AlertSources and faults of clocks need.
type operators struct {
	cluster *harness.Cluster
	// areGiven: they are binaries of the user, which have the times of a release.
	areGiven bool
	// pages and listens: they can create Alerts about objects with a label, and from posts.
	pages, listens bool
	// recordObjects: they record which object an Alert is about.
	recordObjects bool
	// calls: they have the provider grpc.
	calls bool
	// adapted builds the operator with variant.adapted, once.
	adapted func() (*harness.Cluster, error)
}

// newOperators finds out what the operators can do.
func newOperators(ctx context.Context, cluster *harness.Cluster, given harness.Binaries) (*operators, error) {
	repo, err := local.FindRepo()
	if err != nil {
		return nil, err
	}
	under := &operators{cluster: cluster, areGiven: given.Operator != "" || given.Successor != ""}
	if under.pages, err = cluster.HaveFlag(ctx, "page-by-label"); err != nil {
		return nil, err
	}
	if under.listens, err = cluster.HaveFlag(ctx, "ingest-bind-address"); err != nil {
		return nil, err
	}
	if under.calls, err = cluster.HaveText("bellhop.notifier.v1.Notifier"); err != nil {
		return nil, err
	}
	if under.recordObjects, err = cluster.HaveText(v1beta1.PagedUIDAnnotation); err != nil {
		return nil, err
	}
	under.adapted = sync.OnceValues(func() (*harness.Cluster, error) {
		binary, err := variant{name: "adapted"}.adapted().build(ctx, repo, cluster.Dir)
		return cluster.WithOperator(binary), err
	})
	return under, nil
}

// canRun reports whether the operators have what a scenario needs.
func (u *operators) canRun(sc scenario.Scenario) bool {
	return (!sc.PageByLabel || u.pages) && (!sc.RecordsObject || u.recordObjects) && (!sc.Ingest || u.listens) &&
		(!sc.Notifiers || u.calls) && (!sc.ShortTimes || !u.areGiven)
}

// needsAdapted reports whether a run needs an operator with short times, or one whose clock can be shifted.
func needsAdapted(sc scenario.Scenario, f proxy.Fault) bool { return sc.Ingest || f.IsOfTime() }

// of returns the cluster with the operator for a scenario and a fault.
func (u *operators) of(sc scenario.Scenario, f proxy.Fault) (*harness.Cluster, error) {
	if !u.areGiven && needsAdapted(sc, f) {
		return u.adapted()
	}
	return u.cluster, nil
}

// adapted returns the variant with short times and a clock that can be shifted.
func (v variant) adapted() variant {
	v.edits, v.shiftsClock = slices.Concat(shortTimes(), shortAgreement(), v.edits), true
	return v
}

// shortAgreement are edits after which the API server's time is known again some seconds after a jump, instead of minutes.
func shortAgreement() []mistake {
	return []mistake{{"internal/kube/times/times.go", "const Agreement = 15 * time.Minute\n", "const Agreement = " + seconds(proxy.Agreement) + "\n"}}
}

// shortTimes are edits after which the operator decides about posts in seconds instead of minutes, and counts what receivers got sooner.
func shortTimes() (edits []mistake) {
	const rules = sourceRules + "source.go"
	for _, e := range []struct{ file, name, is, short string }{
		{rules, "joinEvery", "5 * time.Minute", seconds(scenario.JoinEvery)},
		{rules, "burst", "30 * time.Second", "time.Second"},
		{rules, "endGrace", "5 * time.Minute", "2 * time.Second"},
		{rules, "defaultLapse", "5 * time.Minute", seconds(scenario.Lapse)},
		{rules, "lapseStep", "20 * time.Minute", "2 * time.Second"},
		{rules, "lapseAfterStart", "15 * time.Minute", "4 * time.Second"},
		{"internal/pager/ingest/record.go", "recordEvery", "time.Minute", "time.Second"},
		{"controllers/pager/receiver/controller.go", "statusEvery, urgentEvery", "10 * time.Second, time.Second", "3 * time.Second, time.Second"}, // a run waits for the last one
	} {
		edits = append(edits, mistake{e.file, "\t" + e.name + " = " + e.is + "\n", "\t" + e.name + " = " + e.short + "\n"})
	}
	return edits
}

// seconds returns a number of whole seconds as a source has it.
func seconds(d time.Duration) string { return fmt.Sprintf("%d * time.Second", d/time.Second) }
