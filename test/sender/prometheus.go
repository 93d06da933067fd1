// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

const (
	// evaluationInterval is how often a group of rules is evaluated, and posts what fires: the default of Prometheus.
	evaluationInterval = time.Minute
	// resendDelay is how often Prometheus posts an alert that fires, and queueCapacity how many alerts wait for an Alertmanager: its defaults.
	resendDelay, queueCapacity = time.Minute, 10000
	// apiSource is the AlertSource that Prometheus posts to.
	apiSource = "prometheus"
	// apiPrefix is the path_prefix of the listener in the configuration of Prometheus.
	apiPrefix = "/" + apiSource + "/v1/namespaces/" + namespace + "/alertsources/" + apiSource
)

// prom is a Prometheus: its rule manager, whose queries are answered from the truth, and its notifier.
type prom struct {
	promOptions
	ctx      context.Context //nolint:containedctx // ends with the process
	end      context.CancelFunc
	running  sync.WaitGroup
	rules    *promrules.Manager
	notifier *notifier.Manager
	// ids has the alerts by the expressions of their rules.
	ids map[string]string
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
func startProm(o promOptions) (*prom, error) {
	p := &prom{promOptions: o, ids: map[string]string{}}
	p.ctx, p.end = context.WithCancel(context.Background())
	if err := p.startNotifier(); err != nil {
		return nil, err
	}
	groups := p.groups()
	p.rules = promrules.NewManager(&promrules.ManagerOptions{
		Context: p.ctx, Logger: o.log, ExternalURL: &url.URL{Scheme: "http", Host: "prometheus"}, ResendDelay: resendDelay,
		QueryFunc: p.query, NotifyFunc: promrules.SendAlerts(p.notifier, "http://prometheus"), GroupLoader: groups, Parser: groups.parser, AppendableV2: noStorage{},
		Queryable: storage.QueryableFunc(func(int64, int64) (storage.Querier, error) { return storage.NoopQuerier(), nil }),
	})
	if err := p.rules.Update(evaluationInterval, []string{"rules"}, labels.EmptyLabels(), "", nil); err != nil {
		return nil, err
	}
	for _, r := range p.rules.AlertingRules() {
		p.ids[r.Query().String()] = r.Annotations().Get("summary")
	}
	p.running.Go(p.rules.Run)
	return p, nil
}

// startNotifier starts what posts to the Alertmanagers, and to the listener as to one.
func (p *prom) startNotifier() error {
	c, err := config.Load(fmt.Sprintf(`alerting: {alertmanagers: [{path_prefix: %q}, {}]}`, apiPrefix), p.log)
	if err != nil {
		return err
	}
	p.notifier = notifier.NewManager(&notifier.Options{QueueCapacity: queueCapacity, Registerer: prometheus.NewRegistry(), Do: p.do}, model.UTF8Validation, p.log)
	if err := p.notifier.ApplyConfig(c); err != nil {
		return err
	}
	targets := make(chan map[string][]*targetgroup.Group, 1)
	targets <- map[string][]*targetgroup.Group{"config-0": targetsOf("bellhop"), "config-1": targetsOf(p.members...)}
	p.running.Go(func() { p.notifier.Run(targets) })
	return nil
}

func targetsOf(names ...string) []*targetgroup.Group {
	group := &targetgroup.Group{}
	for _, name := range names {
		group.Targets = append(group.Targets, model.LabelSet{model.AddressLabel: model.LabelValue(name)})
	}
	return []*targetgroup.Group{group}
}

// do sends a post of the notifier.
func (p *prom) do(ctx context.Context, _ *http.Client, r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)() //nolint:contextcheck // the process ends it as well
	r.Header.Set("Authorization", "Bearer "+token)
	return p.post(r.WithContext(ctx))
}

// stop ends the Prometheus, and forgets what it has not posted.
func (p *prom) stop() {
	p.end()
	p.rules.Stop()
	p.notifier.Stop()
	p.running.Wait()
}

// query returns the result of an expression of a rule.
func (p *prom) query(_ context.Context, expression string, at time.Time) (promql.Vector, error) {
	if !p.truth()[p.ids[expression]] {
		return nil, nil
	}
	return promql.Vector{{T: at.UnixMilli(), F: 1}}, nil
}

// firing returns the alerts that fire here.
func (p *prom) firing() map[string]bool {
	all := map[string]bool{}
	for _, r := range p.rules.AlertingRules() {
		if len(r.ActiveAlerts()) > 0 {
			all[p.ids[r.Query().String()]] = true
		}
	}
	return all
}

// ruleFile is a rule file, which is in memory.
type ruleFile struct {
	parser parser.Parser
	groups rulefmt.RuleGroups
}

// groups returns the rules, by the groups that are evaluated together.
func (p *prom) groups() *ruleFile {
	file := &ruleFile{parser: parser.NewParser(parser.Options{})}
	for group := range ruleGroups {
		file.groups.Groups = append(file.groups.Groups, rulefmt.RuleGroup{Name: fmt.Sprint("group-", group)})
	}
	for _, all := range [][]rule{rules, flood} {
		for _, r := range all {
			of := rulefmt.Rule{
				Alert: string(r.labels[model.AlertNameLabel]), Expr: fmt.Sprintf("truth{id=%q}", r.id), Labels: map[string]string{},
				Annotations: map[string]string{"summary": r.id, "description": r.id},
			}
			for name, value := range r.labels {
				if name != model.AlertNameLabel {
					of.Labels[string(name)] = string(value)
				}
			}
			to := &file.groups.Groups[r.group]
			to.Rules = append(to.Rules, of)
		}
	}
	return file
}

// Load returns the rules.
func (f *ruleFile) Load(string, bool, model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	return &f.groups, nil
}

// Parse parses an expression.
func (f *ruleFile) Parse(expression string) (parser.Expr, error) {
	return f.parser.ParseExpr(expression)
}

// noStorage drops what rules write.
type noStorage struct{}

func (noStorage) AppenderV2(context.Context) storage.AppenderV2 { return noStorage{} }
func (noStorage) Commit() error                                 { return nil }
func (noStorage) Rollback() error                               { return nil }

func (noStorage) Append(storage.SeriesRef, labels.Labels, int64, int64, float64, *histogram.Histogram, *histogram.FloatHistogram, storage.AppendV2Options) (storage.SeriesRef, error) {
	return 1, nil
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
