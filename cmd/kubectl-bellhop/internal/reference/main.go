// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command reference writes docs/reference/kubectl-bellhop.md from the tree of commands. "make docs" calls it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/command"
)

func main() {
	out := flag.String("out", "", "file to write")
	flag.Parse()
	page := render(command.New(genericiooptions.NewTestIOStreamsDiscard()))
	if err := write(*out, page); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// write writes a page, unless the file has it already.
func write(path string, page []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, page) {
		return nil
	}
	return os.WriteFile(path, page, 0o644)
}
