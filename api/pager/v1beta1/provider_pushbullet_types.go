// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// +kubebuilder:validation:AtMostOneOf=deviceIden;email;channelTag

// PushbulletProvider sends through Pushbullet. Keys of the Secret: token, the
// access token.
type PushbulletProvider struct {
	// url of the API. Default https://api.pushbullet.com.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// deviceIden is the device to push to. Default: all devices of the owner of
	// the token.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	DeviceIden string `json:"deviceIden,omitempty"`

	// email is the person to push to.
	// +kubebuilder:validation:MaxLength=320
	// +optional
	Email string `json:"email,omitempty"`

	// channelTag is the channel to push to.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	ChannelTag string `json:"channelTag,omitempty"`
}
