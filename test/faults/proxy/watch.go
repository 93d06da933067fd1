// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// watchEvent is an event of a watch, in the JSON of the API server.
type watchEvent struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`

	objectName string
	receivedAt time.Time
	isEnd      bool // not an event: the API server has ended the watch
}

// eventDelay is how long the faults Late and Merge delay an event, and after how long a watch expires that omitted one (Hide).
const eventDelay = 1500 * time.Millisecond

// expiredEvent ends a watch whose resourceVersion is too old: the client lists again.
var expiredEvent = watchEvent{
	Type:   "ERROR",
	Object: json.RawMessage(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old resource version","code":410}`),
}

// unknownName stands for the name of an object that cannot be decoded.
const unknownName = "?"

// objectName returns the name of an object that a request or an event has, as JSON or protobuf.
func objectName(encoded []byte) string {
	var object struct{ Metadata struct{ Name string } }
	if json.Unmarshal(encoded, &object) != nil {
		return protobufName(encoded)
	}
	return object.Metadata.Name
}

// protobufName returns the name of an object that client-go encoded as protobuf: an envelope after a magic number. All kinds have the
// metadata as their first member, so that the type of the object need not be known.
func protobufName(encoded []byte) string {
	envelopeBytes, isProtobuf := bytes.CutPrefix(encoded, []byte("k8s\x00"))
	if !isProtobuf {
		return unknownName
	}
	var envelope runtime.Unknown
	var object metav1.PartialObjectMetadata
	if envelope.Unmarshal(envelopeBytes) != nil || object.Unmarshal(envelope.Raw) != nil {
		return unknownName
	}
	return object.Name
}

// serveWatch forwards a watch event by event, and injects the faults of watches.
func (s *APIServer) serveWatch(w http.ResponseWriter, r *http.Request, target resourcePath, query url.Values) {
	ctx := r.Context()
	response, err := s.send(ctx, r, target.path(), query, nil)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	_ = http.NewResponseController(w).Flush()
	events := make(chan watchEvent)
	go decodeEvents(ctx, response.Body, events)
	cut, expired := s.Injector.watchSignals()
	s.waitForCatchUp(ctx, s.caughtUp, target.resource)
	stream := &watchStream{server: s, response: w, resource: target.resource, events: events}
	stream.forward(ctx, cut, expired)
}

// waitForCatchUp returns at once where the gate is open. Otherwise it waits for the gate, and then for the delay of the resource: the
// watches of a process catch up one after the other, as they do after a real failure.
func (s *APIServer) waitForCatchUp(ctx context.Context, g *gate, resource string) {
	if g.wait(ctx) {
		Sleep(ctx, s.Injector.catchUpDelay(resource))
	}
}

// decodeEvents sends the events of a watch to a channel, and at its end one with isEnd.
func decodeEvents(ctx context.Context, body io.Reader, events chan<- watchEvent) {
	decoder := json.NewDecoder(body)
	for {
		var event watchEvent
		event.isEnd = decoder.Decode(&event) != nil
		event.objectName, event.receivedAt = objectName(event.Object), time.Now()
		select {
		case events <- event:
		case <-ctx.Done():
			return
		}
		if event.isEnd {
			return
		}
	}
}

// watchStream writes the events of a watch to a process of the operator.
type watchStream struct {
	server   *APIServer
	response http.ResponseWriter
	resource string
	events   <-chan watchEvent // from the API server

	// pending is an event that the fault Merge delays, to merge it with the next event of the object; nil: none.
	pending *watchEvent
	// pendingDue fires when pending is written although no event has followed.
	pendingDue <-chan time.Time
	// expiry fires when the watch expires, because the fault Hide has omitted an event of it.
	expiry <-chan time.Time
}

// forward writes events until the watch ends: because of the client, the API server, a fault, or a signal of the injector. cut closes
// the connection; expired ends the watch as expiredEvent does.
func (s *watchStream) forward(ctx context.Context, cut, expired *Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-cut.Done:
			return
		case <-expired.Done:
			s.write(ctx, expiredEvent)
			return
		case <-s.expiry:
			s.write(ctx, expiredEvent)
			return
		case <-s.pendingDue:
			s.writePending(ctx)
		case event := <-s.events:
			if event.isEnd {
				s.writePending(ctx)
				return
			}
			s.deliver(ctx, event)
		}
	}
}

// deliver writes an event, or delays, merges or omits it.
func (s *watchStream) deliver(ctx context.Context, event watchEvent) {
	if event.Type == "BOOKMARK" || event.Type == "ERROR" {
		s.write(ctx, event)
		return
	}
	fault := s.server.Injector.interceptEvent(s.resource, StripRunName(event.objectName))
	switch {
	case fault == Hide:
		s.expiry = time.After(eventDelay)
		return
	case fault == Merge:
		s.pending, s.pendingDue = &event, time.After(eventDelay)
		return
	case fault == Late:
		Sleep(ctx, time.Until(event.receivedAt.Add(eventDelay)))
	case s.pending != nil && s.pending.objectName == event.objectName:
		event.Type = mergedType(s.pending.Type, event.Type)
		s.pending, s.pendingDue = nil, nil
		if event.Type == "" {
			return
		}
	}
	s.write(ctx, event)
}

// mergedType returns the type of the event that stands for two events of an object; "": the client gets no event.
func mergedType(first, second string) string {
	switch {
	case first == "ADDED" && second == "DELETED":
		return ""
	case first == "ADDED":
		return "ADDED"
	case first == "DELETED": // the second is the ADDED of a new object with the name
		return "MODIFIED"
	}
	return second
}

// writePending writes the event that no later one was merged with, if there is one.
func (s *watchStream) writePending(ctx context.Context) {
	if s.pending != nil {
		s.write(ctx, *s.pending)
		s.pending, s.pendingDue = nil, nil
	}
}

// write writes an event, after the fault Frozen or Standby lets the watches of the process continue.
func (s *watchStream) write(ctx context.Context, event watchEvent) {
	s.server.waitForCatchUp(ctx, s.server.Injector.freezeGate(s.server), s.resource)
	_ = json.NewEncoder(s.response).Encode(event)
	_ = http.NewResponseController(s.response).Flush()
}
