// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package release_test checks the files of a release, and installs them as a stranger does who has only these files and the pages. The environment
// variable RELEASE is the folder that hack/release.sh has written; the nightly run makes one of v0.0.0-snapshot.
package release_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	containerregistry "github.com/google/go-containerregistry/pkg/registry"

	"github.com/gophernetes/bellhop/hack/local"
)

const registry = "ghcr.io/gophernetes/"

// images are those of a release, with the folder of each one's program in its image.
var images = map[string]string{"bellhop": "bellhop", "bellhop-demo-broker": "broker", "bellhop-demo-inbox": "inbox", "bellhop-demo-login": "login"}

var architectures = []string{"amd64", "arm64"}

// folder returns the folder of the release, and its version.
func folder(t *testing.T) (path, version string) {
	t.Helper()
	path = os.Getenv("RELEASE")
	if path == "" {
		t.Skip("RELEASE is not set: hack/nightly.sh release makes a release, and runs this suite with it")
	}
	_, version, found := strings.Cut(filepath.Base(path), "bellhop-")
	if !found {
		t.Fatalf("RELEASE is %s, and not a folder bellhop-VERSION", path)
	}
	return path, version
}

func repo(t *testing.T) string {
	t.Helper()
	path, err := local.FindRepo()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, elements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// run runs a program in a folder, and returns what it printed.
func run(t *testing.T, dir string, environ []string, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// F-U27: the release has all files, and a sum of each.
func TestFiles(t *testing.T) {
	release, version := folder(t)
	want := []string{
		"CHANGELOG.md", "checksums.txt", "digests.txt", "krew.yaml", "bellhop-" + version[1:] + ".tgz", "injection.yaml",
		"install.yaml", "install-ingest.yaml", "install-page-by-label.yaml",
		"install-pager.yaml", "install-pager-ingest.yaml", "install-pager-page-by-label.yaml", "install-servicecatalog.yaml",
	}
	for _, platform := range []string{"darwin", "linux", "windows"} {
		for _, arch := range architectures {
			ending := map[bool]string{true: ".zip", false: ".tar.gz"}[platform == "windows"]
			want = append(want, "kubectl-bellhop_"+platform+"_"+arch+ending)
		}
	}
	for image, program := range images { // ko names SBOMs by the program
		for _, arch := range architectures {
			want = append(want, image+"-image-linux-"+arch+".tar", program+"-linux-"+arch+".spdx.json")
		}
		want = append(want, program+"-index.spdx.json")
	}
	slices.Sort(want)
	entries, err := os.ReadDir(release)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var sums strings.Builder
	for _, entry := range entries {
		got = append(got, entry.Name())
		if entry.Name() != "checksums.txt" {
			fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(read(t, release, entry.Name()))), entry.Name())
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	lines := func(text string) []string { return slices.Sorted(strings.Lines(text)) }
	if checksums := read(t, release, "checksums.txt"); !slices.Equal(lines(checksums), lines(sums.String())) {
		t.Errorf("checksums.txt has\n%swant\n%s", checksums, sums.String())
	}
}

// F-U27: each image has its name, its version and an SBOM with all modules of its program.
func TestImages(t *testing.T) {
	release, version := folder(t)
	for image, program := range images {
		for _, arch := range architectures {
			tags, binary := openImage(t, filepath.Join(release, image+"-image-linux-"+arch+".tar"), "ko-app/"+program)
			if want := registry + image + ":" + version; !slices.Equal(tags, []string{want}) {
				t.Errorf("the image is %q, want %s", tags, want)
			}
			info, err := buildinfo.Read(bytes.NewReader(binary))
			if err != nil {
				t.Fatalf("%s for %s: %v", image, arch, err)
			}
			settings := map[string]string{}
			for _, setting := range info.Settings {
				settings[setting.Key] = setting.Value
			}
			if settings["GOOS"] != "linux" || settings["GOARCH"] != arch {
				t.Errorf("%s for %s is built for %s/%s", image, arch, settings["GOOS"], settings["GOARCH"])
			}
			if image == "bellhop" && len(info.Deps) < 50 {
				t.Errorf("the operator for %s has the modules %v", arch, info.Deps)
			}
			packages := readSBOM(t, filepath.Join(release, program+"-linux-"+arch+".spdx.json"))
			for _, module := range info.Deps {
				if module.Replace != nil {
					module = module.Replace
				}
				if module.Version != "" && packages[module.Path] != module.Version {
					t.Errorf("the SBOM of %s for %s has %s %q, and the program %q", image, arch, module.Path, packages[module.Path], module.Version)
				}
			}
			if image == "bellhop" && arch == runtime.GOARCH && runtime.GOOS == "linux" {
				path := filepath.Join(t.TempDir(), program)
				if err := os.WriteFile(path, binary, 0o700); err != nil {
					t.Fatal(err)
				}
				if out, err := run(t, "", nil, path, "--version"); err != nil || !strings.HasPrefix(out, "bellhop "+version+" (commit ") {
					t.Errorf("the operator prints %s, %v", out, err)
				}
			}
		}
	}
}

// openImage returns the names of an image in an archive, and a file of it.
func openImage(t *testing.T, path, file string) (tags []string, content []byte) {
	t.Helper()
	archive, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var manifest []struct{ RepoTags, Layers []string }
	if err := json.Unmarshal(untar(t, archive, "manifest.json"), &manifest); err != nil || len(manifest) != 1 {
		t.Fatalf("%s: %v, %v", path, manifest, err)
	}
	for _, layer := range manifest[0].Layers {
		if content = untar(t, untar(t, archive, layer), file); content != nil {
			return manifest[0].RepoTags, content
		}
	}
	t.Fatalf("%s has no %s", path, file)
	return nil, nil
}

// untar returns a file of an archive, which may be compressed, or nil.
func untar(t *testing.T, archive []byte, name string) []byte {
	t.Helper()
	var in io.Reader = bytes.NewReader(archive)
	if compressed, err := gzip.NewReader(bytes.NewReader(archive)); err == nil {
		in = compressed
	}
	for r := tar.NewReader(in); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimPrefix(header.Name, "/") == name {
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
	}
}

// readSBOM returns the versions of the packages in an SBOM.
func readSBOM(t *testing.T, path string) map[string]string {
	t.Helper()
	var document struct {
		SPDXVersion string `json:"spdxVersion"`
		Packages    []struct {
			Name    string `json:"name"`
			Version string `json:"versionInfo"`
		} `json:"packages"`
	}
	if err := json.Unmarshal([]byte(read(t, path)), &document); err != nil || !strings.HasPrefix(document.SPDXVersion, "SPDX-2.") {
		t.Fatalf("%s: %q, %v", path, document.SPDXVersion, err)
	}
	versions := map[string]string{}
	for _, p := range document.Packages {
		versions[p.Name] = p.Version
	}
	return versions
}

// F-U27: what is pushed is signed by its digest, and so are the sums of all files. cosign needs the identity of a workflow, so that its commands are
// only printed.
func TestSignatures(t *testing.T) {
	release, version := folder(t)
	digests := read(t, release, "digests.txt")
	sign := func(digests string) (string, error) {
		script := filepath.Join(t.TempDir(), "hack", "sign.sh")
		out := filepath.Join(script, "..", "..", "dist", "bellhop-"+version)
		for path, content := range map[string]string{script: read(t, repo(t), "hack/sign.sh"), filepath.Join(out, "digests.txt"): digests} {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return run(t, filepath.Dir(script), []string{"COSIGN=echo", "VERSION=" + version}, script)
	}
	if out, err := sign(digests); err == nil {
		t.Errorf("what was not pushed is signed:\n%s", out)
	}

	chart := registry + "charts/bellhop:" + version[1:] + "@sha256:" + strings.Repeat("0", 64) + "\n"
	out, err := sign(digests + chart)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checksums := "dist/" + filepath.Base(release) + "/checksums.txt"
	want := []string{"sign-blob --yes --bundle " + checksums + ".bundle " + checksums + "\n"}
	for reference := range strings.Lines(digests + chart) {
		want = append(want, "sign --yes --recursive "+reference)
	}
	slices.Sort(want)
	if got := slices.Sorted(strings.Lines(out)); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// F-U27: the digests are those of the images for all platforms, which ko's SBOMs name.
func TestDigests(t *testing.T) {
	release, version := folder(t)
	var want []string
	for image, program := range images {
		index := regexp.MustCompile(`"name": ?"sbom-(sha256:[0-9a-f]{64})"`).FindStringSubmatch(read(t, release, program+"-index.spdx.json"))
		if index == nil {
			t.Fatalf("the SBOM of %s names no digest", image)
		}
		want = append(want, registry+image+":"+version+"@"+index[1]+"\n")
	}
	slices.Sort(want)
	if got := slices.Sorted(strings.Lines(read(t, release, "digests.txt"))); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// F-U27: the digest that is signed is that of the manifest in the registry, which has the archive.
func TestPushChart(t *testing.T) {
	release, version := folder(t)
	server := httptest.NewServer(containerregistry.New(containerregistry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	charts := strings.TrimPrefix(server.URL, "http://") + "/charts"
	archive := filepath.Join(release, "bellhop-"+version[1:]+".tgz")
	out, err := run(t, repo(t), nil, "hack/push-chart.sh", archive, charts, "--plain-http")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	response, err := http.Get(server.URL + "/v2/charts/bellhop/manifests/" + version[1:])
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	manifest, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the registry has no chart: %s, %v", response.Status, err)
	}
	if want := fmt.Sprintf("%s/bellhop:%s@sha256:%x\n", charts, version[1:], sha256.Sum256(manifest)); out != want {
		t.Errorf("push-chart.sh printed %q, want %q", out, want)
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, archive)))); !strings.Contains(string(manifest), sum) {
		t.Errorf("the manifest %s does not have the archive %s", manifest, sum)
	}
	if out, err := run(t, repo(t), nil, "hack/push-chart.sh", archive+"x", charts, "--plain-http"); err == nil {
		t.Errorf("a chart that is not there was pushed: %s", out)
	}
}

// F-U29: a snapshot is no version whose pages are published, so that its links lead to main. No link is relative to a repository.
func TestLinks(t *testing.T) {
	release, version := folder(t)
	branch := version
	if strings.HasPrefix(version, "v0.0.0") {
		branch = "main"
	}
	for _, pattern := range []string{"*.yaml", "*.md", "*.tgz"} {
		paths, err := filepath.Glob(filepath.Join(release, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			text := read(t, path)
			if pattern == "*.tgz" {
				out, err := run(t, release, nil, "tar", "xzOf", path)
				if err != nil {
					t.Fatal(out)
				}
				text = out
			}
			for _, link := range regexp.MustCompile(`github\.com/gophernetes/bellhop/blob/([^/]*)/\S*`).FindAllStringSubmatch(text, -1) {
				if link[1] != branch {
					t.Errorf("%s leads to %s", path, link[0])
				}
			}
			if relative := regexp.MustCompile(`\]\((?:docs|\.\.)/[^)]*\)`).FindString(text); relative != "" {
				t.Errorf("%s has the link %s", path, relative)
			}
		}
	}
}
