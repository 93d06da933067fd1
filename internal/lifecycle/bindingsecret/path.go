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

package bindingsecret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/jsonpath"
)

const (
	// maxExpression bounds a JSONPath expression, in bytes.
	maxExpression = 4 << 10
	// maxVisits bounds the values that an expression visits: the library cannot be stopped.
	maxVisits = 1 << 20
)

// evaluate applies a JSONPath expression of kubectl's form to values. Its errors have nothing of the values. The order of an
// object's fields is not defined.
func evaluate(expression string, values map[string]any) (text string, err error) {
	defer func() {
		if recover() != nil { // the library may panic
			text, err = "", errors.New("the expression cannot be evaluated")
		}
	}()
	if len(expression) > maxExpression {
		return "", fmt.Errorf("the expression has %d bytes; it can have %d", len(expression), maxExpression)
	}
	parsed, err := jsonpath.Parse("", expression)
	if err != nil {
		return "", fmt.Errorf("the expression is not valid: %w", err)
	}
	plain := withNumbers(values, operand)
	if visits(parsed.Root.Nodes, plain) > maxVisits {
		return "", errors.New("the expression would evaluate too many values: use fewer of .., *, filters and unions")
	}
	path := jsonpath.New("")
	if err := path.Parse(expression); err != nil {
		return "", fmt.Errorf("the expression is not valid: %w", err)
	}
	var out limited
	err = path.Execute(&out, plain)
	switch {
	case err == nil:
		return out.String(), nil
	case errors.Is(err, errTooLong):
		return "", err
	case strings.HasSuffix(err.Error(), " is not found"): // the only text without a value
		return "", fmt.Errorf("%w in the credentials", err)
	}
	return "", errors.New("the expression does not fit the credentials")
}

// operand returns a number as the library compares and prints it.
func operand(n json.Number) any {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return u
	}
	if f, err := n.Float64(); err == nil {
		if text, _ := json.Marshal(f); string(text) == n.String() { // it loses nothing
			return f
		}
	}
	return n.String()
}

// visits returns an upper bound of the values that an evaluation visits. Each value is visited at most once by a path without ..,
// unions and filters; those multiply that, and after a range everything that follows does.
func visits(nodes []jsonpath.Node, values any) int {
	size, depth := extent(values)
	var total func(nodes []jsonpath.Node) int
	total = func(nodes []jsonpath.Node) (sum int) {
		for i, node := range nodes {
			times := multiplicity(node, depth)
			if isRange(node) {
				return capped(sum + times*capped(1+total(nodes[i+1:])))
			}
			sum = capped(sum + times)
		}
		return sum
	}
	times := total(nodes)
	if !takesMany(nodes) {
		return times
	}
	return capped(times * size)
}

// capped bounds a count, so that a product of two does not overflow.
func capped(n int) int { return min(n, maxVisits+1) }

// multiplicity returns how often a node of the expression may visit the same value.
func multiplicity(node jsonpath.Node, depth int) int {
	switch node := node.(type) {
	case *jsonpath.ListNode:
		times := 1
		for _, inner := range node.Nodes {
			times = capped(times * multiplicity(inner, depth))
		}
		return times
	case *jsonpath.UnionNode:
		times := 0
		for _, inner := range node.Nodes {
			times = capped(times + multiplicity(inner, depth))
		}
		return times
	case *jsonpath.FilterNode:
		return capped(1 + multiplicity(node.Left, depth) + multiplicity(node.Right, depth))
	case *jsonpath.RecursiveNode:
		return depth + 1
	}
	return 1
}

// isRange reports whether the node begins a range.
func isRange(node jsonpath.Node) bool {
	switch node := node.(type) {
	case *jsonpath.IdentifierNode:
		return node.Name == "range"
	case *jsonpath.ListNode:
		return slices.ContainsFunc(node.Nodes, isRange)
	case *jsonpath.UnionNode:
		return slices.ContainsFunc(node.Nodes, func(inner *jsonpath.ListNode) bool { return isRange(inner) })
	case *jsonpath.FilterNode:
		return isRange(node.Left) || isRange(node.Right)
	}
	return false
}

// takesMany reports whether a step of the expression may lead to more than one value.
func takesMany(nodes []jsonpath.Node) bool {
	for _, node := range nodes {
		switch node := node.(type) {
		case *jsonpath.ListNode:
			if takesMany(node.Nodes) {
				return true
			}
		case *jsonpath.ArrayNode, *jsonpath.WildcardNode, *jsonpath.RecursiveNode, *jsonpath.FilterNode, *jsonpath.UnionNode:
			return true
		}
	}
	return false
}

// extent returns the number of values, and their depth. The library treats each byte of a string as one.
func extent(value any) (size, depth int) {
	inner := func(value any) {
		s, d := extent(value)
		size, depth = size+s, max(depth, d)
	}
	switch value := value.(type) {
	case map[string]any:
		for _, v := range value {
			inner(v)
		}
	case []any:
		for _, v := range value {
			inner(v)
		}
	case string:
		size = len(value)
	case []byte:
		size = len(value)
	}
	return size + 1, depth + 1
}

var errTooLong = fmt.Errorf("the result is longer than the %d bytes that a Secret can have", corev1.MaxSecretSize)

// limited is a buffer with the size limit of a Secret.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > corev1.MaxSecretSize {
		return 0, errTooLong
	}
	return l.Buffer.Write(p)
}
