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

package main

import (
	"errors"
	"fmt"
)

// many objects are measured once: they are repetitions enough, and take their time.
const many = 2000

// A curve is what subjects did at one size after the other.
type curve[T any] struct {
	subjects []subject
	sizes    []int
	results  [][][]T // by size, subject and round
}

// along measures each subject in each round at each size.
func along[T any](b *bench, at sizes, subjects []subject, measure func(subject, int) (T, error)) (*curve[T], error) {
	if len(subjects) == 0 {
		return nil, errors.New("-subjects leaves none")
	}
	c := &curve[T]{subjects: subjects, sizes: at}
	for _, n := range at {
		rounds := b.rounds
		if n > many {
			rounds = 1
		}
		results, err := inTurn(rounds, n, subjects, measure)
		if err != nil {
			return nil, err
		}
		c.results = append(c.results, results)
	}
	return c, nil
}

// inTurn measures each subject in each round, with so many objects.
func inTurn[T any](rounds, n int, subjects []subject, measure func(subject, int) (T, error)) ([][]T, error) {
	results := make([][]T, len(subjects))
	for round := range rounds {
		for turn := range subjects {
			i := (turn + round) % len(subjects) // each is first, second and last in turn
			progress("%d objects, round %d of %d: %s", n, round+1, rounds, subjects[i].name)
			figures, err := measure(subjects[i], n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", subjects[i].name, err)
			}
			results[i] = append(results[i], figures)
		}
	}
	return results, nil
}

// fill adds lines for each size: those of the rounds, if they are to be shown and there are several, the medians, and the ratios to
// the floors. The last line is how the largest size compares with the smallest.
func fill[T, F any](t *table[F], c *curve[T], of func(T) F, rounds bool) {
	var first, last []F // of the first subject
	for i, n := range c.sizes {
		figures := make([][]F, len(c.subjects))
		for j, s := range c.subjects {
			for round, result := range c.results[i][j] {
				figures[j] = append(figures[j], of(result))
				if rounds && len(c.results[i][j]) > 1 {
					t.run(fmt.Sprintf("%d: %s, round %d", n, s.name, round+1), of(result))
				}
			}
		}
		for j, s := range c.subjects {
			t.medians(fmt.Sprintf("%d: %s", n, s.name), figures[j])
		}
		for j, s := range c.subjects {
			if c.subjects[0].loop == "" && s.loop != "" {
				t.ratio(fmt.Sprintf("%d: %s / %s", n, c.subjects[0].name, s.name), figures[0], figures[j])
			}
		}
		if i == 0 {
			first = figures[0]
		}
		last = figures[0]
	}
	if len(c.sizes) > 1 {
		t.ratio(fmt.Sprintf("%s, %d / %d", c.subjects[0].name, c.sizes[len(c.sizes)-1], c.sizes[0]), last, first)
	}
}
