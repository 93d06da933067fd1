// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// EventProvider sends through Kubernetes Events. Keys of the Secret: none.
type EventProvider struct {
}
