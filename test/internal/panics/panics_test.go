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
package panics

import "testing"

func TestLines(t *testing.T) {
	const output = `{"level":"error","msg":"The operator panicked","component":"receiver"}
{"level":"error","msg":"Observed a panic","panic":"x"}
panic: assignment to entry in nil map
{"level":"info","msg":"Alert","content":"don't panic: all is well"}
`
	if found := Lines(output, false); len(found) != 3 {
		t.Errorf("%q", found)
	}
	if found := Lines("[pod/a/manager] panic: x\n[pod/a/manager] {}\n", true); len(found) != 1 {
		t.Errorf("%q", found)
	}
}
