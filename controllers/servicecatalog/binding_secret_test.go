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
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/credentials"
)

// TestWhatIsKnownOfASecret has what a process makes of what its cache shows.
func TestWhatIsKnownOfASecret(t *testing.T) {
	of := func(version string, owner *v1beta1.ServiceBinding) *metav1.PartialObjectMetadata {
		secret := credentials.NewSecret(owner, "id", nil)
		secret.ResourceVersion = version
		return &metav1.PartialObjectMetadata{ObjectMeta: secret.ObjectMeta}
	}
	binding := func() *v1beta1.ServiceBinding {
		return &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "b1", UID: "uid-b1"}}
	}
	delivered := func(version string) *v1beta1.ServiceBinding {
		b := binding()
		b.Status = v1beta1.ServiceBindingStatus{ReconciledGeneration: 1, SecretVersion: version, UnbindStatus: v1beta1.UnbindRequired, ExternalProperties: &v1beta1.ServiceBindingPropertiesState{}}
		return b
	}
	stranger := binding()
	stranger.UID = "stranger"
	deleted := binding()
	deleted.DeletionTimestamp = &metav1.Time{Time: t0}
	underWay := binding()
	underWay.Status = v1beta1.ServiceBindingStatus{CurrentOperation: v1beta1.OperationBind, UnbindStatus: v1beta1.UnbindRequired}
	deletedUnderWay := underWay.DeepCopy()
	deletedUnderWay.DeletionTimestamp = deleted.DeletionTimestamp
	for name, c := range map[string]struct {
		b     *v1beta1.ServiceBinding
		known bindingMemory
		seen  *metav1.PartialObjectMetadata
		want  secretState
	}{
		"none, none expected":           {binding(), bindingMemory{}, nil, secretAbsent},
		"none, of a binding that is":    {delivered("5"), bindingMemory{}, nil, secretUnseen},
		"none, just written":            {delivered("5"), bindingMemory{seen: "5", at: t0}, nil, secretGood},
		"none, written some time ago":   {delivered("5"), bindingMemory{seen: "5", at: t0.Add(-settling)}, nil, secretUnseen},
		"none, deleted at once":         {deleted, bindingMemory{}, nil, secretAbsent},
		"as it was written":             {delivered("5"), bindingMemory{}, of("5", binding()), secretGood},
		"from before it was written":    {delivered("5"), bindingMemory{}, of("4", binding()), secretGood},
		"written since":                 {delivered("5"), bindingMemory{}, of("6", binding()), secretUnseen},
		"written since, and looked at":  {delivered("5"), bindingMemory{seen: "6"}, of("6", binding()), secretGood},
		"edited, and looked at":         {delivered("5"), bindingMemory{seen: "6", edited: true}, of("6", binding()), secretEdited},
		"edited again":                  {delivered("5"), bindingMemory{seen: "6", edited: true}, of("7", binding()), secretUnseen},
		"of the former service-catalog": {delivered(""), bindingMemory{}, of("5", binding()), secretGood},
		"written, and not recorded":     {binding(), bindingMemory{}, of("5", binding()), secretUnseen},
		"another's":                     {delivered("5"), bindingMemory{}, of("6", stranger), secretOthers},
		"another's, from before":        {delivered("5"), bindingMemory{}, of("4", stranger), secretUnseen},
		"another's, not recorded yet":   {underWay, bindingMemory{}, of("4", stranger), secretOthers},
		"the same, deleted":             {deletedUnderWay, bindingMemory{}, of("4", stranger), secretUnseen},
		"another's, none expected":      {binding(), bindingMemory{}, of("4", stranger), secretOthers},
		"deleted a moment ago":          {delivered("5"), bindingMemory{ejected: true}, of("5", binding()), secretAbsent},
	} {
		if got, _, _ := sightOf(c.b, &c.known, c.seen, t0); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
