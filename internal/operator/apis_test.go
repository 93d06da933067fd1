// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestAPIs(t *testing.T) {
	for list, want := range map[string]struct {
		lease, object string
		others        []string
	}{
		"":                     {"bellhop.gophernetes.io", "bellhop-webhook-service", []string{"bellhop.gophernetes.io-pager", "bellhop.gophernetes.io-servicecatalog"}},
		"pager,servicecatalog": {"bellhop.gophernetes.io", "bellhop-webhook-service", []string{"bellhop.gophernetes.io-pager", "bellhop.gophernetes.io-servicecatalog"}},
		"servicecatalog":       {"bellhop.gophernetes.io-servicecatalog", "bellhop-servicecatalog-webhook-service", []string{"bellhop.gophernetes.io"}},
		"pager":                {"bellhop.gophernetes.io-pager", "bellhop-pager-webhook-service", []string{"bellhop.gophernetes.io"}},
	} {
		var args []string
		if list != "" {
			args = []string{"--apis=" + list}
		}
		o := parseFlags(t, args...)
		if o.APIs.LeaseName() != want.lease || o.APIs.ObjectName("webhook-service") != want.object || !slices.Equal(o.APIs.OtherLeases(), want.others) {
			t.Errorf("%q: %s, %s, %v; want %+v", list, o.APIs.LeaseName(), o.APIs.ObjectName("webhook-service"), o.APIs.OtherLeases(), want)
		}
	}
}

func TestAPIsRefused(t *testing.T) {
	var o Options
	fs := flag.NewFlagSet("manager", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	o.Bind(fs)
	for _, list := range []string{"", "pagers", "pager,", "pager servicecatalog"} {
		if err := fs.Parse([]string{"--apis=" + list}); err == nil || !strings.Contains(err.Error(), "pager or servicecatalog") {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func TestFlagsOfThePagerNeedIt(t *testing.T) {
	for _, args := range [][]string{{"--page-by-label"}, {"--ingest-bind-address=:9444"}} {
		name, _, _ := strings.Cut(args[0], "=")
		o := parseFlags(t, append(args, "--apis=servicecatalog", "--operator-namespace=bellhop-system")...)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s without the pager: %v", name, err)
		}
		o = parseFlags(t, append(args, "--apis=pager", "--operator-namespace=bellhop-system")...)
		if err := o.Validate(); err != nil {
			t.Errorf("%s with the pager: %v", name, err)
		}
	}
}

func parseFlags(t *testing.T, args ...string) Options {
	t.Helper()
	var o Options
	fs := flag.NewFlagSet("manager", flag.ContinueOnError)
	o.Bind(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o
}
