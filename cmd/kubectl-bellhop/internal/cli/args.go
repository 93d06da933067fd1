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

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// ParseKindName parses KIND/NAME of an object of any kind.
func ParseKindName(text string) (kind, name string, err error) {
	kind, name, ok := strings.Cut(text, "/")
	if !ok || kind == "" || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("%q: name an object as KIND/NAME, such as deployment/orders", text)
	}
	return kind, name, nil
}

// OneArgument wants exactly one argument; list is a command that lists its values.
func OneArgument(name, list string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return WithHint(UsageError("one %s is expected, and there are %d", name, len(args)), "%s lists what there is", list)
	}
}

// AtMostOneArgument wants one argument or, where it comes from a manifest in --filename, none.
func AtMostOneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		filenames, _ := cmd.Flags().GetStringSlice("filename")
		switch {
		case len(args) > 1:
			return UsageError("one %s is expected, and there are %d", name, len(args))
		case len(args) == 0 && len(filenames) == 0:
			return UsageError("%s is missing", name)
		default:
			return nil
		}
	}
}
