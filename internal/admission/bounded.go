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

package admission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/internal/keyed"
	"github.com/gophernetes/bellhop/internal/redact"
)

const (
	// baseWeight and weightPerByte bound what the elements of arrays and the entries of maps of a request take once they are decoded: an
	// element of three bytes becomes a whole struct.
	baseWeight, weightPerByte = 512 << 10, 8
	// maxDepth is that of encoding/json.
	maxDepth = 10_000
	// largeBody is the size of the largest body that is served beside others, in bytes.
	largeBody = 256 << 10
)

// Bounds bounds requests to webhooks before they are decoded.
type Bounds struct {
	weights weights
	// large bounds the large requests that are served at a time: one of API servers, and one of other clients.
	large keyed.Semaphores[bool]
}

// NewBounds returns the bounds of requests about the kinds of a scheme.
func NewBounds(scheme *runtime.Scheme) *Bounds { return &Bounds{weights: weightsOf(scheme)} }

// Serve serves a webhook, and refuses requests that would take many times their size once they are decoded.
func (b *Bounds) Serve(hook http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the body of the request cannot be read", http.StatusBadRequest)
			return
		}
		if problem := b.weights.check(body); problem != "" {
			refuse(w, body, problem)
			return
		}
		if len(body) > largeBody {
			leave, err := b.large.Acquire(r.Context(), CallerOf(r.Context()).IsAPIServer, 1, 1)
			if err != nil {
				http.Error(w, "other large requests are served", http.StatusServiceUnavailable)
				return
			}
			defer leave()
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		hook.ServeHTTP(w, r)
	})
}

// refuse answers a review. It decodes nothing of its objects.
func refuse(w http.ResponseWriter, body []byte, problem string) {
	var review struct {
		metav1.TypeMeta `json:",inline"`
		Request         struct {
			UID types.UID `json:"uid"`
		} `json:"request"`
	}
	if err := json.Unmarshal(body, &review); err != nil {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	result := metav1.Status{Status: metav1.StatusFailure, Code: http.StatusRequestEntityTooLarge, Reason: metav1.StatusReasonRequestEntityTooLarge, Message: problem}
	var answer any = admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &result}}
	if review.Kind == "ConversionReview" {
		answer = apiextensionsv1.ConversionReview{TypeMeta: review.TypeMeta, Response: &apiextensionsv1.ConversionResponse{UID: review.Request.UID, Result: result}}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// level is an array or object within a text.
type level struct {
	isArray, isMap, isFree bool
	weight                 int    // of each of its elements or entries
	name                   []byte // of the field that is read
}

// check returns what is wrong with a request; empty: nothing. It decodes nothing, and leaves it to the decoder to refuse what is no JSON.
// What does not begin as an object would be decoded as YAML, for many times its size.
func (w weights) check(text []byte) string {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) > 0 && text[0] != '{' {
		return "the body of the request must be a JSON object"
	}
	left := baseWeight + weightPerByte*len(text)
	var levels []level
	var last []byte // string
	for i := 0; i < len(text); i++ {
		var top *level
		if len(levels) > 0 {
			top = &levels[len(levels)-1]
		}
		switch c := text[i]; c {
		case '"':
			begin := i + 1
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			last = text[begin:min(i, len(text))]
		case ':':
			if top != nil {
				if top.name = last; top.isMap {
					left -= top.weight
				}
			}
		case '{', '[':
			next := w.open(levels, c == '[')
			if next.isArray && !next.isFree && top != nil && (top.isArray || isObject(levels)) {
				return pathOf(levels) + " must be an object"
			}
			if next.isArray {
				left -= next.weight
			}
			if levels = append(levels, next); len(levels) > maxDepth {
				return fmt.Sprintf("%s has more than %d levels", pathOf(levels), maxDepth)
			}
		case ']', '}':
			if top != nil {
				levels = levels[:len(levels)-1]
			}
		case ',':
			if top != nil && top.isArray {
				left -= top.weight
			}
		}
		if left < 0 {
			return fmt.Sprintf("%s has too many elements: once decoded, all elements of a request may take %d bytes, and %d for each byte of its text", pathOf(levels), baseWeight, weightPerByte)
		}
	}
	return ""
}

// open returns the array or object that begins within these levels.
func (w weights) open(levels []level, isArray bool) level {
	next := level{isArray: isArray}
	if len(levels) == 0 {
		return next
	}
	top := levels[len(levels)-1]
	if next.isFree = top.isFree || w.isFree(levels); next.isFree {
		return next
	}
	name := top.name
	if top.isMap {
		name = levels[len(levels)-2].name
	}
	isEscaped := bytes.IndexByte(name, '\\') >= 0
	switch weight, isKnown := w.elements[string(name)]; {
	case isArray && isKnown && !isEscaped:
		next.weight = weight
	case isArray:
		next.weight = unknownWeight
	case isEscaped || w.maps[string(name)]:
		next.isMap, next.weight = true, entryWeight
	}
	return next
}

// isFree reports whether the field that is read has no schema: the fields that are named so elsewhere have one, or are no fields.
func (w weights) isFree(levels []level) bool {
	if len(levels) < 3 || !w.freeNames[string(levels[len(levels)-1].name)] || !isObject(levels[:2]) {
		return false
	}
	var path strings.Builder
	for i, l := range levels[2:] {
		if l.isArray || path.Len() > maxPath {
			return false
		}
		if i > 0 {
			path.WriteByte('.')
		}
		path.Write(l.name)
	}
	return w.free[path.String()]
}

// isObject reports whether the field that is read is an object of an admission review.
func isObject(levels []level) bool {
	return len(levels) == 2 && string(levels[0].name) == "request" && (string(levels[1].name) == "object" || string(levels[1].name) == "oldObject")
}

// maxPath is how many bytes of a path are shown.
const maxPath = 200

// pathOf returns the path of the value that is read.
func pathOf(levels []level) string {
	var path strings.Builder
	for _, l := range levels {
		if path.Len() > maxPath {
			return redact.Shorten(path.String(), maxPath)
		}
		if l.isArray {
			continue
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		path.Write(l.name[:min(len(l.name), maxPath)])
	}
	return path.String()
}
