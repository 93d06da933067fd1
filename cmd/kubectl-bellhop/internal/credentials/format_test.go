// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// texts are values that are hard to quote.
var texts = []string{
	"", "plain", "with blanks ", "it's", "'", "''", `"double"`, `back\slash`, `\n`, "$HOME ${HOME} $(id) `id`", "a\nb\n", "\n", "tab\there",
	"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "#no comment", "!history", "a=b", "ö <&>", "\r\n", "*", "~", `'"'"'`,
}

func TestAShellReadsExports(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	for _, text := range texts {
		var exports bytes.Buffer
		if err := writeExports(&exports, []variable{{"VALUE", text}, {"z", "'"}}); err != nil {
			t.Fatal(err)
		}
		script := `eval "$1"; printf '%s|%s' "$VALUE" "$z"` // as a user does with command substitution, which removes line breaks at the end
		out, err := exec.CommandContext(t.Context(), shell, "-c", script, "sh", strings.TrimRight(exports.String(), "\n")).Output()
		if want := text + "|'"; err != nil || string(out) != want {
			t.Errorf("%q became %q, %v: %s", text, out, err, exports.String())
		}
	}
}

func TestDotenv(t *testing.T) {
	for text, want := range map[string]string{
		"":            `""`,
		"plain":       `"plain"`,
		"with blanks": `"with blanks"`,
		"a\nb":        `"a\nb"`,
		"it's":        `"it's"`,
		"#1":          `'#1'`,
		`"quoted"`:    `'"quoted"'`,
		"$HOME":       `'$HOME'`,
		`it's "$5"`:   `"it's \"\$5\""`,
		`back\slash`:  `'back\slash'`,
		`a\\b`:        `"a\\\\b"`,
		`end\`:        `"end\\"`,
		"$a\n`b`":     "\"\\$a\\n\\`b\\`\"",
		"\r\n":        `"\r\n"`,
	} {
		if got := dotenvQuoted(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for _, text := range texts {
		if got := readDotenv(dotenvQuoted(text)); got != text {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

// readDotenv reads a quoted value as the libraries for Ruby, Python and Go do.
func readDotenv(quoted string) string {
	inner := quoted[1 : len(quoted)-1]
	if quoted[0] == '\'' {
		return inner
	}
	var text strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] != '\\' {
			text.WriteByte(inner[i])
			continue
		}
		i++
		switch inner[i] {
		case 'n':
			text.WriteByte('\n')
		case 'r':
			text.WriteByte('\r')
		default:
			text.WriteByte(inner[i])
		}
	}
	return text.String()
}

func TestJSONAndYAML(t *testing.T) {
	data := map[string][]byte{"port": []byte("3306"), "ok": []byte("true"), "html": []byte("<&>"), "pem": []byte("a\nb\n")}
	var out bytes.Buffer
	if err := writeJSON(&out, data); err != nil {
		t.Fatal(err)
	}
	if want := "{\n    \"html\": \"<&>\",\n    \"ok\": \"true\",\n    \"pem\": \"a\\nb\\n\",\n    \"port\": \"3306\"\n}\n"; out.String() != want {
		t.Errorf("JSON: %s", out.String())
	}
	out.Reset()
	if err := writeYAML(&out, data); err != nil {
		t.Fatal(err)
	}
	if want := "html: <&>\nok: \"true\"\npem: |\n  a\n  b\nport: \"3306\"\n"; out.String() != want {
		t.Errorf("YAML: %s", out.String())
	}
	if err := writeJSON(&out, map[string][]byte{"jks": {0xff}}); err == nil || !strings.Contains(err.Error(), `"jks" is binary`) {
		t.Errorf("binary: %v", err)
	}
}

func TestRawValues(t *testing.T) {
	for _, c := range []struct {
		value, want string
		terminal    bool
	}{{"x", "x", false}, {"x", "x\n", true}, {"x\n", "x\n", true}, {"\xff", "\xff", false}} {
		var out bytes.Buffer
		if err := writeRaw(&out, []byte(c.value), c.terminal); err != nil || out.String() != c.want {
			t.Errorf("%q, terminal %v: %q, %v", c.value, c.terminal, out.String(), err)
		}
	}
}
