// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// ClusterObjectReference names a cluster-scoped object.
type ClusterObjectReference struct {
	// name of the object.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`
}

// LocalObjectReference names an object in the same namespace.
type LocalObjectReference struct {
	// name of the object.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`
}

// ObjectReference names an object in a namespace.
type ObjectReference struct {
	// namespace of the object.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// name of the object.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`
}

// SecretKeyReference names a key of a Secret in the same namespace.
type SecretKeyReference struct {
	// name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// key in the Secret's data.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Key string `json:"key"`
}

// ParametersFromSource is where more parameters come from.
type ParametersFromSource struct {
	// secretKeyRef names a key whose value is a JSON object of parameters.
	// +required
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`
}

// UserInfo is who asked for something. Brokers are told, as the originating
// identity.
type UserInfo struct {
	// username of the user.
	// +optional
	Username string `json:"username"`

	// uid of the user.
	// +optional
	UID string `json:"uid"`

	// groups that the user is in.
	// +listType=atomic
	// +optional
	Groups []string `json:"groups,omitempty"`

	// extra has further attributes of the user, from the authenticator.
	// +optional
	Extra map[string]ExtraValue `json:"extra,omitempty"`
}

// ExtraValue is the values of one key of a UserInfo's extra.
type ExtraValue []string

// ConditionStatus is True, False or Unknown.
// +kubebuilder:validation:Enum=True;False;Unknown
type ConditionStatus string

// Values of a ConditionStatus.
const (
	ConditionTrue    ConditionStatus = "True"
	ConditionFalse   ConditionStatus = "False"
	ConditionUnknown ConditionStatus = "Unknown"
)

// Condition is one aspect of an object's state. It has the form that the group has
// always had: reasons and messages may be anything.
type Condition struct {
	// type of the condition.
	// +required
	Type string `json:"type"`

	// status of the condition: True, False or Unknown.
	// +required
	Status ConditionStatus `json:"status"`

	// lastTransitionTime is when status last changed.
	// +nullable
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime"`

	// reason is an identifier for programs.
	// +optional
	Reason string `json:"reason"`

	// message is a text for users.
	// +optional
	Message string `json:"message"`
}

// CatalogRestrictions select what of a broker's catalog is offered.
type CatalogRestrictions struct {
	// serviceClass has label selectors over the properties name, spec.externalName
	// and spec.externalID of classes, as "spec.externalName in (a, b)". A class has
	// to match all of them.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	ServiceClass []string `json:"serviceClass,omitempty"`

	// servicePlan has label selectors over the properties name, spec.externalName,
	// spec.externalID, spec.free and spec.clusterServiceClass.name or
	// spec.serviceClass.name of plans. A plan has to match all of them; a class
	// without any plan left is not offered.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	ServicePlan []string `json:"servicePlan,omitempty"`
}

// MaintenanceInfo is which version of a service a plan offers.
type MaintenanceInfo struct {
	// version of the service, a SemVer 2.0 string.
	// +optional
	Version string `json:"version,omitempty"`

	// description says what an update to this version does.
	// +optional
	Description string `json:"description,omitempty"`
}

// ServiceObject is a ServiceInstance or a ServiceBinding: it asks for something at a broker.
// +kubebuilder:object:generate=false
type ServiceObject interface {
	metav1.Object
	runtime.Object
	// CommonStatus is the status, to be read and changed.
	CommonStatus() ServiceObjectStatus
	// SetStatus replaces the status by one of the same kind.
	SetStatus(ServiceObjectStatus)
	// WithOwnStatus returns an object whose status is a copy, and which shares everything else with this one.
	WithOwnStatus() ServiceObject
}

// ServiceObjectStatus is the status of a ServiceObject.
// +kubebuilder:object:generate=false
type ServiceObjectStatus interface {
	// Common is the part that all kinds have, to be read and changed.
	Common() *OperationStatus
	DeepCopyStatus() ServiceObjectStatus
}

// OperationStatus is what the statuses of ServiceInstances and ServiceBindings have in
// common: the operation in progress, and whose it is.
type OperationStatus struct {
	// conditions, in this order: Reconciling, Stalled, Ready, and where they apply
	// Failed and OrphanMitigation.
	// +listType=atomic
	// +nullable
	// +optional
	Conditions []Condition `json:"conditions"`

	// asyncOpInProgress is true while currentOperation is in progress at the broker, and
	// is polled.
	// +optional
	AsyncOpInProgress bool `json:"asyncOpInProgress"`

	// orphanMitigationInProgress is true during an orphan mitigation.
	// +optional
	OrphanMitigationInProgress bool `json:"orphanMitigationInProgress"`

	// lastOperation is the broker's name of the operation in progress.
	// +kubebuilder:validation:MaxLength=10000
	// +optional
	LastOperation *string `json:"lastOperation,omitempty"`

	// reconciledGeneration is the generation with which the last operation ended; of an
	// instance it is the one that the broker last confirmed.
	// +optional
	ReconciledGeneration int64 `json:"reconciledGeneration"`

	// observedGeneration is the generation that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration"`

	// operationStartTime is when currentOperation began.
	// +optional
	OperationStartTime *metav1.Time `json:"operationStartTime,omitempty"`

	// lastConditionState is the type of the last condition if it is True, else its
	// reason.
	// +optional
	LastConditionState string `json:"lastConditionState"`

	// externalID is the id under which the broker knows the object's resource, where it
	// differs from the spec's. A new id follows each orphan mitigation, and each
	// replacement of a binding.
	// +optional
	ExternalID string `json:"externalID,omitempty"`

	// createdForUID is the UID of the object whose request created the broker's
	// resource, as the answer 201 proves. It is deleted with that object.
	// +optional
	CreatedForUID types.UID `json:"createdForUID,omitempty"`

	// ownershipUnknown is true where the id was supplied and the broker answered 202,
	// which does not show whether this object's request created its resource.
	// +optional
	OwnershipUnknown bool `json:"ownershipUnknown,omitempty"`

	// attempts of the present generation.
	// +optional
	Attempts *Attempts `json:"attempts,omitempty"`

	// brokerAddress is a keyed digest of the broker's address at which the resource was
	// requested. status.addresses of the broker has the address. Objects of before the
	// operator recorded it have none until their status is written next.
	// +optional
	BrokerAddress string `json:"brokerAddress,omitempty"`

	// gone are the resources that the broker has answered 410 Gone about once, to the
	// request to delete them or to a poll of that. The deletion ends with a second 410
	// that follows after the broker has answered some request with success, since a
	// gateway that is out of service answers 410 to every request.
	// +listType=map
	// +listMapKey=id
	// +optional
	Gone []GoneResource `json:"gone,omitempty"`

	// leftBehind are ids whose orphan mitigation has failed for an hour. What failed
	// requests may have left there is removed later, and no request for the present id
	// waits for that.
	// +listType=map
	// +listMapKey=id
	// +optional
	LeftBehind []LeftBehind `json:"leftBehind,omitempty"`
}

// GoneResource is a resource that the broker has answered 410 Gone about once.
type GoneResource struct {
	// id under which the broker knows the resource.
	ID string `json:"id"`

	// time of the first answer 410.
	Time metav1.Time `json:"time"`
}

// LeftBehind is a resource that a failed request may have left at the broker, and whose
// removal the broker has not confirmed.
type LeftBehind struct {
	// id under which the broker may have it.
	ID string `json:"id"`

	// uid is that of the object whose request may have created it. No other object
	// removes it.
	// +optional
	UID types.UID `json:"uid,omitempty"`

	// target is where it may be.
	// +optional
	Target ServiceBindingTarget `json:"target,omitempty"`

	// brokerAddress is a keyed digest of the broker's address at which it was requested.
	// status.addresses of the broker has the address.
	// +optional
	BrokerAddress string `json:"brokerAddress,omitempty"`

	// planIDs are the ids of the plans that it may have, of which each attempt names
	// the next.
	// +listType=atomic
	// +optional
	PlanIDs []string `json:"planIDs,omitempty"`

	// firstTime is when its removal was first attempted.
	// +optional
	FirstTime metav1.Time `json:"firstTime,omitempty"`

	// lastTime is when its removal was last attempted.
	// +optional
	LastTime metav1.Time `json:"lastTime,omitempty"`

	// generation of the object at the last attempt.
	// +optional
	Generation int64 `json:"generation,omitempty"`

	// attempts is the number of attempts since it was left behind, or the spec was
	// changed. The next one is due 1, 2, 4 and at most 24 hours after the last.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`

	// asyncOpInProgress is true while the broker works on the removal, and is polled.
	// +optional
	AsyncOpInProgress bool `json:"asyncOpInProgress,omitempty"`

	// lastOperation is the broker's name of that operation.
	// +kubebuilder:validation:MaxLength=10000
	// +optional
	LastOperation string `json:"lastOperation,omitempty"`

	// lastError is the error of the last attempt.
	// +optional
	LastError string `json:"lastError,omitempty"`
}

// Common implements ServiceObjectStatus.
func (s *OperationStatus) Common() *OperationStatus { return s }
