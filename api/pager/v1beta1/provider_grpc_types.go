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
