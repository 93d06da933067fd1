// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command screenshot draws a part of the demo's output, which it reads from standard input, as an SVG picture of a terminal.
// hack/screenshot.sh runs the demo and this command.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	steps := flag.String("steps", "2,3,5,7", "the steps of the demo that are shown")
	skip := flag.String("skip", "cat ,kubectl wait --for=condition=Ready --timeout=30s,kubectl get serviceinstances", "prefixes of commands that are left out with their output")
	columns := flag.Int("columns", 76, "longer lines are cut")
	flag.Parse()
	lines, err := selectLines(os.Stdin, strings.Split(*steps, ","), strings.Split(*skip, ","))
	if err != nil {
		log.Fatalf("screenshot: %v", err)
	}
	if _, err := draw(lines, *columns).WriteTo(os.Stdout); err != nil {
		log.Fatalf("screenshot: %v", err)
	}
}

// selectLines returns the lines of some steps without some commands.
func selectLines(transcript io.Reader, steps, skip []string) (lines []string, err error) {
	found, skipping := map[string]bool{}, false
	step := ""
	scanner := bufio.NewScanner(transcript)
	for scanner.Scan() {
		line := scanner.Text()
		if number, _, isTitle := strings.Cut(line, ". "); isTitle && len(number) == 1 && number[0] >= '1' && number[0] <= '9' {
			step, skipping = number, false
			found[step] = true
		}
		if command, isCommand := strings.CutPrefix(line, "$ "); isCommand {
			skipping = slices.ContainsFunc(skip, func(prefix string) bool { return prefix != "" && strings.HasPrefix(command, prefix) })
		}
		switch {
		case !slices.Contains(steps, step), skipping, strings.HasPrefix(line, "  … "):
		case strings.TrimSpace(line) == "" && (len(lines) == 0 || lines[len(lines)-1] == ""): // one empty line is enough
		default:
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	for _, wanted := range steps {
		if !found[wanted] {
			return nil, cmp.Or(scanner.Err(), fmt.Errorf("the output of the demo has no step %q", wanted))
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines, scanner.Err()
}

// Sizes in pixels. The width of a character is that of most fonts with a fixed width.
const (
	fontSize, charWidth, lineHeight = 15, 9.03, 21
	margin, bar                     = 18, 34
)

// emoji replaces what a browser may have no font for.
var emoji = strings.NewReplacer("📟 ", "inbox   ", "🐬 ", "broker  ")

// draw draws lines in a window. Its colours are the same in light and dark surroundings, as those of many terminals are.
func draw(lines []string, columns int) *bytes.Buffer {
	var out bytes.Buffer
	width, height := int(float64(columns)*charWidth)+2*margin, len(lines)*lineHeight+bar+2*margin
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="The output of make demo">
<style>
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; font-size: %dpx; fill: #c9d1d9; white-space: pre; }
.title { fill: #79c0ff; font-weight: bold; }
.command { fill: #ffffff; font-weight: bold; }
.event { fill: #e3b341; }
</style>
<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" fill="#0d1117" stroke="#30363d"/>
<circle cx="20" cy="18" r="6" fill="#ff5f57"/><circle cx="40" cy="18" r="6" fill="#febc2e"/><circle cx="60" cy="18" r="6" fill="#28c840"/>
`, width, height, width, height, fontSize, width-1, height-1)
	for i, line := range lines {
		if line == "" {
			continue
		}
		attribute := class(line)
		line = emoji.Replace(line)
		if runes := []rune(line); len(runes) > columns {
			line = string(runes[:columns-1]) + "…"
		}
		fmt.Fprintf(&out, `<text x="%d" y="%d"%s>`, margin, bar+margin+i*lineHeight, attribute)
		_ = xml.EscapeText(&out, []byte(line)) // a buffer has no errors
		out.WriteString("</text>\n")
	}
	out.WriteString("</svg>\n")
	return &out
}

// class returns the attribute with the class of a line.
func class(line string) string {
	switch {
	case strings.HasPrefix(line, "$ "), strings.HasPrefix(line, "mysql> "):
		return ` class="command"`
	case strings.HasPrefix(line, "  📟"), strings.HasPrefix(line, "  🐬"):
		return ` class="event"`
	case line[0] >= '1' && line[0] <= '9':
		return ` class="title"`
	}
	return ""
}
