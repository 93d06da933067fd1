// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fields are the fields of a status, whose form its controller chooses: a field of another form than expected reads as absent.
type fields map[string]any

// hasMore is a field that Trim sets in a status of which it has removed fields.
const hasMore = "hasMore"

func statusOf(o *unstructured.Unstructured) fields { return fields(o.Object).object("status") }

// isEmpty reports whether a controller has reported nothing; some set the generation alone at the creation.
func (f fields) isEmpty() bool {
	for name, value := range f {
		list, isList := value.([]any)
		object, isObject := value.(map[string]any)
		isNothing := value == nil || isList && len(list) == 0 || isObject && len(object) == 0
		if name != "observedGeneration" && !isNothing {
			return false
		}
	}
	return true
}

func (f fields) object(name string) fields {
	object, _ := f[name].(map[string]any)
	return object
}

// objects returns the objects of a list.
func (f fields) objects(name string) []fields {
	list, _ := f[name].([]any)
	var found []fields
	for _, element := range list {
		if object, ok := element.(map[string]any); ok {
			found = append(found, object)
		}
	}
	return found
}

// text returns a text, as which a boolean or a number counts, too.
func (f fields) text(name string) string {
	switch value := f[name].(type) {
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case int64:
		return strconv.FormatInt(value, 10)
	case float64:
		return strconv.FormatFloat(value, 'g', -1, 64)
	}
	return ""
}

// number returns a number, as which a text such as "4" counts, too (Argo Rollouts).
func (f fields) number(name string) int64 {
	n, err := strconv.ParseInt(f.text(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// time returns a time of RFC 3339; zero if the field is absent, or another text.
func (f fields) time(name string) time.Time {
	at, err := time.Parse(time.RFC3339, f.text(name))
	if err != nil {
		return time.Time{}
	}
	return at
}

// A condition is one of a status, in the form that the conventions of the API describe, or in one like it.
type condition struct {
	kind, status, reason, message string
	since                         time.Time
	observedGeneration            int64
}

type conditions []condition

// conditions returns the conditions of a status: from a list, or from a map by type.
func (f fields) conditions() conditions {
	var found conditions
	switch value := f["conditions"].(type) {
	case []any:
		for _, element := range value {
			if c, ok := element.(map[string]any); ok {
				found = append(found, readCondition(fields(c).text("type"), c))
			}
		}
	case map[string]any:
		for _, kind := range slices.Sorted(maps.Keys(value)) {
			if c, ok := value[kind].(map[string]any); ok {
				found = append(found, readCondition(kind, c))
			} else {
				found = append(found, condition{kind: kind, status: normalizeStatus(fields(value).text(kind))})
			}
		}
	}
	return found
}

func readCondition(kind string, f fields) condition {
	return condition{
		kind: kind, status: normalizeStatus(f.text("status")), reason: f.text("reason"), message: f.text("message"),
		since: f.time("lastTransitionTime"), observedGeneration: f.number("observedGeneration"),
	}
}

// normalizeStatus returns the status of a condition as the conventions spell it.
func normalizeStatus(text string) string {
	for _, status := range []string{statusTrue, statusFalse, statusUnknown} {
		if strings.EqualFold(text, status) {
			return status
		}
	}
	return text
}

func (cs conditions) find(kind string) *condition {
	for i := range cs {
		if cs[i].kind == kind {
			return &cs[i]
		}
	}
	return nil
}

// findAs returns the condition of a type if it has a status.
func (cs conditions) findAs(kind, status string) *condition {
	if c := cs.find(kind); c != nil && c.status == status {
		return c
	}
	return nil
}

// kinds returns the types, separated by commas.
func (cs conditions) kinds() string {
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = c.kind
	}
	return strings.Join(names, ", ")
}
