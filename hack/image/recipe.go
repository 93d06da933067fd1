// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// This is how programs are compiled, and what an image has, with ko and with the Dockerfile.

// programs is the directory of the program in an image. It is ko's.
const programs = "ko-app"

// buildFlags are those of "go build". The tag keeps grpc's tracing out.
var buildFlags = []string{"-trimpath", "-tags=grpcnotrace"}

// linkerFlags returns the flags of the linker.
func (o options) linkerFlags() string {
	const variables = own + "/internal/version."
	return "-s -w -X " + variables + "version=" + o.version + " -X " + variables + "commit=" + o.commit
}

// labels returns the labels of a part's image, as NAME=VALUE. The names are those of the image specification of the Open Container Initiative.
func (o options) labels(p part) []string {
	const prefix = "org.opencontainers.image."
	all := []string{prefix + "title=" + repository + p.suffix, prefix + "source=https://" + own, prefix + "licenses=Apache-2.0"}
	if o.version != "" {
		all = append(all, prefix+"version="+o.version)
	}
	if o.commit != "" {
		all = append(all, prefix+"revision="+o.commit)
	}
	return all
}

// writeKoConfig writes ko's configuration file, and returns its directory.
func writeKoConfig(o options) (directory string, err error) {
	config, err := json.Marshal(map[string][]string{"defaultEnv": {"CGO_ENABLED=0"}, "defaultFlags": buildFlags, "defaultLdflags": {o.linkerFlags()}})
	if err != nil {
		return "", err
	}
	if directory, err = os.MkdirTemp("", "ko"); err != nil {
		return "", err
	}
	return directory, os.WriteFile(filepath.Join(directory, ".ko.yaml"), config, 0o600) // JSON is YAML
}

// writeFiles writes the files of a part's image: those of the base image, the licenses, and the program.
func writeFiles(ctx context.Context, o options, p part) error {
	licenses, err := licensesOf(ctx, p.module, p.main, o.platforms)
	if err != nil {
		return err
	}
	for _, f := range slices.Concat(files(), licenses) {
		if err := f.write(o.files); err != nil {
			return err
		}
	}
	program, err := filepath.Abs(filepath.Join(o.files, programs, programName(p)))
	if err != nil {
		return err
	}
	args := slices.Concat([]string{"build", "-o", program}, buildFlags, []string{"-ldflags=" + o.linkerFlags(), p.main})
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+o.platforms[0].OS, "GOARCH="+o.platforms[0].Architecture)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return os.Chmod(program, 0o755) //nolint:gosec // another user runs it
}

// programName returns the name of a part's program: the last element of its import path.
func programName(p part) string {
	if p.main == "." {
		return filepath.Base(own)
	}
	return filepath.Base(p.main)
}

// write writes the file below a directory.
func (f file) write(root string) error {
	path := filepath.Join(root, f.path)
	mode := os.FileMode(f.mode & 0o777)
	if f.mode&0o1000 != 0 {
		mode |= os.ModeSticky
	}
	var err error
	if strings.HasSuffix(f.path, "/") {
		err = os.MkdirAll(path, 0o755)
	} else {
		err = os.WriteFile(path, []byte(f.content), mode)
	}
	if err != nil {
		return err
	}
	return os.Chmod(path, mode) // the umask has no part in an image
}
