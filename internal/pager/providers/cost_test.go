// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package providers

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// The longest message takes little memory at each provider, whatever its text is made of. How often a text is escaped
// anew depends on how far it is above the limit of the service, so that half of it may take much less.
func TestCostOfMessages(t *testing.T) {
	for _, r := range receivers(t) {
		for why, unit := range units {
			t.Run(r.name+"/"+why, func(t *testing.T) {
				l := &limits{T: t, sender: r.sender, service: r.service, unit: unit}
				m := notifytest.Message(result.Fired)
				m.RawContent = l.text(maxContent)
				if cost := costtest.Of(func() { l.send(m, "") }); cost.Bytes > 16<<20 {
					t.Errorf("a content of %d bytes allocates %d MiB", len(m.RawContent), cost.Bytes>>20)
				}
			})
		}
	}
}

// A Secret is read in linear time by each provider, whatever its keys have.
func TestCostOfSecrets(t *testing.T) {
	for _, r := range receivers(t) {
		for _, key := range r.keys {
			for why, unit := range map[string]string{"letters": "a", "segments": "a/", "parameters": "a=b&", "lines": "a\n", "addresses": "a@example.com,"} {
				t.Run(r.name+"/"+key+"/"+why, func(t *testing.T) {
					costtest.Linear(t, 32<<10, func(n int) map[string][]byte {
						data := map[string][]byte{}
						for _, other := range r.keys {
							data[other] = []byte("https://example.com/aaaaaaaaaaaaaaaa")
						}
						data[key] = append(data[key], strings.Repeat(unit, n/len(unit))...)
						return data
					}, func(data map[string][]byte) {
						if sender, err := (Factory{}).NewSender(r.spec, data); err == nil && sender != nil {
							sender.Close()
						}
					})
				})
			}
		}
	}
}
