// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	posting "github.com/gophernetes/bellhop/test/internal/sender"
)

const (
	// batchSize is how many alerts Prometheus posts at once.
	batchSize = 64
	// endsAfter is how long after a post its alerts end, unless they are posted again: four times the interval of re-posts.
	endsAfter  = 4 * time.Minute
	sourceName = "prometheus"
	token      = "s3cret"
)

// withListener returns options of an operator of its own that listens for posts, and the address.
func (b *bench) withListener(o environmentOptions) (environmentOptions, string, error) {
	port, err := local.FreePort()
	address := fmt.Sprintf("127.0.0.1:%d", port)
	o.unshared = true
	o.args = append(o.args, "--ingest-bind-address="+address)
	return o, address, err
}

// A sender posts to an AlertSource.
type sender struct {
	address, namespace, token string
	url                       string
	client                    *http.Client
}

// newSource creates a namespace with an AlertSource, its Secret and, unless it is nil, a default receiver. It returns a sender once the operator
// knows the source.
func newSource(ctx context.Context, api client.WithWatch, address, namespace string, maxAlerts int32, recv *receiver) (*sender, error) {
	if err := makeNamespace(ctx, api, namespace); err != nil {
		return nil, err
	}
	s := &v1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: sourceName}}
	s.Spec.SecretRef, s.Spec.MaxAlerts = &v1beta1.SecretReference{Name: "senders"}, maxAlerts
	objects := []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "senders"}, StringData: map[string]string{"token": token}}, s}
	if recv != nil {
		r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: healthy, Annotations: map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}}}
		r.Spec.Webhook = &v1beta1.WebhookProvider{URL: recv.url}
		objects = append([]client.Object{r}, objects...)
	}
	for _, o := range objects {
		if err := api.Create(ctx, o); err != nil {
			return nil, err
		}
	}
	err := pollUntil(ctx, func(ctx context.Context) (bool, error) {
		err := api.Get(ctx, client.ObjectKeyFromObject(s), s)
		return meta.IsStatusConditionTrue(s.Status.Conditions, v1beta1.ConditionReady), err
	})
	return newSender(address, namespace, token), err
}

// newSender returns a sender that has connections of its own.
func newSender(address, namespace, token string) *sender {
	return &sender{
		address: address, namespace: namespace, token: token,
		url:    "https://" + address + "/v1/namespaces/" + namespace + "/alertsources/" + sourceName + "/api/v2/alerts",
		client: posting.NewClient(),
	}
}

// close ends the connections.
func (s *sender) close() { s.client.CloseIdleConnections() }

// post posts a body, and returns the code of the answer and how long it took.
func (s *sender) post(ctx context.Context, body []byte) (code int, took time.Duration, err error) {
	start := time.Now()
	code, err = s.send(ctx, s.token, bytes.NewReader(body), int64(len(body)))
	return code, time.Since(start), err
}

// send posts what a reader has, of a size in bytes.
func (s *sender) send(ctx context.Context, token string, body io.Reader, size int64) (code int, err error) {
	code, _, err = posting.Post(ctx, s.client, s.url, "Bearer "+token, body, size)
	return code, err
}

// A firing is an alert as Prometheus posts it.
type firing struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// newFiring returns alert i, which is a group of its own. Its description changes with each post, as one with a value does.
func newFiring(name string, value int, since, now time.Time) firing {
	return firing{
		Labels: map[string]string{
			"alertname": name, "severity": "warning", "namespace": "shop", "pod": "orders-6f7d8c9b5-x2x4v", "container": "orders",
			"instance": "10.42.7.13:9100", "job": "node", "prometheus": "monitoring/k8s",
		},
		Annotations: map[string]string{
			"summary":     "The disk of a node is almost full",
			"description": fmt.Sprintf("/var/lib/containers of node-7 has %d.%02d %% left, which is enough for about 20 minutes", value%100, value*7%100),
			"runbook_url": "https://runbooks.example.com/disk",
		},
		StartsAt: since, EndsAt: now.Add(endsAfter),
		GeneratorURL: "https://prometheus.example.com/graph?g0.expr=node_filesystem_avail_bytes&g0.tab=1",
	}
}

// bodyOf returns the body of a post of alerts.
func bodyOf(alerts []firing) ([]byte, error) { return json.Marshal(alerts) }

// alertsOf returns the Alerts that the API server has of a namespace.
func alertsOf(ctx context.Context, api client.Client, namespace string) ([]v1beta1.Alert, error) {
	var list v1beta1.AlertList
	err := api.List(ctx, &list, client.InNamespace(namespace))
	return list.Items, err
}
