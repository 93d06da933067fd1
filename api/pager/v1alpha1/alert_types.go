// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// TitleAnnotation is where an Alert of this version has its title: v1beta1's
// spec.title. An empty one is dropped.
const TitleAnnotation = "pager.k8s.co/title"

// AlertSpec is the desired message, and its receivers.
type AlertSpec struct {
	// message is what people read; v1beta1 calls it spec.content. The headline is the
	// annotation pager.k8s.co/title. Plain text, 1 byte to 16 KiB of UTF-8. Emoji shortcodes
	// such as :wave: become emoji. A changed text updates the message where the receiver can
	// do that, and is a new message where it cannot.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="bytes(self).size() <= 16384",message="must be at most 16384 bytes (16 KiB) in UTF-8"
	// +required
	Message string `json:"message,omitempty"`

	// severity is Info, Warning or Critical. It is part of the content: a change
	// is sent. Default Info.
	// +default="Info"
	// +optional
	Severity v1beta1.Severity `json:"severity,omitempty"`

	// state is Firing or Resolved. Resolved sends a resolve to the receivers that
	// were notified, and keeps the Alert. Default Firing.
	// +default="Firing"
	// +optional
	State v1beta1.AlertState `json:"state,omitempty"`

	// receiverRefs are the receivers to notify, at most 16. Default: the default
	// Receiver of the namespace, else the default ClusterReceiver, at the time of
	// the first attempt.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +optional
	ReceiverRefs []v1beta1.ReceiverRef `json:"receiverRefs,omitempty"`

	// expireAfterSeconds is how long, in seconds from when the Alert began to fire
	// (status.firingSince), the Alert is sent; later it is Expired. Default: it never
	// expires.
	// +kubebuilder:validation:Minimum=1
	// +optional
	ExpireAfterSeconds *int32 `json:"expireAfterSeconds,omitempty"`

	// ttlSecondsAfterFinished is how long, in seconds, the Alert is kept once it is
	// sent, filtered, resolved or expired; then it is deleted, without a resolve. An
	// Alert with the tracking metadata of Argo CD, Flux or Helm, which would create
	// it again, is kept. Default: it is kept.
	// +kubebuilder:validation:Minimum=0
	// +optional
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`

	// instances are what the Alert is about, one by one, at most 200: an AlertSource
	// keeps here which of them fire. The message says it to people.
	// +kubebuilder:validation:MaxItems=200
	// +listType=map
	// +listMapKey=key
	// +optional
	Instances []v1beta1.AlertInstance `json:"instances,omitempty"`

	// joinedTime is when instances last joined the message. It is part of the content: a
	// change is a new message, which notifies people. Other changes of an Alert that has
	// it cause no notification: they are sent where the provider can update the message.
	// +optional
	JoinedTime *metav1.Time `json:"joinedTime,omitempty"`

	// links are what people may follow from the message, at most 4, such as a runbook.
	// They are part of the content: a change is sent.
	// +kubebuilder:validation:MaxItems=4
	// +listType=atomic
	// +optional
	Links []v1beta1.AlertLink `json:"links,omitempty"`
}

// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=bellhop
// +kubebuilder:printcolumn:name="Severity",type=string,JSONPath=`.spec.severity`
// +kubebuilder:printcolumn:name="Sent",type=boolean,JSONPath=`.status.sent`
// +kubebuilder:printcolumn:name="Receivers",type=string,JSONPath=`.status.receivers`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Title",type=string,priority=1,JSONPath=`.metadata.annotations.pager\.k8s\.co/title`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`

// Alert notifies people: its content is sent to each of its receivers until the
// receiver confirms it, and again when it changes. The status is what they confirmed.
type Alert struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired message, and its receivers.
	// +required
	Spec AlertSpec `json:"spec,omitzero"`

	// status is what the receivers confirmed.
	// +default={"observedGeneration": -1}
	// +optional
	Status v1beta1.AlertStatus `json:"status,omitzero"`
}

// +kubebuilder:object:root=true

// AlertList is a list of Alerts.
type AlertList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Alert `json:"items"`
}
