// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Prose checks how the documentation is laid out, and prints what it finds as Vale does: a sentence has a line of its own, and a page
// has at most 300 lines. It also writes texts that are in no page of their own as Markdown into a directory, where Vale reads them: the
// messages, the help of the operator, the descriptions of the CRDs, and the unreleased part of the changelog. See hack/lint-docs.sh.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

const maxLines = 300

func main() {
	out := flag.String("out", "bin/prose", "Directory for the texts that are in no page of their own.")
	operator := flag.String("operator", "bin/manager", "The operator, whose help is one of them.")
	flag.Parse()
	if err := run(context.Background(), *out, *operator, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, operator string, pages []string) error {
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		for _, finding := range check(string(text)) {
			fmt.Fprintf(os.Stdout, "%s:%s\n", page, finding)
		}
	}
	explain, err := explainTexts("config/crd/bases")
	if err != nil {
		return err
	}
	help, err := exec.CommandContext(ctx, operator, "--help").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --help: %w", operator, err)
	}
	messages, err := os.ReadFile("hack/messages/testdata/messages.txt")
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	_, unreleased, found := strings.Cut(string(changelog), "\n## Unreleased\n")
	if !found {
		return errors.New("CHANGELOG.md has no section Unreleased")
	}
	unreleased, _, _ = strings.Cut(unreleased, "\n## ")
	for name, text := range map[string]string{
		"explain.md":   explain,
		"help.md":      helpTexts(string(help)),
		"messages.md":  messageTexts(string(messages)),
		"changelog.md": unreleased,
	} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

var (
	isGenerated = regexp.MustCompile(`(?m)^<!-- Code generated |Generated from the |^# API Reference$`)
	// prefix is what precedes the text of a line: a quote's or list item's mark.
	prefix = regexp.MustCompile(`^\s*(?:>\s*)*(?:[-*+]|\d+[.)])?\s+`)
	isItem = regexp.MustCompile(`^\s*(?:[-*+]|\d+[.)])\s`)
	// code is what may contain stops that end no sentence.
	code = regexp.MustCompile("``[^`]+``|`[^`]+`|\\]\\([^)]*\\)|<[^>]+>")
	// abbreviation is a word with a stop that ends no sentence.
	abbreviation = regexp.MustCompile(`\b(?:e\.g|i\.e|etc|vs|cf|approx|max|min|incl|St|No)\.`)
	// sentenceEnd is the end of a sentence before another one.
	sentenceEnd = regexp.MustCompile("[.?!][\"'”)*_]*\\s+[\"'“(*_\\[]*(?:[A-Z]|\x00)")
	lineEnd     = regexp.MustCompile("[.?!:;…][\"'”)*_\\]]*$|\x00$|\\|$|  $|\\\\$")
	isProse     = regexp.MustCompile(`[A-Za-z]{2}`)
)

// check returns the findings in a page, each as LINE:COLUMN:CHECK:MESSAGE.
func check(text string) (findings []string) {
	if isGenerated.MatchString(text) {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > maxLines {
		findings = append(findings, fmt.Sprintf("%d:1:Bellhop.PageLength:A page has at most %d lines: split it.", len(lines), maxLines))
	}
	previous := "" // the line before, if it is prose of the same paragraph
	fence := ""
	generated := false
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		switch mark := fenceOf(trimmed); {
		case fence != "":
			if mark != "" && strings.HasPrefix(trimmed, fence) && strings.Trim(trimmed, fence[:1]) == "" {
				fence = ""
			}
			previous = ""
			continue
		case mark != "":
			fence, previous = mark, ""
			continue
		}
		if strings.HasPrefix(trimmed, "<!-- BEGIN generated") {
			generated = true
		} else if strings.HasPrefix(trimmed, "<!-- END") {
			generated = false
		}
		if generated || trimmed == "" || strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "|") || strings.HasPrefix(trimmed, "<") ||
			strings.HasPrefix(trimmed, "[![") || strings.HasPrefix(trimmed, "![") {
			previous = ""
			continue
		}
		plain := code.ReplaceAllString(prefix.ReplaceAllString(line, ""), "\x00")
		plain = abbreviation.ReplaceAllString(plain, "\x00,")
		if at := sentenceEnd.FindStringIndex(plain); at != nil && isProse.MatchString(plain) {
			findings = append(findings, fmt.Sprintf("%d:1:Bellhop.OneSentence:A line has one sentence: begin another line after '%s'.",
				i+1, lastWords(strings.ReplaceAll(plain[:at[0]+1], "\x00", "…"))))
		}
		if previous != "" && !isItem.MatchString(line) && !lineEnd.MatchString(previous) {
			findings = append(findings, fmt.Sprintf("%d:1:Bellhop.OneLine:A sentence is on one line: join this line and the one before.", i+1))
		}
		previous = plain
	}
	return findings
}

// fenceOf returns the mark of a line that begins or ends a block of code.
func fenceOf(line string) string {
	for _, mark := range []string{"```", "~~~"} {
		if strings.HasPrefix(line, mark) {
			return line[:len(line)-len(strings.TrimLeft(line, mark[:1]))]
		}
	}
	return ""
}

func lastWords(text string) string {
	words := strings.Fields(text)
	return strings.Join(words[max(0, len(words)-3):], " ")
}

// messageTexts returns each message of the list as a paragraph.
func messageTexts(list string) string {
	var b strings.Builder
	for line := range strings.Lines(list) {
		if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "# ") {
			b.WriteString(escape(text) + "\n\n")
		}
	}
	return b.String()
}

// helpTexts returns the descriptions in an output of package flag as paragraphs, after the flag's name as code.
func helpTexts(help string) string {
	var b strings.Builder
	for line := range strings.Lines(help) {
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "-") {
			b.WriteString("\n`" + trimmed + "`\n\n")
		} else if trimmed != "" {
			b.WriteString(escape(trimmed) + "\n\n")
		}
	}
	return b.String()
}

// escape keeps Markdown from reading marks into a text.
func escape(text string) string {
	return strings.NewReplacer("<", "&lt;", "*", `\*`, "`", "'", "#", `\#`, "[", `\[`).Replace(text)
}

// standard is the beginning of descriptions that are those of Kubernetes.
var standard = []string{"APIVersion defines", "Kind is a string", "Condition contains", "Standard object's metadata", "lastTransitionTime is", "message is a human", "observedGeneration represents",
	"reason contains", "status of the condition", "type of condition in", "A label selector requirement", "matchExpressions is", "matchLabels is", "key is the label key", "operator represents", "values is an array",
	"A label selector is", "The key of the secret", "Name of the referent", "Selects a key", "Specify whether the Secret", "map is atomic"}

// explainTexts returns the descriptions of the CRDs in a directory as paragraphs, each once, after the path of a field that has it.
func explainTexts(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return "", errors.Join(err, fmt.Errorf("%s has no CRDs", dir))
	}
	var b strings.Builder
	seen := map[string]bool{}
	var walk func(path string, node any)
	walk = func(path string, node any) {
		switch node := node.(type) {
		case map[string]any:
			if text, ok := node["description"].(string); ok && !seen[text] && !slices.ContainsFunc(standard, func(s string) bool { return strings.HasPrefix(text, s) }) {
				seen[text] = true
				fmt.Fprintf(&b, "`%s`\n\n%s\n\n", path, escape(text))
			}
			for _, key := range slices.Sorted(maps.Keys(node)) {
				if key != "description" || !isText(node[key]) {
					next := path
					if key != "properties" && key != "items" && key != "additionalProperties" && key != "openAPIV3Schema" && key != "schema" {
						next += "." + key
					}
					walk(next, node[key])
				}
			}
		case []any:
			for _, item := range node {
				walk(path, item)
			}
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		crd := map[string]any{}
		if err := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), len(data)).Decode(&crd); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		walk(strings.TrimSuffix(filepath.Base(file), ".yaml"), crd["spec"])
	}
	return b.String(), nil
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}
