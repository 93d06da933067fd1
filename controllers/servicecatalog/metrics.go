// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// metrics are about requests to brokers. Labels are from closed sets, and names of ClusterServiceBrokers, which are few; all ServiceBrokers, which
// tenants create and name, share the series with an empty name. The metrics of the original service-catalog are for existing dashboards.
type metrics struct {
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	legacy   *prometheus.CounterVec
	retained *prometheus.CounterVec
}

// newMetrics registers the metrics. Objects are counted in the cache at each collection.
func newMetrics(registry prometheus.Registerer, objects cache.Cache, now clock.PassiveClock) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellhop_osb_requests_total",
			Help: "Requests to brokers, by operation (GetCatalog, ProvisionInstance, …) and by the class of the outcome (Done, Accepted, Rejected, Retry, Misconfigured, Unknown, Gone, Conflict, NeedsAsync, NeedsApp, NeedsCatalog, Concurrency, Malformed).",
		}, []string{"operation", "class"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "bellhop_osb_request_duration_seconds",
			Help:    "Time that requests to a broker took, by ClusterServiceBroker (empty: any ServiceBroker) and by operation.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"broker", "operation"}),
		legacy: prometheus.NewCounterVec(prometheus.CounterOpts{ //nolint:promlinter // dashboards know it by this name
			Name: "servicecatalog_osb_request_count",
			Help: "Requests to brokers, by ClusterServiceBroker (empty: any ServiceBroker), method and status (1xx to 5xx, client-error). As in the original service-catalog.",
		}, []string{"broker", "method", "status"}),
		retained: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellhop_servicecatalog_retained_total",
			Help: "Objects that were released while the broker may still have their resources, by kind (ServiceInstance, ServiceBinding).",
		}, []string{"kind"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.latency, m.legacy, m.retained, brokerCollector{objects}, objectCollector{objects, now}} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// released counts a released object, if something was left at the broker.
func (m *metrics) released(kind string, why rules.Cause) {
	if why.Reason == v1beta1.ReasonRetained {
		m.retained.WithLabelValues(kind).Inc()
	}
}

// observe counts a request.
func (m *metrics) observe(broker brokers.Key, o osb.Observation) {
	m.requests.WithLabelValues(string(o.Operation), string(o.Outcome.Class)).Inc()
	m.latency.WithLabelValues(seriesOf(broker), string(o.Operation)).Observe(o.Duration.Seconds())
	m.legacy.WithLabelValues(seriesOf(broker), string(o.Operation), legacyStatus(o.Outcome)).Inc()
}

// legacyStatus returns an outcome as the original service-catalog counted it.
func legacyStatus(o osbresult.Outcome) string {
	switch {
	case o.Class == osbresult.Done, o.Class == osbresult.Accepted:
		return "2xx"
	case o.Status == 0:
		return "client-error"
	}
	return fmt.Sprintf("%dxx", o.Status/100)
}

// seriesOf returns the label of a broker's series; empty for a ServiceBroker.
func seriesOf(broker brokers.Key) string {
	if broker.Namespace != "" {
		return ""
	}
	return broker.Name
}

// forget drops the series of a ClusterServiceBroker that was deleted. They begin again at 0 for a broker of the same name, as after a restart.
func (m *metrics) forget(broker brokers.Key) {
	if seriesOf(broker) == "" {
		return
	}
	m.legacy.DeletePartialMatch(prometheus.Labels{"broker": broker.Name})
	m.latency.DeletePartialMatch(prometheus.Labels{"broker": broker.Name})
}

// collectTimeout bounds a collection.
const collectTimeout = 5 * time.Second

// brokerCollector collects the numbers of classes and plans of each ClusterServiceBroker, and of all ServiceBrokers together.
type brokerCollector struct{ objects cache.Cache }

var (
	classCountDesc = prometheus.NewDesc("servicecatalog_broker_service_class_count", "Classes that a ClusterServiceBroker offers (empty: all ServiceBrokers together). As in the original service-catalog.", []string{"broker", "namespace"}, nil)
	planCountDesc  = prometheus.NewDesc("servicecatalog_broker_service_plan_count", "Plans that a ClusterServiceBroker offers (empty: all ServiceBrokers together). As in the original service-catalog.", []string{"broker", "namespace"}, nil)
)

func (brokerCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- classCountDesc
	ch <- planCountDesc
}

func (c brokerCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	all, err := allBrokers(ctx, c.objects)
	if err != nil {
		return // not synced yet
	}
	classes, plans := map[string]float64{}, map[string]float64{}
	for _, b := range all {
		if status := b.CommonStatus(); status.LastCatalogRetrievalTime != nil {
			series := seriesOf(brokers.KeyOf(b))
			classes[series] += float64(status.ServiceClasses)
			plans[series] += float64(status.ServicePlans)
		}
	}
	for series := range classes {
		ch <- prometheus.MustNewConstMetric(classCountDesc, prometheus.GaugeValue, classes[series], series, "") //nolint:promlinter // as above
		ch <- prometheus.MustNewConstMetric(planCountDesc, prometheus.GaugeValue, plans[series], series, "")    //nolint:promlinter // as above
	}
}

func allBrokers(ctx context.Context, objects cache.Cache) (brokers []v1beta1.Broker, err error) {
	err = errors.Join(
		consistency.Each(ctx, objects, &v1beta1.ClusterServiceBroker{}, &v1beta1.ClusterServiceBrokerList{}, func(b *v1beta1.ClusterServiceBroker) { brokers = append(brokers, b) }),
		consistency.Each(ctx, objects, &v1beta1.ServiceBroker{}, &v1beta1.ServiceBrokerList{}, func(b *v1beta1.ServiceBroker) { brokers = append(brokers, b) }))
	return brokers, err
}

// objectCollector counts objects by their condition Ready, and collects the age of the oldest operation in progress.
type objectCollector struct {
	objects cache.Cache
	clock   clock.PassiveClock
}

var (
	objectsDesc = prometheus.NewDesc("bellhop_servicecatalog_objects", "Brokers of both kinds, instances and bindings, by kind and by their condition Ready (True, False, Unknown).", []string{"kind", "ready"}, nil)
	leftDesc    = prometheus.NewDesc("bellhop_servicecatalog_left_behind", "IDs in status.leftBehind: the broker has not confirmed for an hour that nothing is left of failed requests, by kind (ServiceInstance, ServiceBinding).", []string{"kind"}, nil)
	ageDesc     = prometheus.NewDesc("bellhop_operation_age_seconds", "Age of the oldest operation in progress at a broker, by kind (ServiceInstance, ServiceBinding); 0 if there is none.", []string{"kind"}, nil)
)

func (objectCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- objectsDesc
	ch <- leftDesc
	ch <- ageDesc
}

func (c objectCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	count, oldest, left, err := c.count(ctx)
	if err != nil {
		return // not synced yet
	}
	for kind, n := range left {
		ch <- prometheus.MustNewConstMetric(leftDesc, prometheus.GaugeValue, float64(n), kind)
	}
	for labels, n := range count {
		ch <- prometheus.MustNewConstMetric(objectsDesc, prometheus.GaugeValue, float64(n), labels[:]...)
	}
	for kind, age := range oldest {
		ch <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, age.Seconds(), kind)
	}
}

// count reads every object once.
func (c objectCollector) count(ctx context.Context) (count map[[2]string]int, oldest map[string]time.Duration, left map[string]int, err error) {
	count, left = map[[2]string]int{}, map[string]int{"ServiceInstance": 0, "ServiceBinding": 0}
	oldest = map[string]time.Duration{"ServiceInstance": 0, "ServiceBinding": 0}
	add := func(kind string, conditions []v1beta1.Condition) {
		ready := v1beta1.ConditionUnknown
		if is := rules.FindCondition(conditions, v1beta1.ConditionReady); is != nil {
			ready = is.Status
		}
		count[[2]string{kind, string(ready)}]++
	}
	now := c.clock.Now()
	brokers, err := allBrokers(ctx, c.objects)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, b := range brokers {
		add(catalog.ScopeOf(b).BrokerKind(), b.CommonStatus().Conditions)
	}
	age := func(kind string, operation bool, start *metav1.Time) {
		if operation && start != nil {
			oldest[kind] = max(oldest[kind], now.Sub(start.Time))
		}
	}
	err = errors.Join(
		consistency.Each(ctx, c.objects, &v1beta1.ServiceInstance{}, &v1beta1.ServiceInstanceList{}, func(i *v1beta1.ServiceInstance) {
			add("ServiceInstance", i.Status.Conditions)
			left["ServiceInstance"] += len(i.Status.LeftBehind)
			age("ServiceInstance", instancerules.PhaseOf(&i.Status).HasOperation(), i.Status.OperationStartTime)
		}),
		consistency.Each(ctx, c.objects, &v1beta1.ServiceBinding{}, &v1beta1.ServiceBindingList{}, func(b *v1beta1.ServiceBinding) {
			add("ServiceBinding", b.Status.Conditions)
			left["ServiceBinding"] += len(b.Status.LeftBehind)
			age("ServiceBinding", bindingphase.Of(&b.Status).HasOperation(), b.Status.OperationStartTime)
		}))
	return count, oldest, left, err
}
