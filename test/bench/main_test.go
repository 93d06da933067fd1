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

package main

import (
	"slices"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-short", "-alerts=50", "isolation"})
	if err != nil {
		t.Fatal(err)
	}
	if o.alerts != 50 || o.rounds != 1 || o.rest != time.Second || o.creators != 32 || !slices.Equal(o.parts, []string{"isolation"}) {
		t.Errorf("-short sets what is not given, and only that: %+v", o)
	}
	if o, err = parse(nil); err != nil || !slices.Equal(o.parts, parts) {
		t.Errorf("without arguments: %v, %v, want all parts", o.parts, err)
	}
	for _, wrong := range [][]string{{"throughput"}, {"-alerts=0"}, {"-services=0"}, {"-rate=0"}, {"-no-such-flag"}} {
		if _, err := parse(wrong); err == nil {
			t.Errorf("%v is accepted", wrong)
		}
	}
}
