// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	r, ok := parseRecord(RecordOf("id", dataOf("user", "u", "password", "p")).String())
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
	if empty, ok := parseRecord(RecordOf("id", nil).String()); !ok || len(empty.keys) != 0 || !empty.isIn(dataOf("a", "b"), "id") {
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
	secret := NewSecret(b, "id", dataOf("user", "u", "password", "p"))
	secret.Data["note"] = []byte("theirs")
	secret.Labels = map[string]string{"theirs": "too"}
	secret.Annotations["theirs"] = "as well"
	if Merge(secret, "id", dataOf("user", "u", "password", "p")) {
		t.Error("nothing has changed, and yet it is written")
	}
	if !Merge(secret, "id", dataOf("user", "u", "token", "t")) {
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
	if !Merge(secret, "id", dataOf("user", "u", "token", "t")) || string(secret.Data["user"]) != "u" {
		t.Error("a key that somebody removed does not come back")
	}
	delete(secret.Annotations, v1beta1.CredentialsAnnotation)
	if !Merge(secret, "id", dataOf("user", "u", "token", "t")) {
		t.Error("the record does not come back")
	}
}

// Secrets of the original service-catalog have no record; nothing in them is known to
// be ours but what is written now.
func TestInjectingWithoutARecord(t *testing.T) {
	secret := NewSecret(bindingWith(), "id", nil)
	secret.Annotations, secret.Data = nil, dataOf("old", "o")
	if !Merge(secret, "id", dataOf("new", "n")) || string(secret.Data["old"]) != "o" || string(secret.Data["new"]) != "n" {
		t.Errorf("data is %q", secret.Data)
	}
	empty := &corev1.Secret{}
	if !Merge(empty, "id", dataOf("a", "b")) || string(empty.Data["a"]) != "b" {
		t.Errorf("data is %q", empty.Data)
	}
}

func TestASecretIsOursByUID(t *testing.T) {
	b := bindingWith()
	ours := NewSecret(b, "id", nil)
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
		if got := IsOwned(c.secret, c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWrittenAt(t *testing.T) {
	entry := func(fields string, at time.Time) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Time: &metav1.Time{Time: at}, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	written := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	secret := &corev1.Secret{}
	if at := WrittenAt(secret); !at.IsZero() {
		t.Errorf("without managed fields: %s", at)
	}
	secret.ManagedFields = []metav1.ManagedFieldsEntry{
		entry(`{"f:metadata":{"f:annotations":{"f:bellhop.gophernetes.io/written-from":{}}}}`, written),
		entry(`{"f:data":{"f:note":{}}}`, written.Add(time.Hour)),
		{},
	}
	if at := WrittenAt(secret); !at.Equal(written) {
		t.Errorf("%s, want %s", at, written)
	}
}
