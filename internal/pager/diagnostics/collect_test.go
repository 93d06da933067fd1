// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// apiServer returns its pods to each list of them, its events about an object, and its Secrets.
type apiServer struct {
	client.Reader
	pods    []corev1.Pod
	events  []corev1.Event
	secrets map[string]corev1.Secret
	err     error // of reading a Secret
}

func (s apiServer) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	switch list := list.(type) {
	case *corev1.PodList:
		list.Items = append(list.Items, s.pods...)
	case *corev1.EventList:
		for _, event := range s.events {
			if strings.Contains(o.FieldSelector.String(), "involvedObject.uid="+string(event.InvolvedObject.UID)) {
				list.Items = append(list.Items, event)
			}
		}
	}
	return nil
}

func (s apiServer) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	secret, ok := s.secrets[key.Name]
	if !ok {
		return apierrors.NewNotFound(corev1.Resource("secrets"), key.Name)
	}
	secret.DeepCopyInto(o.(*corev1.Secret))
	return s.err
}

var created = metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

// failedPod returns a pod whose only container has ended.
func failedPod(ended corev1.ContainerStateTerminated) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "backup-1", Namespace: "shop", UID: "pod", CreationTimestamp: created},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Env: []corev1.EnvVar{{
			ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "login"}, Key: "password"}},
		}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Terminated: &ended}}}},
	}
}

func collect(t *testing.T, server apiServer, log string, logError error) string {
	t.Helper()
	logs := func(context.Context, string, string, *corev1.PodLogOptions) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(log)), logError
	}
	return Collector{Reader: server, Logs: logs}.Collect(t.Context(), Subject{Namespace: "shop", UID: "job", Pods: labels.SelectorFromSet(labels.Set{"a": "b"}), Summary: "BackoffLimitExceeded: too many failures"}, 4000)
}

func TestCollect(t *testing.T) {
	waiting := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "orders-1"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling\nimage"}},
	}}}}
	starting := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "orders-2"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}},
	}}}}
	crashing := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "orders-3"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", RestartCount: 4, LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}},
	}}}}
	unscheduled := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "orders-4"}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available",
	}}}}
	for name, c := range map[string]struct {
		pod  corev1.Pod
		want string
	}{
		"an exit code":      {failedPod(corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}), "Container main of Pod backup-1 ended with exit code 3: Error"},
		"an image":          {waiting, "Container main of Pod orders-1 waits: ImagePullBackOff: Back-off pulling image"},
		"a limit of memory": {crashing, "Container main of Pod orders-3 ended with exit code 137: OOMKilled, 4 restarts"},
		"no node":           {unscheduled, "Pod orders-4 is not scheduled: 0/1 nodes are available"},
		"a pod that starts": {starting, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := collect(t, apiServer{pods: []corev1.Pod{c.pod}}, "", errors.New("forbidden")); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCollectQuotesTheNewestWarnings(t *testing.T) {
	var server apiServer
	for i := range 7 {
		server.events = append(server.events, corev1.Event{
			InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: "backup", UID: "job"}, Reason: "Failed", Message: strings.Repeat("x", i),
			LastTimestamp: metav1.NewTime(created.Add(time.Duration(i) * time.Second)),
		})
	}
	server.events = append(server.events, corev1.Event{InvolvedObject: corev1.ObjectReference{Name: "another", UID: "another"}})
	got := strings.Split(collect(t, server, "", nil), "\n")
	if len(got) != maxEvents || got[0] != "Job backup: Failed: xxxxxx" || got[4] != "Job backup: Failed: xx" {
		t.Errorf("got %q", got)
	}
}

func TestCollectRepeatsNothing(t *testing.T) {
	var server apiServer
	for _, text := range []string{"BackoffLimitExceeded: too many failures", "Failed: Error: ErrImagePull", "Failed: Error: secret not found"} {
		reason, message, _ := strings.Cut(text, ": ")
		server.events = append(server.events, corev1.Event{InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: "backup", UID: "job"}, Reason: reason, Message: message})
	}
	if got := collect(t, server, "", nil); got != "Job backup: Failed: Error: secret not found" {
		t.Errorf("got %q", got)
	}
}

// An error that wraps others begins with what failed, and ends with the cause.
func TestShorten(t *testing.T) {
	for name, text := range map[string]string{"ASCII": strings.Repeat("wrapped: ", 100), "two bytes": strings.Repeat("é", 500), "two bytes, shifted": "x" + strings.Repeat("é", 500)} {
		got := shorten("pull of the image: " + text + "\nconnection refused")
		if len(got) > maxText || !utf8.ValidString(got) || !strings.HasPrefix(got, "pull of the image: ") || !strings.HasSuffix(got, " connection refused") || !strings.Contains(got, "…") {
			t.Errorf("%s: got %q, %d bytes", name, got, len(got))
		}
	}
	if got := shorten(strings.Repeat("x", maxText)); len(got) != maxText {
		t.Errorf("got %d bytes of a text that is not too long", len(got))
	}
}

// A log is quoted without the values of Secrets that the pod uses, and not at all if they cannot be read, or the log may not be.
func TestCollectRedactsTheLog(t *testing.T) {
	const canary = "correct-horse-battery"
	server := apiServer{
		pods:    []corev1.Pod{failedPod(corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"})},
		secrets: map[string]corev1.Secret{"login": {Data: map[string][]byte{"password": []byte(canary), "key": []byte("-----BEGIN KEY-----\nc2VjcmV0LWxpbmU=\n-----END KEY-----\n")}}},
	}
	log := "connecting as admin:" + canary + "\nc2VjcmV0LWxpbmU=\nconnection refused\n"
	got := collect(t, server, log, nil)
	if !strings.Contains(got, "connection refused") || strings.Contains(got, canary) || strings.Contains(got, "c2VjcmV0LWxpbmU=") {
		t.Errorf("got %q", got)
	}
	if got := collect(t, server, log, errors.New("forbidden")); strings.Contains(got, "Log") {
		t.Errorf("a log that may not be read is quoted: %q", got)
	}
	server.err = errors.New("timeout")
	if got := collect(t, server, log, nil); strings.Contains(got, "Log") {
		t.Errorf("a log is quoted without its secrets being known: %q", got)
	}
}

// F-P61: a log may have a value that its Secret had before.
func TestALogIsNotQuotedWhoseSecretHasChanged(t *testing.T) {
	at := func(d time.Duration) metav1.Time { return metav1.NewTime(created.Add(d)) }
	written := func(fields string, d time.Duration) []metav1.ManagedFieldsEntry {
		time := at(d)
		return []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(fields), Time: &time}}
	}
	const started = time.Hour // after the pod was created
	password := map[string][]byte{"password": []byte("present-value")}
	for name, c := range map[string]struct {
		secret corev1.Secret
		quoted bool
	}{
		"older than the pod":                 {corev1.Secret{}, true},
		"created in the second of the pod":   {corev1.Secret{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(0)}}, true},
		"created while the container ran":    {corev1.Secret{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(started + time.Second)}}, false},
		"created in the second of the start": {corev1.Secret{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(started)}}, false},
		// An init container, or an earlier run, may have written the former value to a volume.
		"changed before the start":                 {corev1.Secret{ObjectMeta: metav1.ObjectMeta{ManagedFields: written(`{"f:data":{"f:a":{}}}`, started-10*time.Minute)}}, false},
		"changed while the container ran":          {corev1.Secret{ObjectMeta: metav1.ObjectMeta{ManagedFields: written(`{"f:data":{"f:a":{}}}`, started+time.Minute)}}, false},
		"changed by stringData":                    {corev1.Secret{ObjectMeta: metav1.ObjectMeta{ManagedFields: written(`{"f:stringData":{"f:a":{}}}`, started+time.Minute)}}, false},
		"labeled while the container ran":          {corev1.Secret{ObjectMeta: metav1.ObjectMeta{ManagedFields: written(`{"f:metadata":{"f:labels":{"f:a":{}}}}`, started+time.Minute)}}, true},
		"written in the second before the pod was": {corev1.Secret{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(-time.Second)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			c.secret.Data = password
			server := apiServer{
				pods:    []corev1.Pod{failedPod(corev1.ContainerStateTerminated{ExitCode: 3, StartedAt: at(started)})},
				secrets: map[string]corev1.Secret{"login": c.secret},
			}
			got := collect(t, server, "password=former-value\n", nil)
			if strings.Contains(got, "former-value") != c.quoted {
				t.Errorf("got %q", got)
			}
			if !c.quoted && !strings.Contains(got, `Log:
not quoted, since it may have former values of Secret "login", which was created or changed after the Pod was created`) {
				t.Errorf("got %q without a reason", got)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		server := apiServer{pods: []corev1.Pod{failedPod(corev1.ContainerStateTerminated{ExitCode: 3, StartedAt: at(started)})}}
		if got := collect(t, server, "password=former-value\n", nil); !strings.HasSuffix(got, `Log:
not quoted, since it may have former values of Secret "login", which does not exist`) {
			t.Errorf("got %q", got)
		}
	})
}

// The removal of a key leaves no trace in a Secret but the key that the pod names.
func TestALogIsNotQuotedWhoseKeyIsRemoved(t *testing.T) {
	login := corev1.LocalObjectReference{Name: "login"}
	items := []corev1.KeyToPath{{Key: "other", Path: "other"}, {Key: "password", Path: "password"}}
	variable := func(optional bool) corev1.Container {
		selector := &corev1.SecretKeySelector{LocalObjectReference: login, Key: "password", Optional: &optional}
		return corev1.Container{Name: "main", Env: []corev1.EnvVar{{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: selector}}}}
	}
	volume := func(source corev1.VolumeSource) corev1.PodSpec {
		return corev1.PodSpec{Volumes: []corev1.Volume{{VolumeSource: source}}}
	}
	for name, c := range map[string]struct {
		spec   corev1.PodSpec
		quoted bool
	}{
		"a variable":                      {corev1.PodSpec{Containers: []corev1.Container{variable(false)}}, false},
		"a variable of an init container": {corev1.PodSpec{InitContainers: []corev1.Container{variable(false)}}, false},
		"an optional variable":            {corev1.PodSpec{Containers: []corev1.Container{variable(true)}}, false},
		"a volume":                        {volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "login", Items: items}}), false},
		"a projected volume": {volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{Secret: &corev1.SecretProjection{LocalObjectReference: login, Items: items}},
		}}}), false},
		"a volume without the key": {volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "login", Items: items[:1]}}), true},
		"a whole volume":           {volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "login"}}), true},
	} {
		t.Run(name, func(t *testing.T) {
			pod := failedPod(corev1.ContainerStateTerminated{ExitCode: 3, StartedAt: created})
			pod.Spec = c.spec
			server := apiServer{pods: []corev1.Pod{pod}, secrets: map[string]corev1.Secret{"login": {Data: map[string][]byte{"other": []byte("present-value")}}}}
			got := collect(t, server, "password=former-value\n", nil)
			if strings.Contains(got, "former-value") != c.quoted {
				t.Errorf("got %q", got)
			}
			if !c.quoted && !strings.HasSuffix(got, `Log:
not quoted, since it may have former values of Secret "login", which has no key "password"`) {
				t.Errorf("got %q without a reason", got)
			}
		})
	}
}

// F-S40: a log is withheld once, and not line by line.
func TestALogIsWithheldWhereThereAreTooManySecrets(t *testing.T) {
	got := redactLines("one\ntwo\n", []string{strings.Repeat("secret\n", 1<<16)})
	if strings.Contains(got, "one") || strings.Count(got, "withheld") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestCollectIsBounded(t *testing.T) {
	server := apiServer{
		pods:    []corev1.Pod{failedPod(corev1.ContainerStateTerminated{ExitCode: 3, Reason: strings.Repeat("é", 10000)})},
		secrets: map[string]corev1.Secret{"login": {Data: map[string][]byte{"password": []byte("present-value")}}},
	}
	got := collect(t, server, strings.Repeat("line\n", 100000)+"the cause\n", nil)
	if len(got) > 4000 || !strings.HasPrefix(got, "Container main") || !strings.HasSuffix(got, "line\nthe cause") {
		t.Errorf("%d bytes, %q", len(got), got)
	}
}
