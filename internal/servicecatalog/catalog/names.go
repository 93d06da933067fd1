// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

const (
	// maxName bounds the names of classes and plans.
	maxName = 63
	// keptName is the length of the prefix of a longer id before its digest.
	keptName = 30
)

// ObjectName returns the name of the class or plan with an externalID. Users' manifests have these names: the result for an id must
// never change.
// Letters except z, digits, and dots and dashes where a name may have them stay; every other character becomes z, its code point in
// hex, z.
func ObjectName(externalID string) string {
	var name strings.Builder
	for i, r := range externalID {
		last := i+1 == len(externalID)
		if isKept(r, name.String(), last) {
			name.WriteRune(r)
		} else {
			name.WriteString("z" + strconv.FormatInt(int64(r), 16) + "z")
		}
	}
	if name.Len() <= maxName {
		return name.String()
	}
	digest := md5.Sum([]byte(externalID))
	return strings.TrimSuffix(name.String()[:keptName], ".") + "-" + hex.EncodeToString(digest[:])
}

// isKept reports whether a rune may follow the given prefix of a name unchanged.
func isKept(r rune, name string, last bool) bool {
	switch {
	case r >= 'a' && r <= 'y', r >= '0' && r <= '9':
		return true
	case r == '.':
		return name != "" && !last && !strings.HasSuffix(name, ".") && !strings.HasSuffix(name, "-")
	case r == '-':
		return name != "" && !last && !strings.HasSuffix(name, ".")
	default:
		return false
	}
}

// SecretName returns the name of a binding's Secret, also where admission was bypassed.
func SecretName(b *v1beta1.ServiceBinding) string { return cmp.Or(b.Spec.SecretName, b.Name) }
