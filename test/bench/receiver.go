// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
)

// A receiver is an HTTP server that counts the pages about each Alert, or a notifier.
type receiver struct {
	url      string
	notifier http.Handler // answers the calls that respond accepts; nil: the receiver is a webhook
	server   *http.Server
	respond  responder
	healed   chan struct{}
	requests atomic.Int64

	mu       sync.Mutex
	pages    map[string]int // by the Alert's name
	lastBody []byte         // body of the last page
}

// A responder returns the status of an answer, and may block. Once healed is closed it returns 200.
type responder func(request *http.Request, healed <-chan struct{}) int

func respondOK(*http.Request, <-chan struct{}) int { return http.StatusOK }

func respondErrorUntilHealed(_ *http.Request, healed <-chan struct{}) int {
	select {
	case <-healed:
		return http.StatusOK
	default:
		return http.StatusInternalServerError
	}
}

func hangUntilHealed(request *http.Request, healed <-chan struct{}) int {
	select {
	case <-healed:
	case <-request.Context().Done(): // the client disconnected
	}
	return http.StatusOK
}

// newNotifier is newReceiver of a server of gRPC. It takes connections at once; respond is about the calls.
func newNotifier(ctx context.Context, respond responder) (*receiver, error) {
	return serveReceiver(ctx, &receiver{respond: respond, notifier: notifytest.NewGRPC("")})
}

// newReceiver serves until close.
func newReceiver(ctx context.Context, respond responder) (*receiver, error) {
	return serveReceiver(ctx, &receiver{respond: respond, pages: map[string]int{}})
}

func serveReceiver(ctx context.Context, r *receiver) (*receiver, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.url, r.healed = "http://"+listener.Addr().String(), make(chan struct{})
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute, Protocols: &http.Protocols{}}
	r.server.Protocols.SetHTTP1(true)
	r.server.Protocols.SetUnencryptedHTTP2(r.notifier != nil)
	go func() { _ = r.server.Serve(listener) }() // Serve returns only after close
	return r, nil
}

// provider returns what a Receiver needs to send here.
func (r *receiver) provider() v1beta1.Provider {
	if r.notifier != nil {
		return v1beta1.Provider{GRPC: &v1beta1.GRPCProvider{Address: r.url}}
	}
	return v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: r.url}}
}

func (r *receiver) close() { _ = r.server.Close() } // clients have no open requests by then

// heal makes the receiver confirm all messages from now on, those that it has not answered yet included.
func (r *receiver) heal() { close(r.healed) }

// ServeHTTP counts a page, and answers.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.requests.Add(1)
	if r.notifier != nil {
		r.serveCall(w, request)
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the client disconnected
	}
	if err := r.recordPage(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(r.respond(request, r.healed))
}

// serveCall answers a call of gRPC, whatever its method.
func (r *receiver) serveCall(w http.ResponseWriter, request *http.Request) {
	if status := r.respond(request, r.healed); status != http.StatusOK {
		w.WriteHeader(status)
		return
	}
	r.notifier.ServeHTTP(w, request)
}

// recordPage counts a message with the event alert.fired. A request for a catalog, to a broker that hangs, has none.
func (r *receiver) recordPage(body []byte) error {
	if len(body) == 0 {
		return nil
	}
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
		r.lastBody = body
	}
	return nil
}

// lastPageBody returns the body of the last page.
func (r *receiver) lastPageBody() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastBody
}

// checkPagedOnce fails unless there was one page about each of the first n Alerts, which name the receivers in turn.
func checkPagedOnce(n int, receivers ...*receiver) error {
	var errs []error
	for i := range n {
		if times := receivers[i%len(receivers)].pageCount(objectName(i)); times != 1 {
			errs = append(errs, fmt.Errorf("a receiver was paged %d times for Alert %s", times, objectName(i)))
		}
	}
	return joinFirst(errs)
}

func (r *receiver) pageCount(alert string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pages[alert]
}

// pagedCount returns about how many Alerts there was a page.
func (r *receiver) pagedCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pages)
}
