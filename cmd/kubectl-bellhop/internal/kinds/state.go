// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"fmt"
	"io"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// States of objects, in one word.
const (
	StateReady       = "Ready"
	StateReconciling = "Reconciling"
	StateStalled     = "Stalled"
	// StateNotReady is of an object that is neither Ready nor Reconciling nor Stalled.
	StateNotReady = "NotReady"
	// StateDeleting is of an object that is being deleted.
	StateDeleting = "Deleting"
	// StateNotObserved is of an object whose present generation the operator has not looked at.
	StateNotObserved = "NotObserved"
)

// State is the state of an object by its conditions.
type State struct {
	State, Reason, Message string
}

// StateOf returns the state of an object. Reason and message are of the condition that explains it.
func StateOf(object cli.Object) State {
	health := cli.HealthOf(object)
	s := State{State: StateNotReady, Reason: health.Reason, Message: oneLine(health.Message)}
	switch {
	case object.GetDeletionTimestamp() != nil:
		s.State = StateDeleting
	case !health.Observed || health.Reason == "":
		s = State{State: StateNotObserved, Message: "the operator has not looked at it yet"}
	case health.Stalled:
		s.State = StateStalled
	case health.Ready:
		s.State = StateReady
	case isReconciling(object):
		s.State = StateReconciling
	}
	return s
}

func isReconciling(object cli.Object) bool {
	conditions, _ := cli.ConditionsOf(object)
	return slices.ContainsFunc(conditions, func(c cli.Condition) bool { return c.Type == StateReconciling && c.Status == "True" })
}

// IsStalled reports whether a person has to change something, also where the object is being deleted.
func IsStalled(object cli.Object) bool { return cli.HealthOf(object).Stalled }

// Label is an object as KIND/NAME.
func Label(object cli.Object) string {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	return kind + "/" + object.GetName()
}

// maxLabels bounds the objects that Labels names.
const maxLabels = 5

// Labels is the number of some objects, and the labels of the first.
func Labels(objects []cli.Object) string {
	var labels []string
	for _, object := range objects[:min(len(objects), maxLabels)] {
		labels = append(labels, Label(object))
	}
	text := cli.Count(len(objects), "object") + ": " + strings.Join(labels, ", ")
	if len(objects) > maxLabels {
		text += ", …"
	}
	return text
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Unreadable are the resources that the user may not read, each once.
type Unreadable []string

// Skip adds a resource if an error says that the user may not read it, and returns nil then; else it returns the error.
func (u *Unreadable) Skip(err error, resource string) error {
	if err == nil || !apierrors.IsForbidden(err) {
		return err
	}
	if !slices.Contains(*u, resource) {
		*u = append(*u, resource)
	}
	return nil
}

// Print writes a note that names the resources that are left out, if any.
func (u *Unreadable) Print(w io.Writer) {
	if len(*u) > 0 {
		fmt.Fprintf(w, "note: left out, as you may not read them: %s\n", strings.Join(*u, ", "))
	}
}

// Reason is an error for the middle of a text: the first line, without hint.
func Reason(err error) string {
	text, _, _ := strings.Cut(cli.Explain(err), "\n")
	return strings.TrimPrefix(text, "error: ")
}
