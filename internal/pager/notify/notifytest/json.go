// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// readJSON decodes a body, and refuses unknown members, which the real service would ignore.
func readJSON(body io.Reader, into any) error {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// isJSON reports whether a request has the content type of JSON.
func isJSON(r *http.Request) bool { return r.Header.Get("Content-Type") == "application/json" }

// replyInJSON writes a response.
func replyInJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// echoSize returns the size of a text that a service repeats in its response, which the sender must be able to read.
func echoSize(text string) Size {
	return Size{
		Part: "answer", Used: notify.Size(text, notify.JSON),
		Max: outbound.DefaultMaxBody, Reserve: outbound.DefaultMaxBody - notify.MaxEcho,
	}
}

// saysResolved reports whether people read in a text that the alert is resolved.
func saysResolved(text string) bool { return strings.HasPrefix(text, "Resolved: ") }
