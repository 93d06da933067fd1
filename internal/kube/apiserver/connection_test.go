/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
