// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// The schema has all validations. Deletions have warnings.
// +kubebuilder:webhook:path=/mutate-servicecatalog-k8s-io-v1beta1-clusterserviceclass,mutating=true,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=clusterserviceclasses,verbs=create;update,versions=v1beta1,name=mclusterserviceclass.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec"}]}`
// +kubebuilder:webhook:path=/mutate-servicecatalog-k8s-io-v1beta1-serviceclass,mutating=true,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=serviceclasses,verbs=create;update,versions=v1beta1,name=mserviceclass.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec"}]}`
// +kubebuilder:webhook:path=/mutate-servicecatalog-k8s-io-v1beta1-clusterserviceplan,mutating=true,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=clusterserviceplans,verbs=create;update,versions=v1beta1,name=mclusterserviceplan.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-or-own-annotation-changes","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec || object.metadata.?annotations[?'bellhop.gophernetes.io/schema-policy'] != oldObject.metadata.?annotations[?'bellhop.gophernetes.io/schema-policy']"}]}`
// +kubebuilder:webhook:path=/mutate-servicecatalog-k8s-io-v1beta1-serviceplan,mutating=true,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=serviceplans,verbs=create;update,versions=v1beta1,name=mserviceplan.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-or-own-annotation-changes","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec || object.metadata.?annotations[?'bellhop.gophernetes.io/schema-policy'] != oldObject.metadata.?annotations[?'bellhop.gophernetes.io/schema-policy']"}]}`
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-clusterserviceclass,mutating=false,failurePolicy=ignore,sideEffects=None,groups=servicecatalog.k8s.io,resources=clusterserviceclasses,verbs=delete,versions=v1beta1,name=vclusterserviceclass-delete.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-serviceclass,mutating=false,failurePolicy=ignore,sideEffects=None,groups=servicecatalog.k8s.io,resources=serviceclasses,verbs=delete,versions=v1beta1,name=vserviceclass-delete.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-clusterserviceplan,mutating=false,failurePolicy=ignore,sideEffects=None,groups=servicecatalog.k8s.io,resources=clusterserviceplans,verbs=delete,versions=v1beta1,name=vclusterserviceplan-delete.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-serviceplan,mutating=false,failurePolicy=ignore,sideEffects=None,groups=servicecatalog.k8s.io,resources=serviceplans,verbs=delete,versions=v1beta1,name=vserviceplan-delete.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5

// classDefaulter is the defaulter of both kinds of class: it sets the labels that svcat uses. It also checks the objects whose creation the class
// completes: there is no validating webhook for the thousands of classes and plans of a catalog.
type classDefaulter[C v1beta1.Class] struct {
	knowledge
	access  admission.Reviewer
	decoder ctrladmission.Decoder
}

func (d classDefaulter[C]) Default(ctx context.Context, c C) error {
	old := c.DeepCopyObject().(C)
	updating, err := oldOf(ctx, d.decoder, old)
	if err != nil {
		return err
	}
	if updating {
		c.SetBrokerName(old.BrokerName())
	}
	catalog.SetLabels(c, catalog.ClassLabels(c))
	if updating && old.Common().ExternalName == c.Common().ExternalName && old.Common().ExternalID == c.Common().ExternalID {
		return nil
	}
	return d.checkSecrets(ctx, c)
}

// checkSecrets checks that the user may get the Secrets with parameters of the instances that wait for a class: they are sent to its broker.
func (d classDefaulter[C]) checkSecrets(ctx context.Context, c C) error {
	instances, err := d.index.InstancesWaitingFor(ctx, c)
	named, errNamed := d.index.InstancesOfClass(ctx, c)
	instances = slices.DeleteFunc(append(instances, named...), func(i *v1beta1.ServiceInstance) bool {
		return i.Status.Broker != nil || !i.DeletionTimestamp.IsZero()
	})
	path := specPath.Child("serviceBrokerName")
	if catalog.ScopeOf(c) == catalog.Cluster {
		path = specPath.Child("clusterServiceBrokerName")
	}
	uses, errUses := d.parameterSecrets(ctx, path, instances)
	if err := errors.Join(err, errNamed, errUses); err != nil {
		return fmt.Errorf("looking up the parameters that the broker of the class is sent: %w", err)
	}
	var f findings
	if err := d.access.MayGetSecrets(ctx, uses); err != nil {
		f.refuse(err)
	}
	_, err = f.result(catalog.ScopeOf(c).ClassKind(), c.GetName())
	return err
}

// planDefaulter does the same for both kinds of plan, and refuses an unknown value of the annotation that users set.
type planDefaulter[P v1beta1.Plan] struct{ decoder ctrladmission.Decoder }

func (d planDefaulter[P]) Default(ctx context.Context, p P) error {
	old := p.DeepCopyObject().(P)
	updating, err := oldOf(ctx, d.decoder, old)
	if err != nil {
		return err
	}
	var former map[string]string
	if updating {
		former = old.GetAnnotations()
		p.SetOwners(old.BrokerName(), old.ClassName())
	}
	catalog.SetLabels(p, catalog.PlanLabels(p))
	var f findings
	f.refuse(checkSchemaPolicy(former, p)...)
	_, err = f.result(catalog.ScopeOf(p).PlanKind(), p.GetName())
	return err
}

// classValidator warns of instances whose class is deleted.
type classValidator[C v1beta1.Class] struct{ knowledge }

func (classValidator[C]) ValidateCreate(context.Context, C) (ctrladmission.Warnings, error) {
	return nil, nil
}

func (classValidator[C]) ValidateUpdate(context.Context, C, C) (ctrladmission.Warnings, error) {
	return nil, nil
}

func (v classValidator[C]) ValidateDelete(ctx context.Context, c C) (ctrladmission.Warnings, error) {
	if !v.synced(ctx, &v1beta1.ServiceInstance{}) {
		return nil, nil
	}
	instances, err := v.index.InstancesOfClass(ctx, c)
	return v.left(catalog.ScopeOf(c).ClassKind(), c.GetName(), instances, err), nil
}

// planValidator warns of instances whose plan is deleted.
type planValidator[P v1beta1.Plan] struct{ knowledge }

func (planValidator[P]) ValidateCreate(context.Context, P) (ctrladmission.Warnings, error) {
	return nil, nil
}

func (planValidator[P]) ValidateUpdate(context.Context, P, P) (ctrladmission.Warnings, error) {
	return nil, nil
}

func (v planValidator[P]) ValidateDelete(ctx context.Context, p P) (ctrladmission.Warnings, error) {
	if !v.synced(ctx, &v1beta1.ServiceInstance{}) {
		return nil, nil
	}
	instances, err := v.index.InstancesOfPlan(ctx, p)
	return v.left(catalog.ScopeOf(p).PlanKind(), p.GetName(), instances, err), nil
}

// left returns a warning about the instances that lose their class or plan.
func (knowledge) left(kind, name string, instances []*v1beta1.ServiceInstance, err error) ctrladmission.Warnings {
	if err != nil || len(instances) == 0 {
		return nil // an error must not refuse the deletion
	}
	return ctrladmission.Warnings{fmt.Sprintf("ServiceInstances of %s %q are left, and cannot be updated until its broker's catalog has it again: %s", kind, name, someNames(instances))}
}
