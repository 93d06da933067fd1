// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbresult

import (
	"encoding/json"
	"testing"
)

// F-B24: the URL of a log drain is beside the credentials in the protocol, and a key of the Secret.
func TestForSecret(t *testing.T) {
	const url = "syslog://user:pass@logs.example:514/?a=1&b=2"
	for name, test := range map[string]struct {
		credentials, drain, want string
	}{
		"without a drain":             {`{"port": 3306.0}`, "", `{"port": 3306.0}`},
		"with a drain":                {`{"port": 3306.0}`, url, `{"port":3306.0,"syslog_drain_url":"syslog://user:pass@logs.example:514/?a=1\u0026b=2"}`},
		"the drain alone":             {`{}`, url, `{"syslog_drain_url":"syslog://user:pass@logs.example:514/?a=1\u0026b=2"}`},
		"null":                        {`null`, "syslog://x", `{"syslog_drain_url":"syslog://x"}`},
		"the credentials have it too": {`{"syslog_drain_url":"mine"}`, url, `{"syslog_drain_url":"mine"}`},
		"not an object":               {`[1]`, url, `[1]`},
		"no credentials were told":    {"", url, ""},
	} {
		b := Binding{SyslogDrainURL: test.drain}
		if test.credentials != "" {
			b.Credentials = json.RawMessage(test.credentials)
		}
		if got := string(b.ForSecret()); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// F-B24: what is remembered of a service without credentials is no secret.
func TestIsWithoutCredentials(t *testing.T) {
	none := (&Binding{}).WithoutCredentials()
	if !none.IsWithoutCredentials() {
		t.Error("a service without credentials has some")
	}
	if none.SyslogDrainURL = "syslog://x"; none.IsWithoutCredentials() {
		t.Error("a service with a log drain has nothing for the Secret")
	}
}
