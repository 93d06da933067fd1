// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// history is what happens, as data: a history that fails is printed, and may be shortened by hand.
type history struct {
	seed    uint64
	members int
	configs []amConfig
	// ahead is how far the clocks of the API server and the senders are ahead of that of the operator.
	ahead time.Duration
	// skew is how far the clock of each member is ahead of that of Prometheus.
	skew []time.Duration
	// maxAlerts and ignores are of the AlertSources.
	maxAlerts int32
	ignores   []string
	actions   []action
	length    time.Duration
}

// action is one of the things that happen.
type action struct {
	at   time.Duration
	verb verb
	// id is the alert, the member or the receiver that it is about.
	id     string
	member int
	number int
	length time.Duration
}

type verb string

const (
	fires       verb = "fires"       // the alert id begins to fire
	ends        verb = "ends"        // the alert id ends
	floods      verb = "floods"      // more alerts fire than an Alert has room for, and then one that is critical, until length has passed
	silences    verb = "silences"    // the alert id is silenced for length, at the member
	silenceAll  verb = "silence-all" // the alerts of the name of id are silenced for length, at the member
	reloads     verb = "reloads"     // the members load the configuration with the number
	restarts    verb = "restarts"    // the member starts again; number 1: without its data
	stops       verb = "stops"       // the member does not run for length
	parts       verb = "parts"       // the members do not reach each other for length
	blinds      verb = "blinds"      // Prometheus does not reach the member for length
	disconnects verb = "disconnects" // the member does not reach the operator for length; number 1: Prometheus does not
	refuses     verb = "refuses"     // each post is answered 503 for length
	loses       verb = "loses"       // the answer to each post is lost for length
	fails       verb = "fails"       // the API server does not answer for length
	restartsOp  verb = "operator"    // the operator does not run for length; number 1: it is killed
	resolves    verb = "resolves"    // a person resolves the Alerts of receiver id that fire
	quiets      verb = "quiets"      // Prometheus does not run for length
)

func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d members, clocks %s ahead, skew %s, maxAlerts %d, ignored severities %v, %s\n", h.seed, h.members, h.ahead, h.skew, h.maxAlerts, h.ignores, h.length)
	for _, a := range h.actions {
		fmt.Fprintf(&b, "\t{%d * time.Second, %q, %q, %d, %d, %d * time.Second}, // at %s, for %s\n", a.at/time.Second, a.verb, a.id, a.member, a.number, a.length/time.Second, a.at, a.length)
	}
	for n, c := range h.configs {
		fmt.Fprintf(&b, "configuration %d:\n%s", n, c.yaml("A"))
	}
	return b.String()
}

// busy is for how long things happen, and calm for how long nothing does before the end, so that all has to be well.
const busy, calm = 5 * time.Hour, goneAfter + time.Hour

// newHistory returns the history of a seed.
func newHistory(seed uint64) history {
	g := &generator{rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // to be repeated
	h := history{seed: seed, members: 1 + g.IntN(2), length: busy + calm, maxAlerts: 200}
	h.ahead = []time.Duration{0, 0, 7 * time.Minute, -7 * time.Minute}[g.IntN(4)]
	for range h.members {
		h.skew = append(h.skew, []time.Duration{0, 0, 40 * time.Second, -40 * time.Second}[g.IntN(4)])
	}
	if g.oneIn(6) {
		h.maxAlerts = int32(1 + g.IntN(3)) //nolint:gosec // it is small
	}
	if g.oneIn(5) {
		h.ignores = []string{"info"}
	}
	for range 3 {
		h.configs = append(h.configs, g.config())
	}
	for range 20 + g.IntN(30) {
		h.actions = append(h.actions, g.action(&h))
	}
	if g.oneIn(25) {
		h.actions = append(h.actions, action{at: g.moment(), verb: floods, length: g.between(20*time.Minute, 2*time.Hour)})
	}
	slices.SortStableFunc(h.actions, func(x, y action) int { return int(x.at - y.at) })
	return h
}

type generator struct{ *rand.Rand }

func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func (g *generator) moment() time.Duration { return g.between(0, busy) }

func (g *generator) between(from, to time.Duration) time.Duration {
	return (from + time.Duration(g.Int64N(int64(to-from)))).Truncate(time.Second)
}

func (g *generator) config() amConfig {
	c := amConfig{root: g.route(0, route{})}
	for range g.IntN(4) {
		c.root.routes = append(c.root.routes, g.route(1, c.root))
	}
	from := g.between(0, busy)
	c.maintenance = [2]time.Duration{from, from + g.between(10*time.Minute, 3*time.Hour)}
	if g.oneIn(2) {
		c.inhibits = []string{`{source_matchers: [alertname=down], target_matchers: ['alertname=~"disk|cpu"'], equal: [node]}`}
	}
	if g.oneIn(3) {
		c.inhibits = append(c.inhibits, `{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [alertname, node]}`)
	}
	if g.oneIn(4) {
		c.maxAlerts = 2
	}
	return c
}

// route returns a route below another one.
func (g *generator) route(depth int, parent route) route {
	r := route{receiver: amReceivers[g.IntN(len(amReceivers))], groupBy: [][]string{nil, {"alertname"}, {"node"}, {"team"}, {"alertname", "node"}, {"'...'"}}[g.IntN(6)]}
	if depth == 0 {
		return r
	}
	r.matchers = [][]string{{"severity=critical"}, {"team=x"}, {"team=y"}, {"node=a"}, {`alertname=~"disk|net"`}}[g.IntN(5)]
	if g.oneIn(3) { // one receiver under several routes, with the same groups
		r.receiver, r.groupBy = parent.receiver, parent.groupBy
	}
	r.goesOn, r.isMaintained = g.oneIn(2), g.oneIn(8)
	if depth < 2 {
		for range g.IntN(3) {
			r.routes = append(r.routes, g.route(depth+1, r))
		}
	}
	return r
}

// action returns an action. Alerts are most of them.
func (g *generator) action(h *history) action {
	a := action{at: g.moment(), id: rules[g.IntN(len(rules)-1)].id, member: g.IntN(h.members), length: g.between(time.Minute, 40*time.Minute)}
	switch n := g.IntN(100); {
	case n < 40:
		a.verb = fires
	case n < 60:
		a.verb = ends
	case n < 67:
		a.verb, a.length = silences, g.between(5*time.Minute, 3*time.Hour)
	case n < 70:
		a.verb, a.length = silenceAll, g.between(5*time.Minute, 3*time.Hour)
	case n < 74:
		a.verb, a.number = reloads, g.IntN(len(h.configs))
	case n < 78:
		a.verb, a.number = restarts, g.IntN(2)
	case n < 80:
		a.verb = stops
	case n < 83:
		a.verb = parts
	case n < 85:
		a.verb = blinds
	case n < 87:
		a.verb, a.number = disconnects, g.IntN(2)
	case n < 89:
		a.verb = refuses
	case n < 91:
		a.verb = loses
	case n < 93:
		a.verb = fails
	case n < 96:
		a.verb, a.number = restartsOp, g.IntN(2)
	case n < 98:
		a.verb, a.id = resolves, amReceivers[g.IntN(len(amReceivers))]
	default:
		a.verb = quiets
	}
	return a
}
