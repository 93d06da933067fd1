// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
)

// platform is ours, in the originating identity and in a context alike.
const platform = "kubernetes"

// maxIdentity bounds the JSON of an identity: common servers take headers of 8 KiB in all, and base64 makes a third more of it.
const maxIdentity = 4 << 10

// header is the identity as brokers read it: it has all four members, even if they are empty. If it is too long, the extra fields are left out, and
// then the groups that do not fit.
func (i *Identity) header() string {
	text := i.json(i.Groups, i.Extra)
	if len(text) > maxIdentity {
		text = i.json(i.Groups, nil)
	}
	if over := len(text) - maxIdentity; over > 0 {
		groups := i.Groups
		for len(groups) > 0 && over > 0 {
			last, _ := json.Marshal(groups[len(groups)-1])
			groups, over = groups[:len(groups)-1], over-len(last)-1
		}
		text = i.json(groups, nil)
	}
	return platform + " " + base64.StdEncoding.EncodeToString(text)
}

func (i *Identity) json(groups []string, extra map[string][]string) []byte {
	user := struct {
		Username string              `json:"username"`
		UID      string              `json:"uid"`
		Groups   []string            `json:"groups"`
		Extra    map[string][]string `json:"extra"`
	}{i.Username, i.UID, groups, map[string][]string{}}
	if user.Groups == nil {
		user.Groups = []string{}
	}
	for key, values := range extra {
		if values == nil {
			values = []string{}
		}
		user.Extra[key] = values
	}
	text, err := json.Marshal(user)
	if err != nil {
		panic(err) // strings always encode
	}
	return text
}

// reduced returns the identity without groups and extra fields; nil: it has none.
func (i *Identity) reduced() *Identity {
	if i == nil || len(i.Groups)+len(i.Extra) == 0 {
		return nil
	}
	return &Identity{Username: i.Username, UID: i.UID}
}

// newGUID is a random GUID (RFC 9562, version 4).
func newGUID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
