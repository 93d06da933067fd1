// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTitleAndText(t *testing.T) {
	for name, c := range map[string]struct {
		alert                Alert
		title, text, details string
	}{
		"annotations": {
			Alert{Labels: map[string]string{"alertname": "Down"}, Annotations: map[string]string{"summary": " node\n7\tis \x1b[31mdown ", "description": " up is 0\nfor 5m ", "message": "m"}},
			"node 7 is [31mdown", "node 7 is [31mdown", "up is 0\nfor 5m",
		},
		"no summary":    {Alert{Labels: map[string]string{"alertname": "Down"}, Annotations: map[string]string{"description": "\n up is 0\n LABELS = map[node:7]"}}, "Down", "up is 0", "up is 0\n LABELS = map[node:7]"},
		"a message":     {Alert{Labels: map[string]string{"alertname": "Down"}, Annotations: map[string]string{"message": "m\nn"}}, "Down", "m", "m\nn"},
		"labels":        {Alert{Labels: map[string]string{"alertname": "Down", "team": "a", "node": "7"}}, "Down", "Down", "alertname=Down, node=7, team=a"},
		"no name":       {Alert{Labels: map[string]string{"node": "7", "job": "x"}}, "job=x, node=7", "job=x, node=7", "job=x, node=7"},
		"blank summary": {Alert{Labels: map[string]string{"alertname": "Down"}, Annotations: map[string]string{"summary": ""}}, "Down", "Down", "alertname=Down"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.alert.Title(); got != c.title {
				t.Errorf("title %q, want %q", got, c.title)
			}
			if got := c.alert.Text(); got != c.text {
				t.Errorf("text %q, want %q", got, c.text)
			}
			if got := c.alert.Details(); got != c.details {
				t.Errorf("details %q, want %q", got, c.details)
			}
		})
	}
	long := Alert{Labels: map[string]string{"alertname": strings.Repeat("ä", 400)}}
	if title, text := long.Title(), long.Text(); len(title) > MaxTitle || len(text) > MaxText || !strings.HasSuffix(title, "…") {
		t.Errorf("title %q, text %q", title, text)
	}
}

func TestOwnLabels(t *testing.T) {
	a := Alert{Labels: map[string]string{"alertname": "Down", "team": "a", "node": "7\n8", "b": "=\x00="}}
	for name, c := range map[string]struct {
		group map[string]string
		want  []string
	}{
		"no group":     {nil, []string{"alertname=Down", "b== =", "node=7 8", "team=a"}},
		"a group":      {map[string]string{"alertname": "Down", "team": "a"}, []string{"b== =", "node=7 8"}},
		"another team": {map[string]string{"alertname": "Down", "team": "b"}, []string{"b== =", "node=7 8", "team=a"}},
	} {
		if got := a.OwnLabels(c.group); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestJoinLabels(t *testing.T) {
	path := "/" + strings.Repeat("a", 100) + "/" + strings.Repeat("ä", 100) + "/end"
	for name, c := range map[string]struct {
		labels   []string
		maxBytes int
		want     string
	}{
		"none":        {nil, 10, ""},
		"all fit":     {[]string{"a=b", "c=" + path}, 400, "a=b, c=" + path},
		"a long one":  {[]string{"c=" + path, "pod=x"}, 60, "c=" + path[:9] + "…" + path[len(path)-20:] + ", pod=x"},
		"too many":    {[]string{"c=" + path, "pod=x", "node=y"}, 12, "pod=x"},
		"a long name": {[]string{path + "=a", "pod=x"}, 100, "pod=x"},
	} {
		got := JoinLabels(c.labels, ", ", c.maxBytes)
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if len(got) > c.maxBytes || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes: %q", name, len(got), got)
		}
	}
}

func TestGroupTitle(t *testing.T) {
	named := func(names ...string) (alerts []Alert) {
		for _, name := range names {
			alerts = append(alerts, Alert{Labels: map[string]string{"alertname": name}})
		}
		return alerts
	}
	for name, c := range map[string]struct {
		group  map[string]string
		alerts []Alert
		want   string
	}{
		"by the name":           {map[string]string{"alertname": "Down", "team": "a"}, named("Down"), "Down"},
		"of one name":           {map[string]string{"team": "a"}, named("Down", "Down"), "Down"},
		"of several names":      {map[string]string{"team": "a"}, named("Down", "Up"), "team=a"},
		"of several, ungrouped": {nil, named("Down", "Up"), "r"},
		"of none":               {nil, nil, "r"},
	} {
		if got := GroupTitle(c.group, c.alerts, "r"); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := GroupTitle(nil, nil, ""); got != "Alerts" {
		t.Errorf("got %q", got)
	}
}

func TestLinks(t *testing.T) {
	links := func(annotations map[string]string, generator, silence, dashboard string) []Link {
		a := Alert{Annotations: annotations, GeneratorURL: generator, SilenceURL: silence, DashboardURL: dashboard}
		return a.Links()
	}
	all := links(map[string]string{"runbook_url": " https://r/x#y ", "dashboard_url": "http://d:3000/?a=b"}, "https://p/graph?g0.expr=a%20b", "https://s", "https://unused")
	want := []Link{{"Runbook", "https://r/x#y"}, {"Dashboard", "http://d:3000/?a=b"}, {"Source", "https://p/graph?g0.expr=a%20b"}, {"Silence", "https://s"}}
	if !slices.Equal(all, want) {
		t.Errorf("got %v, want %v", all, want)
	}
	if got := links(nil, "https://p", "https://p", "https://p"); !slices.Equal(got, []Link{{"Dashboard", "https://p"}}) {
		t.Errorf("an address stands more than once: %v", got)
	}
	for _, href := range []string{
		"", "?orgId=1", "/graph", "p/graph", "//p/graph", "javascript:alert(1)", "file:///etc/passwd", "https://", "https:///x", "https://user:secret@p/", "https://p/a b", "https://p/\nx",
		"https://p/\u202e", "ftp://p", "https://p:port/", "https://[::1", "https://" + strings.Repeat("x", maxURL),
	} {
		if got := links(map[string]string{"runbook_url": href}, href, href, href); len(got) > 0 {
			t.Errorf("%.40q: got %v", href, got)
		}
	}
}

func TestObjectLabels(t *testing.T) {
	got := ObjectLabels(map[string]string{
		"alertname": "Down", "a": "1", "b.c-d_e": "x.y-z_0", "__rule__": "x", "velero.io/restore-name": "x", "c": "with blank", "d": strings.Repeat("x", 64), "e": "ends-", strings.Repeat("f", 64): "x",
		"g": strings.Repeat("x", 63),
	})
	want := map[string]string{"alertname": "Down", "a": "1", "b.c-d_e": "x.y-z_0", "g": strings.Repeat("x", 63)}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	many := map[string]string{"alertname": "Down"}
	for name := range strings.SplitSeq("abcdefghij", "") {
		many[name] = "x"
	}
	if got := slices.Sorted(maps.Keys(ObjectLabels(many))); !slices.Equal(got, []string{"a", "alertname", "b", "c", "d", "e", "f", "g"}) {
		t.Errorf("got %v", got)
	}
}
