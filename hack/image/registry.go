// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// writeArchives writes the image of each platform as an archive that docker, podman and ctr load under the name of the target.
func writeArchives(built name.Digest, target name.Tag, o options) error {
	for _, platform := range o.platforms {
		image, err := remote.Image(built, remote.WithPlatform(platform))
		if err != nil {
			return fmt.Errorf("reading the image of %s: %w", platform, err)
		}
		file := filepath.Join(o.out, fmt.Sprintf("%s-image-%s.tar", path.Base(target.RepositoryStr()), strings.ReplaceAll(platform.String(), "/", "-")))
		if err := tarball.WriteToFile(file, target, image); err != nil {
			return err
		}
		digest, err := image.Digest()
		if err != nil {
			return err
		}
		log.Printf("%s: %s, %s", file, target, digest)
	}
	return nil
}

// push copies the image, and the SBOMs that ko has attached to it, to another repository.
func push(ctx context.Context, built name.Digest, image string) error {
	target, err := name.NewTag(image)
	if err != nil {
		return err
	}
	from := []remote.Option{remote.WithContext(ctx)}
	to := append(from, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	index, err := remote.Index(built, from...)
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(target, index, to...); err != nil {
		return err
	}
	log.Printf("pushed %s@%s", target, built.DigestStr())
	tags, err := remote.List(built.Context(), from...)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if !strings.HasPrefix(tag, "sha256-") { // the SBOM of this digest, as cosign names it
			continue
		}
		sbom, err := remote.Image(built.Context().Tag(tag), from...)
		if err != nil {
			return err
		}
		if err := remote.Write(target.Context().Tag(tag), sbom, to...); err != nil {
			return err
		}
	}
	return nil
}
