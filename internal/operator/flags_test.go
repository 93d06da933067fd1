// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"flag"
	"slices"
	"strings"
	"testing"
)

func bound() *flag.FlagSet {
	fs := flag.NewFlagSet("manager", flag.ContinueOnError)
	var o Options
	o.Bind(fs)
	return fs
}

func TestEachFlagIsInOneGroup(t *testing.T) {
	var defined, grouped []string
	bound().VisitAll(func(f *flag.Flag) { defined = append(defined, f.Name) })
	for _, group := range FlagGroups() {
		grouped = append(grouped, group.Flags...)
	}
	slices.Sort(grouped)
	if !slices.Equal(grouped, defined) {
		t.Errorf("the groups have %v, defined are %v", grouped, defined)
	}
}

func TestHelp(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "")
	var b strings.Builder
	WriteHelp(&b, bound())
	help := b.String()
	for _, want := range []string{
		"Usage:\n  manager [flags]\n",
		"\nLeader election:\n  --leader-elect\n        Elect",
		"  --alert-workers int (default 128)\n",
		"  --broker-relist-interval duration (default 24h)\n",
		"  --zap-time-encoding format\n",
		"rfc3339",
		"\nEnvironment:\n  POD_NAMESPACE\n",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("help lacks %q", want)
		}
	}
	for line := range strings.Lines(help) {
		if len(line) > helpWidth+1 || strings.HasSuffix(line, " \n") {
			t.Errorf("a line is too long, or ends in a space: %q", line)
		}
	}
	if strings.Contains(help, "Defaults to") {
		t.Error("help has a default that a library states, and that may not be the operator's")
	}
}
