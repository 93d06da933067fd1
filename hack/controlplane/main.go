// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command controlplane prints the folder that holds the programs of a real control plane: etcd, kube-apiserver, kubectl
// and, with -controller-manager, kube-controller-manager. Tests, demo and CI call it, so that they need nothing but Go.
//
//	export KUBEBUILDER_ASSETS=$(go -C hack/controlplane run .)
//
// The version of Kubernetes is that of hack/cluster/go.mod, or another one with -version or the environment variable K8S_VERSION. Each
// version has its own folder.
//
// It uses programs that exist, downloads what it can, and builds the others; sources.go has the places where it looks. It prints
// progress to standard error, and only the folder to standard output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const controllerManager = "kube-controller-manager"

// corePrograms are what envtest needs. No download contains the controller manager.
var corePrograms = []string{"etcd", "kube-apiserver", "kubectl"}

const advice = `What you can do:
  - set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl, or
  - give Go access to a module proxy (GOPROXY) and run this again: what is already built is kept, or
  - copy the cache folder from a machine where this command has succeeded.`

func main() {
	withControllerManager := flag.Bool("controller-manager", false, "the folder also has to have "+controllerManager)
	version := flag.String("version", os.Getenv("K8S_VERSION"), "the version of Kubernetes, as 1.33 or 1.33.6; default: K8S_VERSION, or the one that hack/cluster/go.mod pins")
	listVersions := flag.Bool("versions", false, "print the other versions that are tested, the oldest first, and end")
	repo := flag.String("repo", filepath.Join("..", ".."), "where bellhop's repository is")
	flag.Parse()
	if *listVersions {
		fmt.Println(strings.Join(otherVersions(), "\n"))
		return
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := run(ctx, *repo, *version, *withControllerManager)
	if err != nil {
		fmt.Fprintf(os.Stderr, "controlplane: %v\n", err)
		os.Exit(1) //nolint:gocritic // the process ends: stop would change nothing
	}
	fmt.Println(dir)
}

func run(ctx context.Context, repo, requested string, withControllerManager bool) (string, error) {
	repo, err := filepath.Abs(repo)
	if err != nil {
		return "", err
	}
	pinned, err := pinnedVersion(filepath.Join(repo, "hack", "cluster", "go.mod"))
	if err != nil {
		return "", err
	}
	version, err := selectVersion(requested, pinned, otherVersions())
	if err != nil {
		return "", err
	}
	f := &finder{
		repo: repo, version: version, pinned: version == pinned,
		goCommand: "go", log: os.Stderr, progressInterval: 10 * time.Second, answerTimeout: 10 * time.Second,
	}
	if requested == "" {
		f.assets = os.Getenv("KUBEBUILDER_ASSETS") // of some version
	}
	// without a home there is no cache, but KUBEBUILDER_ASSETS may have all programs
	if caches, err := os.UserCacheDir(); err == nil {
		f.cache = filepath.Join(caches, "bellhop", "controlplane", version)
	}
	dir, err := f.find(ctx, withControllerManager)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("no control plane was found.\n%w\n%s", err, advice)
	}
	return dir, err
}

// A source is a place that may have the core programs.
type source struct {
	name string
	// get returns the folder that has all of them, or an error that tells why there is none.
	get func(context.Context) (string, error)
}

// find returns the folder of the first source that has the programs.
func (f *finder) find(ctx context.Context, withControllerManager bool) (string, error) {
	programs := corePrograms
	if withControllerManager {
		programs = append(append([]string{}, corePrograms...), controllerManager)
	}
	dir, err := f.fromAssets(ctx)
	if err == nil && checkPrograms(dir, programs) == nil {
		return dir, nil // neither the cache nor the lock is needed
	}
	if err != nil && f.assets != "" {
		f.logf("KUBEBUILDER_ASSETS is not used: %v", err)
	}
	if f.cache == "" {
		return "", errors.New("the cache: neither HOME nor XDG_CACHE_HOME is set")
	}

	// Of two processes that start at the same time, the second waits here, and then finds the programs in the cache.
	unlock, err := f.lock()
	if err != nil {
		return "", err
	}
	defer unlock()

	dir, err = f.findInSources(ctx,
		source{"KUBEBUILDER_ASSETS", f.fromAssets},
		source{"the cache", f.fromCache},
		source{"setup-envtest", f.download},
		source{"building from Go modules", f.buildCore},
	)
	if err != nil || !withControllerManager || checkPrograms(dir, programs) == nil {
		return dir, err
	}
	if err := f.build(ctx, controllerManager); err != nil {
		return "", err
	}
	if dir == f.cache {
		return dir, nil
	}
	return f.linkPrograms(dir)
}

func (f *finder) findInSources(ctx context.Context, sources ...source) (string, error) {
	var tried []error
	for _, s := range sources {
		dir, err := s.get(ctx)
		if err == nil {
			return dir, nil
		}
		if ctx.Err() != nil {
			return "", errors.New("interrupted")
		}
		tried = append(tried, fmt.Errorf("  %s: %w", s.name, err))
	}
	return "", errors.Join(tried...)
}
