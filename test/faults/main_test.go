// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for args, want := range map[string]string{
		"-each -share 2/5 -seed 7":             "",
		"-variants -share 1/2":                 "",
		"-part 0.02 -class time":               "",
		"-part 0":                              "-part must be",
		"-each -part 0.5":                      "-each and -part",
		"-fixed -each":                         "-each and -fixed",
		"-fixed -part 0.5":                     "-part and -fixed",
		"-fixed -share 1/2":                    "-share and -fixed",
		"-fault crash-after@3 -share 1/2":      "-share and -fault",
		"-scenario alert -fault none -each":    "-each and -fault",
		"-scenario alert":                      "",
		"alert":                                "only -variants takes arguments",
		"-variants revokes-by-its-clock":       "",
		"-fault crash-after@3 -scenario alert": "",
	} {
		_, err := parse(strings.Fields(args))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, and not %q", args, err, want)
		}
	}
}
