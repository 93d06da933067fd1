// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// namespace has the AlertSources, and token is that of all of them.
const namespace, token = "shop", "s3cret"

// The receivers of Alertmanager. Each posts to an AlertSource of its name.
var amReceivers = []string{"pager", "chat"}

// sources are the AlertSources: one for each receiver of Alertmanager, and that of Prometheus.
var sources = append(slices.Clone(amReceivers), apiSource)

// maintenance is the name of the time in which routes are muted.
const maintenance = "maintenance"

// watchdogID is the watchdog's.
const watchdogID = watchdog + "-none-info;"

// watchdog is an alert that always fires, and is posted to each receiver.
const watchdog = "watchdog"

// rule is an alert that a rule of Prometheus makes.
type rule struct {
	id     string
	labels model.LabelSet
	// group is the rule group, which is evaluated at a time of its own.
	group int
}

// severity is the one that the Alert of the rule's alert has.
func (r rule) severity() v1beta1.Severity {
	return map[string]v1beta1.Severity{
		"critical": v1beta1.SeverityCritical, "warning": v1beta1.SeverityWarning, "info": v1beta1.SeverityInfo,
	}[string(r.labels["severity"])]
}

// rules are the alerts that may fire: the same rules about several nodes, with several severities. An alert is named by its texts.
var rules = newRules()

const ruleGroups = 3

func newRules() (all []rule) {
	for n, name := range []string{"disk", "cpu", "net", "down"} {
		for _, node := range []string{"a", "b", "c"} {
			all = append(all, newRule(name, node, []string{"warning", "critical", "info", "critical"}[n], []string{"x", "y", "x", "y"}[n], n%ruleGroups))
		}
	}
	all = append(all, newRule("disk", "a", "critical", "x", 1)) // the same rule with a second threshold
	return append(all, newRule(watchdog, "none", "info", "none", 0))
}

func newRule(name, node, severity, team string, group int) rule {
	return rule{
		id: fmt.Sprintf("%s-%s-%s;", name, node, severity), group: group,
		labels: model.LabelSet{"alertname": model.LabelValue(name), "node": model.LabelValue(node), "severity": model.LabelValue(severity), "team": model.LabelValue(team)},
	}
}

// floodSize is how many alerts of a group more than an Alert has room for.
const floodSize = 204

// flood are alerts of one group, more than an Alert has room for. Of these the first is critical.
var flood = newFlood()

func newFlood() (all []rule) {
	all = append(all, newRule("flood", "n000", "critical", "x", 2))
	for n := range floodSize {
		all = append(all, newRule("flood", fmt.Sprintf("n%03d", 1+n), "warning", "x", 2))
	}
	return all
}

// ruleOf returns the rule of an alert with labels; nil: there is none.
func ruleOf(id string) *rule {
	for _, all := range [][]rule{rules, flood} {
		for n := range all {
			if all[n].id == id {
				return &all[n]
			}
		}
	}
	return nil
}

// The intervals of each configuration. Routes may have shorter ones.
const (
	groupWait      = 30 * time.Second
	groupInterval  = 5 * time.Minute
	repeatInterval = time.Hour
	watchdogEvery  = 10 * time.Minute
)

// route is a route of Alertmanager.
type route struct {
	matchers []string
	receiver string
	groupBy  []string
	goesOn   bool
	// isMaintained: it is muted during the maintenance.
	isMaintained bool
	routes       []route
}

// amConfig is a configuration of Alertmanager.
type amConfig struct {
	root     route
	inhibits []string // source, target and equal, in YAML
	// maintenance is when routes are muted, from the start of a history until an end.
	maintenance [2]time.Duration
	// maxAlerts is that of its webhooks; 0: none.
	maxAlerts int
}

// yaml returns the configuration as its file has it. Each member posts to an address of its own.
func (c amConfig) yaml(member string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "route:\n")
	c.root.routes = append([]route{{matchers: []string{"alertname=" + watchdog}, receiver: "pager", groupBy: []string{"alertname"}, goesOn: true}, {matchers: []string{"alertname=" + watchdog}, receiver: "chat", groupBy: []string{"alertname"}}}, c.root.routes...)
	c.root.write(&b, "  ")
	fmt.Fprintf(&b, "  group_wait: %s\n  group_interval: %s\n  repeat_interval: %s\n", groupWait, groupInterval, repeatInterval)
	minute := func(d time.Duration) string { return time.Time{}.Add(d).Format("15:04") } // the clock of a bubble begins at midnight
	fmt.Fprintf(&b, "time_intervals:\n- name: %s\n  time_intervals: [{times: [{start_time: '%s', end_time: '%s'}]}]\n", maintenance, minute(c.maintenance[0]), minute(c.maintenance[1]+time.Minute))
	fmt.Fprintf(&b, "receivers:\n")
	for _, name := range amReceivers {
		fmt.Fprintf(&b, "- name: %s\n  webhook_configs:\n  - url: http://bellhop/%s/v1/namespaces/%s/alertsources/%s/webhook\n    max_alerts: %d\n    http_config: {authorization: {credentials: %s}}\n", name, member, namespace, name, c.maxAlerts, token)
	}
	if len(c.inhibits) > 0 {
		fmt.Fprintf(&b, "inhibit_rules:\n")
	}
	for _, i := range c.inhibits {
		fmt.Fprintf(&b, "- %s\n", i)
	}
	return b.String()
}

func (r route) write(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%sreceiver: %s\n", indent, r.receiver)
	if len(r.groupBy) > 0 {
		fmt.Fprintf(b, "%sgroup_by: [%s]\n", indent, strings.Join(r.groupBy, ", "))
	}
	if r.goesOn {
		fmt.Fprintf(b, "%scontinue: true\n", indent)
	}
	if r.isMaintained {
		fmt.Fprintf(b, "%smute_time_intervals: [%s]\n", indent, maintenance)
	}
	if len(r.matchers) > 0 {
		fmt.Fprintf(b, "%smatchers: ['%s']\n", indent, strings.Join(r.matchers, "', '"))
		if r.matchers[0] == "alertname="+watchdog {
			fmt.Fprintf(b, "%srepeat_interval: %s\n", indent, watchdogEvery)
		}
	}
	if len(r.routes) > 0 {
		fmt.Fprintf(b, "%sroutes:\n", indent)
	}
	for _, child := range r.routes {
		fmt.Fprintf(b, "%s-\n", indent)
		child.write(b, indent+"  ")
	}
}
