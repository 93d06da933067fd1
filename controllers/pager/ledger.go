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
	mu      sync.Mutex
	entries map[types.NamespacedName]entry
}

type entry struct {
	uid      types.UID // of the Alert that the outcomes are of
	outcomes []outcome
}

func nameOf(a *v1beta1.Alert) types.NamespacedName {
	return types.NamespacedName{Namespace: a.Namespace, Name: a.Name}
}

func (l *ledger) add(a *v1beta1.Alert, o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = map[types.NamespacedName]entry{}
	}
	l.entries[nameOf(a)] = entry{uid: a.UID, outcomes: append(l.entries[nameOf(a)].outcomes, o)}
}

// settle forgets what is recorded.
func (l *ledger) settle(a *v1beta1.Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, nameOf(a))
}

// drop forgets, and returns, what was sent for an Alert of the name that is not
// there any more: any but the one with uid.
func (l *ledger) drop(name types.NamespacedName, uid types.UID) []outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[name]
	if e.uid == uid {
		return nil
	}
	delete(l.entries, name)
	return e.outcomes
}

// apply folds what is not recorded yet into a, and says whether there was any.
func (l *ledger) apply(a *v1beta1.Alert) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.entries[nameOf(a)].outcomes {
		applyOutcome(a, o)
	}
	return len(l.entries[nameOf(a)].outcomes) > 0
}

func applyOutcome(a *v1beta1.Alert, o outcome) {
	a.Status.FinishedTime = nil // it is finished anew, or not
	rows := &a.Status.Deliveries
	i := slices.IndexFunc(*rows, func(row v1beta1.Delivery) bool { return refOf(row) == o.ref })
	if i < 0 {
		*rows = append(*rows, v1beta1.Delivery{Kind: o.ref.Kind, Name: o.ref.Name})
		i = len(*rows) - 1
	}
	(*rows)[i] = fold((*rows)[i], o)
}
