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
