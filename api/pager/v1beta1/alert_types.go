// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AlertFinalizer keeps a deleted Alert until the resolve was sent to every receiver that was notified, or its retries have ended.
const AlertFinalizer = "pager.k8s.co/alert"

// TitleAnnotation has the title of an Alert in v1alpha1. It is refused in v1beta1, where the title is spec.title.
const TitleAnnotation = "pager.k8s.co/title"

// Severity is how urgent an Alert is.
// +kubebuilder:validation:Enum=Info;Warning;Critical
type Severity string

const (
	SeverityInfo     Severity = "Info"
	SeverityWarning  Severity = "Warning"
	SeverityCritical Severity = "Critical"
)

// AlertState is whether an Alert is active.
// +kubebuilder:validation:Enum=Firing;Resolved
type AlertState string

const (
	// AlertFiring notifies the receivers.
	AlertFiring AlertState = "Firing"
	// AlertResolved sends a resolve to the receivers that were notified.
	AlertResolved AlertState = "Resolved"
)

// ReceiverKind is the kind of object that describes a receiver.
// +kubebuilder:validation:Enum=Receiver;ClusterReceiver
type ReceiverKind string

const (
	KindReceiver        ReceiverKind = "Receiver"
	KindClusterReceiver ReceiverKind = "ClusterReceiver"
)

// ReceiverRef names a receiver.
type ReceiverRef struct {
	// kind is Receiver, for one in the Alert's namespace, or ClusterReceiver. Default
	// Receiver. A manifest should have it: what the API server adds is a difference to
	// kubectl apply and Argo CD.
	// +default="Receiver"
	// +optional
	Kind ReceiverKind `json:"kind,omitempty"`

	// name of the receiver.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
}

// AlertSpec is the desired message, and its receivers.
type AlertSpec struct {
	// title of the message. Plain text, at most 256 characters. An empty title is
	// sent as "Kubernetes alert for NAMESPACE/NAME", which is not stored.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Title string `json:"title,omitempty"`

	// content of the message. Plain text, 1 byte to 16 KiB of UTF-8. Emoji
	// shortcodes such as :wave: are replaced. A change updates the message where the
	// provider can, and is a new message where it cannot.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="bytes(self).size() <= 16384",message="must be at most 16384 bytes (16 KiB) in UTF-8"
	// +required
	Content string `json:"content,omitempty"`

	// severity is Info, Warning or Critical. It is part of the content: a change
	// is sent. Default Info.
	// +default="Info"
	// +optional
	Severity Severity `json:"severity,omitempty"`

	// state is Firing or Resolved. Resolved sends a resolve to the receivers that
	// were notified, and keeps the Alert. Default Firing.
	// +default="Firing"
	// +optional
	State AlertState `json:"state,omitempty"`

	// receiverRefs are the receivers to notify, at most 16. Default: the default
	// Receiver of the namespace, else the default ClusterReceiver, at the time of
	// the first attempt.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +optional
	ReceiverRefs []ReceiverRef `json:"receiverRefs,omitempty"`

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
	// keeps here which of them fire. The content says it to people.
	// +kubebuilder:validation:MaxItems=200
	// +listType=map
	// +listMapKey=key
	// +optional
	Instances []AlertInstance `json:"instances,omitempty"`

	// joinedTime is when instances last joined the content. It is part of the content: a
	// change is a new message, which notifies people. Other changes of an Alert that has
	// it cause no notification: they are sent where the provider can update the message.
	// +optional
	JoinedTime *metav1.Time `json:"joinedTime,omitempty"`

	// links are what people may follow from the message, at most 4, such as a runbook.
	// They are part of the content: a change is sent.
	// +kubebuilder:validation:MaxItems=4
	// +listType=atomic
	// +optional
	Links []AlertLink `json:"links,omitempty"`
}

// DeliveryState is the state of the delivery to one receiver.
// +kubebuilder:validation:Enum=Pending;Sent;Unknown;Filtered;Failed;Expired;Resolved
type DeliveryState string

const (
	// DeliveryPending is not confirmed yet: it waits, or is retried.
	DeliveryPending DeliveryState = "Pending"
	// DeliverySent is confirmed by the receiver.
	DeliverySent DeliveryState = "Sent"
	// DeliveryUnknown may have arrived, and is not sent again: the receiver's
	// deliveryPolicy is AtMostOnce, or three answers did not say whether it has arrived.
	DeliveryUnknown DeliveryState = "Unknown"
	// DeliveryFiltered is below the receiver's minSeverity.
	DeliveryFiltered DeliveryState = "Filtered"
	// DeliveryFailed: the receiver refused the content; it is sent again once the
	// Alert's content, the receiver's provider or its Secret changes.
	DeliveryFailed DeliveryState = "Failed"
	// DeliveryExpired was not confirmed before the Alert expired.
	DeliveryExpired DeliveryState = "Expired"
	// DeliveryResolved: the receiver confirmed the resolve, or was never notified.
	DeliveryResolved DeliveryState = "Resolved"
)

// Delivery is the durable record of the messages to one receiver: its state, and why
// it waits; the message that the receiver holds; the last attempt.
type Delivery struct {
	// kind of the receiver: Receiver or ClusterReceiver.
	// +required
	Kind ReceiverKind `json:"kind,omitempty"`

	// name of the receiver.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`

	// state is Pending, Sent, Unknown, Filtered, Failed, Expired or Resolved.
	// +required
	State DeliveryState `json:"state,omitempty"`

	// byDefault is true where the spec names no receiver and this one was the
	// default at the first attempt; a later default does not replace it.
	// +optional
	ByDefault bool `json:"byDefault,omitempty"`

	// reason of the state, such as Timeout, ServerError, RateLimited, Unauthorized,
	// Rejected or SecretNotFound.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Reason string `json:"reason,omitempty"`

	// message explains the reason, with the receiver's text where it gave one.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`

	// nextAttemptTime is when the next attempt is due, if nothing changes before.
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`

	// filteredHash is the hash of the content that was last filtered by the
	// receiver's minSeverity; it stays filtered when the receiver is edited.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	FilteredHash string `json:"filteredHash,omitempty"`

	HeldMessage     `json:",inline"`
	DeliveryAttempt `json:",inline"`
}

// HeldMessage is the message that a receiver holds, as far as its answers say.
type HeldMessage struct {
	// contentHash is the hash of the content that the receiver confirmed last, or that is
	// kept back for its next message; empty: none.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	ContentHash string `json:"contentHash,omitempty"`

	// severity is that of the content that the receiver confirmed last, unless that was
	// a resolve: a higher one is a new message, which notifies people.
	// +kubebuilder:validation:Enum=Info;Warning;Critical
	// +optional
	Severity Severity `json:"severity,omitempty"`

	// joinedTime is that of the content that the receiver confirmed last, unless that was
	// a resolve: content with another one is a new message, which notifies people.
	// +optional
	JoinedTime *metav1.Time `json:"joinedTime,omitempty"`

	// externalID is the provider's id of the message.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ExternalID string `json:"externalID,omitempty"`

	// sentTime is when the receiver last confirmed a message.
	// +optional
	SentTime *metav1.Time `json:"sentTime,omitempty"`

	// outcomeUnknown is true where an answer was lost since the last confirmation: the
	// receiver may have more than it confirmed.
	// +optional
	OutcomeUnknown bool `json:"outcomeUnknown,omitempty"`
}

// DeliveryAttempt is the last attempt to send a message to a receiver.
type DeliveryAttempt struct {
	// lastAttemptedHash is the hash of the content of the last attempt, confirmed or
	// not, or of content that is kept back for the next message.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	LastAttemptedHash string `json:"lastAttemptedHash,omitempty"`

	// sequence counts the contents that were attempted so far, confirmed or not.
	// +optional
	Sequence int64 `json:"sequence,omitempty"`

	// attempts counts the attempts to send the current content.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`

	// lastAttemptedReceiver identifies the receiver's provider and Secret of the last
	// attempt, while that is not confirmed: a change of them causes a retry.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	LastAttemptedReceiver string `json:"lastAttemptedReceiver,omitempty"`

	// firstAttemptTime is when the current content was first attempted.
	// +optional
	FirstAttemptTime *metav1.Time `json:"firstAttemptTime,omitempty"`

	// lastAttemptTime is when the last attempt ended.
	// +optional
	LastAttemptTime *metav1.Time `json:"lastAttemptTime,omitempty"`

	// answerLost is true while the outcome of the last attempt is not known: with
	// the deliveryPolicy AtMostOnce it is not repeated.
	// +optional
	AnswerLost bool `json:"answerLost,omitempty"`

	// misconfiguredAnswers counts the answers in a row that look like a
	// misconfiguration of the receiver, its Secret or a proxy: after three quick
	// retries the next ones are minutes apart.
	// +optional
	MisconfiguredAnswers int32 `json:"misconfiguredAnswers,omitempty"`

	// unconfirmedAnswers counts the answers to the current content whose status is a
	// success and whose form the provider does not document: the receiver may have it.
	// After three it is not repeated.
	// +optional
	UnconfirmedAnswers int32 `json:"unconfirmedAnswers,omitempty"`

	// partialDelivery is for Bellhop: it says which of the receiver's recipients have
	// the current content, or the one before, while others do not.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	PartialDelivery string `json:"partialDelivery,omitempty"`
}

// AlertStatus is what the receivers confirmed.
type AlertStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// sent is true once every receiver confirmed the Alert or is Filtered, and at
	// least one confirmed it. It stays true during the resolve and after it.
	// +optional
	Sent bool `json:"sent"`

	// receivers is the number of receivers that confirmed the Alert, such as "2/3";
	// those that filter it are not counted.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	Receivers string `json:"receivers,omitempty"`

	// finishedTime is when the Alert was sent, filtered, resolved or expired;
	// spec.ttlSecondsAfterFinished counts from it. Empty while it is not.
	// +optional
	FinishedTime *metav1.Time `json:"finishedTime,omitempty"`

	// occurrence counts how often the Alert began to fire: 1 at first, and one more
	// each time that it fires again after it was resolved.
	// +optional
	Occurrence int64 `json:"occurrence,omitempty"`

	// firingSince is when the present occurrence began: the first one with the Alert;
	// spec.expireAfterSeconds counts from it. Empty while the Alert is resolved or being
	// deleted.
	// +optional
	FiringSince *metav1.Time `json:"firingSince,omitempty"`

	// conditions are Ready, Reconciling and Stalled, as kstatus reads them.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// deliveries has a row for each receiver: what was sent, and what it confirmed.
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +optional
	Deliveries []Delivery `json:"deliveries,omitempty"`
}

// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=bellhop
// +kubebuilder:printcolumn:name="Severity",type=string,JSONPath=`.spec.severity`
// +kubebuilder:printcolumn:name="Sent",type=boolean,JSONPath=`.status.sent`
// +kubebuilder:printcolumn:name="Receivers",type=string,JSONPath=`.status.receivers`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Title",type=string,priority=1,JSONPath=`.spec.title`
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
	Status AlertStatus `json:"status,omitzero"`
}

// +kubebuilder:object:root=true

// AlertList is a list of Alerts.
type AlertList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Alert `json:"items"`
}
