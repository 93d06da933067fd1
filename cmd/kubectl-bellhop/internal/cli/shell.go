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
