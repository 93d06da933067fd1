// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package costtest_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	root = "../.."
	page = root + "/docs/contributing/costs.md"
)

// readers are the functions that decode or parse something, by the path of their package, beside those that decodes matches. Methods are
// named without their receiver. A compiled regexp reads in linear time, and what compiles one is found.
var readers = map[string][]string{
	"encoding/json":                        {"Valid", "Compact", "Indent", "HTMLEscape"},
	"encoding/csv":                         {"NewReader"},
	"crypto/x509":                          {"NewCertPool"},
	"crypto/tls":                           {"X509KeyPair"},
	"net/url":                              {"QueryUnescape", "PathUnescape"},
	"net/http":                             {"MaxBytesReader", "ReadRequest", "ReadResponse"},
	"net/mail":                             {"ReadMessage"},
	"net/textproto":                        {"NewReader", "NewConn"},
	"net":                                  {"SplitHostPort"},
	"mime":                                 {"WordDecoder"},
	"mime/multipart":                       {"NewReader"},
	"html":                                 {"UnescapeString"},
	"html/template":                        {"New"},
	"text/template":                        {"New"},
	"io":                                   {"ReadAll", "Copy", "CopyN", "LimitReader"},
	"bufio":                                {"NewReader", "NewReaderSize"},
	"compress/gzip":                        {"NewReader"},
	"compress/zlib":                        {"NewReader"},
	"compress/flate":                       {"NewReader"},
	"archive/tar":                          {"NewReader"},
	"archive/zip":                          {"NewReader", "OpenReader"},
	"strconv":                              {"Atoi", "Unquote"},
	"fmt":                                  {"Sscan", "Sscanf", "Fscan", "Fscanf"},
	"k8s.io/apimachinery/pkg/labels":       {"ConvertSelectorToLabelsMap"},
	"k8s.io/apimachinery/pkg/apis/meta/v1": {"LabelSelectorAsSelector"},
	"k8s.io/apimachinery/pkg/util/yaml":    {"ToJSON", "NewYAMLOrJSONDecoder", "NewYAMLToJSONDecoder"},
	"k8s.io/client-go/util/jsonpath":       {"New"},
	"sigs.k8s.io/yaml":                     {"YAMLToJSON", "YAMLToJSONStrict"},
	"connectrpc.com/connect":               {"NewClient"},
	"sigs.k8s.io/controller-runtime/pkg/webhook/conversion":   {"NewWebhookHandler"},
	"github.com/santhosh-tekuri/jsonschema/v6":                {"NewCompiler"},
	"github.com/wneessen/go-mail/smtp":                        {"NewClient"},
	"github.com/gophernetes/bellhop/internal/outbound/redact": {"NewRedactor"},
}

// notRead are the folders that are no part of the operator.
var notRead = regexp.MustCompile(`^(cmd|demo|test|hack|client|proto|docs|bin)(/|$)|(^|/)testdata$|[a-z]test$`)

// The page lists every function that decodes or parses something, so that the bound and the cost of each are known.
func TestEveryReaderIsListed(t *testing.T) {
	found, declared := readersOf(t)
	listed := map[string]bool{}
	for _, row := range rows(t) {
		for _, function := range quoted(row[0]) {
			if listed[function] {
				t.Errorf("%s: %s is listed twice", page, function)
			}
			listed[function] = true
		}
	}
	for _, function := range slices.Sorted(maps.Keys(found)) {
		if !listed[function] {
			t.Errorf("%s calls %s and is not in %s: list it with its input, its bound and the test of its cost", function, found[function], page)
		}
	}
	for _, function := range slices.Sorted(maps.Keys(listed)) {
		if !declared[function] {
			t.Errorf("%s lists %s, which does not exist", page, function)
		}
	}
}

// Each row names the tests of its cost, or of its bound.
func TestListedTestsExist(t *testing.T) {
	for _, row := range append(rows(t), kept(t)...) {
		tests := quoted(row[len(row)-1])
		if len(tests) == 0 && !strings.HasPrefix(row[len(row)-1], "no test:") {
			t.Errorf("%s: the row of %s names no test, and not why", page, row[0])
		}
		for _, name := range tests {
			i := strings.LastIndexByte(name, '.')
			if i < 0 || !hasTest(t, name[:i], name[i+1:]) {
				t.Errorf("%s names the test %s, which does not exist", page, name)
			}
		}
	}
}

func hasTest(t *testing.T, folder, test string) bool {
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("func "+test+"(")) {
			return true
		}
	}
	return false
}

// rows are those of the tables of functions, and kept those of the table of what is kept.
func rows(t *testing.T) [][]string { return table(t, "function") }
func kept(t *testing.T) [][]string { return table(t, "kept") }

func table(t *testing.T, first string) (rows [][]string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	within := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			within = false
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == first:
			within = true
		case within && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table whose first column is %s", page, first)
	}
	return rows
}

var code = regexp.MustCompile("`([^`]+)`")

func quoted(cell string) (names []string) {
	for _, match := range code.FindAllStringSubmatch(cell, -1) {
		names = append(names, match[1])
	}
	return names
}
