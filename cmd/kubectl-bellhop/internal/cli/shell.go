// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"regexp"
	"strings"
)

// ShellQuote returns a text as a POSIX shell reads it: within single quotes all characters but the single quote mean themselves.
func ShellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// plainArgument matches an argument that a shell does not change.
var plainArgument = regexp.MustCompile(`^[A-Za-z0-9_.,:@/+=-]+$`)

// ShellArgument returns a text as one argument of a command, quoted only if it has to be.
func ShellArgument(text string) string {
	if plainArgument.MatchString(text) {
		return text
	}
	return ShellQuote(text)
}
