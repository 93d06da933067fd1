// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
)

// Fault makes the broker do otherwise than it should. Requests that break the protocol, or
// have no right to be there, are refused as always.
type Fault struct {
	// On, ID and Match select calls: by the operation, by the id of the instance or binding, and by a predicate. An empty field matches any call.
	On    osb.Operation
	ID    string
	Match func(Call) bool
	// Times is for how many calls; 0: until it is lifted.
	Times int

	// Acts: the broker carries out the request before the rest of the fault happens. Its answer may then be lost.
	Acts bool
	// Hold lets the call wait until it is closed.
	Hold <-chan struct{}
	// Answer replaces the broker's own answer; nil: the broker's own.
	Answer Answer
	// Failure is how the operation ends that the call begins.
	Failure *Failure

	lifted bool
}

// Failure is an operation that ends badly: a polled one with "failed", any other with a
// status 500. A creation that fails leaves remains, which are there until they are removed.
type Failure struct {
	Description string
	// Unusable and NotRepeatable are said of it.
	Unusable, NotRepeatable bool
}

// Answer writes the answer to a call.
type Answer func(w http.ResponseWriter, r *http.Request, c Call)

// Inject adds a fault; among several that match, the last one added happens. It goes on
// until it has happened often enough, or is lifted.
func (b *Broker) Inject(f Fault) (lift func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fault := &f
	b.faults = append(b.faults, fault)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.lift(fault)
	}
}

func (b *Broker) lift(f *Fault) {
	f.lifted = true
	b.faults = slices.DeleteFunc(b.faults, func(other *Fault) bool { return other == f })
}

// fault returns the fault that applies to the call; the zero value: there is none.
func (b *Broker) fault(c Call) Fault {
	for _, f := range slices.Backward(b.faults) {
		if f.On != "" && f.On != c.Operation || f.ID != "" && f.ID != c.ID() || f.Match != nil && !f.Match(c) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				b.lift(f)
			}
		}
		return *f
	}
	return Fault{}
}

// Status answers with a status, a body, and header lines as name and value in turn.
func Status(code int, body string, header ...string) Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ Call) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// Error answers with a status and an error as the protocol writes it.
func Error(code int, word, description string, header ...string) Answer {
	return Status(code, string(errorText(word, description)), append(header, "Content-Type", "application/json")...)
}

// Drop closes the connection without an answer.
func Drop(http.ResponseWriter, *http.Request, Call) { panic(http.ErrAbortHandler) }

// Hang never answers.
func Hang(_ http.ResponseWriter, r *http.Request, _ Call) { <-r.Context().Done() }

// Drip answers with a status and an endless body, one byte at each interval.
func Drip(code int, interval time.Duration) Answer {
	return func(w http.ResponseWriter, r *http.Request, _ Call) {
		w.WriteHeader(code)
		text := []byte("{")
		for ticker := time.NewTicker(interval); ; {
			_, _ = w.Write(text)
			_ = http.NewResponseController(w).Flush()
			text = []byte(" ")
			select {
			case <-ticker.C:
			case <-r.Context().Done():
				ticker.Stop()
				return
			}
		}
	}
}

// Flood answers with a status, and a body that has no end.
func Flood(code int) Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ Call) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"description":"`)
		for block := []byte(strings.Repeat("x", 4096)); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
}

// Echo answers with an error that repeats the secrets of the request: the credentials, as they came and decoded, and the parameters, also each of
// their texts by itself.
func Echo(code int, word string) Answer {
	return func(w http.ResponseWriter, r *http.Request, c Call) {
		authorization := r.Header.Get("Authorization")
		_, encoded, _ := strings.Cut(authorization, " ")
		decoded, _ := base64.StdEncoding.DecodeString(encoded)
		said := fmt.Sprintf("cannot do it: %s %s %s", authorization, decoded, r.URL)
		var body struct {
			Parameters any `json:"parameters"`
		}
		if json.Unmarshal(c.Body, &body) == nil {
			said += " with " + strings.Join(texts(body.Parameters), ", ") + " in " + string(c.Body)
		}
		Error(code, word, said)(w, r, c)
	}
}

// texts are all strings and numbers in a value.
func texts(value any) []string {
	switch v := value.(type) {
	case map[string]any:
		var all []string
		for _, member := range v {
			all = append(all, texts(member)...)
		}
		slices.Sort(all)
		return all
	case []any:
		var all []string
		for _, element := range v {
			all = append(all, texts(element)...)
		}
		return all
	case nil:
		return nil
	}
	return []string{fmt.Sprint(value)}
}

// InOrder answers one call after the other, and from then on as the last.
func InOrder(answers ...Answer) Answer {
	next := make(chan Answer, len(answers))
	for _, answer := range answers[:len(answers)-1] {
		next <- answer
	}
	return func(w http.ResponseWriter, r *http.Request, c Call) {
		select {
		case answer := <-next:
			answer(w, r, c)
		default:
			answers[len(answers)-1](w, r, c)
		}
	}
}
