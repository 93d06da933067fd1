// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alertmanager posts messages as alerts to Prometheus Alertmanager, API v2. Alertmanager's own routes, silences and
// inhibitions decide who is notified, and its templates what is shown.
//
// Alertmanager identifies an alert by its labels, so a repeat after a lost response is the same alert. Fired posts the alert,
// Updated posts it with other annotations, Resolved posts its end. The labels have the values that do not change while the alert is active, and the
// severity, because routes match it. A change of the severity therefore makes another alert: one request starts the alert with the new severity and
// ends the alert with the old one.
//
// Alertmanager holds alerts in memory and does not replicate them. So each replica receives each request, and an alert is
// valid for Validity: the caller sends an active alert again every RepostEvery. A replica that was restarted receives the
// alert with the next repeat. An alert without repeats ends by itself. One that goes on without them is posted with the validity
// KeptFor. A message is delivered when one replica accepted it; the other replicas receive the alert with the next repeat, and end it
// after Validity.
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
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Alertmanager to the registry.
var Provider = notify.Provider[v1beta1.AlertmanagerProvider]{
	Addresses: func(s *v1beta1.AlertmanagerProvider) (all []notify.Address) {
		for i, u := range s.URLs {
			all = append(all, notify.URLAddress(fmt.Sprintf("urls[%d]", i), u)...)
		}
		return all
	},
	Check: func(s *v1beta1.AlertmanagerProvider) notify.Problems { return headers.Check(check(s.URLs), s.Headers) },
	New: func(s *v1beta1.AlertmanagerProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		labels := make(map[string]string, len(s.Labels))
		for name, value := range s.Labels {
			labels[name] = string(value)
		}
		added, err := headers.Of(s.Headers, secret)
		if err != nil {
			return nil, err
		}
		return New(Config{URLs: s.URLs, Labels: labels, Headers: added,
			Token: secret.Get("token"), Username: secret.Get("username"), Password: secret.Get("password")}, client)
	},
	RepostEvery: repostEvery,
	SecretKeys:  func(s *v1beta1.AlertmanagerProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token", "username", "password"},
		Repeat:     notify.Once,
		Key:        "labels",
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      "annotations `runbook_url`, `dashboard_url` and `links`, and `generatorURL`",
		Sent:       "a replica has the alert, not that a person was notified",
		Probe:      "the status of every replica, where one success is enough",
		ProbeGap:   "whether its routes notify a person",
	}},
}

const (
	// RepostEvery is the interval at which an active alert is sent again. A replica that was restarted lacks the alert for so
	// long.
	RepostEvery = 2 * time.Minute
	// Validity is the time after which an alert ends without a repeat. It is longer than three failed repeats, a restart of the
	// operator, and clocks that differ by minutes: an alert that ends too early notifies people again when it returns.
	Validity = 10 * time.Minute

	// KeptFor is the validity of an alert that goes on but is not sent again. A user can end it earlier, with amtool.
	KeptFor = 7 * 24 * time.Hour

	// maxBody bounds a request with several messages, in bytes.
	maxBody = 1 << 20
	// maxReplicas bounds the requests for one message.
	maxReplicas = 8
)

// Config has the destination and the labels of alerts.
type Config struct {
	// URLs are the base addresses of all replicas, 1 to 8, with a path prefix where there is one; "/api/v2/…" is appended.
	// The address of a load balancer does not work: Alertmanager does not replicate alerts.
	URLs []string
	// Labels are added to the labels of every alert. They cannot replace alertname, namespace, severity and bellhop_incident.
	Labels map[string]string

	// Token is sent as a bearer token; Username and Password as Basic authentication. At most one of the two can be set.
	Token    string
	Username string
	Password string
	// Headers are sent with each request, beside those that the sender sets.
	Headers http.Header
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	apis   []*url.URL // of the replicas, in the order of Config.URLs
	labels map[string]string
}

var (
	_ notify.Sender      = (*Sender)(nil)
	_ notify.BatchSender = (*Sender)(nil)
	_ notify.Prober      = (*Sender)(nil)
	_ notify.Editor      = (*Sender)(nil)
)

// labelPattern matches the names of labels that every version of Alertmanager accepts.
var labelPattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// check returns the problems of the settings in a spec, except for labels, which the schema checks.
func check(addresses []string) (problems notify.Problems) {
	for i, address := range addresses {
		field := fmt.Sprintf("urls[%d]", i)
		switch u := problems.BaseURL(field, address); {
		case address == "":
			problems.Add(field, address, "must not be empty")
		case u != nil && strings.Contains(u.Path+"/", "/api/v"):
			problems.AddURL(field, address, "must be the base address, without /api/v2/alerts")
		}
	}
	return problems
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	s := &Sender{HTTP: headers.NewHTTP(client, config.Headers), labels: map[string]string{}}
	// The body is not read: at a user-supplied address it may hold text that the author of the Receiver must not see.
	s.WantBody = func(int, http.Header) bool { return false }
	if len(config.URLs) == 0 || len(config.URLs) > maxReplicas {
		return nil, notify.Invalid("urls", fmt.Sprintf("must be 1 to %d addresses", maxReplicas))
	}
	if err := check(config.URLs).Err(); err != nil {
		return nil, err
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
	_, receipts, err := s.SendBatch(ctx, []notify.BatchMessage{{Message: m, Key: k}})
	if err != nil {
		return result.Receipt{}, err
	}
	return receipts[0], nil
}

// CanEdit reports whether an external id is of an alert.
func (*Sender) CanEdit(externalID string) bool { return repostEvery(externalID) > 0 }

// SendBatch makes one attempt at every replica.
func (s *Sender) SendBatch(ctx context.Context, messages []notify.BatchMessage) (n int, receipts []result.Receipt, err error) {
	var body []byte
	for _, message := range messages {
		alerts, holds := s.render(message.Message, message.Key)
		encoded, err := notify.Encode(alerts) // an array
		if err != nil && n == 0 {
			return 1, nil, err
		}
		if n > 0 && (err != nil || len(body)+len(encoded) > maxBody) {
			break
		}
		if n > 0 {
			body[len(body)-1], encoded = ',', encoded[1:]
		}
		body = append(body, encoded...)
		receipts = append(receipts, result.Receipt{ExternalID: holds.String()})
		n++
	}
	failures := s.requestAll(ctx, http.MethodPost, "alerts", body)
	if failure := combine(failures); failure != nil {
		return n, nil, failure
	}
	note := receiptNote(failures)
	for i := range receipts {
		receipts[i].Note = note
	}
	return n, receipts, nil
}

// Probe requests the status of every replica with the credentials. One success is enough.
func (s *Sender) Probe(ctx context.Context) error {
	if failure := combine(s.requestAll(ctx, http.MethodGet, "status", nil)); failure != nil {
		return failure
	}
	return nil
}

// requestAll makes the same request to every replica concurrently. It returns the errors in the order of the replicas, nil
// for a success.
func (s *Sender) requestAll(ctx context.Context, method, resource string, body []byte) []*result.Error {
	failures := make([]*result.Error, len(s.apis))
	var all sync.WaitGroup
	for i, api := range s.apis {
		all.Go(func() { failures[i] = s.request(ctx, method, api.JoinPath(resource), body) })
	}
	all.Wait()
	return failures
}

// request makes a request to one replica. A panic is a failure of this replica.
func (s *Sender) request(ctx context.Context, method string, target *url.URL, body []byte) (failure *result.Error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			failure = notify.FromPanic(ctx, recovered)
		}
	}()
	resp, err := s.Request(ctx, method, target, body)
	if err == nil {
		return undocumented(resp)
	}
	failure, _ = errors.AsType[*result.Error](err)
	return failure
}
