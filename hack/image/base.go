// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is the id of user and group of all processes. An id above 10,000 is none of the node's users.
const user = 65532

// file is a file or directory of the base image.
type file struct {
	path    string
	mode    uint32
	content string // of a file; of a directory, whose path ends in a slash, none
}

// files returns the files of the base image: what a static Go binary needs, and nothing else.
func files() []file {
	return []file{
		{path: "etc/", mode: 0o755},
		{path: "etc/passwd", mode: 0o644, content: fmt.Sprintf("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:%[1]d:%[1]d:nonroot:/home/nonroot:/sbin/nologin\n", user)},
		{path: "etc/group", mode: 0o644, content: fmt.Sprintf("root:x:0:\nnonroot:x:%d:\n", user)},
		{path: "etc/ssl/", mode: 0o755},
		{path: "etc/ssl/certs/", mode: 0o755},
		{path: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: authorities()},
		{path: "tmp/", mode: 0o1777},
	}
}

// authorities returns the certificate authorities that Mozilla trusts, in PEM.
func authorities() string {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer does not fail
	}
	return b.String()
}

// newBase returns an index with an image for each platform: the image named from, or one with files() only if from is "", and a layer of
// licenses. The same versions of modules and licenses give the same digest.
func newBase(ctx context.Context, from string, platforms []v1.Platform, licenses []file) (v1.ImageIndex, error) {
	layer, err := newLayer(licenses)
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		image, err := imageBelow(ctx, from, platform)
		if err != nil {
			return nil, err
		}
		if image, err = withLayer(image, layer); err != nil {
			return nil, err
		}
		descriptor, err := partial.Descriptor(image)
		if err != nil {
			return nil, err
		}
		descriptor.Platform = &platform
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: *descriptor})
	}
	return index, nil
}

// imageBelow returns the image named from for a platform; "": one that has files() only.
func imageBelow(ctx context.Context, from string, platform v1.Platform) (v1.Image, error) {
	if from == "" {
		return newImage(platform)
	}
	ref, err := name.ParseReference(from)
	if err != nil {
		return nil, err
	}
	image, err := remote.Image(ref, remote.WithContext(ctx), remote.WithPlatform(platform), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	if is := config.Platform(); is == nil || !is.Satisfies(v1.Platform{OS: platform.OS, Architecture: platform.Architecture}) {
		return nil, fmt.Errorf("%s is for %s, not for %s", from, is, platform)
	}
	return image, nil
}

// newImage returns an image that has files() only.
func newImage(platform v1.Platform) (v1.Image, error) {
	layer, err := newLayer(files())
	if err != nil {
		return nil, err
	}
	image, err := withLayer(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Config.User = fmt.Sprintf("%[1]d:%[1]d", user)
	config.Config.Env = []string{"PATH=/ko-app", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"}
	return mutate.ConfigFile(image, config)
}

// withLayer returns an image with one more layer, of the same kind as those below.
func withLayer(image v1.Image, layer v1.Layer) (v1.Image, error) {
	kind, err := image.MediaType()
	if err != nil {
		return nil, err
	}
	layerKind := types.OCILayer
	if kind == types.DockerManifestSchema2 {
		layerKind = types.DockerLayer
	}
	return mutate.Append(image, mutate.Addendum{Layer: layer, MediaType: layerKind})
}

// newLayer returns the files as a layer. They have no times, so that the same files have the same digest.
func newLayer(files []file) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		header := &tar.Header{Name: f.path, Mode: int64(f.mode), Size: int64(len(f.content)), ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}
		if strings.HasSuffix(f.path, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}
