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
	// maxVisits bounds the values that the expressions of a binding visit together: the library cannot be stopped.
	maxVisits = 1 << 18
	// maxText bounds the results of the expressions of a binding together, in bytes.
	maxText = corev1.MaxSecretSize
)

// paths applies JSONPath expressions of kubectl's form to values, each of which is converted once. What all of them visit and return is
// bounded together.
type paths struct {
	values map[string]any
	// extents are those of the values, and size is that of all together: at least as deep.
	extents       map[string]extent
	size          extent
	visited, text int
}

func newPaths(values map[string]any) *paths {
	p := &paths{values: make(map[string]any, len(values)), extents: make(map[string]extent, len(values)), size: extent{1, 1, 1}}
	for key, value := range values {
		p.set(key, value)
	}
	return p
}

func (p *paths) set(key string, value any) {
	value = withNumbers(value, operand)
	p.put(key, value, extentOf(value))
}

// rename moves a value without a look at it, which may have as much in it as all others.
func (p *paths) rename(from, to string) {
	value, size := p.values[from], p.extents[from]
	p.remove(from)
	p.put(to, value, size)
}

func (p *paths) put(key string, value any, size extent) {
	p.remove(key)
	p.values[key], p.extents[key] = value, size
	p.size = p.size.with(size)
}

func (p *paths) remove(key string) {
	inner := p.extents[key]
	p.size.values, p.size.parts = p.size.values-inner.values, p.size.parts-inner.parts
	delete(p.values, key)
	delete(p.extents, key)
}

// evaluate applies an expression. Its errors have nothing of the values. The order of an object's fields is not defined.
func (p *paths) evaluate(expression string) (text string, err error) {
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
	if p.visited += visits(parsed.Root.Nodes, p.size); p.visited > maxVisits {
		return "", errors.New("the expressions up to this one would evaluate too many values: use fewer of .., *, filters and unions")
	}
	path := jsonpath.New("")
	if err := path.Parse(expression); err != nil {
		return "", fmt.Errorf("the expression is not valid: %w", err)
	}
	out := limited{room: maxText - p.text}
	err = path.Execute(&out, p.values)
	p.text += out.Len()
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
func visits(nodes []jsonpath.Node, of extent) int {
	var total func(nodes []jsonpath.Node) int
	total = func(nodes []jsonpath.Node) (sum int) {
		for i, node := range nodes {
			times := multiplicity(node, of.depth)
			if isRange(node) {
				return capped(sum + times*capped(1+total(nodes[i+1:])))
			}
			sum = capped(sum + times)
		}
		return sum
	}
	times := total(nodes)
	switch reach := reachOf(nodes); reach {
	case allParts:
		return capped(times * of.parts)
	case manyValues:
		return capped(times * of.values)
	default:
		return times
	}
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

// reach is what a step of an expression may lead to.
type reach int

const (
	oneValue reach = iota
	manyValues
	// allParts: the library treats each byte of a text as a value of its own.
	allParts
)

// reachOf returns the farthest reach of an expression.
func reachOf(nodes []jsonpath.Node) (farthest reach) {
	for _, node := range nodes {
		switch node := node.(type) {
		case *jsonpath.ListNode:
			farthest = max(farthest, reachOf(node.Nodes))
		case *jsonpath.UnionNode:
			farthest = max(farthest, manyValues)
			for _, inner := range node.Nodes {
				farthest = max(farthest, reachOf(inner.Nodes))
			}
		case *jsonpath.FilterNode:
			farthest = max(farthest, manyValues, reachOf(node.Left.Nodes), reachOf(node.Right.Nodes))
		case *jsonpath.ArrayNode:
			if !node.Params[1].Derived { // otherwise it is one element
				farthest = max(farthest, manyValues)
			}
		case *jsonpath.WildcardNode, *jsonpath.RecursiveNode:
			return allParts
		}
	}
	return farthest
}

// extent is how much there is to visit: values, parts of values, which are also the bytes of texts, and their depth.
type extent struct{ values, parts, depth int }

// with returns the extent of a value with one more within it.
func (e extent) with(inner extent) extent {
	return extent{e.values + inner.values, e.parts + inner.parts, max(e.depth, inner.depth+1)}
}

func extentOf(value any) extent {
	e := extent{1, 1, 1}
	switch value := value.(type) {
	case map[string]any:
		for _, v := range value {
			e = e.with(extentOf(v))
		}
	case []any:
		for _, v := range value {
			e = e.with(extentOf(v))
		}
	case string:
		e.parts += len(value)
	case []byte:
		e.values, e.parts = e.values+len(value), e.parts+len(value)
	}
	return e
}

var errTooLong = fmt.Errorf("the results are longer than the %d bytes that a Secret can have", corev1.MaxSecretSize)

// limited is a buffer with room for so many bytes.
type limited struct {
	bytes.Buffer

	room int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > l.room {
		return 0, errTooLong
	}
	return l.Buffer.Write(p)
}
