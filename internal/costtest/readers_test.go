// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package costtest_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gophernetes/bellhop"

// listedPackage is what go list says of a package.
type listedPackage struct {
	Dir, ImportPath, Export string
	GoFiles                 []string
	DepOnly                 bool
}

// listPackages returns the packages of the operator, and the files with what all packages export.
func listPackages(t *testing.T) (all []listedPackage, exports map[string]string) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-export", "-tags", "grpcnotrace", "-json=Dir,ImportPath,Export,GoFiles,DepOnly", "./...")
	list.Dir, list.Stderr = root, os.Stderr
	out, err := list.StdoutPipe()
	if err == nil {
		err = list.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	exports = map[string]string{}
	for decoder := json.NewDecoder(out); ; {
		var p listedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if folder := strings.TrimPrefix(p.ImportPath, module+"/"); !p.DepOnly && !notRead.MatchString(folder) {
			all = append(all, p)
		}
	}
	if err := list.Wait(); err != nil {
		t.Fatal(err)
	}
	return all, exports
}

// readersOf returns the functions of the operator that call a reader, each with one that it calls, and all that are declared. A variable
// that has functions counts as one.
func readersOf(t *testing.T) (found map[string]string, declared map[string]bool) {
	all, exports := listPackages(t)
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	found, declared = map[string]string{}, map[string]bool{}
	for _, p := range all {
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(name, "zz_generated") {
				files = append(files, file)
			}
		}
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
		config := types.Config{Importer: imports, Error: func(error) {}} // what is generated is missing
		_, _ = config.Check(p.ImportPath, fset, files, info)
		folder := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, file := range files {
			eachFunction(file, func(name string, body ast.Node) {
				declared[folder+"."+name] = true
				if reader := readerIn(body, info); reader != "" {
					found[folder+"."+name] = reader
				}
			})
		}
	}
	return found, declared
}

// eachFunction calls visit for each function of a file, and for each function in a variable of the package.
func eachFunction(file *ast.File, visit func(name string, body ast.Node)) {
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			visit(nameOf(d), d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				values, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for _, value := range values.Values {
					ast.Inspect(value, func(n ast.Node) bool {
						if call, ok := n.(*ast.CallExpr); ok {
							_, now := call.Fun.(*ast.FuncLit)
							return !now // what a package has is known when it is built
						}
						if _, ok := n.(*ast.FuncLit); ok {
							visit(values.Names[0].Name, n)
						}
						return true
					})
				}
			}
		}
	}
}

var (
	// decodes are the names of functions that decode or parse something, of all packages but those that trivial matches.
	decodes = regexp.MustCompile(`^(Must)?(Unmarshal|Decode|Parse|Compile)|^New(Decoder|Scanner|Tokenizer)`)
	trivial = regexp.MustCompile(`^(flag|unicode/utf8|unicode/utf16|` + module + `(/.*)?)$`)
)

// readerIn returns a reader that is called or named in a function, or "".
func readerIn(body ast.Node, info *types.Info) (reader string) {
	ast.Inspect(body, func(n ast.Node) bool {
		name, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		function, ok := info.Uses[name].(*types.Func)
		if !ok || function.Pkg() == nil {
			return true
		}
		path := function.Pkg().Path()
		if slices.Contains(readers[path], name.Name) || !trivial.MatchString(path) && decodes.MatchString(name.Name) {
			reader = path + "." + name.Name
		}
		return true
	})
	return reader
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
