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

package scenario

import (
	"errors"
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// ForVariants are scenarios that only variants need: as small as what brings up one mistake.
func ForVariants() []Scenario {
	return []Scenario{
		{Name: "once", Prepare: withWebhook(setAtMostOnce), Steps: func(w *Environment) { w.createAlert(w.NewAlert("disk", "hook")) }},
		{Name: "told-and-gone", Prepare: func(*Environment) {}, Steps: func(w *Environment) {
			w.createWebhook("early")
			w.createWebhook("hook")
			a := w.createAlert(w.NewAlert("page", "hook"))
			w.remove(a)
			w.waitAlertGone(a)
		}},
		{Name: "kept", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si := w.NewInstance("db", SyncClass, SyncPlan)
			w.create(si)
			w.waitReady(si)
		}},
		{Name: "hasty", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si := w.NewInstance("db", SyncClass, SyncPlan)
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
		{Name: "failed", Prepare: RegisterBroker, Steps: func(w *Environment) {
			w.Broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Failure: &osbtest.Failure{Description: "no room"}, Times: 1})
			si := w.NewInstance("db", AsyncClass, AsyncPlan)
			w.create(si)
			w.waitMessage(si, "no room")
			w.await("what was begun is removed, and not asked for again", func() error {
				if h := w.Broker.History(si.Spec.ExternalID); h.Puts != 1 || h.Deletes != 1 {
					return fmt.Errorf("%+v", h)
				}
				return nil
			})
			w.remove(si)
			w.waitGone(si)
		}},
		{Name: "abandoned", Prepare: RegisterBroker, Steps: finalizerRemoved},
	}
}

// finalizerRemoved is an instance that is gone when the broker has made what it asks for.
func finalizerRemoved(w *Environment) {
	made := make(chan struct{})
	w.Broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Hold: made, Times: 1})
	si := w.NewInstance("db", SyncClass, SyncPlan)
	w.create(si)
	w.await("the broker is asked", func() error {
		if len(w.Broker.Calls(osb.ProvisionInstance)) == 0 {
			return errors.New("it is not")
		}
		return nil
	})
	edit(w, si, func(si *v1beta1.ServiceInstance) { si.Finalizers = nil })
	w.remove(si)
	w.waitGone(si)
	close(made) // at once: a request that takes longer than its timeout leaves it unknown who has made what is there
}
