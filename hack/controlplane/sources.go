// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A finder finds the programs of one version of Kubernetes.
type finder struct {
	repo    string // bellhop's repository
	version string // of Kubernetes, as v1.36.3
	pinned  bool   // hack/cluster/go.mod requires this version
	assets  string // the value of KUBEBUILDER_ASSETS
	cache   string // folder for this version

	goCommand        string
	log              io.Writer
	progressInterval time.Duration // how often a running build is reported
	answerTimeout    time.Duration // how long a download server may take to answer
}

func (f *finder) logf(format string, args ...any) {
	fmt.Fprintf(f.log, "controlplane: "+format+"\n", args...)
}

// checkPrograms returns an error with the programs that a folder lacks. A program under its name is complete, since files in the
// cache get their names last.
func checkPrograms(dir string, programs []string) error {
	var lacks []string
	for _, program := range programs {
		info, err := os.Stat(filepath.Join(dir, program))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 || info.Size() == 0 {
			lacks = append(lacks, program)
		}
	}
	if lacks != nil {
		return fmt.Errorf("%s has no %s", dir, strings.Join(lacks, ", "))
	}
	return nil
}

func (f *finder) fromAssets(context.Context) (string, error) {
	if f.assets == "" {
		return "", errors.New("not set")
	}
	dir, err := filepath.Abs(f.assets)
	if err != nil {
		return "", err
	}
	return dir, checkPrograms(dir, corePrograms)
}

func (f *finder) fromCache(context.Context) (string, error) {
	return f.cache, checkPrograms(f.cache, corePrograms)
}

// download uses setup-envtest. It lists versions first, to find out whether the server can be reached: behind a firewall a connection
// may hang, and the limit for a download is too long for that case.
func (f *finder) download(ctx context.Context) (string, error) {
	modfile := "-modfile=" + filepath.Join("hack", "tools", "go.mod")
	tool := f.command(ctx, f.goCommand, "tool", modfile, "-n", "setup-envtest") // builds it, and prints its path
	tool.Dir = f.repo
	path, err := output(tool)
	if err != nil {
		return "", err
	}
	// the releases of the download skip some patch versions of Kubernetes
	release := strings.TrimPrefix(minorVersion(f.version), "v") + ".x"

	asked, cancel := context.WithTimeout(ctx, f.answerTimeout)
	defer cancel()
	if _, err := output(f.command(asked, path, "list", "--use-env=false", release)); err != nil {
		if asked.Err() != nil {
			err = errors.New("its server does not answer")
		}
		return "", err
	}

	temp, err := os.MkdirTemp(f.cache, "download-")
	if err != nil {
		return "", err
	}
	defer func() {
		// setup-envtest makes files and folders read-only
		_ = filepath.WalkDir(temp, func(path string, _ os.DirEntry, _ error) error { return os.Chmod(path, 0o755) })
		_ = os.RemoveAll(temp)
	}()
	began := time.Now()
	f.logf("downloading Kubernetes %s with setup-envtest", release)
	limited, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	dir, err := output(f.command(limited, path, "use", "--use-env=false", "--bin-dir", temp, "-p", "path", release))
	if err != nil {
		f.logf("the download failed: %v", err)
		return "", err
	}
	if err := checkPrograms(dir, corePrograms); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	for _, program := range corePrograms {
		if err := os.Rename(filepath.Join(dir, program), filepath.Join(f.cache, program)); err != nil {
			return "", err
		}
	}
	f.logf("downloaded in %s", formatSeconds(began))
	return f.cache, nil
}

func (f *finder) buildCore(ctx context.Context) (string, error) {
	return f.cache, f.build(ctx, corePrograms...)
}

// build builds the programs that the cache lacks.
func (f *finder) build(ctx context.Context, programs ...string) error {
	for _, program := range programs {
		if checkPrograms(f.cache, []string{program}) == nil {
			continue
		}
		if err := f.buildOne(ctx, program); err != nil {
			return fmt.Errorf("building %s: %w", program, err)
		}
	}
	return nil
}

func (f *finder) buildOne(ctx context.Context, program string) error {
	temp := filepath.Join(f.cache, "."+program+".new")
	defer os.Remove(temp)

	// This module pins the versions for the one-node cluster, too. Its etcd serves all versions of Kubernetes.
	module, mode := filepath.Join(f.repo, "hack", "cluster"), "-mod=readonly"
	name := "k8s.io/kubernetes/cmd/" + program
	switch {
	case program == "etcd":
		name = "go.etcd.io/etcd/server/v3"
	case !f.pinned:
		var err error
		if module, err = f.moduleOfVersion(ctx); err != nil {
			return err
		}
		mode = "-mod=mod" // adds checksums, which Go compares with those of its checksum database
	}
	build := f.command(ctx, f.goCommand, "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags(f.version), "-o", temp, name)
	build.Dir = module
	// The result must not depend on the environment of this machine.
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS="+mode, "GOOS=", "GOARCH=")

	began := time.Now()
	f.logf("building %s %s from Go modules: once, it is kept in %s", program, f.version, f.cache)
	if err := f.runWithProgress(build, func() { f.logf("building %s, %s so far", program, formatSeconds(began)) }); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(f.cache, program)); err != nil {
		return err
	}
	f.logf("built %s in %s", program, formatSeconds(began))
	return nil
}

// moduleOfVersion returns the folder of a module, in the cache, that requires Kubernetes of this version.
func (f *finder) moduleOfVersion(ctx context.Context) (string, error) {
	dir := filepath.Join(f.cache, "module")
	if _, err := os.Stat(filepath.Join(dir, "go.sum")); err == nil {
		return dir, nil
	}
	download := f.command(ctx, f.goCommand, "mod", "download", "-json", "k8s.io/kubernetes@"+f.version)
	download.Dir = f.cache              // outside of a module, whose other dependencies would count
	answer, failed := download.Output() // where it fails, the answer says why
	var module struct{ Dir, Error string }
	if err := json.Unmarshal(answer, &module); err != nil {
		return "", errors.Join(failed, err)
	}
	if module.Error != "" {
		return "", errors.New(module.Error)
	}
	return dir, writeModule(dir, module.Dir, f.version)
}

// runWithProgress runs the command, and calls progress at each interval until the command ends.
func (f *finder) runWithProgress(cmd *exec.Cmd, progress func()) error {
	ended := make(chan error, 1)
	go func() {
		_, err := output(cmd)
		ended <- err
	}()
	ticks := time.NewTicker(f.progressInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			progress()
		case err := <-ended:
			return err
		}
	}
}

// ldflags sets the version of Kubernetes programs. Without it an API server reports v0.0.0, and clients depend on the reported
// version.
func ldflags(version string) string {
	major, minor, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	return "-s -w" + strings.Join([]string{
		"", "gitVersion=" + version, "gitMajor=" + major, "gitMinor=" + minor, "gitTreeState=clean", "buildDate=1970-01-01T00:00:00Z",
	}, " -X k8s.io/component-base/version.")
}

// linkPrograms creates a folder with links to the core programs of another folder and to the controller manager of the cache.
func (f *finder) linkPrograms(dir string) (string, error) {
	joined := filepath.Join(f.cache, fmt.Sprintf("joined-%x", sha256.Sum256([]byte(dir)))[:len("joined-")+12])
	if checkPrograms(joined, append([]string{controllerManager}, corePrograms...)) == nil {
		return joined, nil
	}
	if err := os.RemoveAll(joined); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(f.cache, "joining-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	links := map[string]string{controllerManager: f.cache}
	for _, program := range corePrograms {
		links[program] = dir
	}
	for program, from := range links {
		if err := os.Symlink(filepath.Join(from, program), filepath.Join(temp, program)); err != nil {
			return "", err
		}
	}
	return joined, os.Rename(temp, joined)
}

// command returns a command that is interrupted, and soon killed, when its context ends.
func (f *finder) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 3 * time.Second
	return cmd
}

// output runs the command, and returns its standard output, or an error with the last lines of its standard error.
func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		lines = lines[max(0, len(lines)-10):]
		return "", fmt.Errorf("%w: %s", err, strings.Join(lines, "\n    "))
	}
	return strings.TrimSpace(string(out)), nil
}

func formatSeconds(began time.Time) string {
	return fmt.Sprintf("%d s", int(time.Since(began).Seconds()+0.5))
}
