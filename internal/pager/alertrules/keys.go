// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

// HashVersion is the version of hashes and keys, which are stored in statuses and at providers: a change of how they are computed needs
// a new version beside the old, so that an upgrade sends nothing again.
const HashVersion = "1"

// Fingerprint hashes a list of parts; different lists have different hashes.
func Fingerprint(parts ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// ContentHash is the hash of the text of a spec that people read. Links, and the time when instances joined, are parts only where the spec has them,
// so that the hashes of other Alerts are the same as in former releases. The instances are no part: the content has their texts.
func ContentHash(spec *v1beta1.AlertSpec) string {
	parts := []string{"page", spec.Title, spec.Content, string(spec.Severity)}
	if spec.JoinedTime != nil {
		parts = append(parts, "joined", times.Format(spec.JoinedTime.Time))
	}
	for _, link := range spec.Links {
		parts = append(parts, "link", link.Text, link.Href)
	}
	return HashVersion + ":" + Fingerprint(parts...)
}

// ResolvedHash is the hash of the message that the alert is over, which has no content.
func ResolvedHash() string {
	return HashVersion + ":resolved"
}

func isResolved(hash string) bool {
	return strings.HasSuffix(hash, ":resolved")
}

// DeliveryKey is the key by which a provider knows a message: the same after a crash, and another one for each of A, B, A, also where B
// was never confirmed.
func DeliveryKey(a *v1beta1.Alert, ref v1beta1.ReceiverRef, sequence int64, hash string) string {
	return Fingerprint("delivery", string(a.UID), string(ref.Kind), ref.Name, strconv.FormatInt(sequence, 10), hash)
}

// IncidentKey is the key by which a provider knows everything about an Alert.
func IncidentKey(a *v1beta1.Alert, ref v1beta1.ReceiverRef) string {
	return Fingerprint("incident", string(a.UID), string(ref.Kind), ref.Name)
}
