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
