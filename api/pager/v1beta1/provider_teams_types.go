// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// TeamsProvider sends through Teams. Keys of the Secret: url of the workflow.
type TeamsProvider struct {
}
