// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
	"github.com/gophernetes/bellhop/internal/walktest"
)

// instanceWalk takes an instance through edits, answers, lost answers, crashes and time,
// beside a broker that knows what is right.
type instanceWalk struct {
	*testing.T
	seed uint64
	rnd  *rand.Rand
	// absences are long times without the operator, drawn apart from the rest
	absences *rand.Rand
	// restores are restores of etcd from a backup, drawn apart from the rest
	restores *rand.Rand
	// numbers are those of next ids, drawn apart from the rest
	numbers *rand.Rand
	// outages are of a gateway, drawn apart from the rest: while outage is more than 0, every request is answered 410
	outages *rand.Rand
	outage  int
	isOut   bool // there was one
	// isElsewhere: the address of the broker is that of another one, which has nothing
	isElsewhere bool
	now         time.Time

	class  *v1beta1.ClusterServiceClass
	plans  map[string]*v1beta1.ClusterServicePlan
	broker *v1beta1.ClusterServiceBroker
	si     *v1beta1.ServiceInstance // as the API server has it
	params string                   // the checksum of those in the spec, or in a Secret
	secret int                      // the version of that; 0: there is none

	// What the process knows, until it crashes.
	unrecorded *v1beta1.ServiceInstanceStatus
	polled     time.Time
	accepted   bool // it has received the acceptance of the operation in progress
	operation  *operation.Age
	unremoved  *operation.Age
	gone       rulestest.Gone
	reported   osbresult.State // what the broker has reported of an operation since the last crash; in progress: and since the last long absence

	held       map[string]*heldInstance // at the broker, by id
	calm       bool                     // every request is answered, nothing crashes, nothing is edited
	wasReady   map[string]bool          // ids that were Ready
	removed    map[string]bool          // ids under which a removal was asked for
	lost       map[string]bool          // ids under which a removal was asked for after a restore
	suppliedID bool
	stranger   bool                 // the resource under the supplied id belongs to another user
	kept       bool                 // the policy is to remove nothing
	forgetful  bool                 // the broker answers 500 to the removal of what it does not have
	cleaned    map[string]time.Time // when the process polled the removals under ids left behind
	policy     bool                 // the policy is to remove the resource under a supplied id with the object
	released   bool
	calls      int
	lastCalls  []string
	asked      heldInstance // what the broker was last asked for

	backups  []v1beta1.ServiceInstanceStatus // every status that was recorded
	restored bool
	// restoredTo counts the phases that were restored.
	restoredTo func(Phase)
	used       map[string]bool // ids of provision requests
	unsure     bool            // since the last restore, the outcome of an operation on record became unknown
	async      bool            // the broker does everything asynchronously
	peer       *instanceWalk   // the same id in another cluster; nil: there is none
}

// heldInstance is what the broker has under an id.
type heldInstance struct {
	plan, params string
	working      string // provision, update, deprovision; empty: nothing
	polls        int    // until that is done
	fails        bool
	nextPlan     string
	nextParams   string
}

// TestInstanceWalks: wherever it stands, the broker has at most one live thing for the
// object, nothing that was Ready is removed but with the object, and once all is calm the
// broker has what the spec says, or nothing.
//
// F-S24: whatever status is restored from a backup, in each phase, nothing that was Ready is removed.
// F-S45: a new id is none that was used, before a restore or after it.
//
// F-JS14: a gateway that answers 410 to everything ends no deletion and no clean-up.
//
// F-JS9: nor does a broker at another address, which has nothing and answers other requests with success.
func TestInstanceWalks(t *testing.T) {
	restored := map[Phase]int{}
	defer func() {
		for _, phase := range recordedPhases() {
			if restored[phase] == 0 && phase != ProvisionRefused && !phase.isDeprovisioning() {
				t.Errorf("no status in the phase %v was restored", phase)
			}
		}
	}()
	for seed := range walktest.Count(1000, 4000) {
		w := newInstanceWalk(t, seed)
		w.restoredTo = func(phase Phase) { restored[phase]++ }
		for range 40 {
			w.edit()
			if w.reconcile(); w.released {
				break
			}
		}
		w.settle()
	}
}

// TestTwoClustersWithOneID: each applies one supplied id to a broker that answers 202.
//
// F-S25: neither removes what the other uses, unless its deletion policy says so.
func TestTwoClustersWithOneID(t *testing.T) {
	for seed := range walktest.Count(300, 1000) {
		blue, green := newInstanceWalk(t, seed), newInstanceWalk(t, seed+1000)
		for i, w := range []*instanceWalk{blue, green} {
			w.si.UID, w.class.Spec.InstanceRetrievable = types.UID(fmt.Sprint("uid-", i)), seed%2 == 0
			w.suppliedID, w.stranger, w.kept, w.async, w.secret, w.held = true, false, false, true, 0, blue.held
			w.peer = []*instanceWalk{green, blue}[i]
			w.si.Annotations = nil
			if w.policy {
				metav1.SetMetaDataAnnotation(&w.si.ObjectMeta, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyDelete)
			}
		}
		delete(blue.held, "id")
		for range 40 {
			for _, w := range []*instanceWalk{blue, green} {
				if w.edit(); !w.released {
					w.reconcile()
				}
			}
		}
	}
}

func newInstanceWalk(t *testing.T, seed uint64) *instanceWalk {
	w := &instanceWalk{T: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 2)), absences: rand.New(rand.NewPCG(seed, 4)), restores: rand.New(rand.NewPCG(seed, 5)), numbers: rand.New(rand.NewPCG(seed, 8)), outages: rand.New(rand.NewPCG(seed, 9)), now: rulestest.T0, params: "p0",
		restoredTo: func(Phase) {}, cleaned: map[string]time.Time{}, used: map[string]bool{}, held: map[string]*heldInstance{}, wasReady: map[string]bool{}, removed: map[string]bool{}, lost: map[string]bool{}, plans: map[string]*v1beta1.ClusterServicePlan{}}
	w.broker = &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "broker"}}
	w.class = &v1beta1.ClusterServiceClass{ObjectMeta: metav1.ObjectMeta{Name: "class"}}
	w.class.Spec.ExternalID, w.class.Spec.ExternalName, w.class.Spec.PlanUpdatable = "class-id", "mysql", true
	w.class.Spec.InstanceRetrievable = seed%2 == 0
	for _, name := range []string{"small", "medium", "large"} {
		plan := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: name}}
		plan.Spec.ExternalID, plan.Spec.ExternalName = name+"-id", name
		w.plans[name] = plan
	}
	w.si = &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db", UID: "uid", Generation: 1,
		CreationTimestamp: metav1.NewTime(rulestest.T0), Finalizers: []string{v1beta1.Finalizer}}}
	w.si.Spec.ClusterServiceClassExternalName, w.si.Spec.ClusterServicePlanExternalName = "mysql", "small"
	w.si.Spec.ExternalID = "id"
	if seed%4 < 2 { // objects of the former service-catalog have none
		w.si.Status.ObservedGeneration = rulestest.SchemaDefault
	}
	if w.suppliedID = seed%5 == 4; !w.suppliedID {
		w.si.Annotations = map[string]string{v1beta1.MadeIDAnnotation: catalog.MadeID("id", rulestest.T0)}
	} else if w.stranger = w.rnd.IntN(2) == 0; w.stranger {
		w.held["id"] = &heldInstance{plan: "small-id", params: []string{"p0", "theirs"}[w.rnd.IntN(2)]}
	}
	if w.kept = seed%7 == 6; w.kept {
		metav1.SetMetaDataAnnotation(&w.si.ObjectMeta, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
	}
	if seed%3 == 1 {
		w.secret = 1
	}
	w.forgetful = seed%11 == 3
	if w.policy = seed%7 == 5; w.policy {
		metav1.SetMetaDataAnnotation(&w.si.ObjectMeta, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyDelete)
	}
	w.backups = append(w.backups, *w.si.Status.DeepCopy())
	return w
}

func (w *instanceWalk) failf(format string, args ...any) {
	w.Helper()
	w.Fatalf("seed %d: %s\nbroker: %s\ncalls: %s\nstatus: %+v\nattempts: %+v", w.seed, fmt.Sprintf(format, args...), w.describe(), strings.Join(w.lastCalls, " "), w.si.Status, w.si.Status.Attempts)
}

func (w *instanceWalk) describe() string {
	var b strings.Builder
	for id, h := range w.held {
		fmt.Fprintf(&b, "%s: %+v ", id, *h)
	}
	return b.String()
}

func (w *instanceWalk) edit() {
	w.now = w.now.Add(time.Duration(w.rnd.IntN(120)) * time.Second)
	if w.absences.IntN(50) == 0 { // the operator was suspended, or a clock was put right
		w.now = w.now.Add(8 * 24 * time.Hour)
		w.forgetReport()
	}
	if w.outage--; w.outage <= 0 {
		w.isElsewhere = false
	}
	if !w.isOut && w.outages.IntN(25) == 0 {
		w.isOut, w.outage, w.isElsewhere = true, 1+w.outages.IntN(8), w.seed%2 == 1
	}
	if !w.si.DeletionTimestamp.IsZero() {
		return
	}
	if w.restores.IntN(25) == 0 {
		w.restore()
	}
	switch w.rnd.IntN(14) {
	case 0:
		w.si.Spec.ClusterServicePlanExternalName = []string{"small", "medium", "large"}[w.rnd.IntN(3)]
		w.si.Generation++
	case 1:
		w.params = fmt.Sprint("p", w.rnd.IntN(3))
		if w.secret > 0 { // of which the generation says nothing
			w.secret++
		} else {
			w.si.Generation++
		}
	case 2:
		w.si.Spec.UpdateRequests++
		w.si.Generation++
	case 3:
		if w.rnd.IntN(3) == 0 {
			at := metav1.NewTime(w.now)
			w.si.DeletionTimestamp = &at
			w.si.Generation++
		}
	}
}

// drawBackup draws one of the phases that were recorded, and then a backup from that phase.
func (w *instanceWalk) drawBackup() *v1beta1.ServiceInstanceStatus {
	byPhase := map[Phase][]v1beta1.ServiceInstanceStatus{}
	var phases []Phase
	for _, status := range w.backups {
		phase := PhaseOf(&status)
		if byPhase[phase] == nil {
			phases = append(phases, phase)
		}
		byPhase[phase] = append(byPhase[phase], status)
	}
	of := byPhase[phases[w.restores.IntN(len(phases))]]
	return of[w.restores.IntN(len(of))].DeepCopy()
}

// restore has etcd restored from a backup, and the operator start again.
func (w *instanceWalk) restore() {
	w.si.Status = *w.drawBackup()
	w.forget()
	for id, h := range w.held { // a restore takes longer than an operation
		for h.working != "" && h.working != "failed" {
			w.work(id, h)
		}
	}
	w.restored, w.removed = true, map[string]bool{}
	w.restoredTo(PhaseOf(&w.si.Status))
	w.unsure = w.hasUnknownOutcome()
	w.lastCalls = append(w.lastCalls, fmt.Sprintf("restored(%v)", PhaseOf(&w.si.Status)))
}

// forgetReport is that a report of an operation in progress is old: another one is needed, unless what follows from this one is being recorded.
func (w *instanceWalk) forgetReport() {
	if w.reported == osbresult.InProgress && w.unrecorded == nil {
		w.reported = ""
	}
}

// forget is the end of a process.
func (w *instanceWalk) forget() {
	w.unrecorded, w.polled, w.accepted, w.operation, w.unremoved, w.reported, w.gone, w.cleaned = nil, time.Time{}, false, nil, nil, "", rulestest.Gone{}, map[string]time.Time{}
}

// hasUnknownOutcome says whether a provisioning is on record whose outcome a new process does not know. What has a broker that tells
// nothing of it is removed then.
func (w *instanceWalk) hasUnknownOutcome() bool {
	s := &w.si.Status
	return PhaseOf(s) == Provisioning || PhaseOf(s).isMitigating() || s.Attempts != nil && s.Attempts.Unknown > 0
}

// uses says whether the object is recorded to have what the broker has under its id.
func (w *instanceWalk) uses() bool { return !w.released && PhaseOf(&w.si.Status).MayExist() }

// inputs is what the shell would look up.
func (w *instanceWalk) inputs() Inputs {
	plan := w.plans[w.si.Spec.ClusterServicePlanExternalName]
	world := Inputs{Inputs: operation.Inputs{Now: w.now, Server: rulestest.ServerTime(w.now, false), Uptime: w.now.Sub(rulestest.T0), NextNumber: 1 + w.numbers.Int32N(catalog.NextNumbers), Gone: w.gone.Inputs(w.si.Status.Common()), Address: rulestest.AddressesInWalk(w.isElsewhere, w.calm), LastPoll: w.polled, SeenRunning: w.accepted, Operation: w.operation, Unremoved: w.unremoved, Definition: rules.DefinitionLives},
		Offering: rules.Offering{Class: w.class, Plan: plan, Broker: w.broker}}
	world.CleanUpPolls, world.CleanUpBrokers = w.cleaned, rulestest.CleanUpBrokers(w.si.Status.Common(), w.broker, &world.Inputs)
	world.Parameters.Known, world.Parameters.Checksum = true, w.params
	world.Parameters.Version = fmt.Sprint("v", w.secret)
	world.PresentPlan, world.OperationPlan = planIn(w.plans, w.si.Status.ExternalProperties), planIn(w.plans, OperationProperties(&w.si.Status))
	return world
}

// planIn is the plan that properties name.
func planIn(plans map[string]*v1beta1.ClusterServicePlan, props *v1beta1.ServiceInstancePropertiesState) v1beta1.Plan {
	for _, p := range plans {
		if props != nil && p.Spec.ExternalID == rules.PlanID(props) {
			return p
		}
	}
	return nil
}

// reconcile is what the shell does, with a crash or a lost write wherever there may be one.
func (w *instanceWalk) reconcile() {
	w.now = w.now.Add(time.Second)
	si := w.si.DeepCopy()
	if w.unrecorded != nil {
		si.Status = *w.unrecorded.DeepCopy()
	}
	next := Decide(si, w.inputsAt(si))
	w.checkPhase(next.Status)
	switch {
	case next.Need != "":
		w.failf("a needless step: %+v", next)
	case next.Release != nil:
		w.release()
		return
	case next.Request == nil:
		if w.record(next.Status) { // otherwise the error of the write causes a reconcile
			w.checkWakeUp(next.RequeueAt)
			w.checkAvailability(next)
		}
		return
	}
	if (next.WriteAhead || w.unrecorded != nil) && !w.record(next.Status) || w.crashes() {
		return
	}
	if si.DeletionTimestamp.IsZero() && next.Request.Operation == rules.Deprovision && w.wasReady[next.Request.ID] && (!w.restored || !w.unsure && !next.Request.CleanUp) {
		w.failf("what was Ready is removed")
	}
	if w.removed[next.Request.ID] && next.Request.Operation == rules.Provision {
		w.failf("F-S5: what was removed is provisioned again under its id")
	}
	w.removed[next.Request.ID] = w.removed[next.Request.ID] || next.Request.Operation == rules.Deprovision
	w.lost[next.Request.ID] = w.lost[next.Request.ID] || w.restored && next.Request.Operation == rules.Deprovision
	if verb, on := next.Request.Operation, &w.si.Status; (verb == rules.Provision || verb == rules.Update) &&
		(on.CurrentOperation == "" || on.InProgressProperties == nil || !rules.SameProperties(on.InProgressProperties, next.Request.Properties) || on.ObservedGeneration != si.Generation) {
		w.failf("R1: %s is sent and not on record", verb)
	}
	a := w.ask(si, next.Request)
	if w.crashes() {
		return
	}
	if next.Request.CleanUp {
		w.applyCleanUp(si, next, a)
		return
	}
	w.accepted = a.Class == osbresult.Accepted || a.State == osbresult.InProgress || next.Request.Operation == rules.Poll && w.accepted
	w.unsure = w.unsure || next.Request.Operation == rules.Provision && a.Class == osbresult.Unknown
	if next.Request.Operation == rules.Poll {
		w.polled, w.reported = w.now, a.State
	} else {
		w.polled = time.Time{}
	}
	w.gone.Observe(a.Outcome)
	status := Apply(si, next.Status, *next.Request, a, w.now)
	w.checkPhase(status)
	w.unrecorded = status.DeepCopy()
	si.Status = status
	if after := Decide(si, w.inputsAt(si)); after.Release != nil {
		w.release()
	} else if after.Request == nil && after.Need != rules.NeedReferences {
		if w.record(after.Status) && after.Need == "" {
			w.checkWakeUp(after.RequeueAt)
			w.checkAvailability(after)
		}
	} else {
		w.record(status)
	}
}

// checkAvailability has the catalog requested where a decision wants it.
func (w *instanceWalk) checkAvailability(next Decision) {
	if (next.CheckAvailability || len(next.CheckCleanUps) > 0) && (w.outage <= 0 || w.isElsewhere) && (w.calm || w.outages.IntN(3) > 0) {
		w.gone.Succeed()
	}
}

// applyCleanUp applies the answer to a request about an id left behind: nothing else of the status changes.
func (w *instanceWalk) applyCleanUp(si *v1beta1.ServiceInstance, next Decision, a Answer) {
	if next.Request.Operation == rules.Poll {
		w.cleaned[next.Request.ID] = w.now
	}
	status := Apply(si, next.Status, *next.Request, a, w.now)
	before, after := *si.Status.DeepCopy(), *status.DeepCopy()
	before.LeftBehind, after.LeftBehind, before.Gone, after.Gone = nil, nil, nil, nil
	if !equality.Semantic.DeepEqual(before, after) {
		w.failf("F-JS12: a clean-up changes the status: %+v", status)
	}
	w.unrecorded = status.DeepCopy()
	w.record(status)
}

// checkWakeUp fails the walk unless what is neither Ready nor Stalled is looked at again without an event.
func (w *instanceWalk) checkWakeUp(at time.Time) {
	all := w.si.Status.Conditions
	if len(w.si.Status.LeftBehind) > 0 && w.si.DeletionTimestamp.IsZero() && !w.kept && at.IsZero() {
		w.failf("F-JS12: what is left behind is not looked at again")
	}
	settled := rules.IsTrue(rules.FindCondition(all, v1beta1.ConditionReady)) && w.si.DeletionTimestamp.IsZero() || rules.IsTrue(rules.FindCondition(all, v1beta1.ConditionStalled))
	if !settled && at.IsZero() {
		w.failf("it is neither Ready nor Stalled, and is not looked at again: %+v", all)
	}
}

// checkPhase fails the walk unless a status is what its phase is encoded as, and the phase one that Bellhop writes.
func (w *instanceWalk) checkPhase(status v1beta1.ServiceInstanceStatus) {
	phase, encoded := PhaseOf(&status), status
	phase.encode(&encoded)
	type written struct { // by encode
		fields
		accepted bool
		last     *string
		start    *metav1.Time
		props    *v1beta1.ServiceInstancePropertiesState
	}
	of := func(s v1beta1.ServiceInstanceStatus) written {
		return written{fields{s.CurrentOperation, s.OrphanMitigationInProgress, s.ProvisionStatus, s.DeprovisionStatus}, s.AsyncOpInProgress, s.LastOperation, s.OperationStartTime, s.InProgressProperties}
	}
	if of(encoded) != of(status) {
		w.failf("phase %v is on record as %+v, and encoded as %+v", phase, status, encoded)
	}
	if phase == ProvisionRefused || phase == RemovalFailed {
		w.failf("phase %v is only of the original service-catalog", phase)
	}
}

func (w *instanceWalk) inputsAt(si *v1beta1.ServiceInstance) Inputs {
	before := w.si
	w.si = si
	defer func() { w.si = before }()
	in := w.inputs()
	in.Operation, in.Unremoved = in.ObserveOperation(si.Status.Common()), in.ObserveUnremoved(si.Status.Common())
	w.operation, w.unremoved = in.Operation, in.Unremoved
	return in
}

// record writes a status, unless the write fails.
func (w *instanceWalk) record(status v1beta1.ServiceInstanceStatus) bool {
	if what := rulestest.Contradiction(status.Conditions); what != "" {
		w.failf("%s: %+v", what, status.Conditions)
	}
	if id := status.ExternalID; !slices.Contains(catalog.ExternalIDs(w.si), id) && w.used[id] {
		w.failf("F-S45: the new id %s was used", id)
	}
	if equality.Semantic.DeepEqual(status, w.si.Status) {
		w.unrecorded = nil
		return true
	}
	if !w.calm && w.rnd.IntN(8) == 0 {
		return false
	}
	if was := &w.si.Status; was.AsyncOpInProgress && was.CurrentOperation == v1beta1.OperationProvision && status.OrphanMitigationInProgress && !was.OrphanMitigationInProgress && w.reported == "" {
		w.failf("F-S1: what is in progress is removed, and was not asked for")
	}
	w.si.Status, w.unrecorded = *status.DeepCopy(), nil
	w.backups = append(w.backups, *status.DeepCopy())
	if c := rules.FindCondition(status.Conditions, v1beta1.ConditionReady); c.Status == v1beta1.ConditionTrue {
		w.wasReady[rules.InstanceID(w.si)], w.unsure = true, false
		if id := rules.InstanceID(w.si); w.held[id] == nil && !w.lost[id] && w.peer == nil {
			w.failf("Ready, and the broker has nothing")
		}
	}
	return true
}

func (w *instanceWalk) release() {
	if !w.calm && w.rnd.IntN(4) == 0 {
		return // the write failed
	}
	w.released = true
	for id, h := range w.held {
		if w.kept || w.restored {
			continue
		}
		if !w.suppliedID || !w.stranger && w.si.Status.CreatedForUID != "" {
			w.failf("released, and the broker has %s: %+v", id, *h)
		}
	}
}

func (w *instanceWalk) crashes() bool {
	if w.calm || w.rnd.IntN(10) > 0 {
		return false
	}
	w.forget()
	w.unsure = w.unsure || w.hasUnknownOutcome()
	return true
}

// ask is the network and the broker.
func (w *instanceWalk) ask(si *v1beta1.ServiceInstance, call *Request) Answer {
	w.calls++
	w.lastCalls = append(w.lastCalls, fmt.Sprintf("%s(%s,%s)", call.Operation, call.ID, call.PlanID))
	w.used[call.ID] = w.used[call.ID] || call.Operation == rules.Provision
	if call.Properties != nil {
		w.asked = heldInstance{plan: rules.PlanID(call.Properties), params: call.Properties.ParameterChecksum}
	}
	if w.calm {
		return w.act(si, call)
	}
	if w.outage > 0 && (call.IsRemoval() || !w.restored) { // after a restore other checks know only the usual answers
		if w.isElsewhere && !call.IsRemoval() {
			return answerOf(osbresult.Retry, 503)
		}
		return answerOf(goneTo(call), 410)
	}
	switch w.rnd.IntN(12) {
	case 0:
		return Answer{Outcome: osbresult.Outcome{Class: osbresult.Retry, Description: "no connection"}}
	case 1:
		w.act(si, call)
		return Answer{Outcome: osbresult.Outcome{Class: unknownTo(call), Description: "no answer", Sent: true}}
	case 2:
		return Answer{Outcome: osbresult.Outcome{Class: unknownTo(call), Status: 500, Sent: true}}
	case 3:
		return Answer{Outcome: osbresult.Outcome{Class: osbresult.Retry, Status: 429, Sent: true, RetryAfter: 5 * time.Second}}
	case 4:
		return Answer{Outcome: osbresult.Outcome{Class: osbresult.Rejected, Status: 400, Sent: true}}
	case 5:
		return Answer{Outcome: osbresult.Outcome{Class: osbresult.Concurrency, Status: 422, Sent: true}}
	}
	return w.act(si, call)
}

// goneTo is how an answer 410 to a request is classed.
func goneTo(call *Request) osbresult.Class {
	switch {
	case call.Operation == rules.Deprovision, call.PollsRemoval:
		return osbresult.Gone
	case call.Operation == rules.Poll:
		return osbresult.Malformed
	}
	return osbresult.Misconfigured
}

// unknownTo is how a request whose outcome is not known is classed.
func unknownTo(call *Request) osbresult.Class {
	if call.Operation == rules.Poll || call.Operation == rules.Inspect {
		return osbresult.Malformed
	}
	return osbresult.Unknown
}

// act is the broker.
func (w *instanceWalk) act(si *v1beta1.ServiceInstance, call *Request) Answer {
	h := w.held[call.ID]
	if h != nil && h.working != "" {
		w.work(call.ID, h)
		h = w.held[call.ID]
	}
	switch call.Operation {
	case rules.Provision:
		return w.provision(call, h)
	case rules.Update:
		return w.update(call, h)
	case rules.Deprovision:
		return w.deprovision(si, call, h)
	case rules.Inspect:
		switch {
		case !w.class.Spec.InstanceRetrievable:
			return w.poll(call, h)
		case h == nil, h.working == "provision", h.working == "failed":
			return answerOf(osbresult.Gone, 404)
		}
		return Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 200, Sent: true}, Instance: &osbresult.Instance{PlanID: h.plan}}
	default:
		return w.poll(call, h)
	}
}

func answerOf(class osbresult.Class, status int) Answer {
	return Answer{Outcome: osbresult.Outcome{Class: class, Status: status, Sent: true}}
}

// work is what the broker does beside.
func (w *instanceWalk) work(id string, h *heldInstance) {
	if h.polls--; h.polls > 0 && !w.calm {
		return
	}
	switch {
	case h.working == "deprovision" && !h.fails:
		w.drop(id)
	case h.working == "update" && !h.fails:
		h.plan, h.params = h.nextPlan, h.nextParams
	}
	if h.working == "provision" && h.fails {
		h.working = "failed"
		return
	}
	h.working = ""
}

// drop removes what the broker has under an id.
func (w *instanceWalk) drop(id string) {
	delete(w.held, id)
	delete(w.wasReady, id)
}

func (w *instanceWalk) provision(call *Request, h *heldInstance) Answer {
	plan, params := rules.PlanID(call.Properties), call.Properties.ParameterChecksum
	switch {
	case h == nil && (w.rnd.IntN(2) == 0 || w.async):
		w.held[call.ID] = &heldInstance{plan: plan, params: params, working: "provision", polls: 1 + w.rnd.IntN(3), fails: !w.calm && w.rnd.IntN(6) == 0}
		return answerOf(osbresult.Accepted, 202)
	case h == nil:
		w.held[call.ID] = &heldInstance{plan: plan, params: params}
		done := answerOf(osbresult.Done, 201)
		done.Created = true
		return done
	case h.plan != plan || h.params != params || h.working == "deprovision" || h.working == "failed":
		return answerOf(osbresult.Conflict, 409)
	case h.working == "update":
		return answerOf(osbresult.Concurrency, 422)
	case h.working != "":
		return answerOf(osbresult.Accepted, 202)
	}
	return answerOf(osbresult.Done, 200)
}

func (w *instanceWalk) update(call *Request, h *heldInstance) Answer {
	if h == nil || h.working == "failed" {
		return answerOf(osbresult.Misconfigured, 404)
	}
	if h.working != "" {
		return answerOf(osbresult.Concurrency, 422)
	}
	h.nextPlan, h.nextParams = h.plan, h.params
	if call.NewPlan {
		h.nextPlan = rules.PlanID(call.Properties)
	}
	if call.NewParameters {
		h.nextParams = call.Properties.ParameterChecksum
	}
	if w.rnd.IntN(2) == 0 {
		h.working, h.polls, h.fails = "update", 1+w.rnd.IntN(3), !w.calm && w.rnd.IntN(6) == 0
		return answerOf(osbresult.Accepted, 202)
	}
	h.plan, h.params = h.nextPlan, h.nextParams
	return answerOf(osbresult.Done, 200)
}

func (w *instanceWalk) deprovision(si *v1beta1.ServiceInstance, call *Request, h *heldInstance) Answer {
	if goes := w.policy && !si.DeletionTimestamp.IsZero(); w.stranger && !goes {
		w.failf("a stranger's instance is removed")
	}
	if w.kept {
		w.failf("what is to be kept is removed")
	}
	if w.peer != nil && w.peer.uses() && !w.policy {
		w.failf("what the other cluster uses is removed; its status: %+v", w.peer.si.Status)
	}
	switch {
	case h == nil && w.forgetful:
		return answerOf(osbresult.Unknown, 500)
	case h == nil:
		return answerOf(osbresult.Gone, 410)
	case h.working == "deprovision":
		return answerOf(osbresult.Accepted, 202)
	case call.PlanID != h.plan && !w.stranger: // whose plan is not on record
		return answerOf(osbresult.Rejected, 400)
	case h.working != "" && h.working != "failed" && w.seed%3 == 0: // it first ends what it has begun
		return answerOf(osbresult.Concurrency, 422)
	case w.rnd.IntN(2) == 0:
		h.working, h.polls, h.fails = "deprovision", 1+w.rnd.IntN(3), !w.calm && w.rnd.IntN(6) == 0
		return answerOf(osbresult.Accepted, 202)
	}
	w.drop(call.ID)
	return answerOf(osbresult.Done, 200)
}

func (w *instanceWalk) poll(call *Request, h *heldInstance) Answer {
	if h == nil {
		class := osbresult.Malformed
		if call.PollsRemoval {
			class = osbresult.Gone
		}
		return answerOf(class, 410)
	}
	a := answerOf(osbresult.Done, 200)
	switch {
	case h.working == "failed", h.fails && h.working == "":
		a.State = osbresult.Failed
	case h.working != "":
		a.State = osbresult.InProgress
	default:
		a.State = osbresult.Succeeded
	}
	return a
}

// settle: once all is calm, what is there is what should be.
func (w *instanceWalk) settle() {
	w.calm, w.outage, w.isElsewhere = true, 0, false
	before := 0
	for i := range 200 {
		if w.released {
			return
		}
		if i == 100 && len(w.si.Status.LeftBehind) > 0 {
			w.now = w.now.Add(30 * time.Hour)
		}
		if attempts := w.si.Status.Attempts; attempts != nil && attempts.NextTime != nil && w.now.Before(attempts.NextTime.Time) {
			w.now = attempts.NextTime.Time
		}
		w.now = w.now.Add(2 * time.Minute)
		before = w.calls
		w.reconcile()
	}
	endless := w.forgetful && !w.si.DeletionTimestamp.IsZero() // it confirms no removal whose answer was lost
	if w.calls != before && !w.restored && !endless && len(w.si.Status.LeftBehind) == 0 && !rules.IsSlow(w.si.Status.Attempts) {
		w.failf("it does not come to rest")
	}
	w.check()
}

func (w *instanceWalk) check() {
	ready := rules.FindCondition(w.si.Status.Conditions, v1beta1.ConditionReady)
	if !w.si.DeletionTimestamp.IsZero() {
		if ready.Reason == v1beta1.ReasonConflict || w.forgetful || ready.Reason == v1beta1.ReasonOwnershipUnknown && w.suppliedID { // a person decides
			metav1.SetMetaDataAnnotation(&w.si.ObjectMeta, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
			w.kept = true
			w.reconcile()
		}
		if !w.released && !w.restored { // else it is not on record which plan it has
			w.failf("it is not released")
		}
		return
	}
	if w.restored || w.peer != nil { // a status from a backup may say less than the broker has
		return
	}
	if len(w.held) > 1 {
		w.failf("the broker has more than one")
	}
	h := w.held[rules.InstanceID(w.si)]
	switch {
	case ready.Status == v1beta1.ConditionTrue:
		isTheirs := w.suppliedID && w.stranger
		if !isTheirs && (h == nil || h.plan != w.si.Spec.ClusterServicePlanExternalName+"-id" || h.params != w.params) {
			w.failf("Ready, and the broker has another: want %s %s", w.si.Spec.ClusterServicePlanExternalName, w.params)
		}
	case ready.Reason == v1beta1.ReasonConflict: // a person decides
	case rules.FindCondition(w.si.Status.Conditions, v1beta1.ConditionStalled).Status != v1beta1.ConditionTrue:
		w.failf("neither Ready nor Stalled")
	case w.asked != heldInstance{plan: w.si.Spec.ClusterServicePlanExternalName + "-id", params: w.params}:
		w.failf("given up, and never asked for: want %s %s, asked for %+v", w.si.Spec.ClusterServicePlanExternalName, w.params, w.asked)
	case rules.IsConflictUnexplained(w.si.Status.Attempts) && strings.Contains(ready.Message, "It is neither changed nor removed"): // and another request was refused meanwhile
	case h != nil && !w.suppliedID && !w.kept && w.si.Status.ProvisionStatus != v1beta1.Provisioned:
		w.failf("failed, and something is left")
	}
}
