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

package servicecatalog

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
)

// unshown stands for what a broker says where that may have secrets that are not known.
const unshown = "what the broker says is not shown, since it may repeat secrets that are not known here any more; look at the broker's log"

const (
	// maxRecent is of how many it is known what secrets they have, and maxRemembered how
	// many bytes of each.
	maxRecent, maxRemembered = 1024, 4 << 10
)

// recent are the secrets of objects that were lately worked on. Of others they would have
// to be read again.
type recent struct{ secrets *lru.Cache } // → []string

// secretsKey is what secrets of a binding are known by: the id that they were told under,
// or the checksum of the parameters that they are among.
type secretsKey struct {
	uid            types.UID
	id, parameters string
}

func newRecent() *recent { return &recent{lru.New(maxRecent)} }

// remember keeps all secrets of something. If they are too many, none are known.
func (r *recent) remember(of any, secrets []string) {
	if secrets = memorable(secrets); secrets == nil {
		r.secrets.Remove(of)
		return
	}
	r.secrets.Add(of, secrets)
}

// memorable are secrets as they are kept; nil: they are too many.
func memorable(secrets []string) []string {
	secrets = slices.Compact(slices.Sorted(slices.Values(secrets)))
	size := 0
	for _, s := range secrets {
		size += len(s)
	}
	if size > maxRemembered {
		return nil
	}
	return append([]string{}, secrets...)
}

// of is what is known of something; nil: nothing.
func (r *recent) of(of any) []string {
	if secrets, ok := r.secrets.Get(of); ok {
		return secrets.([]string)
	}
	return nil
}

func (r *recent) forget(of any) { r.secrets.Remove(of) }
