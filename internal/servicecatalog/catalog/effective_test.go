// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// conformance: C07 C08
func TestEffectiveOf(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for _, c := range []struct {
		why  string
		set  func(*v1beta1.CommonServiceClassSpec, *v1beta1.CommonServicePlanSpec)
		want catalog.Effective
	}{
		{"nothing is said", func(*v1beta1.CommonServiceClassSpec, *v1beta1.CommonServicePlanSpec) {}, catalog.Effective{MaximumPollingDuration: week}},
		{"the class says it", func(c *v1beta1.CommonServiceClassSpec, _ *v1beta1.CommonServicePlanSpec) {
			c.Bindable, c.PlanUpdatable, c.BindingRetrievable = true, true, true
		}, catalog.Effective{Bindable: true, PlanUpdatable: true, BindingRetrievable: true, MaximumPollingDuration: week}},
		{"the plan says otherwise", func(c *v1beta1.CommonServiceClassSpec, p *v1beta1.CommonServicePlanSpec) {
			c.Bindable, c.PlanUpdatable = true, true
			p.Bindable, p.PlanUpdatable = new(false), new(false)
		}, catalog.Effective{MaximumPollingDuration: week}},
		{"the plan alone says it", func(_ *v1beta1.CommonServiceClassSpec, p *v1beta1.CommonServicePlanSpec) {
			p.Bindable, p.PlanUpdatable, p.BindingRotatable = new(true), new(true), true
		}, catalog.Effective{Bindable: true, PlanUpdatable: true, BindingRotatable: true, MaximumPollingDuration: week}},
		{"a shorter time", func(_ *v1beta1.CommonServiceClassSpec, p *v1beta1.CommonServicePlanSpec) {
			p.MaximumPollingDurationSeconds = new(int64(60))
		}, catalog.Effective{MaximumPollingDuration: time.Minute}},
		{"longer than a week", func(_ *v1beta1.CommonServiceClassSpec, p *v1beta1.CommonServicePlanSpec) {
			p.MaximumPollingDurationSeconds = new(int64(1 << 62))
		}, catalog.Effective{MaximumPollingDuration: week}},
		{"no time at all", func(_ *v1beta1.CommonServiceClassSpec, p *v1beta1.CommonServicePlanSpec) {
			p.MaximumPollingDurationSeconds = new(int64(0))
		}, catalog.Effective{MaximumPollingDuration: week}},
		{"what no cluster has", func(c *v1beta1.CommonServiceClassSpec, _ *v1beta1.CommonServicePlanSpec) {
			c.Requires = []string{"syslog_drain", "route_forwarding", "volume_mount", "magic"}
		}, catalog.Effective{MaximumPollingDuration: week, SyslogDrain: true, Unsupported: []string{"route_forwarding", "volume_mount", "magic"}}},
	} {
		class, plan := clusterClass("c", "c", "c", "b"), clusterPlan("p", "p", "p", "c", "b")
		c.set(class.Common(), plan.Common())
		if got := catalog.EffectiveOf(class, plan); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.why, got, c.want)
		}
	}
}
