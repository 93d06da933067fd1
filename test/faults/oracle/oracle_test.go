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
	"slices"
	"testing"

	"github.com/gophernetes/bellhop/test/faults/scenario"
)

func TestTheLogTells(t *testing.T) {
	const dump = "SIGQUIT: quit\ngoroutine 1 [running]:\nmain.main()\n\n"
	standing := dump + "goroutine 2 [chan receive]:\ngithub.com/gophernetes/bellhop/internal/kube.(*eventSender).Start(0x1)\n\n"
	for log, want := range map[string]string{
		"all is well\n" + standing:          "",
		`{"msg":"Observed a panic"}` + dump: "panic",
		dump + "goroutine 3 [select]:\ngithub.com/gophernetes/bellhop/controllers/servicecatalog.f()\n": "goroutine",
		`{"password":"cAnaRy/+&\"<>%é-credential"}` + dump:                                              "canary",
	} {
		c := NewChecker(&scenario.Environment{})
		c.CheckLog(log, true)
		var said []string
		for _, p := range c.AllProblems() {
			said = append(said, NameOf(p))
		}
		if want == "" && said == nil {
			continue
		}
		if !slices.Equal(said, []string{want}) {
			t.Errorf("%q of %s", said, log)
		}
	}
}
