// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AlertInstance is one of several things that an Alert is about, such as a Pod: an
// alert of a rule that fires for each of them.
type AlertInstance struct {
	// key identifies the instance within its Alert.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	Key string `json:"key,omitempty"`

	// text is what the instance says of itself, of the moment when it began to fire. At
	// most 256 bytes of UTF-8.
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="bytes(self).size() <= 256",message="must be at most 256 bytes in UTF-8"
	// +optional
	Text string `json:"text,omitempty"`

	// labels are those of the instance that not all instances of the Alert need to have,
	// a line for each, as name=value. Long values are shortened in the middle. The content
	// has those by which instances differ where their texts do not. At most 1024 bytes of
	// UTF-8. Empty: not known, as in Alerts of former releases.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="bytes(self).size() <= 1024",message="must be at most 1024 bytes in UTF-8"
	// +optional
	Labels string `json:"labels,omitempty"`

	// severity of the instance. That of the Alert is the highest one of those that fire.
	// Empty: not known, as in Alerts of former releases.
	// +optional
	Severity Severity `json:"severity,omitempty"`

	// startsAt is when the instance began to fire.
	// +optional
	StartsAt *metav1.Time `json:"startsAt,omitempty"`

	// endsAt is when the instance ended. Empty while it fires.
	// +optional
	EndsAt *metav1.Time `json:"endsAt,omitempty"`

	// previousEndsAt is when the instance had ended before it began to fire again.
	// Empty: it did not, or it ended meanwhile.
	// +optional
	PreviousEndsAt *metav1.Time `json:"previousEndsAt,omitempty"`

	// lapsesAt is when the instance ends unless its source says before that it still
	// fires. Empty: only the source ends it.
	// +optional
	LapsesAt *metav1.Time `json:"lapsesAt,omitempty"`

	// poster identifies the group of Alertmanager whose webhook listed the instance last:
	// a hash of the group's key, its receiver and the URL of that Alertmanager; unkeyed
	// for a webhook without a key. Empty: no webhook did, or none does any more.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Poster string `json:"poster,omitempty"`

	// listedTime is when a webhook listed the instance as firing, the last time or up to
	// an hour before: it is written at most once an hour.
	// +optional
	ListedTime *metav1.Time `json:"listedTime,omitempty"`

	// unlistedTime is since when the instance is not reported any more. It ends some time
	// later, unless a post lists it as firing before.
	// +optional
	UnlistedTime *metav1.Time `json:"unlistedTime,omitempty"`

	// lapseSeconds is how long the sender of the post that set lapsesAt gave the instance:
	// endsAt less the time of the receipt. Empty: the sender did not say it.
	// +kubebuilder:validation:Minimum=0
	// +optional
	LapseSeconds int32 `json:"lapseSeconds,omitempty"`

	// waiting is true until the instance has joined the content: what begins to fire
	// soon after a message waits for the next one.
	// +optional
	Waiting bool `json:"waiting,omitempty"`
}

// AlertLink is a link that people may follow.
type AlertLink struct {
	// text of the link, such as Runbook. At most 64 characters.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	Text string `json:"text,omitempty"`

	// href is the address, an absolute http or https URL of at most 2048 characters.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''",message="must be an absolute http or https URL",messageExpression="'must be an absolute http or https URL such as https://example.com/runbook, and is: ' + self.substring(0, self.size() < 256 ? self.size() : 256)"
	// +required
	Href string `json:"href,omitempty"`
}
