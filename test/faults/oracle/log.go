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

package oracle

import (
	"regexp"
	"strings"
)

// stackFunctions are the functions in a goroutine's stack.
var stackFunctions = regexp.MustCompile(`(?m)^[^\s(]+\.[^\s]+`)

// moduleFrame matches a stack with a function of this module. Paths of files, which come after a tab, may have its name too.
var moduleFrame = regexp.MustCompile(`(?m)^(created by )?github\.com/gophernetes/bellhop/`)

// permanentGoroutines are goroutines that live as long as the process.
var permanentGoroutines = regexp.MustCompile(`main\.returnMemory|kube\.\(\*eventSender\)\.Start|pager\.\(\*AlertReconciler\)\.drain`)

// crashText is what the runtime prints of a panic, and the race detector of a race.
var crashText = regexp.MustCompile(`panic|WARNING: DATA RACE`)

// CheckLog looks at what the processes have printed, and at the goroutines that the last
// one had at rest.
func (c Checker) CheckLog(log string, atRest bool) {
	log, dump, _ := strings.Cut(log, "SIGQUIT: quit")
	if at := crashText.FindStringIndex(log); at != nil {
		c.Reportf("it panicked: %s", log[at[0]:min(len(log), at[0]+400)])
	}
	c.checkText("the log", log)
	if !atRest {
		return
	}
	for stack := range strings.SplitSeq(dump, "\n\n") {
		if moduleFrame.MatchString(stack) && !permanentGoroutines.MatchString(stack) {
			c.Reportf("at rest a goroutine is left: %s", strings.Join(stackFunctions.FindAllString(stack, -1), " < "))
		}
	}
}
