// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// reasonForbidden is the reason of the Event about a missing right.
const reasonForbidden = "PageByLabelForbidden"

// reasonJobsDropped is the reason of the Event about deleted Jobs that there is no room for.
const reasonJobsDropped = "PageByLabelJobsDropped"

// failures reports the causes for which Alerts are not sent, apart from the objects themselves: lists and watches that fail, which the informers
// retry, and Jobs that were deleted faster than they could be handled.
type failures struct {
	count    *prometheus.CounterVec
	dropped  prometheus.Counter
	recorder events.EventRecorder
	// lease is the operator's, which Events about the operator itself regard.
	lease *coordinationv1.Lease
}

// newFailures registers the metrics.
func newFailures(registry prometheus.Registerer, recorder events.EventRecorder, lease *coordinationv1.Lease) (failures, error) {
	f := failures{recorder: recorder, lease: lease, count: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bellhop_page_by_label_failures_total",
		Help: "Lists and watches of objects that have the label pager.k8s.co/page=true that failed, by resource and by reason (Forbidden, NotServed, Other).",
	}, []string{"resource", "reason"}), dropped: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "bellhop_page_by_label_dropped_jobs_total",
		Help: "Jobs with the label pager.k8s.co/page=true that ended and were deleted, and about which no Alert was sent, since 100 others of their namespace waited.",
	})}
	return f, errors.Join(registry.Register(f.count), registry.Register(f.dropped))
}

// jobDropped reports a Job that ended and was deleted, and that there is no room for.
func (f failures) jobDropped(req request) {
	f.dropped.Inc()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: req.Namespace}}
	f.recorder.Eventf(namespace, nil, corev1.EventTypeWarning, reasonJobsDropped, "Page",
		"More than %d Jobs with the label ended and were deleted before the operator could handle them: about the others, such as %s %s, no Alert is sent", maxDeletedJobs, req.Kind, req.Name)
}

// handler returns a handler of the failures of an informer. A missing right is reported once, with the rule to add, and a missing resource,
// which may be served later.
func (f failures) handler(resource schema.GroupVersionResource, namespace string) cache.WatchErrorHandlerWithContext {
	var forbidden, notServed sync.Once
	name := healthrules.FormatResource(resource)
	return func(ctx context.Context, _ *cache.Reflector, err error) {
		logger := log.FromContext(ctx).WithValues("resource", name, "namespace", namespace)
		switch {
		case apierrors.IsForbidden(err):
			f.count.WithLabelValues(name, "Forbidden").Inc()
			forbidden.Do(func() {
				logger.Error(err, "Objects with the label cannot be read", "missingRule", ruleFor(resource))
				f.recorder.Eventf(f.lease, nil, corev1.EventTypeWarning, reasonForbidden, "Watch",
					"The operator cannot read %s, so no Alert is sent about them: add to %s the rule %s", name, roleIn(namespace), ruleFor(resource))
			})
		case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
			f.count.WithLabelValues(name, "NotServed").Inc()
			notServed.Do(func() { logger.Info("The resource is not served yet") })
		default:
			f.count.WithLabelValues(name, "Other").Inc()
			logger.V(1).Info("Reading objects with the label failed", "err", err)
		}
	}
}

// roleIn returns the role with the rights of the operator in a namespace, in config/page-by-label and in the chart.
func roleIn(namespace string) string {
	const name = "bellhop-page-by-label-role"
	if namespace == metav1.NamespaceAll {
		return "ClusterRole " + name
	}
	return "Role " + name + " in Namespace " + namespace
}

// ruleFor returns the rule of a role with the rights on a resource, in YAML.
func ruleFor(resource schema.GroupVersionResource) string {
	return fmt.Sprintf("{apiGroups: [%q], resources: [%s], verbs: [list, watch]}", resource.Group, resource.Resource)
}

// leaseOf returns the lease of an operator as Events refer to it.
func leaseOf(namespace, name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}
