// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// F-S63: net/http and resolvers know many forms of one host, and the policy has to judge the one that is connected to.
func TestHosts(t *testing.T) {
	for _, c := range []struct {
		host, want string // "": refused
		isService  bool
		address    string
	}{
		{host: "vault.prod.svc", want: "vault.prod.svc", isService: true},
		{host: "vault.prod.SVC.", want: "vault.prod.svc.", isService: true},
		{host: "vault.prod.ｓｖｃ", want: "vault.prod.svc", isService: true},
		{host: "vault.prod.ⓢⓥⓒ", want: "vault.prod.svc", isService: true},
		{host: "vault。prod．svc｡cluster.local", want: "vault.prod.svc.cluster.local", isService: true},
		{host: "vault.prod.s\u00advc", want: "vault.prod.svc", isService: true},
		{host: "vault", want: "vault", isService: true},
		{host: "ｖａｕｌｔ", want: "vault", isService: true},
		{host: "vault.prod", want: "vault.prod"},
		{host: "Hooks.Example.com", want: "hooks.example.com"},
		{host: "hooks_1.example.com", want: "hooks_1.example.com"},
		{host: "bücher.example", want: "xn--bcher-kva.example"},
		{host: "localhost", want: "localhost", address: "127.0.0.1"},
		{host: "LOCALHOST.", want: "localhost.", address: "127.0.0.1"},
		{host: "ⓛocalhost", want: "localhost", address: "127.0.0.1"},
		{host: "x.localhost", want: "x.localhost", address: "127.0.0.1"},
		{host: "127.0.0.1", want: "127.0.0.1", address: "127.0.0.1"},
		{host: "１２７.0.0.1", want: "127.0.0.1", address: "127.0.0.1"},
		{host: "127。0。0。1", want: "127.0.0.1", address: "127.0.0.1"},
		{host: "FE80::1%eth0", want: "FE80::1%eth0", address: "fe80::1%eth0"},
		{host: "::ffff:127.0.0.1", want: "::ffff:127.0.0.1", address: "::ffff:127.0.0.1"},
		{host: "127.0.0.1."},
		{host: "127.1"},
		{host: "127.0.0.08"},
		{host: "0x7f000001"},
		{host: "0x7F.1"},
		{host: "2130706433"},
		{host: "0177.0.0.01"},
		{host: "１２７.1"},
		{host: "a\u202e.example"},
		{host: "xn--a.ｓvc"},
	} {
		got, err := Host(c.host)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q: %q, %v, want %q", c.host, got, err, c.want)
		}
		if err != nil {
			wantError(t, err, Refused, false, "")
			wantError(t, (&Guard{}).CheckHost(c.host), Refused, false, "")
		}
		if c.address == "" && IsServiceName(c.host) != c.isService {
			t.Errorf("%q: in the form of a Service's name: %t", c.host, !c.isService)
		}
		address, isLiteral := Literal(c.host)
		if isLiteral != (c.address != "") || isLiteral && address.String() != c.address {
			t.Errorf("%q: address %s, want %q", c.host, address, c.address)
		}
	}
}

// asked is a resolver that finds no name, and has the names that it was asked for.
type asked struct {
	mu    sync.Mutex
	names []string
}

func (a *asked) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go a.serve(server)
		return client, nil
	}}
}

// serve answers one request, which has its length first: a pipe is no packet connection.
func (a *asked) serve(conn net.Conn) {
	defer conn.Close()
	request := make([]byte, 512)
	n, err := conn.Read(request)
	if err != nil {
		return
	}
	var message dnsmessage.Message
	if n < 2 || message.Unpack(request[2:n]) != nil {
		return
	}
	a.mu.Lock()
	a.names = append(a.names, message.Questions[0].Name.String())
	a.mu.Unlock()
	message.Response, message.RCode = true, dnsmessage.RCodeNameError
	message.Additionals = nil
	answer, err := message.Pack()
	if err != nil {
		return
	}
	_, _ = conn.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)) // fails where the client does not wait
}

func (a *asked) unique() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(a.names)))
}

// F-S63: the search list of the operator's Pod makes a Service's name of vault.prod.
func TestAbsoluteNames(t *testing.T) {
	noProxy := func(*http.Request) (*url.URL, error) { return nil, nil }
	aProxy := http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})
	for _, c := range []struct {
		host     string
		absolute bool
		want     string // "": names that are not absolute are asked for as the machine's resolv.conf says
	}{
		{"vault.prod", true, "vault.prod."},
		{"ｖault.prod", true, "vault.prod."},
		{"vault.prod.", true, "vault.prod."},
		{"hooks.example.com", true, "hooks.example.com."},
		{"vault.prod.svc", true, ""},
		{"vault.prod", false, ""},
	} {
		for door, open := range map[string]func(*Client) error{
			"HTTP": func(client *Client) error {
				_, err := client.Do(t.Context(), post(t, "https://"+c.host+"/x"))
				return err
			},
			"Dial": func(client *Client) error {
				_, err := client.Dial(t.Context(), net.JoinHostPort(c.host, "25"))
				return err
			},
			"HTTP/2": func(client *Client) error {
				_, err := client.HTTP2("https", "", 10).Do(t.Context(), post(t, "https://"+c.host+":443/x"))
				return err
			},
		} {
			for name, proxy := range map[string]func(*http.Request) (*url.URL, error){"directly": noProxy, "by a proxy": aProxy} {
				seen := &asked{}
				client, err := newClient(nil, Options{AbsoluteNames: c.absolute}, proxy, seen.resolver())
				if err != nil {
					t.Fatal(err)
				}
				if err := open(client); err == nil {
					t.Errorf("%s %s to %s: no error", door, name, c.host)
				}
				client.CloseIdleConnections()
				if got := client.names(t, c.host); got != c.want {
					t.Errorf("%s is resolved as %q, want %q", c.host, got, c.want)
				}
				if asked := seen.unique(); c.want != "" && !slices.Equal(asked, []string{c.want}) {
					t.Errorf("%s %s to %s asks for %q, want %q", door, name, c.host, asked, c.want)
				}
			}
		}
	}
}

// names returns the absolute name by which a host is resolved, "" where it is not absolute.
func (c *Client) names(t *testing.T, host string) string {
	t.Helper()
	name, err := c.nameOf(host)
	if err != nil {
		t.Error(err)
	}
	if !strings.HasSuffix(name, ".") {
		return ""
	}
	return name
}

// F-S63: a form of a loopback address that only the proxy would read is not sent to it.
func TestNumbersAreNotLeftToTheProxy(t *testing.T) {
	guard := NewGuard(nil, nil)
	guard.LetProxyResolve()
	client, err := newClient(guard, Options{}, http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}), (&asked{}).resolver())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.1", "0x7f000001", "2130706433", "１２７.0.0.1", "127.0.0.1."} {
		_, err := client.Do(t.Context(), post(t, "http://"+host+"/x"))
		wantError(t, err, Refused, false, "")
		_, err = client.HTTP2("http", "", 10).Do(t.Context(), post(t, "http://"+host+":80/x"))
		wantError(t, err, Refused, false, "")
		_, err = client.Dial(t.Context(), net.JoinHostPort(host, "25"))
		if own, ok := errors.AsType[*Error](err); !ok || own.Kind != Refused {
			t.Errorf("Dial %s: %v", host, err)
		}
	}
}
