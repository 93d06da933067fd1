// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	// maxRefs is how many references a schema may have.
	maxRefs = 256
	// maxSubschemas is how many schemas may be in one: compiling compares each with
	// each.
	maxSubschemas = 4096
	// maxPlaces is how many names and indexes may lead to all values of a schema together: an error about a value has its place in it.
	maxPlaces = 200_000
	// maxChain is how many schemas may apply to the same value, each because of the
	// one before. With maxDepth it bounds the stack.
	maxChain = 128
	// maxPattern is how long a regular expression may be, and maxProgram how long the
	// programs of all of them together.
	maxPattern, maxProgram = 1024, 50_000
	// location is where a schema is taken to be, so that references are resolved
	// against it. There is nothing.
	location = "https://schema.invalid/schema.json"
)

// errTooCostly stops a compilation or a check.
var errTooCostly = errors.New("that takes too much time")

// refuse is a loader that loads nothing: the schema is all there is.
type refuse struct{}

func (refuse) Load(url string) (any, error) {
	if strings.HasPrefix(url, "http://json-schema.org/") || strings.HasPrefix(url, "https://json-schema.org/") {
		return nil, errors.New("it is none of the drafts 04, 06, 07, 2019-09 and 2020-12")
	}
	return nil, errors.New("it is outside of the schema, and nothing is fetched")
}

// compiled is a schema that is ready for use, by one at a time.
type compiled struct {
	root *jsonschema.Schema
	// partial is root for parameters of which some are not known, once it was needed.
	partial *jsonschema.Schema
	// at finds a schema by its location in errors.
	at    map[string]*jsonschema.Schema
	rules map[*jsonschema.Schema]*rule
	work  *work
}

// compile gets a schema ready. A schema that does not name its draft is Draft-04, the oldest that the protocol allows.
func compile(ctx context.Context, raw []byte) (c *compiled, err error) {
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, problem(p)
		}
	}()
	doc, _, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("it is %w", err)
	}
	if err := survey(doc); err != nil {
		return nil, err
	}
	c = &compiled{at: map[string]*jsonschema.Schema{}, rules: map[*jsonschema.Schema]*rule{}, work: &work{members: 16}}
	c.work.begin(ctx)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	compiler.UseLoader(refuse{})
	compiler.UseRegexpEngine(patterns(c.work))
	if err := compiler.AddResource(location, doc); err != nil {
		return nil, err
	}
	if c.root, err = compiler.Compile(location); err != nil {
		return nil, broken(err)
	}
	return c, c.prepare()
}

// problem returns the error for a panic: errTooCostly for our own. A panic of the library must not end the process.
func problem(p any) error {
	if err, ok := p.(error); ok && errors.Is(err, errTooCostly) {
		return errTooCostly
	}
	return errors.New("it cannot be used")
}

// broken returns a text about the first error in a schema.
func broken(err error) error {
	var invalid *jsonschema.SchemaValidationError
	var leaf *jsonschema.ValidationError
	if !errors.As(err, &invalid) || !errors.As(invalid.Err, &leaf) {
		return errors.New(strings.ReplaceAll(err.Error(), location, ""))
	}
	for len(leaf.Causes) > 0 {
		leaf = leaf.Causes[0]
	}
	at := ""
	if len(leaf.InstanceLocation) > 0 {
		at = "at /" + strings.Join(leaf.InstanceLocation, "/") + " "
	}
	return errors.New(at + "it " + must(leaf.ErrorKind))
}

// survey refuses a schema that would cost too much to compile.
func survey(doc any) error {
	var refs, schemas, places int
	var visit func(v any, depth int)
	visit = func(v any, depth int) {
		places += depth
		switch v := v.(type) {
		case bool:
			schemas++
		case []any:
			for _, item := range v {
				visit(item, depth+1)
			}
		case map[string]any:
			schemas++
			for name, member := range v {
				if _, is := member.(string); is && name == "$ref" {
					refs++
				}
				visit(member, depth+1)
			}
		}
	}
	visit(doc, 0)
	switch {
	case refs > maxRefs:
		return fmt.Errorf("it has %d references, where %d are allowed", refs, maxRefs)
	case schemas > maxSubschemas:
		return fmt.Errorf("it has %d schemas in it, where %d are allowed", schemas, maxSubschemas)
	case places > maxPlaces:
		return errors.New("it has too many values too deep in it")
	default:
		return nil
	}
}

// isReasonable says whether a number can be computed with exactly.
func isReasonable(number string) bool {
	const maxExponent = 400 // more than a float64 has
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	if exponent == "" {
		exponent = "0"
	}
	e, err := strconv.Atoi(exponent)
	return err == nil && len(mantissa) <= maxNumber && -maxExponent <= e && e <= maxExponent
}

// pattern is a regular expression that counts the work of a match.
type pattern struct {
	*regexp.Regexp
	program int
	work    *work
}

// MatchString implements jsonschema.Regexp.
func (p pattern) MatchString(s string) bool {
	p.work.spend(1 + p.program*len(s)/64)
	return p.Regexp.MatchString(s)
}

// patterns compiles regular expressions of Go. An expression that only JavaScript supports, such as a lookahead, breaks the schema: without it a
// "not" would have the opposite meaning.
func patterns(w *work) jsonschema.RegexpEngine {
	total, seen := 0, map[string]jsonschema.Regexp{}
	return func(expression string) (jsonschema.Regexp, error) {
		if p, ok := seen[expression]; ok {
			return p, nil
		}
		if len(expression) > maxPattern {
			return nil, fmt.Errorf("it is longer than %d bytes", maxPattern)
		}
		w.spend(1 + len(expression)/8 + 32*strings.Count(strings.ToLower(expression), `\p`)) // a class is hundreds of ranges
		tree, err := syntax.Parse(expression, syntax.Perl)
		if err != nil {
			return nil, err
		}
		program := instructions(tree)
		if total += program; total > maxProgram {
			return nil, errors.New("the patterns of the schema together are too complex")
		}
		w.spend(program / 8)
		compiled, err := regexp.Compile(expression)
		if err != nil {
			return nil, err
		}
		seen[expression] = pattern{compiled, program, w}
		return seen[expression], nil
	}
}

// instructions is how long the program of a regular expression is, before its repetitions are written out.
func instructions(e *syntax.Regexp) int {
	n := 1
	switch e.Op {
	case syntax.OpLiteral:
		return len(e.Rune)
	case syntax.OpRepeat:
		one := instructions(e.Sub[0])
		if e.Max < 0 {
			return min(max(e.Min, 1)*one+1, maxProgram+1)
		}
		return min(e.Min*one+(e.Max-e.Min)*(one+1), maxProgram+1)
	case syntax.OpCapture:
		n = 2
	case syntax.OpAlternate:
		n = len(e.Sub) - 1
	case syntax.OpConcat:
		n = 0
	default: // one instruction of its own
	}
	for _, sub := range e.Sub {
		n = min(n+instructions(sub), maxProgram+1)
	}
	return n
}
