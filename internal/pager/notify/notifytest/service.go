// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Service is a fake of a provider's service. It checks the contract: it refuses each request that the service refuses, with the service's error.
type Service interface {
	http.Handler
	// Seen returns the messages that people see, oldest first.
	Seen() []Seen
	// Sizes returns the sizes of the last message.
	Sizes() []Size
}

// Seen is a message as people see it.
type Seen struct {
	ID       string // the service's id
	Text     string // the whole text
	Resolved bool   // shown as resolved, or removed
	Links    string // buttons and the like, a line each as notify.Link.Line returns it; others are in Text
}

// linkLines returns the value of Seen.Links.
func linkLines(links []notify.Link) string {
	var lines []string
	for _, link := range links {
		lines = append(lines, link.Line())
	}
	return strings.Join(lines, "\n")
}

// Display has the messages of a service as people see them. The zero value is empty.
type Display struct {
	mu    sync.Mutex
	seen  []Seen
	sizes []Size
}

// Size is the size of a part of a message and its limit.
type Size struct {
	Part    string // of the message
	Used    int    // in the service's unit
	Max     int    // the service refuses or hides more
	Reserve int    // the part of Max that a sender leaves free on purpose
}

// Fits records the sizes of a message, and reports whether all are within the limits.
func (d *Display) Fits(sizes ...Size) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sizes = sizes
	return !slices.ContainsFunc(sizes, func(s Size) bool { return s.Used > s.Max })
}

// Sizes returns the sizes of the last message; none where the service has no limit that a message can reach.
func (d *Display) Sizes() []Size {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.sizes)
}

// Seen returns the messages that people see, oldest first.
func (d *Display) Seen() []Seen {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen)
}

// Put shows a message: instead of the one with its ID, or after all others. It reports whether there was one.
func (d *Display) Put(s Seen) (replaced bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.IndexFunc(d.seen, func(old Seen) bool { return old.ID == s.ID }); i >= 0 {
		d.seen[i] = s
		return true
	}
	d.seen = append(d.seen, s)
	return false
}

// Find returns the message with an ID.
func (d *Display) Find(id string) (Seen, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.seen, func(s Seen) bool { return s.ID == id })
	if i < 0 {
		return Seen{}, false
	}
	return d.seen[i], true
}

// LoseAnswers returns a service that handles the first n requests and loses their responses.
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
