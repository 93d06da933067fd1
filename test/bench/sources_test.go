// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/test/internal/audit"
)

func TestCountWrites(t *testing.T) {
	var made []audit.Event
	for _, words := range []string{
		"create alerts", "patch alerts", "patch alerts", "patch alerts status", "patch alertsources status", "create events", "update leases", "get alerts", "watch alerts",
		"patch receivers status", "create tokenreviews",
	} {
		parts := append(strings.Fields(words), "")
		e := audit.Event{Verb: parts[0]}
		e.ObjectRef = &struct{ Resource, Namespace, Name, Subresource, APIGroup string }{Resource: parts[1], Subresource: parts[2]}
		if parts[1] == "tokenreviews" {
			e.ObjectRef.APIGroup = "authentication.k8s.io"
		}
		made = append(made, e)
	}
	w := countWrites(made)
	if want := (sourceWrites{created: 1, spec: 2, status: 1, source: 1, events: 1, others: 1}); w != want {
		t.Errorf("%+v, want %+v", w, want)
	}
	if got := w.perMinute(4); got != (6+4)/4.0 {
		t.Errorf("%v a minute: the time of the last post counts once for each", got)
	}
}

func TestCheckSources(t *testing.T) {
	for name, c := range map[string]struct {
		writes  float64
		p99     time.Duration
		isTimed bool
		want    string
	}{
		"within the limits":      {2380, 200 * time.Millisecond, true, ""},
		"too many writes":        {2381, 0, true, "cost 2.001 writes a second: the limit is 2.000"},
		"slow":                   {2000, 201 * time.Millisecond, true, "takes 201ms in the 99th percentile"},
		"slow, in a short run":   {2000, 201 * time.Millisecond, false, ""},
		"both":                   {2400, time.Second, true, "\n"},
		"writes, in a short run": {2400, 0, false, "the limit is 2.000"},
	} {
		f := sourceFigures{minutes: lapseMinutes, p99: c.p99, sourceWrites: sourceWrites{spec: c.writes}}
		if err := f.check(alertsOfLimit, c.isTimed); (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestCheckHostile(t *testing.T) {
	for name, c := range map[string]struct {
		ratio, mebibytes float64
		isTimed          bool
		want             string
	}{
		"within the limits":    {1.15, 192, true, ""},
		"slow":                 {1.16, 0, true, "take 1.16 times as long"},
		"slow, in a short run": {9, 0, false, ""},
		"large":                {1, 193, false, "adds 193 MiB"},
	} {
		if err := checkHostile(c.ratio, c.mebibytes, c.isTimed); (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// The tokens have the form of those that the API server has to review, and are others each time.
func TestForgedToken(t *testing.T) {
	if a, b := forgedToken(), forgedToken(); a == b || strings.Count(a, ".") != 2 {
		t.Errorf("%s, %s", a, b)
	}
}
