// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// DataOutput is --output of commands whose result is no object of the API: a text, JSON or YAML.
type DataOutput struct{ format string }

var dataFormats = []string{"json", "yaml"}

// AddFlag adds --output.
func (o *DataOutput) AddFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "Output format, one of: json, yaml. Default: text")
	CompleteFlag(cmd, "output", cobra.FixedCompletions(dataFormats, cobra.ShellCompDirectiveNoFileComp))
}

// Validate checks the value of the flag.
func (o *DataOutput) Validate() error {
	if !o.IsText() && !slices.Contains(dataFormats, o.format) {
		return UsageError("--output=%s: must be json or yaml, or left out", o.format)
	}
	return nil
}

// IsText reports whether the result is printed for a person.
func (o *DataOutput) IsText() bool { return o.format == "" }

// Print prints a result as JSON or YAML.
func (o *DataOutput) Print(e *Environment, result any) error {
	if o.format == "json" {
		encoder := json.NewEncoder(e.Data())
		encoder.SetIndent("", "    ")
		return encoder.Encode(result)
	}
	text, err := yaml.Marshal(result)
	if err != nil {
		return err
	}
	_, err = e.Data().Write(text)
	return err
}
