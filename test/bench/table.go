// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// A column shows one figure of a run.
type column[T any] struct {
	head     string
	decimals int
	of       func(T) float64
}

// A table has a row for each run, and rows that sum them up.
type table[T any] struct {
	columns []column[T]
	rows    [][]string
}

func newTable[T any](columns ...column[T]) *table[T] {
	t := &table[T]{columns: columns}
	t.addRow("", func(c column[T]) string { return c.head })
	return t
}

// addRun adds a row with the figures of a run.
func (t *table[T]) addRun(name string, figures T) {
	t.addRow(name, func(c column[T]) string { return formatNumber(c.of(figures), c.decimals) })
}

// addMedians adds a row with the median of each figure.
func (t *table[T]) addMedians(name string, runs []T) {
	t.addRow(name, func(c column[T]) string { return formatNumber(c.median(runs), c.decimals) })
}

// addRatio adds a row with the ratios of the medians of runs to those of others.
func (t *table[T]) addRatio(name string, runs, others []T) {
	t.addRow(name, func(c column[T]) string { return formatNumber(c.median(runs)/c.median(others), 2) })
}

func (t *table[T]) addRow(name string, cell func(column[T]) string) {
	row := []string{name}
	for _, c := range t.columns {
		row = append(row, cell(c))
	}
	t.rows = append(t.rows, row)
}

func (c column[T]) median(runs []T) float64 {
	values := make([]float64, len(runs))
	for i, run := range runs {
		values[i] = c.of(run)
	}
	return median(values)
}

// formatNumber returns a dash for NaN and infinity.
func formatNumber(value float64, decimals int) string {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "–"
	}
	return fmt.Sprintf("%.*f", decimals, value)
}

// write aligns names to the left and numbers to the right.
func (t *table[T]) write(out io.Writer) {
	widths := make([]int, len(t.columns)+1)
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		fmt.Fprintf(out, "%-*s", widths[0], row[0])
		for i, cell := range row[1:] {
			fmt.Fprintf(out, "  %*s", widths[i+1], cell)
		}
		fmt.Fprintln(out)
	}
}
