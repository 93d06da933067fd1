// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
)

// metrics are about deliveries. Labels are from closed sets, without names.
type metrics struct {
	attempts   *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	abandoned  prometheus.Counter
}

// newMetrics registers the metrics. Waiting Alerts are counted in the cache at each collection.
func newMetrics(registry prometheus.Registerer, cache client.Reader) (*metrics, error) {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellhop_alert_attempts_total",
			Help: "Requests to receivers, with repeats to Alertmanager and without probes, by provider, event (Fired, Updated, Resolved) and outcome (Confirmed, Temporary, Unknown, Unconfirmed, Configuration, Permanent).",
		}, []string{"provider", "event", "outcome"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellhop_alert_deliveries_total",
			Help: "Deliveries that reached a state (Sent, Unknown, Filtered, Failed, Expired, Resolved), by provider. Each confirmed update counts again.",
		}, []string{"provider", "state"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "bellhop_alert_delivery_duration_seconds",
			Help:    "Time from an Alert's creation, known to the second, until a receiver first confirmed it.",
			Buckets: []float64{1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400},
		}, []string{"provider"}),
		abandoned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bellhop_alert_abandoned_total",
			Help: "Deliveries whose receiver shows the Alert and was not sent its resolve when the Alert was released.",
		}),
	}
	for _, c := range []prometheus.Collector{m.attempts, m.deliveries, m.latency, m.abandoned, waitingCollector{cache}, receiverCollector{cache}} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// CountAttempt counts a request to a receiver.
func (m *metrics) CountAttempt(a *v1beta1.Alert, spec *v1beta1.CommonReceiverSpec, o alertrules.Outcome) {
	provider := providers.NameOf(spec)
	m.attempts.WithLabelValues(provider, string(o.Event), outcomeOf(o.Failure)).Inc()
	if o.Failure == nil && o.Event == result.Fired && o.Sequence == 1 {
		m.latency.WithLabelValues(provider).Observe(max(0, o.At.Sub(a.CreationTimestamp.Time)).Seconds())
	}
}

// CountReposts counts the alerts of a request that repeats alerts which a receiver holds.
func (m *metrics) CountReposts(spec *v1beta1.CommonReceiverSpec, alerts int, failure *result.Error) {
	m.attempts.WithLabelValues(providers.NameOf(spec), string(result.Fired), outcomeOf(failure)).Add(float64(alerts))
}

// outcomeOf returns the label of an outcome; failure is nil for a success.
func outcomeOf(failure *result.Error) string {
	if failure == nil {
		return "Confirmed"
	}
	return string(failure.Class)
}

// CountDelivery counts a delivery that reached a state.
func (m *metrics) CountDelivery(spec *v1beta1.CommonReceiverSpec, state v1beta1.DeliveryState) {
	provider := providers.NameOf(spec)
	m.deliveries.WithLabelValues(provider, string(state)).Inc()
}

// CountAbandoned counts a delivery that was abandoned when its Alert was released.
func (m *metrics) CountAbandoned() { m.abandoned.Inc() }

// waitingCollector counts the Alerts that are not finished, and measures for how long the oldest of each severity has been waiting.
type waitingCollector struct{ cache client.Reader }

var (
	waitingDesc = prometheus.NewDesc("bellhop_alerts_waiting", "Alerts that are not sent, resolved or expired yet, including those of suspended receivers.", nil, nil)
	oldestDesc  = prometheus.NewDesc("bellhop_alert_oldest_waiting_seconds",
		"Time for which the oldest firing Alert has been waiting for a receiver, by severity (Info, Warning, Critical); 0 if none waits. Alerts to suspended receivers count.", []string{"severity"}, nil)
)

func (waitingCollector) Describe(ch chan<- *prometheus.Desc) { ch <- waitingDesc; ch <- oldestDesc }

func (c waitingCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	waiting, err := receivers.UnfinishedAlerts(ctx, c.cache)
	if err != nil {
		return // not synced yet
	}
	ch <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(len(waiting)))
	for severity, age := range oldestWaiting(waiting, time.Now()) {
		ch <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, age.Seconds(), string(severity))
	}
}

// oldestWaiting returns for how long the oldest of the Alerts that fire has been waiting, by severity.
func oldestWaiting(waiting []v1beta1.Alert, now time.Time) map[v1beta1.Severity]time.Duration {
	oldest := map[v1beta1.Severity]time.Duration{v1beta1.SeverityInfo: 0, v1beta1.SeverityWarning: 0, v1beta1.SeverityCritical: 0}
	for i := range waiting {
		a := &waiting[i]
		if alertrules.IsOver(a) {
			continue
		}
		since := alertrules.RecordedSince(a)
		if ready := meta.FindStatusCondition(a.Status.Conditions, v1beta1.ConditionReady); ready != nil && ready.LastTransitionTime.After(since.Time) {
			since = ready.LastTransitionTime // its content was changed
		}
		oldest[a.Spec.Severity] = max(oldest[a.Spec.Severity], now.Sub(since.Time))
	}
	return oldest
}

// receiverCollector counts the receivers by their condition Ready.
type receiverCollector struct{ cache client.Reader }

var receiversDesc = prometheus.NewDesc("bellhop_receivers", "Receivers of both kinds, by provider and by their condition Ready (True, False, Unknown).", []string{"provider", "ready"}, nil)

func (receiverCollector) Describe(ch chan<- *prometheus.Desc) { ch <- receiversDesc }

func (c receiverCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var local v1beta1.ReceiverList
	var shared v1beta1.ClusterReceiverList
	if err := errors.Join(c.cache.List(ctx, &local, client.UnsafeDisableDeepCopy), c.cache.List(ctx, &shared, client.UnsafeDisableDeepCopy)); err != nil {
		return // not synced yet
	}
	count := map[[2]string]int{}
	add := func(r v1beta1.ReceiverObject) {
		ready := metav1.ConditionUnknown
		if c := meta.FindStatusCondition(r.CommonStatus().Conditions, v1beta1.ConditionReady); c != nil {
			ready = c.Status
		}
		count[[2]string{providers.NameOf(r.Common()), string(ready)}]++
	}
	for i := range local.Items {
		add(&local.Items[i])
	}
	for i := range shared.Items {
		add(&shared.Items[i])
	}
	for labels, n := range count {
		ch <- prometheus.MustNewConstMetric(receiversDesc, prometheus.GaugeValue, float64(n), labels[:]...)
	}
}
