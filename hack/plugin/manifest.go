// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

const (
	shortDescription = "Send alerts and provision services with Bellhop"
	homepage         = "https://github.com/gophernetes/bellhop"

	description = `Bellhop is an operator that delivers alerts and provisions services. With this
plugin, one command creates an Alert and shows its delivery, and one command
provisions an instance of a service. Other commands bind to an instance, and
pass its credentials to a local command. The plugin reads and writes objects
with your permissions in the cluster, as kubectl does.
`

	caveats = `Bellhop has to be installed in the cluster; "kubectl bellhop doctor" checks it.
Krew does not install the completion of a plugin. For that, link
` + completionName + ` from this plugin's directory into a directory
of your PATH, for example:
  cd ~/.local/bin
  ln -s ~/.krew/store/bellhop/VERSION/` + completionName + ` .
`
)

// manifest is the plugin's manifest for krew, as https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest describes it. Quoted
// strings of Go are strings of YAML too.
func (r *release) manifest(platforms []platform) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "apiVersion: krew.googlecontainertools.github.com/v1alpha2\nkind: Plugin\nmetadata:\n  name: %s\nspec:\n", pluginName)
	fmt.Fprintf(&out, "  version: %q\n  homepage: %s\n  shortDescription: %s\n", r.version, homepage, shortDescription)
	fmt.Fprintf(&out, "  description: |\n%s", indent(description))
	fmt.Fprintf(&out, "  caveats: |\n%s", indent(strings.ReplaceAll(caveats, "VERSION", r.version)))
	out.WriteString("  platforms:\n")
	for _, p := range platforms {
		fmt.Fprintf(&out, "  - selector:\n      matchLabels:\n        os: %s\n        arch: %s\n", p.os, p.arch)
		fmt.Fprintf(&out, "    uri: %s/%s\n    sha256: %q\n    bin: %s\n    files:\n", strings.TrimRight(r.url, "/"), p.archive, p.sha256, p.executable())
		for _, f := range p.files {
			fmt.Fprintf(&out, "    - from: %s\n      to: %s\n", f.name, strconv.Quote("."))
		}
	}
	return out.Bytes()
}

// indent indents the lines of a block.
func indent(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString("    " + line)
	}
	return out.String()
}
