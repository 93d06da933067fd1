// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
	// maxBytes bounds the bytes of texts that an expression goes through: each takes 24 bytes meanwhile.
	maxBytes = 1 << 18
	// bytesPerVisit is how many bytes of a text an expression goes through in the time of a visit.
	bytesPerVisit = 16
	// maxText bounds the results of the expressions of a binding together, in bytes.
	maxText = corev1.MaxSecretSize
)

// paths applies JSONPath expressions of kubectl's form to values, each of which is converted once. The values that all expressions visit, and the
// text that they return, are bounded together.
type paths struct {
	values map[string]any
	// extents are the extents of the values, and size is the extent of all together: at least as deep.
	extents       map[string]extent
	size          extent
	visited, text int
}

func newPaths(values map[string]any) *paths {
	p := &paths{values: make(map[string]any, len(values)), extents: make(map[string]extent, len(values)), size: extent{values: 1, depth: 1}}
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
	p.size.values, p.size.bytes, p.size.elements = p.size.values-inner.values, p.size.bytes-inner.bytes, p.size.elements-inner.elements
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
	times := func(node jsonpath.Node) int { return multiplicity(node, of.depth) }
	var total func(nodes []jsonpath.Node, count func(jsonpath.Node) int) int
	total = func(nodes []jsonpath.Node, count func(jsonpath.Node) int) (sum int) {
		for i, node := range nodes {
			sum = capped(sum + count(node))
			if isRange(node) {
				return capped(sum + times(node)*total(nodes[i+1:], count))
			}
		}
		return sum
	}
	values := total(nodes, times)
	switch reachOf(nodes) {
	case oneValue:
	case manyValues:
		values = capped(values * of.values)
	case manyElements:
		values = capped(values * (of.values + of.elements))
	}
	bytes := of.bytes * total(nodes, func(node jsonpath.Node) int { return readsOf([]jsonpath.Node{node}, of.depth) })
	if bytes > maxBytes {
		return capped(maxVisits + 1)
	}
	return capped(values + bytes/bytesPerVisit)
}

// readsOf returns an upper bound of how often a path goes through the bytes of a text: the library takes each for a value. Bytes that .. finds lead
// nowhere. Bytes that * finds go through the steps after it.
func readsOf(path []jsonpath.Node, depth int) (reads int) {
	times := 1
	for i, node := range path {
		switch node := node.(type) {
		case *jsonpath.RecursiveNode:
			reads += times
		case *jsonpath.WildcardNode:
			reads += times * (len(path) - i)
		case *jsonpath.ListNode:
			reads += times * readsOf(node.Nodes, depth)
		case *jsonpath.UnionNode:
			for _, inner := range node.Nodes {
				reads = capped(reads + times*readsOf(inner.Nodes, depth))
			}
		case *jsonpath.FilterNode:
			reads += times * capped(readsOf(node.Left.Nodes, depth)+readsOf(node.Right.Nodes, depth))
		}
		reads, times = capped(reads), capped(times*multiplicity(node, depth))
	}
	return reads
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

// reach is the number of values that a step of an expression may lead to.
type reach int

const (
	oneValue reach = iota
	manyValues
	// manyElements: also the bytes of a key that has been copied, which are the elements of a list.
	manyElements
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
			return manyElements
		case *jsonpath.ArrayNode:
			if !node.Params[1].Derived { // otherwise it is one element
				return manyElements
			}
		case *jsonpath.WildcardNode, *jsonpath.RecursiveNode:
			farthest = max(farthest, manyValues)
		}
	}
	return farthest
}

// extent is how much there is to visit: values, and their depth; bytes of texts; and the bytes that are elements of lists.
type extent struct{ values, bytes, elements, depth int }

// with returns the extent of a value with one more within it.
func (e extent) with(inner extent) extent {
	return extent{e.values + inner.values, e.bytes + inner.bytes, e.elements + inner.elements, max(e.depth, inner.depth+1)}
}

func extentOf(value any) extent {
	e := extent{values: 1, depth: 1}
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
		e.bytes = len(value)
	case []byte:
		e.bytes, e.elements = len(value), len(value)
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
