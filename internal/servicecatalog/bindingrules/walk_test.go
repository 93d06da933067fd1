// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
	"github.com/gophernetes/bellhop/internal/walktest"
)

// bindingWalk takes a binding through edits of it and of its Secret, answers, lost
// answers, crashes and time, beside a broker that knows what is right.
type bindingWalk struct {
	*testing.T
	seed uint64
	rnd  *rand.Rand
	// absences are long times without the operator, drawn apart from the rest
	absences *rand.Rand
	// restores are those of instanceWalk
	restores *rand.Rand
	// numbers are those of instanceWalk
	numbers *rand.Rand
	// outages are those of instanceWalk
	outages *rand.Rand
	outage  int
	isOut   bool
	// isElsewhere is that of instanceWalk
	isElsewhere bool
	now         time.Time
	// updates are those of the instance, of the Secret that is copied, and of what a Secret can hold, drawn apart from the rest
	updates *rand.Rand
	sources int // the version of that Secret
	// clocks are jumps of the operator's clock, drawn apart from the rest; skew is how far it is ahead of the broker's
	clocks *rand.Rand
	skew   time.Duration

	instance *v1beta1.ServiceInstance
	class    *v1beta1.ClusterServiceClass
	plan     *v1beta1.ClusterServicePlan
	broker   *v1beta1.ClusterServiceBroker
	b        *v1beta1.ServiceBinding // as the API server has it
	secret   *corev1.Secret          // as the API server has it
	cached   *corev1.Secret          // as the process has it
	version  int
	params   string

	// What the process knows, until it crashes.
	unrecorded *v1beta1.ServiceBindingStatus
	known      Memory
	polled     time.Time
	accepted   bool // that of instanceWalk
	operation  *operation.Age
	unremoved  *operation.Age
	gone       rulestest.Gone
	reported   osbresult.State // that of instanceWalk

	held       map[string]*heldBinding // at the broker, by id
	oneShot    bool                    // it returns credentials once only
	lifetime   time.Duration           // of the credentials; 0: they do not end
	async      bool
	made       int
	calm       bool                 // every request is answered, nothing crashes, no user edits
	wasReady   map[string]bool      // ids that were Ready
	removed    map[string]bool      // ids under which a removal was asked for
	withheld   map[string]bool      // hosts that the broker has refused to return, since the Secret was written
	endless    map[string]bool      // tokens of which a crash has lost when they end
	replaced   map[string]time.Time // when the credentials of a token were replaced in the Secret
	suppliedID bool
	stranger   bool // another client created what is under the supplied id
	released   bool
	calls      int
	lastCalls  []string

	backups          []bindingBackup
	restoredTo       func(bindingphase.Task) // counts the tasks that were restored
	used             map[string]bool         // ids of bind requests
	forgetful        bool                    // that of instanceWalk
	cleaned          map[string]time.Time    // that of instanceWalk
	restored, unsure bool                    // those of instanceWalk
	peer             *bindingWalk            // the same id in another cluster; nil: there is none
}

// bindingBackup is what a backup of etcd has of a binding.
type bindingBackup struct {
	status v1beta1.ServiceBindingStatus
	secret *corev1.Secret
}

// heldBinding is what the broker has under an id.
type heldBinding struct {
	params, predecessor string
	token               string
	returned            bool
	ends                time.Time
	working             string // bind, unbind, failed; empty: nothing
	polls               int    // until that is done
	fails               bool
}

// F-S26: wherever it stands, and whatever the clock says, nothing that was Ready is removed before something has replaced it and its overlap
// is over, the credentials in the Secret are valid at the broker, nothing is Ready whose credentials have ended, and once all is calm there
// is one binding with its credentials in the Secret, or nothing.
//
// F-S12: each bind request is on record before it is sent, so that a blank binding has nothing at the broker.
// F-S24: whatever status is restored from a backup, in each phase, nothing that was Ready is removed.
// F-S45: a new id is none that was used, before a restore or after it.
//
// F-JS14: a gateway that answers 410 to everything ends no deletion, no clean-up and no removal of a predecessor.
//
// F-JS9: nor does a broker at another address, which has nothing and answers other requests with success.
func TestBindingWalks(t *testing.T) {
	restored := map[bindingphase.Task]int{}
	defer func() {
		for _, task := range []bindingphase.Task{bindingphase.Idle, bindingphase.Binding, bindingphase.Rotating, bindingphase.Replacing, bindingphase.RemovingPredecessor, bindingphase.Mitigating, bindingphase.MitigatingSuccessor} {
			if restored[task] == 0 {
				t.Errorf("no status with the task %q was restored", task)
			}
		}
	}()
	for seed := range walktest.Count(1000, 4000) {
		w := newBindingWalk(t, seed)
		w.restoredTo = func(task bindingphase.Task) { restored[task]++ }
		for range 40 {
			w.edit()
			if w.reconcile(); w.released {
				break
			}
			w.checkSecret()
		}
		w.settle()
	}
}

// TestTwoClustersWithOneID: each applies one supplied id to a broker that answers 202.
//
// F-S25: neither removes what the other uses.
func TestTwoClustersWithOneID(t *testing.T) {
	for seed := range walktest.Count(300, 1000) {
		blue, green := newBindingWalk(t, seed), newBindingWalk(t, seed+1000)
		for i, w := range []*bindingWalk{blue, green} {
			w.b.UID, w.b.Annotations = types.UID(fmt.Sprint("uid-", i)), map[string]string{}
			w.class.Spec.BindingRetrievable, w.plan.Spec.BindingRotatable = true, false
			w.suppliedID, w.stranger, w.async, w.oneShot, w.lifetime, w.held = true, false, true, false, 0, blue.held
			w.peer = []*bindingWalk{green, blue}[i]
		}
		delete(blue.held, "id")
		for range 40 {
			for _, w := range []*bindingWalk{blue, green} {
				if w.edit(); !w.released {
					w.reconcile()
				}
			}
		}
	}
}

func newBindingWalk(t *testing.T, seed uint64) *bindingWalk {
	w := &bindingWalk{T: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 3)), absences: rand.New(rand.NewPCG(seed, 4)), restores: rand.New(rand.NewPCG(seed, 5)), numbers: rand.New(rand.NewPCG(seed, 8)), outages: rand.New(rand.NewPCG(seed, 9)), clocks: rand.New(rand.NewPCG(seed, 6)), updates: rand.New(rand.NewPCG(seed, 7)), replaced: map[string]time.Time{}, now: rulestest.T0, params: "p0",
		restoredTo: func(bindingphase.Task) {}, cleaned: map[string]time.Time{}, used: map[string]bool{}, held: map[string]*heldBinding{}, wasReady: map[string]bool{}, removed: map[string]bool{}, withheld: map[string]bool{}, endless: map[string]bool{}}
	o := rulestest.NewOffering()
	w.class, w.plan, w.broker, w.instance = o.Class.(*v1beta1.ClusterServiceClass), o.Plan.(*v1beta1.ClusterServicePlan), o.Broker.(*v1beta1.ClusterServiceBroker), rulestest.NewInstance()
	w.class.Spec.BindingRetrievable = seed&1 != 0
	w.async = seed&1 != 0 && seed&2 != 0
	w.oneShot = seed&4 != 0
	w.plan.Spec.BindingRotatable = seed&8 != 0
	if seed&16 != 0 {
		w.lifetime = 20 * time.Minute
	}
	w.instance.Status.ProvisionStatus = v1beta1.Provisioned
	w.instance.Status.ExternalProperties = &v1beta1.ServiceInstancePropertiesState{ClusterServicePlanExternalID: "small-id"}
	w.b = &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "b", UID: "uid-b", Generation: 1,
		CreationTimestamp: metav1.NewTime(rulestest.T0), Finalizers: []string{v1beta1.Finalizer}, Annotations: map[string]string{}}}
	w.b.Spec.InstanceRef.Name, w.b.Spec.ExternalID = "db", "id"
	if brief := []string{"", "", "0", "120"}[seed>>6&3]; brief != "" {
		w.b.Annotations[v1beta1.RotationOverlapAnnotation] = brief
	}
	if seed&32 == 0 { // objects of the former service-catalog have none
		w.b.Status.ObservedGeneration = rulestest.SchemaDefault
	}
	w.forgetful = seed%11 == 3
	if w.suppliedID = seed%5 == 4; !w.suppliedID {
		w.b.Annotations[v1beta1.MadeIDAnnotation] = catalog.MadeID("id", rulestest.T0)
	} else if w.stranger = w.rnd.IntN(2) == 0; w.stranger {
		w.held["id"] = &heldBinding{params: checksumOf([]string{"p0", "theirs"}[w.rnd.IntN(2)]), token: "theirs", returned: w.oneShot}
	}
	w.backups = append(w.backups, bindingBackup{*w.b.Status.DeepCopy(), nil})
	return w
}

func (w *bindingWalk) failf(format string, args ...any) {
	w.Helper()
	secret := "none"
	if w.secret != nil {
		secret = fmt.Sprintf("%q of version %s", w.secret.Data, w.secret.ResourceVersion)
	}
	w.Fatalf("seed %d: %s\nbroker: %s\ncalls: %s\nSecret: %s\nstatus: %+v\nattempts: %+v\nknown: %+v", w.seed, fmt.Sprintf(format, args...), w.describe(), strings.Join(w.lastCalls, " "), secret, w.b.Status, w.b.Status.Attempts, w.known)
}

func (w *bindingWalk) describe() string {
	var b strings.Builder
	for id, h := range w.held {
		fmt.Fprintf(&b, "%s: %+v ", id, *h)
	}
	return b.String()
}

// readClocks sets the present time.
func (w *bindingWalk) readClocks(in *Inputs) {
	in.Now, in.Server, in.Uptime = w.now, rulestest.ServerTime(w.rightNow(), w.isTimeUnknown()), w.rightNow().Sub(rulestest.T0)
}

// isTimeUnknown: the API server's time is not known for an hour of every three.
func (w *bindingWalk) isTimeUnknown() bool { return w.rightNow().Unix()/3600%3 == 2 }

// rightNow is the time by the clocks of the broker and of the API server, which are right.
func (w *bindingWalk) rightNow() time.Time { return w.now.Add(-w.skew) }

func (w *bindingWalk) edit() {
	w.now = w.now.Add(time.Duration(w.rnd.IntN(120)) * time.Second)
	if w.absences.IntN(50) == 0 { // the operator was suspended, or a clock was put right
		w.now = w.now.Add(8 * 24 * time.Hour)
		w.forgetReport()
	}
	if w.clocks.IntN(25) == 0 {
		day := 24 * time.Hour
		by := []time.Duration{time.Minute, time.Hour, day, 365 * day}[w.clocks.IntN(4)]
		if w.clocks.IntN(2) == 0 {
			by = -by
		}
		w.skew, w.now = w.skew+by, w.now.Add(by)
		w.forgetReport()
	}
	if w.outage--; w.outage <= 0 {
		w.isElsewhere = false
	}
	if !w.isOut && w.outages.IntN(25) == 0 {
		w.isOut, w.outage, w.isElsewhere = true, 1+w.outages.IntN(8), w.seed&128 != 0
	}
	if w.rnd.IntN(3) > 0 {
		w.cached = w.secret.DeepCopy()
	}
	if w.restores.IntN(25) == 0 && w.b.DeletionTimestamp.IsZero() {
		w.restore()
	}
	if w.peer == nil {
		w.update()
	}
	switch w.rnd.IntN(20) {
	case 0:
		w.params = fmt.Sprint("p", w.rnd.IntN(2))
	case 1:
		metav1.SetMetaDataAnnotation(&w.b.ObjectMeta, v1beta1.RebindAnnotation, fmt.Sprint(w.rnd.IntN(9)))
	case 2:
		if w.secret != nil {
			w.secret = nil
		}
	case 3:
		if w.secret != nil && len(w.secret.Data["token"]) > 0 {
			edited := w.secret.DeepCopy()
			edited.Data["token"] = []byte("edited")
			w.write(edited)
		}
	case 4:
		if w.secret != nil {
			edited := w.secret.DeepCopy()
			edited.Data = map[string][]byte{"theirs": []byte("stays")}
			maps.Copy(edited.Data, w.secret.Data)
			w.write(edited)
		}
	case 5:
		if w.b.DeletionTimestamp.IsZero() && w.rnd.IntN(3) == 0 {
			at := metav1.NewTime(w.now)
			w.b.DeletionTimestamp = &at
			w.b.Generation++
		}
	}
}

// update updates the instance, or the Secret that is copied.
func (w *bindingWalk) update() {
	switch w.updates.IntN(20) {
	case 0, 1:
		w.updateInstance(fmt.Sprint("host-", w.updates.IntN(3)))
	case 2:
		w.sources++
	}
}

// updateInstance has the broker return another host with the credentials.
func (w *bindingWalk) updateInstance(host string) {
	w.instance.Status.ExternalProperties.ParameterChecksum = host
}

func (w *bindingWalk) host() string { return w.instance.Status.ExternalProperties.ParameterChecksum }

// isHostOutdated reports whether the Secret has another host than the broker returns now, if it does: it may have refused to, which is final for the
// instance as it was then, also after a restart. After a crash between the writes of Secret and status it is not known which host the Secret has.
func (w *bindingWalk) isHostOutdated() bool {
	s := &w.b.Status
	isRefused := w.known.recovery.of(rules.BindingID(w.b, s)).hasFailed(fetch) || w.withheld[w.host()] && s.InstanceFingerprint == InstanceFingerprint(w.instance)
	isReturned := w.class.Spec.BindingRetrievable && !w.oneShot && !isRefused
	return isReturned && w.secret != nil && string(w.secret.Data["host"]) != w.host() && s.InstanceFingerprint != ""
}

// restore is that of instanceWalk; the Secret is restored as well.
func (w *bindingWalk) restore() {
	backup := w.backups[w.restores.IntN(len(w.backups))]
	w.b.Status, w.secret = *backup.status.DeepCopy(), backup.secret.DeepCopy()
	w.forget()
	for id, h := range w.held { // a restore takes longer than an operation
		for h.working != "" && h.working != "failed" {
			w.work(id, h)
		}
	}
	w.restored, w.removed = true, map[string]bool{}
	w.restoredTo(bindingphase.TaskOf(&w.b.Status))
	w.unsure = w.hasUnknownOutcome()
	w.lastCalls = append(w.lastCalls, fmt.Sprintf("restored(%v)", bindingphase.Of(&w.b.Status)))
}

// forgetReport is that of instanceWalk.
func (w *bindingWalk) forgetReport() {
	if w.reported == osbresult.InProgress && w.unrecorded == nil {
		w.reported = ""
	}
}

func (w *bindingWalk) forget() {
	w.unrecorded, w.polled, w.accepted, w.operation, w.unremoved, w.reported, w.known, w.gone, w.cleaned = nil, time.Time{}, false, nil, nil, "", Memory{}, rulestest.Gone{}, map[string]time.Time{}
	w.cached = w.secret.DeepCopy()
}

// hasUnknownOutcome is that of instanceWalk. What was accepted may have failed: then it is asked for again.
func (w *bindingWalk) hasUnknownOutcome() bool {
	s, phase := &w.b.Status, bindingphase.Of(&w.b.Status)
	return phase.Creates() && !phase.Accepted || phase.IsRemoval() || s.Attempts != nil && s.Attempts.Unknown > 0
}

// write is the API server taking a Secret.
func (w *bindingWalk) write(secret *corev1.Secret) {
	w.version++
	w.secret = secret.DeepCopy()
	w.secret.ResourceVersion = strconv.Itoa(w.version)
}

// inputs is what the shell would look up.
func (w *bindingWalk) inputs(b *v1beta1.ServiceBinding) Inputs {
	world := Inputs{Inputs: operation.Inputs{Now: w.now, NextNumber: 1 + w.numbers.Int32N(catalog.NextNumbers), Gone: w.gone.Inputs(b.Status.Common()), Address: rulestest.AddressesInWalk(w.isElsewhere, w.calm), LastPoll: w.polled, SeenRunning: w.accepted, Operation: w.operation, Unremoved: w.unremoved, Definition: rules.DefinitionLives}, Broker: w.broker, Memory: w.known.RequestMemory, Issued: w.known.Issued,
		BoundInstance: BoundInstance{Instance: w.instance, Class: w.class, Plan: w.plan, Target: &v1beta1.ServiceBindingTarget{
			BrokerReference: v1beta1.BrokerReference{Kind: "ClusterServiceBroker", Name: "broker", ServiceID: "class-id"}, PlanID: "small-id", InstanceID: "id"}}}
	w.readClocks(&world)
	world.CleanUpPolls, world.CleanUpBrokers = w.cleaned, rulestest.CleanUpBrokers(b.Status.Common(), w.broker, &world.Inputs)
	world.Parameters.Known, world.Parameters.Checksum, world.Parameters.Version = true, checksumOf(w.params), w.params
	var seen *metav1.PartialObjectMetadata
	if w.cached != nil {
		seen = &metav1.PartialObjectMetadata{ObjectMeta: w.cached.ObjectMeta}
	}
	world.Secret, world.SecretID, world.SecretVersion = ObserveSecret(b, &w.known, seen, w.now)
	world.SecretsVersion = fmt.Sprint(w.sources)
	if seen != nil {
		world.SecretsVersion += "," + seen.ResourceVersion
	}
	return world
}

// parametersOf are the parameters that a word stands for.
func parametersOf(word string) []byte { return fmt.Appendf(nil, `{"is":%q}`, word) }

// checksums are those of the parameters of each word: the walks need them millions of times.
var checksums sync.Map

// checksumOf returns the checksum of the parameters that a word stands for.
func checksumOf(word string) string {
	if known, ok := checksums.Load(word); ok {
		return known.(string)
	}
	merged, _ := catalog.Merge(&runtime.RawExtension{Raw: parametersOf(word)}, nil)
	checksums.Store(word, merged.Checksum)
	return merged.Checksum
}

// reconcile is what the shell does, with a crash or a lost write wherever there may be one.
func (w *bindingWalk) reconcile() {
	w.now = w.now.Add(time.Second)
	b := w.b.DeepCopy()
	if w.unrecorded != nil {
		b.Status = *w.unrecorded.DeepCopy()
	}
	defer func() { w.known.DropCredentials() }()
	world := w.inputs(b)
	if w.known.Overlaps != nil {
		world.Overlaps = *w.known.Overlaps
	}
	seen := world.Observe(w.b)
	world.Overlaps, w.known.Overlaps = seen, &seen
	for calls := 0; ; {
		w.readClocks(&world)
		world.Operation, world.Issued = world.ObserveOperation(b.Status.Common()), world.ObserveIssue(&b.Status)
		world.Unremoved = world.ObserveUnremoved(b.Status.Common())
		w.operation, w.unremoved, w.known.Issued = world.Operation, world.Unremoved, world.Issued
		world.Memory, world.Gone = w.known.RequestMemory, w.gone.Inputs(b.Status.Common())
		next := Decide(b, world)
		w.checkPhase(&next.Status)
		switch {
		case next.Need == rules.NeedPermission:
			world.MayWrite = true
		case next.Need == rules.NeedNamespace:
			world.Namespace = rules.NamespaceLives
		case next.Need != "" && next.Need != rules.NeedSecret:
			w.failf("a needless step: %+v", next)
		case next.Need == rules.NeedSecret:
			w.inspectSecret(b, &world)
		case next.Release != nil:
			w.release()
			return
		case next.SecretAction != "":
			if next.WriteAhead && !w.record(next.Status) || w.crashes() {
				return
			}
			b.Status = next.Status
			if !w.executeSecretAction(b, next.SecretAction, &world) || w.crashes() {
				return
			}
		case next.Request != nil && calls > 0:
			w.record(b.Status)
			return
		case next.Request != nil:
			if (next.WriteAhead || w.unrecorded != nil) && !w.record(next.Status) || w.crashes() {
				return
			}
			w.check(b, &next)
			a := w.ask(next.Request)
			calls++
			if w.crashes() {
				return
			}
			if next.Request.CleanUp {
				w.applyCleanUp(b, &next, a)
				return
			}
			w.accepted = a.Class == osbresult.Accepted || a.State == osbresult.InProgress || next.Request.Operation == rules.Poll && w.accepted
			world.SeenRunning = w.accepted
			w.unsure = w.unsure || next.Request.Operation == rules.Bind && a.Class == osbresult.Unknown
			w.polled = time.Time{}
			if next.Request.Operation == rules.Poll {
				w.polled, w.reported = w.now, a.State
			}
			w.gone.Observe(a.Outcome)
			w.known.RequestMemory = w.known.ObserveAnswer(b, *next.Request, a)
			before := b.Status.IssuedAt
			b.Status = Apply(b, next.Status, *next.Request, a, w.now)
			world.NoteIssue(before, b.Status.IssuedAt)
			w.checkPhase(&b.Status)
			if twice := Apply(b, b.Status, *next.Request, a, w.now); len(twice.Conditions) == 0 {
				w.failf("a fold without conditions")
			}
			world.LastPoll = w.polled
			w.unrecorded = b.Status.DeepCopy()
		default:
			if w.record(next.Status) { // otherwise the error of the write causes a reconcile
				w.checkWakeUp(next.RequeueAt)
				if (next.CheckAvailability || len(next.CheckCleanUps) > 0) && (w.outage <= 0 || w.isElsewhere) && (w.calm || w.outages.IntN(3) > 0) {
					w.gone.Succeed()
				}
			}
			return
		}
	}
}

// applyCleanUp is that of instanceWalk.
func (w *bindingWalk) applyCleanUp(b *v1beta1.ServiceBinding, next *Decision, a Answer) {
	if next.Request.Operation == rules.Poll {
		w.cleaned[next.Request.ID] = w.now
	}
	status := Apply(b, next.Status, *next.Request, a, w.now)
	before, after := *b.Status.DeepCopy(), *status.DeepCopy()
	before.LeftBehind, after.LeftBehind, before.Gone, after.Gone = nil, nil, nil, nil
	if !equality.Semantic.DeepEqual(before, after) {
		w.failf("F-JS12: a clean-up changes the status: %+v", status)
	}
	w.unrecorded = status.DeepCopy()
	w.record(status)
}

// checkWakeUp: what time alone changes is looked at again without an event: the end of the credentials, the removal of predecessors, and
// whatever is neither Ready nor Stalled. Credentials that wait to be written are looked at again, or an event causes that.
func (w *bindingWalk) checkWakeUp(at time.Time) {
	s := &w.b.Status
	wakesBy := func(end time.Time) bool { return !at.IsZero() && !at.After(end) }
	if w.isReady() && s.ExpiresAt != nil && !wakesBy(s.ExpiresAt.Time) {
		w.failf("it is looked at again at %s, and ends at %s", at, s.ExpiresAt)
	}
	isStalled := rules.IsTrue(rules.FindCondition(s.Conditions, v1beta1.ConditionStalled))
	if !w.isReady() && !isStalled && at.IsZero() {
		w.failf("it is neither Ready nor Stalled, and is not looked at again: %+v", s.Conditions)
	}
	if u := w.known.Unwritten; w.isReady() && u != nil && u.BindingID == rules.BindingID(w.b, s) && w.isHostOutdated() && at.IsZero() && IsSettled(w.b, w.instance) {
		w.failf("F-S41: credentials wait to be written, and are not looked at again: %+v", *u)
	}
	isSteady := w.isReady() && !isStalled && !bindingphase.Of(s).HasOperation()
	for _, p := range s.Predecessors {
		in := w.inputs(w.b)
		in.Overlaps = *w.known.Overlaps
		due := in.overlapEnds(w.b, p)
		if !p.Unreplaced && isSteady && (at.IsZero() || due.After(w.now) && !wakesBy(due)) {
			w.failf("%s is to be removed at %s, and it is looked at again at %s", p.ID, p.RemoveAt, at)
		}
	}
}

// checkPhase: a phase stands for all fields that it is recorded in.
func (w *bindingWalk) checkPhase(s *v1beta1.ServiceBindingStatus) {
	again := *s
	bindingphase.Of(s).Encode(&again)
	type fields struct { // that encode writes
		operation v1beta1.ServiceBindingOperation
		flags     [3]bool
		last      *string
		start     *metav1.Time
		props     *v1beta1.ServiceBindingPropertiesState
	}
	of := func(s v1beta1.ServiceBindingStatus) fields {
		return fields{s.CurrentOperation, [3]bool{s.AsyncOpInProgress, s.OrphanMitigationInProgress, s.Rotates}, s.LastOperation, s.OperationStartTime, s.InProgressProperties}
	}
	if of(again) != of(*s) {
		w.failf("of phase %v: %+v, recorded again: %+v", bindingphase.Of(s), s, again)
	}
}

// check is what must hold of every call.
func (w *bindingWalk) check(b *v1beta1.ServiceBinding, next *Decision) {
	call := next.Request
	if on := &w.b.Status; call.Operation == rules.Bind && !call.Repeat && (on.CurrentOperation != v1beta1.OperationBind || on.InProgressProperties == nil ||
		on.InProgressProperties.ParameterChecksum != call.Properties.ParameterChecksum || on.Target == nil || on.ObservedGeneration != b.Generation || rules.BindingID(w.b, on) != call.ID) {
		w.failf("R1: a bind is sent and not on record")
	}
	if w.removed[call.ID] && call.Operation == rules.Bind {
		w.failf("F-S5: what was removed is bound again under its id")
	}
	w.removed[call.ID] = w.removed[call.ID] || call.Operation == rules.Unbind
	if call.PredecessorID != "" && !w.plan.Spec.BindingRotatable {
		w.failf("a rotation that the plan cannot do")
	}
	if call.Operation == rules.Fetch && !w.class.Spec.BindingRetrievable {
		w.failf("a fetch that the class cannot do")
	}
	if call.Operation != rules.Unbind {
		return
	}
	if w.secret != nil && !w.restored && bindingsecret.IsOwned(w.secret, b) && w.held[call.ID] != nil && string(w.secret.Data["token"]) == w.held[call.ID].token {
		w.failf("what is removed under %s is in the Secret", call.ID)
	}
	if !b.DeletionTimestamp.IsZero() {
		return
	}
	if w.wasReady[call.ID] && !isPredecessor(&w.b.Status, call.ID) && (!w.restored || !w.unsure && !call.CleanUp) {
		w.failf("F-S26: what was Ready under %s is removed, and nothing has replaced it", call.ID)
	}
	h := w.held[call.ID]
	if h == nil || w.restored || !h.ends.IsZero() {
		return
	}
	if since, ok := w.replaced[h.token]; ok && w.rightNow().Before(since.Add(catalog.RotationOverlap(b)-time.Second)) {
		w.failf("F-S26: %s is removed %s after its credentials were replaced", call.ID, w.rightNow().Sub(since))
	}
}

// observeRefusal records that the broker returns no credentials to a fetch.
func (w *bindingWalk) observeRefusal(call *Request, a Answer) {
	if call.Operation == rules.Fetch && (a.IsRefusal() || a.Class == osbresult.Done && a.Binding != nil && a.Binding.Credentials == nil) {
		w.withheld[w.host()] = true
	}
}

// checkSecret: credentials that are in the Secret are valid at the broker, unless that has ended them or the object is being deleted.
func (w *bindingWalk) checkSecret() {
	if w.secret == nil || w.restored || !w.b.DeletionTimestamp.IsZero() {
		return
	}
	token := string(w.secret.Data["token"])
	if token == "" || token == "edited" {
		return
	}
	for _, h := range w.held {
		if h.token == token {
			return
		}
	}
	w.failf("F-S26: the credentials in the Secret are not valid any more: %s", token)
}

func (w *bindingWalk) inspectSecret(b *v1beta1.ServiceBinding, world *Inputs) {
	w.known.SecretVersion, w.known.SecretID, w.known.Modified, w.known.SeenAt = "", "", false, time.Time{}
	if w.secret == nil {
		world.Secret, world.SecretID, world.SecretVersion = SecretAbsent, "", ""
		return
	}
	w.known.SecretVersion = w.secret.ResourceVersion
	w.known.SecretID, w.known.Modified = bindingsecret.ContentOf(w.secret, b)
	world.Secret, world.SecretID, world.SecretVersion = SecretInSync, w.known.SecretID, w.known.SecretVersion
	if w.known.Modified {
		world.Secret = SecretModified
	}
}

// executeSecretAction does to the Secret what a step says; false: the API server was away.
func (w *bindingWalk) executeSecretAction(b *v1beta1.ServiceBinding, deed SecretAction, world *Inputs) bool {
	if !w.calm && w.rnd.IntN(8) == 0 {
		if deed == WriteSecret { // the credentials are gone, as after a crash
			w.known.RecordUnwritten(Unwritten{Time: w.now})
			w.unsure = w.unsure || w.hasUnknownOutcome()
		}
		return false
	}
	switch deed {
	case WriteSecret:
		refound := w.restored && bindingphase.Of(&b.Status).IsReplacement() // they may have been in the Secret before
		if !w.calm && w.peer == nil && !refound && w.updates.IntN(4) == 0 {
			w.refuseWrite(b, world)
			return true
		}
		t := w.known.Received
		content, err := bindingsecret.Render(t.Binding.Credentials, b, ServiceOf(b, *world), nil)
		if err != nil {
			w.failf("%v", err)
		}
		w.put(b, t.BindingID, content)
		if w.crashes() {
			return false
		}
		before := b.Status.IssuedAt
		b.Status = ApplySecretWritten(b, b.Status, t.Binding, w.secret.ResourceVersion, w.now, rulestest.ServerTime(w.rightNow(), w.isTimeUnknown()))
		world.NoteIssue(before, b.Status.IssuedAt)
		w.checkPhase(&b.Status)
		w.known.RequestMemory = RequestMemory{}
		w.unrecorded = b.Status.DeepCopy()
		w.wrote(t.BindingID, world)
	default:
		w.secret = nil
		w.known = Memory{RequestMemory: w.known.RequestMemory, Overlaps: w.known.Overlaps, Issued: w.known.Issued, Deleted: true}
		b.Status.SecretVersion = ""
		world.Secret, world.SecretID, world.SecretVersion = SecretAbsent, "", ""
	}
	return true
}

// refuseWrite is that the Secret cannot hold the credentials, alone or with what is copied into it.
func (w *bindingWalk) refuseWrite(b *v1beta1.ServiceBinding, world *Inputs) {
	b.Status.InstanceFingerprint = w.b.Status.InstanceFingerprint
	b.Status = ApplySecretRefused(b, b.Status, "too large", false, w.now)
	w.known.RecordUnwritten(Unwritten{Unfit: w.updates.IntN(2) == 0, SecretsVersion: world.SecretsVersion, InstanceFingerprint: InstanceFingerprint(w.instance), Message: "too large", Time: w.now})
	w.unrecorded = b.Status.DeepCopy()
}

func (w *bindingWalk) put(b *v1beta1.ServiceBinding, id string, content bindingsecret.Content) {
	if w.secret == nil {
		w.write(bindingsecret.NewSecret(b, id, content.Beside(nil)))
		return
	}
	changed := w.secret.DeepCopy()
	_, had := changed.Data["theirs"]
	token := string(changed.Data["token"])
	if bindingsecret.Merge(changed, id, content.Beside(changed)) {
		w.write(changed)
		w.withheld = map[string]bool{}
	}
	if now := string(w.secret.Data["token"]); token != "" && now == "" {
		w.failf("F-S26: the credentials were taken out of the Secret")
	} else if token != "" && now != token {
		w.replaced[token] = w.rightNow()
	}
	if _, has := w.secret.Data["theirs"]; had != has {
		w.failf("what is others' is gone")
	}
}

func (w *bindingWalk) wrote(id string, world *Inputs) {
	w.known.SecretVersion, w.known.SecretID, w.known.Modified, w.known.SeenAt = w.secret.ResourceVersion, id, false, w.now
	world.Secret, world.SecretID, world.SecretVersion = SecretInSync, id, w.known.SecretVersion
}

// record writes a status, unless the write fails.
func (w *bindingWalk) record(status v1beta1.ServiceBindingStatus) bool {
	if what := rulestest.Contradiction(status.Conditions); what != "" {
		w.failf("%s: %+v", what, status.Conditions)
	}
	if id := status.ExternalID; !slices.Contains(catalog.ExternalIDs(w.b), id) && w.used[id] {
		w.failf("F-S45: the new id %s was used", id)
	}
	if !w.calm && !equality.Semantic.DeepEqual(status, w.b.Status) && w.rnd.IntN(8) == 0 {
		return false
	}
	if was := &w.b.Status; was.AsyncOpInProgress && was.CurrentOperation == v1beta1.OperationBind && status.OrphanMitigationInProgress && !was.OrphanMitigationInProgress && w.reported == "" {
		w.failf("F-S1: what is in progress is removed, and was not asked for")
	}
	w.b.Status, w.unrecorded = *status.DeepCopy(), nil
	w.backups = append(w.backups, bindingBackup{*status.DeepCopy(), w.secret.DeepCopy()})
	if !w.isReady() {
		return true
	}
	if end := status.ExpiresAt; end != nil && !w.now.Before(end.Time) || w.hasEnded() && !w.restored {
		w.failf("Ready, and the credentials have ended")
	}
	if status.CurrentOperation == "" {
		w.wasReady[rules.BindingID(w.b, &w.b.Status)], w.unsure = true, false
	}
	return true
}

// isReady says whether it is said to be, and is to stay.
func (w *bindingWalk) isReady() bool {
	ready := rules.FindCondition(w.b.Status.Conditions, v1beta1.ConditionReady)
	return ready != nil && ready.Status == v1beta1.ConditionTrue && w.b.DeletionTimestamp.IsZero()
}

// hasEnded says whether the Secret has credentials that the broker does not take any more,
// as it has said.
func (w *bindingWalk) hasEnded() bool {
	if w.secret == nil {
		return false
	}
	token := string(w.secret.Data["token"])
	for _, h := range w.held {
		if h.token == token && !h.ends.IsZero() && !w.now.Before(h.ends) && !w.endless[token] {
			return true
		}
	}
	return false
}

func (w *bindingWalk) release() {
	if !w.calm && w.rnd.IntN(4) == 0 {
		return // the write failed
	}
	w.released = true
	if w.restored || w.peer != nil {
		return
	}
	for id, h := range w.held {
		if id == "id" && w.suppliedID && (w.stranger || w.b.Status.CreatedForUID == "") {
			continue
		}
		w.failf("released, and the broker has %s: %+v", id, *h)
	}
}

func (w *bindingWalk) crashes() bool {
	if w.calm || w.rnd.IntN(10) > 0 {
		return false
	}
	if w.secret != nil && w.secret.ResourceVersion != w.b.Status.SecretVersion {
		w.endless[string(w.secret.Data["token"])] = true
	}
	w.forget()
	w.unsure = w.unsure || w.hasUnknownOutcome()
	return true
}

// ask is the network and the broker.
func (w *bindingWalk) ask(call *Request) Answer {
	w.calls++
	w.used[call.ID] = w.used[call.ID] || call.Operation == rules.Bind
	a := w.answer(call)
	w.observeRefusal(call, a)
	w.lastCalls = append(w.lastCalls, fmt.Sprintf("%s(%s,%s)=%s%s", call.Operation, tail(call.ID), tail(call.PredecessorID), a.Class, a.State))
	return a
}

// tail is what an id differs in from another.
func tail(id string) string { return id[max(0, len(id)-3):] }

func (w *bindingWalk) answer(call *Request) Answer {
	if w.calm {
		return w.act(call)
	}
	if w.outage > 0 && (call.IsRemoval() || !w.restored) { // after a restore other checks know only the usual answers
		if w.isElsewhere && !call.IsRemoval() {
			return answerOf(osbresult.Retry, 503)
		}
		return answerOf(goneTo(call), 410)
	}
	lost := osbresult.Unknown
	if call.Operation == rules.Poll || call.Operation == rules.Fetch {
		lost = osbresult.Retry
	}
	switch w.rnd.IntN(12) {
	case 0:
		return Answer{Outcome: osbresult.Outcome{Class: osbresult.Retry, Description: "no connection"}}
	case 1, 2:
		w.act(call)
		return Answer{Outcome: osbresult.Outcome{Class: lost, Description: "no answer", Sent: true}}
	case 3:
		return Answer{Outcome: osbresult.Outcome{Class: osbresult.Retry, Status: 429, Sent: true, RetryAfter: 5 * time.Second}}
	case 4:
		return Answer{Outcome: osbresult.Outcome{Class: osbresult.Rejected, Status: 400, Sent: true}}
	case 5:
		return Answer{Outcome: osbresult.Outcome{Class: osbresult.Concurrency, Status: 422, Sent: true}}
	}
	return w.act(call)
}

// goneTo is how an answer 410 to a request is classed.
func goneTo(call *Request) osbresult.Class {
	switch {
	case call.Operation == rules.Unbind, call.PollsRemoval:
		return osbresult.Gone
	case call.Operation == rules.Poll:
		return osbresult.Malformed
	}
	return osbresult.Misconfigured
}

func answerOf(class osbresult.Class, status int) Answer {
	return Answer{Outcome: osbresult.Outcome{Class: class, Status: status, Sent: true}}
}

// act is the broker.
func (w *bindingWalk) act(call *Request) Answer {
	if h := w.held[call.ID]; h != nil && h.working != "" && h.working != "failed" {
		w.work(call.ID, h)
	}
	h := w.held[call.ID]
	switch call.Operation {
	case rules.Bind:
		return w.bind(call, h)
	case rules.Fetch:
		if h == nil || h.working != "" {
			return answerOf(osbresult.Gone, 404)
		}
		a := answerOf(osbresult.Done, 200)
		a.Binding = &osbresult.Binding{}
		for _, word := range []string{"p0", "p1"} {
			if checksumOf(word) == h.params {
				a.Binding.Parameters = parametersOf(word)
			}
		}
		return w.returnCredentials(a, h, !w.oneShot)
	case rules.Unbind:
		return w.unbind(call, h)
	default:
		return w.poll(call, h)
	}
}

// returnCredentials has the broker return the credentials, if it does that again or for the first time.
func (w *bindingWalk) returnCredentials(a Answer, h *heldBinding, again bool) Answer {
	if a.Binding == nil {
		a.Binding = &osbresult.Binding{}
	}
	if again || !h.returned {
		a.Binding.Credentials = json.RawMessage(fmt.Sprintf(`{"token":%q,"host":%q}`, h.token, w.host()))
		a.Binding.ExpiresAt = h.ends
		h.returned = true
	}
	return a
}

// work is what the broker does beside.
func (w *bindingWalk) work(id string, h *heldBinding) {
	if h.polls--; h.polls > 0 && !w.calm {
		return
	}
	switch {
	case h.working == "unbind" && !h.fails:
		w.drop(id)
	case h.working == "bind" && h.fails:
		h.working = "failed"
		return
	}
	h.working = ""
}

// drop removes what the broker has under an id: what is created there later is another binding.
func (w *bindingWalk) drop(id string) {
	delete(w.held, id)
	delete(w.wasReady, id)
}

func (w *bindingWalk) bind(call *Request, h *heldBinding) Answer {
	params := call.Properties.ParameterChecksum
	if call.PredecessorID != "" {
		params = ""
		p := w.held[call.PredecessorID]
		if h == nil && p != nil && !p.ends.IsZero() && !w.now.Before(p.ends) && w.b.Status.ExpiresAt != nil {
			w.failf("what has ended is to be replaced by rotation")
		}
		if h == nil && (p == nil || p.working != "") {
			return answerOf(osbresult.Rejected, 400)
		}
	}
	switch {
	case h == nil:
		w.made++
		h = &heldBinding{params: params, predecessor: call.PredecessorID, token: fmt.Sprint("token-", w.b.UID, "-", w.made)}
		if w.lifetime > 0 {
			h.ends = w.now.Add(w.lifetime - w.skew).Truncate(time.Second)
		}
		w.held[call.ID] = h
		if w.async && (w.rnd.IntN(2) == 0 || w.peer != nil) {
			h.working, h.polls, h.fails = "bind", 1+w.rnd.IntN(3), !w.calm && w.rnd.IntN(6) == 0
			a := answerOf(osbresult.Accepted, 202)
			a.Binding = &osbresult.Binding{}
			return a
		}
		a := answerOf(osbresult.Done, 201)
		a.Binding = &osbresult.Binding{Created: true}
		return w.returnCredentials(a, h, true)
	case h.params != params || h.predecessor != call.PredecessorID || h.working == "unbind" || h.working == "failed":
		return answerOf(osbresult.Conflict, 409)
	case h.working != "":
		a := answerOf(osbresult.Accepted, 202)
		a.Binding = &osbresult.Binding{}
		return a
	}
	return w.returnCredentials(answerOf(osbresult.Done, 200), h, !w.oneShot)
}

func (w *bindingWalk) unbind(call *Request, h *heldBinding) Answer {
	if w.suppliedID && w.stranger && call.ID == "id" {
		w.failf("a stranger's binding is removed")
	}
	if w.peer != nil && call.ID == "id" && !w.peer.released && bindingphase.MayExist(&w.peer.b.Status) {
		w.failf("what the other cluster uses is removed; its status: %+v", w.peer.b.Status)
	}
	switch {
	case h == nil && w.forgetful && !isPredecessor(&w.b.Status, call.ID): // the predecessors are removed one after the other
		return answerOf(osbresult.Unknown, 500)
	case h == nil:
		return answerOf(osbresult.Gone, 410)
	case h.working == "unbind":
		return answerOf(osbresult.Accepted, 202)
	case w.async && w.rnd.IntN(2) == 0:
		h.working, h.polls, h.fails = "unbind", 1+w.rnd.IntN(3), !w.calm && w.rnd.IntN(6) == 0
		return answerOf(osbresult.Accepted, 202)
	}
	w.drop(call.ID)
	return answerOf(osbresult.Done, 200)
}

func (w *bindingWalk) poll(call *Request, h *heldBinding) Answer {
	if h == nil {
		if call.PollsRemoval {
			return answerOf(osbresult.Gone, 410)
		}
		return answerOf(osbresult.Malformed, 404)
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
func (w *bindingWalk) settle() {
	w.calm, w.lifetime, w.outage, w.isElsewhere = true, 0, 0, false // what ends is replaced by what does not
	w.now, w.skew = w.now.Add(-w.skew), 0
	w.updateInstance("host of the end")
	w.sources++
	before := 0
	for i := range 200 {
		if w.released {
			return
		}
		if i == 100 && len(w.b.Status.LeftBehind) > 0 {
			w.now = w.now.Add(30 * time.Hour)
		}
		w.cached = w.secret.DeepCopy()
		if a := w.b.Status.Attempts; a != nil && a.Stopped && bindingphase.IsBound(&w.b.Status) { // a person asks again, once
			metav1.SetMetaDataAnnotation(&w.b.ObjectMeta, v1beta1.RebindAnnotation, "at last")
		}
		if a := w.b.Status.Attempts; a != nil && a.NextTime != nil && w.now.Before(a.NextTime.Time) {
			w.now = a.NextTime.Time
		}
		w.now = w.now.Add(2 * time.Minute)
		before = w.calls
		w.reconcile()
	}
	endless := w.forgetful && len(w.lastCalls) > 0 && strings.HasPrefix(w.lastCalls[len(w.lastCalls)-1], "unbind") // it confirms no removal whose answer was lost
	if w.calls != before && !w.restored && !endless && !rules.IsSlow(w.b.Status.Attempts) {
		w.failf("it does not come to rest")
	}
	w.end()
}

func (w *bindingWalk) end() {
	s := &w.b.Status
	if !w.b.DeletionTimestamp.IsZero() {
		reason := rules.FindCondition(s.Conditions, v1beta1.ConditionReady).Reason
		if reason == v1beta1.ReasonConflict || w.forgetful || reason == v1beta1.ReasonOwnershipUnknown && w.suppliedID { // a person decides
			metav1.SetMetaDataAnnotation(&w.b.ObjectMeta, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
			w.suppliedID, w.stranger = true, true // it is left there
			w.reconcile()
		}
		if !w.released && !w.restored {
			w.failf("it is not released")
		}
		return
	}
	if w.restored { // a status from a backup may say less than the broker has
		return
	}
	ready, stalled := rules.FindCondition(s.Conditions, v1beta1.ConditionReady), rules.FindCondition(s.Conditions, v1beta1.ConditionStalled)
	id := rules.BindingID(w.b, s)
	h := w.held[id]
	for other := range w.held {
		theirs := other == "id" && w.suppliedID && (w.stranger || s.CreatedForUID == "")
		isUnreplaced := stalled.Status == v1beta1.ConditionTrue &&
			slices.ContainsFunc(s.Predecessors, func(p v1beta1.PredecessorBinding) bool { return p.ID == other && p.Unreplaced })
		if other != id && !theirs && !isUnreplaced { // F-S53: also while the Secret waits for a person
			w.failf("the broker has another one under %s", other)
		}
	}
	token := ""
	if w.secret != nil {
		token = string(w.secret.Data["token"])
	}
	switch {
	case (s.Binding != nil) != (w.secret != nil && bindingsecret.IsOwned(w.secret, w.b)) && ready.Status == v1beta1.ConditionTrue:
		w.failf("Ready, and status.binding is %+v", s.Binding)
	case w.secret == nil && s.Binding != nil:
		w.failf("status.binding names a Secret that is not there")
	case ready.Status == v1beta1.ConditionTrue:
		// A crash between Secret and status loses the end.
		if h == nil || h.working != "" || token != h.token || !h.ends.IsZero() && s.ExpiresAt != nil {
			w.failf("Ready, and the Secret has %q", token)
		}
		if w.isHostOutdated() {
			w.failf("F-S41: Ready, and the Secret has host %q", w.secret.Data["host"])
		}
		if asked := w.b.Annotations[v1beta1.RebindAnnotation]; asked != "" && s.Rebind != asked && !rules.IsSlow(s.Attempts) {
			w.failf("F-S42: Ready, and the requested rotation %q has no result", asked)
		}
		if has := s.ExternalProperties.ParameterChecksum; h.params != has && has != "" && h.predecessor == "" && !w.suppliedID {
			w.failf("Ready, and the broker has other parameters than %s", has)
		}
	case ready.Reason == v1beta1.ReasonConflict: // a person decides
	case stalled.Status != v1beta1.ConditionTrue:
		w.failf("neither Ready nor Stalled")
	case ready.Reason == v1beta1.ReasonSecretEdited && h != nil:
	case w.suppliedID:
	case rules.IsConflictUnexplained(s.Attempts) && strings.Contains(ready.Message, "It is neither changed nor removed"): // and another request was refused meanwhile
	case h != nil:
		w.failf("failed, and something is left")
	}
}
