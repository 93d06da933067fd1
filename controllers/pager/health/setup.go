// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"io"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/pager/diagnostics"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// name is the controller's, in logs and metrics.
const name = "page-by-label"

// workers is the number of concurrent reconciles.
const workers = 4

// Options are the options of the controller.
type Options struct {
	// Watched are the resources of the objects that may ask for Alerts; none: the controller is not set up.
	Watched []healthrules.Watched
	// Namespaces that the operator serves; none: all.
	Namespaces []string
	// ResolveAfter is for how long an object has to be healthy before its Alert is resolved.
	ResolveAfter time.Duration
	// Now returns the API server's time, by which objects say since when they fail.
	Now func() time.Time
	// Lease is the operator's, which Events about the operator itself regard.
	Lease    types.NamespacedName
	Recorder events.EventRecorder
	// Metrics registers metrics.
	Metrics prometheus.Registerer
}

// Setup registers the controller.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if len(o.Watched) == 0 {
		return nil
	}
	err := mgr.GetFieldIndexer().IndexField(ctx, &v1beta1.Alert{}, subjectIndex, func(o client.Object) []string { return subjectKeys(o.(*v1beta1.Alert)) })
	if err != nil {
		return err
	}
	api, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	pods, err := corev1client.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	logs := func(ctx context.Context, namespace, pod string, options *corev1.PodLogOptions) (io.ReadCloser, error) {
		return pods.Pods(namespace).GetLogs(pod, options).Stream(ctx)
	}
	failures, err := newFailures(o.Metrics, o.Recorder, leaseOf(o.Lease.Namespace, o.Lease.Name))
	if err != nil {
		return err
	}
	unknown, err := newUnknownObjects(o.Metrics)
	if err != nil {
		return err
	}
	newMapper := func() (meta.RESTMapper, error) {
		return apiutil.NewDynamicRESTMapper(mgr.GetConfig(), mgr.GetHTTPClient())
	}
	r := &Reconciler{
		diagnostics: diagnostics.Collector{Reader: mgr.GetAPIReader(), Logs: logs},
		client:      mgr.GetClient(), live: mgr.GetAPIReader(), objects: newObjects(api, newMapper, failures, o.Watched, o.Namespaces),
		recorder: o.Recorder, now: o.Now, resolveAfter: o.ResolveAfter, unknown: unknown,
	}
	r.objects.deleted.dropped = failures.jobDropped
	c, err := controller.NewTyped(name, mgr, controller.TypedOptions[request]{
		Reconciler: r, MaxConcurrentReconciles: workers, EnableWarmup: new(false), // only the leader reads the objects
		LogConstructor: func(req *request) logr.Logger {
			logger := mgr.GetLogger().WithValues("controller", name)
			if req != nil {
				logger = logger.WithValues("resource", req.Resource.String(), "namespace", req.Namespace, "name", req.Name)
			}
			return logger
		},
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[request](50*time.Millisecond, 30*time.Second),
	})
	if err != nil {
		return err
	}
	alerts := source.TypedKind(mgr.GetCache(), &v1beta1.Alert{}, handler.TypedEnqueueRequestsFromMapFunc(r.ofAlert))
	if err := c.Watch(alerts); err != nil {
		return err
	}
	changed := predicate.TypedLabelChangedPredicate[*metav1.PartialObjectMetadata]{}
	namespaces := source.TypedKind(mgr.GetCache(), apiserver.Metadata("Namespace"), handler.TypedEnqueueRequestsFromMapFunc(r.inNamespace), changed)
	if err := c.Watch(namespaces); err != nil {
		return err
	}
	return c.Watch(source.TypedFunc[request](r.objects.start))
}

func (r *Reconciler) ofAlert(_ context.Context, alert *v1beta1.Alert) []request {
	if req, ok := requestOf(alert); ok {
		return []request{req}
	}
	return nil
}

func (r *Reconciler) inNamespace(_ context.Context, namespace *metav1.PartialObjectMetadata) []request {
	return r.objects.in(namespace.Name)
}
