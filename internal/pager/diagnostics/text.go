// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

const (
	// maxText bounds a text of a container or an event, and a line of a log, in bytes.
	maxText = 256
	// minSecretLine is the length from which a line of a secret is a secret of its own.
	minSecretLine = 8
)

// facts are the results of the look-ups about an object.
type facts struct {
	summary    string
	containers []string
	events     []corev1.Event
	log        string
}

// text returns the facts as plain text of at most maxBytes, the most telling first. The log is complete: its last line often has the cause.
func (f facts) text(maxBytes int) string {
	var b strings.Builder
	for _, line := range f.containers {
		b.WriteString(line + "\n")
	}
	f.events = slices.DeleteFunc(f.events, f.isKnown)
	slices.SortStableFunc(f.events, func(a, b corev1.Event) int { return timeOf(&b).Compare(timeOf(&a)) })
	for _, event := range f.events[:min(len(f.events), maxEvents)] {
		fmt.Fprintf(&b, "%s %s: %s: %s\n", event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Reason, shorten(event.Message))
	}
	if f.log == "" {
		return redact.Shorten(strings.TrimRight(b.String(), "\n"), maxBytes)
	}
	log := "\nLog:\n" + strings.TrimRight(f.log, "\n")
	return redact.Shorten(strings.TrimRight(b.String(), "\n"), maxBytes-len(log)) + log
}

// isKnown reports whether an event repeats the summary or the state of a container: the kubelet emits "Error: ErrImagePull" beside the
// event with the cause.
func (f facts) isKnown(event corev1.Event) bool {
	return event.Reason+": "+event.Message == f.summary || stateOnly.MatchString(event.Message)
}

var stateOnly = regexp.MustCompile(`^Error: \w+$`)

func timeOf(event *corev1.Event) time.Time {
	switch {
	case event.Series != nil:
		return event.Series.LastObservedTime.Time
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp.Time
	}
	return event.EventTime.Time
}

// describePod returns a line for each container that does not run as it should, none for a pod that is well.
func describePod(pod *corev1.Pod) []string {
	var lines []string
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			lines = append(lines, fmt.Sprintf("Pod %s is not scheduled: %s", pod.Name, shorten(c.Message)))
		}
	}
	for _, status := range containersOf(pod) {
		where := fmt.Sprintf("Container %s of Pod %s", status.Name, pod.Name)
		if waiting := status.State.Waiting; waiting != nil && isProblem(waiting.Reason) {
			lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s waits: %s: %s", where, waiting.Reason, shorten(waiting.Message)), ": "))
		}
		if ended := endOf(&status); ended != nil {
			lines = append(lines, fmt.Sprintf("%s ended with exit code %d: %s%s", where, ended.ExitCode, ended.Reason, describeRestarts(status.RestartCount)))
		}
	}
	return lines
}

func describeRestarts(n int32) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", 1 restart"
	}
	return fmt.Sprintf(", %d restarts", n)
}

func containersOf(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

// isProblem reports whether a container that waits for this reason needs a person: not while its image is pulled for the first time.
func isProblem(reason string) bool {
	return reason != "ContainerCreating" && reason != "PodInitializing"
}

// endOf returns how a container ended that failed, nil for any other.
func endOf(status *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
		if state.Terminated != nil && state.Terminated.ExitCode != 0 {
			return state.Terminated
		}
	}
	return nil
}

// redactLines removes secrets from each line of a log, and shortens it to maxText. If there are too many secrets to search for, it withholds the
// whole log.
func redactLines(text string, secrets []string) string {
	for _, secret := range secrets { // a program may print a key in PEM form line by line: each line is a secret, too
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); line != secret && len(line) >= minSecretLine {
				secrets = append(secrets, line)
			}
		}
	}
	redactor := redact.NewRedactor(secrets...)
	if redactor.Withholds() {
		return redactor.Clean(text, maxText)
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, redactor.Clean(strings.TrimRight(line, "\r\n"), maxText))
	}
	return strings.Join(lines, "\n")
}

// lastBytes returns the last lines of a text that together have at most maxBytes.
func lastBytes(text string, maxBytes int) string {
	for len(text) > maxBytes {
		_, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return redact.Shorten(text, maxBytes)
		}
		text = rest
	}
	return text
}

// shorten returns a text as one line of at most maxText. It cuts the middle out, since errors that wrap others end with the cause.
func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= maxText {
		return text
	}
	tail := len(text) - maxText*3/5
	for !utf8.RuneStart(text[tail]) {
		tail++
	}
	return redact.Shorten(text, maxText-(len(text)-tail)) + text[tail:]
}
