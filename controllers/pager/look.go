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
	"context"
	"maps"
	"slices"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/receivers"
)

// look reads of the world that a decision about a is made in what is in caches.
func (r *AlertReconciler) look(ctx context.Context, a *v1beta1.Alert, w *world) (err error) {
	w.parties, w.blocked = map[v1beta1.ReceiverRef]receivers.Party{}, map[v1beta1.ReceiverRef]bool{}
	if w.refs, err = r.refs(ctx, a, w); err != nil {
		return err
	}
	all := slices.AppendSeq(slices.Clone(w.refs), maps.Keys(w.underWay))
	for _, row := range a.Status.Deliveries {
		all = append(all, refOf(row))
	}
	for _, ref := range all {
		if _, ok := w.parties[ref]; ok {
			continue
		}
		if w.parties[ref], err = r.party(ctx, r.book, a.Namespace, ref); err != nil {
			return err
		}
		if !a.DeletionTimestamp.IsZero() { // it matters to nobody else
			w.blocked[ref] = r.senders.isBlocked(a.Namespace, ref, w.now)
		}
	}
	return nil
}

// party is a receiver, of which the book knows all but the version.
func (r *AlertReconciler) party(ctx context.Context, book receivers.Book, namespace string, ref v1beta1.ReceiverRef) (receivers.Party, error) {
	p, err := book.Party(ctx, namespace, ref)
	if err == nil {
		r.senders.identify(ctx, namespace, ref, &p)
	}
	return p, err
}

// lookTwice asks the API server for receivers that seem to be missing, where one would still
// have to be told: the cache may not show yet what was made together with the Alert.
func (r *AlertReconciler) lookTwice(ctx context.Context, a *v1beta1.Alert, s step, w *world) (err error) {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	live := receivers.Book{Cache: r.live, Unindexed: true, OperatorNamespace: r.book.OperatorNamespace}
	if s.missesDefault(a, w.now) {
		ref, err := live.Default(ctx, a.Namespace)
		if err != nil || ref == nil {
			return err
		}
		w.refs = []v1beta1.ReceiverRef{*ref}
		w.parties[*ref], err = r.party(ctx, live, a.Namespace, *ref)
		return err
	}
	for _, t := range s.turns {
		ref := refOf(t.row)
		if !t.isMissed(a, w.parties[ref], w.now) {
			continue
		}
		if w.parties[ref], err = r.party(ctx, live, a.Namespace, ref); err != nil {
			return err
		}
	}
	return nil
}

// refs are the receivers that a names, or was tried with by default, or would be
// now: a later default never sends again.
func (r *AlertReconciler) refs(ctx context.Context, a *v1beta1.Alert, w *world) ([]v1beta1.ReceiverRef, error) {
	if len(a.Spec.ReceiverRefs) > 0 {
		return a.Spec.ReceiverRefs, nil
	}
	var tried []v1beta1.ReceiverRef
	for _, row := range a.Status.Deliveries {
		if row.ByDefault && considered(row) {
			tried = append(tried, refOf(row))
		}
	}
	for ref, f := range w.underWay {
		if f.byDefault && !slices.Contains(tried, ref) {
			tried = append(tried, ref)
		}
	}
	if len(tried) > 0 {
		return tried, nil
	}
	ref, err := r.book.Default(ctx, a.Namespace)
	if err != nil || ref == nil {
		return nil, err
	}
	return []v1beta1.ReceiverRef{*ref}, nil
}

func refOf(row v1beta1.Delivery) v1beta1.ReceiverRef {
	return v1beta1.ReceiverRef{Kind: row.Kind, Name: row.Name}
}
