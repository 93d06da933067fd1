// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

const (
	// maxDepth is the limit of encoding/json.
	maxDepth = 10_000
	// maxPath is how many bytes of a path are shown.
	maxPath = 200
	// maxKnownName is how many bytes of a name are kept. All known names are shorter.
	maxKnownName = maxPath + 1
)

// scan reads the text of a request. It decodes nothing: the decoder refuses text that is no JSON. Each byte is read once, and each name once more, by
// any text after it.
type scan struct {
	weights

	text      []byte
	left      int // bytes that elements may still take
	levels    []level
	last      []byte // string
	namespace string // of the object; empty: none
	visited   int    // bytes of names that were looked up, and levels of paths; tests compare it
}

// level is an array or object within a text.
type level struct {
	isArray, isMap, isFree bool
	weight                 int       // of each of its elements or entries
	name                   []byte    // of the field that is read, at most maxKnownName bytes; nil: none
	field                  fieldKind // that is read
}

// fieldKind describes the value of a field.
type fieldKind struct {
	isMap, isFree bool
	weight        int // of each element, if it is an array
}

func newScan(w weights, text []byte) *scan {
	text = bytes.TrimLeft(text, " \t\r\n")
	return &scan{weights: w, text: text, left: baseWeight + weightPerByte*len(text)}
}

// run returns the problem of a request as a sentence; empty: none. Text that does not begin as an object would be decoded as YAML, which takes many
// times its size.
func (s *scan) run() string {
	if len(s.text) > 0 && s.text[0] != '{' {
		return "the body of the request must be a JSON object"
	}
	for i := 0; i < len(s.text); i++ {
		switch c := s.text[i]; c {
		case '"':
			begin := i + 1
			for i++; i < len(s.text) && s.text[i] != '"'; i++ {
				if s.text[i] == '\\' {
					i++
				}
			}
			s.last = s.text[begin:min(i, len(s.text))]
			s.readNamespace()
		case ':':
			s.beginValue()
		case ',':
			s.endValue()
		case '{', '[':
			if problem := s.open(c == '['); problem != "" {
				return problem
			}
		case ']', '}':
			s.levels = s.levels[:max(len(s.levels)-1, 0)]
		}
		if s.left < 0 {
			return fmt.Sprintf("%s has too many elements: once decoded, all elements of a request may take %d bytes, and %d for each byte of its text", s.path(), baseWeight, weightPerByte)
		}
	}
	return ""
}

// top returns the innermost level; nil: the text has none yet.
func (s *scan) top() *level {
	if len(s.levels) == 0 {
		return nil
	}
	return &s.levels[len(s.levels)-1]
}

// beginValue begins the value of the field whose name was read last.
func (s *scan) beginValue() {
	top := s.top()
	if top == nil || top.isArray {
		return
	}
	name := s.last[:min(len(s.last), maxKnownName)]
	top.name, s.last = name, nil
	s.left -= top.weight
	if top.isFree || top.isMap {
		return // the values of a map are all of one type
	}
	path := s.freePath()
	s.visited += len(name) + len(path)
	weight, isKnown := s.elements[string(name)]
	switch {
	case s.free[path]:
		top.field = fieldKind{isFree: true}
	case bytes.IndexByte(name, '\\') >= 0: // it may be any
		top.field = fieldKind{isMap: true, weight: s.heaviest}
	case isKnown:
		top.field = fieldKind{isMap: s.maps[string(name)], weight: weight}
	default:
		top.field = fieldKind{isMap: s.maps[string(name)], weight: unknownWeight}
	}
}

// endValue ends an element or a field, after which there is another one.
func (s *scan) endValue() {
	top := s.top()
	if top == nil {
		return
	}
	if top.isArray {
		s.left -= top.weight
		return
	}
	top.name = nil
}

// open begins an array or object, and returns its problem as a sentence; empty: none.
func (s *scan) open(isArray bool) string {
	next := level{isArray: isArray}
	if top := s.top(); top != nil {
		next.isFree = top.isFree || top.field.isFree
		switch {
		case next.isFree:
		case isArray && (top.isArray || isObject(s.levels)):
			return s.path() + " must be an object"
		case isArray:
			next.weight, next.field.weight = top.field.weight, unknownWeight
			s.left -= next.weight
		case top.field.isMap:
			next.isMap, next.weight, next.field = true, entryWeight, top.field
		case len(s.levels) <= 3 && isObject(s.levels[:min(len(s.levels), 2)]): // an object, its spec or metadata, whose fields are read into a map
			next.weight = entryWeight
		}
	}
	if s.levels = append(s.levels, next); len(s.levels) > maxDepth {
		return fmt.Sprintf("%s has more than %d levels", s.path(), maxDepth)
	}
	return ""
}

// freePath returns the path, within its object, of the field that is read; empty: no field without a schema has its name. Fields that are named
// so elsewhere have a schema, or are no fields.
func (s *scan) freePath() string {
	if depth := len(s.levels) - 2; depth < 1 || depth > s.freeDepths[string(s.top().name)] || !isObject(s.levels[:2]) {
		return ""
	}
	var path strings.Builder
	for i, l := range s.levels[2:] {
		if s.visited++; l.isArray {
			return ""
		}
		if i > 0 {
			path.WriteByte('.')
		}
		path.Write(l.name)
	}
	return path.String()
}

// isObject reports whether the field that is read is an object of an admission review.
func isObject(levels []level) bool {
	return len(levels) == 2 && string(levels[0].name) == "request" && (string(levels[1].name) == "object" || string(levels[1].name) == "oldObject")
}

// readNamespace keeps the string that was read last if it is the namespace of the object: of a review, or of the first object of a conversion.
func (s *scan) readNamespace() {
	if depth := len(s.levels); s.namespace != "" || depth != 2 && depth != 5 || string(s.top().name) != "namespace" {
		return // the path of any other depth is another one: it is not built for each string, however deep it is
	}
	if path := s.path(); path == "request.namespace" || path == "request.objects.metadata.namespace" {
		s.namespace = string(s.last)
	}
}

// path returns the path of the value that is read.
func (s *scan) path() string {
	var path strings.Builder
	for _, l := range s.levels {
		if s.visited++; path.Len() > maxPath {
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
