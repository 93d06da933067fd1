// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// GRPCProvider sends to a notifier, a server with the gRPC interface
// bellhop.notifier.v1. Keys of the Secret: token, sent as bearer token.
type GRPCProvider struct {
	// address of the server, as host:port. The connection uses TLS. With http://
	// before it, which the operator must permit, the connection is not encrypted.
	// +kubebuilder:validation:MaxLength=300
	// +required
	Address string `json:"address,omitempty"`

	// serverName is the name in the server's certificate. Default: the host of
	// address.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServerName string `json:"serverName,omitempty"`

	// parameters are sent with each message, at most 16. Their meaning is up to the
	// server.
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(name, name.matches('^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$'))",message="the name of a parameter is of 1 to 63 letters, digits, _, . and -, and begins with a letter or digit"
	// +optional
	Parameters map[string]GRPCParameter `json:"parameters,omitempty"`
}

// GRPCParameter is the value of a parameter.
// +kubebuilder:validation:MaxLength=512
type GRPCParameter string
