// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"bytes"
	"encoding/xml"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// The pages as such: what they link to, and what each of them has to have.
var _ = Describe("The documentation", func() {
	It("has a README of two screens, with examples, installation and alternatives", func() {
		Expect(strings.Count(pages["README.md"], "\n")).To(BeNumerically("<=", 95))
	})

	It("has pictures that are well-formed, with a text for those who do not see them", func() {
		images := 0
		for _, page := range pageNames() {
			for _, tag := range regexp.MustCompile(`<img [^>]*>`).FindAllString(pages[page], -1) {
				images++
				Expect(tag).To(MatchRegexp(`alt="[^"]+"`), page)
				source := regexp.MustCompile(`src="([^"]+\.svg)"`).FindStringSubmatch(tag)
				Expect(source).NotTo(BeEmpty(), tag)
				text, err := os.ReadFile(filepath.Join(repo, filepath.Dir(page), source[1]))
				Expect(err).NotTo(HaveOccurred(), page)
				Expect(xml.Unmarshal(text, new(struct {
					XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
				}))).To(Succeed(), source[1])
			}
		}
		Expect(images).To(BeNumerically(">=", 2))
	})

	It("has an index of all pages", func() {
		for _, page := range pageNames() {
			path, inDocs := strings.CutPrefix(page, "docs/")
			if inDocs && path != "README.md" && filepath.Dir(path) != "reference/receivers" { // reference/receivers.md has these
				Expect(pages["docs/README.md"]).To(ContainSubstring("]("+path+")"), page)
			}
		}
	})

	It("has no broken links", func() {
		link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
		for _, page := range pageNames() {
			for _, match := range link.FindAllStringSubmatch(pages[page], -1) {
				target, anchor, _ := strings.Cut(match[1], "#")
				if strings.Contains(target, "://") {
					continue
				}
				path := page
				if target != "" {
					path = filepath.Join(filepath.Dir(page), target)
				}
				Expect(filepath.Join(repo, path)).To(BeAnExistingFile(), "%s links to %s", page, match[1])
				if anchor != "" {
					Expect(headingAnchors(pages[path])).To(ContainElement(anchor), "%s links to %s", page, match[1])
				}
			}
		}
	})

	It("has no broken links to it, and none in Markdown elsewhere", func() {
		mention := regexp.MustCompile(`\bdocs/[\w/-]+\.md(?:#[\w-]+)?`) // in comments, messages and URLs of this repository
		link := regexp.MustCompile(`\]\(([^)\s#]+)[^)\s]*\)`)
		Expect(filepath.WalkDir(repo, func(path string, entry fs.DirEntry, err error) error {
			name := must(filepath.Rel(repo, path))
			if err != nil || entry.IsDir() {
				if slices.Contains([]string{".git", "bin", "client", "dist", "docs"}, name) {
					return fs.SkipDir
				}
				return err
			}
			if !slices.Contains([]string{".go", ".golden", ".gotmpl", ".json", ".md", ".sh", ".tpl", ".txt", ".yaml", ".yml"}, filepath.Ext(name)) || strings.HasSuffix(name, "_test.go") {
				return nil
			}
			text := string(must(os.ReadFile(path)))
			for _, target := range mention.FindAllString(text, -1) {
				target, anchor, _ := strings.Cut(target, "#")
				Expect(filepath.Join(repo, target)).To(BeAnExistingFile(), "%s mentions %s", name, target)
				if anchor != "" {
					Expect(headingAnchors(pages[target])).To(ContainElement(anchor), "%s links to %s", name, target)
				}
			}
			if filepath.Ext(name) != ".md" {
				return nil
			}
			for _, match := range link.FindAllStringSubmatch(text, -1) {
				if !strings.Contains(match[1], "://") {
					Expect(filepath.Join(filepath.Dir(path), match[1])).To(BeAnExistingFile(), "%s links to %s", name, match[1])
				}
			}
			return nil
		})).To(Succeed())
	})

	It("has a runbook for each alert, and for no other", func() {
		rules, err := os.ReadFile(filepath.Join(repo, "config/prometheus/rules.yaml"))
		Expect(err).NotTo(HaveOccurred())
		var alerts []string
		for _, match := range regexp.MustCompile(`(?m)^ *- alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1) {
			alerts = append(alerts, match[1])
			Expect(string(rules)).To(ContainSubstring("/docs/how-to/runbooks.md#" + strings.ToLower(match[1]) + "\n"))
		}
		Expect(alerts).NotTo(BeEmpty())
		var runbooks []string
		for _, match := range regexp.MustCompile(`(?m)^## (Bellhop\w+)$`).FindAllStringSubmatch(pages["docs/how-to/runbooks.md"], -1) {
			runbooks = append(runbooks, match[1])
		}
		Expect(runbooks).To(ConsistOf(alerts))
	})

	It("names tests that exist for each threat", func() {
		var rows []string
		for _, page := range []string{"docs/explanation/security.md", "docs/explanation/security-of-alertsources.md"} {
			found := regexp.MustCompile(`(?m)^\| \*\*.*\|$`).FindAllString(pages[page], -1)
			Expect(found).NotTo(BeEmpty(), page)
			rows = append(rows, found...)
		}
		for _, row := range rows {
			columns := strings.Split(row, "|")
			files := regexp.MustCompile("`([^`]+_test.go)`: ((?:`[^`]+`(?:, )?)+)").FindAllStringSubmatch(columns[3], -1)
			Expect(files).NotTo(BeEmpty(), row)
			for _, file := range files {
				source, err := os.ReadFile(filepath.Join(repo, file[1]))
				Expect(err).NotTo(HaveOccurred())
				for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(file[2], -1) {
					Expect(string(source)).To(ContainSubstring(name[1]), file[1])
				}
			}
		}
	})

	It("names no folder of a developer's machine", func() {
		for _, page := range pageNames() {
			Expect(pages[page]).NotTo(MatchRegexp(`/(?:home|work|root|Users)/|/tmp/(?:[^k])`), page)
		}
	})
})

// readPages reads the pages, by their paths in the repository. It leaves out the API reference, which is generated.
func readPages() map[string]string {
	found := map[string]string{"README.md": string(must(os.ReadFile(filepath.Join(repo, "README.md"))))}
	root := filepath.Join(repo, "docs")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" || path == filepath.Join(root, "reference", "api.md") {
			return err
		}
		text, err := os.ReadFile(path)
		found[must(filepath.Rel(repo, path))] = string(text)
		return err
	})
	return must(found, err)
}

func pageNames() []string {
	var all []string
	for name := range pages {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// headingAnchors returns the anchors that GitHub gives to the headings of a page.
func headingAnchors(page string) []string {
	var found []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		var anchor bytes.Buffer
		for _, r := range strings.ToLower(match[1]) {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				anchor.WriteRune(r)
			case r == ' ':
				anchor.WriteByte('-')
			}
		}
		found = append(found, anchor.String())
	}
	return found
}

func must[T any](value T, errs ...error) T {
	for _, err := range errs {
		if err != nil {
			panic(err)
		}
	}
	return value
}
