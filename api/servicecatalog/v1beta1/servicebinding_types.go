// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AddKeyTransform sets a key of the Secret. The first of jsonPathExpression,
// stringValue and value that is there counts.
type AddKeyTransform struct {
	// key to set.
	// +required
	Key string `json:"key"`

	// value to set it to, base64.
	// +nullable
	// +optional
	Value []byte `json:"value"`

	// stringValue to set it to.
	// +nullable
	// +optional
	StringValue *string `json:"stringValue"`

	// jsonPathExpression is evaluated against the credentials, as "{.host}:{.port}".
	// +kubebuilder:validation:MaxLength=4096
	// +nullable
	// +optional
	JSONPathExpression *string `json:"jsonPathExpression"`
}

// RenameKeyTransform renames a key of the Secret, if it is there.
type RenameKeyTransform struct {
	// from is the key's name.
	// +required
	From string `json:"from"`

	// to is its new name.
	// +required
	To string `json:"to"`
}

// AddKeysFromTransform copies all keys of another Secret.
type AddKeysFromTransform struct {
	// secretRef names the Secret. It has to be in the binding's namespace.
	// +required
	SecretRef *ObjectReference `json:"secretRef,omitempty"`
}

// RemoveKeyTransform removes a key from the Secret.
type RemoveKeyTransform struct {
	// key to remove.
	// +required
	Key string `json:"key"`
}

// SecretTransform changes the credentials before they are written into the Secret.
// Exactly one of its fields is set.
// +kubebuilder:validation:ExactlyOneOf=renameKey;addKey;addKeysFrom;removeKey
type SecretTransform struct {
	// renameKey renames a key, if it is there.
	// +optional
	RenameKey *RenameKeyTransform `json:"renameKey,omitempty"`

	// addKey sets a key.
	// +optional
	AddKey *AddKeyTransform `json:"addKey,omitempty"`

	// addKeysFrom copies all keys of another Secret of the namespace.
	// +optional
	AddKeysFrom *AddKeysFromTransform `json:"addKeysFrom,omitempty"`

	// removeKey removes a key.
	// +optional
	RemoveKey *RemoveKeyTransform `json:"removeKey,omitempty"`
}

// What the rules cannot read, parameters and null values in transforms, the validating webhook compares.

// +kubebuilder:validation:XValidation:rule="(has(self.instanceRef) && has(self.instanceRef.name) ? self.instanceRef.name : '') == (has(oldSelf.instanceRef) && has(oldSelf.instanceRef.name) ? oldSelf.instanceRef.name : '')",message="field is immutable: delete the ServiceBinding and create another one",fieldPath=".instanceRef"
// +kubebuilder:validation:XValidation:rule="(has(self.parametersFrom) ? self.parametersFrom.size() : 0) == (has(oldSelf.parametersFrom) ? oldSelf.parametersFrom.size() : 0) && (!(has(self.parametersFrom)) || !(has(oldSelf.parametersFrom)) || self.parametersFrom == oldSelf.parametersFrom)",message="field is immutable: delete the ServiceBinding and create another one",fieldPath=".parametersFrom"
// +kubebuilder:validation:XValidation:rule="(has(self.secretName) ? self.secretName : '') == (has(oldSelf.secretName) ? oldSelf.secretName : '')",message="field is immutable: delete the ServiceBinding and create another one",fieldPath=".secretName"
// +kubebuilder:validation:XValidation:rule="oldSelf.?externalID.orValue('') == '' || self.?externalID.orValue('') == oldSelf.externalID",message="field is immutable: the broker knows the binding by it",fieldPath=".externalID"
// +kubebuilder:validation:XValidation:rule="(has(self.userInfo) && has(self.userInfo.username) ? self.userInfo.username : '') == (has(oldSelf.userInfo) && has(oldSelf.userInfo.username) ? oldSelf.userInfo.username : '') && (has(self.userInfo) && has(self.userInfo.uid) ? self.userInfo.uid : '') == (has(oldSelf.userInfo) && has(oldSelf.userInfo.uid) ? oldSelf.userInfo.uid : '')",message="field is immutable: it is the user who created the ServiceBinding",fieldPath=".userInfo"
// +kubebuilder:validation:XValidation:rule="(has(self.userInfo) && has(self.userInfo.groups) ? self.userInfo.groups.size() : 0) == (has(oldSelf.userInfo) && has(oldSelf.userInfo.groups) ? oldSelf.userInfo.groups.size() : 0) && (!(has(self.userInfo) && has(self.userInfo.groups)) || !(has(oldSelf.userInfo) && has(oldSelf.userInfo.groups)) || self.userInfo.groups == oldSelf.userInfo.groups)",message="field is immutable: it is the user who created the ServiceBinding",fieldPath=".userInfo"
// +kubebuilder:validation:XValidation:rule="(has(self.userInfo) && has(self.userInfo.extra) ? self.userInfo.extra.size() : 0) == (has(oldSelf.userInfo) && has(oldSelf.userInfo.extra) ? oldSelf.userInfo.extra.size() : 0) && (!(has(self.userInfo) && has(self.userInfo.extra)) || !(has(oldSelf.userInfo) && has(oldSelf.userInfo.extra)) || self.userInfo.extra == oldSelf.userInfo.extra)",message="field is immutable: it is the user who created the ServiceBinding",fieldPath=".userInfo"

// ServiceBindingSpec says which instance is to be bound to, and where its credentials
// go. It cannot be changed: another one in an update is ignored.
type ServiceBindingSpec struct {
	// instanceRef names a ServiceInstance in this namespace.
	// +kubebuilder:validation:XValidation:rule="has(self.name) && self.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a ServiceInstance in this namespace: lower-case letters, digits, '-' and '.'",fieldPath=".name"
	// +required
	InstanceRef LocalObjectReference `json:"instanceRef"`

	// parameters are passed to the broker: an object, whose fields the broker defines.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`

	// parametersFrom are more parameters, from Secrets in this namespace. A field may
	// be given only once, here or in parameters.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	ParametersFrom []ParametersFromSource `json:"parametersFrom,omitempty"`

	// secretName is the name of the Secret that the credentials are written into.
	// Default: the binding's name.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$')",message="must be the name of a Secret: lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part; leave it out for the name of the ServiceBinding"
	// +optional
	SecretName string `json:"secretName,omitempty"`

	// secretTransforms change the credentials before they are written, one after the
	// other.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	SecretTransforms []SecretTransform `json:"secretTransforms,omitempty"`

	// externalID is the id under which the broker knows the binding. Default: a
	// random UUID.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ExternalID string `json:"externalID"`

	// userInfo is the user who created the binding. Set by the operator.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
}

// ServiceBindingPropertiesState is what was sent to the broker, or what it has.
type ServiceBindingPropertiesState struct {
	// parameters that were sent; values from Secrets are "<redacted>".
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`

	// parameterChecksum is the SHA-256, in lower-case hex, of all parameters.
	// +optional
	ParameterChecksum string `json:"parameterChecksum,omitempty"`

	// parametersDigest is a keyed digest of them.
	// +optional
	ParametersDigest string `json:"parametersDigest,omitempty"`

	// userInfo is the user of the request.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
}

// ServiceBindingOperation is what is under way at the broker.
// +kubebuilder:validation:Enum="";Bind;Unbind
type ServiceBindingOperation string

const (
	// OperationBind makes the binding.
	OperationBind ServiceBindingOperation = "Bind"
	// OperationUnbind removes it.
	OperationUnbind ServiceBindingOperation = "Unbind"
)

// UnbindStatus says whether the broker may have something that is to be removed when
// the object is deleted.
// +kubebuilder:validation:Enum="";NotRequired;Required;Succeeded;Failed
type UnbindStatus string

// Values of an UnbindStatus; empty means that it is not known.
const (
	// UnbindNotRequired: nothing was sent, or the broker has refused it.
	UnbindNotRequired UnbindStatus = "NotRequired"
	// UnbindRequired: the broker may have something.
	UnbindRequired UnbindStatus = "Required"
	// UnbindSucceeded: the broker confirmed that it has nothing.
	UnbindSucceeded UnbindStatus = "Succeeded"
	// UnbindFailed was given up by the original service-catalog; it is tried again once
	// the annotation bellhop.gophernetes.io/retry-deletion is set.
	UnbindFailed UnbindStatus = "Failed"
)

// ServiceBindingTarget is where a binding is, or may be, so that it can be removed
// whatever becomes of its instance.
type ServiceBindingTarget struct {
	BrokerReference `json:",inline"`

	// planID is the id of the instance's plan.
	// +optional
	PlanID string `json:"planID,omitempty"`

	// instanceID is the id under which the broker knows the instance.
	// +optional
	InstanceID string `json:"instanceID,omitempty"`
}

// ServiceBindingStatus is what the broker has confirmed, and what is being tried.
type ServiceBindingStatus struct {
	OperationStatus `json:",inline"`

	// currentOperation is what is being done: Bind or Unbind.
	// +optional
	CurrentOperation ServiceBindingOperation `json:"currentOperation,omitempty"`

	// inProgressProperties are those of currentOperation, if that is Bind.
	// +optional
	InProgressProperties *ServiceBindingPropertiesState `json:"inProgressProperties,omitempty"`

	// externalProperties are what the broker has confirmed.
	// +optional
	ExternalProperties *ServiceBindingPropertiesState `json:"externalProperties,omitempty"`

	// unbindStatus says whether the broker may have something to remove.
	// +optional
	UnbindStatus UnbindStatus `json:"unbindStatus"`

	// predecessorID is the id of the binding that currentOperation replaces. Its
	// credentials stay in the Secret until those of its successor are there.
	// +optional
	PredecessorID string `json:"predecessorID,omitempty"`

	// rotates is true if the request of currentOperation names predecessorID as the
	// binding that it rotates.
	// +optional
	Rotates bool `json:"rotates,omitempty"`

	// predecessors are bindings that were replaced. They stay at the broker for some
	// time, so that applications can change over to the new credentials. The one
	// that is being removed is the first.
	// +listType=map
	// +listMapKey=id
	// +optional
	Predecessors []PredecessorBinding `json:"predecessors,omitempty"`

	// target is where the binding is, or may be.
	// +optional
	Target *ServiceBindingTarget `json:"target,omitempty"`

	// secretName is the name of the Secret that has the credentials.
	// +optional
	SecretName string `json:"secretName,omitempty"`

	// binding names the Secret as long as it has the credentials. It makes the
	// ServiceBinding a Provisioned Service of servicebinding.io.
	// +optional
	Binding *LocalObjectReference `json:"binding,omitempty"`

	// instanceFingerprint identifies the plan and the parameters that the instance had
	// when the credentials were issued, or last fetched.
	// +optional
	InstanceFingerprint string `json:"instanceFingerprint,omitempty"`

	// secretVersion is the resourceVersion of the Secret as it was last written.
	// +optional
	SecretVersion string `json:"secretVersion,omitempty"`

	// expiresAt is when the credentials expire, if the broker said so.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// renewBefore is when they should be replaced, if the broker said so.
	// +optional
	RenewBefore *metav1.Time `json:"renewBefore,omitempty"`

	// issuedAt is when the broker returned credentials that expire.
	// +optional
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`

	// rebind is the value of the annotation bellhop.gophernetes.io/rebind that was
	// last handled: the new credentials are in the Secret, or the broker has refused
	// them permanently.
	// +optional
	Rebind string `json:"rebind,omitempty"`

	// attemptedRebind is the value of that annotation for which new credentials are
	// being requested, or are requested again at the time of the next attempt; empty:
	// rebind has it.
	// +optional
	AttemptedRebind string `json:"attemptedRebind,omitempty"`
}

// PredecessorBinding is a binding whose credentials were replaced.
type PredecessorBinding struct {
	// id under which the broker knows it.
	ID string `json:"id"`

	// removeAt is when it is removed at the broker.
	RemoveAt metav1.Time `json:"removeAt"`

	// unreplaced: no credentials were written into the Secret since it was to be replaced, so that applications may still use it. removeAt is set again
	// when they are.
	// +optional
	Unreplaced bool `json:"unreplaced,omitempty"`
}

// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={all,svcat,bellhop}
// +kubebuilder:metadata:labels={"svcat=true","servicebinding.io/provisioned-service=true"}
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, successor of the retired service-catalog"
// +kubebuilder:printcolumn:name="Service-Instance",type=string,JSONPath=`.spec.instanceRef.name`
// +kubebuilder:printcolumn:name="Secret-Name",type=string,JSONPath=`..secretName`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="External-ID",type=string,JSONPath=`.spec.externalID`,priority=1
// +kubebuilder:printcolumn:name="Current-ID",type=string,JSONPath=`.status.externalID`,priority=1

// ServiceBinding is the access of an application to a ServiceInstance: credentials in a
// Secret.
type ServiceBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says which instance is to be bound to, and where its credentials go.
	// +required
	Spec ServiceBindingSpec `json:"spec,omitempty"`
	// status is what the broker has confirmed, and the operation in progress.
	// +default={"observedGeneration": -1}
	// +optional
	Status ServiceBindingStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// ServiceBindingList is a list of ServiceBindings.
type ServiceBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceBinding `json:"items"`
}

// CommonStatus implements ServiceObject.
func (b *ServiceBinding) CommonStatus() ServiceObjectStatus { return &b.Status }

// SetStatus implements ServiceObject.
func (b *ServiceBinding) SetStatus(s ServiceObjectStatus) { b.Status = *s.(*ServiceBindingStatus) }

// WithOwnStatus returns an object whose status is a copy, and which shares everything else with this one.
func (b *ServiceBinding) WithOwnStatus() ServiceObject {
	return &ServiceBinding{TypeMeta: b.TypeMeta, ObjectMeta: b.ObjectMeta, Spec: b.Spec, Status: *b.Status.DeepCopy()}
}

// DeepCopyStatus implements ServiceObjectStatus.
func (s *ServiceBindingStatus) DeepCopyStatus() ServiceObjectStatus { return s.DeepCopy() }
