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
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// failProvisions has the broker fail to make instances of the smallest plans: what it has begun
// comes to nothing, and something is left of it.
func failProvisions(w *environment) {
	registerBroker(w)
	w.operationsFail = true
	w.broker.Inject(osbtest.Fault{
		On: osb.ProvisionInstance, Failure: &osbtest.Failure{Description: "out of disks"}, Match: bodyNames(osbtest.SyncPlan, osbtest.AsyncPlan),
	})
}

// failUpdates has the broker fail to give instances the larger plans, after which they cannot be used.
func failUpdates(w *environment) {
	registerBroker(w)
	w.broker.Inject(osbtest.Fault{
		On: osb.UpdateInstance, Failure: &osbtest.Failure{Description: "out of disks", Unusable: true}, Match: bodyNames(osbtest.SyncOtherPlan, osbtest.AsyncOtherPlan),
	})
}

// bodyNames matches calls that name one of some plans.
func bodyNames(plans ...string) func(osbtest.Call) bool {
	return func(c osbtest.Call) bool {
		return slices.ContainsFunc(plans, func(plan string) bool { return strings.Contains(string(c.Body), plan) })
	}
}

// loseProvisionAnswers has the broker not tell of so many instances that it has made them; 0: of any.
func loseProvisionAnswers(times int) func(*environment) {
	return loseAnswers(osb.ProvisionInstance, times)
}

// loseAnswers is the same of any operation.
func loseAnswers(operation osb.Operation, times int) func(*environment) {
	return func(w *environment) {
		registerBroker(w)
		w.broker.Inject(osbtest.Fault{On: operation, Acts: true, Times: times, Answer: osbtest.Status(500, `{"description":"lost my way"}`)})
	}
}

// lossesUntilMitigation is how often the broker is silent about what it has made before that is removed.
const lossesUntilMitigation = 4

func instanceScenarios() []Scenario {
	return slices.Concat(
		lifecycleScenarios("", syncClass, syncPlan, syncOther), lifecycleScenarios("-async", asyncClass, asyncPlan, asyncOther),
		identityScenarios(), parameterScenarios(),
	)
}

// lifecycleScenarios are what can become of an instance.
func lifecycleScenarios(suffix, class, plan, other string) []Scenario {
	end := func(w *environment, si *v1beta1.ServiceInstance) {
		w.remove(si)
		w.waitGone(si)
	}
	return []Scenario{
		{name: "instance" + suffix, prepare: registerBroker, steps: func(w *environment) {
			si := w.provision(class, plan)
			edit(w, si, func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = rawParameters(`{"size":2}`) })
			w.waitReady(si)
			edit(w, si, setPlan(other))
			w.waitReady(si)
			end(w, si)
		}},
		{name: "instance-kept" + suffix, prepare: registerBroker, steps: func(w *environment) {
			si := w.provision(class, plan)
			for _, p := range []string{other, plan, other} { // each while the one before may still be on its way
				edit(w, si, setPlan(p))
			}
			w.waitReady(si)
		}},
		{name: "instance-failed" + suffix, prepare: failProvisions, steps: func(w *environment) {
			si := w.newInstance("db", class, plan)
			w.create(si)
			w.waitMessage(si, "out of disks")
			edit(w, si, setPlan(other))
			w.waitReady(si)
		}},
		{name: "instance-failed-deleted" + suffix, prepare: failProvisions, steps: func(w *environment) {
			si := w.newInstance("db", class, plan)
			w.create(si)
			w.waitMessage(si, "out of disks")
			end(w, si)
		}},
		{name: "instance-unusable" + suffix, prepare: failUpdates, steps: func(w *environment) {
			si := w.provision(class, plan)
			edit(w, si, setPlan(other))
			w.waitMessage(si, "out of disks")
			edit(w, si, setPlan(plan))
			b := w.newBinding("app", "db")
			w.create(b)
			w.waitReady(si, b)
		}},
		{name: "instance-unknown" + suffix, prepare: loseProvisionAnswers(2), steps: func(w *environment) { w.provision(class, plan) }},
		{name: "instance-mitigated" + suffix, prepare: loseProvisionAnswers(0), steps: func(w *environment) {
			si := w.newInstance("db", class, plan)
			w.create(si)
			w.waitMessage(si, "lost my way")
			end(w, si)
		}},
		{name: "instance-mitigated-ready" + suffix, prepare: loseProvisionAnswers(lossesUntilMitigation), steps: func(w *environment) { w.provision(class, plan) }},
		{name: "instance-deleted-early" + suffix, prepare: registerBroker, steps: func(w *environment) {
			si := w.newInstance("db", class, plan)
			w.create(si)
			end(w, si)
		}},
		{name: "instance-deleted-begun" + suffix, prepare: registerBroker, steps: func(w *environment) {
			si := w.newInstance("db", class, plan)
			w.create(si)
			w.waitAtBroker(si)
			end(w, si)
		}},
		{name: "instance-retained" + suffix, prepare: registerBroker, steps: func(w *environment) { w.retain(w.provision(class, plan)) }},
	}
}

// identityScenarios are of instances that have not, or not alone, their id, or their name.
func identityScenarios() []Scenario {
	return []Scenario{
		{name: "instance-anew", prepare: registerBroker, steps: func(w *environment) {
			for range 2 {
				si := w.provision(syncClass, syncPlan)
				w.remove(si)
				w.waitGone(si)
			}
		}},
		{name: "instance-first", prepare: startDefaultBroker, steps: func(w *environment) {
			si := w.newInstance("db", syncClass, syncPlan)
			w.create(si)
			sleep(w.ctx, pause)
			w.createBroker()
			w.waitReady(si)
		}},
		{name: "instance-stranger", prepare: registerBroker, steps: func(w *environment) {
			id := string(uuid.NewUUID()) // as other runs' objects may be in the same cluster
			w.createForeignInstance(id)
			si := w.newInstance("db", syncClass, syncPlan)
			si.Spec.ExternalID, si.Spec.Parameters = id, rawParameters(`{"size":2}`)
			w.create(si)
			w.waitMessage(si, "brought along")
			w.remove(si)
			w.waitGone(si)
		}},
		{name: "instance-restored", prepare: registerBroker, steps: func(w *environment) {
			si := w.retainedBackup()
			w.create(si)
			w.waitReady(si)
			w.remove(si)
			w.waitGone(si)
		}},
		{name: "instance-restored-other", prepare: registerBroker, steps: func(w *environment) {
			si := w.retainedBackup()
			si.Spec.Parameters = rawParameters(`{"size":3}`)
			w.create(si)
			w.waitMessage(si, "brought along")
			w.remove(si)
			w.waitGone(si)
		}},
		{name: "instance-copied", prepare: registerBroker, steps: func(w *environment) {
			si := w.provision(syncClass, syncPlan)
			twin := w.newInstance("copy", syncClass, syncPlan)
			twin.Spec.ExternalID = externalID(si)
			if err := w.client.Create(w.ctx, twin); !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
				w.reportf("a copy of an id in use is not refused: %v", err)
			}
			w.remove(si) // what has the id may be there still
			w.await("the copy is admitted", func() error { return w.client.Create(w.ctx, twin) })
			w.waitGone(si)
			w.waitReady(twin)
		}},
	}
}

// parameterScenarios are of instances with parameters from a Secret.
func parameterScenarios() []Scenario {
	source := func(value string) map[string]string {
		text, _ := json.Marshal(map[string]string{"password": value}) // a string
		return map[string]string{"all": string(text)}
	}
	from := func(w *environment) *v1beta1.ServiceInstance {
		si := w.newInstance("db", syncClass, syncPlan)
		si.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
		w.create(si)
		return si
	}
	late := Scenario{name: "instance-parameters-late", prepare: registerBroker, steps: func(w *environment) {
		si := from(w)
		sleep(w.ctx, pause)
		w.createSecret("parameters", source(canary.Value))
		w.waitReady(si)
	}}
	hasNew := func(w *environment, si *v1beta1.ServiceInstance) {
		w.await("the broker has what is new", func() error {
			if err := w.get(si); err != nil {
				return err
			}
			w.retryIfRefused(si)
			if has := w.broker.Holds().Instances[externalID(si)].Parameters; !strings.Contains(string(has), `2"`) {
				return fmt.Errorf("it has %d bytes", len(has))
			}
			return nil
		})
		w.waitReady(si)
	}
	rotate := func(w *environment) {
		edit(w, &corev1.Secret{ObjectMeta: w.objectMeta("parameters")}, func(s *corev1.Secret) { s.StringData = source(canary.Value + "2") })
	}
	behind := Scenario{name: "instance-parameters-behind", prepare: func(w *environment) {
		registerBroker(w)
		w.createSecret("parameters", source(canary.Value))
		w.waitReady(from(w))
	}, steps: func(w *environment) {
		login := &corev1.Secret{ObjectMeta: w.objectMeta("login")}
		edit(w, login, func(s *corev1.Secret) { delete(s.Data, "password") })
		sleep(w.ctx, pause)
		rotate(w)
		sleep(w.ctx, pause)
		edit(w, login, func(s *corev1.Secret) { s.StringData = map[string]string{"password": canary.Value} })
		hasNew(w, w.newInstance("db", syncClass, syncPlan))
		w.waitBrokerReady()
	}}
	return []Scenario{late, behind, {name: "instance-parameters", prepare: func(w *environment) {
		registerBroker(w)
		w.createSecret("parameters", source(canary.Value))
	}, steps: func(w *environment) {
		si := from(w)
		w.waitReady(si)
		rotate(w)
		hasNew(w, si)
	}}}
}
