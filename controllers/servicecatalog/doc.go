// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package servicecatalog registers the controllers of the group servicecatalog.k8s.io, and their metrics. The reconcilers are in the packages below
// it: broker (with classes and plans), instance, binding and authsecret. A reconcile has four steps: observe the object and the objects that it
// refers to in the cache; decide, in package brokerrules, instancerules or bindingrules; execute, at a broker or in a Secret; apply the answer and
// record it, in one status patch.
package servicecatalog
