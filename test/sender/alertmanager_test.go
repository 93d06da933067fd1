// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	apiv2 "github.com/prometheus/alertmanager/api/v2"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/labelset"

	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/alertmanager"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// TestAlertmanagerAsReceiver sends messages to the API of an Alertmanager, whose other replica is down.
func TestAlertmanagerAsReceiver(t *testing.T) {
	api := serveAPI(t)
	server := httptest.NewServer(http.StripPrefix("/am", api))
	t.Cleanup(server.Close)
	const down = "http://127.0.0.1:1" // no process listens at this port
	sender, err := alertmanager.New(alertmanager.Config{URLs: []string{down, server.URL + "/am"}, Labels: map[string]string{"team": "a&b"}}, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	if err := sender.Probe(t.Context()); err != nil {
		t.Error("the probe:", err)
	}

	began, id := time.Now().Add(-time.Hour).UTC().Truncate(time.Second), ""
	alert := func(severity, description string) string {
		return fmt.Sprintf("active since %s: map[alertname:disk bellhop_incident:incident namespace:shop severity:%s team:a&b] "+
			"map[description:%s links:Köln: https://example.com/k%%C3%%B6ln runbook_url:https://example.com/runbook summary:Größe 👋] https://example.com/?a=b&c=%%22",
			began.Format(time.RFC3339), severity, description)
	}
	for _, step := range []struct {
		why      string
		event    result.Event
		severity notify.Severity
		content  string
		want     []string
	}{
		{"fired", result.Fired, notify.Critical, "90 %", []string{alert("critical", "90 %")}},
		{"repeated", result.Fired, notify.Critical, "90 %", []string{alert("critical", "90 %")}},
		{"updated", result.Updated, notify.Critical, "95 %", []string{alert("critical", "95 %")}},
		{"another severity ends the alert and starts another", result.Updated, notify.Warning, "70 %", []string{alert("warning", "70 %")}},
		{"repeated with the other severity", result.Updated, notify.Warning, "70 %", []string{alert("warning", "70 %")}},
		{"resolved", result.Resolved, notify.Warning, "70 %", nil},
		{"resolved twice", result.Resolved, notify.Warning, "70 %", nil},
	} {
		m := notify.Message{
			Event: step.event, Namespace: "shop", Name: "disk", RawTitle: "Größe :wave:", RawContent: step.content, Severity: step.severity, Time: began,
			RawLinks: []notify.Link{{Text: "Source", Href: `https://example.com/?a=b&c="`}, {Text: "runbook", Href: "https://example.com/runbook"}, {Text: "Köln", Href: "https://example.com/köln"}},
		}
		receipt, err := sender.Send(t.Context(), m, notify.Key{Delivery: step.why, Incident: "incident", ExternalID: id})
		if err != nil {
			t.Fatal(step.why+":", err)
		}
		if !strings.HasPrefix(receipt.Note, "accepted by 1 of 2 replicas; ") {
			t.Errorf("%s: the note is %q", step.why, receipt.Note)
		}
		id = receipt.ExternalID
		if got := listAlerts(t, api); !slices.Equal(got, step.want) {
			t.Errorf("%s: got %q\nwant %q", step.why, got, step.want)
		}
	}
}

// serveAPI starts an Alertmanager, and returns its API.
func serveAPI(t *testing.T) http.Handler {
	t.Helper()
	const text = "{route: {receiver: nowhere}, receivers: [{name: nowhere}]}"
	log := slog.New(slog.DiscardHandler)
	m, err := startMember(memberOptions{name: "a", log: log, position: func() int { return 0 }, gossip: func(gossipKind, []byte) {}, config: text})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := m.stop(); err != nil {
			t.Error(err)
		}
	})
	api, err := apiv2.NewAPI(m.alerts, m.dispatcher.Groups, m.silences, nil, log, m.registry)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := config.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	api.Update(conf, func(ctx context.Context, labels labelset.LabelSet) {
		m.inhibitor.Mutes(ctx, labels)
		m.silencer.Mutes(ctx, labels)
	})
	return api.Handler
}

// listAlerts returns the alerts that the API lists, which does not list those that have ended.
func listAlerts(t *testing.T, api http.Handler) (all []string) {
	t.Helper()
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v2/alerts", nil))
	var alerts models.GettableAlerts
	if err := json.Unmarshal(answer.Body.Bytes(), &alerts); err != nil {
		t.Fatalf("HTTP %d, %v: %s", answer.Code, err, answer.Body)
	}
	for _, a := range alerts {
		all = append(all, fmt.Sprintf("%s since %s: %v %v %s", *a.Status.State, time.Time(*a.StartsAt).UTC().Format(time.RFC3339), a.Labels, a.Annotations, a.GeneratorURL))
	}
	return all
}
