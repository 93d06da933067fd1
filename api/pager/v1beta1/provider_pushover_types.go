// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// PushoverProvider sends through Pushover. Keys of the Secret: token of the
// application; user, the key of a user or a group.
type PushoverProvider struct {
	// url of the API. Default https://api.pushover.net.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// device to send to. Default: all devices of the user.
	// +kubebuilder:validation:MaxLength=25
	// +optional
	Device string `json:"device,omitempty"`

	// sound is the name of the sound of each message but a resolve, such as siren.
	// Default: the one of the user.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Sound string `json:"sound,omitempty"`

	// retrySeconds is the interval at which a Critical message rings again, 30 to 3600.
	// Default 60.
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=3600
	// +optional
	RetrySeconds int32 `json:"retrySeconds,omitempty"`

	// expireSeconds is how long a Critical message rings if no user acknowledges it, 30
	// to 10800. Default 3600.
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=10800
	// +optional
	ExpireSeconds int32 `json:"expireSeconds,omitempty"`

	// ttlSeconds is how long a message that is not Critical stays on the devices. Default:
	// until a user dismisses it.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	TTLSeconds int32 `json:"ttlSeconds,omitempty"`
}
