// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package marketplace

import (
	"slices"
	"testing"
)

func TestFields(t *testing.T) {
	const schema = `{
		"$schema": "http://json-schema.org/draft-07/schema#",
		"definitions": {"size": {"type": "integer", "minimum": 1, "maximum": 64, "default": 5}},
		"type": "object", "required": ["region"],
		"properties": {
			"region": {"type": "string", "enum": ["eu", "us"], "description": "Where it runs"},
			"storage": {"$ref": "#/definitions/size", "title": "GiB"},
			"name": {"type": ["string", "null"], "maxLength": 20, "pattern": "^[a-z]+$"},
			"users": {"type": "array", "items": {"type": "object", "required": ["login"], "properties": {"login": {"type": "string", "format": "email"}}}},
			"backup": {"allOf": [{"type": "object", "properties": {"enabled": {"type": "boolean", "const": true}}}]},
			"anything": {}, "accepted": true,
			"self": {"$ref": "#"}
		}}`
	got, err := Fields([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	got = slices.DeleteFunc(got, func(f Field) bool { return len(f.Path) > 5 && f.Path[:5] == "self." })
	want := []Field{
		{Path: "anything", Type: "any"},
		{Path: "backup", Type: "object"},
		{Path: "backup.enabled", Type: "boolean", Allowed: "true"},
		{Path: "name", Type: "string|null", Allowed: "at most 20 characters; matches ^[a-z]+$"},
		{Path: "region", Type: "string", Required: true, Allowed: "eu, us", Description: "Where it runs"},
		{Path: "self", Type: "object"},
		{Path: "storage", Type: "integer", Default: "5", Allowed: "1 to 64", Description: "GiB"},
		{Path: "users", Type: "array of object"},
		{Path: "users[].login", Type: "string", Required: true, Allowed: "email"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestFieldsOfNoSchema(t *testing.T) {
	for _, schema := range []string{"", "[]", "nonsense"} {
		if _, err := Fields([]byte(schema)); err == nil {
			t.Errorf("%q was accepted", schema)
		}
	}
}
