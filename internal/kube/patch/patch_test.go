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

package patch

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// deleting is an API server that is asked to delete.
type deleting struct {
	client.Client
	how client.DeleteOptions
}

func (d *deleting) Delete(_ context.Context, _ client.Object, options ...client.DeleteOption) error {
	d.how.ApplyOptions(options)
	return nil
}

// TestNobodyWaitsToSeeADeletion: a name that is made anew may hide it from the cache for ever.
func TestNobodyWaitsToSeeADeletion(t *testing.T) {
	c := &deleting{}
	if err := Delete(t.Context(), c, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "a", ResourceVersion: "50"}}); err != nil {
		t.Fatal(err)
	}
	if !c.how.DisableReadYourWritesConsistency || *c.how.Preconditions.UID != "a" || *c.how.Preconditions.ResourceVersion != "50" {
		t.Errorf("it is deleted with %+v", c.how)
	}
}
