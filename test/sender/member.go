// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/labelset"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// peerTimeout is --cluster.peer-timeout: a member waits so long for each member before it.
	peerTimeout = 15 * time.Second
	// settleAfter is how long a member waits for others when it starts.
	settleAfter = 5 * time.Second
	// retention is --data.retention.
	retention = 120 * time.Hour
	// resolveTimeout is after which time an alert ends that has no end.
	resolveTimeout = 5 * time.Minute
	// gcEvery is --alerts.gc-interval, and how often old silences are removed.
	gcEvery = 30 * time.Minute
)

// member is an Alertmanager: its packages, wired as its program does it.
type member struct {
	name string
	log  *slog.Logger
	dial commoncfg.DialContextFunc
	// position is how many members before it the member knows of.
	position func() int
	// gossip sends a part of its state to others.
	gossip func(kind gossipKind, state []byte)

	registry      *prometheus.Registry
	flags         featurecontrol.Flagger
	pipeline      *notify.PipelineBuilder
	silences      *silence.Silences
	silencer      *silence.Silencer
	notifications *nflog.Log
	alerts        *mem.Alerts
	settled       chan struct{}
	stopped       chan struct{}
	running       sync.WaitGroup

	mu         sync.Mutex
	route      *dispatch.Route
	inhibitor  *inhibit.Inhibitor
	dispatcher *dispatch.Dispatcher
	intervener *timeinterval.Intervener
}

// gossipKind is a part of the state that members share.
type gossipKind string

const (
	gossipsSilences      gossipKind = "sil"
	gossipsNotifications gossipKind = "nfl"
)

// data is what a member keeps on its disk.
type data struct{ silences, notifications []byte }

// memberOptions are those of a member.
type memberOptions struct {
	name     string
	log      *slog.Logger
	dial     commoncfg.DialContextFunc
	position func() int
	gossip   func(gossipKind, []byte)
	data     data
	config   string
}

// startMember starts an Alertmanager.
func startMember(o memberOptions) (*member, error) {
	m := &member{
		name: o.name, log: o.log.With("member", o.name), dial: o.dial, position: o.position, gossip: o.gossip,
		registry: prometheus.NewRegistry(), flags: featurecontrol.NoopFlags{}, settled: make(chan struct{}), stopped: make(chan struct{}),
	}
	var err error
	notifications := nflog.Options{Retention: retention, Logger: m.log, Metrics: m.registry}
	if o.data.notifications != nil {
		notifications.SnapshotReader = bytes.NewReader(o.data.notifications)
	}
	if m.notifications, err = nflog.New(notifications); err != nil {
		return nil, err
	}
	silences := silence.Options{
		Retention: retention, Logger: m.log, Metrics: m.registry, EventRecorder: eventrecorder.NopRecorder(),
		Limits: silence.Limits{MaxSilences: func() int { return 0 }, MaxSilenceSizeBytes: func() int { return 0 }},
	}
	if o.data.silences != nil {
		silences.SnapshotReader = bytes.NewReader(o.data.silences)
	}
	if m.silences, err = silence.New(silences); err != nil {
		return nil, err
	}
	m.notifications.SetBroadcast(func(b []byte) { m.gossip(gossipsNotifications, bytes.Clone(b)) })
	m.silences.SetBroadcast(func(b []byte) { m.gossip(gossipsSilences, bytes.Clone(b)) })
	m.silencer = silence.NewSilencer(m.silences, m.log, eventrecorder.NopRecorder())
	if m.alerts, err = mem.NewAlerts(context.Background(), gcEvery, 0, m.silencer, m.log, eventrecorder.NopRecorder(), m.registry, m.flags); err != nil {
		return nil, err
	}
	m.pipeline = notify.NewPipelineBuilder(m.registry, m.flags, eventrecorder.NopRecorder())
	m.running.Go(m.maintain)
	return m, m.load(o.config)
}

// maintain settles, and removes what is old.
func (m *member) maintain() {
	timer := time.NewTimer(settleAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
		close(m.settled)
	case <-m.stopped:
		return
	}
	ticker := time.NewTicker(gcEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_, _ = m.silences.GC()
			_, _ = m.notifications.GC()
		case <-m.stopped:
			return
		}
	}
}

// WaitReady waits until the member has settled.
func (m *member) WaitReady(ctx context.Context) error {
	select {
	case <-m.settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *member) wait() time.Duration { return time.Duration(m.position()) * peerTimeout }

// load loads a configuration, when the member starts and when it reloads.
func (m *member) load(text string) error {
	conf, err := config.Load(text)
	if err != nil {
		return fmt.Errorf("loading the configuration: %w\n%s", err, text)
	}
	tmpl, err := template.FromGlobs(nil)
	if err != nil {
		return err
	}
	tmpl.ExternalURL = &url.URL{Scheme: "http", Host: m.name}
	receivers := map[string][]notify.Integration{}
	for _, r := range conf.Receivers {
		for n, c := range r.WebhookConfigs {
			notifier, err := webhook.New(c, tmpl, m.log, commoncfg.WithDialContextFunc(m.dial), commoncfg.WithHTTP2Disabled())
			if err != nil {
				return err
			}
			receivers[r.Name] = append(receivers[r.Name], notify.NewIntegration(notifier, c, "webhook", n, r.Name))
		}
	}
	route := dispatch.NewRoute(conf.Route, nil)
	intervals := map[string][]timeinterval.TimeInterval{}
	for _, i := range conf.TimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	intervener := timeinterval.NewIntervener(intervals)
	m.halt()
	inhibitor := inhibit.NewInhibitor(m.alerts, conf.InhibitRules, m.log, eventrecorder.NopRecorder())
	pipeline := m.pipeline.New(receivers, m.wait, inhibitor, m.silencer, intervener, m.notifications, m)
	timeout := func(d time.Duration) time.Duration { return max(d, notify.MinTimeout) + m.wait() }
	dispatcher := dispatch.NewDispatcher(m.alerts, route, pipeline, intervener, timeout, 30*time.Second, nil, m.log, eventrecorder.NopRecorder(), nil, tmpl)
	m.running.Go(inhibitor.Run)
	inhibitor.WaitForLoading()
	m.running.Go(func() { dispatcher.Run(time.Now()) })
	dispatcher.WaitForLoading()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.route, m.inhibitor, m.dispatcher, m.intervener = route, inhibitor, dispatcher, intervener
	return nil
}

// halt ends what a reload replaces.
func (m *member) halt() {
	m.mu.Lock()
	inhibitor, dispatcher := m.inhibitor, m.dispatcher
	m.mu.Unlock()
	if inhibitor != nil {
		inhibitor.Stop()
	}
	if dispatcher != nil {
		dispatcher.Stop()
	}
}

// stop ends the member, and returns what is on its disk.
func (m *member) stop() (d data, err error) {
	m.halt()
	close(m.stopped)
	m.alerts.Close()
	m.running.Wait()
	var silences, notifications bytes.Buffer
	if _, err = m.silences.Snapshot(&silences); err != nil {
		return d, err
	}
	if _, err = m.notifications.Snapshot(&notifications); err != nil {
		return d, err
	}
	return data{silences.Bytes(), notifications.Bytes()}, nil
}

// put takes alerts over, as its API does.
func (m *member) put(posted []model.Alert) error {
	now := time.Now()
	all := make([]*alert.Alert, 0, len(posted))
	for _, a := range posted {
		isTimeout := a.EndsAt.IsZero()
		if isTimeout {
			a.EndsAt = now.Add(resolveTimeout)
		}
		if err := alert.Validate(&a); err != nil {
			return err
		}
		all = append(all, alert.New(a, now, isTimeout))
	}
	return m.alerts.Put(context.Background(), all...)
}

// merge takes over what another member has sent.
func (m *member) merge(kind gossipKind, state []byte) error {
	if kind == gossipsSilences {
		return m.silences.Merge(state)
	}
	return m.notifications.Merge(state)
}

// state returns all that members share.
func (m *member) state() (map[gossipKind][]byte, error) {
	silences, err := m.silences.MarshalBinary()
	if err != nil {
		return nil, err
	}
	notifications, err := m.notifications.MarshalBinary()
	return map[gossipKind][]byte{gossipsSilences: silences, gossipsNotifications: notifications}, err
}

// silence silences the alerts with the labels, and returns the id of the silence.
func (m *member) silence(labels model.LabelSet, length time.Duration) (string, error) {
	set := &silencepb.MatcherSet{}
	for name, value := range labels {
		set.Matchers = append(set.Matchers, &silencepb.Matcher{Type: silencepb.Matcher_EQUAL, Name: string(name), Pattern: string(value)})
	}
	now := time.Now()
	s := &silencepb.Silence{MatcherSets: []*silencepb.MatcherSet{set}, StartsAt: timestamppb.New(now), EndsAt: timestamppb.New(now.Add(length)), CreatedBy: "a person", Comment: "known"}
	err := m.silences.Set(context.Background(), s)
	return s.Id, err
}

// view is what a member says about an alert.
type view struct {
	fires   bool
	isMuted bool
	// receivers are those that its routes send the alert to, but for routes that are muted now.
	receivers map[string]bool
}

// judge returns what the member says about an alert.
func (m *member) judge(labels model.LabelSet) view {
	a, err := m.alerts.Get(labels.Fingerprint())
	if err != nil || a.Resolved() {
		return view{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := view{fires: true, receivers: map[string]bool{}}
	for _, r := range m.route.Match(labels) {
		if isMuted, _, err := m.intervener.Mutes(r.RouteOpts.MuteTimeIntervals, time.Now()); err == nil && !isMuted {
			v.receivers[r.RouteOpts.Receiver] = true
		}
	}
	set := labelset.New(labels, labels.Fingerprint())
	v.isMuted = m.silencer.Mutes(context.Background(), set) || m.inhibitor.Mutes(context.Background(), set)
	return v
}
