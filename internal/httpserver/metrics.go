// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"errors"
	stdlog "log"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/gophernetes/bellhop/internal/httpserver/limits"
)

// logInterval is at most how often the log says that a server refuses clients for a reason.
const logInterval = time.Minute

// metrics of the servers. No label has a value that a client chooses.
type metrics struct {
	requests, refused, closed *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer, bytesInUse func() int64) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellhop_http_server_requests_total", Help: "Requests to the operator's servers, by server and by client (api_server, other).",
		}, []string{"server", "client"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellhop_http_server_requests_refused_total", Help: "Requests that a bound of the server refused, by server and reason (no_room, too_large, incomplete).",
		}, []string{"server", "reason"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellhop_http_server_connections_closed_total", Help: "Connections that a bound of the server closed, by server and reason (no_room, no_request, stalled).",
		}, []string{"server", "reason"}),
	}
	bytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "bellhop_http_server_request_bytes", Help: "Bytes for which the requests in flight to all of the operator's servers have room.",
	}, func() float64 { return float64(bytesInUse()) })
	for _, c := range []prometheus.Collector{m.requests, m.refused, m.closed, bytes} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observer counts and logs the events of one server.
type observer struct {
	name    string
	metrics *metrics
	log     logr.Logger
	said    map[limits.Reason]*rate.Sometimes
	errors  map[bool]*rate.Sometimes // by whether it is one of a handshake
}

func (m *metrics) observe(server string, log logr.Logger) *observer {
	o := &observer{name: server, metrics: m, log: log, said: map[limits.Reason]*rate.Sometimes{}, errors: map[bool]*rate.Sometimes{}}
	for _, reason := range []limits.Reason{limits.NoRoom, limits.NoRequest, limits.Stalled, tooLarge, incomplete} {
		o.said[reason] = &rate.Sometimes{Interval: logInterval}
	}
	for _, ofHandshake := range []bool{false, true} {
		o.errors[ofHandshake] = &rate.Sometimes{Interval: logInterval}
	}
	return o
}

func (o *observer) request(ofAPIServer bool) {
	client := "other"
	if ofAPIServer {
		client = "api_server"
	}
	o.metrics.requests.WithLabelValues(o.name, client).Inc()
}

func (o *observer) closed(client limits.Client, reason limits.Reason) {
	o.metrics.closed.WithLabelValues(o.name, string(reason)).Inc()
	o.said[reason].Do(func() {
		o.log.Info("Closed a connection", "reason", reason, "client", client.Address.String(), "silentFor", logInterval.String())
	})
}

func (o *observer) refused(client limits.Client, reason limits.Reason) {
	o.metrics.refused.WithLabelValues(o.name, string(reason)).Inc()
	o.said[reason].Do(func() {
		o.log.Info("Refused a request", "reason", reason, "client", client.Address.String(), "silentFor", logInterval.String())
	})
}

// Write logs the messages of net/http: failed handshakes, of which a client can cause any number, and panics of a handler.
func (o *observer) Write(message []byte) (int, error) {
	text := strings.TrimSpace(string(message))
	ofHandshake := strings.Contains(text, "TLS handshake error")
	o.errors[ofHandshake].Do(func() {
		if ofHandshake {
			o.log.Info("A TLS handshake failed", "message", text, "silentFor", logInterval.String())
		} else {
			o.log.Error(errors.New(text), "A connection failed", "silentFor", logInterval.String())
		}
	})
	return len(message), nil
}

func (o *observer) errorLog() *stdlog.Logger { return stdlog.New(o, "", 0) }
