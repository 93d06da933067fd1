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
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// throughput are the figures of a subject in a round. What is said of an Alert is the mean.
type throughput struct {
	speed
	gone                 float64 // a second; no number of a floor, which does not remove
	patches, posts, gets float64 // requests to the API server for an Alert
	pages                float64 // requests to the receiver for an Alert
	cpu                  float64 // of the subject for an Alert, in milliseconds
	peak, rest           float64 // MiB
	heap                 float64 // bytes that stay for an Alert
}

func throughputTable() *table[throughput] {
	return newTable(
		column[throughput]{"alerts/s", 1, func(t throughput) float64 { return t.perSecond }},
		column[throughput]{"p50 ms", 0, func(t throughput) float64 { return milliseconds(t.p50) }},
		column[throughput]{"p99 ms", 0, func(t throughput) float64 { return milliseconds(t.p99) }},
		column[throughput]{"max ms", 0, func(t throughput) float64 { return milliseconds(t.max) }},
		column[throughput]{"pace ms", 2, func(t throughput) float64 { return t.pace }},
		column[throughput]{"gone/s", 1, func(t throughput) float64 { return t.gone }},
		column[throughput]{"PATCH", 2, func(t throughput) float64 { return t.patches }},
		column[throughput]{"POST", 2, func(t throughput) float64 { return t.posts }},
		column[throughput]{"GET", 2, func(t throughput) float64 { return t.gets }},
		column[throughput]{"r.POST", 2, func(t throughput) float64 { return t.pages }},
		column[throughput]{"CPU ms", 2, func(t throughput) float64 { return t.cpu }},
		column[throughput]{"peak MiB", 1, func(t throughput) float64 { return t.peak }},
		column[throughput]{"rest MiB", 1, func(t throughput) float64 { return t.rest }},
		column[throughput]{"heap B", 0, func(t throughput) float64 { return t.heap }},
	)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

const aboutThroughput = `
alerts/s: from the first accepted create to the last Alert that a watch shows as sent. p50, p99, max: of an Alert, from its
accepted create until the watch shows status.sent. gone/s: the same from accepted deletes until the Alerts are gone; the
floors do not remove them. pace: CPU time that the same small work took until they were sent, which is longer where the
machine is slower; of seconds it says little. PATCH, POST, GET: requests of the subject to the API server for an Alert until
it is sent (rest_client_requests_total): status, events, reads. r.POST: requests to the receiver until then. CPU: of the
subject, webhooks included.
peak: VmHWM. rest: VmRSS at rest, %s after garbage collections. heap: how much more of it is in use at rest, for an Alert.
Each subject has %d workers, a fresh control plane in each round, and has sent one Alert before. Subject, control plane,
clients and receiver share the machine; etcd does not wait for the disk.

`

// alertsPart measures how fast Alerts are sent, by the operator and by the floors in turn.
func (b *bench) alertsPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "alerts: %v Alerts, created by %d clients as fast as they go, to one receiver that confirms at once; medians of %d rounds, with more than %d objects of one\n\n",
		&b.alerts, b.creators, b.rounds, many)
	measured, err := along(b, b.alerts, b.senders(), func(which subject, n int) (throughput, error) { return b.throughputOf(ctx, which, n) })
	if err != nil {
		return err
	}
	t := throughputTable()
	fill(t, measured, func(t throughput) throughput { return t }, true)
	t.write(out)
	fmt.Fprintf(out, aboutThroughput, b.rest, b.alertModel.workers)
	return nil
}

// throughputOf measures a subject on a control plane of its own, with n Alerts.
func (b *bench) throughputOf(ctx context.Context, which subject, n int) (figures throughput, err error) {
	to, err := newReceiver(ctx, confirms)
	if err != nil {
		return figures, err
	}
	defer to.close()
	err = b.onStage(ctx, staging{binary: which.binary, args: which.args(b.alertModel, to.url)}, func(ctx context.Context, s *stage) error {
		at, err := newSite(ctx, s.api, b.unused("alerts"), func(a *v1beta1.Alert) bool { return a.Status.Sent })
		if err != nil {
			return err
		}
		if err := at.addReceiver(ctx, "hook", to); err != nil {
			return err
		}
		if err := at.warmUp(ctx); err != nil {
			return err
		}
		if b.alertModel == nil {
			if b.alertModel, err = b.takeAlert(ctx, s, at, to); err != nil {
				return err
			}
		}
		if figures, err = b.measure(ctx, s, at, to, n); err != nil {
			return err
		}
		if figures.gone = math.NaN(); which.loop == "" {
			figures.gone, err = b.removeAll(ctx, at, n)
		}
		return errors.Join(err, checkPages(n+1, to))
	})
	return figures, err
}

// removeAll deletes all Alerts, which are one more than n, and says how many are gone in a second.
func (b *bench) removeAll(ctx context.Context, at *site, n int) (float64, error) {
	if err := at.remove(ctx, 0); err != nil {
		return 0, err
	}
	gone, err := timed(ctx, n, b.creators, at.remove, at.seen.goneAt)
	return gone.perSecond, err
}

// measure creates the Alerts, and reads what the subject needed for them.
func (b *bench) measure(ctx context.Context, s *stage, at *site, to *receiver, alerts int) (figures throughput, err error) {
	before, heapBefore, err := s.atRest(ctx, 0)
	if err != nil {
		return figures, err
	}
	asked := to.asked.Load()
	if figures.speed, err = timed(ctx, alerts, b.creators, at.create, at.seen.readyAt); err != nil {
		return figures, err
	}
	after, err := s.read(ctx)
	if err != nil {
		return figures, err
	}
	_, figures.peak = s.memory()
	atRest, heap, err := s.atRest(ctx, b.rest)
	if err != nil {
		return figures, err
	}
	figures.rest, _ = s.memory()

	n := float64(alerts)
	requests := func(method string) float64 {
		return (atRest.sum(apiRequests, method) - before.sum(apiRequests, method)) / n // events may come after all is sent
	}
	figures.patches, figures.posts, figures.gets = requests(http.MethodPatch), requests(http.MethodPost), requests(http.MethodGet)
	figures.pages = float64(to.asked.Load()-asked) / n
	figures.cpu = (after.sum(cpuSeconds, "") - before.sum(cpuSeconds, "")) * 1000 / n
	figures.heap = (heap - heapBefore) / n
	return figures, nil
}
