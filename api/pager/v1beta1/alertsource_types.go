// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Metadata of Alerts that an AlertSource writes.
const (
	// AlertSourceLabel has the name of the AlertSource that an Alert is from.
	AlertSourceLabel = "pager.k8s.co/alert-source"
	// AlertGroupAnnotation has what the instances of an Alert from an AlertSource have in common, as its title has it.
	AlertGroupAnnotation = "pager.k8s.co/alert-group"
	// AlertSourceReceiversAnnotation has a hash of the receivers that the AlertSource has written to an Alert. Other receivers are those of a
	// person, and stay.
	AlertSourceReceiversAnnotation = "pager.k8s.co/alert-source-receivers"
)

// AlertSourceSpec says who may post alerts, and what becomes of them.
type AlertSourceSpec struct {
	// secretRef names a Secret in the namespace of the AlertSource, whose key token is
	// the bearer token, or the password of basic authentication, of senders. Its key
	// tokenNext is a second one, during a rotation. Without a Secret senders need the
	// token of a ServiceAccount that may create alertsources/ingest.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`

	// groupBy are the labels, at most 16, by which posted alerts are grouped: those with
	// the same values are one Alert. ["..."] is every label. The groups of a webhook are
	// those of its sender. Default [alertname].
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="!('...' in self) || self.size() == 1",message="... is every label, so it has to be the only item",messageExpression="'... is every label, so it has to be the only item; the items are: ' + self.join(', ')"
	// +listType=set
	// +default=["alertname"]
	// +optional
	GroupBy []string `json:"groupBy,omitempty"`

	// severityLabel is the label that has the severity of an alert. Default severity.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +default="severity"
	// +optional
	SeverityLabel string `json:"severityLabel,omitempty"`

	// severityMap has the severity for values of severityLabel, in any case; at most 16.
	// An alert with another value, or without the label, is a Warning. Default: Critical
	// for critical, page and fatal, Warning for warning and error, Info for info.
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(value, value.size() <= 128)",message="a value of the label has to have at most 128 characters"
	// +default={"critical": "Critical", "page": "Critical", "fatal": "Critical", "warning": "Warning", "error": "Warning", "info": "Info"}
	// +optional
	SeverityMap map[string]Severity `json:"severityMap,omitzero"`

	// ignoreSeverities are values of severityLabel, in any case, whose alerts are dropped;
	// at most 16. Default [none], which the rules Watchdog and InfoInhibitor have: they
	// always fire.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=set
	// +default=["none"]
	// +optional
	IgnoreSeverities []string `json:"ignoreSeverities,omitzero"`

	// receiverRefs are the receivers of Alerts that begin to fire, at most 16: one that
	// fires keeps those that it has, and so does one whose receivers a person has changed.
	// Default: those of an Alert without any.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +optional
	ReceiverRefs []ReceiverRef `json:"receiverRefs,omitempty"`

	// silentAfterSeconds is after how many seconds without a post an Alert says that the
	// source is silent: 120 to 604800, or 0 for never. Only a sender that always has an
	// alert that fires, such as Watchdog, posts all the time. Default 0.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +kubebuilder:validation:XValidation:rule="self == 0 || self >= 120",message="must be 0 for never, or 120 to 604800: the time of the last post is recorded once a minute"
	// +default=0
	// +optional
	SilentAfterSeconds int32 `json:"silentAfterSeconds,omitempty"`

	// maxAlerts is how many Alerts of the source may fire, 1 to 1000. One more Alert says
	// what fires beyond. Default 200.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +default=200
	// +optional
	MaxAlerts int32 `json:"maxAlerts,omitempty"`

	// alertmanager has intervals of the Alertmanager that posts webhooks. What its
	// webhooks do not list any more ends some time later. Without effect on other senders.
	// +default={}
	// +optional
	Alertmanager AlertmanagerIntervals `json:"alertmanager,omitzero"`
}

// AlertmanagerIntervals are settings of an Alertmanager, as its routes have them.
type AlertmanagerIntervals struct {
	// groupIntervalSeconds is the longest group_interval of the routes to the source: 1 to
	// 86400. An alert that is missing in a webhook of its group ends after twice this time
	// and 5 minutes. Default 300.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +default=300
	// +optional
	GroupIntervalSeconds int32 `json:"groupIntervalSeconds,omitempty"`

	// repeatIntervalSeconds is the longest sum of repeat_interval and group_interval of
	// the routes to the source: 60 to 31536000. An alert that no webhook has listed for
	// longer ends, while other posts of the source arrive. Default 432000, which is as long
	// as Alertmanager remembers what it sent.
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	// +default=432000
	// +optional
	RepeatIntervalSeconds int32 `json:"repeatIntervalSeconds,omitempty"`
}

// AlertSourceStatus is what was received.
type AlertSourceStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling and Stalled, as kstatus reads them.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// lastReceivedTime is when a post was last accepted. It is written at most once a
	// minute.
	// +optional
	LastReceivedTime *metav1.Time `json:"lastReceivedTime,omitempty"`

	// receivingSince is when the present series of posts began, without a gap. An alert
	// that is not posted again ends only after a series that is long enough to have it.
	// Posts of webhooks are no part of it.
	// +optional
	ReceivingSince *metav1.Time `json:"receivingSince,omitempty"`

	// receivingUntil is when the last post of that series was stored. It is written at
	// most once a minute.
	// +optional
	ReceivingUntil *metav1.Time `json:"receivingUntil,omitempty"`

	// receivingBrokenTime is when a post was last refused: a series that proves an end
	// begins later. It is written at most once a minute.
	// +optional
	ReceivingBrokenTime *metav1.Time `json:"receivingBrokenTime,omitempty"`

	// lastTruncatedTime is when a webhook was last received without all alerts of its group.
	// Alertmanager has truncated the list, as its max_alerts says, an alert is invalid, or
	// there are more than are read. What a webhook lists no more may be among those, so that
	// nothing ends for that reason until repeatIntervalSeconds later. It is written at most
	// once a minute.
	// +optional
	LastTruncatedTime *metav1.Time `json:"lastTruncatedTime,omitempty"`

	// lastCutTime is when a post last had alerts that fire for which no Alert had room. It
	// is written at most once a minute.
	// +optional
	LastCutTime *metav1.Time `json:"lastCutTime,omitempty"`

	// cutAlerts is how many alerts the post at lastCutTime had for which there was no room.
	// +optional
	CutAlerts int32 `json:"cutAlerts,omitempty"`

	// firing is the number of Alerts of the source that fire.
	// +optional
	Firing int32 `json:"firing"`
}

// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=bellhop
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must have at most 63 characters: it is the value of a label of Alerts"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Firing",type=integer,JSONPath=`.status.firing`
// +kubebuilder:printcolumn:name="Last Received",type=date,JSONPath=`.status.lastReceivedTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Secret",type=string,priority=1,JSONPath=`.spec.secretRef.name`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`

// AlertSource takes the alerts that Prometheus, Alertmanager and programs like them
// post, and makes Alerts of them in its namespace.
type AlertSource struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is who may post alerts, and what becomes of them.
	// +default={}
	// +optional
	Spec AlertSourceSpec `json:"spec,omitzero"`

	// status is what was received.
	// +default={"observedGeneration": -1}
	// +optional
	Status AlertSourceStatus `json:"status,omitzero"`
}

// +kubebuilder:object:root=true

// AlertSourceList is a list of AlertSources.
type AlertSourceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AlertSource `json:"items"`
}
