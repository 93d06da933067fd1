// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs has what programs show of the documentation: the text of pages, so that each is written in one place, and addresses.
package docs

import (
	_ "embed"
	"strings"
)

// The linker sets release: -X github.com/gophernetes/bellhop/docs.release=v1.2.3.
var release string

// URL is the address of a page, such as "how-to/operate/monitor.md", perhaps with an anchor, in the version of the program that shows it.
func URL(page string) string {
	return "https://github.com/gophernetes/bellhop/blob/" + branch(release) + "/docs/" + page
}

// branch returns the tag of a release, or main. hack/links.sh has the same rule.
func branch(version string) string {
	if version == "" || strings.HasPrefix(version, "v0.0.0") {
		return "main"
	}
	return version
}

// Conditions is the page docs/reference/conditions.md, in Markdown. Its tables say what each reason of a condition means and what to do.
//
//go:embed reference/conditions.md
var Conditions string
