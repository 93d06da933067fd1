// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// cluster is a Creator that records Events by name, and fails as a test says.
type cluster struct {
	events []Event
	err    error // of the next call
	lose   bool  // creates the Event, and returns err
}

func (c *cluster) Create(_ context.Context, e Event) (existed bool, err error) {
	if err, c.err = c.err, nil; err != nil && !c.lose {
		return false, err
	}
	for _, old := range c.events {
		if old.Namespace == e.Namespace && old.Name == e.Name {
			return true, err
		}
	}
	c.events = append(c.events, e)
	return false, err
}

const (
	delivery = "68f9d47abeaae53b202108cadff438cb"
	id       = "kubecon-alert.68f9d47abeaae53b"
)

func TestSend(t *testing.T) {
	for _, c := range []struct {
		why      string
		event    result.Event
		severity notify.Severity
		kind     string
		reason   string
		note     string
	}{
		{"fired", result.Fired, notify.Critical, "Warning", "AlertFired", "[Critical] Hi 🎉\nHello KubeCon 👋"},
		{"a warning", result.Fired, notify.Warning, "Warning", "AlertFired", "[Warning] Hi 🎉\nHello KubeCon 👋"},
		{"an information", result.Fired, notify.Info, "Normal", "AlertFired", "Hi 🎉\nHello KubeCon 👋"},
		{"updated", result.Updated, notify.Critical, "Warning", "AlertUpdated", "Updated: [Critical] Hi 🎉\nHello KubeCon 👋"},
		{"resolved", result.Resolved, notify.Critical, "Normal", "AlertResolved", "Resolved: [Critical] Hi 🎉\nHello KubeCon 👋"},
	} {
		t.Run(c.why, func(t *testing.T) {
			creator := &cluster{}
			m := notifytest.Message(c.event)
			m.Severity = c.severity
			got, err := New(creator).Send(t.Context(), m, notifytest.Key(delivery, "kubecon-alert.0000000000000000"))
			if want := (result.Receipt{ExternalID: id, Note: "the event was created"}); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			want := Event{
				Namespace: "shop", Name: id, RegardingName: "kubecon-alert", RegardingUID: "5f0c", Type: c.kind, Reason: c.reason,
				Action: "Notify", Note: c.note, Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
			}
			if len(creator.events) != 1 || creator.events[0] != want {
				t.Errorf("got %+v, want %+v", creator.events, want)
			}
		})
	}
}

// A repeat creates no second Event.
func TestRepeatCreatesNothing(t *testing.T) {
	creator := &cluster{err: &result.Error{Class: result.Unknown, Reason: result.ReasonTimeout, Message: "no answer"}, lose: true}
	s := New(creator)
	t.Cleanup(s.Close)
	if _, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key(delivery, "")); result.ClassOf(err) != result.Unknown {
		t.Fatalf("got %v", err)
	}
	got, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key(delivery, ""))
	if want := (result.Receipt{ExternalID: id, Note: "the event was there already"}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, event := range []result.Event{result.Updated, result.Resolved} {
		if _, err := s.Send(t.Context(), notifytest.Message(event), notifytest.Key(string(event), id)); err != nil {
			t.Error(err)
		}
	}
	var reasons []string
	for _, e := range creator.events {
		reasons = append(reasons, e.Reason)
	}
	if fmt.Sprint(reasons) != "[AlertFired AlertUpdated AlertResolved]" {
		t.Errorf("got %v", reasons)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		why, title, content string
		cut                 bool
	}{
		{"the longest that fits", strings.Repeat("t", 100), strings.Repeat("c", 1024-101-len("[Critical] ")), false},
		{"one byte longer", strings.Repeat("t", 100), strings.Repeat("c", 1025-101-len("[Critical] ")), true},
		{"characters of several bytes", strings.Repeat("😀", 256), "c", true},
	} {
		creator := &cluster{}
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent = c.title, c.content
		got, err := New(creator).Send(t.Context(), m, notifytest.Key(delivery, ""))
		if err != nil {
			t.Fatal(err)
		}
		note := creator.events[0].Note
		noted := got.Note == "the event was created; the note was cut to 1024 bytes"
		if len(note) > 1024 || strings.HasSuffix(note, "… [cut]") != c.cut || noted != c.cut {
			t.Errorf("%s: got %d bytes, %q", c.why, len(note), got.Note)
		}
	}
}

func TestFailures(t *testing.T) {
	gone := result.Error{Class: result.Permanent, Reason: result.ReasonGone, Message: "the namespace is being deleted"}
	busy := result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: time.Second, Message: "slow"}
	for _, c := range []struct {
		why   string
		event result.Event
		err   error
		note  string
		want  result.Error
	}{
		{"an error of the Creator", result.Resolved, fmt.Errorf("creating: %w", &busy), "", busy},
		{"fired in a namespace that is being deleted", result.Fired, &gone, "", gone},
		{"resolved in a namespace that is being deleted", result.Resolved, &gone, "the namespace is being deleted: no Event can be created in it", result.Error{}},
		{"an error without a class", result.Fired, errors.New("canary"), "",
			result.Error{Class: result.Unknown, Reason: result.ReasonConnectionFailed, Message: "the event may not have been created"}},
	} {
		got, err := New(&cluster{err: c.err}).Send(t.Context(), notifytest.Message(c.event), notifytest.Key(delivery, id))
		own, failed := errors.AsType[*result.Error](err)
		if got != (result.Receipt{Note: c.note}) || failed != (c.note == "") || failed && *own != c.want {
			t.Errorf("%s: got %+v, %+v; want %q, %+v", c.why, got, err, c.note, c.want)
		}
	}
}

func TestName(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	for _, c := range []struct{ why, alert, key, want string }{
		{"the alert's and the key's", "a.b", delivery, "a.b.68f9d47abeaae53b"},
		{"a key that is not hexadecimal", "a", "delivery", "a.b4af39d5b65a1484"},
		{"or too short", "a", "68f9", "a.8d8c6cd2be83ddd7"},
		{"the longest that fits", strings.Repeat("a", 236), delivery, strings.Repeat("a", 236) + ".68f9d47abeaae53b"},
		{"cut", strings.Repeat("a", 237), delivery, strings.Repeat("a", 236) + ".68f9d47abeaae53b"},
		{"cut before a character that may not be the last", strings.Repeat("a", 234) + "-.-b", delivery, strings.Repeat("a", 234) + ".68f9d47abeaae53b"},
	} {
		if got := eventName(c.alert, c.key); got != c.want || len(got) > 253 || !valid.MatchString(got) {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
}
