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
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// trials are scenarios that only variants need: as small as what brings up one mistake.
func trials() []scenario {
	return []scenario{
		{name: "once", prepare: hook(atMostOnce), steps: func(w *world) { w.fired(w.alert("disk", "hook")) }},
		{name: "kept", prepare: registered, steps: func(w *world) {
			si := w.instance("db", syncClass, syncPlan)
			w.create(si)
			w.ready(si)
		}},
		{name: "anew", prepare: registered, steps: func(w *world) {
			for range 2 {
				si := w.instance("db", syncClass, syncPlan)
				w.create(si)
				w.ready(si)
				w.remove(si)
				w.gone(si)
			}
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
			w.stalled(si)
		}},
		{name: "abandoned", prepare: registered, steps: abandoned},
		{name: "stranger", prepare: registered, steps: func(w *world) {
			const id = "5712a6e5-0000-4000-8000-000000000001"
			w.stranger(id)
			si := w.instance("db", syncClass, syncPlan)
			si.Spec.ExternalID, si.Spec.Parameters = id, parameters(`{"size":2}`)
			w.create(si)
			w.stalled(si)
			w.remove(si)
			w.gone(si)
		}},
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
	wait(w.ctx, patience) // until all have seen it go
	close(made)
}

// stalled waits until nothing more is tried for an instance.
func (w *world) stalled(si *v1beta1.ServiceInstance) {
	w.await(si.Name+" is Stalled", func() error {
		if err := w.get(si); err != nil {
			return err
		}
		for _, c := range si.Status.Conditions {
			if c.Type == "Stalled" && c.Status == "True" && !si.Status.OrphanMitigationInProgress {
				return nil
			}
		}
		return fmt.Errorf("%+v", si.Status.Conditions)
	})
}

// stranger puts an instance that is not ours into the broker.
func (w *world) stranger(id string) {
	services := osbtest.DefaultServices()
	r := httptest.NewRequestWithContext(w.ctx, http.MethodPut, "/v2/service_instances/"+id+"?accepts_incomplete=true", strings.NewReader(fmt.Sprintf(
		`{"service_id":%q,"plan_id":%q,"organization_guid":"o","space_guid":"s","context":{"platform":"kubernetes","namespace":"theirs","clusterid":"other","instance_name":"theirs"}}`, services[1].ID, services[1].Plans[0].ID)))
	r.Header.Set("X-Broker-API-Version", "2.17")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Broker-API-Request-Identity", id)
	r.SetBasicAuth("bellhop", canary.Value)
	answer := httptest.NewRecorder()
	w.broker.ServeHTTP(answer, r)
	if answer.Code != http.StatusAccepted {
		w.must(fmt.Errorf("the broker takes no stranger: %d %s", answer.Code, answer.Body))
	}
	w.strangers.add(id)
}
