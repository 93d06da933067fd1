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

// Package pager registers the controllers of the group pager.k8s.co, and their metrics. The reconcilers are in the packages alert and
// receiver below it. A reconcile of an Alert has four steps: observe the Alert and what it refers to in the cache; decide, in
// internal/pager/alertrules; execute, with the senders of internal/pager/receivers/endpoints; apply the answers of the receivers and record them,
// in one status patch.
package pager
