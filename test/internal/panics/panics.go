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
