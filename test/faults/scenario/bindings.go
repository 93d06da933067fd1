// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

func bindingScenarios() []Scenario {
	return append(plainBindingScenarios(), append(secretScenarios(), replacementScenarios()...)...)
}

func plainBindingScenarios() []Scenario {
	return []Scenario{
		{Name: "binding", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si, b := e.bind(SyncClass, SyncPlan)
			e.remove(b, si)
			e.waitGone(b, si)
		}},
		{Name: "binding-mitigated-ready", Prepare: loseAnswers(osb.Bind, lossesUntilMitigation), Steps: func(e *Environment) { e.bind(SyncClass, SyncPlan) }},
		{Name: "binding-kept", Prepare: RegisterBroker, Steps: func(e *Environment) { e.bind(AsyncClass, AsyncPlan) }},
		{Name: "binding-async", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si, b := e.bind(AsyncClass, AsyncPlan)
			e.remove(b)
			e.waitGone(b)
			e.remove(si)
			e.waitGone(si)
		}},
		{Name: "binding-parameters", Prepare: func(e *Environment) {
			RegisterBroker(e)
			e.createSecret("parameters", map[string]string{"all": `{"role":"` + strings.ReplaceAll(canary.Value, `"`, `\"`) + `"}`})
			e.provision(SyncClass, SyncPlan)
		}, Steps: func(e *Environment) {
			b := e.NewBinding("app", "db")
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
			e.create(b)
			e.waitReady(b)
			e.remove(b)
			e.waitGone(b)
		}},
		{Name: "binding-first", Prepare: RegisterBroker, Steps: func(e *Environment) {
			b, si := e.NewBinding("app", "db"), e.NewInstance("db", SyncClass, SyncPlan)
			e.create(b)
			proxy.Sleep(e.Ctx, pause)
			e.create(si)
			e.waitReady(si, b)
		}},
		{Name: "binding-plan", Prepare: registerBrokerWith(notBindable), Steps: func(e *Environment) {
			b, si := e.NewBinding("app", "db"), e.NewInstance("db", SyncClass, SyncPlan)
			e.create(b)
			e.create(si)
			e.waitReadyReason(b, v1beta1.ReasonErrorNonbindableServiceClass)
			edit(e, si, setPlan(SyncOther))
			e.waitReady(si)
			proxy.Sleep(e.Ctx, pause) // the operator notices the new plan without a retry request
			e.waitReady(b)
		}},
		{Name: "binding-holds", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si, b := e.bind(SyncClass, SyncPlan)
			e.remove(si)
			proxy.Sleep(e.Ctx, pause)
			e.remove(b)
			e.waitGone(b, si)
		}},
		{Name: "binding-retained", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si, b := e.bind(SyncClass, SyncPlan)
			e.retain(b, si)
		}},
		{Name: "binding-brought", Prepare: RegisterBroker, Steps: func(e *Environment) {
			_, b := e.bind(SyncClass, SyncPlan)
			e.removeSupplied(e.importBinding(b))
		}},
	}
}

func secretScenarios() []Scenario {
	lost := func(e *Environment) {
		_, b := e.bind(SyncClass, SyncPlan)
		e.loseSecret(b)
	}
	edited := func(e *Environment) {
		_, b := e.bind(SyncClass, SyncPlan)
		e.editSecret(b)
	}
	return []Scenario{
		{Name: "binding-secret-lost", Prepare: RegisterBroker, Steps: lost},
		{Name: "binding-secret-lost-rotated", Prepare: registerBrokerWith(revealOnce), Steps: lost},
		{Name: "binding-secret-lost-anew", Prepare: registerBrokerWith(revealOnce, notRotatable), Steps: lost},
		{Name: "binding-secret-edited", Prepare: RegisterBroker, Steps: edited},
		{Name: "binding-secret-edited-rotated", Prepare: registerBrokerWith(revealOnce), Steps: edited},
		{Name: "binding-secret-occupied", Prepare: func(e *Environment) {
			RegisterBroker(e)
			e.provision(SyncClass, SyncPlan)
		}, Steps: (*Environment).occupySecretName},
		{Name: "binding-namespace", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si, b := e.bind(SyncClass, SyncPlan)
			var secrets corev1.SecretList
			e.must(e.Client.List(e.Ctx, &secrets, client.InNamespace(e.Namespace)))
			for i := range secrets.Items {
				e.remove(&secrets.Items[i])
			}
			broker := e.newBroker()
			e.remove(broker, b, si)
			e.waitGone(b, si, broker)
		}},
	}
}

func replacementScenarios() []Scenario {
	rebound := func(class, plan string) func(*Environment) {
		return func(e *Environment) {
			_, b := e.bind(class, plan)
			e.rebind(b)
		}
	}
	renewed := func(after time.Duration) func(*Environment) {
		return func(e *Environment) {
			_, b := e.bind(SyncClass, SyncPlan)
			e.renew(b, after)
		}
	}
	return []Scenario{
		{Name: "binding-rebind", Prepare: RegisterBroker, Steps: rebound(SyncClass, SyncPlan)},
		{Name: "binding-rebind-anew", Prepare: registerBrokerWith(notRotatable), Steps: rebound(SyncClass, SyncPlan)},
		{Name: "binding-rebind-async", Prepare: registerBrokerWith(allRotatable), Steps: rebound(AsyncClass, AsyncPlan)},
		{Name: "binding-rebind-deleted", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si, b := e.bind(SyncClass, SyncPlan)
			e.must(e.Client.Patch(e.Ctx, b, annotationPatch(v1beta1.RebindAnnotation, "now")))
			e.remove(b, si)
			e.waitGone(b, si)
		}},
		{Name: "binding-overlap", Prepare: RegisterBroker, Steps: bindingOverlap},
		{Name: "binding-renewed", Prepare: registerBrokerWith(expiring), Steps: renewed(credentialLifetime * 5 / 6)},
		{Name: "binding-ended", Prepare: registerBrokerWith(expiring, notRotatable), Steps: renewed(2 * credentialLifetime)},
	}
}

// bindingOverlap checks that bindings whose credentials are replaced stay at the broker as long as applications may use them.
func bindingOverlap(e *Environment) {
	_, b := e.bind(SyncClass, SyncPlan)
	for _, when := range []string{"now", "later"} {
		old := ExternalID(b)
		edit(e, b, func(b *v1beta1.ServiceBinding) {
			b.Annotations[v1beta1.RotationOverlapAnnotation] = "1800"
			b.Annotations[v1beta1.RebindAnnotation] = when
		})
		e.waitReplaced(b, old, e.checkReplaced)
	}
}
