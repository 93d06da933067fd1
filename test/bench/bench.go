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

// A bench has the programs that are measured.
type bench struct {
	options
	repo, dir       string
	operator, floor string // binaries
	log             io.Writer

	names  int    // that were given
	shared *stage // of a short run

	alertModel, serviceModel *sample
	offer                    *offer // what the operator made of the broker's catalog
}

// newBench builds the operator and the floors, with the same flags.
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

// unused is a name that begins so, and that nothing else has.
func (b *bench) unused(name string) string {
	b.names++
	return fmt.Sprintf("%s-%d", name, b.names)
}

// progress tells who waits how far it is.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...) }
