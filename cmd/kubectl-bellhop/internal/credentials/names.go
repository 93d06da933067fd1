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

package credentials

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// variable is a variable of the environment.
type variable struct{ name, value string }

// nameFlags are how variables are named.
type nameFlags struct {
	prefix    string
	upperCase bool
}

func (f *nameFlags) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.prefix, "prefix", "", "What the names of variables begin with, such as DB_")
	cmd.Flags().BoolVar(&f.upperCase, "upper-case", false, "Name variables in upper case")
	cli.CompleteFlag(cmd, "prefix", cobra.NoFileCompletions)
}

// isSet reports whether a flag differs from its default.
func (f *nameFlags) isSet() bool { return f.prefix != "" || f.upperCase }

var shellName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (f *nameFlags) validate() error {
	if f.prefix != "" && !shellName.MatchString(f.prefix) {
		return cli.WithHint(cli.UsageError("--prefix=%s: the name of a variable has letters, digits and _ only, and begins with no digit", f.prefix),
			"for example --prefix=DB_")
	}
	return nil
}

// name is the name of the variable of a key: characters that no variable can have become _.
func (f *nameFlags) name(key string) string {
	name := f.prefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		default:
			return '_'
		}
	}, key)
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	if f.upperCase {
		return strings.ToUpper(name)
	}
	return name
}

// variables returns a variable for each key, sorted by name. Keys of the same name and value are one.
func (f *nameFlags) variables(data map[string][]byte) ([]variable, error) {
	keys := map[string]string{}
	var all []variable
	for _, key := range slices.Sorted(maps.Keys(data)) {
		name := f.name(key)
		other, ok := keys[name]
		switch {
		case ok && bytes.Equal(data[other], data[key]): // as username, which the operator adds beside USERNAME
			continue
		case ok:
			return nil, cli.WithHint(fmt.Errorf("keys %q and %q would both be the variable %s", other, key, name), "--omit=%s leaves one out", key)
		}
		keys[name] = key
		if changesPrograms(name) {
			return nil, cli.WithHint(fmt.Errorf("key %q would be the variable %s, which changes how programs run", key, name),
				"--prefix names it in another way, and --omit=%s leaves it out", key)
		}
		if !isText(data[key]) {
			return nil, errBinary(key, "a variable")
		}
		all = append(all, variable{name, string(data[key])})
	}
	slices.SortFunc(all, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// isText reports whether a value can be a text: it is UTF-8 without NUL.
func isText(value []byte) bool { return utf8.Valid(value) && !bytes.Contains(value, []byte{0}) }

func errBinary(key, where string) error {
	return cli.WithHint(fmt.Errorf("the value of key %q is binary, and cannot be in %s", key, where),
		"--omit=%s leaves it out, and creds --key=%s prints it as it is", key, key)
}

// special are variables by which shells, loaders and interpreters run code or find it. The keys are the broker's, which must not
// choose what runs on the user's machine.
var special = map[string]bool{
	"PATH": true, "HOME": true, "SHELL": true, "IFS": true, "ENV": true, "BASH_ENV": true, "PS1": true, "PS4": true, "PROMPT_COMMAND": true,
	"SHELLOPTS": true, "BASHOPTS": true, "ZDOTDIR": true, "GCONV_PATH": true, "NODE_OPTIONS": true, "NODE_PATH": true, "PYTHONPATH": true,
	"PYTHONHOME": true, "PYTHONSTARTUP": true, "PERL5LIB": true, "PERL5OPT": true, "RUBYLIB": true, "RUBYOPT": true, "CLASSPATH": true,
	"JAVA_TOOL_OPTIONS": true, "JDK_JAVA_OPTIONS": true, "GIT_SSH_COMMAND": true, "EDITOR": true, "VISUAL": true, "PAGER": true, "KUBECONFIG": true,
}

// changesPrograms reports whether a variable changes how programs run, and is no setting of one program.
func changesPrograms(name string) bool {
	return special[name] || strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "DYLD_")
}

// environment returns the variables of an environment, such as os.Environ, with some replaced or added.
func environment(inherited []string, variables []variable) []string {
	own := map[string]bool{}
	for _, v := range variables {
		own[v.name] = true
	}
	var all []string
	for _, entry := range inherited {
		if name, _, _ := strings.Cut(entry, "="); !own[name] {
			all = append(all, entry)
		}
	}
	for _, v := range variables {
		all = append(all, v.name+"="+v.value)
	}
	return all
}
