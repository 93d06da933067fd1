// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// HowToRelease says since when an object is being deleted and how a person releases it (R8).
func HowToRelease(o metav1.Object) string {
	return fmt.Sprintf("Deleted at %s; to release the object without a request to the broker, annotate it with %s=%s",
		times.Format(o.GetDeletionTimestamp().Time), v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
}

// Enumerate lists up to five names, and counts the others.
func Enumerate(names []string) string {
	const few = 5
	slices.Sort(names)
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

const (
	// withheldWords begins the text that replaces the broker's description.
	withheldWords = "the broker's description is not shown, since it may have "
	// withheld replaces the broker's description where it may have secrets that cannot be redacted (R7).
	withheld = withheldWords + "secrets that the operator cannot redact; see the broker's log"
)

// withheldBy returns the text that replaces the broker's description in an outcome that withholds it.
func withheldBy(out osbresult.Outcome) string {
	if out.TooManySecrets {
		return fmt.Sprintf(withheldWords+"one of the secrets: their values are more than %d, or have more than %d KiB, and the operator looks for no more; see the broker's log",
			redact.MaxSecrets, redact.MaxBytes>>10)
	}
	return withheld
}

// saidEarlier ends a description that an earlier answer had.
const saidEarlier = " (said in an earlier answer)"

// KeepDescription returns the message of a failure. Where the broker's description is withheld, it has the description of the former message about
// an answer with the same status and code.
func KeepDescription(message, former string, out osbresult.Outcome) string {
	prefix, isWithheld := strings.CutSuffix(message, withheldBy(out))
	said, isSame := strings.CutPrefix(former, prefix)
	if !out.Withheld || !isWithheld || !isSame || strings.HasPrefix(said, withheldWords) {
		return message
	}
	return prefix + strings.TrimSuffix(said, saidEarlier) + saidEarlier
}

// DescriptionOf returns the broker's description of an operation, as it may be shown.
func DescriptionOf(last osbresult.LastOperation, out osbresult.Outcome) string {
	if out.Withheld {
		return withheldBy(out)
	}
	return last.Description
}

// DescribeOutcome describes the outcome of a request: status, error code and the broker's description.
func DescribeOutcome(o osbresult.Outcome) string {
	if o.Withheld && o.Class != osbresult.Done {
		return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", o.Status, o.Code)) + ": " + withheldBy(o)
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

// AttemptNumber returns "attempt 3".
func AttemptNumber(count int32) string { return fmt.Sprintf("attempt %d", count) }

// maxDisplay bounds names and ids from a catalog in messages, in bytes.
const maxDisplay = 64

// DisplayName returns the name of an object for messages.
func DisplayName(name string) string { return redact.Shorten(name, maxDisplay) }

// Count returns a number with its noun: one is the singular, many the plural.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// WithNextAttempt adds to a message which attempt has failed and when the next one is due: with the probe of the broker that probed names,
// unless it is empty. A circuit breaker, or requests that come first, may delay it, which costs no write.
func WithNextAttempt(message string, b *v1beta1.Backoff, probed string) string {
	switch {
	case probed != "":
		return fmt.Sprintf("%s (retried with %s, see its status)", message, probed)
	case b.NextTime == nil:
		return message
	}
	return fmt.Sprintf("%s (%s failed, the next is at %s or later)", message, AttemptNumber(b.Count), times.Format(b.NextTime.Time))
}

// WithProgress adds the broker's description of an operation to a message.
func WithProgress(message, words string) string {
	if words == "" {
		return message
	}
	return message + " (" + words + ")"
}

// Uncapitalize returns a sentence with a small first letter, as a part of another sentence.
func Uncapitalize(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// MitigationPrefix begins the messages of an orphan mitigation.
const MitigationPrefix = "What may have been left at the broker is being removed"

// StatusOnly describes an outcome without the broker's description, which may have secrets of another object.
func StatusOnly(out osbresult.Outcome) string {
	if out.Status == 0 {
		return out.Description
	}
	return fmt.Sprintf("HTTP %d", out.Status)
}

// MaxNote bounds the note of an event, in bytes.
const MaxNote = 1000
