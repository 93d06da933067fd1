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

// howToLetGo tells a person who waits for a deletion what they can do.
func howToLetGo(o metav1.Object) string {
	return fmt.Sprintf("Deleted since %s; to let go and leave everything at the broker as it is, annotate the object with %s=%s",
		when(o.GetDeletionTimestamp().Time), v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
}

// enumerate names a few of many.
func enumerate(names []string) string {
	const few = 5
	slices.Sort(names)
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// unshown stands for what a broker says where that may have secrets that are not known.
const unshown = "what the broker says is not shown, since it may repeat secrets that are not known here; look at the broker's log"

// wordsOf is what a broker says of an operation.
func wordsOf(last osbresult.LastOperation, out osbresult.Outcome) string {
	if out.Withheld {
		return unshown
	}
	return last.Description
}

// sayOutcome puts an outcome into words.
func sayOutcome(o osbresult.Outcome) string {
	if o.Withheld && o.Class != osbresult.Done {
		return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", o.Status, o.Code)) + ": " + unshown
	}
	status := fmt.Sprintf("HTTP %d", o.Status)
	said := strings.TrimSpace(status + " " + o.Code)
	switch isStatus := strings.HasPrefix(o.Description, status); {
	case o.Status == 0, isStatus && o.Code == "":
		return o.Description
	case o.Description == "", isStatus: // the broker has said no more
		return said
	}
	return said + ": " + o.Description
}

// ordinal is "attempt 3", for people.
func ordinal(count int32) string { return fmt.Sprintf("attempt %d", count) }

// when is a time as people read it in a condition.
func when(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func timeOf(t time.Time) *metav1.Time {
	stored := metav1.NewTime(t.Truncate(time.Second))
	return &stored
}

// maxDisplay is how much of a broker's name or id is shown, in bytes.
const maxDisplay = 64

func display(name string) string { return redact.Shorten(name, maxDisplay) }

// counted is a number of things.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// sayNext adds to a message which attempt has failed, and when the next one is made: with the
// broker's, if that is what probed says.
func sayNext(message string, a *v1beta1.Attempts, probed string) string {
	switch {
	case probed != "":
		return fmt.Sprintf("%s (retried with %s, see its status)", message, probed)
	case a.NextTime == nil:
		return message
	}
	return fmt.Sprintf("%s (%s failed, the next is at %s)", message, ordinal(a.Count), when(a.NextTime.Time))
}

// sayProgress adds to a message what the broker says about how far it is.
func sayProgress(message, words string) string {
	if words == "" {
		return message
	}
	return message + " (" + words + ")"
}

// uncapitalized is a sentence as the part of another.
func uncapitalized(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// cleaningUp is how what is said of a cleanup begins, as nobody has deleted anything.
const cleaningUp = "What may have been left at the broker is being removed"

// withoutWords says what came of a request without the broker's words: it may repeat
// secrets of an object that is gone, and with it what is known of them.
func withoutWords(out osbresult.Outcome) string {
	if out.Status == 0 {
		return out.Description
	}
	return fmt.Sprintf("HTTP %d", out.Status)
}
