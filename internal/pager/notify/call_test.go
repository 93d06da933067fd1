// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/version"
)

func TestCall(t *testing.T) {
	server := notifytest.NewServer(t)
	call := &notify.Call{Client: outboundtest.Client(t)}
	if e := call.Failure(time.Time{}); e == nil || e.Class != result.Configuration {
		t.Errorf("before any request: got %+v", e)
	}
	do := func() (status, body string, err error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", "a library")
		resp, err := call.Do(req)
		if err != nil {
			return "", "", err
		}
		defer resp.Body.Close()
		read, err := io.ReadAll(resp.Body)
		return resp.Status, string(read), err
	}
	server.Answer(notifytest.Status(http.StatusTeapot, "short"))
	if status, body, err := do(); err != nil || body != "short" || status != "418 I'm a teapot" {
		t.Errorf("got %s, %q, %v", status, body, err)
	}
	if e := call.Failure(time.Time{}); e == nil || e.Class != result.Configuration || e.Message != "HTTP 418 I'm a teapot" {
		t.Errorf("got %+v", e)
	}
	if agent := server.Requests()[0].Header.Get("User-Agent"); agent != version.UserAgent() {
		t.Errorf("sent as %q", agent)
	}

	server.Answer(notifytest.Status(http.StatusOK, "short", "Content-Length", "100"))
	if _, _, err := do(); err == nil || call.Failure(time.Time{}) != nil {
		t.Errorf("a body that is cut off: got %v", err)
	}

	server.Close()
	_, _, err := do()
	if own, ok := errors.AsType[*outbound.Error](err); !ok || own.Sent {
		t.Errorf("a closed port: got %v", err)
	}
	if e := call.Failure(time.Time{}); e == nil || e.Class != result.Temporary || e.Reason != result.ReasonConnectionFailed {
		t.Errorf("a closed port: got %+v", e)
	}
}
