// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/apitest"
)

const (
	register   = "register team --namespaced --username bellhop --password-stdin --url http://127.0.0.1:9"
	deregister = "deregister team --namespaced"

	broker, secret, otherSecret = "servicebrokers/team", "secrets/team-broker", "secrets/team-broker-RANDOM"
)

// run runs a command line, and fails unless its exit code is as wanted.
func run(t *testing.T, s *apitest.Server, input, args string, want int) string {
	t.Helper()
	out, code := s.Run(t, input, args)
	if code != want {
		t.Errorf("%s: exit code %d, want %d:\n%s", args, code, want, out)
	}
	return out
}

// names are the objects of a server as RESOURCE/NAME, where the suffix of a Secret is RANDOM.
func names(s *apitest.Server) (all []string) {
	for _, name := range s.Names() {
		all = append(all, suffix.ReplaceAllString(name, "-broker-RANDOM"))
	}
	return all
}

var suffix = regexp.MustCompile(`-broker-\w{5}$`)

// once calls do before the first write of a resource.
func once(method, resource string, do func(http.ResponseWriter) bool) func(http.ResponseWriter, *http.Request) bool {
	isDone := false
	return func(w http.ResponseWriter, r *http.Request) bool {
		if isDone || !apitest.IsWrite(r, method, resource) {
			return false
		}
		isDone = true
		return do(w)
	}
}

func TestDeregisterDuringAnotherWrite(t *testing.T) {
	for name, test := range map[string]struct {
		other func(*testing.T, *apitest.Server)
		code  int
		out   string
		left  []string
	}{
		"a correction": {other: func(t *testing.T, s *apitest.Server) { run(t, s, "second\n", register, 0) }},
		"a new status": {other: func(_ *testing.T, s *apitest.Server) { s.Edit(broker, func(*unstructured.Unstructured) {}) }},
		"a deletion":   {other: func(_ *testing.T, s *apitest.Server) { s.Edit(broker, nil) }, out: "was deleted meanwhile"},
		"another registration": {
			other: func(t *testing.T, s *apitest.Server) {
				s.Edit(broker, nil)
				run(t, s, "second\n", register, 0)
			},
			code: 1, out: "the broker was deleted meanwhile, and created again", left: []string{otherSecret, broker},
		},
		"other values": {
			other: func(_ *testing.T, s *apitest.Server) {
				s.Edit(broker, func(*unstructured.Unstructured) {})
				s.Edit(secret, func(u *unstructured.Unstructured) {
					_ = unstructured.SetNestedField(u.Object, "c2Vjb25k", "data", "password")
				})
			},
			code: 1, out: `secret/team-broker in namespace "default" was not deleted`, left: []string{secret},
		},
	} {
		s := apitest.New(t)
		run(t, s, "first\n", register, 0)
		s.Before = once(http.MethodDelete, "servicebrokers", func(http.ResponseWriter) bool {
			test.other(t, s)
			return false
		})
		out := run(t, s, "", deregister, test.code)
		if left := names(s); !strings.Contains(out, test.out) || !slices.Equal(left, test.left) {
			t.Errorf("%s: left %q, want %q:\n%s", name, left, test.left, out)
		}
	}
}

// What the flags do not give stays.
func TestRegisterKeepsCredentials(t *testing.T) {
	s := apitest.New(t)
	caFile := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(caFile, []byte("a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, s, "right\n", register+" --ca-file="+caFile, 0)
	out := run(t, s, "", "register team --namespaced --url http://127.0.0.1:10", 0)
	if want := []string{secret, broker}; !slices.Equal(names(s), want) {
		t.Errorf("there is %q, want %q:\n%s", names(s), want, out)
	}
	for _, test := range []struct {
		field []string
		want  any
	}{
		{[]string{"url"}, "http://127.0.0.1:10"},
		{[]string{"authInfo", "basic", "secretRef", "name"}, "team-broker"},
		{[]string{"caBundle"}, base64.StdEncoding.EncodeToString([]byte("a certificate"))},
	} {
		if got := s.Field(broker, append([]string{"spec"}, test.field...)...); got != test.want {
			t.Errorf("%q is %v, want %v", test.field, got, test.want)
		}
	}
	run(t, s, "", "register team --namespaced --url http://127.0.0.1:10 --insecure-skip-broker-tls-verify", 0)
	if got := s.Field(broker, "spec", "caBundle"); got != nil {
		t.Errorf("certificates stay beside --insecure-skip-broker-tls-verify: %v", got)
	}
}

// The Secret of a run that got no answer is the one of the next run, if it has the same values and no broker uses it.
func TestRegisterUsesTheSecretOfAFormerRun(t *testing.T) {
	for _, test := range []struct {
		password, other string
		want            []string
	}{
		{"first\n", "", []string{secret, broker}},
		{"second\n", "", []string{secret, otherSecret, broker}},
		{"first\n", "register other --namespaced --url http://127.0.0.1:9 --auth-secret team-broker", []string{secret, otherSecret, "servicebrokers/other", broker}},
	} {
		s := apitest.New(t)
		s.After = once(http.MethodPost, "secrets", func(w http.ResponseWriter) bool {
			w.WriteHeader(http.StatusGatewayTimeout)
			return true
		})
		if out := run(t, s, "first\n", register, 1); !strings.Contains(out, `it is not known whether secret/team-broker in namespace "default" is stored`) {
			t.Errorf("got:\n%s", out)
		}
		if test.other != "" {
			run(t, s, "", test.other, 0)
		}
		out := run(t, s, test.password, register, 0)
		if got := names(s); !slices.Equal(got, test.want) {
			t.Errorf("there is %q, want %q:\n%s", got, test.want, out)
		}
	}
}

func TestRegisterRefusesFlags(t *testing.T) {
	for _, flag := range []string{"--relist-every=-5m", "--secret-namespace=bellhop-system"} {
		s := apitest.New(t)
		if out := run(t, s, "right\n", register+" "+flag, 2); !strings.Contains(out, strings.TrimSuffix(flag, "=bellhop-system")) || len(s.Names()) > 0 {
			t.Errorf("%s: left %q:\n%s", flag, s.Names(), out)
		}
	}
}
