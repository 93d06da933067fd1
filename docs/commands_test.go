// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const commandsPage = "contributing/commands.md"

// A command is one of a block, or one in the text of a page.
type command struct {
	text string
	// block is the number of its block on the page, from 1, or 0 in the text.
	block int
	// isTested is whether the block has the info string "sh test".
	isTested bool
}

// A row is one of the page of commands. It covers the commands of a block from the one that it names to that of the next row, or to the end.
type row struct{ page, command, runBy, how string }

var (
	fence      = regexp.MustCompile("(?ms)^ *```([^\n]*)\n(.*?)^ *```$")
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	// isCommand is what a command in the text begins with. Shorter names of programs, such as kubectl apply, are no commands.
	isCommand  = regexp.MustCompile(`^((?:[A-Z_]+=\S+ )*make [a-z]|hack/[\w-]+\.sh|\.ci/run|(?:[A-Z_]+=\S+ )*(?:go|helm|kubectl) \S+ \S)`)
	blockRow   = regexp.MustCompile("(?m)^\\| \\[.+?\\]\\((.+?)\\) \\| `(.+?)` \\| (.+?) \\| (.*?) ?\\|$")
	textRow    = regexp.MustCompile("(?m)^\\| `(.+?)` \\| (.+?) \\| (.*?) ?\\|$")
	evidenceOf = regexp.MustCompile("`([^`]+)`: `([^`]+)`")
	heredoc    = regexp.MustCompile(`<<'?([A-Z]+)'?`)
)

// TestCommands compares the page of commands with the commands of the pages, and with what the scripts and the tests run.
func TestCommands(t *testing.T) {
	page := readFile(t, commandsPage)
	commands := map[string][]command{}
	for _, path := range commandPages(t) {
		commands[path] = readCommands(readFile(t, path))
	}
	for _, problem := range checkRows(t, readRows(page), commands, readRuns(t)) {
		t.Errorf("%s: %s", commandsPage, problem)
	}
}

// commandPages are the pages whose commands have to be in the table.
func commandPages(t *testing.T) []string {
	t.Helper()
	paths := []string{"../README.md", "../CONTRIBUTING.md", "how-to/use-kubectl-bellhop.md"}
	for _, pattern := range []string{"install/*.md", "contributing/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	return slices.DeleteFunc(paths, func(path string) bool { return path == commandsPage })
}

// readRows returns the rows of blocks, and then those of commands in the text, which have no page.
func readRows(page string) (rows []row) {
	for _, cells := range blockRow.FindAllStringSubmatch(page, -1) {
		rows = append(rows, row{filepath.Join(filepath.Dir(commandsPage), cells[1]), unescape(cells[2]), cells[3], unescape(cells[4])})
	}
	for _, cells := range textRow.FindAllStringSubmatch(page, -1) {
		rows = append(rows, row{"", unescape(cells[1]), cells[2], unescape(cells[3])})
	}
	return rows
}

func unescape(cell string) string { return strings.ReplaceAll(cell, `\|`, "|") }

// readCommands returns the commands of a page.
func readCommands(page string) (commands []command) {
	blocks := 0
	for _, match := range fence.FindAllStringSubmatch(page, -1) {
		if match[1] != "sh" && match[1] != "sh test" {
			continue
		}
		blocks++
		end := ""
		for line := range strings.Lines(strings.ReplaceAll(match[2], "\\\n", "")) {
			text := strings.Join(strings.Fields(regexp.MustCompile(`\s# .*`).ReplaceAllString(line, "")), " ")
			switch begin := heredoc.FindStringSubmatch(text); {
			case end != "":
				if text == end {
					end = ""
				}
				continue
			case begin != nil:
				end = begin[1]
			}
			if text != "" {
				commands = append(commands, command{text, blocks, match[1] == "sh test"})
			}
		}
	}
	for _, match := range inlineCode.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		if text := unescape(match[1]); isCommand.MatchString(text) {
			commands = append(commands, command{text: text})
		}
	}
	return commands
}

// checkRows returns what is wrong with the rows.
func checkRows(t *testing.T, rows []row, commands map[string][]command, known runs) (problems []string) {
	t.Helper()
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	used := make([]bool, len(rows))
	for page, ofPage := range commands {
		covering := -1
		for i, c := range ofPage {
			if i == 0 || c.block == 0 || ofPage[i-1].block != c.block {
				covering = -1
			}
			if at := findRow(rows, used, page, c); at >= 0 {
				covering = at
			}
			switch {
			case covering >= 0:
				used[covering] = true
				if problem := checkRow(t, rows[covering], c, known); problem != "" {
					report("%s: `%s`: %s", page, c.text, problem)
				}
			case c.block > 0 || !slices.ContainsFunc(rows, func(r row) bool { return strings.HasPrefix(r.command+" ", c.text+" ") }):
				report("%s: `%s` has no row", page, c.text)
			}
		}
	}
	for i, r := range rows {
		if !used[i] {
			report("%s: no page has `%s`", r.page, r.command)
		}
	}
	return problems
}

// findRow returns the index of the row that names a command, or -1. A row of a block names one command, and a row of the text names all that are equal.
func findRow(rows []row, used []bool, page string, c command) int {
	for i, r := range rows {
		isOfBlock := c.block > 0 && r.page == page && !used[i]
		isOfText := c.block == 0 && r.page == ""
		if (isOfBlock || isOfText) && r.names(c) {
			return i
		}
	}
	return -1
}

// names reports whether the row names a command, perhaps by its beginning.
func (r row) names(c command) bool {
	beginning, isShort := strings.CutSuffix(r.command, " …")
	return r.command == c.text || isShort && strings.HasPrefix(c.text, beginning+" ")
}

// checkRow returns what is wrong with the row of a command, or "".
func checkRow(t *testing.T, r row, c command, known runs) string {
	t.Helper()
	switch r.runBy {
	case "no":
		for _, name := range []string{"gate", "nightly", "workflow"} {
			if known.has(name, c.text) {
				return "it is run by: " + name
			}
		}
		if c.isTested {
			return "it is run by: test/docs"
		}
		if r.how == "" {
			return "the reason is missing"
		}
		return ""
	case "gate", "nightly", "workflow":
		if !known.has(r.runBy, c.text) && !strings.Contains(r.how, "`: `") {
			return "it is not run by: " + r.runBy
		}
		if known.has(r.runBy, c.text) {
			return ""
		}
		return checkEvidence(t, r, c, func(file string) bool { return known.has(r.runBy, file) })
	}
	if c.isTested != (r.runBy == "test/docs") {
		return "blocks of `sh test` are run by test/docs, and no others"
	}
	if c.isTested {
		return ""
	}
	if folder := filepath.Base(r.runBy); !strings.Contains(readFile(t, "../hack/test.sh")+readFile(t, "../hack/e2e.sh"), folder) {
		return "neither hack/test.sh nor hack/e2e.sh runs " + r.runBy
	}
	return checkEvidence(t, r, c, func(file string) bool {
		return r.runBy == "test/e2e" && isTutorial(file) || strings.HasPrefix(file, r.runBy+"/") && strings.HasSuffix(file, "_test.go")
	})
}

// checkEvidence looks for what the row quotes of the files that are run. It is the beginning of the command, a part of it, or the name of the page
// that a test reads.
func checkEvidence(t *testing.T, r row, c command, isRun func(file string) bool) string {
	t.Helper()
	quoted := evidenceOf.FindAllStringSubmatch(r.how, -1)
	if len(quoted) == 0 {
		return "no file of " + r.runBy + " is quoted"
	}
	isAbout := false
	for _, quote := range quoted {
		file, text := quote[1], quote[2]
		if !isRun(file) {
			return file + " is not run by: " + r.runBy
		}
		source := readFile(t, filepath.Join("..", file))
		if isTutorial(file) { // only its blocks are run
			source = strings.Join(fence.FindAllString(source, -1), "\n")
		}
		if !strings.Contains(source, text) {
			return file + " does not have " + text
		}
		isPart := len(text) > 10 && strings.Contains(c.text, text)
		isAbout = isAbout || isPart || r.page != "" && strings.Contains(text, filepath.Base(r.page)) || strings.Contains(plain(text)+" ", firstWords(c.text)+" ")
	}
	if !isAbout {
		return "what the row quotes has neither `" + firstWords(c.text) + "` nor the name of the page"
	}
	return ""
}

// isTutorial reports whether test/e2e runs the blocks of a file.
func isTutorial(file string) bool { return strings.HasPrefix(file, "docs/tutorials/") }

// plain returns the words of a call of Go, such as kubectl(ctx, "get alerts") or run(ctx, "make", "install").
func plain(source string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("append([]string{", "", `"`, " ", ",", " ", "(ctx", " ", ")", " ").Replace(source)), " ")
}

// firstWords returns the program of a command and its next word that is no option. kubectl with the plugin is one program.
func firstWords(text string) string {
	words := slices.DeleteFunc(strings.Fields(text), func(word string) bool { return isVariable(word) || strings.HasPrefix(word, "-") })
	count := 2
	if strings.HasPrefix(text, "kubectl bellhop ") {
		count++
	}
	return strings.Join(words[:min(count, len(words))], " ")
}

func TestCheckRows(t *testing.T) {
	const page = "install/uninstall.md"
	commands := map[string][]command{page: readCommands("```sh\nmake undeploy   # why\nkubectl delete alerts \\\n  --all\n```\n\n" +
		"`make demo`, `kubectl delete`.\n\n```sh test\nkubectl get alerts\n```\n")}
	valid := []row{
		{page, "make undeploy", "test/e2e", "`test/e2e/install_test.go`: `\"make\", \"undeploy\"`"},
		{page, "kubectl delete alerts …", "test/e2e", "`test/e2e/install_test.go`: `\"uninstall.md\"`"},
		{page, "kubectl get alerts", "test/docs", ""},
		{"", "make demo", "gate", ""},
	}
	known := readRuns(t)
	if problems := checkRows(t, valid, commands, known); len(problems) > 0 {
		t.Fatal(problems)
	}
	for want, changed := range map[string]row{
		"it is not run by: gate":                 {page, "make undeploy", "gate", ""},
		"does not have":                          {page, "make undeploy", "test/e2e", "`test/e2e/install_test.go`: `\"make\", \"vanish\"`"},
		"what the row quotes has neither":        {page, "make undeploy", "test/e2e", "`test/e2e/install_test.go`: `\"make\", \"install\"`"},
		"is not run by: test/plugin":             {page, "make undeploy", "test/plugin", "`test/e2e/install_test.go`: `\"make\", \"undeploy\"`"},
		"neither hack/test.sh nor":               {page, "make undeploy", "test/unknown", "`test/unknown/a_test.go`: `undeploy`"},
		"no file of test/e2e":                    {page, "make undeploy", "test/e2e", "somewhere"},
		"the reason is missing":                  {page, "make undeploy", "no", ""},
		"has no row":                             {page, "make vanish", "no", "It does not exist."},
		"no page has `make vanish`":              {page, "make vanish", "no", "It does not exist."},
		"it is run by: gate":                     {"", "make demo", "no", "It needs a browser."},
		"it is run by: test/docs":                {page, "kubectl get alerts", "no", "It needs a cluster."},
		"run by test/docs, and no others":        {page, "make undeploy", "test/docs", ""},
		"`kubectl delete alerts --all`: it is n": {page, "kubectl delete alerts …", "nightly", ""},
	} {
		rows := slices.Clone(valid)
		at := slices.IndexFunc(rows, func(r row) bool { return r.page == changed.page && r.command == changed.command })
		rows[max(at, 0)] = changed
		if problems := checkRows(t, rows, commands, known); !strings.Contains(strings.Join(problems, "\n"), want) {
			t.Errorf("%v: got %q, want %q", changed, problems, want)
		}
	}
}
