// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
)

// maxSizeForRounds is the largest number of objects that is measured in several rounds. More objects are measured once: they
// take long, and their number makes up for the rounds.
const maxSizeForRounds = 2000

// A series is the results of subjects at one size after the other.
type series[T any] struct {
	subjects []subject
	sizes    []int
	results  [][][]T // by size, subject and round
}

// measureSizes measures each subject in each round at each size.
func measureSizes[T any](b *bench, sizes sizes, subjects []subject, measure func(subject, int) (T, error)) (*series[T], error) {
	if len(subjects) == 0 {
		return nil, errors.New("-subjects leaves none")
	}
	s := &series[T]{subjects: subjects, sizes: sizes}
	for _, n := range sizes {
		rounds := b.rounds
		if n > maxSizeForRounds {
			rounds = 1
		}
		results, err := measureRounds(rounds, n, subjects, measure)
		if err != nil {
			return nil, err
		}
		s.results = append(s.results, results)
	}
	return s, nil
}

// measureRounds measures n objects with each subject in each round.
func measureRounds[T any](rounds, n int, subjects []subject, measure func(subject, int) (T, error)) ([][]T, error) {
	results := make([][]T, len(subjects))
	for round := range rounds {
		for position := range subjects {
			i := (position + round) % len(subjects) // so that each subject is first, second and last in turn
			logProgress("%d objects, round %d of %d: %s", n, round+1, rounds, subjects[i].name)
			figures, err := measure(subjects[i], n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", subjects[i].name, err)
			}
			results[i] = append(results[i], figures)
		}
	}
	return results, nil
}

// addSeries adds rows for each size: the rounds, if showRounds is set and there are several, the medians, and the ratios to the
// floors. The last row is the ratio of the largest size to the smallest.
func addSeries[T, F any](t *table[F], c *series[T], figuresOf func(T) F, showRounds bool) {
	var first, last []F // of the first subject
	for i, n := range c.sizes {
		figures := make([][]F, len(c.subjects))
		for j, s := range c.subjects {
			for round, result := range c.results[i][j] {
				figures[j] = append(figures[j], figuresOf(result))
				if showRounds && len(c.results[i][j]) > 1 {
					t.addRun(fmt.Sprintf("%d: %s, round %d", n, s.name, round+1), figuresOf(result))
				}
			}
		}
		for j, s := range c.subjects {
			t.addMedians(fmt.Sprintf("%d: %s", n, s.name), figures[j])
		}
		for j, s := range c.subjects {
			if c.subjects[0].loop == "" && s.loop != "" {
				t.addRatio(fmt.Sprintf("%d: %s / %s", n, c.subjects[0].name, s.name), figures[0], figures[j])
			}
		}
		if i == 0 {
			first = figures[0]
		}
		last = figures[0]
	}
	if len(c.sizes) > 1 {
		t.addRatio(fmt.Sprintf("%s, %d / %d", c.subjects[0].name, c.sizes[len(c.sizes)-1], c.sizes[0]), last, first)
	}
}
