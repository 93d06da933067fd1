// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// MaximumPollingDuration is for how long an operation may be in progress where the plan
// sets no shorter time.
const MaximumPollingDuration = 7 * 24 * time.Hour

// syslogDrain is the permission that a service requires if its bindings have a log drain.
const syslogDrain = "syslog_drain"

// Effective has the features that a plan of a class supports.
type Effective struct {
	Bindable           bool
	PlanUpdatable      bool
	BindingRotatable   bool
	BindingRetrievable bool
	// MaximumPollingDuration is for how long an operation may be in progress.
	MaximumPollingDuration time.Duration
	// SyslogDrain: bindings may have a log drain. No cluster sends logs there, and the credentials are of use without.
	SyslogDrain bool
	// Unsupported lists the permissions that bindings require and no cluster grants, such as volume_mount.
	Unsupported []string
}

// EffectiveOf returns the features of a plan. A value that the plan does not have is the class's.
func EffectiveOf(class v1beta1.Class, plan v1beta1.Plan) Effective {
	c, p := class.Common(), plan.Common()
	e := Effective{
		Bindable:               c.Bindable,
		PlanUpdatable:          c.PlanUpdatable,
		BindingRotatable:       p.BindingRotatable,
		BindingRetrievable:     c.BindingRetrievable,
		MaximumPollingDuration: MaximumPollingDuration,
	}
	for _, required := range c.Requires { // the protocol defines three of them, and none means anything in a cluster
		if required == syslogDrain {
			e.SyslogDrain = true
		} else {
			e.Unsupported = append(e.Unsupported, required)
		}
	}
	if p.Bindable != nil {
		e.Bindable = *p.Bindable
	}
	if p.PlanUpdatable != nil {
		e.PlanUpdatable = *p.PlanUpdatable
	}
	// In seconds: a broker's number may be too large for a Duration.
	if s := p.MaximumPollingDurationSeconds; s != nil && *s > 0 && *s < int64(MaximumPollingDuration/time.Second) {
		e.MaximumPollingDuration = time.Duration(*s) * time.Second
	}
	return e
}
