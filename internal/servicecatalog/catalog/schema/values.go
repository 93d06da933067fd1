// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

func isType(v any, name string) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case json.Number:
		return name == "number" || name == "integer" && exact(v).IsInt()
	case string:
		return name == "string"
	case []any:
		return name == "array"
	default:
		return name == "object"
	}
}

// size returns of how many values a value consists. A long text counts as several.
func size(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) / 64
	case map[string]any:
		return len(v)
	case []any:
		return len(v)
	default:
		return 0
	}
}

// total is size at every depth.
func total(v any) int {
	n := 1
	if text, ok := v.(string); ok {
		n += size(text)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			n += total(member)
		}
	case []any:
		for _, item := range v {
			n += total(item)
		}
	}
	return n
}

// fingerprint returns a string that is equal for two JSON values exactly if the values are; 1 and 1.0 are equal.
func fingerprint(v any) string {
	var out strings.Builder
	var write func(any)
	write = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			out.WriteByte('{')
			for _, name := range slices.Sorted(maps.Keys(v)) {
				out.WriteString(strconv.Quote(name))
				write(v[name])
			}
			out.WriteByte('}')
		case []any:
			out.WriteByte('[')
			for _, item := range v {
				write(item)
			}
			out.WriteByte(']')
		case string:
			out.WriteString(strconv.Quote(v))
		case json.Number:
			out.WriteString(exact(v).RatString() + ",")
		default: // true, false, null
			fmt.Fprint(&out, v, ",")
		}
	}
	write(v)
	return out.String()
}

// exact converts a number; decode has refused numbers that are not isReasonable.
func exact(n json.Number) *big.Rat {
	if r, ok := new(big.Rat).SetString(n.String()); ok {
		return r
	}
	return new(big.Rat)
}
