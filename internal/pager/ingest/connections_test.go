// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/internal/httpserver"
)

// F-P52: connections of senders that may post are kept, also after a post that is wrong, and no others.
func TestConnectionsOfSendersAreKept(t *testing.T) {
	servers, err := httpserver.New(httpserver.Options{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, interceptor.Funcs{})
	served, listener, err := servers.Listen(t.Context(), httpserver.Posts, "127.0.0.1:0", nil, s.handler)
	if err != nil {
		t.Fatal(err)
	}
	go served.Serve(listener) //nolint:errcheck // ends with Close
	t.Cleanup(func() { _ = served.Close() })
	for _, test := range []struct {
		path, authorization, body string
		code                      int
		isKept                    bool
	}{
		{"shop/alertsources/prometheus/api/v2/alerts", "Bearer s3cret", "[]", http.StatusOK, true},
		{"shop/alertsources/prometheus/api/v2/alerts", "Bearer " + robot, "[]", http.StatusOK, true},
		{"shop/alertsources/prometheus/api/v2/alerts", "Bearer s3cret", "wrong", http.StatusBadRequest, true},
		{"shop/alertsources/prometheus/api/v2/alerts", "Bearer " + stranger, "[]", http.StatusForbidden, false},
		{"shop/alertsources/prometheus/api/v2/alerts", "Bearer guessed", "[]", http.StatusUnauthorized, false},
		{"shop/alertsources/prometheus/api/v2/alerts", "", "[]", http.StatusUnauthorized, false},
		{"shop/alertsources/prometheus/api/v1/alerts", "Bearer s3cret", "[]", http.StatusNotFound, false},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String()+"/v1/namespaces/"+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", test.authorization)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != test.code || response.Close == test.isKept {
			t.Errorf("%s with %q: %s, closed: %t", test.path, test.authorization, response.Status, response.Close)
		}
	}
}
