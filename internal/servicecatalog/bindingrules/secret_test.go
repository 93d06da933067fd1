// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestWhatIsKnownOfASecret has what a process makes of what its cache shows.
func TestWhatIsKnownOfASecret(t *testing.T) {
	of := func(version string, owner *v1beta1.ServiceBinding) *metav1.PartialObjectMetadata {
		secret := bindingsecret.NewSecret(owner, "id", nil)
		secret.ResourceVersion = version
		return &metav1.PartialObjectMetadata{ObjectMeta: secret.ObjectMeta}
	}
	binding := func() *v1beta1.ServiceBinding {
		return &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "b1", UID: "uid-b1"}}
	}
	delivered := func(version string) *v1beta1.ServiceBinding {
		b := binding()
		b.Status = v1beta1.ServiceBindingStatus{OperationStatus: v1beta1.OperationStatus{ReconciledGeneration: 1}, SecretVersion: version, UnbindStatus: v1beta1.UnbindRequired, ExternalProperties: &v1beta1.ServiceBindingPropertiesState{}}
		return b
	}
	stranger := binding()
	stranger.UID = "stranger"
	deleted := binding()
	deleted.DeletionTimestamp = &metav1.Time{Time: rulestest.T0}
	underWay := binding()
	underWay.Status = v1beta1.ServiceBindingStatus{CurrentOperation: v1beta1.OperationBind, UnbindStatus: v1beta1.UnbindRequired}
	deletedUnderWay := underWay.DeepCopy()
	deletedUnderWay.DeletionTimestamp = deleted.DeletionTimestamp
	for name, c := range map[string]struct {
		b     *v1beta1.ServiceBinding
		known Memory
		seen  *metav1.PartialObjectMetadata
		want  SecretState
	}{
		"none, none expected":           {binding(), Memory{}, nil, SecretAbsent},
		"none, of a binding that is":    {delivered("5"), Memory{}, nil, SecretUnknown},
		"none, just written":            {delivered("5"), Memory{SecretVersion: "5", SeenAt: rulestest.T0}, nil, SecretInSync},
		"none, written some time ago":   {delivered("5"), Memory{SecretVersion: "5", SeenAt: rulestest.T0.Add(-SecretCacheDelay)}, nil, SecretUnknown},
		"none, deleted at once":         {deleted, Memory{}, nil, SecretAbsent},
		"as it was written":             {delivered("5"), Memory{}, of("5", binding()), SecretInSync},
		"from before it was written":    {delivered("5"), Memory{}, of("4", binding()), SecretInSync},
		"written since":                 {delivered("5"), Memory{}, of("6", binding()), SecretUnknown},
		"written since, and looked at":  {delivered("5"), Memory{SecretVersion: "6"}, of("6", binding()), SecretInSync},
		"edited, and looked at":         {delivered("5"), Memory{SecretVersion: "6", Modified: true}, of("6", binding()), SecretModified},
		"edited again":                  {delivered("5"), Memory{SecretVersion: "6", Modified: true}, of("7", binding()), SecretUnknown},
		"of the former service-catalog": {delivered(""), Memory{}, of("5", binding()), SecretInSync},
		"written, and not recorded":     {binding(), Memory{}, of("5", binding()), SecretUnknown},
		"another's":                     {delivered("5"), Memory{}, of("6", stranger), SecretNotOwned},
		"another's, from before":        {delivered("5"), Memory{}, of("4", stranger), SecretUnknown},
		"another's, not recorded yet":   {underWay, Memory{}, of("4", stranger), SecretNotOwned},
		"the same, deleted":             {deletedUnderWay, Memory{}, of("4", stranger), SecretUnknown},
		"another's, none expected":      {binding(), Memory{}, of("4", stranger), SecretNotOwned},
		"deleted a moment ago":          {delivered("5"), Memory{Deleted: true}, of("5", binding()), SecretAbsent},
	} {
		if got, _, _ := ObserveSecret(c.b, &c.known, c.seen, rulestest.T0); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestTheStatusNamesTheSecretWhileItIsThere: a controller of servicebinding.io finds it there, and reads no Secret that is not written.
func TestTheStatusNamesTheSecretWhileItIsThere(t *testing.T) {
	foreign := func(f *fixture) { f.in.Secret = SecretNotOwned }
	secretUnknown := func(f *fixture) { f.in.Secret = SecretUnknown }
	unnamed := func(f *fixture) { f.b.Status.Binding = nil }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"new":                               {nil, ""},
		"accepted":                          {edits(bindAccepted), ""},
		"in the Secret":                     {edits(bound), "b"},
		"not read yet":                      {edits(bound, secretUnknown), "b"},
		"being rotated":                     {edits(rotatable, bound, rebound), "b"},
		"edited":                            {edits(bound, secretEdited), "b"},
		"gone":                              {edits(bound, secretGone), ""},
		"back again":                        {edits(retrievable, bound, secretGone, func(f *fixture) { f.after(answerWithCredentials(200)) }), "b"},
		"another's":                         {edits(bound, foreign), ""},
		"deleted, and not read":             {edits(bound, definitionExists, secretUnknown, deleted), "b"},
		"being removed":                     {edits(bound, definitionExists, deleted), ""},
		"removed":                           {edits(bound, definitionExists, deleted, secretDeleted), ""},
		"of an earlier version":             {edits(bound, unnamed), ""},
		"and rotated":                       {edits(rotatable, bound, unnamed, rebound), "b"},
		"and a condition changes":           {edits(bound, unnamed, func(f *fixture) { f.b.Status.Conditions = nil }), "b"},
		"of an earlier version, deleted":    {edits(bound, unnamed, definitionExists, secretUnknown, deleted), ""},
		"of an earlier version, and edited": {edits(bound, unnamed, secretEdited), ""},
	} {
		got := ""
		if next := newFixture(test.is...).step(); next.Status.Binding != nil {
			got = next.Status.Binding.Name
		}
		if got != test.want {
			t.Errorf("%s: the status names %q, want %q", name, got, test.want)
		}
	}
}

// TestAnUpgradeWritesNothing: neither to the API server nor to a broker, only because an earlier version has not named the Secret.
func TestAnUpgradeWritesNothing(t *testing.T) {
	f := newFixture(bound)
	f.b.Status.Binding = nil
	if next := f.step(); next.Request != nil || next.SecretAction != "" || !equality.Semantic.DeepEqual(next.Status, f.b.Status) {
		t.Errorf("%s, %+v", next.describe(), next.Status)
	}
}

// TestCredentialsThatCannotBeWrittenNameNoOtherSecret: the Secret of a binding stays named while others do not fit it.
func TestCredentialsThatCannotBeWrittenNameNoOtherSecret(t *testing.T) {
	f := newFixture(bound)
	for occupied, want := range map[bool]bool{false: true, true: false} {
		if s := ApplySecretRefused(f.b, f.b.Status, "words", occupied, f.in.Now.Add(time.Second)); (s.Binding != nil) != want {
			t.Errorf("occupied %v: %+v", occupied, s.Binding)
		}
	}
}

func TestTheServiceIsThatOfTheInstance(t *testing.T) {
	elsewhere := func(f *fixture) {
		target := *f.in.BoundInstance.Target
		target.InstanceID = "another"
		f.in.BoundInstance.Target = &target
	}
	removed := func(f *fixture) {
		f.in.BoundInstance.Class, f.in.BoundInstance.Instance.Spec.ClusterServiceClassExternalName = nil, "by-name"
	}
	f := newFixture(bound)
	class, broker := f.in.BoundInstance.Class.Common().ExternalName, f.in.BoundInstance.Target.Name
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want bindingsecret.Service
	}{
		"in the catalog":         {edits(bound), bindingsecret.Service{Class: class, Broker: broker}},
		"no longer in it":        {edits(bound, removed), bindingsecret.Service{Class: "by-name", Broker: broker}},
		"of another instance":    {edits(bound, elsewhere), bindingsecret.Service{Broker: broker}},
		"whose instance is gone": {edits(bound, func(f *fixture) { f.in.BoundInstance = BoundInstance{} }), bindingsecret.Service{Broker: broker}},
		"of nothing":             {edits(func(f *fixture) { f.in.BoundInstance = BoundInstance{} }), bindingsecret.Service{}},
	} {
		f := newFixture(test.is...)
		if got := ServiceOf(f.b, f.in); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	if class == "" || broker == "" {
		t.Errorf("the fixture has class %q and broker %q", class, broker)
	}
}
