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

package notifytest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
)

// Service stands in for a provider's service, and holds who talks to it to the contract: what the service would refuse, it
// refuses in the service's words.
type Service interface {
	http.Handler
	// Seen is what people see, oldest first.
	Seen() []Seen
}

// Seen is a message as people see it.
type Seen struct {
	ID       string // as the service calls it
	Text     string // all that people read of it
	Resolved bool   // it is shown as resolved, or was taken away
}

// Board is what people see of a service. The zero value is empty.
type Display struct {
	mu    sync.Mutex
	seen  []Seen
	sizes []Size
}

// Size is how much of a service's limit a message takes.
type Size struct {
	Part    string // of the message
	Used    int    // in the unit in which the service counts
	Max     int    // the service refuses more, or does not show it
	Reserve int    // how much of Max a sender leaves free on purpose
}

// Fits records how large a message is, and reports whether all of it is within the service's limits.
func (b *Display) Fits(sizes ...Size) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sizes = sizes
	return !slices.ContainsFunc(sizes, func(s Size) bool { return s.Used > s.Max })
}

// Sizes are those of the last message. There are none where the service has no limit that a message could reach.
func (b *Display) Sizes() []Size {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sizes)
}

// Seen is what people see, oldest first.
func (b *Display) Seen() []Seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seen)
}

// Put shows a message: in place of the one with its ID, if there is one, or after all others. It says whether there was.
func (b *Display) Put(s Seen) (replaced bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.IndexFunc(b.seen, func(old Seen) bool { return old.ID == s.ID }); i >= 0 {
		b.seen[i] = s
		return true
	}
	b.seen = append(b.seen, s)
	return false
}

// Find returns the message with an ID.
func (b *Display) Find(id string) (Seen, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.seen, func(s Seen) bool { return s.ID == id })
	if i < 0 {
		return Seen{}, false
	}
	return b.seen[i], true
}

// LoseAnswers lets a service do what the first n requests ask for, and never tells who asked.
func LoseAnswers(service http.Handler, n int) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		lose := n > 0
		n--
		mu.Unlock()
		if !lose {
			service.ServeHTTP(w, r)
			return
		}
		service.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}
