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

// Package alertmanager makes a notice an alert of Prometheus Alertmanager, by API v2: whom it tells is up to Alertmanager's
// own routes, silences and inhibitions, and so is what becomes of the text.
//
// An alert is known by its labels, so a repeat after a lost answer is the same alert. Fired posts it, Updated posts it with
// other annotations, Resolved posts its end. The labels have what does not change while it holds, and the severity, since
// routes ask for it: when the severity changes, one request begins the alert with the new one and ends the one with the old.
//
// Alertmanager keeps alerts in memory and does not pass them on to its replicas. So each of them is told, and what it is told
// holds for Validity: who called Send must do so again every RepostEvery while the alert holds. A replica that has restarted
// learns of it that way, and if nobody repeats it, it ends by itself. A message is delivered when one replica accepted it; the
// others get it with the next repeat, and an end that they did not get comes by Validity.
//
// It knows Alertmanager's API, and no Kubernetes.
package alertmanager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

const (
	// RepostEvery is how often an alert that holds is to be sent again. A replica that has restarted does without it for so long.
	ResendEvery = 2 * time.Minute
	// Validity is how long an alert holds without being sent again. It outlasts three repeats that fail or a restart of ours,
	// and clocks that differ by minutes: an alert that ends too early pages people when it comes back.
	Validity = 10 * time.Minute

	// maxReplicas bounds how many requests one message is.
	maxReplicas = 8
)

// Config says where alerts go and what they are labelled with.
type Config struct {
	// URLs are the base addresses of all replicas, 1 to 8, each with the path prefix that it may have; "/api/v2/…" is
	// appended. Not that of a load balancer before them: Alertmanager does not pass alerts on.
	URLs []string
	// Labels are added to those of every alert. They cannot replace alertname, namespace, severity and bellhop_incident.
	Labels map[string]string

	// Token is sent as a bearer token; Username and Password as Basic authentication. Only one of the two can be set.
	Token    string
	Username string
	Password string
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	apis   []*url.URL // of the replicas, in the order of Config.URLs
	labels map[string]string
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
)

// classicName is what every version of Alertmanager takes for the name of a label.
var labelPattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// New returns a sender, or a *result.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	s := &Sender{HTTP: notify.NewHTTP(client), labels: map[string]string{}}
	// The status decides. A body may hold text that the author of the Receiver must not see.
	s.WantBody = func(int, http.Header) bool { return false }
	if len(config.URLs) == 0 || len(config.URLs) > maxReplicas {
		return nil, notify.Invalid("urls", fmt.Sprintf("must be 1 to %d addresses", maxReplicas))
	}
	for i, address := range config.URLs {
		base, err := notify.ParseBaseURL(fmt.Sprintf("urls[%d]", i), address)
		if err != nil {
			return nil, err
		}
		s.apis = append(s.apis, base.JoinPath("api", "v2"))
	}
	for _, name := range slices.Sorted(maps.Keys(config.Labels)) {
		switch {
		case !labelPattern.MatchString(name):
			return nil, notify.Invalid("labels", "the names must be of letters, digits and _, and not begin with a digit")
		case slices.Contains([]string{labelName, labelNamespace, labelSeverity, labelIncident}, name):
			return nil, notify.Invalid("labels", "the label "+name+" cannot be set: it is bellhop's own")
		}
		s.labels[name] = config.Labels[name]
	}
	authorization, err := notify.Authorization(config.Token, config.Username, config.Password)
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		s.Header.Set("Authorization", authorization)
	}
	return s, nil
}

// Send makes one attempt at every replica.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	alerts, holds := s.render(m, k)
	body, err := notify.Encode(alerts)
	if err != nil {
		return result.Receipt{}, err
	}
	failures := s.requestAll(ctx, http.MethodPost, "alerts", body)
	if failure := combine(failures); failure != nil {
		return result.Receipt{}, failure
	}
	return result.Receipt{ExternalID: holds.String(), Note: receiptNote(failures)}, nil
}

// Probe asks every replica how it does, as nobody could whose credential or path is wrong. One that answers is enough.
func (s *Sender) Probe(ctx context.Context) error {
	if failure := combine(s.requestAll(ctx, http.MethodGet, "status", nil)); failure != nil {
		return failure
	}
	return nil
}

// ask makes the same request to every replica at once, and returns what failed in the order of the replicas, with nil for a
// success.
func (s *Sender) requestAll(ctx context.Context, method, resource string, body []byte) []*result.Error {
	failures := make([]*result.Error, len(s.apis))
	var all sync.WaitGroup
	for i, api := range s.apis {
		all.Go(func() {
			_, err := s.Request(ctx, method, api.JoinPath(resource), body)
			failures[i], _ = errors.AsType[*result.Error](err)
		})
	}
	all.Wait()
	return failures
}
