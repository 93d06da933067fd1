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

package credentials

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle/bindingsecret"
	"github.com/gophernetes/bellhop/internal/patch"
)

func TestARefusalDoesNotRepeatCredentials(t *testing.T) {
	got := Refusal(bindingsecret.Unfit("policy: value \"hunter2\" in %s", strings.Repeat("x", 2000)), newData("password", "hunter2"))
	if strings.Contains(got, "hunter2") || !strings.HasPrefix(got, "policy") || len(got) > maxRefusal {
		t.Errorf("got %q", got)
	}
}

// keeper keeps Secrets at an API server with some, of which its cache knows none.
func keeper(t *testing.T, funcs interceptor.Funcs, there ...client.Object) (*Store, client.Client) {
	t.Helper()
	server := fake.NewClientBuilder().WithObjects(there...).WithInterceptorFuncs(funcs).Build()
	return &Store{Cache: fake.NewClientBuilder().Build(), Live: server, Writer: server, Recorder: events.NewFakeRecorder(10)}, server
}

func TestASecretIsMadeWhateverTheCacheKnows(t *testing.T) {
	b := newBinding()
	ours := bindingsecret.NewSecret(b, "old", newData("user", "u", "old", "o"))
	ours.Data["theirs"] = []byte("stays")
	again := b.DeepCopy()
	again.UID = "uid-before"
	for name, c := range map[string]struct {
		there    []client.Object
		want     map[string][]byte
		occupied bool
	}{
		"nothing is there":           {nil, newData("user", "v"), false},
		"it is there already":        {[]client.Object{ours.DeepCopy()}, newData("user", "v", "theirs", "stays"), false},
		"somebody else's":            {[]client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "b1"}, Data: newData("theirs", "x")}}, newData("theirs", "x"), true},
		"of one of that name before": {[]client.Object{bindingsecret.NewSecret(again, "x", newData("theirs", "x"))}, newData("theirs", "x"), true},
	} {
		keep, server := keeper(t, interceptor.Funcs{}, c.there...)
		version, err := keep.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", "v")})
		own, _ := errors.AsType[*bindingsecret.Error](err)
		if (own != nil && own.Occupied) != c.occupied || (err != nil) != c.occupied {
			t.Errorf("%s: %v", name, err)
		}
		secret := &corev1.Secret{}
		if err := server.Get(t.Context(), client.ObjectKey{Namespace: "demo", Name: "b1"}, secret); err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(secret.Data, c.want, func(a, b []byte) bool { return string(a) == string(b) }) || !c.occupied && secret.ResourceVersion != version {
			t.Errorf("%s: version %s has %q", name, version, secret.Data)
		}
	}
}

// F-B4: an immutable Secret of the binding is deleted and created again, with an event.
func TestAnImmutableSecretIsReplaced(t *testing.T) {
	b := newBinding()
	ours := bindingsecret.NewSecret(b, "old", newData("user", "u"))
	ours.UID, ours.Immutable, ours.Data["theirs"], ours.Labels = "uid-secret", new(true), []byte("stays"), map[string]string{"team": "a"}
	keep, server := keeper(t, interceptor.Funcs{}, ours)
	version, err := keep.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", "v")})
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{}
	if err := server.Get(t.Context(), client.ObjectKey{Namespace: "demo", Name: "b1"}, secret); err != nil {
		t.Fatal(err)
	}
	if secret.UID == ours.UID || secret.Immutable != nil || string(secret.Data["user"]) != "v" || string(secret.Data["theirs"]) != "stays" || secret.Labels["team"] != "a" ||
		secret.ResourceVersion != version || !bindingsecret.IsOwned(secret, b) || !bindingsecret.IsIntact(secret, "id") {
		t.Errorf("version %s: %+v", version, secret)
	}
	if said := <-keep.Recorder.(*events.FakeRecorder).Events; !strings.Contains(said, "immutable") {
		t.Errorf("the event says %s", said)
	}
}

func TestASecretIsWrittenAgainWhenOthersWriteItToo(t *testing.T) {
	b, conflicts := newBinding(), 2
	funcs := interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
		if conflicts--; conflicts >= 0 {
			return apierrors.NewConflict(corev1.Resource("secrets"), o.GetName(), errors.New("it was changed"))
		}
		return c.Patch(ctx, o, p, opts...)
	}}
	keep, _ := keeper(t, funcs, bindingsecret.NewSecret(b, "id", newData("user", "u")))
	if _, err := keep.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", "v")}); err != nil {
		t.Error(err)
	}
	conflicts = 100
	if _, err := keep.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", "w")}); !apierrors.IsConflict(err) {
		t.Errorf("for ever: %v", err)
	}
}

func TestASecretThatCannotHoldMoreIsNotWritten(t *testing.T) {
	b := newBinding()
	large := bindingsecret.NewSecret(b, "id", newData("user", "u"))
	large.Data["theirs"] = make([]byte, corev1.MaxSecretSize-100)
	keep, _ := keeper(t, interceptor.Funcs{}, large)
	if _, err := keep.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", strings.Repeat("u", 200))}); err == nil || !strings.Contains(err.Error(), "1048576") {
		t.Errorf("got %v", err)
	}
}

// F-S43: all Secrets were read, whatever they held, and their keys were not counted.
func TestSecretsThatAreTooLargeTogetherAreNotKept(t *testing.T) {
	b, reads := newBinding(), 0
	var there []client.Object
	for i := range 64 {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: fmt.Sprintf("source-%02d", i)}, Data: map[string][]byte{}}
		for j := range 10_000 {
			secret.Data[fmt.Sprintf("%06d", j)] = nil
		}
		there = append(there, secret)
		b.Spec.SecretTransforms = append(b.Spec.SecretTransforms, v1beta1.SecretTransform{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Name: secret.Name}}})
	}
	keep, _ := keeper(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
		reads++
		return c.Get(ctx, key, obj, opts...)
	}}, there...)
	others, err := keep.Others(t.Context(), b)
	if own, ok := errors.AsType[*bindingsecret.Error](err); !ok || !own.Foreign || others != nil || !strings.Contains(err.Error(), "more than the 4194304 bytes that they can have together") {
		t.Errorf("%d Secrets, %v", len(others), err)
	}
	if reads != 5 {
		t.Errorf("%d Secrets were read", reads)
	}
	b.Spec.SecretTransforms = b.Spec.SecretTransforms[:4]
	if others, err := keep.Others(t.Context(), b); err != nil || len(others) != 4 {
		t.Errorf("%d Secrets, %v", len(others), err)
	}
}

// What is derived yields to keys of others, and to the limits of a Secret.
func TestADerivedKeyNeverKeepsCredentialsFromBeingWritten(t *testing.T) {
	b := newBinding()
	full := bindingsecret.NewSecret(b, "id", newData("user", "u"))
	full.Data["theirs"], full.Data["type"] = make([]byte, corev1.MaxSecretSize-10), []byte("x")
	keep, server := keeper(t, interceptor.Funcs{}, full)
	content := bindingsecret.Content{Data: newData("user", "v"), Derived: newData("type", "mysql", "provider", "main", "username", "far-too-long")}
	if _, err := keep.Put(t.Context(), b, "id", content); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{}
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(full), secret); err != nil {
		t.Fatal(err)
	}
	delete(secret.Data, "theirs")
	want := newData("user", "v", "type", "x", "provider", "main")
	if !maps.EqualFunc(secret.Data, want, func(a, b []byte) bool { return string(a) == string(b) }) || !bindingsecret.IsIntact(secret, "id") {
		t.Errorf("the Secret has %q, want %q", secret.Data, want)
	}
}

func TestOnlyTheSecretThatWasSeenIsDeleted(t *testing.T) {
	secret := bindingsecret.NewSecret(newBinding(), "id", nil)
	secret.UID = "uid-secret"
	funcs := interceptor.Funcs{Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
		if on := (&client.DeleteOptions{}).ApplyOptions(opts).Preconditions; on == nil || on.UID == nil || *on.UID != "uid-secret" {
			t.Errorf("deleted on %+v", on)
		}
		return c.Delete(ctx, o)
	}}
	keep, _ := keeper(t, funcs, secret)
	for range 2 { // what is gone is gone
		if err := keep.Remove(t.Context(), secret); err != nil {
			t.Error(err)
		}
	}
}

func newBinding() *v1beta1.ServiceBinding {
	return &v1beta1.ServiceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "b1", UID: "uid-b1"},
	}
}

func newData(pairs ...string) map[string][]byte {
	data := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		data[pairs[i]] = []byte(pairs[i+1])
	}
	return data
}

// F-S29: what follows from an earlier state of the binding, as in a process that no longer leads, replaces and clears nothing.
func TestASecretIsNotWrittenFromAnEarlierState(t *testing.T) {
	b := newBinding()
	b.ResourceVersion = "100"
	keep, server := keeper(t, interceptor.Funcs{})
	put := func(version, id string, data map[string][]byte) error {
		at := b.DeepCopy()
		at.ResourceVersion = version
		_, err := keep.Put(t.Context(), at, id, bindingsecret.Content{Data: data})
		return err
	}
	if err := errors.Join(put("100", "first", newData("user", "first")), put("120", "second", newData("user", "second"))); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"write": put("110", "first", newData("user", "first")), "clear": put("99", "", nil)} {
		if !errors.Is(err, patch.ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
	secret := &corev1.Secret{}
	if err := server.Get(t.Context(), client.ObjectKey{Namespace: b.Namespace, Name: b.Name}, secret); err != nil || string(secret.Data["user"]) != "second" {
		t.Errorf("%v, %q", err, secret.Data)
	}
	if err := put("120", "", nil); err != nil { // the same state
		t.Error(err)
	}
}
