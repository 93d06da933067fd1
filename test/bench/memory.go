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
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// footprint is what the operator has in memory at rest.
type footprint struct {
	resident, peak, heap float64 // MiB
	added                float64 // bytes of heap for each object that came since the line before
}

func footprintTable() *table[footprint] {
	return newTable(
		column[footprint]{"resident MiB", 1, func(f footprint) float64 { return f.resident }},
		column[footprint]{"peak MiB", 1, func(f footprint) float64 { return f.peak }},
		column[footprint]{"heap MiB", 1, func(f footprint) float64 { return f.heap }},
		column[footprint]{"heap B each", 0, func(f footprint) float64 { return f.added }},
	)
}

const aboutMemory = `
resident: VmRSS at rest, %s after garbage collections; peak: VmHWM; heap: how much of it is in use; each: how much more of it for
each object that came since the line before. Aims: at most 128 MiB resident with 10000 instances and 10000 bindings; at most 8192
bytes for an object; nothing for the content of a Secret that is not ours.

requests of the operator to the API server in a minute, while nothing happens for %s, with all these instances and bindings:
`

// memoryPart measures what the operator holds, and asks for, while it has nothing to do.
func (b *bench) memoryPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "memory: of one operator with %v instances and as many bindings, and of one with %d unrelated Secrets\n\n", &b.held, b.secrets)
	t := footprintTable()
	var atRest requests
	err := b.onStage(ctx, b.deployed(), func(ctx context.Context, s *stage) (err error) {
		atRest, err = b.holdServices(ctx, s, t)
		return err
	})
	if err != nil {
		return err
	}
	if err := b.onStage(ctx, b.deployed(), func(ctx context.Context, s *stage) error { return b.holdSecrets(ctx, s, t) }); err != nil {
		return err
	}
	t.write(out)
	fmt.Fprintf(out, aboutMemory, b.rest, b.quiet)
	r := newTable(
		column[requests]{"lease", 1, func(r requests) float64 { return r.leases }},
		column[requests]{"watch", 1, func(r requests) float64 { return r.watches }},
		column[requests]{"list", 1, func(r requests) float64 { return r.lists }},
		column[requests]{"GET", 1, func(r requests) float64 { return r.get + r.secretGets }},
		column[requests]{"writes", 1, func(r requests) float64 { return r.writes() }},
		column[requests]{"events", 1, func(r requests) float64 { return r.events }},
	)
	r.run("in a minute", atRest.each(b.quiet.Minutes()))
	r.write(out)
	fmt.Fprintf(out, "\nlease: renewals; watch: those that ended and began anew; writes: all others but events. Aim: only lease and watch.\n\n")
	return nil
}

// holdServices adds lines for all sizes, and says what is asked for with the largest.
func (b *bench) holdServices(ctx context.Context, s *stage, t *table[footprint]) (atRest requests, err error) {
	at, err := enter(ctx, s.api, newService(b.unused("held"), osbtest.Behavior{}))
	if err != nil {
		return atRest, err
	}
	defer at.broker.close()
	before, err := s.footprint(ctx, b.rest)
	if err != nil {
		return atRest, err
	}
	t.run("no instances, no bindings", before)
	has := 0
	for _, n := range b.held {
		progress("making %d instances, and as many bindings", n-has)
		if err := at.fill(ctx, has, n, b.creators); err != nil {
			return atRest, err
		}
		after, err := s.footprint(ctx, b.rest)
		if err != nil {
			return atRest, err
		}
		after.added = (after.heap - before.heap) * (1 << 20) / float64(2*(n-has))
		t.run(fmt.Sprintf("%d instances, %d bindings", n, n), after)
		before, has = after, n
	}
	if atRest, err = s.requestsFor(ctx, b.quiet); err != nil {
		return atRest, err
	}
	if err := s.again(ctx); err != nil {
		return atRest, err
	}
	after, err := s.footprint(ctx, b.rest)
	t.run("the same, after a restart", after)
	return atRest, err
}

// fill makes instances and bindings until there are n of each, in place of those that are there.
func (t *tenant) fill(ctx context.Context, there, n, creators int) error {
	for _, of := range []*crowd{t.instances, t.bindings} {
		next := func(ctx context.Context, i int) error { return of.create(ctx, there+i-1) }
		if _, err := burst(ctx, n-there, creators, next); err != nil {
			return err
		}
		if _, err := of.seen.readyAt(ctx, n); err != nil {
			return err
		}
	}
	return t.check(ctx, n)
}

// holdSecrets adds lines with Secrets that have nothing to do with the operator, without content and with.
func (b *bench) holdSecrets(ctx context.Context, s *stage, t *table[footprint]) error {
	before, err := s.footprint(ctx, b.rest)
	if err != nil {
		return err
	}
	t.run("no Secrets", before)
	for _, content := range []int{0, 10_000} {
		namespace := b.unused("secrets")
		if err := makeNamespace(ctx, s.api, namespace); err != nil {
			return err
		}
		progress("making %d Secrets of %d bytes", b.secrets, content)
		_, err := burst(ctx, b.secrets, b.creators, func(ctx context.Context, i int) error {
			return s.api.Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: objectName(i)},
				Data:       map[string][]byte{"content": bytes.Repeat([]byte("x"), content)},
			})
		})
		if err != nil {
			return err
		}
		after, err := s.footprint(ctx, b.rest)
		if err != nil {
			return err
		}
		after.added = (after.heap - before.heap) * (1 << 20) / float64(b.secrets)
		t.run(fmt.Sprintf("%d more Secrets of %d B", b.secrets, content), after)
		before = after
	}
	return nil
}

// footprint is what the subject has in memory once it has nothing to do any more, and garbage is collected.
func (s *stage) footprint(ctx context.Context, rest time.Duration) (f footprint, err error) {
	if _, err = s.silence(ctx); err != nil {
		return f, err
	}
	_, heap, err := s.atRest(ctx, rest)
	if err != nil {
		return f, err
	}
	f.resident, f.peak = s.memory()
	f.heap = heap / (1 << 20)
	return f, nil
}

// requestsFor are the subject's in a while.
func (s *stage) requestsFor(ctx context.Context, while time.Duration) (all requests, err error) {
	since, err := s.silence(ctx)
	if err != nil {
		return all, err
	}
	select {
	case <-time.After(while): // that is what it is about
	case <-ctx.Done():
		return all, context.Cause(ctx)
	}
	return s.requests(ctx, since)
}
