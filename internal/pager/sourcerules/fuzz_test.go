// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

// Whatever is posted, the Alerts can be stored, and the same post again changes nothing.
func FuzzReceive(f *testing.F) {
	bodies, err := filepath.Glob("../ingest/alertmanager/testdata/*.json")
	if err != nil || len(bodies) == 0 {
		f.Fatal(bodies, err)
	}
	for _, path := range bodies {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, uint8(1))
		f.Add(body, uint8(20))
	}
	f.Add([]byte(`[{"labels":{"alertname":"\u0001","\u202e":"x"},"annotations":{"description":" ","summary":"\u0000"},"startsAt":"1970-01-01T00:00:01Z","endsAt":"9999-12-31T23:59:59Z"}]`), uint8(200))
	f.Fuzz(func(t *testing.T, body []byte, maxAlerts uint8) {
		for _, decode := range []func([]byte) (alertmanager.Post, error){alertmanager.DecodeAlerts, alertmanager.DecodeWebhook} {
			post, err := decode(body)
			if err != nil {
				continue
			}
			c := newCluster(t)
			c.source.Spec.MaxAlerts = 1 + int32(maxAlerts)
			c.receive(post)
			if again := c.receive(post); len(again) > 0 {
				t.Errorf("the same post changes %v", again)
			}
			c.review()
			if len(c.alerts) > int(c.source.Spec.MaxAlerts)+1 {
				t.Errorf("%d Alerts", len(c.alerts))
			}
			for _, a := range c.alerts {
				checkStorable(t, a)
			}
		}
	})
}

// checkStorable checks what the API server demands beside the schema.
func checkStorable(t *testing.T, a v1beta1.Alert) {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v1beta1.Alert{}); err != nil {
		t.Errorf("%v: %s", err, text)
	}
	if problems := validation.IsDNS1123Subdomain(a.Name); len(problems) > 0 {
		t.Errorf("name %q: %v", a.Name, problems)
	}
	for name, value := range a.Labels {
		if problems := append(validation.IsQualifiedName(name), validation.IsValidLabelValue(value)...); len(problems) > 0 {
			t.Errorf("label %s=%q: %v", name, value, problems)
		}
	}
}
