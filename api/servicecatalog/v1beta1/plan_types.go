// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// +kubebuilder:validation:XValidation:rule="(has(self.externalID) ? self.externalID : '') == (has(oldSelf.externalID) ? oldSelf.externalID : '')",message="externalID cannot change",fieldPath=".externalID"

// CommonServicePlanSpec is the part of a plan's spec that does not depend on its scope.
type CommonServicePlanSpec struct {
	// externalName is the plan's name in the catalog.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	ExternalName string `json:"externalName"`

	// externalID is the plan's id in the catalog. It cannot change.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	ExternalID string `json:"externalID"`

	// description of the plan.
	// +required
	Description string `json:"description"`

	// bindable says whether instances of this plan can be bound to. Default: what the
	// class says.
	// +optional
	Bindable *bool `json:"bindable,omitempty"`

	// free says whether the plan costs nothing.
	// +optional
	Free bool `json:"free"`

	// planUpdatable says whether instances can leave this plan for another. Default:
	// what the class says.
	// +optional
	PlanUpdatable *bool `json:"planUpdatable,omitempty"`

	// bindingRotatable says whether the broker replaces the credentials of a binding.
	// +optional
	BindingRotatable bool `json:"bindingRotatable,omitempty"`

	// maximumPollingDurationSeconds is for how long, in seconds, an operation may be
	// in progress. Default: a week, which is also the most.
	// +optional
	MaximumPollingDurationSeconds *int64 `json:"maximumPollingDurationSeconds,omitempty"`

	// maintenanceInfo is which version of the service the plan offers.
	// +optional
	MaintenanceInfo *MaintenanceInfo `json:"maintenanceInfo,omitempty"`

	// externalMetadata is the plan's metadata, as the broker gave it.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	ExternalMetadata *runtime.RawExtension `json:"externalMetadata,omitempty"`

	// instanceCreateParameterSchema is a JSON Schema of the parameters with which
	// instances are created.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	InstanceCreateParameterSchema *runtime.RawExtension `json:"instanceCreateParameterSchema,omitempty"`

	// instanceUpdateParameterSchema is a JSON Schema of the parameters with which
	// instances are updated.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	InstanceUpdateParameterSchema *runtime.RawExtension `json:"instanceUpdateParameterSchema,omitempty"`

	// serviceBindingCreateParameterSchema is a JSON Schema of the parameters with
	// which bindings are created.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	ServiceBindingCreateParameterSchema *runtime.RawExtension `json:"serviceBindingCreateParameterSchema,omitempty"`

	// defaultProvisionParameters is set by users; it is stored and not used yet.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`
}

// ServicePlanStatus is what is known of a plan.
type ServicePlanStatus struct {
	// removedFromBrokerCatalog says that the catalog does not have the plan any more.
	// It is deleted with its last instance.
	// +optional
	RemovedFromBrokerCatalog bool `json:"removedFromBrokerCatalog"`
}

// +kubebuilder:validation:XValidation:rule="(has(self.clusterServiceBrokerName) ? self.clusterServiceBrokerName : '') == (has(oldSelf.clusterServiceBrokerName) ? oldSelf.clusterServiceBrokerName : '')",message="field is immutable: the broker that offers it",fieldPath=".clusterServiceBrokerName"
// +kubebuilder:validation:XValidation:rule="(has(self.clusterServiceClassRef) && has(self.clusterServiceClassRef.name) ? self.clusterServiceClassRef.name : '') == (has(oldSelf.clusterServiceClassRef) && has(oldSelf.clusterServiceClassRef.name) ? oldSelf.clusterServiceClassRef.name : '')",message="field is immutable: the class that the plan is of",fieldPath=".clusterServiceClassRef"

// ClusterServicePlanSpec is a plan of a ClusterServiceClass.
type ClusterServicePlanSpec struct {
	CommonServicePlanSpec `json:",inline"`

	// clusterServiceBrokerName names the broker that offers the plan.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	ClusterServiceBrokerName string `json:"clusterServiceBrokerName"`

	// clusterServiceClassRef names the class that the plan is of.
	// +required
	ClusterServiceClassRef ClusterObjectReference `json:"clusterServiceClassRef"`
}

// +kubebuilder:validation:XValidation:rule="(has(self.serviceBrokerName) ? self.serviceBrokerName : '') == (has(oldSelf.serviceBrokerName) ? oldSelf.serviceBrokerName : '')",message="field is immutable: the broker that offers it",fieldPath=".serviceBrokerName"
// +kubebuilder:validation:XValidation:rule="(has(self.serviceClassRef) && has(self.serviceClassRef.name) ? self.serviceClassRef.name : '') == (has(oldSelf.serviceClassRef) && has(oldSelf.serviceClassRef.name) ? oldSelf.serviceClassRef.name : '')",message="field is immutable: the class that the plan is of",fieldPath=".serviceClassRef"

// ServicePlanSpec is a plan of a ServiceClass.
type ServicePlanSpec struct {
	CommonServicePlanSpec `json:",inline"`

	// serviceBrokerName names the broker that offers the plan.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	ServiceBrokerName string `json:"serviceBrokerName"`

	// serviceClassRef names the class that the plan is of.
	// +required
	ServiceClassRef LocalObjectReference `json:"serviceClassRef"`
}

// +genclient
// +genclient:nonNamespaced
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories={all,svcat,bellhop}
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, successor of the retired service-catalog"
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.clusterServiceBrokerName`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.clusterServiceClassRef.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:selectablefield:JSONPath=`.spec.clusterServiceBrokerName`
// +kubebuilder:selectablefield:JSONPath=`.spec.clusterServiceClassRef.name`

// ClusterServicePlan is a plan of a ClusterServiceClass.
type ClusterServicePlan struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the catalog says of the plan.
	// +required
	Spec ClusterServicePlanSpec `json:"spec,omitempty"`
	// status is what is known of the plan.
	// +optional
	Status ServicePlanStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// ClusterServicePlanList is a list of ClusterServicePlans.
type ClusterServicePlanList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterServicePlan `json:"items"`
}

// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={all,svcat,bellhop}
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, successor of the retired service-catalog"
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.serviceBrokerName`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.serviceClassRef.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:selectablefield:JSONPath=`.spec.serviceBrokerName`
// +kubebuilder:selectablefield:JSONPath=`.spec.serviceClassRef.name`

// ServicePlan is a plan of a ServiceClass.
type ServicePlan struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the catalog says of the plan.
	// +required
	Spec ServicePlanSpec `json:"spec,omitempty"`
	// status is what is known of the plan.
	// +optional
	Status ServicePlanStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// ServicePlanList is a list of ServicePlans.
type ServicePlanList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServicePlan `json:"items"`
}

// +kubebuilder:object:generate=false

// Plan is a ClusterServicePlan or a ServicePlan, for code that serves both.
type Plan interface {
	metav1.Object
	runtime.Object
	// Common is the spec but for the broker and the class, to be read and changed.
	Common() *CommonServicePlanSpec
	// CommonStatus is the status, to be read and changed.
	CommonStatus() *ServicePlanStatus
	// BrokerName names the broker, which has the plan's scope and namespace.
	BrokerName() string
	// ClassName names the class, which has the plan's scope and namespace.
	ClassName() string
	// SetOwners changes broker and class.
	SetOwners(broker, class string)
}

// Common implements Plan.
func (p *ClusterServicePlan) Common() *CommonServicePlanSpec { return &p.Spec.CommonServicePlanSpec }

// CommonStatus implements Plan.
func (p *ClusterServicePlan) CommonStatus() *ServicePlanStatus { return &p.Status }

// BrokerName implements Plan.
func (p *ClusterServicePlan) BrokerName() string { return p.Spec.ClusterServiceBrokerName }

// ClassName implements Plan.
func (p *ClusterServicePlan) ClassName() string { return p.Spec.ClusterServiceClassRef.Name }

// SetOwners implements Plan.
func (p *ClusterServicePlan) SetOwners(broker, class string) {
	p.Spec.ClusterServiceBrokerName, p.Spec.ClusterServiceClassRef.Name = broker, class
}

// Common implements Plan.
func (p *ServicePlan) Common() *CommonServicePlanSpec { return &p.Spec.CommonServicePlanSpec }

// CommonStatus implements Plan.
func (p *ServicePlan) CommonStatus() *ServicePlanStatus { return &p.Status }

// BrokerName implements Plan.
func (p *ServicePlan) BrokerName() string { return p.Spec.ServiceBrokerName }

// ClassName implements Plan.
func (p *ServicePlan) ClassName() string { return p.Spec.ServiceClassRef.Name }

// SetOwners implements Plan.
func (p *ServicePlan) SetOwners(broker, class string) {
	p.Spec.ServiceBrokerName, p.Spec.ServiceClassRef.Name = broker, class
}
