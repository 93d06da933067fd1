// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// +kubebuilder:validation:ExactlyOneOf=value;secretKey
// +kubebuilder:validation:XValidation:rule="!(self.name.lowerAscii() in ['accept-encoding', 'authorization', 'connection', 'expect', 'host', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'user-agent', 'x-gotify-key']) && !self.name.lowerAscii().startsWith('content-') && !self.name.lowerAscii().startsWith('proxy-')",message="Bellhop or the connection sets this header",messageExpression="'Bellhop or the connection sets ' + self.name + ': use another name, and keys of the Secret for credentials of the service'",fieldPath=".name"

// HTTPHeader is a header of each request to a service, such as X-Scope-OrgID
// for the gateway before it. Its value is given here or, where it is a
// credential, in the Secret.
type HTTPHeader struct {
	// name of the header. Authorization, Host, Content-*, Proxy-* and others that
	// Bellhop or the connection sets are refused.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern="^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
	// +required
	Name string `json:"name,omitempty"`

	// value of the header.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern="^[^\\x00-\\x08\\x0a-\\x1f\\x7f]*$"
	// +optional
	Value string `json:"value,omitempty"`

	// secretKey is the key of the receiver's Secret that has the value.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	SecretKey string `json:"secretKey,omitempty"`
}
