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
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// failProvisions has the broker fail to make instances of the smallest plans: what it has begun
// comes to nothing, and something is left of it.
func failProvisions(w *Environment) {
	RegisterBroker(w)
	w.operationsFail = true
	w.Broker.Inject(osbtest.Fault{
		On: osb.ProvisionInstance, Failure: &osbtest.Failure{Description: "out of disks"}, Match: bodyNames(osbtest.SyncPlan, osbtest.AsyncPlan),
	})
}

// failUpdates has the broker fail to give instances the larger plans, after which they cannot be used.
func failUpdates(w *Environment) {
	RegisterBroker(w)
	w.Broker.Inject(osbtest.Fault{
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
func loseProvisionAnswers(times int) func(*Environment) {
	return loseAnswers(osb.ProvisionInstance, times)
}

// loseAnswers is the same of any operation.
func loseAnswers(operation osb.Operation, times int) func(*Environment) {
	return func(w *Environment) {
		RegisterBroker(w)
		w.Broker.Inject(osbtest.Fault{On: operation, Acts: true, Times: times, Answer: osbtest.Status(500, `{"description":"lost my way"}`)})
	}
}

// lossesUntilMitigation is how often the broker is silent about what it has made before that is removed.
const lossesUntilMitigation = 4

func instanceScenarios() []Scenario {
	return slices.Concat(
		lifecycleScenarios("", SyncClass, SyncPlan, SyncOther), lifecycleScenarios("-async", AsyncClass, AsyncPlan, AsyncOther),
		identityScenarios(), parameterScenarios(),
	)
}

// lifecycleScenarios are what can become of an instance.
func lifecycleScenarios(suffix, class, plan, other string) []Scenario {
	end := func(w *Environment, si *v1beta1.ServiceInstance) {
		w.remove(si)
		w.waitGone(si)
	}
	return []Scenario{
		{Name: "instance" + suffix, Prepare: RegisterBroker, Steps: func(w *Environment) {
			si := w.provision(class, plan)
			edit(w, si, func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = RawParameters(`{"size":2}`) })
			w.waitReady(si)
			edit(w, si, setPlan(other))
			w.waitReady(si)
			end(w, si)
		}},
		{Name: "instance-kept" + suffix, Prepare: RegisterBroker, Steps: func(w *Environment) {
			si := w.provision(class, plan)
			for _, p := range []string{other, plan, other} { // each while the one before may still be on its way
				edit(w, si, setPlan(p))
			}
			w.waitReady(si)
		}},
		{Name: "instance-failed" + suffix, Prepare: failProvisions, Steps: func(w *Environment) {
			si := w.NewInstance("db", class, plan)
			w.create(si)
			w.waitMessage(si, "out of disks")
			edit(w, si, setPlan(other))
			w.waitReady(si)
		}},
		{Name: "instance-failed-deleted" + suffix, Prepare: failProvisions, Steps: func(w *Environment) {
			si := w.NewInstance("db", class, plan)
			w.create(si)
			w.waitMessage(si, "out of disks")
			end(w, si)
		}},
		{Name: "instance-unusable" + suffix, Prepare: failUpdates, Steps: func(w *Environment) {
			si := w.provision(class, plan)
			edit(w, si, setPlan(other))
			w.waitMessage(si, "out of disks")
			edit(w, si, setPlan(plan))
			b := w.NewBinding("app", "db")
			w.create(b)
			w.waitReady(si, b)
		}},
		{Name: "instance-unknown" + suffix, Prepare: loseProvisionAnswers(2), Steps: func(w *Environment) { w.provision(class, plan) }},
		{Name: "instance-mitigated" + suffix, Prepare: loseProvisionAnswers(0), Steps: func(w *Environment) {
			si := w.NewInstance("db", class, plan)
			w.create(si)
			w.waitMessage(si, "lost my way")
			end(w, si)
		}},
		{Name: "instance-mitigated-ready" + suffix, Prepare: loseProvisionAnswers(lossesUntilMitigation), Steps: func(w *Environment) { w.provision(class, plan) }},
		{Name: "instance-deleted-early" + suffix, Prepare: RegisterBroker, Steps: func(w *Environment) {
			si := w.NewInstance("db", class, plan)
			w.create(si)
			end(w, si)
		}},
		{Name: "instance-deleted-begun" + suffix, Prepare: RegisterBroker, Steps: func(w *Environment) {
			si := w.NewInstance("db", class, plan)
			w.create(si)
			w.waitAtBroker(si)
			end(w, si)
		}},
		{Name: "instance-retained" + suffix, Prepare: RegisterBroker, Steps: func(w *Environment) { w.retain(w.provision(class, plan)) }},
	}
}

// identityScenarios are of instances that have not, or not alone, their id, or their name.
func identityScenarios() []Scenario {
	return []Scenario{
		{Name: "instance-anew", Prepare: RegisterBroker, Steps: func(w *Environment) {
			for range 2 {
				si := w.provision(SyncClass, SyncPlan)
				w.remove(si)
				w.waitGone(si)
			}
		}},
		{Name: "instance-first", Prepare: startDefaultBroker, Steps: func(w *Environment) {
			si := w.NewInstance("db", SyncClass, SyncPlan)
			w.create(si)
			proxy.Sleep(w.Ctx, pause)
			w.createBroker()
			w.waitReady(si)
		}},
		{Name: "instance-stranger", Prepare: RegisterBroker, Steps: func(w *Environment) {
			id := string(uuid.NewUUID()) // as other runs' objects may be in the same cluster
			w.createForeignInstance(id)
			si := w.NewInstance("db", SyncClass, SyncPlan)
			si.Spec.ExternalID, si.Spec.Parameters = id, RawParameters(`{"size":2}`)
			w.create(si)
			w.waitMessage(si, "brought along")
			w.remove(si)
			w.waitGone(si)
		}},
		{Name: "instance-restored", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si := w.retainedBackup()
			w.create(si)
			w.waitReady(si)
			w.remove(si)
			w.waitGone(si)
		}},
		{Name: "instance-restored-other", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si := w.retainedBackup()
			si.Spec.Parameters = RawParameters(`{"size":3}`)
			w.create(si)
			w.waitMessage(si, "brought along")
			w.remove(si)
			w.waitGone(si)
		}},
		{Name: "instance-copied", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si := w.provision(SyncClass, SyncPlan)
			twin := w.NewInstance("copy", SyncClass, SyncPlan)
			twin.Spec.ExternalID = ExternalID(si)
			if err := w.Client.Create(w.Ctx, twin); !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
				w.Reportf("a copy of an id in use is not refused: %v", err)
			}
			w.remove(si) // what has the id may be there still
			w.await("the copy is admitted", func() error { return w.Client.Create(w.Ctx, twin) })
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
	from := func(w *Environment) *v1beta1.ServiceInstance {
		si := w.NewInstance("db", SyncClass, SyncPlan)
		si.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
		w.create(si)
		return si
	}
	late := Scenario{Name: "instance-parameters-late", Prepare: RegisterBroker, Steps: func(w *Environment) {
		si := from(w)
		proxy.Sleep(w.Ctx, pause)
		w.createSecret("parameters", source(canary.Value))
		w.waitReady(si)
	}}
	hasNew := func(w *Environment, si *v1beta1.ServiceInstance) {
		w.await("the broker has what is new", func() error {
			if err := w.get(si); err != nil {
				return err
			}
			w.retryIfRefused(si)
			if has := w.Broker.Holds().Instances[ExternalID(si)].Parameters; !strings.Contains(string(has), `2"`) {
				return fmt.Errorf("it has %d bytes", len(has))
			}
			return nil
		})
		w.waitReady(si)
	}
	rotate := func(w *Environment) {
		edit(w, &corev1.Secret{ObjectMeta: w.objectMeta("parameters")}, func(s *corev1.Secret) { s.StringData = source(canary.Value + "2") })
	}
	behind := Scenario{Name: "instance-parameters-behind", Prepare: func(w *Environment) {
		RegisterBroker(w)
		w.createSecret("parameters", source(canary.Value))
		w.waitReady(from(w))
	}, Steps: func(w *Environment) {
		login := &corev1.Secret{ObjectMeta: w.objectMeta("login")}
		edit(w, login, func(s *corev1.Secret) { delete(s.Data, "password") })
		proxy.Sleep(w.Ctx, pause)
		rotate(w)
		proxy.Sleep(w.Ctx, pause)
		edit(w, login, func(s *corev1.Secret) { s.StringData = map[string]string{"password": canary.Value} })
		hasNew(w, w.NewInstance("db", SyncClass, SyncPlan))
		w.waitBrokerReady()
	}}
	return []Scenario{late, behind, {Name: "instance-parameters", Prepare: func(w *Environment) {
		RegisterBroker(w)
		w.createSecret("parameters", source(canary.Value))
	}, Steps: func(w *Environment) {
		si := from(w)
		w.waitReady(si)
		rotate(w)
		hasNew(w, si)
	}}}
}
