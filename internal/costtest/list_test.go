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

package costtest_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root = "../.."
	page = root + "/docs/contributing/costs.md"
)

// readers are the functions that decode or parse something, by the path of their package. Methods are named without
// their receiver.
var readers = map[string][]string{
	"encoding/json":   {"Unmarshal", "NewDecoder", "Valid", "Compact", "Indent", "HTMLEscape"},
	"encoding/xml":    {"Unmarshal", "NewDecoder"},
	"encoding/pem":    {"Decode"},
	"encoding/base64": {"DecodeString", "Decode", "NewDecoder"},
	"encoding/hex":    {"DecodeString", "Decode", "NewDecoder"},
	"encoding/csv":    {"NewReader"},
	"encoding/gob":    {"NewDecoder"},
	"crypto/x509":     {"ParseCertificate", "ParseCertificates", "ParsePKCS8PrivateKey", "ParsePKCS1PrivateKey", "ParseECPrivateKey", "ParseCertificateRequest", "NewCertPool"},
	"crypto/tls":      {"X509KeyPair"},
	"regexp":          {"Compile", "MustCompile", "CompilePOSIX", "MatchString", "Match"},
	"regexp/syntax":   {"Parse"},
	"net/url":         {"Parse", "ParseRequestURI", "ParseQuery", "QueryUnescape", "PathUnescape"},
	"net/http":        {"MaxBytesReader", "ReadRequest", "ReadResponse"},
	"net/mail":        {"ParseAddress", "ParseAddressList", "ParseDate", "ReadMessage"},
	"net/textproto":   {"NewReader", "NewConn"},
	"net/netip":       {"ParseAddr", "ParsePrefix", "ParseAddrPort"},
	"net":             {"ParseIP", "ParseCIDR", "ParseMAC", "SplitHostPort"},
	"mime":            {"ParseMediaType", "WordDecoder"},
	"mime/multipart":  {"NewReader"},
	"html":            {"UnescapeString"},
	"html/template":   {"New"},
	"text/template":   {"New"},
	"io":              {"ReadAll", "Copy", "CopyN", "LimitReader"},
	"bufio":           {"NewReader", "NewReaderSize", "NewScanner"},
	"compress/gzip":   {"NewReader"},
	"compress/zlib":   {"NewReader"},
	"compress/flate":  {"NewReader"},
	"archive/tar":     {"NewReader"},
	"archive/zip":     {"NewReader", "OpenReader"},
	"time":            {"Parse", "ParseInLocation", "ParseDuration"},
	"strconv":         {"Atoi", "ParseInt", "ParseUint", "ParseFloat", "ParseBool", "Unquote"},
	"fmt":             {"Sscan", "Sscanf", "Fscan", "Fscanf"},

	"k8s.io/apimachinery/pkg/labels":                {"Parse", "ParseToRequirements", "ParseToLabels", "ConvertSelectorToLabelsMap"},
	"k8s.io/apimachinery/pkg/fields":                {"ParseSelector"},
	"k8s.io/apimachinery/pkg/apis/meta/v1":          {"LabelSelectorAsSelector", "ParseToLabelSelector"},
	"k8s.io/apimachinery/pkg/api/resource":          {"ParseQuantity", "MustParse"},
	"k8s.io/apimachinery/pkg/util/json":             {"Unmarshal"},
	"k8s.io/apimachinery/pkg/util/yaml":             {"Unmarshal", "ToJSON", "NewYAMLOrJSONDecoder", "NewYAMLToJSONDecoder"},
	"k8s.io/apimachinery/pkg/util/version":          {"Parse", "ParseGeneric", "ParseSemantic"},
	"k8s.io/client-go/util/jsonpath":                {"Parse", "New"},
	"sigs.k8s.io/yaml":                              {"Unmarshal", "UnmarshalStrict", "YAMLToJSON", "YAMLToJSONStrict"},
	"gopkg.in/yaml.v3":                              {"Unmarshal", "NewDecoder"},
	"go.yaml.in/yaml/v3":                            {"Unmarshal", "NewDecoder"},
	"golang.org/x/net/html":                         {"Parse", "NewTokenizer"},
	"google.golang.org/grpc":                        {"NewClient", "DialContext", "Dial"},
	"google.golang.org/protobuf/proto":              {"Unmarshal"},
	"google.golang.org/protobuf/encoding/protojson": {"Unmarshal"},

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission":  {"NewDecoder"},
	"sigs.k8s.io/controller-runtime/pkg/webhook/conversion": {"NewWebhookHandler"},
	"github.com/santhosh-tekuri/jsonschema/v6":              {"NewCompiler", "UnmarshalJSON"},
	"github.com/wneessen/go-mail/smtp":                      {"NewClient"},

	"github.com/gophernetes/bellhop/internal/redact": {"NewRedactor"},
}

// notRead are the folders that are no part of the operator.
var notRead = regexp.MustCompile(`^(cmd|demo|test|hack|client|proto|docs|bin)(/|$)|(^|/)testdata$|[a-z]test$`)

// The page lists every function that decodes or parses something, so that the bound and the cost of each are known.
func TestEveryReaderIsListed(t *testing.T) {
	found, listed := map[string]string{}, map[string]bool{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && name != "." && (notRead.MatchString(filepath.ToSlash(name)) || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(entry.Name(), "zz_generated"):
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for function, call := range readersIn(file) {
			found[filepath.ToSlash(filepath.Dir(name))+"."+function] = call
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
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
		if _, ok := found[function]; !ok && !exists(t, function) {
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

// readersIn are the functions of a file that call a reader, each with one that it calls.
func readersIn(file *ast.File) map[string]string {
	imports := map[string]string{}
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		parts := strings.Split(path, "/")
		name := parts[len(parts)-1]
		if regexp.MustCompile(`^v[0-9]+$`).MatchString(name) && len(parts) > 1 {
			name = parts[len(parts)-2]
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = path
	}
	found := map[string]string{}
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue // what a package has is known when it is built
		}
		ast.Inspect(function, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x := selector.X
			if within, ok := x.(*ast.SelectorExpr); ok { // base64.StdEncoding.DecodeString
				x = within.X
			}
			if name, ok := x.(*ast.Ident); ok && slices.Contains(readers[imports[name.Name]], selector.Sel.Name) {
				found[nameOf(function)] = imports[name.Name] + "." + selector.Sel.Name
			}
			return true
		})
	}
	return found
}

func nameOf(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return function.Name.Name
	}
	receiver := function.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return r.Name + "." + function.Name.Name
		default:
			return function.Name.Name
		}
	}
}

// exists says whether a package has a function or a method.
func exists(t *testing.T, name string) bool {
	slash := strings.LastIndexByte(name, '/')
	dot := slash + 1 + strings.IndexByte(name[slash+1:], '.')
	files, err := filepath.Glob(filepath.Join(root, name[:dot], "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && nameOf(function) == name[dot+1:] {
				return true
			}
		}
	}
	return false
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
