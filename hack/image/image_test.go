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
	"archive/tar"
	"crypto/x509"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func platforms(t *testing.T) []v1.Platform {
	t.Helper()
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	return o.platforms
}

// The same versions of the modules give the same image.
func TestBaseIsReproducible(t *testing.T) {
	var digests []v1.Hash
	for range 2 {
		base, err := newBase(platforms(t))
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
	base, err := newBase(platforms(t))
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
	}
	if got := strings.Join(built, " "); got != "linux/amd64 linux/arm64" {
		t.Errorf("platforms %s", got)
	}
}

// read returns the files of an image.
func read(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
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
	for _, args := range [][]string{{"-image=Bell Hop"}, {"-parts=kitchen"}, {"-platforms=a/b/c/d/e"}} {
		if _, err := parse(args); err == nil || !strings.Contains(err.Error(), strings.Split(args[0], "=")[0]) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
