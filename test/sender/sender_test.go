// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
)

var (
	seed      = flag.Uint64("seed", 1, "the seed of the first history")
	histories = flag.Int("histories", 0, "how many histories run, each with the next seed; 0: those of the gate")
	within    = flag.Duration("within", 24*time.Hour, "no history starts after that time")
	verbose   = flag.Bool("log", false, "print the log of all programs")
)

// gate are the seeds of histories that the gate runs. They take few seconds each.
var gate = []uint64{1, 2, 4, 5, 9, 10}

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	debug.SetGCPercent(400)
	utilruntime.ErrorHandlers = nil // they measure time from the start of the process, by another clock
	os.Exit(m.Run())
}

// TestHistories runs real senders against the operator. Each history has a seed, which is printed with it if it fails.
func TestHistories(t *testing.T) {
	began := time.Now()
	for n, seed := range seeds() {
		if time.Since(began) > *within {
			t.Logf("%d histories were run within %s", n, *within)
			return
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			h := newHistory(seed)
			if failures := run(t, h, nil); len(failures) > 0 {
				t.Errorf("%s\n%s", strings.Join(failures, "\n"), h)
			}
		})
	}
}

// seeds returns those of the histories that run.
func seeds() (all []uint64) {
	if *histories == 0 {
		return gate
	}
	for n := range *histories {
		all = append(all, *seed+uint64(n))
	}
	return all
}

// run runs a history, which may be changed once its programs have started, and returns what the oracle has found.
func run(t *testing.T, h history, change func(*simulation)) (failures []string) {
	t.Helper()
	certificate, err := newCertificate()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		if *verbose {
			log = slog.New(slog.NewTextHandler(os.Stderr, nil))
		}
		sim, err := newSimulation(h, log, certificate)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(sim)
		}
		err = sim.run()
		failures = sim.oracle.failures
		if err != nil {
			failures = append(failures, err.Error())
		}
		if err := sim.close(); err != nil {
			failures = append(failures, err.Error())
		}
		time.Sleep(time.Hour) // until requests in flight have ended
		synctest.Wait()
	})
	return failures
}
