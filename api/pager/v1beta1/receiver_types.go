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
)

// DefaultReceiverAnnotation, set to "true", marks a Receiver as the default of
// its namespace, or a ClusterReceiver as that of the cluster. Of two the newer
// one wins.
const DefaultReceiverAnnotation = "pager.k8s.co/is-default-receiver"

// DeliveryPolicy says what happens when it is not known whether a message arrived.
// +kubebuilder:validation:Enum=AtLeastOnce;AtMostOnce
type DeliveryPolicy string

const (
	// AtLeastOnce sends it again, with the same key where the receiver knows one.
	AtLeastOnce DeliveryPolicy = "AtLeastOnce"
	// AtMostOnce does not, and says so in the delivery.
	AtMostOnce DeliveryPolicy = "AtMostOnce"
)

// SecretReference names a Secret.
type SecretReference struct {
	// name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
}

// RateLimit bounds how many messages are sent in a time.
type RateLimit struct {
	// count of messages, at least 1.
	// +kubebuilder:validation:Minimum=1
	// +required
	Count int32 `json:"count,omitempty"`

	// periodSeconds in which at most count messages are sent, in seconds.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +required
	PeriodSeconds int32 `json:"periodSeconds,omitempty"`
}

// +kubebuilder:validation:ExactlyOneOf=webhook;pushbullet;slack;pagerDuty;telegram;email;alertmanager;event;discord;teams;googleChat;mattermost;matrix;ntfy;gotify;pushover
// +kubebuilder:validation:XValidation:rule="!has(self.pushbullet) || has(self.secretRef)",message="pushbullet needs secretRef: a Secret with the key token"
// +kubebuilder:validation:XValidation:rule="!has(self.webhook) || has(self.webhook.url) || has(self.secretRef)",message="webhook needs webhook.url, or secretRef: a Secret with the key url"
// +kubebuilder:validation:XValidation:rule="!has(self.webhook) || !has(self.webhook.headers) || self.webhook.headers.all(h, !has(h.secretKey)) || has(self.secretRef)",message="webhook.headers with a secretKey need secretRef"

// CommonReceiverSpec is the part of a receiver's spec that does not depend on
// its scope.
type CommonReceiverSpec struct {
	Provider `json:",inline"`

	// secretRef names the Secret that has the receiver's credentials: in the
	// receiver's namespace, or for a ClusterReceiver in the operator's. Which
	// keys it has depends on the provider and stands there.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`

	// timeoutSeconds is how long one request may take, in seconds, 1 to 30.
	// Default 15.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=30
	// +default=15
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`

	// resolveTimeoutSeconds is for how long, in seconds, it is tried to tell the
	// receiver that an Alert is over, and so for how long at most the deletion
	// of an Alert waits for this receiver. 0 to 86400, default 600.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +default=600
	// +optional
	ResolveTimeoutSeconds *int32 `json:"resolveTimeoutSeconds,omitempty"`

	// deliveryPolicy is AtLeastOnce or AtMostOnce. Default AtLeastOnce.
	// AtMostOnce is not served yet.
	// +kubebuilder:validation:XValidation:rule="self == 'AtLeastOnce'",message="AtMostOnce is not served by this release of Bellhop; leave the field out"
	// +default="AtLeastOnce"
	// +optional
	DeliveryPolicy DeliveryPolicy `json:"deliveryPolicy,omitempty"`

	// minSeverity is the severity, Info, Warning or Critical, below which an
	// Alert is not sent here. Default Info: all are sent.
	// +optional
	MinSeverity Severity `json:"minSeverity,omitempty"`

	// suspend stops deliveries to this receiver while it is true; they wait.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// rateLimit bounds what this receiver is sent. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="rateLimit is not served by this release of Bellhop; leave the field out"
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
}

// ReceiverSpec says where a Receiver's messages go, and how.
type ReceiverSpec struct {
	CommonReceiverSpec `json:",inline"`
}

// ClusterReceiverSpec says where a ClusterReceiver's messages go, how, and who
// may use it.
type ClusterReceiverSpec struct {
	CommonReceiverSpec `json:",inline"`

	// namespaceSelector selects the namespaces whose Alerts may use this
	// receiver, by their labels. Left out: none. {}: all.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// namespaceRateLimit bounds what each namespace may have sent to this
	// receiver. Not served yet.
	// +kubebuilder:validation:XValidation:rule="false",message="namespaceRateLimit is not served by this release of Bellhop; leave the field out"
	// +optional
	NamespaceRateLimit *RateLimit `json:"namespaceRateLimit,omitempty"`
}

// ReceiverStatus says whether a receiver works. This release of Bellhop does
// not write it yet: see the Alerts' deliveries.
type ReceiverStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling and Stalled, as kstatus reads them.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// lastDeliveryTime is when the receiver last confirmed a message.
	// +optional
	LastDeliveryTime *metav1.Time `json:"lastDeliveryTime,omitempty"`

	// lastError is what it answered last when it did not, in its words.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	LastError string `json:"lastError,omitempty"`

	// waiting is how many Alerts wait for it.
	// +optional
	Waiting int32 `json:"waiting,omitempty"`
}

// ReceiverObject is what code that does not care about scope sees of a
// Receiver or ClusterReceiver.
// +kubebuilder:object:generate=false
type ReceiverObject interface {
	metav1.Object
	// Common is the part of the spec that both kinds have.
	Common() *CommonReceiverSpec
}

// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=bellhop
// +kubebuilder:printcolumn:name="Default",type=string,JSONPath=`.metadata.annotations.pager\.k8s\.co/is-default-receiver`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.spec.secretRef.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// Receiver is where the Alerts of its namespace can be sent.
type Receiver struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says where messages go, and how.
	// +required
	Spec ReceiverSpec `json:"spec,omitzero"`

	// status says whether the receiver works. Not written by this release yet.
	// +optional
	Status ReceiverStatus `json:"status,omitzero"`
}

// Common is the part of the spec that both kinds of receiver have.
func (r *Receiver) Common() *CommonReceiverSpec { return &r.Spec.CommonReceiverSpec }

// +kubebuilder:object:root=true

// ReceiverList is a list of Receivers.
type ReceiverList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Receiver `json:"items"`
}

// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=bellhop
// +kubebuilder:printcolumn:name="Default",type=string,JSONPath=`.metadata.annotations.pager\.k8s\.co/is-default-receiver`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.spec.secretRef.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// ClusterReceiver is where the Alerts of all namespaces that it selects can be
// sent.
type ClusterReceiver struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says where messages go, how, and who may use the receiver.
	// +required
	Spec ClusterReceiverSpec `json:"spec,omitzero"`

	// status says whether the receiver works. Not written by this release yet.
	// +optional
	Status ReceiverStatus `json:"status,omitzero"`
}

// Common is the part of the spec that both kinds of receiver have.
func (r *ClusterReceiver) Common() *CommonReceiverSpec { return &r.Spec.CommonReceiverSpec }

// +kubebuilder:object:root=true

// ClusterReceiverList is a list of ClusterReceivers.
type ClusterReceiverList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterReceiver `json:"items"`
}
