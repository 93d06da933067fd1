// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package providers

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// headersOf returns the headers in settings; nil: the provider has none.
func headersOf(p *v1beta1.Provider) *[]v1beta1.HTTPHeader {
	switch {
	case p.Alertmanager != nil:
		return &p.Alertmanager.Headers
	case p.Gotify != nil:
		return &p.Gotify.Headers
	case p.Matrix != nil:
		return &p.Matrix.Headers
	case p.Mattermost != nil:
		return &p.Mattermost.Headers
	case p.Ntfy != nil:
		return &p.Ntfy.Headers
	}
	return nil
}

// gateway refuses what has no tenant, as Mimir does, and repeats the header.
func gateway(service http.Handler, tenant string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Scope-OrgID") != tenant || r.Header.Get("X-Team") != "storage" {
			http.Error(w, "no org id "+strings.Join(r.Header.Values("X-Scope-OrgID"), ", "), http.StatusUnauthorized)
			return
		}
		service.ServeHTTP(w, r)
	})
}

// F-B26: a receiver whose service is behind a tenant's gateway gets through with a header, whose value may be in the Secret.
func TestHeaders(t *testing.T) {
	factory := Factory{Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)}
	tested := map[string]bool{}
	for _, f := range notifytest.Fixtures() {
		service := f.NewService(notifytest.FixtureSecret)
		server := notifytest.Serve(gateway(service, "tenant-canary"))
		defer server.Close()
		settings, texts := f.Receiver(notifytest.FixtureSecret, server.URL)
		headers := headersOf(&settings)
		if headers == nil {
			continue
		}
		tested[f.Provider] = true
		data := map[string][]byte{}
		for key, value := range texts {
			data[key] = []byte(value)
		}
		send := func(tenant string) error {
			t.Helper()
			data["tenant"] = []byte(tenant)
			spec := &v1beta1.CommonReceiverSpec{Provider: settings, SecretRef: &v1beta1.SecretReference{Name: "s"}}
			if problems := Problems(spec); len(problems) > 0 {
				t.Fatalf("%s: %+v", f.Name(), problems)
			}
			if unused := UnusedKeys(spec, map[string][]byte{"tenant": nil}); (unused == "") != (*headers != nil) {
				t.Errorf("%s: %s", f.Name(), unused)
			}
			sender, err := factory.NewSender(spec, data)
			if err != nil {
				return err
			}
			defer sender.Close()
			_, err = sender.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key(strings.Repeat("a", 32), ""))
			return err
		}
		if err := send(""); result.ClassOf(err) != result.Configuration {
			t.Errorf("%s: without the header: %v", f.Name(), err)
		}
		*headers = []v1beta1.HTTPHeader{{Name: "X-Team", Value: "storage"}, {Name: "x-scope-orgid", SecretKey: "tenant"}}
		if err := send(""); err == nil || !strings.Contains(err.Error(), `headers[1]: the Secret has no key "tenant"`) {
			t.Errorf("%s: without a value: %v", f.Name(), err)
		}
		if err := send("a\nb"); err == nil || !strings.Contains(err.Error(), "headers[1]: the value of the header X-Scope-Orgid must have no control characters") {
			t.Errorf("%s: with two lines: %v", f.Name(), err)
		}
		if err := send("other-canary"); result.ClassOf(err) != result.Configuration || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: with another value: %v", f.Name(), err)
		}
		if err := send("tenant-canary\n"); err != nil || len(service.Seen()) == 0 { // as in a Secret that was made with echo
			t.Errorf("%s: with the value: %v", f.Name(), err)
		}
	}
	for _, want := range []string{"alertmanager", "gotify", "matrix", "mattermost", "ntfy"} {
		if !tested[want] {
			t.Errorf("%s is not tested", want)
		}
	}
}

// F-B26: what Bellhop or the connection sets cannot be set, in any spelling.
func TestReservedHeaders(t *testing.T) {
	problems := func(headers ...v1beta1.HTTPHeader) []string {
		var texts []string
		for _, p := range Problems(&v1beta1.CommonReceiverSpec{Provider: v1beta1.Provider{Alertmanager: &v1beta1.AlertmanagerProvider{URLs: []string{"https://example.com"}, Headers: headers}}}) {
			texts = append(texts, p.Field+" "+p.Value+" "+p.Message)
		}
		return texts
	}
	for _, name := range []string{"authorization", "HOST", "Content-Type", "content-encoding", "Proxy-Authorization", "Connection", "Transfer-Encoding", "te", "User-Agent", "x-gotify-key"} {
		if got := problems(v1beta1.HTTPHeader{Name: name, Value: "x"}); len(got) != 1 || !strings.HasPrefix(got[0], "alertmanager.headers[0] "+name+" the header ") {
			t.Errorf("%s: got %q", name, got)
		}
	}
	for _, c := range []struct {
		headers []v1beta1.HTTPHeader
		want    []string
	}{
		{[]v1beta1.HTTPHeader{{Name: "X-Scope-OrgID", Value: "a b"}, {Name: "Contents", Value: ""}}, nil},
		{[]v1beta1.HTTPHeader{{Name: "X A", Value: "x"}}, []string{"alertmanager.headers[0] X A the name must be of letters, digits and !#$%&'*+-.^_`|~"}},
		{[]v1beta1.HTTPHeader{{Name: "X", Value: "a\r\nb"}}, []string{"alertmanager.headers[0] X the value of the header X must have no control characters"}},
		{[]v1beta1.HTTPHeader{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}}, []string{"alertmanager.headers[1] x-a the header X-A is set twice: names must differ in more than upper and lower case"}},
	} {
		if got := problems(c.headers...); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %q, want %q", c.headers, got, c.want)
		}
	}
}
