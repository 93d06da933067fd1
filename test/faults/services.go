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
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

const (
	syncClass, syncPlan, syncOther    = "database", "small", "large"
	asyncClass, asyncPlan, asyncOther = "cluster", "three", "five"
)

// trueFor says whether an object is Ready as it is now.
func trueFor(conditions []v1beta1.Condition, observed int64, o client.Object) error {
	for _, c := range conditions {
		if c.Type == v1beta1.ConditionReady && c.Status == "True" && observed == o.GetGeneration() {
			return nil
		}
	}
	text, _ := json.Marshal(conditions)
	return fmt.Errorf("generation %d, observed %d: %s", o.GetGeneration(), observed, text)
}

func (w *world) instance(name, class, plan string) *v1beta1.ServiceInstance {
	si := &v1beta1.ServiceInstance{ObjectMeta: w.meta(name)}
	if w.clusterWide {
		si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName = w.own(class), plan
	} else {
		si.Spec.ServiceClassExternalName, si.Spec.ServicePlanExternalName = class, plan
	}
	return si
}

// planned has an instance ask for a plan of its class.
func planned(plan string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) {
		if si.Spec.ClusterServiceClassExternalName != "" {
			si.Spec.ClusterServicePlanExternalName = plan
		} else {
			si.Spec.ServicePlanExternalName = plan
		}
	}
}

func (w *world) binding(name, instance string) *v1beta1.ServiceBinding {
	b := &v1beta1.ServiceBinding{ObjectMeta: w.meta(name)}
	b.Spec.InstanceRef.Name = instance
	return b
}

func parameters(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

// ready waits until instances and bindings are.
func (w *world) ready(objects ...client.Object) {
	for _, o := range objects {
		w.await(o.GetName()+" is Ready", func() error {
			if err := w.get(o); err != nil {
				return err
			}
			w.askAgain(o)
			switch o := o.(type) {
			case *v1beta1.ServiceInstance:
				return trueFor(o.Status.Conditions, o.Status.ReconciledGeneration, o)
			case *v1beta1.ServiceBinding:
				return trueFor(o.Status.Conditions, o.Status.ReconciledGeneration, o)
			}
			return apierrors.NewBadRequest("it is never Ready")
		})
	}
}

// askAgain does what a person has to where a broker has refused something: the object says
// that it is not tried any more, and how to have it tried again.
func (w *world) askAgain(o client.Object) {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		if hasFailed(o.Status.Conditions) && !isRepeated(o.Status.Attempts) && o.Status.ObservedGeneration == o.Generation {
			w.insist(o)
		}
	case *v1beta1.ServiceBinding:
		if (hasFailed(o.Status.Conditions) && !isRepeated(o.Status.Attempts) || isLeftEdited(o.Status.Conditions)) && o.Status.Rebind == o.Annotations[v1beta1.RebindAnnotation] {
			w.insist(o)
		}
	}
}

// isRepeated reports whether what failed looks like a misconfiguration, which is repeated without an edit.
func isRepeated(a *v1beta1.Attempts) bool { return a != nil && a.Misconfigured > 0 }

// insist asks again. What fails is done the next time.
func (w *world) insist(o client.Object) {
	var err error
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		o.Spec.UpdateRequests++
		err = w.client.Update(w.ctx, o)
	case *v1beta1.ServiceBinding:
		err = w.client.Patch(w.ctx, o, annotated(v1beta1.RebindAnnotation, "again "+strconv.Itoa(w.asked)))
	}
	if err == nil {
		w.asked++
	}
}

func hasFailed(conditions []v1beta1.Condition) bool {
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool {
		return c.Type == v1beta1.ConditionFailed && c.Status == v1beta1.ConditionTrue
	})
}

// isLeftEdited says whether the broker does not help with what was changed in a Secret.
func isLeftEdited(conditions []v1beta1.Condition) bool {
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool {
		return c.Type == v1beta1.ConditionStalled && c.Status == v1beta1.ConditionTrue && c.Reason == v1beta1.ReasonSecretEdited
	})
}

// provisioned prepares an instance.
func (w *world) provisioned(class, plan string) *v1beta1.ServiceInstance {
	si := w.instance("db", class, plan)
	w.create(si)
	w.ready(si)
	return si
}

// tells waits until an instance's conditions say something of what the broker has done.
func (w *world) tells(si *v1beta1.ServiceInstance, text string) {
	w.await(fmt.Sprintf("%s says %q", si.Name, text), func() error {
		if err := w.get(si); err != nil {
			return err
		}
		said, _ := json.Marshal(si.Status.Conditions) // strings
		if !strings.Contains(string(said), text) {
			w.askAgain(si) // it may have been refused for another reason
			return errors.New(string(said))
		}
		return nil
	})
}

// begun waits until the broker has something of an instance's id.
func (w *world) begun(si *v1beta1.ServiceInstance) {
	w.await("the broker has begun", func() error {
		if err := w.get(si); err != nil {
			return err
		}
		if !w.held()[idOf(si)] {
			w.askAgain(si)
			return fmt.Errorf("it has nothing of %s", idOf(si))
		}
		return nil
	})
}

// stranger puts an instance that is not ours into the broker.
func (w *world) stranger(id string) {
	services := w.owned(osbtest.DefaultServices())
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

// foreign prepares what the broker has from an object before, which is not ours any more,
// and returns an object as a backup of that has it.
func (w *world) foreign() *v1beta1.ServiceInstance {
	before := w.provisioned(syncClass, syncPlan)
	backup := w.instance(before.Name, syncClass, syncPlan)
	backup.Annotations = map[string]string{v1beta1.MadeIDAnnotation: before.Annotations[v1beta1.MadeIDAnnotation]}
	backup.Spec.ExternalID = idOf(before)
	w.retained(before)
	w.strangers.add(backup.Spec.ExternalID)
	return backup
}
