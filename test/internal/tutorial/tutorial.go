// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tutorial reads the pages of docs/tutorials, so that the end-to-end suite runs their commands.
package tutorial

import (
	"fmt"
	"regexp"
	"strings"
)

// A Step is a block of commands on a page, with what they print.
type Step struct {
	// Line is the number of the line on which the block begins.
	Line int
	// Commands is the text of the block, for a shell.
	Commands string
	// Output is the text of the block that follows. It is empty where the page shows no output.
	Output string
}

// NeedsNoTest reports whether the step only creates a cluster. It is the only one that is not tested.
func (s Step) NeedsNoTest() bool { return s.Commands == "kind create cluster" }

// IsRelease reports whether the step only says which release is installed. A test sets the same variables to what it has built.
func (s Step) IsRelease() bool {
	for line := range strings.Lines(s.Commands) {
		if !release.MatchString(strings.TrimSpace(line)) {
			return false
		}
	}
	return true
}

var release = regexp.MustCompile(`^(MANIFEST|IMAGE|VERSION)=\S+$`)

// Parse returns the steps of a page, in order. A block of the language sh has commands; a block of the language text after it has
// their output. Any other block is an error, as nothing would run it.
func Parse(page string) ([]Step, error) {
	var steps []Step
	var block []string
	language, began := "", 0
	for i, line := range strings.Split(page, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case began == 0 && isFence:
			language, began, block = fence, i+1, nil
		case began == 0:
		case !isFence:
			block = append(block, line)
		case fence != "":
			return nil, fmt.Errorf("line %d: a block begins in the block of line %d", i+1, began)
		default:
			text := strings.Join(block, "\n")
			switch {
			case language == "sh":
				steps = append(steps, Step{Line: began, Commands: text})
			case language != "text":
				return nil, fmt.Errorf("line %d: a block of the language %q, and not sh or text", began, language)
			case len(steps) == 0 || steps[len(steps)-1].Output != "":
				return nil, fmt.Errorf("line %d: an output without commands before it", began)
			default:
				steps[len(steps)-1].Output = text
			}
			began = 0
		}
	}
	if began > 0 {
		return nil, fmt.Errorf("line %d: the block has no end", began)
	}
	return steps, nil
}
