// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"fmt"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// ForVariants returns the scenarios that only variants need: each is the smallest that detects one mistake.
func ForVariants() []Scenario {
	all := []Scenario{
		{Name: "once", Prepare: withIdempotent(setAtMostOnce), Steps: func(e *Environment) { e.createAlert(e.NewAlert("disk", "hook")) }},
		{Name: "told-and-gone", Prepare: func(*Environment) {}, Steps: func(e *Environment) {
			e.createIdempotent("early")
			e.createIdempotent("hook")
			a := e.createAlert(e.NewAlert("page", "hook"))
			e.remove(a)
			e.waitAlertGone(a)
		}},
		{Name: "alert-gone-receiver-edited", Prepare: withIdempotent(), Steps: func(e *Environment) {
			a := e.createAlert(e.NewAlert("disk", "hook"))
			e.remove(a)
			e.waitAlertGone(a)
			edit(e, e.receiverObject("hook"), markDefault) // every Alert of the receiver is reconciled, also one that only the cache has
		}},
		{Name: "kept", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.NewInstance("db", SyncClass, SyncPlan)
			e.create(si)
			e.waitReady(si)
		}},
		{Name: "hasty", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.NewInstance("db", SyncClass, SyncPlan)
			e.create(si)
			e.await("db has a condition", func() error {
				if err := e.get(si); err != nil {
					return err
				}
				if len(si.Status.Conditions) == 0 {
					return errors.New("it has none")
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
			e.await("the broker got one PUT and one DELETE", func() error {
				if h := e.Broker.History(si.Spec.ExternalID); h.Puts != 1 || h.Deletes != 1 {
					return fmt.Errorf("%+v", h)
				}
				return nil
			})
			e.remove(si)
			e.waitGone(si)
		}},
	}
	for i := range all {
		all[i].Troubled = true
	}
	return all
}
