// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// digestVersion changes with the form of the text that Digest hashes.
const digestVersion = "v1"

// Digest returns a keyed digest of parameters, "VERSION.KEY.HMAC": numbers count with all their digits, the order of names and white
// space do not. KEY identifies the key, so that digests under two keys are not compared. Without the key the digest does not tell
// whether a guessed value is in the parameters.
func Digest(key []byte, sent json.RawMessage) string {
	return strings.Join([]string{digestVersion, mac(key, []byte("key"))[:8], mac(key, canonical(sent))}, ".")
}

func mac(key, text []byte) string {
	digest := hmac.New(sha256.New, key)
	digest.Write(text)
	return hex.EncodeToString(digest.Sum(nil))
}

// CompareDigests reports whether two digests are of the same parameters; isComparable is false where they are of different keys or forms,
// or one is missing.
func CompareDigests(a, b string) (same, isComparable bool) {
	i, j := strings.LastIndexByte(a, '.'), strings.LastIndexByte(b, '.')
	if i < 0 || j < 0 || a[:i] != b[:j] {
		return false, false
	}
	return a == b, true
}

// SameJSON reports whether two values are the same, numbers with all their digits.
func SameJSON(a, b *runtime.RawExtension) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(canonical(a.Raw), canonical(b.Raw))
}

// canonical returns JSON with sorted names and without white space; text that is no JSON is returned unchanged.
func canonical(text json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return text
	}
	return encode(value, false)
}
