// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package panics finds panics in the output of the operator, which go on unnoticed: controller-runtime, net/http and the operator itself
// recover from them.
package panics

import (
	"regexp"
	"strings"
)

var text = regexp.MustCompile(`"The operator panicked"|Observed a panic|http: panic serving|^panic: |^fatal error: `)

// Lines returns the lines of an output that report a panic. prefixed: each line begins with the name of a Pod.
func Lines(output string, prefixed bool) (found []string) {
	for line := range strings.Lines(output) {
		said := line
		if prefixed {
			_, said, _ = strings.Cut(line, "] ")
		}
		if text.MatchString(said) {
			found = append(found, line[:min(len(line), 2000)])
		}
	}
	return found
}
