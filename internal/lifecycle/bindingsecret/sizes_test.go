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

package bindingsecret

import (
	"fmt"
	"testing"
)

// F-S41: what is remembered of credentials is the size of each value, and bounded.
func TestSizes(t *testing.T) {
	data := map[string][]byte{"password": []byte("hunter2"), "empty": nil}
	again := SizesOf(data).Placeholders()
	if len(again) != 2 || string(again["password"]) != "xxxxxxx" || len(again["empty"]) != 0 {
		t.Errorf("%q", again)
	}
	if none := SizesOf(nil).Placeholders(); none != nil {
		t.Errorf("%q", none)
	}
	many := map[string][]byte{}
	for i := range 1000 {
		many[fmt.Sprintf("%0250d", i)] = nil
	}
	if n := len(SizesOf(many)); n != maxNames/250 {
		t.Errorf("%d names are kept", n)
	}
}
