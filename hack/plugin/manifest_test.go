// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// manifest has the fields of a plugin manifest that krew documents. Any other field is an error.
type manifest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string             `json:"version"`
		Homepage         string             `json:"homepage"`
		ShortDescription string             `json:"shortDescription"`
		Description      string             `json:"description"`
		Caveats          string             `json:"caveats"`
		Platforms        []manifestPlatform `json:"platforms"`
	} `json:"spec"`
}

type manifestPlatform struct {
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
	URI    string `json:"uri"`
	SHA256 string `json:"sha256"`
	Bin    string `json:"bin"`
	Files  []struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"files"`
}

// rule is one of krew's, with the page or the source file of krew that has it.
type rule struct {
	source, text string
	check        func(*manifest) error
}

const (
	pageManifest   = "https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/"
	pageNaming     = "https://krew.sigs.k8s.io/docs/developer-guide/develop/naming-guide/"
	pageSubmitting = "https://krew.sigs.k8s.io/docs/developer-guide/release/new-plugin/"
	fileValidate   = "https://github.com/kubernetes-sigs/krew/blob/master/internal/index/validation/validate.go"
	fileLint       = "https://github.com/kubernetes-sigs/krew/blob/master/cmd/validate-krew-manifest/main.go"
)

var rules = []rule{
	{fileValidate, "apiVersion and kind are those that krew supports", func(m *manifest) error {
		return require(m.APIVersion == "krew.googlecontainertools.github.com/v1alpha2" && m.Kind == "Plugin", m.APIVersion+" "+m.Kind)
	}},
	{fileValidate, "the name consists of letters, digits, - and _", func(m *manifest) error {
		return requireMatch(`^[\w-]+$`, m.Metadata.Name)
	}},
	{fileValidate, "the name is none that Windows reserves", func(m *manifest) error {
		return require(!regexp.MustCompile(`(?i)^(con|prn|aux|nul|com\d|lpt\d)$`).MatchString(m.Metadata.Name), m.Metadata.Name)
	}},
	{pageManifest, "the manifest has the name of the plugin", func(m *manifest) error {
		return require(m.Metadata.Name+".yaml" == "bellhop.yaml", m.Metadata.Name)
	}},
	{pageNaming, "the name is in lower case, and hyphens separate its parts", func(m *manifest) error {
		return requireMatch(`^[a-z0-9]+(-[a-z0-9]+)*$`, m.Metadata.Name)
	}},
	{pageNaming, "the name does not begin with kube- or kubernetes-", func(m *manifest) error {
		return require(!strings.HasPrefix(m.Metadata.Name, "kube"), m.Metadata.Name)
	}},
	{pageManifest, "the version is semantic, with the prefix v", func(m *manifest) error {
		return requireMatch(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`, m.Spec.Version)
	}},
	{pageManifest, "there is a homepage", func(m *manifest) error { return requireMatch(`^https://[^ ]+$`, m.Spec.Homepage) }},
	{fileValidate, "there is a short description of one line", func(m *manifest) error { return requireMatch(`^[^\r\n]+$`, m.Spec.ShortDescription) }},
	{fileLint, "the short description has at most 70 characters", func(m *manifest) error {
		return require(len(m.Spec.ShortDescription) <= 70, m.Spec.ShortDescription)
	}},
	{pageManifest, "the short description is a tagline of a few words, as its examples without a full stop", func(m *manifest) error {
		return require(!strings.HasSuffix(m.Spec.ShortDescription, ".") && len(strings.Fields(m.Spec.ShortDescription)) <= 8, m.Spec.ShortDescription)
	}},
	{pageManifest, "there is a description", func(m *manifest) error { return require(m.Spec.Description != "", "") }},
	{fileLint, "lines of the description have at most 80 characters", func(m *manifest) error { return requireLines(m.Spec.Description, 80) }},
	{fileLint, "lines of the caveats have at most 80 characters", func(m *manifest) error { return requireLines(m.Spec.Caveats, 80) }},
	{fileValidate, "there is a platform", func(m *manifest) error { return require(len(m.Spec.Platforms) > 0, "") }},
	{fileLint, "each platform of krew is selected at most once", func(m *manifest) error {
		seen := map[string]bool{}
		for _, p := range m.Spec.Platforms {
			selected := p.Selector.MatchLabels["os"] + "/" + p.Selector.MatchLabels["arch"]
			if seen[selected] {
				return fmt.Errorf("%s", selected)
			}
			seen[selected] = true
		}
		return nil
	}},
	eachPlatform(fileValidate, "a selector has the keys os and arch only, and the values of Go", func(p manifestPlatform) error {
		for key, value := range p.Selector.MatchLabels {
			values := map[string][]string{"os": {"linux", "darwin", "windows"}, "arch": {"amd64", "arm64"}}[key]
			if !slices.Contains(values, value) {
				return fmt.Errorf("%s: %s", key, value)
			}
		}
		return require(len(p.Selector.MatchLabels) == 2, "no selector")
	}),
	eachPlatform(pageManifest, "the uri is that of a .zip or .tar.gz archive", func(p manifestPlatform) error {
		return requireMatch(`^https://[^ ]+\.(zip|tar\.gz)$`, p.URI)
	}),
	eachPlatform(fileValidate, "sha256 has 64 hexadecimal digits in lower case", func(p manifestPlatform) error {
		return requireMatch(`^[a-f0-9]{64}$`, p.SHA256)
	}),
	eachPlatform(fileValidate, "from and to of files are set", func(p manifestPlatform) error {
		for _, f := range p.Files {
			if f.From == "" || f.To == "" {
				return fmt.Errorf("%+v", f)
			}
		}
		return require(len(p.Files) > 0, "no files")
	}),
	eachPlatform(pageManifest, "files are relative to the archive and to the plugin's folder, and do not leave them", func(p manifestPlatform) error {
		for _, f := range p.Files {
			for _, name := range []string{f.From, f.To} {
				if path.IsAbs(name) || slices.Contains(strings.Split(name, "/"), "..") {
					return fmt.Errorf("%s", name)
				}
			}
		}
		return nil
	}),
	eachPlatform(pageManifest, "bin is one of the files", func(p manifestPlatform) error {
		return require(slices.ContainsFunc(p.Files, func(f struct {
			From string `json:"from"`
			To   string `json:"to"`
		}) bool {
			return path.Join(f.To, path.Base(f.From)) == path.Clean(p.Bin)
		}), p.Bin)
	}),
	eachPlatform(pageManifest, "on Windows bin ends with .exe", func(p manifestPlatform) error {
		return require(p.Selector.MatchLabels["os"] != "windows" || strings.HasSuffix(p.Bin, ".exe"), p.Bin)
	}),
	eachPlatform(pageSubmitting, "the license is extracted", func(p manifestPlatform) error {
		for _, f := range p.Files {
			if f.From == "LICENSE" {
				return nil
			}
		}
		return fmt.Errorf("%+v", p.Files)
	}),
}

// eachPlatform is a rule for each platform.
func eachPlatform(source, text string, check func(manifestPlatform) error) rule {
	return rule{source, text, func(m *manifest) error {
		for _, p := range m.Spec.Platforms {
			if err := check(p); err != nil {
				return fmt.Errorf("%v: %w", p.Selector.MatchLabels, err)
			}
		}
		return nil
	}}
}

func require(ok bool, value string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("got %q", value)
}

func requireMatch(pattern, value string) error {
	return require(regexp.MustCompile(pattern).MatchString(value), value)
}

// requireLines limits the length of lines. A line that is a single long name may exceed it.
func requireLines(text string, limit int) error {
	for line := range strings.Lines(text) {
		if trimmed := strings.TrimSuffix(line, "\n"); len(trimmed) > limit && strings.Contains(strings.TrimSpace(trimmed), " ") {
			return fmt.Errorf("%d characters: %s", len(trimmed), trimmed)
		}
	}
	return nil
}

func readManifest(t *testing.T, text []byte) *manifest {
	t.Helper()
	var m manifest
	if err := yaml.UnmarshalStrict(text, &m); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return &m
}

func TestManifestObeysKrewsRules(t *testing.T) {
	results := pack(t, testRelease(t), platforms...)
	m := readManifest(t, results["bellhop.yaml"])
	for _, r := range rules {
		if err := r.check(m); err != nil {
			t.Errorf("%s (%s): %v", r.text, r.source, err)
		}
	}
	if len(m.Spec.Platforms) != len(platforms) || m.Spec.Version != "v1.2.3" {
		t.Errorf("got %+v", m.Spec)
	}
	for _, p := range m.Spec.Platforms {
		name, found := strings.CutPrefix(p.URI, "https://example.com/releases/v1.2.3/")
		if !found || results[name] == nil {
			t.Errorf("%s is no archive", p.URI)
		}
		if checksum := p.SHA256 + "  " + name + "\n"; !strings.Contains(string(results["checksums.txt"]), checksum) {
			t.Errorf("checksums.txt has no line %s", checksum)
		}
		unpack := unpackTar
		if strings.HasSuffix(name, ".zip") {
			unpack = unpackZip
		}
		for _, f := range p.Files {
			if !slices.ContainsFunc(unpack(t, results[name]), func(e entry) bool { return e.name == f.From }) {
				t.Errorf("%s has no %s", name, f.From)
			}
		}
	}
}

func TestRulesFindMistakes(t *testing.T) {
	text := string(pack(t, testRelease(t), "linux_amd64", "windows_amd64")["bellhop.yaml"])
	for _, test := range []struct{ old, changed, rule string }{
		{"v1alpha2", "v1", "apiVersion"},
		{"name: bellhop", "name: Bellhop", "lower case"},
		{`version: "v1.2.3"`, `version: "1.2.3"`, "semantic"},
		{shortDescription, shortDescription + ".", "full stop"},
		{shortDescription, strings.Repeat("x", 71), "at most 70"},
		{"os: windows", "os: plan9", "the keys os and arch"},
		{"os: windows", "os: linux", "at most once"},
		{"bin: kubectl-bellhop.exe", "bin: kubectl-bellhop", "one of the files"},
		{"to: \".\"", "to: \"../x\"", "do not leave them"},
		{"from: LICENSE", "from: README", "license"},
		{`sha256: "`, `sha256: "x`, "64 hexadecimal"},
		{".tar.gz", ".rpm", "archive"},
	} {
		if !strings.Contains(text, test.old) {
			t.Errorf("the manifest has no %s", test.old)
		}
		m := readManifest(t, []byte(strings.Replace(text, test.old, test.changed, 1)))
		if !slices.ContainsFunc(rules, func(r rule) bool { return strings.Contains(r.text, test.rule) && r.check(m) != nil }) {
			t.Errorf("%q instead of %q: no rule about %q fails", test.changed, test.old, test.rule)
		}
	}
}
