// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// WebhookProvider sends to any HTTP endpoint. Keys of the Secret: url, where
// spec.webhook.url is left out because the URL is itself a credential;
// signingSecret and, during a rotation, signingSecretNext (whsec_ and base64
// of 24 to 64 bytes); token, sent as bearer token; username and password;
// ca.crt, tls.crt and tls.key; and the secretKey of each header.
type WebhookProvider struct {
	// url that the messages are sent to. Http or https. Default: the key url of
	// the Secret.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// A default of the schema inside a block that may be empty would keep server-side apply from taking over what kubectl apply created.

	// method of the request, POST or PUT. Default POST, which is not stored.
	// +optional
	Method WebhookMethod `json:"method,omitempty"`

	// headers are sent with each request, at most 16.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []WebhookHeader `json:"headers,omitempty"`

	// insecureSkipTLSVerify sends messages to a server whose certificate was not
	// checked. Default false.
	// +optional
	InsecureSkipTLSVerify bool `json:"insecureSkipTLSVerify,omitempty"`
}

// WebhookMethod is an HTTP method.
// +kubebuilder:validation:Enum=POST;PUT
type WebhookMethod string

// +kubebuilder:validation:ExactlyOneOf=value;secretKey

// WebhookHeader is a header of a request. Its value is given here or, where it
// is a credential, in the Secret.
type WebhookHeader struct {
	// name of the header, such as X-Team. Headers that Bellhop sets itself
	// (Host, Content-Type, User-Agent, webhook-*, …) are refused.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Name string `json:"name,omitempty"`

	// value of the header.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Value string `json:"value,omitempty"`

	// secretKey is the key of the receiver's Secret that has the value.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	SecretKey string `json:"secretKey,omitempty"`
}
