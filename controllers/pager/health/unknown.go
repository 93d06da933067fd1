// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// unknownObjects are the objects with the label that cannot be judged: no Alert is ever sent about them.
type unknownObjects struct {
	count *prometheus.GaugeVec // by resource

	mu    sync.Mutex
	byKey map[types.UID]schema.GroupResource
}

// newUnknownObjects registers the metric.
func newUnknownObjects(registry prometheus.Registerer) (*unknownObjects, error) {
	u := &unknownObjects{
		count: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bellhop_page_by_label_unknown_objects",
			Help: "Objects that have the label pager.k8s.co/page=true and whose status has nothing by which they could be judged, by resource: no Alert is sent about them.",
		}, []string{"resource"}),
		byKey: map[types.UID]schema.GroupResource{},
	}
	return u, registry.Register(u.count)
}

// add counts an object.
func (u *unknownObjects) add(req request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, isCounted := u.byKey[req.key()]; !isCounted {
		u.byKey[req.key()] = req.Resource
		u.count.WithLabelValues(req.Resource.String()).Inc()
	}
}

// forget ends the count of an object that can be judged, or does not exist any more.
func (u *unknownObjects) forget(key types.UID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if resource, isCounted := u.byKey[key]; isCounted {
		delete(u.byKey, key)
		u.count.WithLabelValues(resource.String()).Dec()
	}
}

// reportUnknown says that an object cannot be judged, once that is sure: by the metric, and by an event if somebody has created, labelled or changed
// the object since this process began, who is told so. It returns when it will be sure; zero: the object can be judged, or it was said.
func (r *Reconciler) reportUnknown(s *situation) time.Time {
	if s.object == nil || s.in.UnknownAt(s.object.GetCreationTimestamp().Time).IsZero() {
		r.unknown.forget(s.req.key())
		r.seen.clearWarnings(s.req.key(), reasonHealthUnknown)
		return time.Time{}
	}
	now := r.now()
	if due := s.in.UnknownAt(s.object.GetCreationTimestamp().Time); now.Before(due) {
		return due
	}
	r.unknown.add(s.req)
	if r.objects.changed.has(s.req.key()) {
		r.warn(s, reasonHealthUnknown, "No Alert is sent about this object, whatever happens: %s. %s", s.in.Result.Message, healthrules.RemedyOfUnknown(s.object))
	}
	return time.Time{}
}

// changedObjects are the objects that were created, labelled or changed since the process began. The zero value is ready to use.
type changedObjects struct {
	mu    sync.Mutex
	byKey map[types.UID]bool
}

func (c *changedObjects) add(key types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[types.UID]bool{}
	}
	c.byKey[key] = true
}

func (c *changedObjects) has(key types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byKey[key]
}

func (c *changedObjects) forget(key types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byKey, key)
}
