/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package servicecatalog registers the controllers of the group servicecatalog.k8s.io, and their metrics. The reconcilers are in the
// packages below it: broker (with classes and plans), instance, binding and authsecret. A reconcile has four steps: observe the object and
// what it refers to in the cache; decide, in a package of internal/servicecatalog/rules; execute, at a broker or in a Secret; apply the answer and
// record it, in one status patch.
package servicecatalog
