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
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A receiver is an HTTP server that is paged. It counts pages by Alert.
type receiver struct {
	url    string
	server *http.Server
	answer answer
	healed chan struct{}
	asked  atomic.Int64 // how often

	mu    sync.Mutex
	pages map[string]int // by the Alert's name
	last  []byte         // the last page's body
}

// An answer is the status that a receiver gives; it may take its time. Once it is healed it is to confirm.
type answer func(request *http.Request, healed <-chan struct{}) int

func confirms(*http.Request, <-chan struct{}) int { return http.StatusOK }

func refuses(_ *http.Request, healed <-chan struct{}) int {
	select {
	case <-healed:
		return http.StatusOK
	default:
		return http.StatusInternalServerError
	}
}

func hangs(request *http.Request, healed <-chan struct{}) int {
	select {
	case <-healed:
	case <-request.Context().Done(): // nobody listens any more
	}
	return http.StatusOK
}

// newReceiver serves until closed.
func newReceiver(ctx context.Context, answer answer) (*receiver, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + listener.Addr().String(), answer: answer, healed: make(chan struct{}), pages: map[string]int{}}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(listener) }() // it ends by close only
	return r, nil
}

func (r *receiver) close() { _ = r.server.Close() } // there is nobody left to answer

// heal has the receiver confirm from now on, also what it has not answered yet.
func (r *receiver) heal() { close(r.healed) }

// ServeHTTP counts a page and answers.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.asked.Add(1)
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // who asked is gone
	}
	if err := r.count(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(r.answer(request, r.healed))
}

// count notes a message, if it is a page.
func (r *receiver) count(body []byte) error {
	var message struct {
		Type string
		Data struct{ Name string }
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if message.Type == "alert.fired" {
		r.pages[message.Data.Name]++
		r.last = body
	}
	return nil
}

// lastPage is the body of the last page.
func (r *receiver) lastPage() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// checkPages fails unless each of the first n Alerts was paged once. The receivers have them in turn.
func checkPages(n int, receivers ...*receiver) error {
	var errs []error
	for i := range n {
		if times := receivers[i%len(receivers)].pagesOf(objectName(i)); times != 1 {
			errs = append(errs, fmt.Errorf("a receiver was paged %d times for Alert %s", times, objectName(i)))
		}
	}
	return some(errs)
}

func (r *receiver) pagesOf(alert string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pages[alert]
}
