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

// failing has the broker fail to make instances of the smallest plans: what it has begun
// comes to nothing, and something is left of it.
func failing(w *world) {
	registered(w)
	w.doomed = true
	w.broker.Inject(osbtest.Fault{
		On: osb.ProvisionInstance, Failure: &osbtest.Failure{Description: "out of disks"}, Match: names(osbtest.SyncPlan, osbtest.AsyncPlan),
	})
}

// breaking has the broker fail to give instances the larger plans, after which they cannot be used.
func breaking(w *world) {
	registered(w)
	w.broker.Inject(osbtest.Fault{
		On: osb.UpdateInstance, Failure: &osbtest.Failure{Description: "out of disks", Unusable: true}, Match: names(osbtest.SyncOtherPlan, osbtest.AsyncOtherPlan),
	})
}

// names matches calls that name one of some plans.
func names(plans ...string) func(osbtest.Call) bool {
	return func(c osbtest.Call) bool {
		return slices.ContainsFunc(plans, func(plan string) bool { return strings.Contains(string(c.Body), plan) })
	}
}

// silent has the broker not tell of so many instances that it has made them; 0: of any.
func silent(times int) func(*world) { return silentAbout(osb.ProvisionInstance, times) }

// silentAbout is the same of any operation.
func silentAbout(operation osb.Operation, times int) func(*world) {
	return func(w *world) {
		registered(w)
		w.broker.Inject(osbtest.Fault{On: operation, Acts: true, Times: times, Answer: osbtest.Status(500, `{"description":"lost my way"}`)})
	}
}

// untilMitigated is how often the broker is silent about what it has made before that is removed.
const untilMitigated = 4

func instanceScenarios() []scenario {
	return slices.Concat(
		livesOf("", syncClass, syncPlan, syncOther), livesOf("-async", asyncClass, asyncPlan, asyncOther),
		identityScenarios(), parameterScenarios(),
	)
}

// livesOf are what can become of an instance.
func livesOf(suffix, class, plan, other string) []scenario {
	end := func(w *world, si *v1beta1.ServiceInstance) {
		w.remove(si)
		w.gone(si)
	}
	return []scenario{
		{name: "instance" + suffix, prepare: registered, steps: func(w *world) {
			si := w.provisioned(class, plan)
			edit(w, si, func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = parameters(`{"size":2}`) })
			w.ready(si)
			edit(w, si, planned(other))
			w.ready(si)
			end(w, si)
		}},
		{name: "instance-kept" + suffix, prepare: registered, steps: func(w *world) {
			si := w.provisioned(class, plan)
			for _, p := range []string{other, plan, other} { // each while the one before may still be on its way
				edit(w, si, planned(p))
			}
			w.ready(si)
		}},
		{name: "instance-failed" + suffix, prepare: failing, steps: func(w *world) {
			si := w.instance("db", class, plan)
			w.create(si)
			w.tells(si, "out of disks")
			edit(w, si, planned(other))
			w.ready(si)
		}},
		{name: "instance-failed-deleted" + suffix, prepare: failing, steps: func(w *world) {
			si := w.instance("db", class, plan)
			w.create(si)
			w.tells(si, "out of disks")
			end(w, si)
		}},
		{name: "instance-unusable" + suffix, prepare: breaking, steps: func(w *world) {
			si := w.provisioned(class, plan)
			edit(w, si, planned(other))
			w.tells(si, "out of disks")
			edit(w, si, planned(plan))
			b := w.binding("app", "db")
			w.create(b)
			w.ready(si, b)
		}},
		{name: "instance-unknown" + suffix, prepare: silent(2), steps: func(w *world) { w.provisioned(class, plan) }},
		{name: "instance-mitigated" + suffix, prepare: silent(0), steps: func(w *world) {
			si := w.instance("db", class, plan)
			w.create(si)
			w.tells(si, "lost my way")
			end(w, si)
		}},
		{name: "instance-mitigated-ready" + suffix, prepare: silent(untilMitigated), steps: func(w *world) { w.provisioned(class, plan) }},
		{name: "instance-deleted-early" + suffix, prepare: registered, steps: func(w *world) {
			si := w.instance("db", class, plan)
			w.create(si)
			end(w, si)
		}},
		{name: "instance-deleted-begun" + suffix, prepare: registered, steps: func(w *world) {
			si := w.instance("db", class, plan)
			w.create(si)
			w.begun(si)
			end(w, si)
		}},
		{name: "instance-retained" + suffix, prepare: registered, steps: func(w *world) { w.retained(w.provisioned(class, plan)) }},
	}
}

// identityScenarios are of instances that have not, or not alone, their id, or their name.
func identityScenarios() []scenario {
	return []scenario{
		{name: "instance-anew", prepare: registered, steps: func(w *world) {
			for range 2 {
				si := w.provisioned(syncClass, syncPlan)
				w.remove(si)
				w.gone(si)
			}
		}},
		{name: "instance-first", prepare: offered, steps: func(w *world) {
			si := w.instance("db", syncClass, syncPlan)
			w.create(si)
			wait(w.ctx, pause)
			w.register()
			w.ready(si)
		}},
		{name: "instance-stranger", prepare: registered, steps: func(w *world) {
			id := string(uuid.NewUUID()) // as other runs' objects may be in the same cluster
			w.stranger(id)
			si := w.instance("db", syncClass, syncPlan)
			si.Spec.ExternalID, si.Spec.Parameters = id, parameters(`{"size":2}`)
			w.create(si)
			w.tells(si, "brought along")
			w.remove(si)
			w.gone(si)
		}},
		{name: "instance-restored", prepare: registered, steps: func(w *world) {
			si := w.foreign()
			w.create(si)
			w.ready(si)
			w.remove(si)
			w.gone(si)
		}},
		{name: "instance-restored-other", prepare: registered, steps: func(w *world) {
			si := w.foreign()
			si.Spec.Parameters = parameters(`{"size":3}`)
			w.create(si)
			w.tells(si, "brought along")
			w.remove(si)
			w.gone(si)
		}},
		{name: "instance-copied", prepare: registered, steps: func(w *world) {
			si := w.provisioned(syncClass, syncPlan)
			twin := w.instance("copy", syncClass, syncPlan)
			twin.Spec.ExternalID = idOf(si)
			if err := w.client.Create(w.ctx, twin); !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
				w.blame("a copy of an id in use is not refused: %v", err)
			}
			w.remove(si) // what has the id may be there still
			w.await("the copy is admitted", func() error { return w.client.Create(w.ctx, twin) })
			w.gone(si)
			w.ready(twin)
		}},
	}
}

// parameterScenarios are of instances with parameters from a Secret.
func parameterScenarios() []scenario {
	source := func(value string) map[string]string {
		text, _ := json.Marshal(map[string]string{"password": value}) // a string
		return map[string]string{"all": string(text)}
	}
	from := func(w *world) *v1beta1.ServiceInstance {
		si := w.instance("db", syncClass, syncPlan)
		si.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
		w.create(si)
		return si
	}
	late := scenario{name: "instance-parameters-late", prepare: registered, steps: func(w *world) {
		si := from(w)
		wait(w.ctx, pause)
		w.secret("parameters", source(canary.Value))
		w.ready(si)
	}}
	hasNew := func(w *world, si *v1beta1.ServiceInstance) {
		w.await("the broker has what is new", func() error {
			if err := w.get(si); err != nil {
				return err
			}
			w.askAgain(si)
			if has := w.broker.Holds().Instances[idOf(si)].Parameters; !strings.Contains(string(has), `2"`) {
				return fmt.Errorf("it has %d bytes", len(has))
			}
			return nil
		})
		w.ready(si)
	}
	rotate := func(w *world) {
		edit(w, &corev1.Secret{ObjectMeta: w.meta("parameters")}, func(s *corev1.Secret) { s.StringData = source(canary.Value + "2") })
	}
	behind := scenario{name: "instance-parameters-behind", prepare: func(w *world) {
		registered(w)
		w.secret("parameters", source(canary.Value))
		w.ready(from(w))
	}, steps: func(w *world) {
		login := &corev1.Secret{ObjectMeta: w.meta("login")}
		edit(w, login, func(s *corev1.Secret) { delete(s.Data, "password") })
		wait(w.ctx, pause)
		rotate(w)
		wait(w.ctx, pause)
		edit(w, login, func(s *corev1.Secret) { s.StringData = map[string]string{"password": canary.Value} })
		hasNew(w, w.instance("db", syncClass, syncPlan))
		w.brokerIsReady()
	}}
	return []scenario{late, behind, {name: "instance-parameters", prepare: func(w *world) {
		registered(w)
		w.secret("parameters", source(canary.Value))
	}, steps: func(w *world) {
		si := from(w)
		w.ready(si)
		rotate(w)
		hasNew(w, si)
	}}}
}
