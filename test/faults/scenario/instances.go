// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// failProvisions makes the broker fail to provision instances of the smallest plans: the operation fails later and leaves something behind.
func failProvisions(e *Environment) {
	RegisterBroker(e)
	e.operationsFail = true
	e.Broker.Inject(osbtest.Fault{
		On: osb.ProvisionInstance, Failure: &osbtest.Failure{Description: "out of disks"}, Match: bodyNames(osbtest.SyncPlan, osbtest.AsyncPlan),
	})
}

// failUpdates makes the broker fail to update instances to the larger plans, after which they are unusable.
func failUpdates(e *Environment) {
	RegisterBroker(e)
	e.Broker.Inject(osbtest.Fault{
		On: osb.UpdateInstance, Failure: &osbtest.Failure{Description: "out of disks", Unusable: true}, Match: bodyNames(osbtest.SyncOtherPlan, osbtest.AsyncOtherPlan),
	})
}

// bodyNames matches calls whose body has the id of one of some plans.
func bodyNames(plans ...string) func(osbtest.Call) bool {
	return func(c osbtest.Call) bool {
		return slices.ContainsFunc(plans, func(plan string) bool { return strings.Contains(string(c.Body), plan) })
	}
}

// loseProvisionAnswers makes the broker answer 500 after so many successful provisions; 0: after all.
func loseProvisionAnswers(times int) func(*Environment) {
	return loseAnswers(osb.ProvisionInstance, times)
}

// loseAnswers does so for an operation.
func loseAnswers(operation osb.Operation, times int) func(*Environment) {
	return func(e *Environment) {
		RegisterBroker(e)
		e.Broker.Inject(osbtest.Fault{On: operation, Acts: true, Times: times, Answer: osbtest.Status(500, `{"description":"lost my way"}`)})
	}
}

// lossesUntilMitigation is how many answers are lost before the operator removes the orphan.
const lossesUntilMitigation = 4

func instanceScenarios() []Scenario {
	return slices.Concat(
		lifecycleScenarios("", SyncClass, SyncPlan, SyncOther), lifecycleScenarios("-async", AsyncClass, AsyncPlan, AsyncOther),
		identityScenarios(), parameterScenarios(),
	)
}

// lifecycleScenarios returns what can happen to an instance of a class.
func lifecycleScenarios(suffix, class, plan, other string) []Scenario {
	end := func(e *Environment, si *v1beta1.ServiceInstance) {
		e.remove(si)
		e.waitGone(si)
	}
	return []Scenario{
		{Name: "instance" + suffix, Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.provision(class, plan)
			edit(e, si, func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = RawParameters(`{"size":2}`) })
			e.waitReady(si)
			edit(e, si, setPlan(other))
			e.waitReady(si)
			end(e, si)
		}},
		{Name: "instance-kept" + suffix, Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.provision(class, plan)
			for _, p := range []string{other, plan, other} { // each while the update before may be in progress
				edit(e, si, setPlan(p))
			}
			e.waitReady(si)
		}},
		{Name: "instance-failed" + suffix, Prepare: failProvisions, Steps: func(e *Environment) {
			si := e.NewInstance("db", class, plan)
			e.create(si)
			e.waitMessage(si, "out of disks")
			edit(e, si, setPlan(other))
			e.waitReady(si)
		}},
		{Name: "instance-failed-deleted" + suffix, Prepare: failProvisions, Steps: func(e *Environment) {
			si := e.NewInstance("db", class, plan)
			e.create(si)
			e.waitMessage(si, "out of disks")
			end(e, si)
		}},
		{Name: "instance-unusable" + suffix, Prepare: failUpdates, Steps: func(e *Environment) {
			si := e.provision(class, plan)
			edit(e, si, setPlan(other))
			e.waitMessage(si, "out of disks")
			edit(e, si, setPlan(plan))
			b := e.NewBinding("app", "db")
			e.create(b)
			e.waitReady(si, b)
		}},
		{Name: "instance-unknown" + suffix, Prepare: loseProvisionAnswers(2), Steps: func(e *Environment) { e.provision(class, plan) }},
		{Name: "instance-mitigated" + suffix, Prepare: loseProvisionAnswers(0), Steps: func(e *Environment) {
			si := e.NewInstance("db", class, plan)
			e.create(si)
			e.waitMessage(si, "lost my way")
			end(e, si)
		}},
		{Name: "instance-mitigated-ready" + suffix, Prepare: loseProvisionAnswers(lossesUntilMitigation), Steps: func(e *Environment) { e.provision(class, plan) }},
		{Name: "instance-deleted-early" + suffix, Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.NewInstance("db", class, plan)
			e.create(si)
			end(e, si)
		}},
		{Name: "instance-deleted-begun" + suffix, Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.NewInstance("db", class, plan)
			e.create(si)
			e.waitAtBroker(si)
			end(e, si)
		}},
		{Name: "instance-retained" + suffix, Prepare: RegisterBroker, Steps: func(e *Environment) { e.retain(e.provision(class, plan)) }},
	}
}

// identityScenarios returns scenarios of instances whose id or name was used before, or is used elsewhere.
func identityScenarios() []Scenario {
	return []Scenario{
		{Name: "instance-anew", Prepare: RegisterBroker, Steps: func(e *Environment) {
			for range 2 {
				si := e.provision(SyncClass, SyncPlan)
				e.remove(si)
				e.waitGone(si)
			}
		}},
		{Name: "instance-first", Prepare: startDefaultBroker, Steps: func(e *Environment) {
			si := e.NewInstance("db", SyncClass, SyncPlan)
			e.create(si)
			proxy.Sleep(e.Ctx, pause)
			e.createBroker()
			e.waitReady(si)
		}},
		{Name: "instance-stranger", Prepare: RegisterBroker, Steps: func(e *Environment) {
			id := string(uuid.NewUUID()) // runs share a cluster
			e.createForeignInstance(id)
			si := e.NewInstance("db", SyncClass, SyncPlan)
			si.Spec.ExternalID, si.Spec.Parameters = id, RawParameters(`{"size":2}`)
			e.create(si)
			e.waitMessage(si, "supplied")
			e.removeSupplied(si)
		}},
		{Name: "instance-restored", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.retainedBackup()
			e.create(si)
			e.waitReady(si)
			e.removeSupplied(si)
		}},
		{Name: "instance-restored-other", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.retainedBackup()
			si.Spec.Parameters = RawParameters(`{"size":3}`)
			e.create(si)
			e.waitMessage(si, "supplied")
			e.removeSupplied(si)
		}},
		{Name: "instance-copied", ReusesID: true, Prepare: RegisterBroker, Steps: func(e *Environment) {
			si := e.provision(SyncClass, SyncPlan)
			twin := e.NewInstance("copy", SyncClass, SyncPlan)
			twin.Spec.ExternalID = ExternalID(si)
			if err := e.Client.Create(e.Ctx, twin); !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
				e.Reportf("a copy of an id in use is not refused: %v", err)
			}
			e.remove(si) // the instance may still exist
			e.await("the copy is admitted", func() error { return e.Client.Create(e.Ctx, twin) })
			e.waitGone(si)
			e.waitReady(twin)
		}},
	}
}

// parameterScenarios returns scenarios of instances with parameters from a Secret.
func parameterScenarios() []Scenario {
	source := func(value string) map[string]string {
		text, _ := json.Marshal(map[string]string{"password": value}) // a string
		return map[string]string{"all": string(text)}
	}
	from := func(e *Environment) *v1beta1.ServiceInstance {
		si := e.NewInstance("db", SyncClass, SyncPlan)
		si.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
		e.create(si)
		return si
	}
	late := Scenario{Name: "instance-parameters-late", Prepare: RegisterBroker, Steps: func(e *Environment) {
		si := from(e)
		proxy.Sleep(e.Ctx, pause)
		e.createSecret("parameters", source(canary.Value))
		e.waitReady(si)
	}}
	hasNew := func(e *Environment, si *v1beta1.ServiceInstance) {
		e.await("the broker has the new parameters", func() error {
			if err := e.get(si); err != nil {
				return err
			}
			e.retryIfRefused(si)
			if has := e.Broker.Holds().Instances[ExternalID(si)].Parameters; !strings.Contains(string(has), `2"`) {
				return fmt.Errorf("it has %d bytes of parameters", len(has))
			}
			return nil
		})
		e.waitReady(si)
	}
	rotate := func(e *Environment) {
		edit(e, &corev1.Secret{ObjectMeta: e.objectMeta("parameters")}, func(s *corev1.Secret) { s.StringData = source(canary.Value + "2") })
	}
	behind := Scenario{Name: "instance-parameters-behind", Prepare: func(e *Environment) {
		RegisterBroker(e)
		e.createSecret("parameters", source(canary.Value))
		e.waitReady(from(e))
	}, Steps: func(e *Environment) {
		login := &corev1.Secret{ObjectMeta: e.objectMeta("login")}
		edit(e, login, func(s *corev1.Secret) { delete(s.Data, "password") })
		proxy.Sleep(e.Ctx, pause)
		rotate(e)
		proxy.Sleep(e.Ctx, pause)
		edit(e, login, func(s *corev1.Secret) { s.StringData = map[string]string{"password": canary.Value} })
		hasNew(e, e.NewInstance("db", SyncClass, SyncPlan))
		e.waitBrokerReady()
	}}
	return []Scenario{late, behind, {Name: "instance-parameters", Prepare: func(e *Environment) {
		RegisterBroker(e)
		e.createSecret("parameters", source(canary.Value))
	}, Steps: func(e *Environment) {
		si := from(e)
		e.waitReady(si)
		rotate(e)
		hasNew(e, si)
	}}}
}
