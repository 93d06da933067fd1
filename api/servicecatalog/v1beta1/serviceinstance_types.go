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

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// +kubebuilder:validation:XValidation:rule="[self.?clusterServiceClassExternalName.orValue(''), self.?clusterServiceClassExternalID.orValue(''), self.?clusterServiceClassName.orValue(''), self.?serviceClassExternalName.orValue(''), self.?serviceClassExternalID.orValue(''), self.?serviceClassName.orValue('')].exists_one(name, name != '')",message="exactly one of clusterServiceClassExternalName, clusterServiceClassExternalID, clusterServiceClassName, serviceClassExternalName, serviceClassExternalID and serviceClassName names the class"
// +kubebuilder:validation:XValidation:rule="self.?clusterServicePlanExternalName.orValue('') == '' || self.?clusterServiceClassExternalName.orValue('') != ''",message="goes with clusterServiceClassExternalName: name class and plan in the same way",fieldPath=".clusterServicePlanExternalName"
// +kubebuilder:validation:XValidation:rule="self.?clusterServicePlanExternalID.orValue('') == '' || self.?clusterServiceClassExternalID.orValue('') != ''",message="goes with clusterServiceClassExternalID: name class and plan in the same way",fieldPath=".clusterServicePlanExternalID"
// +kubebuilder:validation:XValidation:rule="self.?clusterServicePlanName.orValue('') == '' || self.?clusterServiceClassName.orValue('') != ''",message="goes with clusterServiceClassName: name class and plan in the same way",fieldPath=".clusterServicePlanName"
// +kubebuilder:validation:XValidation:rule="self.?servicePlanExternalName.orValue('') == '' || self.?serviceClassExternalName.orValue('') != ''",message="goes with serviceClassExternalName: name class and plan in the same way",fieldPath=".servicePlanExternalName"
// +kubebuilder:validation:XValidation:rule="self.?servicePlanExternalID.orValue('') == '' || self.?serviceClassExternalID.orValue('') != ''",message="goes with serviceClassExternalID: name class and plan in the same way",fieldPath=".servicePlanExternalID"
// +kubebuilder:validation:XValidation:rule="self.?servicePlanName.orValue('') == '' || self.?serviceClassName.orValue('') != ''",message="goes with serviceClassName: name class and plan in the same way",fieldPath=".servicePlanName"
// +kubebuilder:validation:XValidation:rule="(has(self.clusterServiceClassExternalName) ? self.clusterServiceClassExternalName : '') == (has(oldSelf.clusterServiceClassExternalName) ? oldSelf.clusterServiceClassExternalName : '')",message="field is immutable: for another class make another ServiceInstance",fieldPath=".clusterServiceClassExternalName"
// +kubebuilder:validation:XValidation:rule="(has(self.clusterServiceClassExternalID) ? self.clusterServiceClassExternalID : '') == (has(oldSelf.clusterServiceClassExternalID) ? oldSelf.clusterServiceClassExternalID : '')",message="field is immutable: for another class make another ServiceInstance",fieldPath=".clusterServiceClassExternalID"
// +kubebuilder:validation:XValidation:rule="(has(self.clusterServiceClassName) ? self.clusterServiceClassName : '') == (has(oldSelf.clusterServiceClassName) ? oldSelf.clusterServiceClassName : '')",message="field is immutable: for another class make another ServiceInstance",fieldPath=".clusterServiceClassName"
// +kubebuilder:validation:XValidation:rule="(has(self.serviceClassExternalName) ? self.serviceClassExternalName : '') == (has(oldSelf.serviceClassExternalName) ? oldSelf.serviceClassExternalName : '')",message="field is immutable: for another class make another ServiceInstance",fieldPath=".serviceClassExternalName"
// +kubebuilder:validation:XValidation:rule="(has(self.serviceClassExternalID) ? self.serviceClassExternalID : '') == (has(oldSelf.serviceClassExternalID) ? oldSelf.serviceClassExternalID : '')",message="field is immutable: for another class make another ServiceInstance",fieldPath=".serviceClassExternalID"
// +kubebuilder:validation:XValidation:rule="(has(self.serviceClassName) ? self.serviceClassName : '') == (has(oldSelf.serviceClassName) ? oldSelf.serviceClassName : '')",message="field is immutable: for another class make another ServiceInstance",fieldPath=".serviceClassName"

// PlanReference says which plan of which class is wanted: with fields of the cluster
// or of the namespace, not of both, and class and plan in the same spelling. Without a
// plan it is the class's only one.
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

// +kubebuilder:validation:XValidation:rule="oldSelf.?externalID.orValue('') == '' || self.?externalID.orValue('') == oldSelf.externalID",message="field is immutable: it is how the broker knows the instance",fieldPath=".externalID"
// +kubebuilder:validation:XValidation:rule="self.?updateRequests.orValue(0) >= oldSelf.?updateRequests.orValue(0)",message="may not decrease",fieldPath=".updateRequests"

// ServiceInstanceSpec says which service is wanted, of which plan, and how.
type ServiceInstanceSpec struct {
	PlanReference `json:",inline"`

	// clusterServiceClassRef names the ClusterServiceClass that was found. Bellhop
	// fills it in.
	// +optional
	ClusterServiceClassRef *ClusterObjectReference `json:"clusterServiceClassRef,omitempty"`

	// clusterServicePlanRef names the ClusterServicePlan that was found. Bellhop fills
	// it in.
	// +optional
	ClusterServicePlanRef *ClusterObjectReference `json:"clusterServicePlanRef,omitempty"`

	// serviceClassRef names the ServiceClass that was found. Bellhop fills it in.
	// +optional
	ServiceClassRef *LocalObjectReference `json:"serviceClassRef,omitempty"`

	// servicePlanRef names the ServicePlan that was found. Bellhop fills it in.
	// +optional
	ServicePlanRef *LocalObjectReference `json:"servicePlanRef,omitempty"`

	// parameters are passed to the broker: an object, whose fields are the broker's
	// business. Who can read the ServiceInstance can read them: for what is secret
	// there is parametersFrom.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`

	// parametersFrom are more parameters, from Secrets in this namespace. A field may
	// be given only once, here or in parameters. When a Secret changes, the instance
	// is updated.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	ParametersFrom []ParametersFromSource `json:"parametersFrom,omitempty"`

	// externalID is the id under which the broker knows the instance. It cannot
	// change. Default: a random UUID. Under an id that was brought along, a service
	// that was there before is used, and is left as it is when this object is deleted,
	// unless its deletion policy is Delete.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ExternalID string `json:"externalID"`

	// userInfo is who last changed the spec. Bellhop fills it in.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`

	// updateRequests is increased to have the broker update the instance although
	// nothing else has changed; it then gets the plan's present maintenance version.
	// 0 in an update keeps the old value.
	// +kubebuilder:validation:Minimum=0
	// +optional
	UpdateRequests int64 `json:"updateRequests"`
}

// ServiceInstancePropertiesState is what was sent to the broker, or what it has.
type ServiceInstancePropertiesState struct {
	// clusterServicePlanExternalName is the name of the plan in the catalog of a
	// ClusterServiceBroker.
	// +optional
	ClusterServicePlanExternalName string `json:"clusterServicePlanExternalName"`

	// clusterServicePlanExternalID is its id.
	// +optional
	ClusterServicePlanExternalID string `json:"clusterServicePlanExternalID"`

	// servicePlanExternalName is the name of the plan in the catalog of a
	// ServiceBroker.
	// +optional
	ServicePlanExternalName string `json:"servicePlanExternalName,omitempty"`

	// servicePlanExternalID is its id.
	// +optional
	ServicePlanExternalID string `json:"servicePlanExternalID,omitempty"`

	// parameters that were sent; each that came from a Secret reads "<redacted>".
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`

	// parameterChecksum is the SHA-256, in lower-case hex, of all parameters.
	// +optional
	ParameterChecksum string `json:"parameterChecksum,omitempty"`

	// parametersVersion tells which versions of the Secrets in parametersFrom were
	// read for the parameters.
	// +optional
	ParametersVersion string `json:"parametersVersion,omitempty"`

	// maintenanceVersion is the version of the plan's maintenanceInfo.
	// +optional
	MaintenanceVersion string `json:"maintenanceVersion,omitempty"`

	// updateRequests is the spec's updateRequests.
	// +optional
	UpdateRequests int64 `json:"updateRequests,omitempty"`

	// userInfo is who asked for it.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
}

// ServiceInstanceOperation is what is under way at the broker.
// +kubebuilder:validation:Enum="";Provision;Update;Deprovision
type ServiceInstanceOperation string

const (
	// OperationProvision makes the instance.
	OperationProvision ServiceInstanceOperation = "Provision"
	// OperationUpdate changes it.
	OperationUpdate ServiceInstanceOperation = "Update"
	// OperationDeprovision removes it.
	OperationDeprovision ServiceInstanceOperation = "Deprovision"
)

// ProvisionStatus says whether the instance is there.
// +kubebuilder:validation:Enum="";Provisioned;NotProvisioned
type ProvisionStatus string

// Values of a ProvisionStatus; empty means that it was not yet.
const (
	Provisioned    ProvisionStatus = "Provisioned"
	NotProvisioned ProvisionStatus = "NotProvisioned"
)

// DeprovisionStatus says whether the broker may have something that is to be removed
// when the object is deleted.
// +kubebuilder:validation:Enum="";NotRequired;Required;Succeeded;Failed
type DeprovisionStatus string

// Values of a DeprovisionStatus; empty means that it is not known.
const (
	// DeprovisionNotRequired: nothing was sent, or the broker has refused it.
	DeprovisionNotRequired DeprovisionStatus = "NotRequired"
	// DeprovisionRequired: the broker may have something.
	DeprovisionRequired DeprovisionStatus = "Required"
	// DeprovisionSucceeded: the broker confirmed that it has nothing.
	DeprovisionSucceeded DeprovisionStatus = "Succeeded"
	// DeprovisionFailed was given up by the former service-catalog; here it is tried
	// again once the object is deleted, without being touched.
	DeprovisionFailed DeprovisionStatus = "Failed"
)

// Attempts count what was tried for one generation of a spec, or for a deletion.
type Attempts struct {
	// generation that they are for.
	// +optional
	Generation int64 `json:"generation,omitempty"`

	// count is how often a request failed, or its outcome was not known.
	// +optional
	Count int32 `json:"count,omitempty"`

	// misconfigured is how many of the last answers look like a misconfiguration: they are
	// no refusal of what was asked for. The first three are followed by another request
	// within a minute, later ones after 5 to 30 minutes.
	// +optional
	Misconfigured int32 `json:"misconfigured,omitempty"`

	// ownFault is true where they are due to this object, as requests of others succeeded
	// meanwhile. Else all that wait for the broker wait for one request, its probe.
	// +optional
	OwnFault bool `json:"ownFault,omitempty"`

	// lastError is what the broker said when the last request failed, or what happened to
	// that. It stays while what the request may have left is removed.
	// +optional
	LastError string `json:"lastError,omitempty"`

	// unknown is how many of the last requests have an outcome that is not known.
	// +optional
	Unknown int32 `json:"unknown,omitempty"`

	// removals is how often something had to be removed at the broker that may have
	// been left by a failure.
	// +optional
	Removals int32 `json:"removals,omitempty"`

	// recovered is true once a request was made earlier than planned, since the broker had
	// carried out another object's. That is done once.
	// +optional
	Recovered bool `json:"recovered,omitempty"`

	// refusals is how often the broker refused a request that names the plan. Where the
	// status records more than one plan that the broker may have, the next one names another.
	// +optional
	Refusals int32 `json:"refusals,omitempty"`

	// planIDs are the ids of plans that the broker may have beside those of externalProperties
	// and inProgressProperties: of updates whose outcome is not known and which others followed.
	// +optional
	// +listType=atomic
	PlanIDs []string `json:"planIDs,omitempty"`

	// parametersVersion is that of the Secrets that the parameters were read from.
	// +optional
	ParametersVersion string `json:"parametersVersion,omitempty"`

	// stopped is true once nothing is tried any more, until the spec or one of those
	// Secrets changes.
	// +optional
	Stopped bool `json:"stopped,omitempty"`

	// conflict is true while the broker says that it has something else under the
	// id, and it is being found out what.
	// +optional
	Conflict bool `json:"conflict,omitempty"`

	// failingSince is when the first of those requests failed that have failed in a row.
	// +optional
	FailingSince *metav1.Time `json:"failingSince,omitempty"`

	// lastTime is when the last request was made.
	// +optional
	LastTime *metav1.Time `json:"lastTime,omitempty"`

	// nextTime is when the next request is made.
	// +optional
	NextTime *metav1.Time `json:"nextTime,omitempty"`
}

// BrokerReference names the broker that an instance is, or may be, at.
type BrokerReference struct {
	// kind of the broker: ClusterServiceBroker, or ServiceBroker for one in the same
	// namespace.
	// +optional
	Kind string `json:"kind,omitempty"`

	// name of the broker.
	// +optional
	Name string `json:"name,omitempty"`

	// serviceID is the service's id in its catalog.
	// +optional
	ServiceID string `json:"serviceID,omitempty"`
}

// ServiceInstanceStatus is what the broker has confirmed, and what is being tried.
type ServiceInstanceStatus struct {
	// conditions of the instance: Reconciling, Stalled, Ready, and where they apply
	// Failed and OrphanMitigation, in this order.
	// +listType=atomic
	// +nullable
	// +optional
	Conditions []Condition `json:"conditions"`

	// asyncOpInProgress is true while the broker works on currentOperation and is
	// asked how far it is.
	// +optional
	AsyncOpInProgress bool `json:"asyncOpInProgress"`

	// orphanMitigationInProgress is true while something is being removed that may
	// have been left at the broker.
	// +optional
	OrphanMitigationInProgress bool `json:"orphanMitigationInProgress"`

	// lastOperation is what the broker called the operation that it works on.
	// +kubebuilder:validation:MaxLength=10000
	// +optional
	LastOperation *string `json:"lastOperation,omitempty"`

	// dashboardURL is the address of the service's own user interface.
	// +optional
	DashboardURL *string `json:"dashboardURL,omitempty"`

	// currentOperation is what is being done: Provision, Update or Deprovision.
	// +optional
	CurrentOperation ServiceInstanceOperation `json:"currentOperation,omitempty"`

	// reconciledGeneration is the generation that the broker last confirmed.
	// +optional
	ReconciledGeneration int64 `json:"reconciledGeneration"`

	// observedGeneration is the generation that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration"`

	// operationStartTime is when currentOperation began.
	// +optional
	OperationStartTime *metav1.Time `json:"operationStartTime,omitempty"`

	// inProgressProperties are those of currentOperation.
	// +optional
	InProgressProperties *ServiceInstancePropertiesState `json:"inProgressProperties,omitempty"`

	// externalProperties are what the broker has confirmed.
	// +optional
	ExternalProperties *ServiceInstancePropertiesState `json:"externalProperties,omitempty"`

	// provisionStatus is Provisioned once the instance is there.
	// +optional
	ProvisionStatus ProvisionStatus `json:"provisionStatus"`

	// deprovisionStatus says whether the broker may have something to remove.
	// +optional
	DeprovisionStatus DeprovisionStatus `json:"deprovisionStatus"`

	// defaultProvisionParameters are of the former service-catalog, and are kept.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`

	// lastConditionState is the type of the last condition if it is True, else its
	// reason.
	// +optional
	LastConditionState string `json:"lastConditionState"`

	// userSpecifiedClassName is the class as the spec names it, after its kind.
	// +optional
	UserSpecifiedClassName string `json:"userSpecifiedClassName"`

	// userSpecifiedPlanName is the plan as the spec names it.
	// +optional
	UserSpecifiedPlanName string `json:"userSpecifiedPlanName"`

	// externalID is the id under which the broker knows the instance, where it is no
	// longer the spec's: each removal of what a failure may have left is followed by a
	// new id.
	// +optional
	ExternalID string `json:"externalID,omitempty"`

	// createdForUID is the UID of the object whose request made what the broker has.
	// If it is this object's, that is removed with it.
	// +optional
	CreatedForUID types.UID `json:"createdForUID,omitempty"`

	// broker is where the instance is, or may be.
	// +optional
	Broker *BrokerReference `json:"broker,omitempty"`

	// attempts are those of the present generation.
	// +optional
	Attempts *Attempts `json:"attempts,omitempty"`

	// unusable is true while the broker says that the instance can no longer be used;
	// nothing is bound to it then.
	// +optional
	Unusable bool `json:"unusable,omitempty"`

	// refusedUpdate tells the update that the broker does not want to see again.
	// +optional
	RefusedUpdate string `json:"refusedUpdate,omitempty"`
}

// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={all,svcat}
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

	// spec says which service is wanted, of which plan, and how.
	// +required
	Spec ServiceInstanceSpec `json:"spec,omitempty"`
	// status is what the broker has confirmed, and what is being tried.
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
