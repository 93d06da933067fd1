// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// CommonServiceClassSpec is the part of a class's spec that does not depend on its
// scope. It is a service of a broker's catalog.
type CommonServiceClassSpec struct {
	// externalName is the service's name in the catalog.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	ExternalName string `json:"externalName"`

	// externalID is the service's id in the catalog.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	ExternalID string `json:"externalID"`

	// description of the service.
	// +required
	Description string `json:"description"`

	// bindable says whether instances can be bound to, unless their plan says
	// otherwise.
	// +optional
	Bindable bool `json:"bindable"`

	// bindingRetrievable says whether a binding's credentials can be fetched from the broker.
	// +optional
	BindingRetrievable bool `json:"bindingRetrievable"`

	// planUpdatable says whether instances can change their plan, unless the plan
	// says otherwise.
	// +optional
	PlanUpdatable bool `json:"planUpdatable"`

	// instanceRetrievable says whether an instance's properties can be fetched from the
	// broker.
	// +optional
	InstanceRetrievable bool `json:"instanceRetrievable,omitempty"`

	// allowContextUpdates says whether the broker accepts an update of an instance's
	// context.
	// +optional
	AllowContextUpdates bool `json:"allowContextUpdates,omitempty"`

	// externalMetadata is the service's metadata, as the broker gave it.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	ExternalMetadata *runtime.RawExtension `json:"externalMetadata,omitempty"`

	// tags of the service.
	// +listType=atomic
	// +optional
	Tags []string `json:"tags,omitempty"`

	// requires is what the platform has to be able to do for bindings, such as
	// syslog_drain.
	// +listType=atomic
	// +optional
	Requires []string `json:"requires,omitempty"`

	// defaultProvisionParameters is set by users; it is stored and not used yet.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`
}

// ServiceClassStatus is what is known of a class.
type ServiceClassStatus struct {
	// removedFromBrokerCatalog says that the catalog does not have the service any
	// more. The class is deleted with its last instance.
	// +optional
	RemovedFromBrokerCatalog bool `json:"removedFromBrokerCatalog"`
}

// +kubebuilder:validation:XValidation:rule="(has(self.clusterServiceBrokerName) ? self.clusterServiceBrokerName : '') == (has(oldSelf.clusterServiceBrokerName) ? oldSelf.clusterServiceBrokerName : '')",message="field is immutable: the broker that offers it",fieldPath=".clusterServiceBrokerName"

// ClusterServiceClassSpec is a service of a ClusterServiceBroker.
type ClusterServiceClassSpec struct {
	CommonServiceClassSpec `json:",inline"`

	// clusterServiceBrokerName names the broker that offers the service.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	ClusterServiceBrokerName string `json:"clusterServiceBrokerName"`
}

// +kubebuilder:validation:XValidation:rule="(has(self.serviceBrokerName) ? self.serviceBrokerName : '') == (has(oldSelf.serviceBrokerName) ? oldSelf.serviceBrokerName : '')",message="field is immutable: the broker that offers it",fieldPath=".serviceBrokerName"

// ServiceClassSpec is a service of a ServiceBroker.
type ServiceClassSpec struct {
	CommonServiceClassSpec `json:",inline"`

	// serviceBrokerName names the broker that offers the service.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	ServiceBrokerName string `json:"serviceBrokerName"`
}

// +genclient
// +genclient:nonNamespaced
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=clusterserviceclasses,singular=clusterserviceclass,categories={all,svcat,bellhop}
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, successor of the retired service-catalog"
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.clusterServiceBrokerName`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:selectablefield:JSONPath=`.spec.clusterServiceBrokerName`

// ClusterServiceClass is a service that a ClusterServiceBroker offers.
type ClusterServiceClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the catalog says of the service.
	// +required
	Spec ClusterServiceClassSpec `json:"spec,omitempty"`
	// status is what is known of the class.
	// +optional
	Status ServiceClassStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// ClusterServiceClassList is a list of ClusterServiceClasses.
type ClusterServiceClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterServiceClass `json:"items"`
}

// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=serviceclasses,singular=serviceclass,categories={all,svcat,bellhop}
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, successor of the retired service-catalog"
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.serviceBrokerName`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:selectablefield:JSONPath=`.spec.serviceBrokerName`

// ServiceClass is a service that a ServiceBroker offers.
type ServiceClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the catalog says of the service.
	// +required
	Spec ServiceClassSpec `json:"spec,omitempty"`
	// status is what is known of the class.
	// +optional
	Status ServiceClassStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// ServiceClassList is a list of ServiceClasses.
type ServiceClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceClass `json:"items"`
}

// +kubebuilder:object:generate=false

// Class is a ClusterServiceClass or a ServiceClass, for code that serves both.
type Class interface {
	metav1.Object
	runtime.Object
	// Common is the spec but for the broker, to be read and changed.
	Common() *CommonServiceClassSpec
	// CommonStatus is the status, to be read and changed.
	CommonStatus() *ServiceClassStatus
	// BrokerName names the broker, which has the class's scope and namespace.
	BrokerName() string
	// SetBrokerName changes it.
	SetBrokerName(name string)
}

// Common implements Class.
func (c *ClusterServiceClass) Common() *CommonServiceClassSpec { return &c.Spec.CommonServiceClassSpec }

// CommonStatus implements Class.
func (c *ClusterServiceClass) CommonStatus() *ServiceClassStatus { return &c.Status }

// BrokerName implements Class.
func (c *ClusterServiceClass) BrokerName() string { return c.Spec.ClusterServiceBrokerName }

// SetBrokerName implements Class.
func (c *ClusterServiceClass) SetBrokerName(name string) { c.Spec.ClusterServiceBrokerName = name }

// Common implements Class.
func (c *ServiceClass) Common() *CommonServiceClassSpec { return &c.Spec.CommonServiceClassSpec }

// CommonStatus implements Class.
func (c *ServiceClass) CommonStatus() *ServiceClassStatus { return &c.Status }

// BrokerName implements Class.
func (c *ServiceClass) BrokerName() string { return c.Spec.ServiceBrokerName }

// SetBrokerName implements Class.
func (c *ServiceClass) SetBrokerName(name string) { c.Spec.ServiceBrokerName = name }
