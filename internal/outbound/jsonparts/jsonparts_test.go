// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package jsonparts_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/outbound/jsonparts"
)

// The parts of a value are those that encoding/json decodes.
func FuzzOf(f *testing.F) {
	for _, seed := range []string{`[]`, `{}`, ` [ 1 , "a\"]" , {"b":[2]} , null,true ]`, `{"a":1,"b":"}","c":{"d":[]},"a":-1.5e3}`, `[[[]],[{}]]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first := strings.TrimLeft(text, " \t\r\n")
		if !json.Valid([]byte(text)) || first[0] != '[' && first[0] != '{' {
			return
		}
		var got []json.RawMessage
		for part := range jsonparts.Of([]byte(text)) {
			got = append(got, part)
		}
		var want []json.RawMessage
		decoder := json.NewDecoder(strings.NewReader(text))
		_, _ = decoder.Token()
		for isName := first[0] == '{'; decoder.More(); {
			if isName && len(want)%2 == 0 {
				name, _ := decoder.Token()
				var decoded string
				if len(got) <= len(want) || json.Unmarshal(got[len(want)], &decoded) != nil || decoded != name {
					t.Fatalf("%s: part %d is not the name %q", text, len(want), name)
				}
				want = append(want, got[len(want)])
				continue
			}
			var value json.RawMessage
			if err := decoder.Decode(&value); err != nil {
				t.Fatal(err)
			}
			want = append(want, value)
		}
		if len(got) != len(want) {
			t.Fatalf("%s has %d parts, not %d", text, len(want), len(got))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("%s: part %d is %s, not %s", text, i, got[i], want[i])
			}
		}
	})
}

func TestCost(t *testing.T) {
	costtest.Linear(t, 1<<20, func(n int) []byte { return []byte("[" + strings.Repeat("0,", n) + "0]") }, func(text []byte) {
		n := 0
		for range jsonparts.Of(text) {
			n++
		}
	})
}
