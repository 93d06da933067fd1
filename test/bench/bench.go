// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gophernetes/bellhop/hack/local"
)

// A bench has the options and the programs of a run.
type bench struct {
	options
	repo, dir       string
	operator, floor string // paths of the binaries
	log             io.Writer

	nameCount int          // of names from uniqueName
	shared    *environment // the environment of a short run

	alertModel, serviceModel *recordedModel
	catalogObjects           *catalogObjects // what the operator created from the broker's catalog
}

// newBench builds the operator and the floors with the same flags.
func newBench(ctx context.Context, o options) (_ *bench, err error) {
	b := &bench{options: o, log: io.Discard}
	if o.verbose {
		b.log = os.Stderr
	}
	defer func() {
		if err != nil {
			os.RemoveAll(b.dir)
		}
	}()
	if b.repo, err = local.FindRepo(); err != nil {
		return nil, err
	}
	if err := os.Setenv("CGO_ENABLED", "0"); err != nil { // as the image is built
		return nil, err
	}
	if b.operator, err = local.BuildOperator(ctx, b.repo); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "bellhop-bench-"); err != nil {
		return nil, err
	}
	b.floor = filepath.Join(b.dir, "floor")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "grpcnotrace", "-o", b.floor, "./bench/floor")
	build.Dir = filepath.Join(b.repo, "test")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the floors: %w\n%s", err, out)
	}
	return b, nil
}

func (b *bench) close() (err error) {
	if b.shared != nil {
		err = b.shared.close()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// uniqueName returns a name with this prefix that no other object has.
func (b *bench) uniqueName(name string) string {
	b.nameCount++
	return fmt.Sprintf("%s-%d", name, b.nameCount)
}

// logProgress reports to the user what is being measured.
func logProgress(format string, args ...any) { fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...) }
