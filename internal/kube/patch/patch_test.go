// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
