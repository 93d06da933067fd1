// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// EmailProvider sends through e-mail. Keys of the Secret: username and
// password.
type EmailProvider struct {
	// host is the mail server, as host or host:port. Default port 587, 465 with
	// Implicit, 25 with None.
	// +kubebuilder:validation:MaxLength=260
	// +required
	Host string `json:"host,omitempty"`

	// tls is StartTLS, Implicit or None, which cannot be used with a username.
	// Default StartTLS.
	// +default="StartTLS"
	// +optional
	TLS EmailTLS `json:"tls,omitempty"`

	// from is the address that mails come from, such as alerts@example.com or
	// Alerts <alerts@example.com>. The address is in ASCII; the name may be in any
	// language.
	// +kubebuilder:validation:MaxLength=320
	// +required
	From string `json:"from,omitempty"`

	// to are the addresses that mails go to, at most 16. All see each other. A refused
	// address does not prevent the delivery to the others.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=320
	// +listType=set
	// +required
	To []string `json:"to,omitempty"`

	// hello is the name by which Bellhop introduces itself to the mail server (EHLO).
	// Default: its IP address.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Hello string `json:"hello,omitempty"`

	// headers are added to each mail, at most 16, such as Reply-To. Headers that
	// Bellhop sets itself (From, To, Subject, Message-ID, Content-*, …) are refused.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []EmailHeader `json:"headers,omitempty"`
}

// EmailHeader is a header of a mail.
type EmailHeader struct {
	// name of the header, such as Reply-To.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	Name string `json:"name,omitempty"`

	// value of the header.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Value string `json:"value,omitempty"`
}

// EmailTLS says how a connection to a mail server is protected.
// +kubebuilder:validation:Enum=StartTLS;Implicit;None
type EmailTLS string

const (
	// EmailStartTLS begins in the clear and goes on over TLS, or not at all.
	EmailStartTLS EmailTLS = "StartTLS"
	// EmailTLSImplicit is TLS from the start.
	EmailTLSImplicit EmailTLS = "Implicit"
	// EmailTLSNone is not encrypted.
	EmailTLSNone EmailTLS = "None"
)
