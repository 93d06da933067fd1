// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const ok = `{"labels":{"alertname":"A"}}`

// Of each alert that is wrong the position is reported, with the field, the value and what would be right.
func TestWrongAlerts(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for name, c := range map[string]struct{ alert, want string }{
		"no object":              {`7`, "the alert has to be an object, in JSON"},
		"null":                   {`null`, "the alert has to be an object, in JSON"},
		"no labels":              {`{}`, "labels has no label with a value: it has to have one, such as alertname"},
		"empty labels":           {`{"labels":{"a":"","b":null}}`, "labels has no label with a value"},
		"labels of another kind": {`{"labels":["a"]}`, "labels has to be an object, in JSON"},
		"a number as a value":    {`{"labels":{"b":"x","a":7}}`, `labels["a"] is "7": it has to be a string`},
		"an object as a value":   {`{"labels":{"a":{"b":{}}}}`, `labels["a"] is "{\"b\":{}}": it has to be a string`},
		"an empty name":          {`{"labels":{"":"x"}}`, `labels has the name "" of 0 bytes: it has to have 1 to 2048`},
		"a long name":            {`{"labels":{"` + long + `":"x"}}`, "of 3000 bytes: it has to have 1 to 2048"},
		"a long value":           {`{"labels":{"a":"` + long + long + `"}}`, `labels["a"] has 6000 bytes: it has to have at most 4096`},
		"too many labels":        {`{"labels":{` + pairs(65) + `}}`, "labels has 65 items: it has to have at most 64"},
		"too many annotations":   {`{"labels":{"a":"b"},"annotations":{` + pairs(65) + `}}`, "annotations has 65 items: it has to have at most 64"},
		"a time in words":        {`{"labels":{"a":"b"},"startsAt":"yesterday"}`, `startsAt is "yesterday": it has to be a time such as 2026-01-31T12:00:00Z`},
		"a time as a number":     {`{"labels":{"a":"b"},"endsAt":1795755610}`, `endsAt is "1795755610": it has to be a string`},
		"an end before":          {`{"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00+01:00"}`, "endsAt is 2025-12-31T23:00:00Z: it has to be after startsAt, which is 2026-01-02T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			post, err := DecodeAlerts([]byte("[" + ok + "," + c.alert + "," + ok + "]"))
			if err != nil || len(post.Alerts) != 2 || len(post.Wrong) != 1 || post.Wrong[0].Index != 1 {
				t.Fatalf("got %+v, %v: the others have to be returned", post, err)
			}
			if got := post.Wrong[0].Message; !strings.Contains(got, c.want) || len(got) > 400 {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func pairs(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`"l%d":"x"`, i)
	}
	return strings.Join(items, ",")
}

func TestWrongBodies(t *testing.T) {
	for body, want := range map[string]string{
		"":                         "it has to be a list of alerts",
		"{}":                       "it has to be a list of alerts",
		"null":                     "it has to be a list of alerts",
		"<html>":                   "it has to be a list of alerts",
		"[" + ok:                   "cut off or malformed",
		"[" + ok + ",":             "cut off or malformed",
		"[" + ok + "] []":          "cut off or malformed",
		"[" + ok + "]]":            "cut off or malformed",
		strings.Repeat("[", 20000): "cut off or malformed",
	} {
		if post, err := DecodeAlerts([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %+v, %v, want %q", body, post, err, want)
		}
	}
	if post, err := DecodeAlerts([]byte(" [] ")); err != nil || len(post.Alerts)+len(post.Wrong) != 0 {
		t.Errorf("no alerts: got %+v, %v", post, err)
	}
}

func TestWrongWebhooks(t *testing.T) {
	webhook := func(fields string) string {
		return `{"version":"4","receiver":"r","status":"firing","groupLabels":{},"alerts":[]` + fields + "}"
	}
	for body, want := range map[string]string{
		"[]":                              "the body has to be an object",
		"{}":                              `version is "": it has to be "4", or "1" as Grafana sends it`,
		webhook(`,"version":"5"`):         `version is "5"`,
		webhook(`,"version":4`):           `version is "4": it has to be a string`,
		webhook(`,"status":"ok"`):         `status is "ok": it has to be firing or resolved`,
		webhook(`,"receiver":{}`):         `receiver is "{}": it has to be a string`,
		webhook(`,"groupLabels":[]`):      "groupLabels has to be an object",
		webhook(`,"groupLabels":{"a":1}`): `groupLabels["a"] is "1": it has to be a string`,
		webhook(`,"truncatedAlerts":-1`):  `truncatedAlerts is "-1": it has to be the number of alerts that are left out`,
		webhook(`,"alerts":{}`):           "alerts: it has to be a list of alerts",
		webhook(`,"alerts":null`):         "alerts: it has to be a list of alerts",
		webhook(`,"receiver":"` + strings.Repeat("r", 5000) + `"`): "receiver has 5000 bytes: it has to have at most 4096",
	} {
		if post, err := DecodeWebhook([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: got %+v, %v, want %q", body, post, err, want)
		}
	}
	post, err := DecodeWebhook([]byte(webhook(`,"alerts":[{"labels":{"a":"b"},"status":"suppressed"},{"labels":{"a":"b"},"status":"resolved"}],"status":"resolved"`)))
	if err != nil || len(post.Alerts) != 1 || len(post.Wrong) != 1 || post.Wrong[0].Message != `status is "suppressed": it has to be firing or resolved` {
		t.Errorf("got %+v, %v", post, err)
	}
	if _, err := DecodeWebhook([]byte(webhook(`,"groupKey":7,"externalURL":{}`))); err != nil {
		t.Errorf("a sender need not have a key: %v", err)
	}
	if post.Group.IsWhole() {
		t.Error("the group is whole although an alert of it could not be read")
	}
}

// What is absent, null or the zero time is the same.
func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Time{
		`null`:                             {},
		`""`:                               {},
		`"0001-01-01T00:00:00Z"`:           {},
		`"0001-01-01T00:00:00.000Z"`:       {},
		`"0001-01-01T01:00:00+01:00"`:      {},
		`"1970-01-01T00:00:00Z"`:           {},
		`"2026-01-31T12:00:00.123456789Z"`: time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.UTC),
		`"2026-01-31T12:00:00+02:00"`:      time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC),
	} {
		post, err := DecodeAlerts([]byte(`[{"labels":{"a":"b"},"startsAt":` + text + `}]`))
		if err != nil || len(post.Alerts) != 1 || !post.Alerts[0].StartsAt.Equal(want) || !post.Alerts[0].EndsAt.IsZero() {
			t.Errorf("%s: got %+v, %v, want %s", text, post, err, want)
		}
	}
}

// A post is bounded, and what is within the bounds is stored.
func TestTooManyAlerts(t *testing.T) {
	post, err := DecodeAlerts([]byte("[" + strings.TrimSuffix(strings.Repeat(ok+",", MaxAlerts+2), ",") + "]"))
	want := Problem{MaxAlerts, "the post has 5002 alerts: those after the first 5000 are not read"}
	if err != nil || len(post.Alerts) != MaxAlerts || len(post.Wrong) != 1 || post.Wrong[0] != want {
		t.Errorf("got %d alerts, %+v, %v", len(post.Alerts), post.Wrong, err)
	}
	post, err = DecodeAlerts([]byte("[" + strings.Repeat("7,", 1000) + ok + "]"))
	if err != nil || len(post.Alerts) != 1 || len(post.Wrong) != maxWrong {
		t.Errorf("got %d alerts, %d wrong, %v", len(post.Alerts), len(post.Wrong), err)
	}
	cut, err := DecodeAlerts([]byte(`[{"labels":{"a":"b","empty":""},"annotations":{"description":"` + strings.Repeat("ä", 5000) + `"},"generatorURL":"https://` + strings.Repeat("x", 3000) + `","deep":` +
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}]`))
	if err != nil || len(cut.Alerts) != 1 {
		t.Fatalf("got %+v, %v", cut, err)
	}
	if a := cut.Alerts[0]; len(a.Annotations["description"]) > maxAnnotation || a.GeneratorURL != "" || len(a.Labels) != 1 {
		t.Errorf("got %+v", a)
	}
}
