// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// DefaultReceiverAnnotation, set to "true", marks a Receiver as the default of
// its namespace, or a ClusterReceiver as that of the cluster. Of two the newer
// one wins.
const DefaultReceiverAnnotation = "pager.k8s.co/is-default-receiver"

// DeliveryPolicy says what happens when it is not known whether a message arrived.
// +kubebuilder:validation:Enum=AtLeastOnce;AtMostOnce
type DeliveryPolicy string

const (
	// AtLeastOnce repeats a message whose outcome is not known, under the same key
	// where the provider has one.
	AtLeastOnce DeliveryPolicy = "AtLeastOnce"
	// AtMostOnce does not repeat it: the state of the delivery is Unknown.
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

// RateLimit bounds the messages in a sliding window, including updates, resolves
// and retries. Further messages wait.
type RateLimit struct {
	// count of messages, 1 to 10000.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +required
	Count int32 `json:"count,omitempty"`

	// periodSeconds is the length of the window, in seconds.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +required
	PeriodSeconds int32 `json:"periodSeconds,omitempty"`
}

// +kubebuilder:validation:XValidation:rule="[has(self.webhook), has(self.pushbullet), has(self.slack), has(self.pagerDuty), has(self.telegram), has(self.email), has(self.alertmanager), has(self.event), has(self.discord), has(self.teams), has(self.googleChat), has(self.mattermost), has(self.matrix), has(self.ntfy), has(self.gotify), has(self.pushover), has(self.grpc)].filter(x, x == true).size() == 1",message="exactly one provider must be set",messageExpression="'exactly one of webhook, pushbullet, slack, pagerDuty, telegram, email, alertmanager, event, discord, teams, googleChat, mattermost, matrix, ntfy, gotify, pushover and grpc must be set; set are:' + (has(self.webhook) || has(self.pushbullet) || has(self.slack) || has(self.pagerDuty) || has(self.telegram) || has(self.email) || has(self.alertmanager) || has(self.event) || has(self.discord) || has(self.teams) || has(self.googleChat) || has(self.mattermost) || has(self.matrix) || has(self.ntfy) || has(self.gotify) || has(self.pushover) || has(self.grpc) ? '' : ' none') + (has(self.webhook) ? ' webhook' : '') + (has(self.pushbullet) ? ' pushbullet' : '') + (has(self.slack) ? ' slack' : '') + (has(self.pagerDuty) ? ' pagerDuty' : '') + (has(self.telegram) ? ' telegram' : '') + (has(self.email) ? ' email' : '') + (has(self.alertmanager) ? ' alertmanager' : '') + (has(self.event) ? ' event' : '') + (has(self.discord) ? ' discord' : '') + (has(self.teams) ? ' teams' : '') + (has(self.googleChat) ? ' googleChat' : '') + (has(self.mattermost) ? ' mattermost' : '') + (has(self.matrix) ? ' matrix' : '') + (has(self.ntfy) ? ' ntfy' : '') + (has(self.gotify) ? ' gotify' : '') + (has(self.pushover) ? ' pushover' : '') + (has(self.grpc) ? ' grpc' : '')"
// +kubebuilder:validation:XValidation:rule="!has(self.pushbullet) || has(self.secretRef)",message="pushbullet needs secretRef: a Secret with the key token"
// +kubebuilder:validation:XValidation:rule="!has(self.slack) || has(self.secretRef)",message="slack needs secretRef: a Secret with the key url of the incoming webhook, or token of the bot"
// +kubebuilder:validation:XValidation:rule="!has(self.pagerDuty) || has(self.secretRef)",message="pagerDuty needs secretRef: a Secret with the key routingKey"
// +kubebuilder:validation:XValidation:rule="!has(self.telegram) || has(self.secretRef)",message="telegram needs secretRef: a Secret with the key token"
// +kubebuilder:validation:XValidation:rule="!has(self.discord) || has(self.secretRef)",message="discord needs secretRef: a Secret with the key url"
// +kubebuilder:validation:XValidation:rule="!has(self.teams) || has(self.secretRef)",message="teams needs secretRef: a Secret with the key url"
// +kubebuilder:validation:XValidation:rule="!has(self.googleChat) || has(self.secretRef)",message="googleChat needs secretRef: a Secret with the key url"
// +kubebuilder:validation:XValidation:rule="!has(self.mattermost) || has(self.secretRef)",message="mattermost needs secretRef: a Secret with the key url of the incoming webhook, or token of the bot"
// +kubebuilder:validation:XValidation:rule="!has(self.matrix) || has(self.secretRef)",message="matrix needs secretRef: a Secret with the key token"
// +kubebuilder:validation:XValidation:rule="!has(self.ntfy) || has(self.ntfy.topic) || has(self.secretRef)",message="ntfy needs ntfy.topic, or secretRef: a Secret with the key topic"
// +kubebuilder:validation:XValidation:rule="!has(self.gotify) || has(self.secretRef)",message="gotify needs secretRef: a Secret with the key token"
// +kubebuilder:validation:XValidation:rule="!has(self.pushover) || has(self.secretRef)",message="pushover needs secretRef: a Secret with the keys token and user"
// +kubebuilder:validation:XValidation:rule="!has(self.webhook) || has(self.webhook.url) || has(self.secretRef)",message="webhook needs webhook.url, or secretRef: a Secret with the key url"
// +kubebuilder:validation:XValidation:rule="!has(self.webhook) || !has(self.webhook.headers) || self.webhook.headers.all(h, !has(h.secretKey)) || has(self.secretRef)",message="webhook.headers with a secretKey need secretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.alertmanager) || !has(self.alertmanager.headers) || self.alertmanager.headers.all(h, !has(h.secretKey)) || has(self.secretRef)",message="alertmanager.headers with a secretKey need secretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.ntfy) || !has(self.ntfy.headers) || self.ntfy.headers.all(h, !has(h.secretKey)) || has(self.secretRef)",message="ntfy.headers with a secretKey need secretRef"

// CommonReceiverSpec is the part of a receiver's spec that does not depend on
// its scope.
type CommonReceiverSpec struct {
	Provider `json:",inline"`

	// secretRef names the Secret with the receiver's credentials: in the receiver's
	// namespace, or for a ClusterReceiver in the operator's. Its keys are described
	// with each provider.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`

	// timeoutSeconds is the timeout of a request, in seconds, 1 to 30.
	// Default 15.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=30
	// +default=15
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`

	// resolveTimeoutSeconds is how long, in seconds, a resolve is retried, and so
	// how long the deletion of an Alert waits for this receiver at most. 0 to 86400,
	// default 600.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +default=600
	// +optional
	ResolveTimeoutSeconds *int32 `json:"resolveTimeoutSeconds,omitempty"`

	// deliveryPolicy is for messages whose outcome is not known. AtLeastOnce repeats
	// them, under the same key where the provider has one. AtMostOnce does not: the
	// delivery becomes Unknown; it costs a write before each attempt. Default
	// AtLeastOnce.
	// +default="AtLeastOnce"
	// +optional
	DeliveryPolicy DeliveryPolicy `json:"deliveryPolicy,omitempty"`

	// minSeverity is the lowest severity, Info, Warning or Critical, of the Alerts
	// that are sent to this receiver. Default Info.
	// +optional
	MinSeverity Severity `json:"minSeverity,omitempty"`

	// suspend makes deliveries to this receiver wait while it is true.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// rateLimit bounds all messages to this receiver. Of a count of 4 or more, first
	// messages of Alerts with severity Info and Warning take at most three quarters.
	// At a ClusterReceiver, Critical Alerts of one namespace take at most half while
	// others wait. Default: no limit.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
}

// ReceiverSpec is where a Receiver's messages are sent, and how.
type ReceiverSpec struct {
	CommonReceiverSpec `json:",inline"`
}

// ClusterReceiverSpec is where a ClusterReceiver's messages are sent, how, and
// which namespaces may use it.
type ClusterReceiverSpec struct {
	CommonReceiverSpec `json:",inline"`

	// namespaceSelector selects the namespaces whose Alerts may use this receiver,
	// by their labels. Default: none. {} selects all.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// namespaceRateLimit bounds the messages of each namespace to this receiver.
	// Messages of the namespaces are sent round robin also without it. Default: no
	// limit.
	// +optional
	NamespaceRateLimit *RateLimit `json:"namespaceRateLimit,omitempty"`
}

// ReceiverStatus is whether a receiver works. It is written at most every ten
// seconds while messages are sent.
type ReceiverStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling and Stalled, as kstatus reads them. Ready
	// is True once the receiver has answered, to a harmless call where its provider
	// has one, or to a delivery. Where the provider has none it is True, with the
	// reason NotProbed, as soon as the configuration is complete.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// testedWith identifies the provider and the Secret that Ready is about: a change
	// of them causes another probe.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	TestedWith string `json:"testedWith,omitempty"`

	// lastDeliveryTime is when the receiver last confirmed a message.
	// +optional
	LastDeliveryTime *metav1.Time `json:"lastDeliveryTime,omitempty"`

	// lastErrorTime is when the receiver last failed to confirm a message or a probe.
	// +optional
	LastErrorTime *metav1.Time `json:"lastErrorTime,omitempty"`

	// lastError is the error at lastErrorTime, with the receiver's text where it may be
	// shown.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	LastError string `json:"lastError,omitempty"`

	// waiting is the number of Alerts with an unconfirmed delivery to this receiver.
	// +optional
	Waiting int32 `json:"waiting"`
}

// ReceiverObject is a Receiver or a ClusterReceiver.
// +kubebuilder:object:generate=false
type ReceiverObject interface {
	metav1.Object
	runtime.Object
	// Common returns the part of the spec that both kinds have.
	Common() *CommonReceiverSpec
	// CommonStatus returns the status.
	CommonStatus() *ReceiverStatus
}

// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rcv,categories=bellhop
// +kubebuilder:printcolumn:name="Default",type=string,JSONPath=`.metadata.annotations.pager\.k8s\.co/is-default-receiver`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waiting`
// +kubebuilder:printcolumn:name="Last Delivery",type=date,JSONPath=`.status.lastDeliveryTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Secret",type=string,priority=1,JSONPath=`.spec.secretRef.name`
// +kubebuilder:printcolumn:name="Last Failure",type=date,priority=1,JSONPath=`.status.lastErrorTime`
// +kubebuilder:printcolumn:name="Last Error",type=string,priority=1,JSONPath=`.status.lastError`

// Receiver is where Alerts of its namespace can be sent.
type Receiver struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is where messages are sent, and how.
	// +required
	Spec ReceiverSpec `json:"spec,omitzero"`

	// status is whether the receiver works.
	// +default={"observedGeneration": -1}
	// +optional
	Status ReceiverStatus `json:"status,omitzero"`
}

// Common is the part of the spec that both kinds of receiver have.
func (r *Receiver) Common() *CommonReceiverSpec { return &r.Spec.CommonReceiverSpec }

// CommonStatus is the status, which both kinds of receiver have.
func (r *Receiver) CommonStatus() *ReceiverStatus { return &r.Status }

// +kubebuilder:object:root=true

// ReceiverList is a list of Receivers.
type ReceiverList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Receiver `json:"items"`
}

// +genclient
// +genclient:nonNamespaced
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=crcv,categories=bellhop
// +kubebuilder:printcolumn:name="Default",type=string,JSONPath=`.metadata.annotations.pager\.k8s\.co/is-default-receiver`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waiting`
// +kubebuilder:printcolumn:name="Last Delivery",type=date,JSONPath=`.status.lastDeliveryTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Secret",type=string,priority=1,JSONPath=`.spec.secretRef.name`
// +kubebuilder:printcolumn:name="Last Failure",type=date,priority=1,JSONPath=`.status.lastErrorTime`
// +kubebuilder:printcolumn:name="Last Error",type=string,priority=1,JSONPath=`.status.lastError`

// ClusterReceiver is where Alerts of the namespaces that it selects can be sent.
type ClusterReceiver struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is where messages are sent, how, and which namespaces may use the receiver.
	// +required
	Spec ClusterReceiverSpec `json:"spec,omitzero"`

	// status is whether the receiver works.
	// +default={"observedGeneration": -1}
	// +optional
	Status ReceiverStatus `json:"status,omitzero"`
}

// Common is the part of the spec that both kinds of receiver have.
func (r *ClusterReceiver) Common() *CommonReceiverSpec { return &r.Spec.CommonReceiverSpec }

// CommonStatus is the status, which both kinds of receiver have.
func (r *ClusterReceiver) CommonStatus() *ReceiverStatus { return &r.Status }

// +kubebuilder:object:root=true

// ClusterReceiverList is a list of ClusterReceivers.
type ClusterReceiverList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterReceiver `json:"items"`
}
