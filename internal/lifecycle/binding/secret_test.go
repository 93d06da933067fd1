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

package binding

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle/bindingsecret"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
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
	deleted.DeletionTimestamp = &metav1.Time{Time: lifecycletest.T0}
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
		"none, just written":            {delivered("5"), Memory{SecretVersion: "5", SeenAt: lifecycletest.T0}, nil, SecretInSync},
		"none, written some time ago":   {delivered("5"), Memory{SecretVersion: "5", SeenAt: lifecycletest.T0.Add(-SecretCacheDelay)}, nil, SecretUnknown},
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
		if got, _, _ := ObserveSecret(c.b, &c.known, c.seen, lifecycletest.T0); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
