// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package audit reads the audit log of an API server.
package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// An Event is a completed request about an object.
type Event struct {
	Received   time.Time `json:"requestReceivedTimestamp"`
	Verb       string
	RequestURI string
	ObjectRef  *struct{ Resource, Namespace, Name, Subresource, APIGroup string }
	// Annotations are those of the API server, such as authorization.k8s.io/decision.
	Annotations    map[string]string
	ResponseStatus struct{ Code int }
}

// IsForbidden reports whether the user had no right to the request. A 403 may have other reasons, such as a namespace that is being deleted.
func (e Event) IsForbidden() bool { return e.Annotations["authorization.k8s.io/decision"] == "forbid" }

// Creates reports whether a server-side apply created its object, for which the API server requires the right to create it, too.
func (e Event) Creates() bool {
	return e.Verb == "patch" && e.ResponseStatus.Code == http.StatusCreated
}

func (e Event) String() string { return e.Verb + " " + e.RequestURI }

// Read returns the requests of a ServiceAccount in a log, from an offset on. It leaves out the line that was being written when the
// offset was taken, and a last line that is not complete.
func Read(log string, since int64, namespace, account string) ([]Event, error) {
	user := fmt.Sprintf("system:serviceaccount:%s:%s", namespace, account)
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(max(0, since-1), io.SeekStart); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(f)
	if since > 0 { // skip the line that the offset is in
		if _, err := lines.ReadBytes('\n'); err != nil {
			return nil, ignoreEOF(err)
		}
	}
	var events []Event
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return events, ignoreEOF(err)
		}
		var e struct {
			Event
			Stage string
			User  struct{ Username string }
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if e.Stage == "ResponseComplete" && e.User.Username == user && e.ObjectRef != nil {
			events = append(events, e.Event)
		}
	}
}

// ignoreEOF returns nil for io.EOF.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
