// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs has what programs show of the documentation: the text of pages, so that each is written in one place, and addresses.
package docs

import _ "embed"

// URL is the address of a page, such as "how-to/operate/monitor.md", perhaps with an anchor.
func URL(page string) string { return "https://github.com/gophernetes/bellhop/blob/main/docs/" + page }

// Conditions is the page docs/reference/conditions.md, in Markdown. Its tables say what each reason of a condition means and what to do.
//
//go:embed reference/conditions.md
var Conditions string
