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

// Package docs embeds pages of the documentation that programs show, so that each text is written in one place.
package docs

import _ "embed"

// Conditions is the page docs/reference/conditions.md, in Markdown. Its tables say what each reason of a condition means and what to do.
//
//go:embed reference/conditions.md
var Conditions string
