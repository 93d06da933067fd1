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

package servicecatalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
	"github.com/gophernetes/bellhop/internal/redact"
)

// howToLetGo says since when an object is being deleted and how a person releases it (R8).
func howToLetGo(o metav1.Object) string {
	return fmt.Sprintf("Deleted since %s; to let go and leave everything at the broker as it is, annotate the object with %s=%s",
		when(o.GetDeletionTimestamp().Time), v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
}

// enumerate lists up to five names, and counts the others.
func enumerate(names []string) string {
	const few = 5
	slices.Sort(names)
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// unshown replaces the broker's description where it may have secrets that cannot be redacted (R7).
const unshown = "the broker's description is not shown, since it may have secrets that the operator cannot redact; see the broker's log"

// wordsOf returns the broker's description of an operation, as it may be shown.
func wordsOf(last osbresult.LastOperation, out osbresult.Outcome) string {
	if out.Withheld {
		return unshown
	}
	return last.Description
}

// sayOutcome describes the outcome of a request: status, error code and the broker's description.
func sayOutcome(o osbresult.Outcome) string {
	if o.Withheld && o.Class != osbresult.Done {
		return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", o.Status, o.Code)) + ": " + unshown
	}
	status := fmt.Sprintf("HTTP %d", o.Status)
	said := strings.TrimSpace(status + " " + o.Code)
	switch isStatus := strings.HasPrefix(o.Description, status); {
	case o.Status == 0, isStatus && o.Code == "":
		return o.Description
	case o.Description == "", isStatus: // the broker gave no description
		return said
	}
	return said + ": " + o.Description
}

// ordinal returns "attempt 3".
func ordinal(count int32) string { return fmt.Sprintf("attempt %d", count) }

// when formats a time for a message.
func when(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func timeOf(t time.Time) *metav1.Time {
	stored := metav1.NewTime(t.Truncate(time.Second))
	return &stored
}

// maxDisplay bounds names and ids from a catalog in messages, in bytes.
const maxDisplay = 64

func display(name string) string { return redact.Shorten(name, maxDisplay) }

// counted returns a number with its noun: one is the singular, many the plural.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// sayNext adds to a message which attempt has failed and when the next one is due: with the probe of the broker that probed names,
// unless it is empty.
func sayNext(message string, a *v1beta1.Attempts, probed string) string {
	switch {
	case probed != "":
		return fmt.Sprintf("%s (retried with %s, see its status)", message, probed)
	case a.NextTime == nil:
		return message
	}
	return fmt.Sprintf("%s (%s failed, the next is at %s)", message, ordinal(a.Count), when(a.NextTime.Time))
}

// sayProgress adds the broker's description of an operation to a message.
func sayProgress(message, words string) string {
	if words == "" {
		return message
	}
	return message + " (" + words + ")"
}

// uncapitalized returns a sentence with a small first letter, as a part of another sentence.
func uncapitalized(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// cleaningUp begins the messages of an orphan mitigation.
const cleaningUp = "What may have been left at the broker is being removed"

// withoutWords describes an outcome without the broker's description, which may have secrets of another object.
func withoutWords(out osbresult.Outcome) string {
	if out.Status == 0 {
		return out.Description
	}
	return fmt.Sprintf("HTTP %d", out.Status)
}

// maxNote bounds the note of an event, in bytes.
const maxNote = 1000
