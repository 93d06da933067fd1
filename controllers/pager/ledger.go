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
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// ledger holds outcomes that are not in a status yet, so that none is dropped
// when a write fails: the next reconcile starts from them.
type ledger struct {
	mu       sync.Mutex
	outcomes map[types.UID][]outcome
}

func (l *ledger) add(uid types.UID, o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outcomes == nil {
		l.outcomes = map[types.UID][]outcome{}
	}
	l.outcomes[uid] = append(l.outcomes[uid], o)
}

// settle forgets what is recorded, or can be recorded no more.
func (l *ledger) settle(uid types.UID) (settled []outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	settled = l.outcomes[uid]
	delete(l.outcomes, uid)
	return settled
}

// apply folds what is not recorded yet into the deliveries of a.
func (l *ledger) apply(a *v1beta1.Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.outcomes[a.UID] {
		applyOutcome(a, o)
	}
}

func applyOutcome(a *v1beta1.Alert, o outcome) {
	rows := &a.Status.Deliveries
	i := slices.IndexFunc(*rows, func(row v1beta1.Delivery) bool { return row.Kind == o.ref.Kind && row.Name == o.ref.Name })
	if i < 0 {
		*rows = append(*rows, v1beta1.Delivery{Kind: o.ref.Kind, Name: o.ref.Name})
		i = len(*rows) - 1
	}
	(*rows)[i] = fold((*rows)[i], o)
}
