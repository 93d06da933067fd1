// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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

// alertFigures are the figures of a subject in one round. Figures per Alert are means.
type alertFigures struct {
	speed
	gone                 float64 // per second; NaN for the floors, which do not remove Alerts
	patches, posts, gets float64 // requests to the API server, per Alert
	pages                float64 // requests to the receiver, per Alert
	cpu                  float64 // milliseconds of the subject, per Alert
	peak, rest           float64 // MiB
	heap                 float64 // bytes that stay in use, per Alert
}

func alertTable() *table[alertFigures] {
	return newTable(
		column[alertFigures]{"alerts/s", 1, func(t alertFigures) float64 { return t.perSecond }},
		column[alertFigures]{"p50 ms", 0, func(t alertFigures) float64 { return milliseconds(t.p50) }},
		column[alertFigures]{"p99 ms", 0, func(t alertFigures) float64 { return milliseconds(t.p99) }},
		column[alertFigures]{"max ms", 0, func(t alertFigures) float64 { return milliseconds(t.max) }},
		column[alertFigures]{"pace ms", 2, func(t alertFigures) float64 { return t.cpuBaseline }},
		column[alertFigures]{"gone/s", 1, func(t alertFigures) float64 { return t.gone }},
		column[alertFigures]{"PATCH", 2, func(t alertFigures) float64 { return t.patches }},
		column[alertFigures]{"POST", 2, func(t alertFigures) float64 { return t.posts }},
		column[alertFigures]{"GET", 2, func(t alertFigures) float64 { return t.gets }},
		column[alertFigures]{"r.POST", 2, func(t alertFigures) float64 { return t.pages }},
		column[alertFigures]{"CPU ms", 2, func(t alertFigures) float64 { return t.cpu }},
		column[alertFigures]{"peak MiB", 1, func(t alertFigures) float64 { return t.peak }},
		column[alertFigures]{"rest MiB", 1, func(t alertFigures) float64 { return t.rest }},
		column[alertFigures]{"heap B", 0, func(t alertFigures) float64 { return t.heap }},
	)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

const aboutAlerts = `
alerts/s: from the first accepted create to the last Alert that a watch shows as sent. p50, p99, max: of an Alert, from its
accepted create until the watch shows status.sent. gone/s: the same from accepted deletes until the Alerts are gone; the
floors do not remove them. pace: CPU time of one small computation, repeated until they were sent, which is longer where the
machine is slower; of seconds it says little. PATCH, POST, GET: requests of the subject to the API server for an Alert until
it is sent (rest_client_requests_total): status, events, reads. r.POST: requests to the receiver until then. CPU: of the
subject, webhooks included.
peak: VmHWM. rest: VmRSS at rest, %s after garbage collections. heap: how much more of it is in use at rest, for an Alert.
Each subject has %d workers, a fresh control plane in each round, and has sent one Alert before. Subject, control plane,
clients and receiver share the machine; etcd does not wait for the disk.

`

// alertsPart measures how fast the operator and the floors send Alerts.
func (b *bench) alertsPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "alerts: %v Alerts, created by %d clients as fast as they go, to one receiver that confirms at once; medians of %d rounds, with more than %d objects of one\n\n",
		&b.alerts, b.creators, b.rounds, maxSizeForRounds)
	results, err := measureSizes(b, b.alerts, b.alertSubjects(), func(sub subject, n int) (alertFigures, error) { return b.measureAlertSubject(ctx, sub, n) })
	if err != nil {
		return err
	}
	t := alertTable()
	addSeries(t, results, func(t alertFigures) alertFigures { return t }, true)
	t.write(out)
	fmt.Fprintf(out, aboutAlerts, b.rest, b.alertModel.workers)
	return nil
}

// measureAlertSubject measures a subject with n Alerts in an environment of its own.
func (b *bench) measureAlertSubject(ctx context.Context, sub subject, n int) (figures alertFigures, err error) {
	recv, err := newReceiver(ctx, respondOK)
	if err != nil {
		return figures, err
	}
	defer recv.close()
	err = b.runInEnvironment(ctx, environmentOptions{binary: sub.binary, args: sub.args(b.alertModel, recv.url)}, func(ctx context.Context, s *environment) error {
		ns, err := newAlertNamespace(ctx, s.api, b.uniqueName("alerts"), func(a *v1beta1.Alert) bool { return a.Status.Sent })
		if err != nil {
			return err
		}
		if err := ns.addReceiver(ctx, "hook", recv); err != nil {
			return err
		}
		if err := ns.warmUp(ctx); err != nil {
			return err
		}
		if b.alertModel == nil {
			if b.alertModel, err = b.saveAlertModel(ctx, s, ns, recv); err != nil {
				return err
			}
		}
		if figures, err = b.measureCreation(ctx, s, ns, recv, n); err != nil {
			return err
		}
		if figures.gone = math.NaN(); sub.loop == "" {
			figures.gone, err = b.measureDeletion(ctx, ns, n)
		}
		return errors.Join(err, checkPagedOnce(n+1, recv))
	})
	return figures, err
}

// measureDeletion deletes all n+1 Alerts, and returns how many of Alerts 1 to n are gone per second.
func (b *bench) measureDeletion(ctx context.Context, ns *alertNamespace, n int) (float64, error) {
	if err := ns.remove(ctx, 0); err != nil {
		return 0, err
	}
	gone, err := measureBurst(ctx, n, b.creators, ns.remove, ns.timeline.waitDeleted)
	return gone.perSecond, err
}

// measureCreation creates the Alerts, and measures what the subject needs for them.
func (b *bench) measureCreation(ctx context.Context, s *environment, ns *alertNamespace, recv *receiver, alerts int) (figures alertFigures, err error) {
	before, heapBefore, err := s.readAtRest(ctx, 0)
	if err != nil {
		return figures, err
	}
	requestsBefore := recv.requests.Load()
	if figures.speed, err = measureBurst(ctx, alerts, b.creators, ns.create, ns.timeline.waitReady); err != nil {
		return figures, err
	}
	after, err := s.readMetrics(ctx)
	if err != nil {
		return figures, err
	}
	_, figures.peak = s.readMemory()
	atRest, heap, err := s.readAtRest(ctx, b.rest)
	if err != nil {
		return figures, err
	}
	figures.rest, _ = s.readMemory()

	n := float64(alerts)
	requests := func(method string) float64 {
		return (atRest.sum(apiRequests, method) - before.sum(apiRequests, method)) / n // read at rest, since the operator sends events later
	}
	figures.patches, figures.posts, figures.gets = requests(http.MethodPatch), requests(http.MethodPost), requests(http.MethodGet)
	figures.pages = float64(recv.requests.Load()-requestsBefore) / n
	figures.cpu = (after.sum(cpuSeconds, "") - before.sum(cpuSeconds, "")) * 1000 / n
	figures.heap = (heap - heapBefore) / n
	return figures, nil
}
