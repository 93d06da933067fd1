// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gophernetes/bellhop/internal/operator"
)

const flagsIntroduction = `# Flags

The operator prints these flags with ` + "`bin/manager --help`" + `, in the same groups.
[Change flags](../install/README.md#change-flags) shows how to set them with the manifests and with Helm.
The column *manifests* has what ` + "`config/manager`" + ` and the chart set.
This page is generated from the operator's flag set, see ` + "`hack/reference`" + `.
`

// setArgument matches an argument of the operator's container.
var setArgument = regexp.MustCompile(`(?m)^ *- --([a-z-]+)(?:=(.*))?$`)

func flagsPage() (string, error) {
	if err := os.Unsetenv("POD_NAMESPACE"); err != nil { // a default
		return "", err
	}
	var o operator.Options
	fs := flag.NewFlagSet("manager", flag.ContinueOnError)
	o.Bind(fs)
	manifest, err := os.ReadFile(filepath.Join("config", "manager", "manager.yaml"))
	if err != nil {
		return "", err
	}
	set := map[string]string{}
	for _, match := range setArgument.FindAllStringSubmatch(string(manifest), -1) {
		set[match[1]] = cmp.Or(match[2], "true")
	}
	var b strings.Builder
	b.WriteString(flagsIntroduction)
	for _, group := range operator.FlagGroups() {
		b.WriteString("\n## " + group.Title + "\n" + "\n" + header("flag", "default", "manifests", "description"))
		for _, name := range group.Flags {
			f := fs.Lookup(name)
			_, usage := flag.UnquoteUsage(f)
			byDefault := operator.FlagDefault(f)
			if f.DefValue == "false" {
				byDefault = f.DefValue
			}
			b.WriteString(row(code("--"+name), code(byDefault), code(set[name]), quoteFlags(usage)))
		}
	}
	b.WriteString("\n## Environment variables\n" + "\n" + header("variable", "description"))
	for _, v := range operator.Environment() {
		b.WriteString(row(code(strings.Split(v.Name, ", ")...), quoteFlags(v.Usage)))
	}
	return b.String(), nil
}

// quoteFlags puts the names of flags in a text into backquotes.
func quoteFlags(text string) string { return flagName.ReplaceAllString(text, "`$0`") }

var flagName = regexp.MustCompile(`--[a-z][a-z-]*[a-z]`)
