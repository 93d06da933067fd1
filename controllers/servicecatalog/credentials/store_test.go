// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
)

// keeper keeps Secrets at an API server with some, of which its cache knows none.
func keeper(t *testing.T, funcs interceptor.Funcs, there ...client.Object) (*Store, client.Client) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1beta1.AddToScheme(scheme), clientgoscheme.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	server := fake.NewClientBuilder().WithScheme(scheme).WithObjects(there...).WithInterceptorFuncs(funcs).Build()
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

// F-B4: an immutable Secret of the binding is deleted and created again, with an event. F-S55: keys of others are in no process's memory
// meanwhile: a Secret with them stays.
func TestAnImmutableSecretIsReplaced(t *testing.T) {
	b := newBinding()
	ours := bindingsecret.NewSecret(b, "old", newData("user", "u"))
	ours.UID, ours.Immutable, ours.Labels = "uid-secret", new(true), map[string]string{"team": "a"}
	keep, server := keeper(t, interceptor.Funcs{}, ours)
	version, err := keep.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", "v")})
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{}
	if err := server.Get(t.Context(), client.ObjectKey{Namespace: "demo", Name: "b1"}, secret); err != nil {
		t.Fatal(err)
	}
	if secret.UID == ours.UID || secret.Immutable != nil || string(secret.Data["user"]) != "v" || secret.Labels["team"] != "a" ||
		secret.ResourceVersion != version || !bindingsecret.IsOwned(secret, b) || !bindingsecret.IsIntact(secret, "id") {
		t.Errorf("version %s: %+v", version, secret)
	}
	if said := <-keep.Recorder.(*events.FakeRecorder).Events; !strings.Contains(said, "immutable") {
		t.Errorf("the event says %s", said)
	}
}

// F-S55: a process that ended between the deletion of an immutable Secret and its creation lost the keys of others.
func TestAnImmutableSecretWithKeysOfOthersStays(t *testing.T) {
	b := newBinding()
	ours := bindingsecret.NewSecret(b, "old", newData("user", "u"))
	ours.UID, ours.Immutable, ours.Data["theirs"] = "uid-secret", new(true), []byte("stays")
	keep, server := keeper(t, interceptor.Funcs{}, ours)
	keep.Cache = server
	for name, write := range map[string]func() error{
		"written": func() error {
			_, err := keep.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", "v")})
			return err
		},
		"tried": func() error { return keep.Try(t.Context(), b, bindingsecret.Sizes{"user": 1}) },
	} {
		err := write()
		if own, ok := errors.AsType[*bindingsecret.Error](err); !ok || !own.Foreign || own.Occupied || !strings.Contains(err.Error(), "immutable, and has keys that are not of this ServiceBinding (theirs)") {
			t.Errorf("%s: %v", name, err)
		}
	}
	secret := &corev1.Secret{}
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(ours), secret); err != nil || secret.UID != ours.UID || string(secret.Data["theirs"]) != "stays" {
		t.Errorf("%v: %+v", err, secret)
	}
}

// F-S41: an immutable Secret is not deleted where the API server would refuse the next one.
func TestAnImmutableSecretIsKeptWhereNoOtherMayBeCreated(t *testing.T) {
	b := newBinding()
	ours := bindingsecret.NewSecret(b, "old", newData("user", "u"))
	ours.UID, ours.Immutable = "uid-secret", new(true)
	funcs := interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
		return apierrors.NewForbidden(corev1.Resource("secrets"), "b1", errors.New("exceeded quota"))
	}}
	keep, server := keeper(t, funcs, ours)
	keep.Cache = fake.NewClientBuilder().WithObjects(ours).Build()
	if _, err := keep.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", "v")}); !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(ours), &corev1.Secret{}); err != nil {
		t.Error(err)
	}
}

// F-S41: in a namespace at its quota the replacement of an immutable Secret is refused for as long as that Secret counts, and the message
// did not say what a person can do. It names the Secret where there is one, also where the rest of the message cannot be shown.
func TestARefusalBecauseOfAQuotaSaysHowAnImmutableSecretIsReplaced(t *testing.T) {
	b := newBinding()
	ours := bindingsecret.NewSecret(b, "old", newData("user", "hunter2"))
	ours.UID, ours.Immutable = "uid-secret", new(true)
	values := newData("user", "hunter2")
	for i := range 5000 {
		values[fmt.Sprint(i)] = fmt.Appendf(nil, "value-%d", i)
	}
	many := bindingsecret.NewSecret(b, "old", values)
	many.UID, many.Immutable = ours.UID, ours.Immutable
	changeable := ours.DeepCopy()
	changeable.Immutable = nil
	const advice = `Secret "b1" in namespace "demo" is immutable, and a quota refuses its replacement: raise the quota, or delete the Secret: `
	put := func(s *Store) error {
		_, err := s.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", "hunter3")})
		return err
	}
	try := func(s *Store) error { return s.Try(t.Context(), b, nil) }
	for name, test := range map[string]struct {
		there   []client.Object
		do      func(*Store) error
		message string
		want    string
	}{
		"a quota":                     {[]client.Object{ours}, put, "exceeded quota: q, hunter2 hunter3", advice + `secrets "b1" is forbidden: exceeded quota: q, `},
		"a quota, as a dry run":       {[]client.Object{ours}, try, "exceeded quota: q, hunter2", advice + `secrets "b1" is forbidden: exceeded quota: q, `},
		"a quota, many values":        {[]client.Object{many}, put, "exceeded quota: q, hunter2", advice + "HTTP 403, exceeded quota; "},
		"a quota, a long message":     {[]client.Object{ours}, put, "exceeded quota" + strings.Repeat(" x", 2000), advice},
		"a policy":                    {[]client.Object{ours}, put, "hunter2 not allowed", `secrets "b1" is forbidden: `},
		"a quota, no Secret":          {nil, put, "exceeded quota: q", `secrets "b1" is forbidden: exceeded quota: q`},
		"a quota, a Secret to change": {[]client.Object{changeable}, put, "exceeded quota: q", `secrets "b1" is forbidden: exceeded quota: q`},
	} {
		keep, server := keeper(t, refuseAll(test.message), test.there...)
		keep.Cache = fake.NewClientBuilder().WithObjects(test.there...).Build()
		err := test.do(keep)
		if !apierrors.IsForbidden(err) || ExceedsQuota(err) != strings.Contains(name, "quota") || !IsJudgement(err) {
			t.Errorf("%s: %v", name, err)
		}
		if got := Message(err); !strings.HasPrefix(got, test.want) || strings.Contains(got, "hunter") {
			t.Errorf("%s: it says %s, want %s", name, got, test.want)
		}
		for _, o := range test.there {
			if err := server.Get(t.Context(), client.ObjectKeyFromObject(o), &corev1.Secret{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// F-S41: whether credentials could be written was tried by the creation of an empty Secret, and not at all where there was one: the broker was
// asked for credentials again and again that an update of it cannot store. The write itself is tried, and changes nothing.
func TestTheWriteItselfIsTried(t *testing.T) {
	b := newBinding()
	ours := bindingsecret.NewSecret(b, "old", newData("user", "u"))
	ours.UID = "uid-secret"
	immutable, full, theirs := ours.DeepCopy(), ours.DeepCopy(), ours.DeepCopy()
	immutable.Immutable, theirs.OwnerReferences = new(true), nil
	full.Data["theirs"] = make([]byte, corev1.MaxSecretSize-100)
	forbidden := apierrors.NewForbidden(corev1.Resource("secrets"), "b1", errors.New("a policy"))
	for name, test := range map[string]struct {
		there   []client.Object
		verb    string // that is refused
		sizes   bindingsecret.Sizes
		refused string
	}{
		"no Secret":                           {nil, "", bindingsecret.Sizes{"user": 7}, ""},
		"no Secret, nothing known":            {nil, "", nil, ""},
		"no Secret, create refused":           {nil, "create", bindingsecret.Sizes{"user": 7}, "a policy"},
		"no Secret, keys too long":            {nil, "long", bindingsecret.Sizes{"user": 7}, "too long"},
		"a Secret":                            {[]client.Object{ours}, "create", bindingsecret.Sizes{"user": 7}, ""},
		"a Secret, nothing known":             {[]client.Object{ours}, "", nil, ""},
		"a Secret, update refused":            {[]client.Object{ours}, "patch", bindingsecret.Sizes{"user": 1}, "a policy"},
		"a Secret, update refused, unknown":   {[]client.Object{ours}, "patch", nil, "a policy"},
		"a Secret, keys too long":             {[]client.Object{ours}, "long", bindingsecret.Sizes{"user": 7}, "too long"},
		"a Secret that is full":               {[]client.Object{full}, "", bindingsecret.Sizes{"user": 200}, "with what else is in it"},
		"an immutable Secret":                 {[]client.Object{immutable}, "patch", bindingsecret.Sizes{"user": 7}, ""},
		"an immutable Secret, delete refused": {[]client.Object{immutable}, "delete", bindingsecret.Sizes{"user": 7}, "a policy"},
		"an immutable Secret, create refused": {[]client.Object{immutable}, "create", bindingsecret.Sizes{"user": 7}, "a policy"},
		"another's Secret":                    {[]client.Object{theirs}, "", bindingsecret.Sizes{"user": 7}, "not owned by this ServiceBinding"},
	} {
		t.Run(name, func(t *testing.T) {
			judge := func(verb string, o client.Object, dryRun []string) error {
				if len(dryRun) != 1 {
					t.Errorf("%s is no dry run", verb)
				}
				if secret, ok := o.(*corev1.Secret); ok && test.verb == "long" && len(secret.Data["user"]) > 3 {
					return errors.New("too long")
				}
				if verb == test.verb {
					return forbidden
				}
				return nil
			}
			funcs := interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
					if err := judge("create", o, (&client.CreateOptions{}).ApplyOptions(opts).DryRun); err != nil {
						return err
					}
					return c.Create(ctx, o, opts...)
				},
				Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
					if err := judge("patch", o, (&client.PatchOptions{}).ApplyOptions(opts).DryRun); err != nil {
						return err
					}
					return c.Patch(ctx, o, p, opts...)
				},
				Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
					if err := judge("delete", o, (&client.DeleteOptions{}).ApplyOptions(opts).DryRun); err != nil {
						return err
					}
					return c.Delete(ctx, o, opts...)
				},
			}
			keep, server := keeper(t, funcs, test.there...)
			if len(test.there) > 0 {
				keep.Cache = fake.NewClientBuilder().WithObjects(test.there...).Build()
			}
			err := keep.Try(t.Context(), b, test.sizes)
			if (err == nil) != (test.refused == "") || err != nil && !strings.Contains(err.Error(), test.refused) {
				t.Errorf("refused with %v, want %q", err, test.refused)
			}
			is := &corev1.Secret{}
			switch err := server.Get(t.Context(), client.ObjectKeyFromObject(ours), is); {
			case len(test.there) == 0 && !apierrors.IsNotFound(err):
				t.Errorf("there is a Secret: %v", err)
			case len(test.there) > 0 && (err != nil || string(is.Data["user"]) != "u"):
				t.Errorf("%v, %q", err, is.Data)
			}
			if n := len(keep.Recorder.(*events.FakeRecorder).Events); n != 0 {
				t.Errorf("%d events", n)
			}
		})
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
	others, err := keep.ReadSources(t.Context(), b)
	if own, ok := errors.AsType[*bindingsecret.Error](err); !ok || !own.Foreign || others != nil || !strings.Contains(err.Error(), "more than the 4194304 bytes that they can have together") {
		t.Errorf("%d Secrets, %v", len(others), err)
	}
	if reads != 5 {
		t.Errorf("%d Secrets were read", reads)
	}
	b.Spec.SecretTransforms = b.Spec.SecretTransforms[:4]
	if others, err := keep.ReadSources(t.Context(), b); err != nil || len(others) != 4 {
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
	newest := b.DeepCopy()
	newest.ResourceVersion = "120"
	keep, server := keeper(t, interceptor.Funcs{}, newest)
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

// F-S55: an annotation that names a later state of the binding than there is stopped each write, without a word. A person can write it, and a
// backup of another cluster has it.
func TestAVersionThatTheBindingHasNotReachedStopsNoWrite(t *testing.T) {
	for name, test := range map[string]struct {
		annotation, newest string
		uid                types.UID
		isWritten          bool
	}{
		"forged":                               {"9999999999", "100", "uid-b1", true},
		"forged, a later state is stored":      {"9999999999", "110", "uid-b1", true},
		"written from a later state":           {"110", "110", "uid-b1", false},
		"written from a state before the last": {"110", "120", "uid-b1", false},
		"another binding of the name":          {"9999999999", "100", "uid-other", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBinding()
			b.ResourceVersion = "100"
			newest := b.DeepCopy()
			newest.ResourceVersion, newest.UID = test.newest, test.uid
			secret := bindingsecret.NewSecret(b, "old", newData("user", "u"))
			secret.Annotations[v1beta1.WrittenFromAnnotation] = test.annotation
			keep, server := keeper(t, interceptor.Funcs{}, secret, newest)
			keep.Cache = server
			if err := keep.Try(t.Context(), b, bindingsecret.Sizes{"user": 1}); (err == nil) != test.isWritten {
				t.Errorf("a dry run: %v", err)
			}
			if n := len(keep.Recorder.(*events.FakeRecorder).Events); n != 0 {
				t.Errorf("a dry run emits %d events", n)
			}
			if _, err := keep.Put(t.Context(), b, "id", bindingsecret.Content{Data: newData("user", "v")}); (err == nil) != test.isWritten || err != nil && !errors.Is(err, patch.ErrStale) {
				t.Errorf("it is written: %v", err)
			}
			is := &corev1.Secret{}
			if err := server.Get(t.Context(), client.ObjectKeyFromObject(secret), is); err != nil {
				t.Fatal(err)
			}
			if got := is.Annotations[v1beta1.WrittenFromAnnotation]; (got == "100") != test.isWritten {
				t.Errorf("written from %s", got)
			}
			if n := len(keep.Recorder.(*events.FakeRecorder).Events); (n == 1) != test.isWritten {
				t.Errorf("%d events", n)
			}
		})
	}
}
