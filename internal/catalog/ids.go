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

// recordTolerance is how far the record of an id and the creation of its object may be
// apart: two clocks, and other webhooks between them.
const recordTolerance = 5 * time.Minute

// NewID is a random external id, a UUID.
func NewID() string { return string(uuid.NewUUID()) }

// MadeID is the value of v1beta1.MadeIDAnnotation for an id that was made at a time.
func MadeID(id string, at time.Time) string { return id + " " + at.UTC().Format(time.RFC3339) }

// RecordsID says whether the record of an object names exactly this id, whenever it
// was made. It is for webhooks, before the object has a creationTimestamp; else see
// IsOurs.
func RecordsID(obj metav1.Object, id string) bool {
	_, recorded := record(obj, id)
	return recorded
}

// IsOurs says whether admission made an id for this very object: its record names the
// id, and is about as old as the object. The record of a copy, or of an object that was
// restored, is older than the object.
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

// NextID is the n-th id after an object's first one, which the broker has removed and
// refuses to use again. It is the same whenever it is asked for, and nobody but this
// object comes by it.
func NextID(uid types.UID, id string, n int32) string {
	b := nextIDs(uid, id)
	counter := binary.BigEndian.Uint32(b[12:])
	binary.BigEndian.PutUint32(b[12:], counter^uint32(n))
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// IsNextID says whether an id is one that NextID makes for an object whose first one
// was id.
func IsNextID(uid types.UID, id, next string) bool {
	_, is := numberOf(uid, id, next)
	return is
}

// NextIDAfter is the one after all of those that the object has had, each of which is its
// first one or one of NextID's.
func NextIDAfter(uid types.UID, id string, had ...string) string {
	last := int32(0)
	for _, one := range had {
		n, _ := numberOf(uid, id, one)
		last = max(last, n)
	}
	return NextID(uid, id, last+1)
}

// numberOf is the n for which NextID makes an id, 0 if there is none.
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

// nextIDs is what all of an object's next ids have, but for the last four bytes, which
// count. It says that it is a UUID of version 5, which is one that was computed.
func nextIDs(uid types.UID, id string) []byte {
	digest := sha256.Sum256([]byte(string(uid) + "\x00" + id))
	b := digest[:16]
	b[6] = b[6]&0x0f | 0x50
	b[8] = b[8]&0x3f | 0x80
	return b
}
