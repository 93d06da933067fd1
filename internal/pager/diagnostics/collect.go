// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package diagnostics collects the facts that a person would look up first about an object that fails: its containers that do not run, its Warning
// events, and the last lines of a log where an administrator of the namespace permits it.
package diagnostics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	timeout     = 10 * time.Second // of all requests together
	maxPods     = 3
	maxEvents   = 5
	maxLogLines = 20
	maxLogBytes = 2048
)

// Logs opens the log of a container.
type Logs func(ctx context.Context, namespace, pod string, options *corev1.PodLogOptions) (io.ReadCloser, error)

// Collector reads from the API server.
type Collector struct {
	Reader client.Reader
	Logs   Logs
}

// Subject is an object that fails.
type Subject struct {
	Namespace string
	UID       types.UID
	// Pods selects the pods of the object; nil: it has none.
	Pods labels.Selector
	// Summary is the text that the reader knows already, as REASON: MESSAGE.
	Summary string
}

// Collect returns text for people about an object, of at most maxBytes. Facts that may not be read are left out.
func (c Collector) Collect(ctx context.Context, subject Subject, maxBytes int) string {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found := facts{summary: subject.Summary}
	uids := []types.UID{subject.UID}
	for _, pod := range c.failingPods(ctx, subject) {
		found.containers = append(found.containers, describePod(&pod)...)
		uids = append(uids, pod.UID)
		if found.log == "" {
			found.log = c.logOf(ctx, &pod)
		}
	}
	for _, uid := range uids {
		found.events = append(found.events, c.warnings(ctx, subject.Namespace, uid)...)
	}
	return found.text(maxBytes)
}

// failingPods returns pods that are not ready, the newest first.
func (c Collector) failingPods(ctx context.Context, subject Subject) []corev1.Pod {
	var pods corev1.PodList
	if subject.Pods == nil || subject.Pods.Empty() {
		return nil
	}
	if err := c.Reader.List(ctx, &pods, client.InNamespace(subject.Namespace), client.MatchingLabelsSelector{Selector: subject.Pods}); err != nil {
		return nil
	}
	failing := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return len(describePod(&pod)) == 0 })
	slices.SortFunc(failing, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	return failing[:min(len(failing), maxPods)]
}

func (c Collector) warnings(ctx context.Context, namespace string, uid types.UID) []corev1.Event {
	var events corev1.EventList
	selected := client.MatchingFieldsSelector{Selector: fields.AndSelectors(
		fields.OneTermEqualSelector("involvedObject.uid", string(uid)), fields.OneTermEqualSelector("type", corev1.EventTypeWarning))}
	if err := c.Reader.List(ctx, &events, client.InNamespace(namespace), selected); err != nil {
		return nil
	}
	return events.Items
}

// logOf returns the last lines of the container of a pod that failed, without the values of Secrets that the pod uses; nothing where the
// operator may not read logs. The Secrets are read after the log: their changes until then are known.
func (c Collector) logOf(ctx context.Context, pod *corev1.Pod) string {
	run, ok := failedRun(pod)
	if !ok || c.Logs == nil {
		return ""
	}
	text, err := c.readLog(ctx, pod, run)
	if err != nil {
		return ""
	}
	secrets, err := c.secretsOf(ctx, pod, run)
	if unknown, ok := errors.AsType[*unknownValueError](err); ok {
		return unknown.Error()
	}
	if err != nil {
		return "" // a log is not quoted whose secrets are not known
	}
	return lastBytes(redactLines(text, secrets), maxLogBytes)
}

func (c Collector) readLog(ctx context.Context, pod *corev1.Pod, run run) (string, error) {
	log, err := c.Logs(ctx, pod.Namespace, pod.Name, &corev1.PodLogOptions{
		Container: run.container, Previous: run.isPrevious, TailLines: ptr.To[int64](maxLogLines), LimitBytes: ptr.To[int64](64 << 10),
	})
	if err != nil {
		return "", err
	}
	defer log.Close()
	text, err := io.ReadAll(log)
	return string(text), err
}

// secretsOf returns the values of the Secrets that a pod uses, if it has had no others. A key that it names and that does not exist may have
// been removed since, also an optional one.
func (c Collector) secretsOf(ctx context.Context, pod *corev1.Pod, run run) ([]string, error) {
	var values []string
	used := usedKeysOf(&pod.Spec)
	for _, name := range slices.Sorted(maps.Keys(used)) {
		var secret corev1.Secret
		err := c.Reader.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: name}, &secret)
		if apierrors.IsNotFound(err) {
			return nil, &unknownValueError{name, "does not exist"}
		}
		if err != nil {
			return nil, err
		}
		if !hadValues(&secret, pod, run) {
			return nil, &unknownValueError{name, "was created or changed after the Pod was created"}
		}
		for _, key := range used[name] {
			if _, ok := secret.Data[key]; !ok {
				return nil, &unknownValueError{name, fmt.Sprintf("has no key %q", key)}
			}
		}
		for _, value := range secret.Data {
			values = append(values, string(value))
		}
	}
	return values, nil
}

// unknownValueError is about a Secret of which a log may have values that cannot be read any more.
type unknownValueError struct{ secret, why string }

func (e *unknownValueError) Error() string {
	return fmt.Sprintf("not quoted, since it may have former values of Secret %q, which %s", e.secret, e.why)
}
