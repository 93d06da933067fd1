// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// +kubebuilder:validation:XValidation:rule="[self.?clusterServiceClassExternalName.orValue(''), self.?clusterServiceClassExternalID.orValue(''), self.?clusterServiceClassName.orValue(''), self.?serviceClassExternalName.orValue(''), self.?serviceClassExternalID.orValue(''), self.?serviceClassName.orValue('')].exists_one(name, name != '')",message="exactly one of clusterServiceClassExternalName, clusterServiceClassExternalID, clusterServiceClassName, serviceClassExternalName, serviceClassExternalID and serviceClassName names the class"
// +kubebuilder:validation:XValidation:rule="self.?clusterServicePlanExternalName.orValue('') == '' || self.?clusterServiceClassExternalName.orValue('') != ''",message="goes with clusterServiceClassExternalName: name class and plan in the same way",fieldPath=".clusterServicePlanExternalName"
// +kubebuilder:validation:XValidation:rule="self.?clusterServicePlanExternalID.orValue('') == '' || self.?clusterServiceClassExternalID.orValue('') != ''",message="goes with clusterServiceClassExternalID: name class and plan in the same way",fieldPath=".clusterServicePlanExternalID"
// +kubebuilder:validation:XValidation:rule="self.?clusterServicePlanName.orValue('') == '' || self.?clusterServiceClassName.orValue('') != ''",message="goes with clusterServiceClassName: name class and plan in the same way",fieldPath=".clusterServicePlanName"
// +kubebuilder:validation:XValidation:rule="self.?servicePlanExternalName.orValue('') == '' || self.?serviceClassExternalName.orValue('') != ''",message="goes with serviceClassExternalName: name class and plan in the same way",fieldPath=".servicePlanExternalName"
// +kubebuilder:validation:XValidation:rule="self.?servicePlanExternalID.orValue('') == '' || self.?serviceClassExternalID.orValue('') != ''",message="goes with serviceClassExternalID: name class and plan in the same way",fieldPath=".servicePlanExternalID"
// +kubebuilder:validation:XValidation:rule="self.?servicePlanName.orValue('') == '' || self.?serviceClassName.orValue('') != ''",message="goes with serviceClassName: name class and plan in the same way",fieldPath=".servicePlanName"
// +kubebuilder:validation:XValidation:rule="(has(self.clusterServiceClassExternalName) ? self.clusterServiceClassExternalName : '') == (has(oldSelf.clusterServiceClassExternalName) ? oldSelf.clusterServiceClassExternalName : '')",message="field is immutable: create another ServiceInstance for another class",fieldPath=".clusterServiceClassExternalName"
// +kubebuilder:validation:XValidation:rule="(has(self.clusterServiceClassExternalID) ? self.clusterServiceClassExternalID : '') == (has(oldSelf.clusterServiceClassExternalID) ? oldSelf.clusterServiceClassExternalID : '')",message="field is immutable: create another ServiceInstance for another class",fieldPath=".clusterServiceClassExternalID"
// +kubebuilder:validation:XValidation:rule="(has(self.clusterServiceClassName) ? self.clusterServiceClassName : '') == (has(oldSelf.clusterServiceClassName) ? oldSelf.clusterServiceClassName : '')",message="field is immutable: create another ServiceInstance for another class",fieldPath=".clusterServiceClassName"
// +kubebuilder:validation:XValidation:rule="(has(self.serviceClassExternalName) ? self.serviceClassExternalName : '') == (has(oldSelf.serviceClassExternalName) ? oldSelf.serviceClassExternalName : '')",message="field is immutable: create another ServiceInstance for another class",fieldPath=".serviceClassExternalName"
// +kubebuilder:validation:XValidation:rule="(has(self.serviceClassExternalID) ? self.serviceClassExternalID : '') == (has(oldSelf.serviceClassExternalID) ? oldSelf.serviceClassExternalID : '')",message="field is immutable: create another ServiceInstance for another class",fieldPath=".serviceClassExternalID"
// +kubebuilder:validation:XValidation:rule="(has(self.serviceClassName) ? self.serviceClassName : '') == (has(oldSelf.serviceClassName) ? oldSelf.serviceClassName : '')",message="field is immutable: create another ServiceInstance for another class",fieldPath=".serviceClassName"

// PlanReference names the plan of a class, by name, id or object name: either with the
// cluster fields or with those of the namespace, and class and plan in the same way.
// Default of the plan: the class's only one.
type PlanReference struct {
	// clusterServiceClassExternalName is the name of the service in the catalog of a
	// ClusterServiceBroker.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ClusterServiceClassExternalName string `json:"clusterServiceClassExternalName,omitempty"`

	// clusterServicePlanExternalName is the name of the plan in that catalog.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ClusterServicePlanExternalName string `json:"clusterServicePlanExternalName,omitempty"`

	// clusterServiceClassExternalID is the id of the service in the catalog of a
	// ClusterServiceBroker.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ClusterServiceClassExternalID string `json:"clusterServiceClassExternalID,omitempty"`

	// clusterServicePlanExternalID is the id of the plan in that catalog.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ClusterServicePlanExternalID string `json:"clusterServicePlanExternalID,omitempty"`

	// clusterServiceClassName is the name of the ClusterServiceClass.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ClusterServiceClassName string `json:"clusterServiceClassName,omitempty"`

	// clusterServicePlanName is the name of the ClusterServicePlan.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ClusterServicePlanName string `json:"clusterServicePlanName,omitempty"`

	// serviceClassExternalName is the name of the service in the catalog of a
	// ServiceBroker in this namespace.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ServiceClassExternalName string `json:"serviceClassExternalName,omitempty"`

	// servicePlanExternalName is the name of the plan in that catalog.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ServicePlanExternalName string `json:"servicePlanExternalName,omitempty"`

	// serviceClassExternalID is the id of the service in the catalog of a
	// ServiceBroker in this namespace.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ServiceClassExternalID string `json:"serviceClassExternalID,omitempty"`

	// servicePlanExternalID is the id of the plan in that catalog.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ServicePlanExternalID string `json:"servicePlanExternalID,omitempty"`

	// serviceClassName is the name of the ServiceClass in this namespace.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServiceClassName string `json:"serviceClassName,omitempty"`

	// servicePlanName is the name of the ServicePlan in this namespace.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServicePlanName string `json:"servicePlanName,omitempty"`
}

// +kubebuilder:validation:XValidation:rule="oldSelf.?externalID.orValue('') == '' || self.?externalID.orValue('') == oldSelf.externalID",message="field is immutable: the broker knows the instance by it",fieldPath=".externalID"
// +kubebuilder:validation:XValidation:rule="self.?updateRequests.orValue(0) >= oldSelf.?updateRequests.orValue(0)",message="may not decrease",fieldPath=".updateRequests"

// ServiceInstanceSpec is the desired service, its plan and its parameters.
type ServiceInstanceSpec struct {
	PlanReference `json:",inline"`

	// clusterServiceClassRef names the ClusterServiceClass. Set by the operator.
	// +optional
	ClusterServiceClassRef *ClusterObjectReference `json:"clusterServiceClassRef,omitempty"`

	// clusterServicePlanRef names the ClusterServicePlan. Set by the operator.
	// +optional
	ClusterServicePlanRef *ClusterObjectReference `json:"clusterServicePlanRef,omitempty"`

	// serviceClassRef names the ServiceClass. Set by the operator.
	// +optional
	ServiceClassRef *LocalObjectReference `json:"serviceClassRef,omitempty"`

	// servicePlanRef names the ServicePlan. Set by the operator.
	// +optional
	ServicePlanRef *LocalObjectReference `json:"servicePlanRef,omitempty"`

	// parameters are sent to the broker: an object, whose fields the broker defines.
	// They can be read with the ServiceInstance; use parametersFrom for secrets.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`

	// parametersFrom are further parameters, from Secrets in this namespace. A field is
	// set once, here or in parameters. A change of a Secret updates the instance.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	ParametersFrom []ParametersFromSource `json:"parametersFrom,omitempty"`

	// externalID is the id under which the broker knows the instance. Immutable.
	// Default: a random UUID. An existing service under a supplied id is used, and is
	// not deleted with this object, unless the deletion policy is Delete.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ExternalID string `json:"externalID"`

	// userInfo is the user who last changed the spec. Set by the operator.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`

	// updateRequests is increased to request an update without another change; it uses
	// the plan's present maintenance version. 0 in an update keeps the old value.
	// +kubebuilder:validation:Minimum=0
	// +optional
	UpdateRequests int64 `json:"updateRequests"`
}

// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={all,svcat,bellhop}
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, successor of the retired service-catalog"
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.status.userSpecifiedClassName`
// +kubebuilder:printcolumn:name="Plan",type=string,JSONPath=`.status.userSpecifiedPlanName`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="External-ID",type=string,JSONPath=`.spec.externalID`,priority=1
// +kubebuilder:printcolumn:name="Current-ID",type=string,JSONPath=`.status.externalID`,priority=1

// ServiceInstance is a service that a broker provides, such as a database.
type ServiceInstance struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired service, its plan and its parameters.
	// +required
	Spec ServiceInstanceSpec `json:"spec,omitempty"`
	// status is what the broker has confirmed, and the operation in progress.
	// +default={"observedGeneration": -1}
	// +optional
	Status ServiceInstanceStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// ServiceInstanceList is a list of ServiceInstances.
type ServiceInstanceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceInstance `json:"items"`
}
