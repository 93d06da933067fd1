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
	"errors"
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// forVariants are scenarios that only variants need: as small as what brings up one mistake.
func forVariants() []Scenario {
	return []Scenario{
		{name: "once", prepare: withWebhook(setAtMostOnce), steps: func(w *environment) { w.createAlert(w.newAlert("disk", "hook")) }},
		{name: "told-and-gone", prepare: func(*environment) {}, steps: func(w *environment) {
			w.createWebhook("early")
			w.createWebhook("hook")
			a := w.createAlert(w.newAlert("page", "hook"))
			w.remove(a)
			w.waitAlertGone(a)
		}},
		{name: "kept", prepare: registerBroker, steps: func(w *environment) {
			si := w.newInstance("db", syncClass, syncPlan)
			w.create(si)
			w.waitReady(si)
		}},
		{name: "hasty", prepare: registerBroker, steps: func(w *environment) {
			si := w.newInstance("db", syncClass, syncPlan)
			w.create(si)
			w.await("db says something", func() error {
				if err := w.get(si); err != nil {
					return err
				}
				if len(si.Status.Conditions) == 0 {
					return errors.New("it does not")
				}
				return nil
			})
			w.remove(si)
			w.waitGone(si)
		}},
		{name: "failed", prepare: registerBroker, steps: func(w *environment) {
			w.broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Failure: &osbtest.Failure{Description: "no room"}, Times: 1})
			si := w.newInstance("db", asyncClass, asyncPlan)
			w.create(si)
			w.waitMessage(si, "no room")
			w.await("what was begun is removed, and not asked for again", func() error {
				if h := w.broker.History(si.Spec.ExternalID); h.Puts != 1 || h.Deletes != 1 {
					return fmt.Errorf("%+v", h)
				}
				return nil
			})
			w.remove(si)
			w.waitGone(si)
		}},
		{name: "abandoned", prepare: registerBroker, steps: finalizerRemoved},
	}
}

// finalizerRemoved is an instance that is gone when the broker has made what it asks for.
func finalizerRemoved(w *environment) {
	made := make(chan struct{})
	w.broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Hold: made, Times: 1})
	si := w.newInstance("db", syncClass, syncPlan)
	w.create(si)
	w.await("the broker is asked", func() error {
		if len(w.broker.Calls(osb.ProvisionInstance)) == 0 {
			return errors.New("it is not")
		}
		return nil
	})
	edit(w, si, func(si *v1beta1.ServiceInstance) { si.Finalizers = nil })
	w.remove(si)
	w.waitGone(si)
	close(made) // at once: a request that takes longer than its timeout leaves it unknown who has made what is there
}
