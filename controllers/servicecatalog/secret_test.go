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
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

func dataOf(pairs ...string) map[string][]byte {
	data := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		data[pairs[i]] = []byte(pairs[i+1])
	}
	return data
}

func TestARecordTellsWhetherOurKeysWereEdited(t *testing.T) {
	r, ok := parseRecord(recordOf("id", dataOf("user", "u", "password", "p")).String())
	if !ok {
		t.Fatal("a record cannot be read")
	}
	for name, c := range map[string]struct {
		data map[string][]byte
		want bool
	}{
		"as it was":             {dataOf("user", "u", "password", "p"), true},
		"with others' keys":     {dataOf("user", "u", "password", "p", "note", "n"), true},
		"another value":         {dataOf("user", "u", "password", "q"), false},
		"a key is gone":         {dataOf("user", "u"), false},
		"an empty one":          {dataOf("user", "u", "password", ""), false},
		"values have moved":     {dataOf("user", "up", "password", ""), false},
		"all gone":              {nil, false},
		"renamed":               {dataOf("user", "u", "passwort", "p"), false},
		"swapped for one other": {dataOf("user", "p", "password", "u"), false},
	} {
		if got := r.isIn(c.data, "id"); got != c.want {
			t.Errorf("%s: intact is %v", name, got)
		}
	}
	if r.isIn(dataOf("user", "u", "password", "p"), "another") {
		t.Error("the same credentials under another id are taken for those of this one")
	}
	if empty, ok := parseRecord(recordOf("id", nil).String()); !ok || len(empty.keys) != 0 || !empty.isIn(dataOf("a", "b"), "id") {
		t.Error("a Secret without any of our keys cannot be edited")
	}
	for _, text := range []string{"", "v1", "v2 abc a,b", "v1 abc", "v1 abc a b"} {
		if _, ok := parseRecord(text); ok {
			t.Errorf("%q is taken for a record", text)
		}
	}
}

func TestInjectingLeavesWhatIsOthers(t *testing.T) {
	b := bindingWith()
	secret := newSecret(b, "id", dataOf("user", "u", "password", "p"))
	secret.Data["note"] = []byte("theirs")
	secret.Labels = map[string]string{"theirs": "too"}
	secret.Annotations["theirs"] = "as well"
	if inject(secret, "id", dataOf("user", "u", "password", "p")) {
		t.Error("nothing has changed, and yet it is written")
	}
	if !inject(secret, "id", dataOf("user", "u", "token", "t")) {
		t.Error("other credentials are not written")
	}
	want := dataOf("user", "u", "token", "t", "note", "theirs")
	if !maps.EqualFunc(secret.Data, want, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Errorf("data is %q, want %q", secret.Data, want)
	}
	if r, ok := parseRecord(secret.Annotations[v1beta1.CredentialsAnnotation]); !ok || !r.isIn(secret.Data, "id") || len(r.keys) != 2 {
		t.Errorf("the record is %+v", r)
	}
	if secret.Labels["theirs"] != "too" || secret.Annotations["theirs"] != "as well" {
		t.Error("labels or annotations of others are gone")
	}
	delete(secret.Data, "user")
	if !inject(secret, "id", dataOf("user", "u", "token", "t")) || string(secret.Data["user"]) != "u" {
		t.Error("a key that somebody removed does not come back")
	}
	delete(secret.Annotations, v1beta1.CredentialsAnnotation)
	if !inject(secret, "id", dataOf("user", "u", "token", "t")) {
		t.Error("the record does not come back")
	}
}

// Secrets of the original service-catalog have no record; nothing in them is known to
// be ours but what is written now.
func TestInjectingWithoutARecord(t *testing.T) {
	secret := newSecret(bindingWith(), "id", nil)
	secret.Annotations, secret.Data = nil, dataOf("old", "o")
	if !inject(secret, "id", dataOf("new", "n")) || string(secret.Data["old"]) != "o" || string(secret.Data["new"]) != "n" {
		t.Errorf("data is %q", secret.Data)
	}
	empty := &corev1.Secret{}
	if !inject(empty, "id", dataOf("a", "b")) || string(empty.Data["a"]) != "b" {
		t.Errorf("data is %q", empty.Data)
	}
}

func TestASecretIsOursByUID(t *testing.T) {
	b := bindingWith()
	ours := newSecret(b, "id", nil)
	again := b.DeepCopy()
	again.UID = "uid-again"
	owned := ours.DeepCopy()
	owned.OwnerReferences[0].Controller = nil
	for name, c := range map[string]struct {
		secret metav1.Object
		b      *v1beta1.ServiceBinding
		want   bool
	}{
		"ours":                         {ours, b, true},
		"of one of the same name":      {ours, again, false},
		"nobody's":                     {&corev1.Secret{}, b, false},
		"ours, but not in our keeping": {owned, b, false},
	} {
		if got := isOurs(c.secret, c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestARefusalDoesNotRepeatCredentials(t *testing.T) {
	got := refusal(cannotInject("policy: value \"hunter2\" in %s", strings.Repeat("x", 2000)), dataOf("password", "hunter2"))
	if strings.Contains(got, "hunter2") || !strings.HasPrefix(got, "policy") || len(got) > maxRefusal {
		t.Errorf("got %q", got)
	}
}

// keeper keeps Secrets at an API server with some, of which its cache knows none.
func keeper(t *testing.T, funcs interceptor.Funcs, there ...client.Object) (*secrets, client.Client) {
	t.Helper()
	server := fake.NewClientBuilder().WithObjects(there...).WithInterceptorFuncs(funcs).Build()
	return &secrets{cache: fake.NewClientBuilder().Build(), live: server, writer: server}, server
}

func TestASecretIsMadeWhateverTheCacheKnows(t *testing.T) {
	b := bindingWith()
	ours := newSecret(b, "old", dataOf("user", "u", "old", "o"))
	ours.Data["theirs"] = []byte("stays")
	again := b.DeepCopy()
	again.UID = "uid-before"
	for name, c := range map[string]struct {
		there    []client.Object
		want     map[string][]byte
		occupied bool
	}{
		"nothing is there":           {nil, dataOf("user", "v"), false},
		"it is there already":        {[]client.Object{ours.DeepCopy()}, dataOf("user", "v", "theirs", "stays"), false},
		"somebody else's":            {[]client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "b1"}, Data: dataOf("theirs", "x")}}, dataOf("theirs", "x"), true},
		"of one of that name before": {[]client.Object{newSecret(again, "x", dataOf("theirs", "x"))}, dataOf("theirs", "x"), true},
	} {
		keep, server := keeper(t, interceptor.Funcs{}, c.there...)
		version, err := keep.put(t.Context(), b, "id", dataOf("user", "v"))
		own, _ := errors.AsType[*injectError](err)
		if (own != nil && own.occupied) != c.occupied || (err != nil) != c.occupied {
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

func TestASecretIsWrittenAgainWhenOthersWriteItToo(t *testing.T) {
	b, conflicts := bindingWith(), 2
	funcs := interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
		if conflicts--; conflicts >= 0 {
			return apierrors.NewConflict(corev1.Resource("secrets"), o.GetName(), errors.New("it was changed"))
		}
		return c.Patch(ctx, o, p, opts...)
	}}
	keep, _ := keeper(t, funcs, newSecret(b, "id", dataOf("user", "u")))
	if _, err := keep.put(t.Context(), b, "id", dataOf("user", "v")); err != nil {
		t.Error(err)
	}
	conflicts = 100
	if _, err := keep.put(t.Context(), b, "id", dataOf("user", "w")); !apierrors.IsConflict(err) {
		t.Errorf("for ever: %v", err)
	}
}

func TestASecretThatCannotHoldMoreIsNotWritten(t *testing.T) {
	b := bindingWith()
	large := newSecret(b, "id", dataOf("user", "u"))
	large.Data["theirs"] = make([]byte, corev1.MaxSecretSize-100)
	keep, _ := keeper(t, interceptor.Funcs{}, large)
	if _, err := keep.put(t.Context(), b, "id", dataOf("user", strings.Repeat("u", 200))); err == nil || !strings.Contains(err.Error(), "1048576") {
		t.Errorf("got %v", err)
	}
	many := map[string][]byte{}
	for i := range 1000 {
		many[strings.Repeat("k", 200)+string(rune('a'+i%26))+strings.Repeat("x", i/26)] = nil
	}
	if _, err := keep.put(t.Context(), b, "id", many); err == nil || !strings.Contains(err.Error(), "names of the credentials' keys") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyTheSecretThatWasSeenIsDeleted(t *testing.T) {
	secret := newSecret(bindingWith(), "id", nil)
	secret.UID = "uid-secret"
	funcs := interceptor.Funcs{Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
		if on := (&client.DeleteOptions{}).ApplyOptions(opts).Preconditions; on == nil || on.UID == nil || *on.UID != "uid-secret" {
			t.Errorf("deleted on %+v", on)
		}
		return c.Delete(ctx, o)
	}}
	keep, _ := keeper(t, funcs, secret)
	for range 2 { // what is gone is gone
		if err := keep.remove(t.Context(), secret); err != nil {
			t.Error(err)
		}
	}
}

// TestWhatIsKnownOfASecret has what a process makes of what its cache shows.
func TestWhatIsKnownOfASecret(t *testing.T) {
	of := func(version string, owner *v1beta1.ServiceBinding) *metav1.PartialObjectMetadata {
		secret := newSecret(owner, "id", nil)
		secret.ResourceVersion = version
		return &metav1.PartialObjectMetadata{ObjectMeta: secret.ObjectMeta}
	}
	delivered := func(version string) *v1beta1.ServiceBinding {
		b := bindingWith()
		b.Status = v1beta1.ServiceBindingStatus{ReconciledGeneration: 1, SecretVersion: version, UnbindStatus: v1beta1.UnbindRequired, ExternalProperties: &v1beta1.ServiceBindingPropertiesState{}}
		return b
	}
	stranger := bindingWith()
	stranger.UID = "stranger"
	deleted := bindingWith()
	deleted.DeletionTimestamp = &metav1.Time{Time: t0}
	for name, c := range map[string]struct {
		b          *v1beta1.ServiceBinding
		firstSight bool
		known      bindingKnown
		seen       *metav1.PartialObjectMetadata
		want       secretState
	}{
		"none, none expected":           {bindingWith(), true, bindingKnown{}, nil, secretAbsent},
		"none, of a binding that is":    {delivered("5"), true, bindingKnown{}, nil, secretUnseen},
		"none, just written":            {delivered("5"), true, bindingKnown{seen: "5", written: t0}, nil, secretGood},
		"none, written some time ago":   {delivered("5"), true, bindingKnown{seen: "5", written: t0.Add(-settling)}, nil, secretUnseen},
		"none, deleted before a status": {deleted, false, bindingKnown{}, nil, secretUnseen},
		"none, deleted at once":         {deleted, true, bindingKnown{}, nil, secretAbsent},
		"as it was written":             {delivered("5"), true, bindingKnown{}, of("5", bindingWith()), secretGood},
		"from before it was written":    {delivered("5"), true, bindingKnown{}, of("4", bindingWith()), secretGood},
		"written since":                 {delivered("5"), true, bindingKnown{}, of("6", bindingWith()), secretUnseen},
		"written since, and looked at":  {delivered("5"), true, bindingKnown{seen: "6"}, of("6", bindingWith()), secretGood},
		"edited, and looked at":         {delivered("5"), true, bindingKnown{seen: "6", edited: true}, of("6", bindingWith()), secretEdited},
		"edited again":                  {delivered("5"), true, bindingKnown{seen: "6", edited: true}, of("7", bindingWith()), secretUnseen},
		"of the former service-catalog": {delivered(""), true, bindingKnown{}, of("5", bindingWith()), secretGood},
		"written, and not recorded":     {bindingWith(), false, bindingKnown{}, of("5", bindingWith()), secretUnseen},
		"another's":                     {delivered("5"), true, bindingKnown{}, of("6", stranger), secretOthers},
		"deleted a moment ago":          {delivered("5"), true, bindingKnown{ejected: true}, of("5", bindingWith()), secretAbsent},
	} {
		if got, _, _ := sightOf(c.b, c.firstSight, &c.known, c.seen, t0); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
