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

// Command reference writes pages of docs/reference: the flags of the operator from its flag set, kinds and roles from config/.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pages are the writers of the pages, by file name.
var pages = map[string]func() (string, error){
	"flags.md": flagsPage,
	"kinds.md": kindsPage,
	"rbac.md":  rbacPage,
}

func main() {
	for name, write := range pages {
		page, err := write()
		if err == nil {
			err = os.WriteFile(filepath.Join("docs", "reference", name), []byte(page), 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "reference: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

// row returns a row of a table.
func row(cells ...string) string {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	return strings.TrimRight("| "+strings.Join(cells, " | ")+" |", " ") + "\n"
}

// header returns the first rows of a table.
func header(titles ...string) string {
	rule := make([]string, len(titles))
	for i := range rule {
		rule[i] = "---"
	}
	return "\n" + row(titles...) + row(rule...)
}

// code returns names in backquotes, with commas between.
func code(names ...string) string {
	var quoted []string
	for _, name := range names {
		if name != "" {
			quoted = append(quoted, "`"+name+"`")
		}
	}
	return strings.Join(quoted, ", ")
}
