// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conversion turns Alerts of v1alpha1 into Alerts of v1beta1, the hub,
// and back. The conversion of equal fields is generated. This package has the differences: the message is called content, and the title is an
// annotation.
//
// +k8s:conversion-gen=github.com/gophernetes/bellhop/api/pager/v1beta1
// +k8s:conversion-gen-external-types=github.com/gophernetes/bellhop/api/pager/v1alpha1
package conversion
