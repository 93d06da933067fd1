// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
