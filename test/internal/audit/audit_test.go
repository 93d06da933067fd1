// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func line(stage, user, resource string) string {
	return fmt.Sprintf(`{"stage":%q,"verb":"get","requestURI":"/%s","user":{"username":%q},"objectRef":{"resource":%q}}`+"\n", stage, resource, user, resource)
}

func TestEvents(t *testing.T) {
	const done, me = "ResponseComplete", "system:serviceaccount:home:me"
	first, second := line(done, me, "first"), line(done, me, "second")
	whole := first + second + line("ResponseStarted", me, "begun") + line(done, "you", "other") + `{"stage":"ResponseComplete","user":{"username":"system:serviceaccount:home:me"}}` + "\n"
	for name, c := range map[string]struct {
		log   string
		since int
		want  []string
	}{
		"all":                        {whole, 0, []string{"get /first", "get /second"}},
		"from a line on":             {whole, len(first), []string{"get /second"}},
		"from within a line":         {whole, len(first) - 5, []string{"get /second"}},
		"from the end":               {whole, len(whole), nil},
		"one that is being written":  {first + second[:9], 0, []string{"get /first"}},
		"one that was, and still is": {first + second[:9], len(first) + 4, nil},
		"none yet":                   {"", 0, nil},
	} {
		path := filepath.Join(t.TempDir(), "audit.log")
		if err := os.WriteFile(path, []byte(c.log), 0o600); err != nil {
			t.Fatal(err)
		}
		events, err := Read(path, int64(c.since), "home", "me")
		if fmt.Sprint(events) != fmt.Sprint(c.want) || err != nil {
			t.Errorf("%s: %v, %v: want %v", name, events, err, c.want)
		}
	}
}
