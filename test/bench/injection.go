// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

const (
	// injectionLimit is how much longer the creation of a Pod may take with the credentials of a binding than without, as 99th
	// percentiles.
	injectionLimit = 5 * time.Millisecond
	// podsPerReview is how many Pods are created for each object of -reviews: a 99th percentile of few is a maximum.
	podsPerReview = 4
)

// What is created: Pods without credentials, with them, and with as much as is possible, in several containers.
const (
	podWithout = "created: a Pod without credentials"
	podByHand  = "created: a Pod, 1 binding and 1 variable by hand"
	podWithOne = "created: a Pod, 1 binding and 1 variable injected"
	podWithFew = "later: 3 containers, 2 bindings and 2 variables"
	podWithAll = "later: 3 containers, 16 bindings and 64 variables"
)

const aboutInjection = `
p50, p99, max: of a request of one client, one after the other, by server-side dry-run. The Pods of the first kinds have one container, and come
in turn, %.0f of each in a second; those of the last kinds come without pauses, and %d of each. Limit, which fails the benchmark unless it is
-short: a Pod to which the API server adds the credentials of a binding takes %v longer in the 99th percentile than one without. Here it is %.2f ms.

`

// injectionPart measures how much longer Pods take to be created with credentials, which admission policies add.
func (b *bench) injectionPart(ctx context.Context, out io.Writer) error {
	n := b.reviews * podsPerReview
	fmt.Fprintf(out, "injection: %d Pods without credentials, and as many with\n\n", n)
	var durations map[string][]time.Duration
	err := b.runInEnvironment(ctx, environmentOptions{binary: b.operator}, func(ctx context.Context, s *environment) (err error) {
		durations, err = b.measureInjection(ctx, s, n)
		return err
	})
	if err != nil {
		return err
	}
	t := latencyTable()
	addLatencies(t, durations)
	t.write(out)
	added := percentile(durations[podWithOne], 99) - percentile(durations[podWithout], 99)
	fmt.Fprintf(out, aboutInjection, b.rate, b.reviews, injectionLimit, milliseconds(added))
	if added > injectionLimit && !b.short {
		return fmt.Errorf("the injection makes the creation of a Pod %v longer in the 99th percentile: at most %v is right", added, injectionLimit)
	}
	return nil
}

// measureInjection returns how long each creation took.
func (b *bench) measureInjection(ctx context.Context, s *environment, n int) (map[string][]time.Duration, error) {
	for _, name := range []string{"validating_policy.yaml", "mutating_policy.yaml"} {
		if out, err := s.cluster.Kubectl(ctx, "apply", "-f", filepath.Join(b.repo, "config/injection", name)).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, out)
		}
	}
	namespace := b.uniqueName("injection")
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{v1beta1.InjectionLabel: "enabled"}}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
	if err := s.api.Create(ctx, ns); err != nil {
		return nil, err
	}
	if err := client.IgnoreAlreadyExists(s.api.Create(ctx, account)); err != nil {
		return nil, err
	}
	injected, err := waitForInjection(ctx, s, namespace)
	if err != nil {
		return nil, err
	}
	create := func(edits ...func(*corev1.Pod)) objectAction {
		return func(ctx context.Context, i int) error {
			return s.api.Create(ctx, newBoundPod(namespace, i, edits...), client.DryRunAll)
		}
	}
	byHand := func(pod *corev1.Pod) { pod.Spec = injected.Spec }
	durations, err := measurePaced(ctx, time.Duration(float64(time.Second)/b.rate/3), n, map[string]objectAction{
		podWithout: create(), podByHand: create(byHand), podWithOne: create(request(1, 1)),
	})
	if err != nil {
		return nil, err
	}
	// These come last: the garbage that they leave would slow down the others.
	large, err := measureInterleaved(ctx, b.reviews, map[string]objectAction{
		podWithFew: create(request(2, 2), addContainers), podWithAll: create(request(16, 64), addContainers),
	})
	maps.Copy(durations, large)
	return durations, err
}

// waitForInjection returns a Pod of one binding and one variable once the API server adds credentials.
func waitForInjection(ctx context.Context, s *environment, namespace string) (pod *corev1.Pod, err error) {
	return pod, pollUntil(ctx, func(ctx context.Context) (bool, error) {
		pod = newBoundPod(namespace, 0, request(1, 1))
		err := s.api.Create(ctx, pod, client.DryRunAll)
		return err == nil && len(pod.Spec.Volumes) == 1, nil // the validating policy refuses the Pod while the other one does not take effect
	})
}

// newBoundPod returns a Pod with one container, which requests nothing unless it is edited.
func newBoundPod(namespace string, i int, edits ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: objectName(i)}}
	pod.Spec = corev1.PodSpec{AutomountServiceAccountToken: new(false), Containers: []corev1.Container{{Name: "app", Image: "app"}}}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

// request requests the credentials of some bindings, and variables of the first one.
func request(bindings, variables int) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Labels = map[string]string{v1beta1.InjectLabel: "true"}
		pod.Annotations = map[string]string{
			v1beta1.InjectBindingsAnnotation: listOf(bindings, "binding-%d"),
			v1beta1.InjectEnvAnnotation:      listOf(variables, "VARIABLE_%d=binding-0/uri"),
		}
	}
}

// addContainers adds a sidecar and an init container.
func addContainers(pod *corev1.Pod) {
	pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "sidecar", Image: "app"})
	pod.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: "app"}}
}

func listOf(n int, format string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(all, ", ")
}
