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

// Package docs has what programs show of the documentation: the text of pages, so that each is written in one place, and addresses.
package docs

import _ "embed"

// URL is the address of a page, such as "how-to/operate/monitor.md", perhaps with an anchor.
func URL(page string) string { return "https://github.com/gophernetes/bellhop/blob/main/docs/" + page }

// Conditions is the page docs/reference/conditions.md, in Markdown. Its tables say what each reason of a condition means and what to do.
//
//go:embed reference/conditions.md
var Conditions string
