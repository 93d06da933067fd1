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
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// watchEvent is an event of a watch.
type watchEvent struct {
	Type       string          `json:"type"`
	Object     json.RawMessage `json:"object"`
	name       string
	receivedAt time.Time
	isEnd      bool // the watch has ended
}

// eventDelay is how long an event is held back.
const eventDelay = 1500 * time.Millisecond

// expiredEvent ends a watch whose resourceVersion is too old.
var expiredEvent = watchEvent{Type: "ERROR", Object: json.RawMessage(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old resource version","code":410}`)}

// objectName returns the name of an object from the body of a request or from an event.
func objectName(object []byte) string {
	var o struct{ Metadata struct{ Name string } }
	if json.Unmarshal(object, &o) != nil {
		return protobufName(object)
	}
	return o.Metadata.Name
}

// protobufName returns the name of an object that client-go encoded as protobuf: an envelope, with the metadata as first member
// of the object, whatever its kind.
func protobufName(object []byte) string {
	var envelope runtime.Unknown
	var o metav1.PartialObjectMetadata
	raw, ok := bytes.CutPrefix(object, []byte("k8s\x00"))
	if !ok || envelope.Unmarshal(raw) != nil || o.Unmarshal(envelope.Raw) != nil {
		return "?"
	}
	return o.Name
}

// serveWatch forwards a watch event by event, and applies faults to them.
func (s *APIServer) serveWatch(w http.ResponseWriter, r *http.Request, t resourcePath, query url.Values) {
	ctx := r.Context()
	response, err := s.send(ctx, r, t.path(), query, nil)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	_ = http.NewResponseController(w).Flush()
	events := make(chan watchEvent)
	go decodeEvents(r, response, events)
	cut, gone := s.Injector.watchSignals()
	s.waitAt(ctx, s.caughtUp, t.resource)
	v := &watchStream{server: s, w: w, resource: t.resource, events: events}
	for {
		select {
		case <-ctx.Done():
			return
		case <-cut.Done:
			return
		case <-gone.Done:
			v.write(ctx, expiredEvent)
			return
		case <-v.expiry:
			v.write(ctx, expiredEvent)
			return
		case <-v.due:
			v.writePending(ctx)
		case f := <-events:
			if f.isEnd {
				v.writePending(ctx)
				return
			}
			v.deliver(ctx, f)
		}
	}
}

// waitAt blocks the watch of a resource at a gate, and then for a delay: resources catch up one after the other.
func (s *APIServer) waitAt(ctx context.Context, g *gate, resource string) {
	if g.wait(ctx) {
		Sleep(ctx, s.Injector.catchUpDelay(resource))
	}
}

// decodeEvents reads events from a response.
func decodeEvents(r *http.Request, response *http.Response, to chan<- watchEvent) {
	decoder := json.NewDecoder(response.Body)
	for {
		var f watchEvent
		f.isEnd = decoder.Decode(&f) != nil
		f.name, f.receivedAt = objectName(f.Object), time.Now()
		select {
		case to <- f:
		case <-r.Context().Done():
			return
		}
		if f.isEnd {
			return
		}
	}
}

// watchStream writes the events of a watch to a process.
type watchStream struct {
	server   *APIServer
	w        http.ResponseWriter
	resource string
	events   <-chan watchEvent

	pending *watchEvent      // to be merged with the next event of its object
	due     <-chan time.Time // when pending is written in any case
	expiry  <-chan time.Time // when the watch expires, as an event was omitted
}

// deliver writes an event, or delays, merges or omits it.
func (v *watchStream) deliver(ctx context.Context, f watchEvent) {
	if f.Type == "BOOKMARK" || f.Type == "ERROR" {
		v.write(ctx, f)
		return
	}
	switch kind := v.server.Injector.interceptEvent(v.resource, StripRunName(f.name)); {
	case kind == Hide:
		v.expiry = time.After(eventDelay)
		return
	case kind == Merge:
		v.pending, v.due = &f, time.After(eventDelay)
		return
	case kind == Late:
		Sleep(ctx, time.Until(f.receivedAt.Add(eventDelay)))
	case v.pending != nil && v.pending.name == f.name:
		f.Type = mergedType(v.pending.Type, f.Type)
		v.pending, v.due = nil, nil
		if f.Type == "" {
			return
		}
	}
	v.write(ctx, f)
}

// mergedType returns the type of the event that two events make; "": none.
func mergedType(first, second string) string {
	switch {
	case first == "ADDED" && second == "DELETED":
		return ""
	case first == "ADDED":
		return "ADDED"
	case first == "DELETED": // and created again
		return "MODIFIED"
	}
	return second
}

// writePending writes an event that no later one was merged with.
func (v *watchStream) writePending(ctx context.Context) {
	if v.pending != nil {
		v.write(ctx, *v.pending)
		v.pending, v.due = nil, nil
	}
}

// write writes an event once the watches of the process are not frozen.
func (v *watchStream) write(ctx context.Context, f watchEvent) {
	v.server.waitAt(ctx, v.server.Injector.freezeGate(v.server), v.resource)
	_ = json.NewEncoder(v.w).Encode(f)
	_ = http.NewResponseController(v.w).Flush()
}
