// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package scenario has what users do: the environment of a run, the actions in it, and the lists of scenarios.
package scenario

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// Scenario is what a user does.
type Scenario struct {
	Name string
	// Prepare runs without faults, Steps with the fault of the run.
	Prepare func(*Environment)
	Steps   func(*Environment)
	// timingDependent: the end state depends on how fast the operator is, so that the steps check the outcome themselves.
	timingDependent bool
	// WithoutFaults: the scenario is about something else than faults, and is run once.
	WithoutFaults bool
	// MaxCrashes limits the faults to so many crashes; 0: all faults.
	MaxCrashes int
	// separateNamespace: the operator runs in another namespace than the user.
	separateNamespace bool
	// clusterWide: brokers and receivers belong to the cluster.
	clusterWide bool
	// Notifiers: receivers that recognize repeats are notifiers instead of webhooks.
	Notifiers bool
	// OnlySampled: the list of the gate leaves it out.
	OnlySampled bool
	// Troubled: there are Warning events without a fault as well.
	Troubled bool
	// PageByLabel: the operator creates Alerts about objects with a label.
	PageByLabel bool
	// RecordsObject: the operator records in such an Alert which object it is about, and for which failure it has fired.
	RecordsObject bool
	// Ingest: each process listens for posts to AlertSources.
	Ingest bool
	// ShortTimes: the scenario takes minutes unless the operator has the times of sweep.shortTimes.
	ShortTimes bool
	// Replicas: two processes run from the beginning, and posts alternate between them.
	Replicas bool
	// ReusesID: a resource gets the id of one that was deleted.
	ReusesID bool
	// MaxFaults limits the faults of each class to so many; 0: all faults.
	MaxFaults int
	// endsByTime: the API server's time ends something in the steps.
	endsByTime bool
	// expires: the broker says when credentials expire, which is within the steps, by the clock of the process. By the API server's clock they are only
	// replaced earlier, and not where its time is so far ahead that they would have expired when they were issued.
	expires bool
	// waits: it ends while a new object waits for what is missing, which is an error after rules.MissingReferenceDelay, by the clock of the process.
	waits bool
	// endures: something ends by the API server's time, but enduranceTime after the steps began.
	endures bool
	// Unordered: the order of the calls is decided by the API server, so that no call name occurs in each run.
	Unordered bool
}

// All returns all scenarios but the walks.
func All() []Scenario {
	all := slices.Concat(alertScenarios(), instanceScenarios(), brokerScenarios(), bindingScenarios(), pageScenarios())
	all = append(all, clusterWideCopies(all)...)
	all = append(all, sourceScenarios()...)
	all = append(all, notifierCopies(all)...) // the last, so that the list of the gate has the same faults of the others
	all = append(all, sizeScenarios()...)
	for i := range all {
		all[i].Troubled = troubledNames.MatchString(all[i].Name)
		all[i].endsByTime = endsByTimeNames.MatchString(all[i].Name)
		all[i].expires = expiringNames.MatchString(all[i].Name)
		all[i].waits = all[i].Name == "cluster-broker-namespace-deleted"
		all[i].endures = strings.HasSuffix(all[i].Name, "alert-endures")
	}
	return all
}

// enduranceTime is after how long something ends that must not end in the steps.
const enduranceTime = 30 * time.Minute

// renewalMargin is less than the time between the renewal of credentials in the steps and the times by which they are renewed or expire.
const renewalMargin = 2 * time.Minute

// HasNoEnd reports whether the end of the scenario is not defined with a fault of a clock: what ends in the steps ends early, late or not at all, or
// what must not end in them does.
func (s Scenario) HasNoEnd(f proxy.Fault) bool {
	switch shift := f.ProcessShift(); {
	case s.endsByTime && (f.MovesAhead() > 0 || f.HoldsUp()), s.endures && f.MovesAhead() >= enduranceTime:
		return true
	case s.waits && shift+Deadline >= rules.MissingReferenceDelay, s.expires && shift.Abs() >= renewalMargin:
		return true
	}
	return false
}

// troubledNames matches the scenarios with Warning events without a fault as well: something fails, is missing or suspended, or is left
// outside.
var troubledNames = regexp.MustCompile(`^((cluster|grpc)-)?(` +
	`instance-(failed|unknown|mitigated|unusable|retained|restored|parameters-late).*|` +
	`binding-(mitigated-ready|retained|brought|plan|namespace|secret-occupied)|` +
	`broker-(moved|secret-late|removed-in-use)|` +
	`alert-(back-unseen|deleted-undelivered|endures|expired)|` +
	`page-consent-withdrawn|` +
	`receiver-(edited|secret-rotated|by-default|anew-awaited))$|` +
	`^cluster-broker-namespace-deleted$`)

// expiringNames matches the scenarios with credentials that expire.
var expiringNames = regexp.MustCompile(`^binding-(renewed|ended)$`)

// endsByTimeNames matches the scenarios with an expiry, a time to live, or instances that lapse.
var endsByTimeNames = regexp.MustCompile(`^((cluster|grpc)-)?(alert-(again-expires|ttl|ttl-anew|expired)|source.*)$`)

// clusterWideNames matches the scenarios in which much depends on brokers and receivers, and on what they offer.
var clusterWideNames = regexp.MustCompile(`^(broker.*|receiver.*|(alert|instance|binding)(-first)?|instance-kept-async)$`)

// clusterWideCopies returns those scenarios again, with brokers and receivers of the cluster.
func clusterWideCopies(all []Scenario) (some []Scenario) {
	for _, sc := range all {
		if clusterWideNames.MatchString(sc.Name) {
			sc.Name, sc.clusterWide = "cluster-"+sc.Name, true
			some = append(some, sc)
		}
	}
	return some
}

// notifierNames matches the scenarios of receivers that recognize repeats by their key.
var notifierNames = regexp.MustCompile(`^(alert(-.*)?|receiver-.*)$`)

// notifierInGate matches those that the list of the gate has with a notifier, too: a page and its changes, the same at most once, a notifier
// that is unavailable, and a token that changes.
var notifierInGate = regexp.MustCompile(`^(alert|alert-at-most-once|alert-back-unseen|receiver-secret-rotated)$`)

// notifierCopies returns the scenarios of receivers again, with notifiers, which get their messages by gRPC.
func notifierCopies(all []Scenario) (some []Scenario) {
	for _, sc := range all {
		if notifierNames.MatchString(sc.Name) && !strings.HasSuffix(sc.Name, "-no-key") {
			sc.OnlySampled = !notifierInGate.MatchString(sc.Name)
			sc.Name, sc.Notifiers = "grpc-"+sc.Name, true
			some = append(some, sc)
		}
	}
	return some
}
