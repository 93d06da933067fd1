// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package providers

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// How a provider shows links: as buttons and the like, or as lines of its text.
const (
	asButtons = "buttons"
	asLines   = "lines"
)

// linkForms has the form of each mode, and whether its resolve shows the links: those of a message that is changed in place stay, and so do
// those of one that repeats the content.
var linkForms = map[string]struct {
	form       string
	inResolved bool
}{
	"alertmanager":                 {asButtons, true},
	"discord":                      {asLines, true},
	"email":                        {asLines, true},
	"event":                        {asLines, true},
	"googleChat":                   {asButtons, false},
	"gotify":                       {asLines, false},
	"grpc":                         {asButtons, true},
	"matrix":                       {asLines, true},
	"mattermost, bot":              {asLines, true},
	"mattermost, incoming webhook": {asLines, false},
	"ntfy":                         {asButtons, true},
	"pagerDuty":                    {asButtons, true},
	"pushbullet":                   {asLines, true},
	"pushover":                     {asButtons, false},
	"slack, bot":                   {asButtons, true},
	"slack, incoming webhook":      {asButtons, false},
	"teams":                        {asButtons, false},
	"telegram":                     {asLines, true},
	"webhook":                      {asButtons, true},
}

// TestLinks: people see all links of an Alert in a message and in its update, with texts as typed, and none of an Alert without links.
func TestLinks(t *testing.T) {
	all := receivers(t)
	if len(all) != len(linkForms) {
		t.Errorf("%d receivers, and forms of %d", len(all), len(linkForms))
	}
	links := []notify.Link{
		{Text: "Runbook", Href: "https://example.com/runbooks/disk_full"},
		{Text: "Source", Href: "http://prometheus-0.monitoring:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"},
		{Text: `[x](https://evil.example) <b>*_~ @here & "more"`, Href: "https://example.com/x"},
	}
	for _, r := range all {
		t.Run(r.name, func(t *testing.T) {
			want := linkForms[r.name]
			l := &limits{T: t, sender: r.sender, service: r.service}
			l.send(notifytest.Message(result.Fired), "")
			if seen := r.service.Seen()[0]; seen.Links != "" || strings.Contains(seen.Text, "://") {
				t.Fatalf("without links people see %+v", seen)
			}
			id := ""
			for i, event := range []result.Event{result.Fired, result.Updated, result.Resolved} {
				m := notifytest.Message(event)
				m.RawLinks = links
				k := notify.Key{Delivery: strings.Repeat(string("abc"[i]), 32), Incident: strings.Repeat("0", 32), ExternalID: id}
				receipt, err := r.sender.Send(t.Context(), m, k)
				if err != nil {
					t.Fatalf("%s: %v", event, err)
				}
				id = receipt.ExternalID
				all := r.service.Seen()
				seen := all[len(all)-1]
				checkLinks(t, string(event), seen, want.form, links, event != result.Resolved || want.inResolved)
			}
		})
	}
}

// checkLinks checks which links people see. Pushover has one button, and ntfy three; the others are lines.
func checkLinks(t *testing.T, when string, seen notifytest.Seen, form string, links []notify.Link, has bool) {
	t.Helper()
	shown := seen.Links
	switch {
	case form == asLines && seen.Links != "":
		t.Errorf("%s: buttons %q", when, seen.Links)
	case form == asButtons && has && !strings.HasPrefix(seen.Links, links[0].Line()):
		t.Errorf("%s: no button %q in %+v", when, links[0].Line(), seen)
	}
	shown += "\n" + seen.Text
	for _, link := range links {
		if contains := strings.Contains(visible(shown), visible(link.Line())); contains != has {
			t.Errorf("%s: the link %q is there: %t, want %t: %q", when, link.Line(), contains, has, shown)
		}
	}
}

// TestLongLinks: the longest links of the schema are within the limits of each service, together with the longest content.
func TestLongLinks(t *testing.T) {
	for _, r := range receivers(t) {
		for name, unit := range units {
			t.Run(r.name+" "+name, func(t *testing.T) {
				l := &limits{T: t, sender: r.sender, service: r.service, unit: unit}
				for _, length := range []int{8, 2048 - len("https://example.com/?")} {
					id := ""
					for _, event := range []result.Event{result.Fired, result.Updated, result.Resolved} {
						m := l.message(event, l.text(maxTitle), l.text(maxContent))
						for range 4 {
							m.RawLinks = append(m.RawLinks, notify.Link{Text: l.text(64), Href: "https://example.com/?" + strings.Repeat("&", length)})
						}
						id = l.send(m, id).ExternalID
					}
				}
			})
		}
	}
}
