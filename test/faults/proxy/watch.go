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

// watchEvent is one event of a watch.
type watchEvent struct {
	Type       string          `json:"type"`
	Object     json.RawMessage `json:"object"`
	name       string
	receivedAt time.Time
	isEnd      bool // the watch is over
}

const eventDelay = 1500 * time.Millisecond

var expiredEvent = watchEvent{Type: "ERROR", Object: json.RawMessage(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old resource version","code":410}`)}

// objectName is the name of an object that was sent.
func objectName(object []byte) string {
	var o struct{ Metadata struct{ Name string } }
	if json.Unmarshal(object, &o) != nil {
		return protobufName(object)
	}
	return o.Metadata.Name
}

// protobufName is the name of an object that client-go wrote as protobuf: in an envelope,
// and with its metadata as the first member, whatever its kind.
func protobufName(object []byte) string {
	var envelope runtime.Unknown
	var o metav1.PartialObjectMetadata
	raw, ok := bytes.CutPrefix(object, []byte("k8s\x00"))
	if !ok || envelope.Unmarshal(raw) != nil || o.Unmarshal(envelope.Raw) != nil {
		return "?"
	}
	return o.Name
}

// serveWatch forwards a watch, event by event, unless something else is to happen to them.
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
	frames := make(chan watchEvent)
	go decodeEvents(r, response, frames)
	cut, gone := s.Injector.watchSignals()
	s.waitAt(ctx, s.caughtUp, t.resource)
	v := &watchStream{server: s, w: w, resource: t.resource, frames: frames}
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
		case f := <-frames:
			if f.isEnd {
				v.writePending(ctx)
				return
			}
			v.deliver(ctx, f)
		}
	}
}

// waitAt has a kind's watch wait at a gate, and a little longer: one kind catches up after the other.
func (s *APIServer) waitAt(ctx context.Context, g *gate, resource string) {
	if g.wait(ctx) {
		Sleep(ctx, s.Injector.catchUpDelay(resource))
	}
}

// decodeEvents takes frames off a response.
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

// watchStream is who shows a watch's events to a process.
type watchStream struct {
	server   *APIServer
	w        http.ResponseWriter
	resource string
	frames   <-chan watchEvent

	pending *watchEvent      // to be merged with the next about its object
	due     <-chan time.Time // when it is shown in any case
	expiry  <-chan time.Time // when the watch is too old, as an event was left out
}

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

// mergedType is the one event that two make; "": none.
func mergedType(first, second string) string {
	switch {
	case first == "ADDED" && second == "DELETED":
		return ""
	case first == "ADDED":
		return "ADDED"
	case first == "DELETED": // and made anew
		return "MODIFIED"
	}
	return second
}

func (v *watchStream) writePending(ctx context.Context) {
	if v.pending != nil {
		v.write(ctx, *v.pending)
		v.pending, v.due = nil, nil
	}
}

// write shows an event, unless the process sees nothing just now.
func (v *watchStream) write(ctx context.Context, f watchEvent) {
	v.server.waitAt(ctx, v.server.Injector.freezeGate(v.server), v.resource)
	_ = json.NewEncoder(v.w).Encode(f)
	_ = http.NewResponseController(v.w).Flush()
}
