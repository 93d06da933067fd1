// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

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

	// parameters that were sent; values from Secrets are "<redacted>".
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`

	// parameterChecksum is the SHA-256, in lower-case hex, of all parameters.
	// +optional
	ParameterChecksum string `json:"parameterChecksum,omitempty"`

	// parametersVersion is the version of the Secrets in parametersFrom.
	// +optional
	ParametersVersion string `json:"parametersVersion,omitempty"`

	// parametersDigest is a keyed digest of the parameters that were sent; where the
	// original service-catalog sent them, of those that were found at the takeover.
	// +optional
	ParametersDigest string `json:"parametersDigest,omitempty"`

	// maintenanceVersion is the version of the plan's maintenanceInfo.
	// +optional
	MaintenanceVersion string `json:"maintenanceVersion,omitempty"`

	// updateRequests is the spec's updateRequests.
	// +optional
	UpdateRequests int64 `json:"updateRequests,omitempty"`

	// userInfo is the user of the request.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
}

// ServiceInstanceOperation is the operation in progress at the broker.
// +kubebuilder:validation:Enum="";Provision;Update;Deprovision
type ServiceInstanceOperation string

const (
	// OperationProvision creates the instance.
	OperationProvision ServiceInstanceOperation = "Provision"
	// OperationUpdate changes it.
	OperationUpdate ServiceInstanceOperation = "Update"
	// OperationDeprovision removes it.
	OperationDeprovision ServiceInstanceOperation = "Deprovision"
)

// ProvisionStatus is whether the broker has the instance.
// +kubebuilder:validation:Enum="";Provisioned;NotProvisioned
type ProvisionStatus string

// Values of a ProvisionStatus; empty: not yet.
const (
	Provisioned    ProvisionStatus = "Provisioned"
	NotProvisioned ProvisionStatus = "NotProvisioned"
)

// DeprovisionStatus is whether the broker may have something that is removed when the
// object is deleted.
// +kubebuilder:validation:Enum="";NotRequired;Required;Succeeded;Failed
type DeprovisionStatus string

// Values of a DeprovisionStatus; empty: not known.
const (
	// DeprovisionNotRequired: no request was sent, or the broker has refused it.
	DeprovisionNotRequired DeprovisionStatus = "NotRequired"
	// DeprovisionRequired: the broker may have something.
	DeprovisionRequired DeprovisionStatus = "Required"
	// DeprovisionSucceeded: the broker confirmed that it has nothing.
	DeprovisionSucceeded DeprovisionStatus = "Succeeded"
	// DeprovisionFailed was given up by the original service-catalog; it is tried again
	// once the annotation bellhop.gophernetes.io/retry-deletion is set.
	DeprovisionFailed DeprovisionStatus = "Failed"
)

// Attempts count the requests for one generation of a spec, or for a deletion.
type Attempts struct {
	AttemptedSpec  `json:",inline"`
	Backoff        `json:",inline"`
	Outcome        `json:",inline"`
	CandidatePlans `json:",inline"`
	Mitigation     `json:",inline"`
}

// AttemptedSpec identifies the spec that Attempts are for, with its parameters from
// Secrets. Attempts for a former spec do not delay the present one.
type AttemptedSpec struct {
	// generation of the spec.
	// +optional
	Generation int64 `json:"generation,omitempty"`

	// parametersVersion is the version of the Secrets of the parameters.
	// +optional
	ParametersVersion string `json:"parametersVersion,omitempty"`

	// parametersDigest is a keyed digest of the parameters.
	// +optional
	ParametersDigest string `json:"parametersDigest,omitempty"`
}

// Backoff is when the next request of Attempts is due, and the failures in a row that
// this follows from.
type Backoff struct {
	// count is the number of requests that failed, or have an unknown outcome.
	// +optional
	Count int32 `json:"count,omitempty"`

	// misconfigured is the number of answers in a row that look like a misconfiguration,
	// and are no refusal of the content. The first three are retried within a minute,
	// later ones after 5 to 30 minutes.
	// +optional
	Misconfigured int32 `json:"misconfigured,omitempty"`

	// ownFault is true where this object causes them, as requests of others succeeded
	// meanwhile. Otherwise all objects of the broker wait for one request, its probe.
	// +optional
	OwnFault bool `json:"ownFault,omitempty"`

	// failingSince is when the first of the failures in a row occurred.
	// +optional
	FailingSince *metav1.Time `json:"failingSince,omitempty"`

	// lastTime is when the last request was sent.
	// +optional
	LastTime *metav1.Time `json:"lastTime,omitempty"`

	// nextTime is when the next request is due.
	// +optional
	NextTime *metav1.Time `json:"nextTime,omitempty"`
}

// Outcome is what the requests of Attempts have led to: the last error, whether it is a
// refusal, and whether the broker may have a resource that was not confirmed.
type Outcome struct {
	// lastError is the error of the last failed request. It stays during the orphan
	// mitigation that follows.
	// +optional
	LastError string `json:"lastError,omitempty"`

	// stopped is true after a refusal: nothing is retried until the spec, or a parameter
	// in one of those Secrets, changes.
	// +optional
	Stopped bool `json:"stopped,omitempty"`

	// unknown is the number of requests that may have been carried out, and of which
	// nothing is confirmed.
	// +optional
	Unknown int32 `json:"unknown,omitempty"`

	// conflict is true after the broker reported another resource under the id, until
	// it has nothing there, or the orphan mitigation ends.
	// +optional
	Conflict bool `json:"conflict,omitempty"`
}

// CandidatePlans are plans that the instance may have at the broker, of which a removal
// has to name the right one.
type CandidatePlans struct {
	// planIDs are the ids of plans that the instance may have beside those of
	// externalProperties and inProgressProperties: of earlier updates with an unknown
	// outcome.
	// +optional
	// +listType=atomic
	PlanIDs []string `json:"planIDs,omitempty"`

	// refusals is the number of refused requests that name the plan. Where the status
	// records more than one plan that the instance may have, the next request names
	// another.
	// +optional
	Refusals int32 `json:"refusals,omitempty"`
}

// Mitigation counts the orphan mitigations of Attempts. After the third one that has
// succeeded, or the first one that has not, the next request is due when the broker has
// recovered, and otherwise after hours.
type Mitigation struct {
	// removals is the number of orphan mitigations that have succeeded.
	// +optional
	Removals int32 `json:"removals,omitempty"`

	// unremoved is the number of those that have left an id behind.
	// +optional
	Unremoved int32 `json:"unremoved,omitempty"`

	// unremovedSince is when the orphan mitigation in progress first failed.
	// +optional
	UnremovedSince *metav1.Time `json:"unremovedSince,omitempty"`

	// recovered is true once a request was sent earlier than planned, since the broker
	// had recovered.
	// +optional
	Recovered bool `json:"recovered,omitempty"`
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

// ServiceInstanceStatus is what the broker has confirmed, and the operation in progress.
type ServiceInstanceStatus struct {
	OperationStatus `json:",inline"`

	// dashboardURL is the address of the service's own user interface.
	// +optional
	DashboardURL *string `json:"dashboardURL,omitempty"`

	// currentOperation is the operation in progress: Provision, Update or Deprovision.
	// +optional
	CurrentOperation ServiceInstanceOperation `json:"currentOperation,omitempty"`

	// inProgressProperties are those of currentOperation.
	// +optional
	InProgressProperties *ServiceInstancePropertiesState `json:"inProgressProperties,omitempty"`

	// externalProperties are what the broker has confirmed.
	// +optional
	ExternalProperties *ServiceInstancePropertiesState `json:"externalProperties,omitempty"`

	// provisionStatus is Provisioned once the broker has the instance.
	// +optional
	ProvisionStatus ProvisionStatus `json:"provisionStatus"`

	// deprovisionStatus is whether the broker may have something to remove.
	// +optional
	DeprovisionStatus DeprovisionStatus `json:"deprovisionStatus"`

	// defaultProvisionParameters are of the original service-catalog, and are kept.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`

	// userSpecifiedClassName is the class as the spec names it, after its kind.
	// +optional
	UserSpecifiedClassName string `json:"userSpecifiedClassName"`

	// userSpecifiedPlanName is the plan as the spec names it.
	// +optional
	UserSpecifiedPlanName string `json:"userSpecifiedPlanName"`

	// broker is where the instance is, or may be.
	// +optional
	Broker *BrokerReference `json:"broker,omitempty"`

	// unusable is true while the broker reports that the instance cannot be used; it is
	// not bound to then.
	// +optional
	Unusable bool `json:"unusable,omitempty"`

	// refusedUpdate identifies an update that the broker must not be sent again.
	// +optional
	RefusedUpdate string `json:"refusedUpdate,omitempty"`
}

// CommonStatus implements ServiceObject.
func (si *ServiceInstance) CommonStatus() ServiceObjectStatus { return &si.Status }

// SetStatus implements ServiceObject.
func (si *ServiceInstance) SetStatus(s ServiceObjectStatus) { si.Status = *s.(*ServiceInstanceStatus) }

// WithOwnStatus returns an object whose status is a copy, and which shares everything else with this one.
func (si *ServiceInstance) WithOwnStatus() ServiceObject {
	return &ServiceInstance{TypeMeta: si.TypeMeta, ObjectMeta: si.ObjectMeta, Spec: si.Spec, Status: *si.Status.DeepCopy()}
}

// DeepCopyStatus implements ServiceObjectStatus.
func (s *ServiceInstanceStatus) DeepCopyStatus() ServiceObjectStatus { return s.DeepCopy() }
