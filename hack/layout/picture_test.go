// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"testing/fstest"
)

func TestMermaid(t *testing.T) {
	file := func(imports ...string) *fstest.MapFile {
		text := "package p\n"
		for _, path := range imports {
			text += "import _ \"" + module + "/" + path + "\"\n"
		}
		return &fstest.MapFile{Data: []byte(text)}
	}
	imports, err := readGraph(fstest.MapFS{
		"main.go":                        file("internal/operator", "internal/kube/patch", "client"),
		"main_test.go":                   file("webhooks/pager"),
		"internal/operator/a.go":         file("internal/kube/patch"),
		"internal/kube/patch/a.go":       file("internal/kube/secrets"),
		"internal/pager/rulestest/a.go":  file("internal/operator"),
		"cmd/kubectl-bellhop/main.go":    file("internal/operator"),
		"test/internal/operator/main.go": file("internal/kube/patch"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "```mermaid\nflowchart TD\n  main --> internal_operator[\"internal/operator\"]\n  internal_operator[\"internal/operator\"] --> internal_kube[\"internal/kube\"]\n```\n"
	if got := imports.mermaid(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
