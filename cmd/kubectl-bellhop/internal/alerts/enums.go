// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// enum is a flag with one of a few values, in any case. It implements pflag.Value.
type enum[T ~string] struct {
	value  T
	values []T
}

func newSeverity() *enum[v1beta1.Severity] {
	return &enum[v1beta1.Severity]{values: []v1beta1.Severity{v1beta1.SeverityInfo, v1beta1.SeverityWarning, v1beta1.SeverityCritical}}
}

func newState() *enum[v1beta1.AlertState] {
	return &enum[v1beta1.AlertState]{values: []v1beta1.AlertState{v1beta1.AlertFiring, v1beta1.AlertResolved}}
}

// String is the value; empty: the flag is not set.
func (e *enum[T]) String() string { return string(e.value) }

// Type is the name of a value's type in help.
func (*enum[T]) Type() string { return "string" }

// Set takes a value in any case.
func (e *enum[T]) Set(text string) error {
	for _, value := range e.values {
		if strings.EqualFold(string(value), strings.TrimSpace(text)) {
			e.value = value
			return nil
		}
	}
	return fmt.Errorf("must be %s", e.list(" or "))
}

// list names the values, the last one after or.
func (e *enum[T]) list(or string) string {
	names := e.names()
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + or + names[last]
}

func (e *enum[T]) names() []string {
	names := make([]string, 0, len(e.values))
	for _, value := range e.values {
		names = append(names, string(value))
	}
	return names
}

// addFlag adds the flag with its completion.
func (e *enum[T]) addFlag(cmd *cobra.Command, name, usage string) {
	cmd.Flags().Var(e, name, usage)
	cli.CompleteFlag(cmd, name, cobra.FixedCompletions(e.names(), cobra.ShellCompDirectiveNoFileComp))
}
