// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The bodies are those of real senders, see testdata/README.md.
func TestBodiesOfSenders(t *testing.T) {
	bodies, err := filepath.Glob("testdata/*.json")
	if err != nil || len(bodies) < 11 {
		t.Fatalf("%d bodies, %v", len(bodies), err)
	}
	for _, path := range bodies {
		t.Run(filepath.Base(path), func(t *testing.T) {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			decode := DecodeAlerts
			if strings.Contains(path, "-webhook") {
				decode = DecodeWebhook
			}
			post, err := decode(body)
			if err != nil {
				t.Fatal(err)
			}
			if len(post.Wrong) > 0 {
				t.Errorf("wrong: %+v", post.Wrong)
			}
			compareWithGolden(t, strings.TrimSuffix(path, ".json")+".golden", describe(post))
		})
	}
}

func compareWithGolden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\n%s has:\n%s", got, path, want)
	}
}

// describe returns what Bellhop reads in a post.
func describe(post Post) string {
	var out strings.Builder
	group := map[string]string{}
	if g := post.Group; g != nil {
		group = g.Labels
		fmt.Fprintf(&out, "group %s of %q: %s, %d unlisted\n", FormatLabels(g.Labels), g.Receiver, g.State, g.Unlisted)
		fmt.Fprintf(&out, "  key: %s of %s\n", g.Key, g.ExternalURL)
		fmt.Fprintf(&out, "  title: %s\n", GroupTitle(g.Labels, post.Alerts, g.Receiver))
	}
	for _, a := range post.Alerts {
		fmt.Fprintf(&out, "alert %s\n  state %q from %s to %s\n", FormatLabels(a.Labels), a.State, describeTime(a.StartsAt), describeTime(a.EndsAt))
		fmt.Fprintf(&out, "  title: %s\n  text: %s\n  own labels: %s\n  details: %s\n", a.Title(), a.Text(), JoinLabels(a.OwnLabels(group), ", ", 1024), a.Details())
		for _, link := range a.Links() {
			fmt.Fprintf(&out, "  link %s: %s\n", link.Text, link.Href)
		}
		labels := ObjectLabels(a.Labels)
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			fmt.Fprintf(&out, "  label %s: %s\n", name, labels[name])
		}
	}
	return out.String()
}

func describeTime(t time.Time) string {
	if t.IsZero() {
		return "unset"
	}
	return t.Format(time.RFC3339Nano)
}
