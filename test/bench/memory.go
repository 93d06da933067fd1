// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// footprint is the memory of the operator at rest.
type footprint struct {
	resident, peak, heap float64 // MiB
	added                float64 // bytes of heap per object that was added since the previous row
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
bytes for an object; nothing for the content of a Secret that is not ours. The operator of the next two rows keeps its own certificate, as
config/default has it, and those of the last two rows serve one API group: at most 45 MiB resident for the pager. Aim: %d CRDs of %d B, and %d Secrets of %d B in its namespace, add at most a tenth: here %.2f times the memory.

requests of the operator to the API server in a minute, while nothing happens for %s, with all these instances and bindings:
`

// memoryPart measures the memory and the requests of the operator while it has nothing to do.
func (b *bench) memoryPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "memory: of one operator with %v instances and as many bindings, of one with %d unrelated Secrets, and of one with a certificate of its own\n\n", &b.held, b.secrets)
	t := footprintTable()
	var atRest requestCounts
	err := b.runInEnvironment(ctx, b.deployedOptions(), func(ctx context.Context, s *environment) (err error) {
		atRest, err = b.measureServiceMemory(ctx, s, t)
		return err
	})
	if err != nil {
		return err
	}
	if err := b.runInEnvironment(ctx, b.deployedOptions(), func(ctx context.Context, s *environment) error { return b.measureSecretMemory(ctx, s, t) }); err != nil {
		return err
	}
	ownCertificate := b.deployedOptions()
	ownCertificate.unshared = true
	ownCertificate.args = append(ownCertificate.args, "--webhook-cert-secret=bellhop-webhook-server-cert")
	var ratio float64
	err = b.runInEnvironment(ctx, ownCertificate, func(ctx context.Context, s *environment) (err error) {
		ratio, err = b.measureCertificateMemory(ctx, s, t)
		return err
	})
	if err != nil {
		return err
	}
	for _, group := range []string{"pager", "servicecatalog"} {
		alone := ownCertificate
		alone.args = append(slices.Clone(b.deployedOptions().args), "--apis="+group)
		if err := b.runInEnvironment(ctx, alone, func(ctx context.Context, s *environment) error {
			f, err := s.measureFootprint(ctx, b.rest)
			t.addRun("only "+group+", no objects", f)
			return err
		}); err != nil {
			return err
		}
	}
	t.write(out)
	fmt.Fprintf(out, aboutMemory, b.rest, b.crds, sizeOfCRD, b.largeSecrets, sizeOfLargeSecret, ratio, b.quiet)
	r := newTable(
		column[requestCounts]{"lease", 1, func(r requestCounts) float64 { return r.leases }},
		column[requestCounts]{"watch", 1, func(r requestCounts) float64 { return r.watches }},
		column[requestCounts]{"list", 1, func(r requestCounts) float64 { return r.lists }},
		column[requestCounts]{"GET", 1, func(r requestCounts) float64 { return r.get + r.secretGets }},
		column[requestCounts]{"writes", 1, func(r requestCounts) float64 { return r.writes() }},
		column[requestCounts]{"events", 1, func(r requestCounts) float64 { return r.events }},
	)
	r.addRun("in a minute", atRest.perObject(b.quiet.Minutes()))
	r.write(out)
	fmt.Fprintf(out, "\nlease: renewals; watch: those that ended and began anew; writes: all others but events. Aim: only lease and watch.\n\n")
	return nil
}

// measureServiceMemory adds a row for each size, and counts requests at rest with the largest.
func (b *bench) measureServiceMemory(ctx context.Context, s *environment, t *table[footprint]) (atRest requestCounts, err error) {
	tn, err := newRegisteredTenant(ctx, s.api, newService(b.uniqueName("held"), osbtest.Behavior{}))
	if err != nil {
		return atRest, err
	}
	defer tn.broker.close()
	before, err := s.measureFootprint(ctx, b.rest)
	if err != nil {
		return atRest, err
	}
	t.addRun("no instances, no bindings", before)
	existing := 0
	for _, n := range b.held {
		logProgress("making %d instances, and as many bindings", n-existing)
		if err := tn.createUpTo(ctx, existing, n, b.creators); err != nil {
			return atRest, err
		}
		after, err := s.measureFootprint(ctx, b.rest)
		if err != nil {
			return atRest, err
		}
		after.added = (after.heap - before.heap) * (1 << 20) / float64(2*(n-existing))
		t.addRun(fmt.Sprintf("%d instances, %d bindings", n, n), after)
		before, existing = after, n
	}
	if atRest, err = s.countRequestsFor(ctx, b.quiet); err != nil {
		return atRest, err
	}
	if err := s.restartSubject(ctx); err != nil {
		return atRest, err
	}
	after, err := s.measureFootprint(ctx, b.rest)
	t.addRun("the same, after a restart", after)
	return atRest, err
}

// createUpTo creates instances and bindings until there are n of each, of which some exist already.
func (t *tenant) createUpTo(ctx context.Context, existing, n, creators int) error {
	for _, of := range []*loadGenerator{t.instances, t.bindings} {
		next := func(ctx context.Context, i int) error { return of.create(ctx, existing+i-1) }
		if _, err := runBurst(ctx, n-existing, creators, next); err != nil {
			return err
		}
		if _, err := of.timeline.waitReady(ctx, n); err != nil {
			return err
		}
	}
	return t.checkComplete(ctx, n)
}

// measureSecretMemory adds rows with Secrets that the operator does not use, without content and with content.
func (b *bench) measureSecretMemory(ctx context.Context, s *environment, t *table[footprint]) error {
	before, err := s.measureFootprint(ctx, b.rest)
	if err != nil {
		return err
	}
	t.addRun("no Secrets", before)
	for _, content := range []int{0, 10_000} {
		namespace := b.uniqueName("secrets")
		if err := makeNamespace(ctx, s.api, namespace); err != nil {
			return err
		}
		logProgress("making %d Secrets of %d bytes", b.secrets, content)
		if err := b.createSecrets(ctx, s, namespace, b.secrets, content); err != nil {
			return err
		}
		after, err := s.measureFootprint(ctx, b.rest)
		if err != nil {
			return err
		}
		after.added = (after.heap - before.heap) * (1 << 20) / float64(b.secrets)
		t.addRun(fmt.Sprintf("%d more Secrets of %d B", b.secrets, content), after)
		before = after
	}
	return nil
}

// createSecrets creates n Secrets with content of a size in bytes.
func (b *bench) createSecrets(ctx context.Context, s *environment, namespace string, n, size int) error {
	_, err := runBurst(ctx, n, b.creators, func(ctx context.Context, i int) error {
		return s.api.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: objectName(i)},
			Data:       map[string][]byte{"content": bytes.Repeat([]byte("x"), size)},
		})
	})
	return err
}

const (
	sizeOfCRD         = 20_000
	sizeOfLargeSecret = 500_000
)

// measureCertificateMemory adds rows of an operator that was started without, and then with, large CRDs and Secrets that it does not use, and
// returns the ratio of their resident memory.
func (b *bench) measureCertificateMemory(ctx context.Context, s *environment, t *table[footprint]) (float64, error) {
	if err := s.restartSubject(ctx); err != nil { // the certificate exists from now on
		return 0, err
	}
	before, err := s.measureFootprint(ctx, b.rest)
	if err != nil {
		return 0, err
	}
	t.addRun("its own certificate, after a restart", before)
	logProgress("making %d CRDs of %d bytes, and %d Secrets of %d bytes", b.crds, sizeOfCRD, b.largeSecrets, sizeOfLargeSecret)
	if _, err := runBurst(ctx, b.crds, b.creators, func(ctx context.Context, i int) error { return s.api.Create(ctx, newUnrelatedCRD(i)) }); err != nil {
		return 0, err
	}
	if err := b.createSecrets(ctx, s, s.cluster.Namespace, b.largeSecrets, sizeOfLargeSecret); err != nil {
		return 0, err
	}
	if err := s.restartSubject(ctx); err != nil {
		return 0, err
	}
	after, err := s.measureFootprint(ctx, b.rest)
	t.addRun("with large CRDs and Secrets", after)
	return after.resident / before.resident, err
}

// newUnrelatedCRD returns a CRD that is not served: the API server stores it, and does nothing else for it.
func newUnrelatedCRD(i int) *apiextensionsv1.CustomResourceDefinition {
	plural := fmt.Sprintf("unrelated%ds", i)
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + ".bench.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "bench.example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: fmt.Sprintf("Unrelated%d", i), Plural: plural},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", Description: strings.Repeat("x", sizeOfCRD),
				}},
			}},
		},
	}
}

// measureFootprint waits until the subject is idle, and reads its memory after garbage collections.
func (env *environment) measureFootprint(ctx context.Context, rest time.Duration) (f footprint, err error) {
	if _, err = env.waitForSilence(ctx); err != nil {
		return f, err
	}
	_, heap, err := env.readAtRest(ctx, rest)
	if err != nil {
		return f, err
	}
	f.resident, f.peak = env.readMemory()
	f.heap = heap / (1 << 20)
	return f, nil
}

// countRequestsFor counts the requests of the subject in a period.
func (env *environment) countRequestsFor(ctx context.Context, duration time.Duration) (all requestCounts, err error) {
	since, err := env.waitForSilence(ctx)
	if err != nil {
		return all, err
	}
	if err := sleep(ctx, duration); err != nil {
		return all, err
	}
	return env.countRequests(ctx, since)
}
