// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Exit codes, for scripts.
const (
	// ExitError: the API server refused the request, could not be reached, or a local command failed.
	ExitError = 1
	// ExitUsage: the command line is wrong; nothing was sent.
	ExitUsage = 2
	// ExitStalled: the object is stored, and a person has to change something before it can become ready. Of doctor: there are problems.
	ExitStalled = 3
	// ExitTimeout: --timeout passed before the object was ready; the operator goes on.
	ExitTimeout = 4
	// ExitInterrupted: Ctrl-C or SIGTERM ended the command.
	ExitInterrupted = 130
)

// Error is an error with an exit code and a hint, which is advice to the user.
type Error struct {
	Code int
	Hint string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// UsageError is an error of the command line.
func UsageError(format string, args ...any) error {
	return &Error{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// StalledError is of an object that a person has to change.
func StalledError(format string, args ...any) error {
	return &Error{Code: ExitStalled, Err: fmt.Errorf(format, args...)}
}

// LeftError says what a command has left: what it could not undo, or has not done. It is printed also after an interrupt.
type LeftError struct{ Err error }

func (e *LeftError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *LeftError) Unwrap() error { return e.Err }

// WithHint adds advice to an error; an empty hint adds nothing.
func WithHint(err error, format string, args ...any) error {
	hint := fmt.Sprintf(format, args...)
	if err == nil || hint == "" {
		return err
	}
	return &Error{Code: ExitCode(err), Hint: hint, Err: err}
}

// ExitCode is the exit code of an error, 0 without an error.
func ExitCode(err error) int {
	var coded *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return coded.Code
	default:
		return ExitError
	}
}

// Joined returns the errors that errors.Join has joined, nil for other errors: one that wraps several has a text of its own.
func Joined(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || joined.(error).Error() != errors.Join(joined.Unwrap()...).Error() {
		return nil
	}
	return joined.Unwrap()
}

// HintOf is the hint of an error, if it has one.
func HintOf(err error) string {
	for coded := (*Error)(nil); errors.As(err, &coded); err = coded.Err {
		if coded.Hint != "" {
			return coded.Hint
		}
	}
	return ""
}

// maxSuggestions bounds the names that Suggestion lists.
const maxSuggestions = 3

// Suggestion lists the names that are similar to name, else all of them if they are few.
func Suggestion(name string, names []string) string {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	similar := slices.DeleteFunc(slices.Clone(names), func(candidate string) bool { return !catalog.IsSimilar(name, candidate) })
	switch {
	case len(similar) > 0:
		return "did you mean " + strings.Join(similar[:min(len(similar), maxSuggestions)], ", ") + "?"
	case len(names) == 0:
		return ""
	case len(names) == 1:
		return "there is only " + names[0]
	case len(names) <= 5:
		return "there are " + strings.Join(names, ", ")
	default:
		return fmt.Sprintf("there are %d, such as %s", len(names), strings.Join(names[:maxSuggestions], ", "))
	}
}

// ExitStatus ends the command with the exit code of a local command that has printed its error itself.
type ExitStatus struct{ Code int }

func (e *ExitStatus) Error() string { return fmt.Sprintf("exit status %d", e.Code) }
