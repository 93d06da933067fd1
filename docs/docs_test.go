// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// F-U29: a release leads to its own pages, and other builds to those of main: as a program shows them, and as hack/links.sh writes them.
func TestLinksLeadToTheirVersion(t *testing.T) {
	for built, want := range map[string]string{"": "main", "v0.0.0-dev": "main", "v0.0.0-snapshot": "main", "v1.2.3": "v1.2.3", "v1.2.3-rc.1": "v1.2.3-rc.1"} {
		if got := branch(built); got != want {
			t.Errorf("%s leads to %s", built, got)
		}
		if built == "" {
			continue
		}
		dir := t.TempDir()
		for name, files := range map[string][2]string{
			"rules.yaml": {
				"runbook_url: " + URL("how-to/runbooks.md#a") + "\nsources: [https://github.com/gophernetes/bellhop]\n",
				"runbook_url: https://github.com/gophernetes/bellhop/blob/" + want + "/docs/how-to/runbooks.md#a\nsources: [https://github.com/gophernetes/bellhop]\n",
			},
			"README.md": {
				"[a](../../docs/a.md#b), [c](docs/c.md), [d](https://example.com/blob/main/d), [e](#e)\n",
				"[a](https://github.com/gophernetes/bellhop/blob/" + want + "/docs/a.md#b), [c](https://github.com/gophernetes/bellhop/blob/" + want +
					"/docs/c.md), [d](https://example.com/blob/main/d), [e](#e)\n",
			},
		} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(files[0]), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "../hack/links.sh", built, path).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := readFile(t, path); got != files[1] {
				t.Errorf("%s: got %s", built, got)
			}
		}
	}
}
