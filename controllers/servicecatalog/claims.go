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
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// claimant is another object of the same broker that has the id in its spec or status (R10).
type claimant struct {
	uid types.UID
	// display names it in messages; objects in other namespaces are not named.
	display string
	// owns: the broker's resource under the id was created for it.
	owns bool
	// earlier: it claimed the id before this object existed.
	earlier bool
	// first: it is as old as this object, and its request to the broker comes first.
	first bool
	// leaving: it is being deleted.
	leaving bool
}

type claimants []claimant

// blocksCreation returns the claimant that keeps this object from creating anything under the id; nil: there is none. An owner that
// is being deleted blocks until it has removed its resource.
func (all claimants) blocksCreation() *claimant {
	for i := range all {
		if all[i].owns {
			return &all[i]
		}
	}
	for i := range all {
		if c := &all[i]; !c.leaving && (c.earlier || c.first) {
			return c
		}
	}
	return nil
}

// blocksRemoval returns the live claimant that keeps this object from removing anything under the id; nil: there is none. A later
// claim does not keep the owner from its removal.
func (all claimants) blocksRemoval() *claimant {
	for i := range all {
		if c := &all[i]; !c.leaving && (c.owns || c.earlier) {
			return c
		}
	}
	return nil
}

// newClaimant returns another object as a claimant of self's id. asked: the broker was asked for other and not yet for self.
func newClaimant(kind string, other, self metav1.Object, owns, asked bool) claimant {
	theirs, ours := other.GetCreationTimestamp(), self.GetCreationTimestamp()
	c := claimant{uid: other.GetUID(), owns: owns, earlier: theirs.Before(&ours), leaving: !other.GetDeletionTimestamp().IsZero(),
		first: asked && theirs.Equal(&ours), display: fmt.Sprintf("%s %q", kind, other.GetName())}
	if other.GetNamespace() != self.GetNamespace() {
		c.display = "a " + kind + " in another namespace"
	}
	return c
}

// inUse is the blocker of a creation under the id that c claims.
func (c *claimant) inUse(id string) *blocker {
	why := "has claimed it before"
	if c.owns {
		why = "owns it"
	}
	return &blocker{word: word{v1beta1.ReasonExternalIDInUse, fmt.Sprintf("nothing is sent to the broker: spec.externalID is %q, and %s %s. Leave spec.externalID out for a service of its own, or delete the other object", id, c.display, why)}, inProgress: c.leaving}
}

// leftToClaimant is the cause of a release where another object owns the id, or claimed it before.
func leftToClaimant(id string, c *claimant) *word {
	return &word{v1beta1.ReasonRetained, fmt.Sprintf("%s has the id %q as well: the broker's resource is left to it", c.display, id)}
}

// notInherited says why the broker's resource of another object is not used.
func notInherited(id string) string {
	return fmt.Sprintf("the broker still has under the id %q what it created for another object, which had the id when this object was created: it is not used. Delete this object and create it again to use it", id)
}
