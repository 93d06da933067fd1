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

// Package audit reads what an API server logs of requests.
package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// An Event is a request about an object that is done.
type Event struct {
	Received   time.Time `json:"requestReceivedTimestamp"`
	Verb       string
	RequestURI string
	ObjectRef  *struct{ Resource, Namespace, Name, Subresource, APIGroup string }
}

func (e Event) String() string { return e.Verb + " " + e.RequestURI }

// Events are the requests of a ServiceAccount, of those in a log from an offset on. The line that
// was being written when the offset was taken is left out, and so is one that still is.
func Events(log string, since int64, namespace, account string) ([]Event, error) {
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
	if since > 0 { // up to the end of the line before, at least
		if _, err := lines.ReadBytes('\n'); err != nil {
			return nil, atEnd(err)
		}
	}
	var events []Event
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return events, atEnd(err)
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

// atEnd is what is wrong with an error of reading; nil: that was the end.
func atEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
