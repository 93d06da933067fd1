// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Confirmation are --interactive and --yes of commands that delete what cannot be restored.
type Confirmation struct{ interactive, yes bool }

// AddFlags adds the flags.
func (c *Confirmation) AddFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.interactive, "interactive", "i", false, "Show what is deleted and retained, and ask; with --selector the default")
	cmd.Flags().BoolVar(&c.yes, "yes", false, "Delete without a question")
}

// Validate checks the flags' values.
func (c *Confirmation) Validate() error {
	if c.interactive && c.yes {
		return UsageError("--interactive and --yes exclude each other")
	}
	return nil
}

// Asks reports whether the user is asked. Objects that a selector selects may be others than the user knows.
func (c *Confirmation) Asks(selection *Selection) bool {
	return !c.yes && (c.interactive || selection.Selector != "")
}

// Confirm asks a question on standard error, and reads the answer from standard input. Every answer but yes is an error.
func (e *Environment) Confirm(question string) error {
	fmt.Fprintf(e.ErrOut, "%s [y/N] ", question)
	answer, err := bufio.NewReader(e.In).ReadString('\n')
	isEnd := errors.Is(err, io.EOF)
	if err != nil && !isEnd {
		return err
	}
	if isEnd {
		fmt.Fprintln(e.ErrOut)
	}
	if slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return nil
	}
	err = errors.New("nothing was deleted: the answer was not yes")
	if isEnd {
		err = WithHint(errors.New("nothing was deleted: there was no answer"), "--yes deletes without a question")
	}
	return err
}
