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

// AlertFinalizer keeps an Alert until every receiver that holds its message
// was told that it is over, or was given up on.
const AlertFinalizer = "pager.k8s.co/alert"

// TitleAnnotation is where an Alert of v1alpha1 has its title. On an Alert of
// v1beta1 it is refused: the title is spec.title there.
const TitleAnnotation = "pager.k8s.co/title"

// Severity says how urgent an Alert is.
// +kubebuilder:validation:Enum=Info;Warning;Critical
type Severity string

const (
	SeverityInfo     Severity = "Info"
	SeverityWarning  Severity = "Warning"
	SeverityCritical Severity = "Critical"
)

// AlertState says whether what an Alert tells of is still so.
// +kubebuilder:validation:Enum=Firing;Resolved
type AlertState string

const (
	// AlertFiring pages the receivers.
	AlertFiring AlertState = "Firing"
	// AlertResolved tells the receivers that were paged that it is over.
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
	// kind is Receiver, for one in the Alert's namespace, or ClusterReceiver.
	// +required
	Kind ReceiverKind `json:"kind,omitempty"`

	// name of the receiver.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
}

// AlertSpec says what people are to be told, and who.
type AlertSpec struct {
	// title is the headline. Plain text, at most 256 characters. Left empty it
	// is "Kubernetes alert for NAMESPACE/NAME", made when the alert is sent and
	// not stored.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Title string `json:"title,omitempty"`

	// content is what people read. Plain text, 1 byte to 16 KiB of UTF-8.
	// Emoji shortcodes such as :wave: become emoji. Changed content updates the message where
	// the receiver can do that, and is sent anew where it cannot.
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

	// state is Firing or Resolved. Resolved tells the receivers that were paged
	// that it is over, and keeps the Alert. Default Firing.
	// +default="Firing"
	// +optional
	State AlertState `json:"state,omitempty"`

	// receiverRefs are the receivers to page, at most 16. Left empty it is the
	// default Receiver of the namespace, else the default ClusterReceiver, as
	// found when the alert is first sent.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +optional
	ReceiverRefs []ReceiverRef `json:"receiverRefs,omitempty"`

	// expireAfterSeconds is for how long, in seconds from the Alert's creation,
	// its content is still worth sending: past it nobody is paged any more.
	// Default: it never expires.
	// +kubebuilder:validation:Minimum=1
	// +optional
	ExpireAfterSeconds *int32 `json:"expireAfterSeconds,omitempty"`

	// ttlSecondsAfterFinished is how long, in seconds, the Alert is kept once it
	// is sent, filtered, resolved or expired; then it deletes itself. A cleanup: receivers
	// are not told that it is over. It does not delete an Alert that carries the
	// tracking metadata of Argo CD, Flux or Helm, which would create it again.
	// Default: it is kept.
	// +kubebuilder:validation:Minimum=0
	// +optional
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// DeliveryState says how far the delivery to one receiver is.
// +kubebuilder:validation:Enum=Pending;Sent;Unknown;Filtered;Failed;Expired;Resolved
type DeliveryState string

const (
	// DeliveryPending is not confirmed yet: waiting, or tried and to be tried again.
	DeliveryPending DeliveryState = "Pending"
	// DeliverySent is confirmed by the receiver.
	DeliverySent DeliveryState = "Sent"
	// DeliveryUnknown may have arrived and, as the receiver's policy is
	// AtMostOnce, is not sent again by itself.
	DeliveryUnknown DeliveryState = "Unknown"
	// DeliveryFiltered is below the receiver's minSeverity.
	DeliveryFiltered DeliveryState = "Filtered"
	// DeliveryFailed was refused for good, for what it says; it is tried again once
	// the Alert's content, the receiver's provider or the content of its Secret
	// changes.
	DeliveryFailed DeliveryState = "Failed"
	// DeliveryExpired was not confirmed before the Alert expired.
	DeliveryExpired DeliveryState = "Expired"
	// DeliveryResolved means that the receiver knows that it is over, or was
	// never told that it began.
	DeliveryResolved DeliveryState = "Resolved"
)

// Delivery is the durable record of what one receiver was sent.
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

	// contentHash is of what the receiver confirmed that it holds; empty while
	// it confirmed nothing.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	ContentHash string `json:"contentHash,omitempty"`

	// triedHash is of what was last tried, confirmed or not.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	TriedHash string `json:"triedHash,omitempty"`

	// filteredHash is of the content that was last kept back because of the
	// receiver's minSeverity; an edited receiver is not asked about it again.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	FilteredHash string `json:"filteredHash,omitempty"`

	// triedWith identifies the receiver's spec and Secret that the last attempt
	// used, while it is not confirmed: when they change it is tried again.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	TriedWith string `json:"triedWith,omitempty"`

	// uncertain is true while an answer was lost since the receiver last confirmed
	// something: it may hold more than that.
	// +optional
	Uncertain bool `json:"uncertain,omitempty"`

	// answerLost is true while it is not known whether what was last tried
	// arrived: a receiver whose deliveryPolicy is AtMostOnce is not asked again.
	// +optional
	AnswerLost bool `json:"answerLost,omitempty"`

	// misconfiguredAnswers counts the answers in a row that look like a
	// misconfiguration of the receiver, of its Secret, or of a proxy before it:
	// after three quick retries it is tried again every few minutes only.
	// +optional
	MisconfiguredAnswers int32 `json:"misconfiguredAnswers,omitempty"`

	// byDefault is true where the spec names no receiver and this one was the
	// default when its turn came; a later default does not take its place.
	// +optional
	ByDefault bool `json:"byDefault,omitempty"`

	// sequence counts the contents tried so far, confirmed or not.
	// +optional
	Sequence int64 `json:"sequence,omitempty"`

	// attempts counts the attempts to send the current content.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`

	// externalID is the receiver's own name of the message.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ExternalID string `json:"externalID,omitempty"`

	// firstAttemptTime is when the current content was first tried.
	// +optional
	FirstAttemptTime *metav1.Time `json:"firstAttemptTime,omitempty"`

	// lastAttemptTime is when the last attempt ended.
	// +optional
	LastAttemptTime *metav1.Time `json:"lastAttemptTime,omitempty"`

	// nextAttemptTime is when it is tried again, if nothing changes before.
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`

	// sentTime is when the receiver last confirmed a page.
	// +optional
	SentTime *metav1.Time `json:"sentTime,omitempty"`

	// reason says in one CamelCase word why the state is what it is, such as
	// Timeout, ServerError, RateLimited, Unauthorized, Rejected or SecretNotFound.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Reason string `json:"reason,omitempty"`

	// message says it for people, where the receiver said why in its words.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// AlertStatus says what the receivers confirmed.
type AlertStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// sent is true once each receiver that the Alert is for confirmed it or is
	// Filtered, and at least one confirmed it. It stays true while, and after,
	// they are told that it is over.
	// +optional
	Sent bool `json:"sent"`

	// receivers is how many of the receivers were reached, as in "2/3"; those that
	// filter it are not counted.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	Receivers string `json:"receivers,omitempty"`

	// finishedTime is when the Alert was sent, filtered, resolved or expired;
	// spec.ttlSecondsAfterFinished counts from it. Empty while it is not.
	// +optional
	FinishedTime *metav1.Time `json:"finishedTime,omitempty"`

	// conditions are Ready, Reconciling and Stalled, as kstatus reads them.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// deliveries is one row for each receiver: what it was sent and confirmed.
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +optional
	Deliveries []Delivery `json:"deliveries,omitempty"`
}

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

// Alert pages people: its content is sent to each of its receivers until that
// confirms it, anew when it changes, and the status says what they confirmed.
type Alert struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what people are to be told, and who.
	// +required
	Spec AlertSpec `json:"spec,omitzero"`

	// status says what the receivers confirmed.
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
