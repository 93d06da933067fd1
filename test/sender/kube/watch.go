// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
)

// watch streams the changes of a resource, until the request ends or the server is down.
func (s *Server) watch(w http.ResponseWriter, r *request) error {
	query := r.URL.Query()
	selector, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	seen, _ := strconv.ParseInt(query.Get("resourceVersion"), 10, 64)
	s.mu.Lock()
	if s.isDown {
		s.mu.Unlock()
		return down()
	}
	var events []any
	if query.Get("sendInitialEvents") == "true" {
		for _, o := range s.list(r.resource, r.namespace, selector) {
			events = append(events, event(watch.Added, shown(r, o)))
		}
		seen = s.version
		events = append(events, event(watch.Bookmark, map[string]any{
			"apiVersion": r.GroupVersion().String(), "kind": r.Kind,
			"metadata": map[string]any{"resourceVersion": strconv.FormatInt(seen, 10), "annotations": map[string]any{metav1.InitialEventsAnnotationKey: "true"}},
		}))
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	encoder := json.NewEncoder(w)
	for {
		s.mu.Lock()
		isDown, changed := s.isDown, s.changed
		from, _ := slices.BinarySearchFunc(s.changes, seen+1, func(c change, version int64) int { return int(c.version - version) })
		for _, c := range s.changes[from:] {
			if seen = c.version; c.resource == r.resource && (r.namespace == "" || c.object.GetNamespace() == r.namespace) && selector.Matches(labels.Set(c.object.GetLabels())) {
				events = append(events, event(c.kind, shown(r, c.object)))
			}
		}
		s.mu.Unlock()
		for _, e := range events {
			if err := encoder.Encode(e); err != nil {
				return nil //nolint:nilerr // the client has gone
			}
		}
		events = nil
		if isDown {
			return nil
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return nil
		}
	}
}

func event(kind watch.EventType, object any) map[string]any {
	return map[string]any{"type": string(kind), "object": object}
}
