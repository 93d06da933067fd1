// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pager registers the controllers of the group pager.k8s.co, and their metrics. The reconcilers are in the packages alert and
// receiver below it. A reconcile of an Alert has four steps: observe the Alert and the objects that it refers to in the cache; decide, in
// internal/pager/alertrules; execute, with the senders of internal/pager/receivers/endpoints; apply the answers of the receivers and record them, in
// one status patch.
package pager
