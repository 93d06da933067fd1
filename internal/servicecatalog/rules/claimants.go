// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Claimant is another object of the same broker that has the id in its spec or status (R10).
type Claimant struct {
	UID types.UID
	// Display names it in messages; objects in other namespaces are not named.
	Display string
	// Owns: the broker's resource under the id was created for it.
	Owns bool
	// Earlier: it claimed the id before this object existed.
	Earlier bool
	// First: it is as old as this object, and its request to the broker comes first.
	First bool
	// Leaving: it is being deleted.
	Leaving bool
}

// Claimants are the other objects with an id.
type Claimants []Claimant

// BlocksCreation returns the claimant that keeps this object from creating anything under the id; nil: there is no such claimant. An owner that is
// being deleted blocks until it has removed its resource.
func (cl Claimants) BlocksCreation() *Claimant {
	for i := range cl {
		if cl[i].Owns {
			return &cl[i]
		}
	}
	for i := range cl {
		if c := &cl[i]; !c.Leaving && (c.Earlier || c.First) {
			return c
		}
	}
	return nil
}

// BlocksRemoval returns the live claimant that keeps this object from removing anything under the id; nil: there is no such claimant. A later claim
// does not keep the owner from its removal.
func (cl Claimants) BlocksRemoval() *Claimant {
	for i := range cl {
		if c := &cl[i]; !c.Leaving && (c.Owns || c.Earlier) {
			return c
		}
	}
	return nil
}

// NewClaimant returns another object as a claimant of self's id. asked: a request for other was sent to the broker, but none for self yet.
func NewClaimant(kind string, other, self metav1.Object, owns, asked bool) Claimant {
	theirs, ours := other.GetCreationTimestamp(), self.GetCreationTimestamp()
	c := Claimant{UID: other.GetUID(), Owns: owns, Earlier: theirs.Before(&ours), Leaving: !other.GetDeletionTimestamp().IsZero(),
		First: asked && theirs.Equal(&ours), Display: fmt.Sprintf("%s %q", kind, other.GetName())}
	if other.GetNamespace() != self.GetNamespace() {
		c.Display = "a " + kind + " in another namespace"
	}
	return c
}

// InUse is the blocker of a creation under the id that c claims.
func (c *Claimant) InUse(id string) *Blocker {
	why := "has claimed the id before"
	if c.Owns {
		why = "owns it"
	}
	return &Blocker{Cause: Cause{v1beta1.ReasonExternalIDInUse, fmt.Sprintf("nothing is sent to the broker: spec.externalID is %q, and %s %s. For a new service leave spec.externalID out; to adopt this one delete the other object", id, c.Display, why)}, InProgress: c.Leaving}
}

// RetainedForClaimant is the cause of a release where another object owns the id, or claimed it before.
func RetainedForClaimant(id string, c *Claimant) *Cause {
	return &Cause{v1beta1.ReasonRetained, fmt.Sprintf("%s has the id %q as well: the broker's resource is retained for it", c.Display, id)}
}

// NotInherited says why the broker's resource of another object is not used.
func NotInherited(id string) string {
	return fmt.Sprintf("under the id %q the broker still has a resource of another object, which had the id when this object was created: it is not adopted. To adopt it, re-create this object", id)
}
