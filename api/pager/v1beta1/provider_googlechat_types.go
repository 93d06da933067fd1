// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// GoogleChatProvider sends through Google Chat. Keys of the Secret: url of the
// webhook.
type GoogleChatProvider struct {
}
