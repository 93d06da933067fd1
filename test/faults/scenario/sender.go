// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
	"github.com/gophernetes/bellhop/test/internal/sender"
)

// sourceName is the AlertSource of a run.
const sourceName = "prom"

// ruleAlert is an alert of a rule, as a sender posts it. Its texts begin with the node that it is about.
type ruleAlert struct {
	rule, node string
	// startsAt and endsAt are left out where they are zero.
	startsAt, endsAt time.Time
	// percent is the value in its text, which is another one with each evaluation.
	percent int
}

// Sender posts what rules say, as Prometheus and Alertmanager do, and knows what it has said.
type Sender struct {
	client *http.Client
	// listeners returns the addresses of the processes that run, that of the leader first.
	listeners func() []string
	// alternates: each post is to another process than the one before.
	alternates bool
	turn       int

	mu     sync.Mutex
	starts map[string][]time.Time // of the alerts about each node
	mayEnd map[string]bool        // the latest one about the node
}

func newSender(alternates bool) *Sender {
	return &Sender{
		client:    sender.NewClient(),
		listeners: func() []string { return nil }, alternates: alternates, starts: map[string][]time.Time{}, mayEnd: map[string]bool{},
	}
}

// SetListeners sets how the sender finds the processes.
func (s *Sender) SetListeners(listeners func() []string) { s.listeners = listeners }

// start returns an alert that begins to fire.
func (s *Sender) start(rule, node string) ruleAlert {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := ruleAlert{rule: rule, node: node, startsAt: time.Now(), endsAt: time.Now().Add(time.Hour), percent: 90}
	s.starts[node], s.mayEnd[node] = append(s.starts[node], a.startsAt), false
	return a
}

// end returns an alert that ends.
func (s *Sender) end(a ruleAlert) ruleAlert {
	s.letEnd(a)
	a.endsAt = time.Now()
	return a
}

// letEnd records that an alert may end: the sender says so, or does not post it any more.
func (s *Sender) letEnd(a ruleAlert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mayEnd[a.node] = true
}

// MayEnd reports whether an instance may have ended.
func (s *Sender) MayEnd(i v1beta1.AlertInstance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	node := NodeOf(i.Text)
	starts := s.starts[node]
	return len(starts) == 0 || s.mayEnd[node] || i.StartsAt != nil && i.StartsAt.Time.Before(starts[len(starts)-1].Truncate(time.Second))
}

// Starts returns how many times an alert about a node began to fire.
func (s *Sender) Starts(node string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.starts[node])
}

// NodeOf returns the node that a text of an alert is about.
func NodeOf(text string) string {
	node, _, _ := strings.Cut(text, " ")
	return node
}

// body returns an alert in the format of the API.
func (a ruleAlert) body() map[string]any {
	text := fmt.Sprintf("%s is full at %d %%", a.node, a.percent)
	body := map[string]any{
		"labels":       map[string]string{"alertname": a.rule, "node": a.node},
		"annotations":  map[string]string{"summary": text, "description": text},
		"generatorURL": "http://prometheus.example/graph",
	}
	for field, at := range map[string]time.Time{"startsAt": a.startsAt, "endsAt": a.endsAt} {
		if !at.IsZero() {
			body[field] = at
		}
	}
	return body
}

// isOver reports whether an alert has ended.
func (a ruleAlert) isOver() bool { return !a.endsAt.IsZero() && !a.endsAt.After(time.Now()) }

// post posts alerts to the API, until they are accepted.
func (e *Environment) post(alerts ...ruleAlert) {
	var body []map[string]any
	for _, a := range alerts {
		body = append(body, a.body())
	}
	e.send(endpoint.Alerts, body)
}

// postWebhook posts alerts of one rule as Alertmanager does, until they are accepted; not again, so that they have to be stored then.
func (e *Environment) postWebhook(alerts ...ruleAlert) {
	state := func(isOver bool) string {
		if isOver {
			return "resolved"
		}
		return "firing"
	}
	group := map[string]string{"alertname": alerts[0].rule}
	var bodies []map[string]any
	for _, a := range alerts {
		body := a.body()
		body["status"] = state(a.isOver())
		bodies = append(bodies, body)
	}
	e.send(endpoint.Webhook, map[string]any{
		"version": "4", "groupKey": "{}:{alertname=\"" + alerts[0].rule + "\"}", "receiver": "bellhop", "groupLabels": group, "alerts": bodies,
		"status": state(!slices.ContainsFunc(alerts, func(a ruleAlert) bool { return !a.isOver() })),
	})
	e.checkStored(alerts)
}

// checkStored checks that Alerts have what was posted.
func (e *Environment) checkStored(alerts []ruleAlert) {
	stored, err := e.instancesByNode()
	e.must(err)
	for _, a := range alerts {
		if found, ok := stored[a.node]; !ok || (found.EndsAt != nil) != a.isOver() {
			e.Reportf("a post was answered with 200, and what it says of %s is not stored", a.node)
		}
	}
}

// send posts a body until it is answered with 200, each time to the next process, as a Service has it. A refusal would have the sender drop the
// alerts.
func (e *Environment) send(path string, content any) {
	body, err := json.Marshal(content)
	e.must(err)
	turn := 0
	if e.Sender.alternates {
		turn = e.Sender.turn
		e.Sender.turn++
	}
	e.await("a post is answered with 200", func() error {
		listeners := e.Sender.listeners()
		if len(listeners) == 0 {
			return fmt.Errorf("no process runs")
		}
		code, text, err := sender.Post(e.Ctx, e.Sender.client, "https://"+listeners[turn%len(listeners)]+endpoint.Path(e.Namespace, sourceName)+path, "Bearer "+PlainCanary, bytes.NewReader(body), int64(len(body)))
		e.Sender.client.CloseIdleConnections() // the process may be killed before the next post
		turn++
		switch {
		case err != nil:
			return err
		case code == http.StatusOK:
			return nil
		case code/100 != 5:
			e.Reportf("a post was answered with %d: %s", code, text)
		}
		return fmt.Errorf("%d: %s", code, text)
	})
}

// storedInstance is an instance with its Alert.
type storedInstance struct {
	v1beta1.AlertInstance

	alert *v1beta1.Alert
}

// instancesByNode returns the instances of all Alerts of the source by the node that they are about.
func (e *Environment) instancesByNode() (map[string]storedInstance, error) {
	var alerts v1beta1.AlertList
	if err := e.Client.List(e.Ctx, &alerts, client.InNamespace(e.Namespace), client.MatchingLabels{v1beta1.AlertSourceLabel: sourceName}); err != nil {
		return nil, err
	}
	byNode := map[string]storedInstance{}
	for i := range alerts.Items {
		for _, instance := range alerts.Items[i].Spec.Instances {
			node := NodeOf(instance.Text)
			if known, ok := byNode[node]; !ok || known.EndsAt != nil { // one that has moved to another Alert has ended in the former
				byNode[node] = storedInstance{instance, &alerts.Items[i]}
			}
		}
	}
	return byNode, nil
}
