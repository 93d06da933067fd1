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

// NextID returns the n-th id after the first one of an object. It is deterministic, and no other object gets it.
func NextID(uid types.UID, id string, n int32) string {
	b := nextIDs(uid, id)
	counter := binary.BigEndian.Uint32(b[12:])
	binary.BigEndian.PutUint32(b[12:], counter^uint32(n))
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// IsNextID reports whether an id is one of NextID for an object with the given first id.
func IsNextID(uid types.UID, id, next string) bool {
	_, is := numberOf(uid, id, next)
	return is
}

// NextIDAfter returns the id after all ids that the object has had.
func NextIDAfter(uid types.UID, id string, had ...string) string {
	last := int32(0)
	for _, one := range had {
		n, _ := numberOf(uid, id, one)
		last = max(last, n)
	}
	return NextID(uid, id, last+1)
}

// numberOf returns the n of NextID for an id; 0: it is none.
func numberOf(uid types.UID, id, next string) (n int32, is bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(next, "-", ""))
	if err != nil || len(b) != 16 {
		return 0, false
	}
	first := nextIDs(uid, id)
	n = int32(binary.BigEndian.Uint32(b[12:]) ^ binary.BigEndian.Uint32(first[12:]))
	if !bytes.Equal(b[:12], first[:12]) || n < 0 || NextID(uid, id, n) != next {
		return 0, false
	}
	return n, true
}

// nextIDs returns what all next ids of an object share: all but the last four bytes, which count. It is a UUID of version 5, which
// is computed from a name.
func nextIDs(uid types.UID, id string) []byte {
	digest := sha256.Sum256([]byte(string(uid) + "\x00" + id))
	b := digest[:16]
	b[6] = b[6]&0x0f | 0x50
	b[8] = b[8]&0x3f | 0x80
	return b
}
