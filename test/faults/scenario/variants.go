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
		{Name: "once", Prepare: withWebhook(setAtMostOnce), Steps: func(e *Environment) { e.createAlert(e.NewAlert("disk", "hook")) }},
		{Name: "told-and-gone", Prepare: func(*Environment) {}, Steps: func(e *Environment) {
			e.createWebhook("early")
			e.createWebhook("hook")
			a := e.createAlert(e.NewAlert("page", "hook"))
			e.remove(a)
			e.waitAlertGone(a)
		}},
		{Name: "kept", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.NewInstance("db", SyncClass, SyncPlan)
			e.create(si)
			e.waitReady(si)
		}},
		{Name: "hasty", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.NewInstance("db", SyncClass, SyncPlan)
			e.create(si)
			e.await("db says something", func() error {
				if err := e.get(si); err != nil {
					return err
				}
				if len(si.Status.Conditions) == 0 {
					return errors.New("it does not")
				}
				return nil
			})
			e.remove(si)
			e.waitGone(si)
		}},
		{Name: "failed", Prepare: RegisterBroker, Steps: func(e *Environment) {
			e.Broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Failure: &osbtest.Failure{Description: "no room"}, Times: 1})
			si := e.NewInstance("db", AsyncClass, AsyncPlan)
			e.create(si)
			e.waitMessage(si, "no room")
			e.await("what was begun is removed, and not asked for again", func() error {
				if h := e.Broker.History(si.Spec.ExternalID); h.Puts != 1 || h.Deletes != 1 {
					return fmt.Errorf("%+v", h)
				}
				return nil
			})
			e.remove(si)
			e.waitGone(si)
		}},
		{Name: "abandoned", Prepare: RegisterBroker, Steps: finalizerRemoved},
	}
}

// finalizerRemoved is an instance that is gone when the broker has made what it asks for.
func finalizerRemoved(e *Environment) {
	made := make(chan struct{})
	e.Broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Hold: made, Times: 1})
	si := e.NewInstance("db", SyncClass, SyncPlan)
	e.create(si)
	e.await("the broker is asked", func() error {
		if len(e.Broker.Calls(osb.ProvisionInstance)) == 0 {
			return errors.New("it is not")
		}
		return nil
	})
	edit(e, si, func(si *v1beta1.ServiceInstance) { si.Finalizers = nil })
	e.remove(si)
	e.waitGone(si)
	close(made) // at once: a request that takes longer than its timeout leaves it unknown who has made what is there
}
