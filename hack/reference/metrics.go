// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
)

// metricSources register metrics.
var metricSources = []string{"controllers/pager/metrics.go", "controllers/pager/health/failures.go", "controllers/pager/health/unknown.go", "controllers/servicecatalog/metrics.go", "internal/httpserver/metrics.go", "internal/pager/ingest/metrics.go", "internal/operator/buildinfo.go", "internal/operator/lock.go", "internal/panics/panics.go"}

// metricsTable has a row for each metric that the source registers.
func metricsTable() (string, error) {
	var all []metric
	for _, path := range metricSources {
		source, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		found, err := metricsIn(source)
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	var table strings.Builder
	table.WriteString(header("metric", "type", "labels", "meaning"))
	for _, m := range all {
		table.WriteString(row(code(m.name), m.kind, code(m.labels...), m.help))
	}
	return table.String(), nil
}

// metric is a metric that is registered.
type metric struct {
	name, kind, help string
	labels           []string
}

// metricsIn returns the metrics of a Go file: calls of prometheus.New…(prometheus.…Opts{…}, labels) and prometheus.NewDesc, which all are gauges.
func metricsIn(source []byte) (found []metric, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		function, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !strings.HasPrefix(function.Sel.Name, "New") || len(call.Args) == 0 {
			return true
		}
		if pkg, ok := function.X.(*ast.Ident); !ok || pkg.Name != "prometheus" {
			return true
		}
		m := metric{kind: "gauge"}
		if function.Sel.Name == "NewDesc" {
			m.name, m.help, m.labels = text(call.Args[0]), text(call.Args[1]), texts(call.Args[2])
		} else if opts, ok := call.Args[0].(*ast.CompositeLit); ok {
			for _, kind := range []string{"Counter", "Gauge", "Histogram", "Summary"} {
				if strings.HasPrefix(function.Sel.Name, "New"+kind) {
					m.kind = strings.ToLower(kind)
				}
			}
			for _, element := range opts.Elts {
				field := element.(*ast.KeyValueExpr)
				switch field.Key.(*ast.Ident).Name {
				case "Name":
					m.name = text(field.Value)
				case "Help":
					m.help = text(field.Value)
				case "ConstLabels":
					m.labels = texts(field.Value)
				}
			}
			if len(call.Args) > 1 {
				m.labels = append(m.labels, texts(call.Args[1])...)
			}
		}
		if m.name == "" || m.help == "" {
			err = errors.Join(err, fmt.Errorf("prometheus.%s at byte %d: the name or the help is no literal", function.Sel.Name, call.Pos()))
		}
		found = append(found, m)
		return true
	})
	return found, err
}

// text returns a string literal's value, "" for another expression.
func text(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return value
}

// texts returns the string literals of a slice, or the keys of a map.
func texts(e ast.Expr) (all []string) {
	literal, ok := e.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			element = pair.Key
		}
		all = append(all, text(element))
	}
	return all
}
