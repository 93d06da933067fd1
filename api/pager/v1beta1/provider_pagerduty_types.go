// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// PagerDutyProvider sends through PagerDuty. Keys of the Secret: routingKey,
// the integration key.
type PagerDutyProvider struct {
	// url of the service. Default https://events.pagerduty.com; in the EU
	// https://events.eu.pagerduty.com.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// class is the class of the event, such as deployment. Default Alert.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Class string `json:"class,omitempty"`

	// component is the part of the service that is affected. Default: the Alert's name.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Component string `json:"component,omitempty"`

	// group is the group of components. Default: the Alert's namespace.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Group string `json:"group,omitempty"`

	// client is shown as what sent the event, such as the name of the cluster. Default
	// Bellhop.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Client string `json:"client,omitempty"`

	// clientURL is where the name of the client leads to.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ClientURL string `json:"clientURL,omitempty"`

	// links are shown in the incident, such as a runbook, at most 8.
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	// +optional
	Links []PagerDutyLink `json:"links,omitempty"`

	// details are shown with each alert beside content, alert, uid and receiver, which
	// are Bellhop's own, at most 16.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Details map[string]PagerDutyDetail `json:"details,omitempty"`
}

// PagerDutyLink is a link in an incident.
type PagerDutyLink struct {
	// href is the address.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Href string `json:"href,omitempty"`

	// text is shown for the link. Default: the address.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Text string `json:"text,omitempty"`
}

// PagerDutyDetail is the value of a detail in PagerDuty.
// +kubebuilder:validation:MaxLength=1024
type PagerDutyDetail string
