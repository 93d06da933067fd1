// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-short", "-alerts=50", "isolation"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.alerts, sizes{50}) || o.rounds != 1 || o.rest != 100*time.Millisecond || o.creators != 32 || !slices.Equal(o.parts, []string{"isolation"}) {
		t.Errorf("-short sets what is not given, and only that: %+v", o)
	}
	if o, err = parse(nil); err != nil || len(o.parts) > 0 {
		t.Errorf("without arguments: %v, %v, want no part named", o.parts, err)
	}
	if o, err = parse([]string{"-full"}); err != nil || o.services[len(o.services)-1] != 50000 {
		t.Errorf("-full: %v, %v, want up to 50000", &o.services, err)
	}
	for _, wrong := range []string{"throughput", "-alerts=0", "-alerts=2,1", "-alerts=", "-services=x", "-rate=0", "-subjects=(", "-restart=1", "-short -full", "-no-such-flag"} {
		if _, err := parse(strings.Fields(wrong)); err == nil {
			t.Errorf("%v is accepted", wrong)
		}
	}
}
