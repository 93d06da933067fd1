// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// recordTolerance bounds the time between the record of an id and the creation of its object: two clocks, and other webhooks
// between them.
const recordTolerance = 5 * time.Minute

// NewID returns a random external id, a UUID.
func NewID() string { return string(uuid.NewUUID()) }

// MadeID returns the value of v1beta1.MadeIDAnnotation for an id that was generated at a time.
func MadeID(id string, at time.Time) string { return id + " " + at.UTC().Format(time.RFC3339) }

// RecordsID reports whether the record of an object names this id, at any time. It is for webhooks, where the object has no
// creationTimestamp yet; see IsOurs.
func RecordsID(obj metav1.Object, id string) bool {
	_, recorded := record(obj, id)
	return recorded
}

// IsOurs reports whether the id was generated for this very object: its record names the id, and is about as old as the object. The
// record of a copy, or of a restored object, is older.
func IsOurs(obj metav1.Object, id string) bool {
	at, recorded := record(obj, id)
	created := obj.GetCreationTimestamp()
	return recorded && !created.IsZero() && at.Sub(created.Time).Abs() <= recordTolerance
}

func record(obj metav1.Object, id string) (time.Time, bool) {
	recorded, at, ok := strings.Cut(obj.GetAnnotations()[v1beta1.MadeIDAnnotation], " ")
	if !ok || id == "" || recorded != id {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, at)
	return t, err == nil
}

// ExternalIDs returns the ids under which an instance or a binding has, or had, something at its broker, as far as it records them. Some may be
// empty, or the same.
func ExternalIDs(o metav1.Object) (ids []string) {
	var left []v1beta1.LeftBehind
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		ids, left = []string{o.Spec.ExternalID, o.Status.ExternalID}, o.Status.LeftBehind
	case *v1beta1.ServiceBinding:
		ids, left = []string{o.Spec.ExternalID, o.Status.ExternalID, o.Status.PredecessorID}, o.Status.LeftBehind
		for _, p := range o.Status.Predecessors {
			ids = append(ids, p.ID)
		}
	}
	for _, l := range left {
		ids = append(ids, l.ID)
	}
	return ids
}

// BrokersOfBinding returns the brokers at which a binding is, or has left something behind, according to its status.
func BrokersOfBinding(b *v1beta1.ServiceBinding) (at []v1beta1.BrokerReference) {
	if target := b.Status.Target; target != nil {
		at = append(at, target.BrokerReference)
	}
	for _, l := range b.Status.LeftBehind {
		at = append(at, l.Target.BrokerReference)
	}
	return at
}

// NextNumbers is the number of next ids of an object: their numbers are 1 to NextNumbers. Each is drawn at random. So no process can know the next
// one, and an object with a record from a backup gets no id that was used since.
const NextNumbers = 1 << 30

// NextID returns the next id with the number n of an object. No other object gets it.
func NextID(uid types.UID, id string, n int32) string {
	b := nextIDs(uid, id)
	binary.BigEndian.PutUint32(b[12:], binary.BigEndian.Uint32(b[12:])^uint32(n))
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// IsNextID reports whether an id is one of NextID for an object with the given first id. An earlier version has counted the numbers.
func IsNextID(uid types.UID, id, next string) bool {
	b, err := hex.DecodeString(strings.ReplaceAll(next, "-", ""))
	if err != nil || len(b) != 16 {
		return false
	}
	shared := nextIDs(uid, id)
	n := int32(binary.BigEndian.Uint32(b[12:]) ^ binary.BigEndian.Uint32(shared[12:]))
	return bytes.Equal(b[:12], shared[:12]) && n >= 0 && NextID(uid, id, n) == next
}

// nextIDs returns the bytes that all next ids of an object share: all but the last four, which have the number. They form a UUID of version 5,
// which is computed from a name.
func nextIDs(uid types.UID, id string) []byte {
	digest := sha256.Sum256([]byte(string(uid) + "\x00" + id))
	b := digest[:16]
	b[6] = b[6]&0x0f | 0x50
	b[8] = b[8]&0x3f | 0x80
	return b
}
