// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/outbound/jsonparts"
)

const (
	maxDepth   = 64
	maxMembers = 10_000
)

// object reads members of a JSON object, by their exact names, and remembers the first that has the wrong type. A member that is null counts as
// absent.
type object struct {
	path    string
	members map[string]json.RawMessage
	problem *error // of the whole document
}

// readObject reads a document that must be an object.
func readObject(document []byte) *object { return readNested(document, maxDepth) }

// readNested is readObject for a document that may be nested as deep as is said.
func readNested(document []byte, levels int) *object {
	o := &object{problem: new(error)}
	document = bytes.TrimPrefix(document, []byte("\ufeff"))
	switch {
	case len(bytes.TrimSpace(document)) == 0:
		o.fail("it is empty, and must be a JSON object")
	case !utf8.Valid(document), !json.Valid(document):
		o.fail("it is not JSON")
	case depth(document) > levels:
		o.fail(fmt.Sprintf("it is nested deeper than %d levels", levels))
	case kindOf(document) != "an object":
		o.fail("it must be a JSON object, not " + kindOf(document))
	default:
		o.open(document)
	}
	return o
}

// open takes an object apart whose text is valid. Its members are parts of the text.
func (o *object) open(text []byte) {
	o.members = map[string]json.RawMessage{}
	name, isName := "", false
	for part := range jsonparts.Of(text) {
		if isName = !isName; isName {
			name = ""
			_ = json.Unmarshal(part, &name) // valid, as the whole is
			continue
		}
		if o.members[name] = part; len(o.members) > maxMembers {
			o.fail(fmt.Sprintf("%s must have at most %d fields", o.name(""), maxMembers))
			return
		}
	}
}

func (o *object) err() error { return *o.problem }

func (o *object) fail(problem string) {
	if *o.problem == nil {
		*o.problem = errors.New(problem)
	}
}

// name is how errors call a member, or the object itself.
func (o *object) name(member string) string {
	switch {
	case member == "" && o.path == "":
		return "it"
	case member == "":
		return o.path
	case o.path == "":
		return member
	}
	return o.path + "." + member
}

func (o *object) want(member, wanted string, value []byte) {
	o.fail(o.name(member) + " must be " + wanted + ", not " + kindOf(value))
}

// get returns a member that is present and not null.
func (o *object) get(member string) (json.RawMessage, bool) {
	value, ok := o.members[member]
	return value, ok && kindOf(value) != "null"
}

func (o *object) text(member string) string {
	value, ok := o.get(member)
	if !ok {
		return ""
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		o.want(member, "a string", value)
	}
	return text
}

func (o *object) flag(member string) *bool {
	value, ok := o.get(member)
	if !ok {
		return nil
	}
	var flag bool
	if json.Unmarshal(value, &flag) != nil {
		o.want(member, "true or false", value)
		return nil
	}
	return &flag
}

// isSet is a flag whose default is false.
func (o *object) isSet(member string) bool {
	flag := o.flag(member)
	return flag != nil && *flag
}

// isFalse reports whether a flag, whose default is true, is false.
func (o *object) isFalse(member string) bool {
	flag := o.flag(member)
	return flag != nil && !*flag
}

// raw is an object that is passed on as it is written.
func (o *object) raw(member string) json.RawMessage { return bytes.Clone(o.part(member)) }

// part is a member that has to be an object, within the text.
func (o *object) part(member string) json.RawMessage {
	value, ok := o.get(member)
	if !ok {
		return nil
	}
	if kindOf(value) != "an object" {
		o.want(member, "an object", value)
		return nil
	}
	return value
}

// elements returns the elements of an array, as they are written, with their indexes.
func (o *object) elements(member string) iter.Seq2[int, json.RawMessage] {
	value, ok := o.get(member)
	if ok && kindOf(value) != "an array" {
		o.want(member, "an array", value)
		ok = false
	}
	return func(yield func(int, json.RawMessage) bool) {
		if !ok {
			return
		}
		i := 0
		for part := range jsonparts.Of(value) {
			if !yield(i, part) {
				return
			}
			i++
		}
	}
}

// list are the elements of an array that has to be short.
func (o *object) list(member string) []json.RawMessage {
	var list []json.RawMessage
	for i, part := range o.elements(member) {
		if i == maxMembers {
			o.fail(fmt.Sprintf("%s must have at most %d elements", o.name(member), maxMembers))
			return nil
		}
		list = append(list, part)
	}
	return list
}

func (o *object) texts(member string) []string {
	var texts []string
	for i, value := range o.list(member) {
		var text string
		if json.Unmarshal(value, &text) != nil || kindOf(value) == "null" {
			o.want(fmt.Sprintf("%s[%d]", member, i), "a string", value)
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}

// object is a member that is an object; one that is not there has no members.
func (o *object) object(member string) *object {
	return o.nested(member, o.part(member))
}

// nested is an object within this one, whose text is valid.
func (o *object) nested(member string, text []byte) *object {
	child := &object{path: o.name(member), problem: o.problem}
	if text != nil {
		child.open(text)
	}
	return child
}

// time is a moment as ISO 8601 writes it, with any number of digits after the second.
func (o *object) time(member string) time.Time {
	text := o.text(member)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	o.fail(o.name(member) + " must be a time such as 2030-01-31T12:00:00.0Z")
	return time.Time{}
}

// seconds returns a whole number of seconds.
func (o *object) seconds(member string) time.Duration {
	value, ok := o.get(member)
	if !ok {
		return 0
	}
	seconds, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || seconds < 0 {
		o.fail(o.name(member) + " must be a whole number of seconds")
		return 0
	}
	return time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second
}

// kindOf returns the type of a valid JSON text for messages, such as "an array".
func kindOf(text []byte) string {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) == 0 {
		return "nothing"
	}
	switch text[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// depth is how deep a valid JSON text is nested.
func depth(text []byte) int {
	now, deepest, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}
