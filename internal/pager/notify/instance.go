// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import "time"

// Instance is one of the things that an alert is about.
type Instance struct {
	Key      string
	Text     string
	StartsAt time.Time
	EndsAt   time.Time // zero: it is active
}

// Instances returns the instances for display. Markup is not escaped.
func (m Message) Instances() []Instance {
	var instances []Instance
	for _, i := range m.RawInstances {
		i.Key, i.Text = forDisplay(i.Key), forDisplay(i.Text)
		instances = append(instances, i)
	}
	return instances
}
