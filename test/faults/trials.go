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

// trials are scenarios that only variants need: as small as what brings up one mistake.
func trials() []scenario {
	return []scenario{
		{name: "once", prepare: hook(atMostOnce), steps: func(w *world) { w.fired(w.alert("disk", "hook")) }},
		{name: "told-and-gone", prepare: func(*world) {}, steps: func(w *world) {
			w.webhook("early")
			w.webhook("hook")
			a := w.fired(w.alert("page", "hook"))
			w.remove(a)
			w.ended(a)
		}},
		{name: "kept", prepare: registered, steps: func(w *world) {
			si := w.instance("db", syncClass, syncPlan)
			w.create(si)
			w.ready(si)
		}},
		{name: "hasty", prepare: registered, steps: func(w *world) {
			si := w.instance("db", syncClass, syncPlan)
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
			w.gone(si)
		}},
		{name: "failed", prepare: registered, steps: func(w *world) {
			w.broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Failure: &osbtest.Failure{Description: "no room"}, Times: 1})
			si := w.instance("db", asyncClass, asyncPlan)
			w.create(si)
			w.tells(si, "no room")
			w.await("what was begun is removed, and not asked for again", func() error {
				if h := w.broker.History(si.Spec.ExternalID); h.Puts != 1 || h.Deletes != 1 {
					return fmt.Errorf("%+v", h)
				}
				return nil
			})
			w.remove(si)
			w.gone(si)
		}},
		{name: "abandoned", prepare: registered, steps: abandoned},
	}
}

// abandoned is an instance that is gone when the broker has made what it asks for.
func abandoned(w *world) {
	made := make(chan struct{})
	w.broker.Inject(osbtest.Fault{On: osb.ProvisionInstance, Hold: made, Times: 1})
	si := w.instance("db", syncClass, syncPlan)
	w.create(si)
	w.await("the broker is asked", func() error {
		if len(w.broker.Calls(osb.ProvisionInstance)) == 0 {
			return errors.New("it is not")
		}
		return nil
	})
	edit(w, si, func(si *v1beta1.ServiceInstance) { si.Finalizers = nil })
	w.remove(si)
	w.gone(si)
	close(made) // at once: a request that takes longer than its timeout leaves it unknown who has made what is there
}
