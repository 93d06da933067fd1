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
