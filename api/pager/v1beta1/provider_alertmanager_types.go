// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// AlertmanagerProvider sends through Alertmanager. Keys of the Secret:
// username and password, or token; and the secretKey of each header.
type AlertmanagerProvider struct {
	// urls are the base addresses of all replicas, at most 8.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=2048
	// +listType=set
	// +required
	URLs []string `json:"urls,omitempty"`

	// labels are added to those of every message, at most 32. alertname, namespace,
	// severity and bellhop_incident are Bellhop's own.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(name, name.matches('^[a-zA-Z_][a-zA-Z0-9_]*$'))",message="the name of a label is of letters, digits and _, and does not begin with a digit"
	// +kubebuilder:validation:XValidation:rule="!self.exists(name, name in ['alertname', 'namespace', 'severity', 'bellhop_incident'])",message="alertname, namespace, severity and bellhop_incident are set by Bellhop itself"
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// headers are sent with each request, at most 16, such as X-Scope-OrgID.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(h, self.filter(o, o.name.lowerAscii() == h.name.lowerAscii()).size() == 1)",message="each header is set once: names differ in more than upper and lower case"
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []HTTPHeader `json:"headers,omitempty"`
}

// LabelValue is the value of a label in Alertmanager.
// +kubebuilder:validation:MaxLength=1024
type LabelValue string
