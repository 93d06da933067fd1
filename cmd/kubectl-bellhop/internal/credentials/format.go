// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// writeExports writes a line of a POSIX shell for each variable. A value with line breaks has more than one line.
func writeExports(w io.Writer, variables []variable) error {
	for _, v := range variables {
		if _, err := fmt.Fprintf(w, "export %s=%s\n", v.name, cli.ShellQuote(v.value)); err != nil {
			return err
		}
	}
	return nil
}

// writeDotenv writes a line of a .env file for each variable.
func writeDotenv(w io.Writer, variables []variable) error {
	for _, v := range variables {
		if _, err := fmt.Fprintf(w, "%s=%s\n", v.name, dotenvQuoted(v.value)); err != nil {
			return err
		}
	}
	return nil
}

var dotenvEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`", "\n", `\n`, "\r", `\r`)

// dotenvQuoted returns a text as dotenv libraries read it. They agree on double quotes around a text without special characters and with \n for
// line breaks. They also agree that characters in single quotes stand for themselves, except for \\ and \' in Python's library. Where neither is
// possible, the text has the escapes of the libraries for Ruby, Python and Go; the one for Node.js undoes only \n and \r.
func dotenvQuoted(text string) string {
	isPlain := !strings.ContainsAny(text, "'\n\r") && !strings.Contains(text, `\\`) && !strings.HasSuffix(text, `\`)
	if isPlain && strings.ContainsAny(text, "\\\"$`#") {
		return "'" + text + "'"
	}
	return `"` + dotenvEscapes.Replace(text) + `"`
}

// writeJSON writes an object of strings.
func writeJSON(w io.Writer, data map[string][]byte) error {
	texts, err := textsOf(data, "JSON")
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "    ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(texts)
}

// writeYAML writes a map of strings.
func writeYAML(w io.Writer, data map[string][]byte) error {
	texts, err := textsOf(data, "YAML")
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(texts)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// textsOf returns values as texts. It refuses binary values, since their Base64 could not be distinguished from a text.
func textsOf(data map[string][]byte, format string) (map[string]string, error) {
	texts := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if !isText(data[key]) {
			return nil, errBinary(key, format)
		}
		texts[key] = string(data[key])
	}
	return texts, nil
}

// writeRaw writes a value as it is; to a terminal with a line break at its end, so that the prompt begins a line.
func writeRaw(w io.Writer, value []byte, terminal bool) error {
	if terminal && !bytes.HasSuffix(value, []byte("\n")) {
		value = append(slices.Clone(value), '\n')
	}
	_, err := w.Write(value)
	return err
}
