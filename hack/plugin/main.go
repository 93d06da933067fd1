// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command plugin packs binaries of the kubectl plugin for a release: an archive for each platform, checksums.txt, and the krew manifest.
// hack/plugin.sh builds the binaries and calls it. The same binaries give the same bytes: entries are sorted, and have a fixed time and
// no owner. It needs neither tar nor zip, so that it works the same on all systems.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	// pluginName is how users call the plugin: kubectl bellhop.
	pluginName = "bellhop"
	// binaryName is the file that kubectl looks for.
	binaryName = "kubectl-" + pluginName
	// completionName is the program that kubectl runs to complete the plugin's arguments.
	completionName = "kubectl_complete-" + pluginName
)

func main() {
	var r release
	flag.StringVar(&r.version, "version", "", "semantic version of the release, such as v1.2.3")
	flag.StringVar(&r.url, "url", "", "where the archives will be found")
	flag.StringVar(&r.license, "license", "LICENSE", "file with the license")
	binaries := flag.String("binaries", "", "folder with OS_ARCH/"+binaryName+" for each platform")
	out := flag.String("out", "dist/plugin", "folder for the results")
	flag.Parse()
	if err := r.pack(*binaries, *out); err != nil {
		fmt.Fprintln(os.Stderr, "plugin:", err)
		os.Exit(1)
	}
}

// release is what is packed.
type release struct {
	version, url, license string
}

// platform is one of a release, with its archive's name and checksum.
type platform struct {
	os, arch string
	archive  string
	sha256   string
	files    []file
}

// executable is the name of the plugin's binary.
func (p *platform) executable() string {
	if p.os == "windows" {
		return binaryName + ".exe"
	}
	return binaryName
}

var semanticVersion = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// pack packs the binaries of a folder, and writes the results into the folder out.
func (r *release) pack(binaries, out string) error {
	if !semanticVersion.MatchString(r.version) {
		return fmt.Errorf("version %q is not a semantic version with a v, such as v1.2.3", r.version)
	}
	if !strings.HasPrefix(r.url, "https://") {
		return fmt.Errorf("url %q does not begin with https://", r.url)
	}
	found, err := filepath.Glob(filepath.Join(binaries, "*_*")) // sorted
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("%s has no folder OS_ARCH", binaries)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var platforms []platform
	var checksums strings.Builder
	for _, dir := range found {
		p, err := r.packPlatform(dir, out)
		if err != nil {
			return err
		}
		platforms = append(platforms, p)
		fmt.Fprintf(&checksums, "%s  %s\n", p.sha256, p.archive)
	}
	if err := os.WriteFile(filepath.Join(out, "checksums.txt"), []byte(checksums.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, pluginName+".yaml"), r.manifest(platforms), 0o644)
}

// packPlatform writes the archive with the binary of a folder OS_ARCH.
func (r *release) packPlatform(dir, out string) (p platform, err error) {
	p.os, p.arch, _ = strings.Cut(filepath.Base(dir), "_")
	p.archive = fmt.Sprintf("%s_%s_%s.tar.gz", binaryName, p.os, p.arch)
	write := writeTar
	if p.os == "windows" {
		p.archive = strings.TrimSuffix(p.archive, "tar.gz") + "zip"
		write = writeZip
	}
	binary, err := os.ReadFile(filepath.Join(dir, p.executable()))
	if err != nil {
		return p, err
	}
	license, err := os.ReadFile(r.license)
	if err != nil {
		return p, err
	}
	p.files = []file{ // sorted by name
		{name: "LICENSE", content: license},
		{name: p.executable(), content: binary, executable: true},
		completion(p.os),
	}
	archive, err := write(p.files)
	if err != nil {
		return p, err
	}
	p.sha256 = fmt.Sprintf("%x", sha256.Sum256(archive))
	return p, os.WriteFile(filepath.Join(out, p.archive), archive, 0o644)
}

// completion is the program that kubectl runs with the arguments that are to be completed. Its name and what it prints are described by
// kubectl, in pkg/cmd/plugin/plugin_completion.go; cobra's command __complete prints that. Windows runs no file without an extension.
func completion(goos string) file {
	if goos == "windows" {
		return file{name: completionName + ".bat", executable: true, content: []byte("@echo off\r\n" + binaryName + " __complete %*\r\n")}
	}
	return file{name: completionName, executable: true, content: []byte("#!/bin/sh\n" +
		"# Completes the arguments of \"kubectl " + pluginName + "\", for the completion of kubectl itself.\n" +
		"exec " + binaryName + " __complete \"$@\"\n")}
}
