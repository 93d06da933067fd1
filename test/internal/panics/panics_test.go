// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
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
