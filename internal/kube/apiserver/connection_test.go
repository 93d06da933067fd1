// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/gophernetes/bellhop/internal/kube/apiserver"
)

func TestOwnConnectionIsSharedWithNobody(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RemoteAddr)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	cfg := &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	from := func(client func(*rest.Config) (*http.Client, error)) string {
		t.Helper()
		c, err := client(cfg)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		said, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(said)
	}
	shared := from(rest.HTTPClientFor)
	if again := from(rest.HTTPClientFor); again != shared {
		t.Fatalf("two clients of client-go came from %s and %s: they share no connection, so that this test shows nothing", shared, again)
	}
	if own := from(apiserver.OwnConnection); own == shared {
		t.Errorf("the request came from %s, as those of others do", own)
	}
}
