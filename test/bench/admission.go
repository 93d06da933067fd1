// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1alpha1"
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalog "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// schemaSize is the approximate size of a plan's schema in bytes.
const schemaSize = 50_000

func latencyTable() *table[[]time.Duration] {
	return newTable(
		column[[]time.Duration]{"p50 ms", 2, func(d []time.Duration) float64 { return milliseconds(percentile(d, 50)) }},
		column[[]time.Duration]{"p99 ms", 2, func(d []time.Duration) float64 { return milliseconds(percentile(d, 99)) }},
		column[[]time.Duration]{"max ms", 2, func(d []time.Duration) float64 { return milliseconds(slices.Max(d)) }},
	)
}

const aboutAdmission = `
p50, p99, max: of a request of one client, one after the other and of each kind in turn. created: by server-side dry-run, which is
admitted as any other create and not stored; an instance has defaulting and validating webhooks, an Alert too, a ConfigMap has none.
The schema has %d bytes. A list has %d Alerts: what v1alpha1 takes longer is the conversion, %.0f microseconds for an Alert
(medians).

`

// admissionPart measures how long admission and conversion webhooks take.
func (b *bench) admissionPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "admission: %d requests of each kind\n\n", b.reviews)
	t := latencyTable()
	schema := makeSchema(schemaSize)
	var conversion time.Duration
	err := b.runInEnvironment(ctx, environmentOptions{binary: b.operator}, func(ctx context.Context, s *environment) error {
		tn, err := b.newSchemaTenant(ctx, s, schema)
		if err != nil {
			return err
		}
		defer tn.broker.close()
		if err := b.measureAdmission(ctx, s, tn, t); err != nil {
			return err
		}
		conversion, err = b.measureConversion(ctx, s, t)
		return errors.Join(err, tn.removeBroker(ctx))
	})
	if err != nil {
		return err
	}
	t.write(out)
	fmt.Fprintf(out, aboutAdmission, len(schema), b.reviews, float64(conversion.Nanoseconds())/1000/float64(b.reviews))
	return nil
}

// makeSchema returns a schema of about the given size, with many settings as real schemas have.
func makeSchema(size int) json.RawMessage {
	const setting = `"s%03d":{"type":"object","title":"A setting","description":"What this setting is about, for people who read it","properties":{"mode":{"type":"string","enum":["on","off","auto"]},"name":{"type":"string","pattern":"^[a-z]([-a-z0-9]*[a-z0-9])?$"}}}`
	settings := make([]string, size/len(setting))
	for i := range settings {
		settings[i] = fmt.Sprintf(setting, i)
	}
	return json.RawMessage(`{"service_instance":{"create":{"parameters":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{` +
		strings.Join(settings, ",") + `}}}}}`)
}

// planWithSchema is the name of a plan with a schema for its parameters.
const planWithSchema = "strict"

// newSchemaTenant creates a tenant whose broker also offers planWithSchema.
func (b *bench) newSchemaTenant(ctx context.Context, s *environment, schema json.RawMessage) (*tenant, error) {
	service := newService(b.uniqueName("admission"), osbtest.Behavior{})
	service.Plans = append(service.Plans, osbtest.Plan{ID: string(uuid.NewUUID()), Name: planWithSchema, Description: "With a schema", Schemas: schema})
	return newRegisteredTenant(ctx, s.api, service)
}

// measureAdmission adds rows for creates.
func (b *bench) measureAdmission(ctx context.Context, s *environment, tn *tenant, t *table[[]time.Duration]) error {
	create := func(object func(int) client.Object) objectAction {
		return func(ctx context.Context, i int) error { return s.api.Create(ctx, object(i), client.DryRunAll) }
	}
	durations, err := measureInterleaved(ctx, b.reviews, map[string]objectAction{
		"created: a ConfigMap": create(func(i int) client.Object {
			o := &corev1.ConfigMap{}
			o.Namespace, o.Name = tn.namespace, objectName(i)
			return o
		}),
		"created: an Alert":                         create((&alertNamespace{namespace: tn.namespace}).alert),
		"created: an instance, plan without schema": create(tn.instance),
		"created: an instance, plan with schema":    create(tn.schemaInstance),
	})
	addLatencies(t, durations)
	return err
}

// schemaInstance is an instance of planWithSchema with some of its settings.
func (t *tenant) schemaInstance(i int) client.Object {
	o := t.instance(i).(*servicecatalog.ServiceInstance)
	o.Spec.ClusterServicePlanExternalName = planWithSchema
	settings := make([]string, 20)
	for i := range settings {
		settings[i] = fmt.Sprintf(`"s%03d":{"mode":"auto","name":"a-name"}`, i)
	}
	o.Spec.Parameters.Raw = []byte(`{` + strings.Join(settings, ",") + `}`)
	return o
}

// measureConversion adds rows for reads of Alerts in both versions, and returns how much longer a list of all of them takes in v1alpha1.
func (b *bench) measureConversion(ctx context.Context, s *environment, t *table[[]time.Duration]) (time.Duration, error) {
	const lists = 20
	ns, err := newAlertNamespace(ctx, s.api, b.uniqueName("conversion"), func(a *v1beta1.Alert) bool { return len(a.Status.Conditions) > 0 })
	if err != nil {
		return 0, err
	}
	if err := ns.warmUp(ctx); err != nil {
		return 0, err
	}
	accepted, err := runBurst(ctx, b.reviews, b.creators, ns.create)
	if err != nil {
		return 0, err
	}
	if _, err := ns.timeline.waitReady(ctx, len(accepted)); err != nil { // the namespace has no receiver, so the Alerts only get a condition
		return 0, err
	}
	get := func(into client.Object) objectAction {
		return func(ctx context.Context, i int) error {
			return s.api.Get(ctx, client.ObjectKey{Namespace: ns.namespace, Name: objectName(i)}, into)
		}
	}
	list := func(into client.ObjectList) objectAction {
		return func(ctx context.Context, _ int) error { return s.api.List(ctx, into, client.InNamespace(ns.namespace)) }
	}
	one, errGet := measureInterleaved(ctx, b.reviews, map[string]objectAction{"read: an Alert, v1beta1": get(&v1beta1.Alert{}), "read: an Alert, v1alpha1": get(&v1alpha1.Alert{})})
	newer, older := "read: a list of Alerts, v1beta1", "read: a list of Alerts, v1alpha1"
	all, errList := measureInterleaved(ctx, lists, map[string]objectAction{newer: list(&v1beta1.AlertList{}), older: list(&v1alpha1.AlertList{})})
	if err := errors.Join(errGet, errList, ns.removeAll(ctx, len(accepted))); err != nil {
		return 0, err
	}
	addLatencies(t, one)
	addLatencies(t, all)
	return percentile(all[older], 50) - percentile(all[newer], 50), nil
}

// measureInterleaved calls each action n times, in turn with the others, and returns how long each call took. The first call of
// each action is for warming up.
func measureInterleaved(ctx context.Context, n int, all map[string]objectAction) (map[string][]time.Duration, error) {
	return measurePaced(ctx, 0, n, all)
}

// measurePaced does so with a pause before each call.
func measurePaced(ctx context.Context, pause time.Duration, n int, all map[string]objectAction) (map[string][]time.Duration, error) {
	took := map[string][]time.Duration{}
	for i := range n + 1 {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if err := sleep(ctx, pause); err != nil {
				return nil, err
			}
			start := time.Now()
			if err := all[name](ctx, i); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if i > 0 {
				took[name] = append(took[name], time.Since(start))
			}
		}
	}
	return took, nil
}

func addLatencies(t *table[[]time.Duration], of map[string][]time.Duration) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		t.addRun(name, of[name])
	}
}
