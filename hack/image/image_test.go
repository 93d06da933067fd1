// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func platforms(t *testing.T) []v1.Platform {
	t.Helper()
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	return o.platforms
}

// The files of an image have their modes whatever the umask is: another user reads them.
func TestFilesWithAUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	root := t.TempDir()
	for _, f := range files() {
		if err := f.write(root); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(root, f.path))
		if err != nil {
			t.Fatal(err)
		}
		if got := uint32(info.Mode().Perm()); got != f.mode&0o777 {
			t.Errorf("%s has the mode %o, want %o", f.path, got, f.mode)
		}
	}
}

// The same versions of the modules give the same image.
func TestBaseIsReproducible(t *testing.T) {
	var digests []v1.Hash
	for range 2 {
		base, err := newBase(t.Context(), "", platforms(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := base.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("digests %s", digests)
	}
}

func TestBase(t *testing.T) {
	base, err := newBase(t.Context(), "", platforms(t), []file{{path: "licenses/", mode: 0o755}, {path: "licenses/LICENSE", mode: 0o644, content: "permitted"}})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := base.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var built []string
	for _, m := range manifest.Manifests {
		built = append(built, m.Platform.String())
		image, err := base.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		id, err := strconv.Atoi(strings.Split(config.Config.User, ":")[0])
		if err != nil || id <= 10000 {
			t.Errorf("%s: user %q", m.Platform, config.Config.User)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(read(t, image)["etc/ssl/certs/ca-certificates.crt"]) {
			t.Errorf("%s: there are no certificates", m.Platform)
		}
		if got := string(read(t, image)["licenses/LICENSE"]); got != "permitted" {
			t.Errorf("%s: license %q", m.Platform, got)
		}
	}
	if got := strings.Join(built, " "); got != "linux/amd64 linux/arm64" {
		t.Errorf("platforms %s", got)
	}
}

// read returns the files of an image.
func read(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	content := mutate.Extract(image)
	defer content.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestImageOf(t *testing.T) {
	for image, want := range map[string]string{
		"bellhop:dev":                    "bellhop-demo-inbox:dev",
		"localhost:5000/a/bellhop":       "localhost:5000/a/bellhop-demo-inbox",
		"localhost:5000/a/bellhop:v1":    "localhost:5000/a/bellhop-demo-inbox:v1",
		"ghcr.io/gophernetes/bellhop:v1": "ghcr.io/gophernetes/bellhop-demo-inbox:v1",
	} {
		if got := (options{image: image}).imageOf(parts["demo-inbox"]); got != want {
			t.Errorf("%s: %s, want %s", image, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{{"-image=Bell Hop"}, {"-parts=kitchen"}, {"-platforms=a/b/c/d/e"}, {"-files=bin/files"}} {
		if _, err := parse(args); err == nil || !strings.Contains(err.Error(), strings.Split(args[0], "=")[0]) {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// F-U14: the Dockerfile makes the image of the same recipe.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	image, err := newImage(platforms(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	operator := parts["operator"]
	_, stage, _ := strings.Cut(string(text), "\nFROM scratch\n")
	for _, want := range []string{
		"ENV " + strings.Join(config.Config.Env, " "),
		"LABEL " + strings.Join(options{version: "$VERSION", commit: "$COMMIT"}.labels(operator), " "),
		"USER " + config.Config.User,
		fmt.Sprintf("ENTRYPOINT [%q]", path.Join("/", programs, programName(operator))),
	} {
		if !slices.Contains(strings.Split(stage, "\n"), want) {
			t.Errorf("the Dockerfile has no line %s", want)
		}
	}
}

// A base image from elsewhere, of one platform, gets the licenses, too, and is refused for another platform.
func TestBaseFromElsewhere(t *testing.T) {
	address, err := serveRegistry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	image, err := random.Image(100, 1)
	if err == nil {
		image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: "arm64"})
	}
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(address + "/elsewhere:latest")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	licenses := []file{{path: "LICENSE", mode: 0o644, content: "permitted"}}
	if _, err := newBase(t.Context(), ref.String(), platforms(t)[:1], licenses); err == nil || !strings.Contains(err.Error(), "is for linux/arm64, not for linux/amd64") {
		t.Errorf("for another platform: %v", err)
	}
	base, err := newBase(t.Context(), ref.String(), platforms(t)[1:], licenses)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := base.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	based, err := base.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(read(t, based)["LICENSE"]); got != "permitted" {
		t.Errorf("license %q", got)
	}
}

// The modules of the operator, and what was copied into one of them, have their licenses in the image.
func TestLicenses(t *testing.T) {
	t.Chdir("../..")
	all, err := licensesOf(t.Context(), ".", ".", platforms(t))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range all {
		paths = append(paths, f.path)
	}
	for _, want := range []string{"licenses/go/LICENSE", "licenses/" + own + "/LICENSE", "licenses/k8s.io/api/LICENSE",
		"licenses/k8s.io/kube-openapi/pkg/internal/third_party/govalidator/LICENSE"} {
		if !slices.Contains(paths, want) {
			t.Errorf("no %s in %s", want, paths)
		}
	}
}
