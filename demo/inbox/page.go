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

package inbox

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
)

//go:embed page.html
var pageHTML string

// The template escapes all values according to their context.
var page = template.Must(template.New("page").Parse(pageHTML))

// servePage shows the accepted messages, the newest first. The page has no scripts and loads nothing else; it reloads itself.
func (i *Inbox) servePage(w http.ResponseWriter, _ *http.Request) {
	messages := slices.DeleteFunc(i.Messages(), func(m Message) bool { return m.Accepted == 0 })
	slices.Reverse(messages)
	var html bytes.Buffer
	if err := page.Execute(&html, messages); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeResponse(w, http.StatusOK, http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'"},
		"Cache-Control":           {"no-store"},
	}, html.String())
}

func (i *Inbox) serveMessages(w http.ResponseWriter, _ *http.Request) {
	body, err := json.MarshalIndent(i.Messages(), "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeResponse(w, http.StatusOK, http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, string(body)+"\n")
}
