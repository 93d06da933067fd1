// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package servicecatalog registers the controllers of the group servicecatalog.k8s.io, and their metrics. The reconcilers are in the
// packages below it: broker (with classes and plans), instance, binding and authsecret. A reconcile has four steps: observe the object and
// what it refers to in the cache; decide, in a package of internal/servicecatalog/rules; execute, at a broker or in a Secret; apply the answer and
// record it, in one status patch.
package servicecatalog
