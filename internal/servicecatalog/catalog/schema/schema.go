// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package schema checks parameters against the JSON Schemas of plans. A schema comes
// from a broker and is trusted with nothing: it is limited in size, depth and work,
// fetches nothing, and where it cannot be used there is a warning and no error. The
// broker has the last word anyway.
package schema

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// maxSchema is the protocol's limit, in bytes.
	maxSchema = 64 << 10
	// maxParameters is how many bytes of parameters are checked.
	maxParameters = 256 << 10
	// maxDepth is how deep a schema or parameters may be.
	maxDepth = 64
	// maxNumber is how long a number may be. Numbers are compared exactly, so that
	// 1e999999 would take a million digits.
	maxNumber = 64
	// maxConcurrent is how many checks run at once, in the whole process.
	maxConcurrent = 2
)

// Options say how parameters are checked.
type Options struct {
	// Path is the path of the parameters, as spec.parameters.
	Path *field.Path
	// Origins are the places of the parameters that come from elsewhere, by name.
	Origins map[string]string
	// Partial says that there are more parameters, which are not known yet: nothing
	// is found missing, and nothing is refused that they could set right.
	Partial bool
	// ShowValues lets errors repeat values. Without it they have paths and rules only.
	ShowValues bool
}

// timeout is how long a check may take, waiting included.
var timeout = 250 * time.Millisecond

var (
	known   = newCache(maxCached)
	running = make(chan struct{}, maxConcurrent)
)

// Validate checks parameters, a JSON object, against a schema. No schema allows everything; no parameters are an empty object. The result is
// errors, each with the path of a field and the values that the schema allows there, or a warning, which says why nothing was checked, or neither.
func Validate(ctx context.Context, schema *runtime.RawExtension, parameters []byte, o Options) (errs field.ErrorList, warning string) {
	if schema == nil || len(schema.Raw) == 0 || string(schema.Raw) == "null" {
		return nil, ""
	}
	if len(bytes.TrimSpace(parameters)) == 0 {
		parameters = []byte("{}")
	}
	if len(parameters) > maxParameters {
		return nil, unchecked("they have %d bytes, of which %d are checked at most", len(parameters), maxParameters)
	}
	if len(schema.Raw) > maxSchema {
		return nil, unchecked("the schema has %d bytes, where %d are allowed", len(schema.Raw), maxSchema)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	entry := known.get(sha256.Sum256(schema.Raw), len(schema.Raw))
	// One at a time of the same schema, and only then one of all that run: a schema
	// that takes long keeps no others waiting.
	for _, slot := range []chan struct{}{entry.slot, running} {
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-ctx.Done():
			return nil, unchecked("too many others are being checked")
		}
	}
	value, depth, err := decode(parameters)
	if err != nil {
		return nil, unchecked("they are %s", err)
	}
	compiled, err := entry.compile(ctx, schema.Raw)
	if err != nil {
		return nil, unchecked("the plan's schema cannot be used: %s", shorten(err.Error()))
	}
	if errs, err = compiled.run(ctx, value, depth, o); err != nil {
		return nil, unchecked("%s", err)
	}
	return errs, ""
}

// Required returns the names of the parameters that a schema requires at its top level.
func Required(schema *runtime.RawExtension) []string {
	var top struct {
		Required []string `json:"required"`
	}
	if schema == nil || len(schema.Raw) > maxSchema || json.Unmarshal(schema.Raw, &top) != nil {
		return nil
	}
	return top.Required
}

func unchecked(reason string, args ...any) string {
	return "the parameters are not checked against the plan's schema: " + fmt.Sprintf(reason, args...)
}

// decode reads JSON without losing digits, counts its levels, and refuses a text that would cost too much to check.
func decode(raw []byte) (value any, deepest int, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	for depth := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, errors.New("not JSON")
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			if deepest = max(deepest, depth); depth > maxDepth {
				return nil, 0, fmt.Errorf("more than %d levels deep", maxDepth)
			}
		case json.Number:
			if !isReasonable(t.String()) {
				return nil, 0, fmt.Errorf("of numbers that have more than %d digits", maxNumber)
			}
		}
	}
	if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(raw)); err != nil {
		return nil, 0, errors.New("not JSON")
	}
	return value, deepest, nil
}
