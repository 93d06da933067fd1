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

package pager

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// Hashes and keys are durable: they stand in statuses and with providers. A
// change to how one is made needs a new version beside the old, so that an
// upgrade sends nothing again.
const hashVersion = "1"

// fingerprint hashes parts so that no two lists of parts are taken for one.
func fingerprint(parts ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// pageHash is of what people read: nothing else in a spec is content.
func pageHash(spec *v1beta1.AlertSpec) string {
	return hashVersion + ":" + fingerprint("page", spec.Title, spec.Content, string(spec.Severity))
}

// resolvedHash is of the message that it is over, which has no content.
func resolvedHash() string {
	return hashVersion + ":resolved"
}

func isResolved(hash string) bool {
	return strings.HasSuffix(hash, ":resolved")
}

// deliveryKey is what a provider knows a message by: the same after a crash,
// and another one for A, B, A, also where B never got through.
func deliveryKey(a *v1beta1.Alert, ref v1beta1.ReceiverRef, sequence int64, hash string) string {
	return fingerprint("delivery", string(a.UID), string(ref.Kind), ref.Name, strconv.FormatInt(sequence, 10), hash)
}

// incidentKey is what a provider knows the whole Alert by.
func incidentKey(a *v1beta1.Alert, ref v1beta1.ReceiverRef) string {
	return fingerprint("incident", string(a.UID), string(ref.Kind), ref.Name)
}
