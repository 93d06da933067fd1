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

package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// Endpoint stands in front of a model of a broker or receiver.
type Endpoint struct {
	Injector       *Injector
	Kill           func()                          // the process that calls
	Name           func(*http.Request) string      // of a call
	Observe        func(*http.Request)             // sees each call before it is carried out
	ObsoleteCheck  func(*http.Request) func() bool // says whether one that the network keeps from now on comes to nothing
	OnAccepted     func(*http.Request)             // sees what was carried out, and said to be under way
	OperationsFail func() bool                     // what was begun comes to nothing, so that nobody says it is done
	Model          http.Handler
}

// ServeHTTP is a request of the operator. What the model is told to do, it does also if the
// one who asked for it is gone by then.
func (s *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	lasting := func() *http.Request {
		again := r.Clone(context.WithoutCancel(r.Context()))
		again.Body = io.NopCloser(bytes.NewReader(body))
		return again
	}
	carryOut := func(w http.ResponseWriter) {
		if s.Observe != nil {
			s.Observe(r)
		}
		s.Model.ServeHTTP(w, lasting())
	}
	act := s.Injector.intercept(r.Context(), Call{Seam: SeamOutside, Name: r.Method + " " + s.Name(r), Mutates: r.Method != http.MethodGet})
	a, other := outsideAnswers[act.answer]
	switch {
	case act.killBefore:
		s.Kill()
		panic(http.ErrAbortHandler)
	case act.killAfter:
		carryOut(discardWriter{http.Header{}})
		s.Kill()
		panic(http.ErrAbortHandler)
	case act.delayed:
		isOvertaken := s.ObsoleteCheck(r)
		s.Injector.delayGate.wait(context.Background())
		if isOvertaken() {
			panic(http.ErrAbortHandler)
		}
		s.Model.ServeHTTP(w, lasting()) // that it was right to ask for it was true before
	case !other:
		carryOut(w)
	default:
		if a.acts || a.accepts || a.removes && r.Method == http.MethodDelete {
			said := httptest.NewRecorder()
			carryOut(said)
			refused := (a.accepts || strings.HasPrefix(s.Name(r), ReceiverPrefix)) && a.write != nil && said.Code/100 != 2
			isThere := a.removes && r.Method == http.MethodDelete && said.Code != http.StatusOK && said.Code != http.StatusGone
			isBegun := a.accepts && act.answer != accepted && said.Code == http.StatusAccepted && s.OperationsFail()
			isMade := act.answer == accepted && r.Method == http.MethodPut && said.Code == http.StatusOK
			if refused || isThere || isBegun || isMade { // who does not take it, has not removed it or need not make it does not say so
				RespondWith(said.Code, said.Body.String())(w, r)
				return
			}
		}
		if act.answer == accepted {
			s.OnAccepted(r)
		}
		if a.write == nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		a.write(w, r)
	}
}

// Start starts a server for it.
func (s *Endpoint) Start() *httptest.Server { return httptest.NewServer(s) }

// ReceiverPrefix begins the names of requests to receivers.
const ReceiverPrefix = "receiver "
