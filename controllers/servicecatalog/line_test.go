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

package servicecatalog

import (
	"testing"
	"time"
)

// TestWhatWaitsSaysSoInTurn: a broker that stops answering has many wait, and all at once.
func TestWhatWaitsSaysSoInTurn(t *testing.T) {
	l := line{news: &pace{}}
	first, second := &waiting{}, &waiting{}
	for _, where := range []*waiting{first, second, first} {
		l.sayAt(where, t0)
	}
	if got := []time.Time{first.says, second.says}; !got[0].Equal(t0) || !got[1].Equal(t0.Add(newsInterval)) {
		t.Errorf("they say so at %v", got)
	}
	if l.news.allows(t0) {
		t.Error("others may say something at the same time")
	}
	if later := t0.Add(time.Hour); !l.sayAt(&waiting{}, later).Equal(later) {
		t.Error("one alone has to wait for long")
	}
	if later := t0.Add(2 * time.Hour); !l.news.allows(later) || l.news.allows(later) {
		t.Error("it is not one at a time")
	}
}
