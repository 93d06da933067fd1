// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

const (
	SyncClass, SyncPlan, SyncOther    = "database", "small", "large"
	AsyncClass, AsyncPlan, AsyncOther = "cluster", "three", "five"
)

// CheckReady returns an error unless the present generation of an object is Ready.
func CheckReady(conditions []v1beta1.Condition, observed int64, o client.Object) error {
	for _, c := range conditions {
		if c.Type == v1beta1.ConditionReady && c.Status == "True" && observed == o.GetGeneration() {
			return nil
		}
	}
	text, _ := json.Marshal(conditions)
	return fmt.Errorf("generation %d, observed %d: %s", o.GetGeneration(), observed, text)
}

// NewInstance returns an instance of a plan.
func (e *Environment) NewInstance(name, class, plan string) *v1beta1.ServiceInstance {
	si := &v1beta1.ServiceInstance{ObjectMeta: e.objectMeta(name)}
	if e.ClusterWide {
		si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName = e.SharedName(class), plan
	} else {
		si.Spec.ServiceClassExternalName, si.Spec.ServicePlanExternalName = class, plan
	}
	return si
}

// setPlan returns an edit of the plan of an instance.
func setPlan(plan string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) {
		if si.Spec.ClusterServiceClassExternalName != "" {
			si.Spec.ClusterServicePlanExternalName = plan
		} else {
			si.Spec.ServicePlanExternalName = plan
		}
	}
}

// NewBinding returns a binding to an instance.
func (e *Environment) NewBinding(name, instance string) *v1beta1.ServiceBinding {
	b := &v1beta1.ServiceBinding{ObjectMeta: e.objectMeta(name)}
	b.Spec.InstanceRef.Name = instance
	metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.RotationOverlapAnnotation, "1")
	return b
}

// RawParameters returns JSON as parameters.
func RawParameters(text string) *runtime.RawExtension {
	return &runtime.RawExtension{Raw: []byte(text)}
}

// waitReady waits until instances and bindings are Ready.
func (e *Environment) waitReady(objects ...client.Object) {
	for _, o := range objects {
		e.await(o.GetName()+" is Ready", func() error {
			if err := e.get(o); err != nil {
				return err
			}
			e.retryIfRefused(o)
			switch o := o.(type) {
			case *v1beta1.ServiceInstance:
				return CheckReady(o.Status.Conditions, o.Status.ReconciledGeneration, o)
			case *v1beta1.ServiceBinding:
				return CheckReady(o.Status.Conditions, o.Status.ReconciledGeneration, o)
			}
			return apierrors.NewBadRequest("it is never Ready")
		})
	}
}

// retryIfRefused does what a person has to do after a refusal of the broker: the status says that the operator does not retry, and how to
// request a retry.
func (e *Environment) retryIfRefused(o client.Object) {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		if hasFailed(o.Status.Conditions) && !isRetriedByOperator(o.Status.Attempts) && o.Status.ObservedGeneration == o.Generation {
			e.requestRetry(o)
		}
	case *v1beta1.ServiceBinding:
		if (hasFailed(o.Status.Conditions) && !isRetriedByOperator(o.Status.Attempts) || isStalledOnSecret(o.Status.Conditions)) && isRebindAttempted(o) {
			e.requestRetry(o)
		}
	}
}

// isRebindAttempted reports whether the operator has seen the last request for other credentials.
func isRebindAttempted(b *v1beta1.ServiceBinding) bool {
	asked := b.Annotations[v1beta1.RebindAnnotation]
	return asked == b.Status.Rebind || asked == b.Status.AttemptedRebind
}

// isRetriedByOperator reports whether a failure looks like a misconfiguration, which the operator retries without an edit.
func isRetriedByOperator(a *v1beta1.Attempts) bool { return a != nil && a.Misconfigured > 0 }

// requestRetry requests a retry. If the request fails, the next check repeats it.
func (e *Environment) requestRetry(o client.Object) {
	var err error
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		o.Spec.UpdateRequests++
		err = e.Client.Update(e.Ctx, o)
	case *v1beta1.ServiceBinding:
		err = e.Client.Patch(e.Ctx, o, annotationPatch(v1beta1.RebindAnnotation, "again "+strconv.Itoa(e.RetryRequests)))
	}
	if err == nil {
		e.RetryRequests++
	}
}

// hasFailed reports whether the Failed condition is true.
func hasFailed(conditions []v1beta1.Condition) bool {
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool {
		return c.Type == v1beta1.ConditionFailed && c.Status == v1beta1.ConditionTrue
	})
}

// isStalledOnSecret reports whether the broker does not reveal what was changed in a Secret.
func isStalledOnSecret(conditions []v1beta1.Condition) bool {
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool {
		return c.Type == v1beta1.ConditionStalled && c.Status == v1beta1.ConditionTrue && c.Reason == v1beta1.ReasonSecretEdited
	})
}

// provision creates an instance and waits until it is Ready.
func (e *Environment) provision(class, plan string) *v1beta1.ServiceInstance {
	si := e.NewInstance("db", class, plan)
	e.create(si)
	e.waitReady(si)
	return si
}

// waitMessage waits until the conditions of an instance contain a text of the broker.
func (e *Environment) waitMessage(si *v1beta1.ServiceInstance, text string) {
	e.await(fmt.Sprintf("the conditions of %s contain %q", si.Name, text), func() error {
		if err := e.get(si); err != nil {
			return err
		}
		conditions, _ := json.Marshal(si.Status.Conditions) // strings
		if !strings.Contains(string(conditions), text) {
			e.retryIfRefused(si) // the broker may have refused for another reason
			return errors.New(string(conditions))
		}
		return nil
	})
}

// waitAtBroker waits until the broker holds the id of an instance.
func (e *Environment) waitAtBroker(si *v1beta1.ServiceInstance) {
	e.await("the broker holds the instance", func() error {
		if err := e.get(si); err != nil {
			return err
		}
		if !e.BrokerIDs()[ExternalID(si)] {
			e.retryIfRefused(si)
			return fmt.Errorf("it does not hold %s", ExternalID(si))
		}
		return nil
	})
}

// createForeignInstance creates an instance at the broker that the operator did not create.
func (e *Environment) createForeignInstance(id string) {
	services := e.sharedServices(osbtest.DefaultServices())
	r := httptest.NewRequestWithContext(e.Ctx, http.MethodPut, "/v2/service_instances/"+id+"?accepts_incomplete=true", strings.NewReader(fmt.Sprintf(
		`{"service_id":%q,"plan_id":%q,"organization_guid":"o","space_guid":"s","context":{"platform":"kubernetes","namespace":"theirs","clusterid":"other","instance_name":"theirs"}}`, services[1].ID, services[1].Plans[0].ID)))
	r.Header.Set("X-Broker-API-Version", "2.17")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Broker-API-Request-Identity", id)
	r.SetBasicAuth("bellhop", canary.Value)
	answer := httptest.NewRecorder()
	e.Broker.ServeHTTP(answer, r)
	if answer.Code != http.StatusAccepted {
		e.must(fmt.Errorf("the broker refused the foreign instance: %d %s", answer.Code, answer.Body))
	}
	e.Foreign.add(id)
}

// removeSupplied deletes an object with a supplied id, and waits until it is gone. Where a fault leaves its first request without a known
// outcome, no later answer tells whose request created the broker's resource (R10): a broker may answer 409 to a repeated request of the
// same object as well. Then the operator holds the deletion, and the user sets the deletion policy, as the message says.
func (e *Environment) removeSupplied(o client.Object) {
	e.remove(o)
	if e.Fault.MayLeaveRequestOpen() {
		e.await(o.GetName()+" is gone, or asks for its deletion policy", func() error {
			err := e.get(o)
			if err == nil && isOwnershipUnknown(o) {
				err = e.Client.Patch(e.Ctx, o, annotationPatch(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain))
			} else if err == nil {
				err = fmt.Errorf("it still exists: %s", snapshot.Describe(o))
			}
			return client.IgnoreNotFound(err)
		})
	}
	e.waitGone(o)
}

// isOwnershipUnknown reports whether the deletion of an instance or a binding waits for its deletion policy.
func isOwnershipUnknown(o client.Object) bool {
	var conditions []v1beta1.Condition
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		conditions = o.Status.Conditions
	case *v1beta1.ServiceBinding:
		conditions = o.Status.Conditions
	}
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool { return c.Reason == v1beta1.ReasonOwnershipUnknown })
}

// retainedBackup provisions an instance, deletes its object with policy Retain, and returns the object as a backup has it.
func (e *Environment) retainedBackup() *v1beta1.ServiceInstance {
	before := e.provision(SyncClass, SyncPlan)
	backup := e.NewInstance(before.Name, SyncClass, SyncPlan)
	backup.Annotations = map[string]string{v1beta1.MadeIDAnnotation: before.Annotations[v1beta1.MadeIDAnnotation]}
	backup.Spec.ExternalID = ExternalID(before)
	e.retain(before)
	e.Foreign.add(backup.Spec.ExternalID)
	return backup
}
