// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command image builds the container images with ko: an archive for each platform, and an SBOM (SPDX) beside each. -push pushes images
// and SBOMs to a registry. ko takes the base image from a registry on this machine that ends with this process; so no other registry is
// needed. With -files it writes the files of the operator's image instead: the Dockerfile makes the same image of them.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// part is a program that gets an image.
type part struct {
	// suffix follows the repository's name.
	suffix string
	// module is the directory of its module in the repository, main that of the program in the module.
	module, main string
}

// repository is the name of the operator's image without a registry; the other images have this name with a suffix.
const repository = "bellhop"

var parts = map[string]part{
	"operator":         {"", ".", "."},
	"demo-broker":      {"-demo-broker", "demo", "./cmd/broker"},
	"demo-inbox":       {"-demo-inbox", "demo", "./cmd/inbox"},
	"demo-login":       {"-demo-login", "demo", "./cmd/login"},
	"example-notifier": {"-example-notifier", "examples", "./notifier"},
}

// options are the flags.
type options struct {
	image, version, commit, base, out, files string
	platforms                                []v1.Platform
	push                                     bool
	parts                                    []part
}

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		log.Fatalf("image: %v", err)
	}
}

// parse reads the flags.
func parse(args []string) (options, error) {
	var o options
	var platforms, names string
	fs := flag.NewFlagSet("image", flag.ExitOnError)
	fs.StringVar(&o.image, "image", "bellhop:dev", "name and tag of the operator's image; the other images have its name with a suffix")
	fs.StringVar(&o.version, "version", "", "version of the programs, such as v1.2.3")
	fs.StringVar(&o.commit, "commit", "", "commit of the source, with -dirty if files were changed; programs that are built in a Git repository know it")
	fs.StringVar(&o.base, "base", "", "base image in a registry; empty: an image with CA certificates, a user, and nothing else")
	fs.StringVar(&platforms, "platforms", "linux/amd64,linux/arm64", "platforms, with commas between")
	fs.StringVar(&names, "parts", "operator", "images to build, with commas between: operator, demo-broker, demo-inbox, demo-login, example-notifier")
	fs.StringVar(&o.out, "out", "dist/image", "directory of archives and SBOMs")
	fs.StringVar(&o.files, "files", "", "directory to which the files of one image for one platform are written instead")
	fs.BoolVar(&o.push, "push", false, "push the images with their SBOMs, too")
	_ = fs.Parse(args) // it exits
	for p := range strings.SplitSeq(platforms, ",") {
		platform, err := v1.ParsePlatform(p)
		if err != nil {
			return o, fmt.Errorf("-platforms: %w", err)
		}
		o.platforms = append(o.platforms, *platform)
	}
	for n := range strings.SplitSeq(names, ",") {
		p, ok := parts[n]
		if !ok {
			return o, fmt.Errorf("-parts: there is no %q", n)
		}
		o.parts = append(o.parts, p)
	}
	if _, err := name.NewTag(o.image, name.WithDefaultRegistry("")); err != nil {
		return o, fmt.Errorf("-image: %w", err)
	}
	if o.files != "" && (len(o.parts) != 1 || len(o.platforms) != 1) {
		return o, fmt.Errorf("-files is for one image and one platform, not for -parts %s and -platforms %s", names, platforms)
	}
	return o, nil
}

// run builds the images, or writes the files of one.
func run(ctx context.Context, o options) error {
	if o.files != "" {
		return writeFiles(ctx, o, o.parts[0])
	}
	ko, err := findKo(ctx)
	if err != nil {
		return err
	}
	local, err := serveRegistry(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, p := range o.parts {
		built, err := build(ctx, o, p, ko, local)
		if err != nil {
			return err
		}
		target, err := name.NewTag(o.imageOf(p), name.WithDefaultRegistry(""))
		if err != nil {
			return err
		}
		if err := writeArchives(built, target, o); err != nil {
			return err
		}
		if o.push {
			if err := push(ctx, built, o.imageOf(p)); err != nil {
				return fmt.Errorf("pushing %s: %w", o.imageOf(p), err)
			}
		}
		fmt.Printf("%s@%s\n", target, built.DigestStr())
	}
	return nil
}

// imageOf returns the name of a part's image.
func (o options) imageOf(p part) string {
	tag := strings.LastIndex(o.image, ":")
	if tag <= strings.LastIndex(o.image, "/") {
		return o.image + p.suffix
	}
	return o.image[:tag] + p.suffix + o.image[tag:]
}

// serveRegistry serves an empty registry on this machine until the process ends, and returns its address.
func serveRegistry(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "localhost:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: time.Minute}
	go func() { log.Fatalf("image: the registry: %v", server.Serve(listener)) }()
	return fmt.Sprintf("localhost:%d", listener.Addr().(*net.TCPAddr).Port), nil
}

// pushBase pushes the base image of a part to the registry on this machine.
func pushBase(ctx context.Context, o options, p part, to string) error {
	licenses, err := licensesOf(ctx, p.module, p.main, o.platforms)
	if err != nil {
		return err
	}
	base, err := newBase(ctx, o.base, o.platforms, licenses)
	if err != nil {
		return err
	}
	ref, err := name.ParseReference(to)
	if err != nil {
		return err
	}
	return remote.WriteIndex(ref, base, remote.WithContext(ctx))
}

// findKo builds the pinned ko, unless Go has it in its cache, and returns its path.
func findKo(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile=hack/tools/ko/go.mod", "-n", "ko")
	cmd.Stderr = os.Stderr
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("building ko: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
}

// build builds a part with ko, and returns the image in the registry.
func build(ctx context.Context, o options, p part, ko, local string) (name.Digest, error) {
	sboms, err := filepath.Abs(filepath.Join(o.out, "sbom"))
	if err != nil {
		return name.Digest{}, err
	}
	config, err := writeKoConfig(o)
	if err != nil {
		return name.Digest{}, fmt.Errorf("the configuration of ko: %w", err)
	}
	defer func() { _ = os.RemoveAll(config) }() // what is left is a temporary file
	var platforms []string
	for _, platform := range o.platforms {
		platforms = append(platforms, platform.String())
	}
	base := local + "/base" + p.suffix + ":latest"
	if err := pushBase(ctx, o, p, base); err != nil {
		return name.Digest{}, fmt.Errorf("the base image: %w", err)
	}
	args := []string{"build", "--bare", "--sbom=spdx", "--sbom-dir=" + sboms, "--platform=" + strings.Join(platforms, ",")}
	for _, label := range o.labels(p) {
		args = append(args, "--image-label="+label)
	}
	cmd := exec.CommandContext(ctx, ko, append(args, p.main)...)
	cmd.Dir = p.module
	cmd.Env = append(os.Environ(), "KO_DOCKER_REPO="+local+"/"+repository+p.suffix, "KO_DEFAULTBASEIMAGE="+base, "KO_CONFIG_PATH="+config)
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		return name.Digest{}, fmt.Errorf("ko build %s in %s: %w\n%s", p.main, p.module, err, &messages)
	}
	return name.NewDigest(strings.TrimSpace(string(out)))
}
