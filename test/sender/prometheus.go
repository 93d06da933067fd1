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

package sender

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

const (
	// evaluationInterval is how often a group of rules is evaluated, and posts what fires: the default of Prometheus.
	evaluationInterval = time.Minute
	// validFor is how long a post gives an alert: four times the interval.
	validFor = 4 * evaluationInterval
	// resolvedFor is for how long Prometheus posts an alert that has ended.
	resolvedFor = 15 * time.Minute
	// apiSource is the AlertSource that Prometheus posts to.
	apiSource = "prometheus"
	// apiPath is where the listener takes its posts.
	apiPath = "/" + apiSource + "/v1/namespaces/" + namespace + "/alertsources/" + apiSource + "/api/v2/alerts"
	// maxBatch is how many alerts a post has at most.
	maxBatch = 64
)

// prom posts what Prometheus does: each group of its rules at a time of its own, to each Alertmanager, and to the listener as to one.
type prom struct {
	promOptions
	ctx     context.Context //nolint:containedctx // ends with the process
	end     context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	active map[string]*model.Alert
}

// promOptions are those of a Prometheus.
type promOptions struct {
	log *slog.Logger
	// truth has the alerts whose expressions have a result.
	truth func() map[string]bool
	// members are the names of the Alertmanagers.
	members []string
	// post posts alerts to one of them, or to the listener.
	post func(*http.Request) (*http.Response, error)
}

// startProm starts a Prometheus.
func startProm(o promOptions) *prom {
	p := &prom{promOptions: o, active: map[string]*model.Alert{}}
	p.ctx, p.end = context.WithCancel(context.Background())
	for group := range ruleGroups {
		p.running.Go(func() {
			for wait := time.Duration(1+group) * evaluationInterval / ruleGroups; sleep(p.ctx, wait); wait = evaluationInterval {
				p.evaluate(group)
			}
		})
	}
	return p
}

// stop ends the Prometheus, and forgets what it has not posted.
func (p *prom) stop() {
	p.end()
	p.running.Wait()
}

// evaluate evaluates a group of rules, and posts its alerts.
func (p *prom) evaluate(group int) {
	now, truth := time.Now(), p.truth()
	var posted []model.Alert
	p.mu.Lock()
	for _, all := range [][]rule{rules, flood} {
		for _, r := range all {
			if r.group != group {
				continue
			}
			a := p.active[r.id]
			switch isOver := a != nil && a.EndsAt.Before(now); {
			case truth[r.id] && (a == nil || isOver):
				a = &model.Alert{Labels: r.labels, Annotations: model.LabelSet{"summary": model.LabelValue(r.id), "description": model.LabelValue(r.id)}, StartsAt: now}
				p.active[r.id] = a
			case a == nil:
				continue
			case isOver && now.Sub(a.EndsAt) > resolvedFor:
				delete(p.active, r.id)
				continue
			case !truth[r.id] && !isOver:
				a.EndsAt = now.Add(-time.Millisecond)
			}
			if truth[r.id] {
				a.EndsAt = now.Add(validFor)
			}
			posted = append(posted, *a)
		}
	}
	p.mu.Unlock()
	for len(posted) > 0 {
		n := min(len(posted), maxBatch)
		p.send(posted[:n])
		posted = posted[n:]
	}
}

// send posts alerts to each Alertmanager, and to the listener. What is not taken is not posted again.
func (p *prom) send(posted []model.Alert) {
	body, err := json.Marshal(posted)
	if err != nil {
		panic(err)
	}
	urls := []string{"http://bellhop" + apiPath}
	for _, name := range p.members {
		urls = append(urls, "http://"+name+"/api/v2/alerts")
	}
	for _, url := range urls {
		p.running.Go(func() {
			ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
			if err != nil {
				panic(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			if _, err := p.post(r); err != nil {
				p.log.Info("a post of Prometheus failed", "url", url, "err", err)
			}
		})
	}
}

// firing returns the alerts that fire here.
func (p *prom) firing() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]bool{}
	for id, a := range p.active {
		all[id] = a.EndsAt.After(time.Now())
	}
	return all
}

// decodePosted returns the alerts of a post of Prometheus.
func decodePosted(body []byte) (all []model.Alert, err error) {
	err = json.Unmarshal(body, &all)
	return all, err
}

// answerOf is an answer without a body.
func answerOf(r *http.Request, code int) *http.Response {
	return &http.Response{Status: http.StatusText(code), StatusCode: code, Header: http.Header{}, Body: io.NopCloser(&bytes.Buffer{}), Request: r}
}
