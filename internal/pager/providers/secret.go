// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package providers

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// tlsKeys are the keys of a Secret that NewSender reads for each provider.
var tlsKeys = []string{"ca.crt", "tls.crt", "tls.key"}

// maxUnused bounds the keys that UnusedKeys lists.
const maxUnused = 5

// UnusedKeys describes the keys of a receiver's Secret that nothing reads, since they may be misspelt: without signingSecret a message is
// not signed. "": each key is used. Values are not shown.
func UnusedKeys(spec *v1beta1.CommonReceiverSpec, data map[string][]byte) string {
	p, ok := Of(spec)
	if !ok || spec.SecretRef == nil {
		return ""
	}
	used := p.secretKeys()
	unused := slices.DeleteFunc(slices.Sorted(maps.Keys(data)), func(key string) bool { return slices.Contains(used, key) })
	if len(data) == 0 {
		return fmt.Sprintf("Secret %q has no keys (%s uses %s)", spec.SecretRef.Name, p.Name, strings.Join(used, ", "))
	}
	if len(unused) == 0 {
		return ""
	}
	more := ""
	if n := len(unused) - maxUnused; n > 0 {
		unused, more = unused[:maxUnused], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("Secret %q has keys that %s does not use: %s%s (it uses %s)",
		spec.SecretRef.Name, p.Name, strings.Join(unused, ", "), more, strings.Join(used, ", "))
}

// SecretAddress returns the address of a receiver's requests if it is in the Secret, as its URL.
func SecretAddress(spec *v1beta1.CommonReceiverSpec, data map[string][]byte) []notify.Address {
	p, ok := Of(spec)
	if !ok || len(p.Addresses()) > 0 || !slices.Contains(p.secretKeys(), "url") {
		return nil
	}
	return notify.URLAddress("url", string(data["url"]))
}

// SecretOf returns the name of the Secret that has the fields of an error, such as "username, password"; "" where one of them is a field
// of the spec.
func SecretOf(spec *v1beta1.CommonReceiverSpec, fields string) string {
	p, ok := Of(spec)
	if !ok || spec.SecretRef == nil {
		return ""
	}
	inSpec, keys := p.setFields(spec), p.secretKeys()
	for field := range strings.SplitSeq(fields, ", ") {
		if _, isSet := inSpec[field]; isSet || !slices.Contains(keys, field) {
			return ""
		}
	}
	return spec.SecretRef.Name
}

// setFields returns the fields that the provider's block of a spec has.
func (p Provider) setFields(spec *v1beta1.CommonReceiverSpec) map[string]json.RawMessage {
	var blocks map[string]map[string]json.RawMessage
	if text, err := json.Marshal(spec.Provider); err == nil {
		_ = json.Unmarshal(text, &blocks) // of the text that has just been encoded
	}
	return blocks[p.Name]
}

// secretKeys returns the keys of a Secret that a receiver reads, in any mode.
func (p Provider) secretKeys() (keys []string) {
	for _, mode := range p.configured.Modes() {
		keys = append(keys, mode.SecretKeys...)
	}
	keys = append(keys, p.configured.SecretKeys()...)
	return append(keys, tlsKeys...)
}
