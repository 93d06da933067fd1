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

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// endpoint stands in front of a model of a broker or receiver.
type endpoint struct {
	injector       *injector
	kill           func()                          // the process that calls
	name           func(*http.Request) string      // of a call
	observe        func(*http.Request)             // sees each call before it is carried out
	obsoleteCheck  func(*http.Request) func() bool // says whether one that the network keeps from now on comes to nothing
	onAccepted     func(*http.Request)             // sees what was carried out, and said to be under way
	operationsFail func() bool                     // what was begun comes to nothing, so that nobody says it is done
	model          http.Handler
}

// ServeHTTP is a request of the operator. What the model is told to do, it does also if the
// one who asked for it is gone by then.
func (s *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
		if s.observe != nil {
			s.observe(r)
		}
		s.model.ServeHTTP(w, lasting())
	}
	act := s.injector.intercept(r.Context(), call{seam: seamOutside, name: r.Method + " " + s.name(r), mutates: r.Method != http.MethodGet})
	a, other := outsideAnswers[act.answer]
	switch {
	case act.killBefore:
		s.kill()
		panic(http.ErrAbortHandler)
	case act.killAfter:
		carryOut(discardWriter{http.Header{}})
		s.kill()
		panic(http.ErrAbortHandler)
	case act.delayed:
		isOvertaken := s.obsoleteCheck(r)
		s.injector.delayGate.wait(context.Background())
		if isOvertaken() {
			panic(http.ErrAbortHandler)
		}
		s.model.ServeHTTP(w, lasting()) // that it was right to ask for it was true before
	case !other:
		carryOut(w)
	default:
		if a.acts || a.accepts || a.removes && r.Method == http.MethodDelete {
			said := httptest.NewRecorder()
			carryOut(said)
			refused := (a.accepts || strings.HasPrefix(s.name(r), receiverPrefix)) && a.write != nil && said.Code/100 != 2
			isThere := a.removes && r.Method == http.MethodDelete && said.Code != http.StatusOK && said.Code != http.StatusGone
			isBegun := a.accepts && act.answer != accepted && said.Code == http.StatusAccepted && s.operationsFail()
			isMade := act.answer == accepted && r.Method == http.MethodPut && said.Code == http.StatusOK
			if refused || isThere || isBegun || isMade { // who does not take it, has not removed it or need not make it does not say so
				respondWith(said.Code, said.Body.String())(w, r)
				return
			}
		}
		if act.answer == accepted {
			s.onAccepted(r)
		}
		if a.write == nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		a.write(w, r)
	}
}

// start starts a server for it.
func (s *endpoint) start() *httptest.Server { return httptest.NewServer(s) }

// receiverPrefix begins the names of requests to receivers.
const receiverPrefix = "receiver "
