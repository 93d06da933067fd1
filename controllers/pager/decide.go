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

package pager

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle/gitops"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/receivers"
)

const (
	// graceAfterCreation is how young an Alert is that is sent once although it
	// is being deleted: kubectl apply and kubectl delete in one script.
	graceAfterCreation = time.Minute
	// keptRows is how many rows of receivers that the spec no longer names stay
	// on record, so that a status cannot grow without end.
	keptRows = 16
	// orderTolerance is how old an Alert is before a receiver or Secret that
	// does not exist is taken for missing.
	orderTolerance = 5 * time.Minute
)

// world is what a decision sees beside the Alert.
type world struct {
	now time.Time
	// since is when this process began to lead.
	since time.Time
	// refs are the receivers that the Alert is for; empty: there is none.
	refs []v1beta1.ReceiverRef
	// parties are the receivers in refs and in the status.
	parties map[v1beta1.ReceiverRef]receivers.Party
	// underWay are the requests about this Alert that are not answered yet.
	underWay map[v1beta1.ReceiverRef]flight
	// blocked are those that take nothing for some time, as more than this Alert
	// shows; looked up for an Alert that is being deleted.
	blocked map[v1beta1.ReceiverRef]bool
	// posted is when those were last told that forget.
	posted map[v1beta1.ReceiverRef]time.Time
	// failed are the last attempts that failed, of those that this process made.
	failed map[v1beta1.ReceiverRef]failedAttempt
	// recovered is when receivers last worked again after they had failed.
	recovered map[v1beta1.ReceiverRef]time.Time
}

// failedAttempt is an attempt that failed.
type failedAttempt struct {
	since    time.Time // when the first one failed of those in a row
	at       time.Time
	ownFault bool // other Alerts were sent to the receiver meanwhile
}

// lastFailure is when the last attempt of a delivery failed; zero: it did not. Where another process made it, the time is that of the
// status, and never too early.
func (w world) lastFailure(row v1beta1.Delivery) time.Time {
	if f, ok := w.failed[refOf(row)]; ok {
		return f.at
	}
	if row.TriedWith == "" || row.LastAttemptTime == nil {
		return time.Time{}
	}
	return row.LastAttemptTime.Add(time.Second)
}

// isRecovered reports whether the receiver works again since the last attempt, which may succeed now. What failed although the receiver
// worked waits for its own time.
func (w world) isRecovered(row v1beta1.Delivery) bool {
	ref := refOf(row)
	return !w.failed[ref].ownFault && w.recovered[ref].After(w.lastFailure(row))
}

// flight is a request that is under way.
type flight struct {
	since     time.Time
	reminder  bool // of what the receiver holds
	byDefault bool
}

// step is what to do next about an Alert.
type step struct {
	// turns are the deliveries as they stand, one for each receiver.
	turns []turn
	// protect: put the finalizer there before anything is sent.
	protect bool
	// release: no receiver holds anything, or was given up on.
	release bool
	// purge: the Alert's time to live is over.
	purge bool
	// wake is when to look again if nothing happens before; zero: never.
	wake time.Time
}

// turn is what to do next about one receiver.
type turn struct {
	row v1beta1.Delivery
	// wanted is false where the spec no longer names the receiver.
	wanted bool
	phase  phase
	// reason is that of the Alert's condition while the phase is not done, and
	// waitsFor what its message adds to what the row says.
	reason, waitsFor string
	// send is the request to make now, if any.
	send *send
	// wake is when to look again; zero: never.
	wake time.Time
}

// phase says whose turn it is.
type phase int

const (
	done    phase = iota // nobody's
	going                // ours: Bellhop goes on by itself
	stalled              // somebody has to change something
)

// send is a request to a receiver.
type send struct {
	event    result.Event
	hash     string
	sequence int64
	attempt  int32
	version  string // of the receiver, as in receivers.Party
	// ahead: it must be on record before it is made (R1).
	ahead bool
	// once: it must be, and if its answer is lost it is not made again.
	once bool
	// uncertain: an earlier answer was lost.
	uncertain bool
	// misconfigured is how many answers in a row looked like a misconfiguration, and ownFault that it is the Alert's own.
	misconfigured int32
	ownFault      bool
	// failingSince is when the first attempt failed of those in a row before this one; zero: there is none.
	failingSince time.Time
	// byDefault, as in the row.
	byDefault bool
	// remindEvery is set where the receiver holds it, and forgets it unless it is
	// told again so often. Nothing of that is recorded.
	remindEvery time.Duration
}

// decide says what happens next to an Alert. It is pure: no client, no clock.
func decide(a *v1beta1.Alert, w world) step {
	var s step
	for _, row := range rowsOf(a, w) {
		t := decideTurn(a, row, w)
		s.turns = append(s.turns, t)
		s.wake = earliest(s.wake, t.wake)
	}
	if !s.isForAnybody() && a.DeletionTimestamp.IsZero() {
		s.wake = future(expiry(a), w.now)
	}
	protected := controllerutil.ContainsFinalizer(a, v1beta1.AlertFinalizer)
	if !protected {
		s.sendNothing()
	}
	purge := purgeTime(a)
	switch {
	case !a.DeletionTimestamp.IsZero():
		s.release = protected && s.finished(a, w)
		if !protected {
			s.wake = time.Time{} // we are done; another's finalizer holds it
		}
	case s.finished(a, w) && !purge.IsZero() && !w.now.Before(purge):
		s.purge = true
	default:
		s.protect = !protected
		s.wake = earliest(s.wake, future(purge, w.now))
	}
	return s
}

// inPhase are the turns that are in a phase.
func (s step) inPhase(p phase) []turn {
	return slices.DeleteFunc(slices.Clone(s.turns), func(t turn) bool { return t.phase != p })
}

// sends says whether there is a request to make now.
func (s step) sends() bool {
	return slices.ContainsFunc(s.turns, func(t turn) bool { return t.send != nil })
}

func (s step) isForAnybody() bool {
	return slices.ContainsFunc(s.turns, func(t turn) bool { return t.wanted })
}

func (s step) sendNothing() {
	for i := range s.turns {
		s.turns[i].send = nil
	}
}

// finished says whether nothing more is going to happen by itself or by a
// change elsewhere.
func (s step) finished(a *v1beta1.Alert, w world) bool {
	if a.DeletionTimestamp.IsZero() && a.Spec.State == v1beta1.AlertFiring && !s.isForAnybody() && !expired(a, w.now) {
		return false // until there is a default
	}
	return !slices.ContainsFunc(s.turns, func(t turn) bool { return t.phase != done })
}

func decideTurn(a *v1beta1.Alert, row v1beta1.Delivery, w world) turn {
	ref := refOf(row)
	p := w.parties[ref]
	t := turn{row: row, wanted: slices.Contains(w.refs, ref)}
	if f, ok := w.underWay[ref]; ok {
		t.whenUnderWay(a, f, w.now)
		return t
	}
	switch {
	case !a.DeletionTimestamp.IsZero():
		t.whenDeleted(a, p, w)
	case a.Spec.State == v1beta1.AlertResolved:
		t.whenResolved(a, p, w)
	case t.wanted:
		t.whenFiring(a, p, w)
		t.remind(p, w.posted[ref], w.now)
	}
	return t
}

// whenUnderWay waits: what comes next depends on what comes of the request.
func (t *turn) whenUnderWay(a *v1beta1.Alert, f flight, now time.Time) {
	firing := t.wanted && a.Spec.State == v1beta1.AlertFiring && a.DeletionTimestamp.IsZero()
	if f.reminder && firing && confirmed(t.row, pageHash(&a.Spec)) {
		t.rest(v1beta1.DeliverySent, "")
		return
	}
	if firing && t.row.State != v1beta1.DeliveryUnknown { // that is on record for the case that nothing comes
		t.row.State = v1beta1.DeliveryPending
	}
	t.phase, t.reason = going, v1beta1.ReasonSending
	if isSlow(t.row) { // until the answer says otherwise
		t.phase, t.reason = stalled, v1beta1.ReasonMisconfigured
	}
	t.wake = future(f.since.Add(patience), now)
}

func (t *turn) whenFiring(a *v1beta1.Alert, p receivers.Party, w world) {
	page, until, now := pageHash(&a.Spec), expiry(a), w.now
	switch {
	case confirmed(t.row, page):
		t.rest(v1beta1.DeliverySent, "")
		return
	case isLost(t.row, page, p):
		t.lose()
		return
	case t.row.FilteredHash == page: // an edited filter is asked about the next content
		t.rest(v1beta1.DeliveryFiltered, v1beta1.ReasonFiltered)
		return
	case expired(a, now):
		t.rest(v1beta1.DeliveryExpired, v1beta1.ReasonExpired)
		return
	case isRestored(a) && t.row.TriedHash == "":
		t.waitFor(receivers.Problem{
			Reason:  v1beta1.ReasonRestored,
			Message: "restored from a backup, so it may be old news; to send it, remove the label " + restoreLabel,
		})
	case p.Problem != nil:
		t.waitFor(*p.Problem)
		t.allowForOrder(a, now)
	case rank(a.Spec.Severity) < rank(p.Spec.MinSeverity):
		t.row.FilteredHash = page
		t.rest(v1beta1.DeliveryFiltered, v1beta1.ReasonFiltered)
		return
	case holdsPage(t.row) && !isResolved(t.row.TriedHash):
		t.attempt(p, page, result.Updated, v1beta1.ReasonRetrying, w)
	default:
		t.attempt(p, page, result.Fired, v1beta1.ReasonRetrying, w)
	}
	t.writeAhead(isEdited(a))
	t.wake = earliest(t.wake, future(until, now))
}

// writeAhead has the content on record before it is sent, where something else was attempted before, or may have been.
func (t *turn) writeAhead(edited bool) {
	if t.send != nil && t.send.hash != t.row.TriedHash && (t.row.TriedHash != "" || edited) {
		t.send.ahead = true
	}
}

// isEdited reports whether the spec has changed since the Alert was created; a deletion raises the generation as well.
func isEdited(a *v1beta1.Alert) bool {
	created := int64(1)
	if !a.DeletionTimestamp.IsZero() {
		created++
	}
	return a.Generation > created
}

// isUnrecorded reports whether the Alert has the status that it was created with. That proves nothing: the first message is sent
// without a record.
func isUnrecorded(a *v1beta1.Alert) bool { return a.Status.ObservedGeneration == -1 }

// whenResolved tells a receiver that it is over which was paged, or may have been.
func (t *turn) whenResolved(a *v1beta1.Alert, p receivers.Party, w world) {
	now, begun := w.now, isResolved(t.row.TriedHash)
	if isLost(t.row, resolvedHash(), p) {
		t.lose()
		return
	}
	unrecorded := t.wanted && isUnrecorded(a) && isEdited(a)
	if confirmed(t.row, resolvedHash()) || !holdsPage(t.row) && !t.row.Uncertain && !begun && !unrecorded {
		t.rest(v1beta1.DeliveryResolved, "")
		return
	}
	var until time.Time
	if begun && t.row.FirstAttemptTime != nil {
		until = t.row.FirstAttemptTime.Add(p.ResolveTimeout())
	}
	changed := p.Problem == nil && t.row.TriedWith != p.Version
	if !until.IsZero() && !now.Before(until) && !changed {
		t.row.NextAttemptTime = nil
		t.phase, t.reason = stalled, v1beta1.ReasonResolveTimedOut
		return
	}
	t.resolve(p, until, w)
	t.writeAhead(true)
}

// whenDeleted tells a receiver that holds a page that it is over. A page that
// is not confirmed is given up, but for the one attempt of a very young Alert, if
// that can be made: a storm that waits is purged by deleting it.
func (t *turn) whenDeleted(a *v1beta1.Alert, p receivers.Party, w world) {
	if keepsOutside(a) {
		return
	}
	now, limit := w.now, w.deletionLimit(a, t.row, p)
	switch {
	case isLost(t.row, resolvedHash(), p):
		t.rest(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	case mayHoldPage(t.row) && p.Spec != nil && now.Before(limit):
		if t.row.State == v1beta1.DeliveryFailed && isResolved(t.row.TriedHash) && t.row.LastAttemptTime.Before(a.DeletionTimestamp) {
			t.row.State = v1beta1.DeliverySent // a deletion is a reason to try again
		}
		t.resolve(p, limit, w)
	case t.wanted && now.Before(limit) && !w.blocked[refOf(t.row)] && deservesAnAttempt(a, t.row, p, now):
		t.attempt(p, pageHash(&a.Spec), result.Fired, v1beta1.ReasonRetrying, w)
		t.writeAhead(isEdited(a))
		t.wake = limit
	case t.wanted && isUnrecorded(a) && !isYoung(a) && p.Problem == nil && now.Before(limit) && !w.blocked[refOf(t.row)]:
		t.resolve(p, limit, w)
	}
}

// deletionLimit is for how long at most a receiver holds up a deletion: a page that
// is still to be sent is worth a minute, however short a resolve is tried. While nobody
// was there to try it, the time did not run.
func (w world) deletionLimit(a *v1beta1.Alert, row v1beta1.Delivery, p receivers.Party) time.Time {
	began, timeout := latest(a.DeletionTimestamp.Time, w.since), p.ResolveTimeout()
	switch {
	case !mayHoldPage(row):
		return began.Add(max(timeout, graceAfterCreation))
	case timeout == 0:
		return a.DeletionTimestamp.Time
	case isResolved(row.TriedHash) && row.FirstAttemptTime != nil: // perhaps by a process before this one
		began = earliest(began, latest(a.DeletionTimestamp.Time, row.FirstAttemptTime.Time))
	}
	return began.Add(timeout)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// deservesAnAttempt says whether an Alert that is being deleted is so young that
// who made it meant it to be sent, and was not tried yet.
func deservesAnAttempt(a *v1beta1.Alert, row v1beta1.Delivery, p receivers.Party, now time.Time) bool {
	return isYoung(a) && row.TriedHash == "" && p.Problem == nil && a.Spec.State == v1beta1.AlertFiring &&
		!expired(a, now) && !isRestored(a) && rank(a.Spec.Severity) >= rank(p.Spec.MinSeverity)
}

// isYoung reports whether an Alert was deleted soon after its creation.
func isYoung(a *v1beta1.Alert) bool {
	return a.DeletionTimestamp.Sub(a.CreationTimestamp.Time) <= graceAfterCreation
}

// isMissed says whether a receiver of an Alert that is being deleted would be told if it, its
// Secret, or its word that it is for the namespace, were there.
func (t *turn) isMissed(a *v1beta1.Alert, p receivers.Party, now time.Time) bool {
	if p.Problem == nil || p.Problem.Reason == v1beta1.ReasonSuspended || keepsOutside(a) {
		return false
	}
	there := p // as it would be
	there.Problem = nil
	if there.Spec == nil {
		there.Spec = &v1beta1.CommonReceiverSpec{}
	}
	return mayHoldPage(t.row) && p.Spec == nil || t.wanted && deservesAnAttempt(a, t.row, there, now)
}

// missesDefault says the same of a default.
func (s step) missesDefault(a *v1beta1.Alert, now time.Time) bool {
	return len(s.turns) == 0 && !keepsOutside(a) && deservesAnAttempt(a, v1beta1.Delivery{}, receivers.Party{Spec: &v1beta1.CommonReceiverSpec{}}, now)
}

func (t *turn) resolve(p receivers.Party, until time.Time, w world) {
	if p.Problem != nil {
		t.row.Reason, t.row.Message, t.row.NextAttemptTime = p.Problem.Reason, p.Problem.Message, nil
		t.phase, t.reason = stalled, p.Problem.Reason
	} else {
		t.attempt(p, resolvedHash(), result.Resolved, v1beta1.ReasonResolving, w)
	}
	t.wake = earliest(t.wake, future(until, w.now))
}

// rest is a row of which nothing is open. What it says of an error stays only
// where the error is why.
func (t *turn) rest(state v1beta1.DeliveryState, reason string) {
	if t.row.State != state && state != v1beta1.DeliveryExpired && state != v1beta1.DeliveryUnknown {
		t.row.Message = ""
	}
	t.row.State, t.row.Reason, t.row.NextAttemptTime = state, reason, nil
}

// lose is a row of which only a person can say what to do: a change of content is
// another message, and one of the policy asks for this one again.
func (t *turn) lose() {
	t.rest(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	t.phase, t.reason = stalled, v1beta1.ReasonOutcomeUnknown
}

// waitFor waits for somebody to change something; the change comes as an event.
func (t *turn) waitFor(p receivers.Problem) {
	t.row.Reason, t.row.Message, t.row.NextAttemptTime = p.Reason, p.Message, nil
	t.row.State = v1beta1.DeliveryPending
	t.phase, t.reason = stalled, p.Reason
}

// allowForOrder takes a receiver or Secret that does not exist for one that is still to be created, while the Alert is young:
// manifests are applied together, in any order.
func (t *turn) allowForOrder(a *v1beta1.Alert, now time.Time) {
	until := a.CreationTimestamp.Add(orderTolerance)
	missing := t.reason == v1beta1.ReasonReceiverNotFound || t.reason == v1beta1.ReasonSecretNotFound
	if missing && now.Before(until) {
		t.phase, t.wake = going, until
	}
}

// isSlow reports whether a delivery has used up its quick retries.
func isSlow(row v1beta1.Delivery) bool { return row.MisconfiguredAnswers > limiter.QuickRetries }

// attempt sends what hash is of, unless it is not due: it waits between
// attempts, and after a refusal for good until the receiver changes.
func (t *turn) attempt(p receivers.Party, hash string, event result.Event, reason string, w world) {
	again := t.row.TriedHash == hash
	unchanged := again && t.row.TriedWith == p.Version
	if unchanged && t.row.State == v1beta1.DeliveryFailed {
		t.phase, t.reason = stalled, v1beta1.ReasonFailed
		return
	}
	t.phase, t.reason = going, reason
	if unchanged && isSlow(t.row) {
		t.phase, t.reason = stalled, v1beta1.ReasonMisconfigured
	}
	if event != result.Resolved {
		t.row.State = v1beta1.DeliveryPending
	}
	next := t.row.NextAttemptTime
	if unchanged && next != nil && w.now.Before(next.Time) && !w.isRecovered(t.row) {
		t.wake = next.Time
		return
	}
	t.send = &send{event: event, hash: hash, sequence: t.row.Sequence, attempt: t.row.Attempts + 1, version: p.Version,
		ahead: isOnce(p), once: isOnce(p), uncertain: t.row.Uncertain, byDefault: t.row.ByDefault}
	if !again {
		t.send.sequence++
		t.send.attempt = 1
	}
	if unchanged {
		t.send.misconfigured, t.send.failingSince = t.row.MisconfiguredAnswers, w.lastFailure(t.row)
		if f, ok := w.failed[refOf(t.row)]; ok {
			t.send.failingSince = f.since
		}
		t.send.ownFault = isSlow(t.row) && next != nil
	}
}

// remind repeats what a receiver holds that forgets it otherwise.
func (t *turn) remind(p receivers.Party, posted, now time.Time) {
	every := remindEvery(p.Spec)
	if t.row.State != v1beta1.DeliverySent || t.phase != done || every == 0 || !isForgotten(t.row) {
		return
	}
	if p.Problem != nil { // it ends by itself meanwhile
		t.wake = now.Add(every)
		return
	}
	if t.row.LastAttemptTime != nil && t.row.LastAttemptTime.After(posted) {
		posted = t.row.LastAttemptTime.Time
	}
	if due := posted.Add(every); now.Before(due) {
		t.wake = due
		return
	}
	t.send = &send{event: result.Fired, hash: t.row.TriedHash, sequence: t.row.Sequence, attempt: t.row.Attempts, version: p.Version, remindEvery: every}
}

// isLost says whether an answer to what hash is of was lost, and the receiver is
// not to be asked twice.
func isLost(row v1beta1.Delivery, hash string, p receivers.Party) bool {
	return row.TriedHash == hash && row.AnswerLost && isOnce(p)
}

func isOnce(p receivers.Party) bool {
	return p.Spec != nil && p.Spec.DeliveryPolicy == v1beta1.AtMostOnce
}

// rowsOf are the recorded deliveries, and new ones for receivers without.
func rowsOf(a *v1beta1.Alert, w world) []v1beta1.Delivery {
	var named, others []v1beta1.Delivery
	missing := slices.Clone(w.refs)
	byDefault := len(a.Spec.ReceiverRefs) == 0
	for _, row := range a.Status.Deliveries {
		if i := slices.Index(missing, refOf(row)); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
			row.ByDefault = byDefault
			named = append(named, row)
		} else if considered(row) {
			others = append(others, row)
		}
	}
	for _, ref := range missing {
		named = append(named, v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name, State: v1beta1.DeliveryPending, ByDefault: byDefault})
	}
	if len(others) > keptRows {
		lastTried := func(row v1beta1.Delivery) time.Time { return ptr.Deref(row.LastAttemptTime, metav1.Time{}).Time }
		slices.SortStableFunc(others, func(x, y v1beta1.Delivery) int { return lastTried(y).Compare(lastTried(x)) })
		others = others[:keptRows]
	}
	return withUnderWay(append(named, others...), w)
}

// withUnderWay adds those who are being asked although the spec does not name
// them any more, and that are not on record yet.
func withUnderWay(rows []v1beta1.Delivery, w world) []v1beta1.Delivery {
	from := len(rows)
	for ref := range w.underWay {
		if !slices.ContainsFunc(rows, func(row v1beta1.Delivery) bool { return refOf(row) == ref }) {
			rows = append(rows, v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name, State: v1beta1.DeliveryPending})
		}
	}
	slices.SortFunc(rows[from:], func(x, y v1beta1.Delivery) int { return cmp.Compare(x.Name, y.Name) })
	return rows
}

// considered says whether the receiver's turn has come: it may hold something,
// or was filtered. From then on a default is not looked up again.
func considered(row v1beta1.Delivery) bool {
	return row.TriedHash != "" || row.FilteredHash != ""
}

// confirmed says whether the last thing tried was what hash is of, and arrived.
func confirmed(row v1beta1.Delivery, hash string) bool {
	return row.ContentHash == hash && row.TriedHash == hash && row.TriedWith == ""
}

// holdsPage says whether the receiver confirmed a page and does not know yet
// that it is over.
func holdsPage(row v1beta1.Delivery) bool {
	return row.ContentHash != "" && !isResolved(row.ContentHash)
}

// mayHoldPage reports whether the receiver confirmed a page, and has not confirmed that it is over: where neither is certain, the
// Alert fired again after a resolve whose answer was lost.
func mayHoldPage(row v1beta1.Delivery) bool {
	return holdsPage(row) || row.ContentHash == "" && row.SentTime != nil && row.Uncertain
}

func rank(s v1beta1.Severity) int {
	return slices.Index([]v1beta1.Severity{v1beta1.SeverityInfo, v1beta1.SeverityWarning, v1beta1.SeverityCritical}, cmp.Or(s, v1beta1.SeverityInfo))
}

// expiry is when the Alert is no longer worth sending; zero: never.
func expiry(a *v1beta1.Alert) time.Time {
	if a.Spec.ExpireAfterSeconds == nil {
		return time.Time{}
	}
	return a.CreationTimestamp.Add(time.Duration(*a.Spec.ExpireAfterSeconds) * time.Second)
}

func expired(a *v1beta1.Alert, now time.Time) bool {
	at := expiry(a)
	return !at.IsZero() && !now.Before(at)
}

// purgeTime is when the Alert deletes itself; zero: never, or not known yet.
func purgeTime(a *v1beta1.Alert) time.Time {
	if a.Spec.TTLSecondsAfterFinished == nil || a.Status.FinishedTime == nil || gitops.TrackedBy(a) != "" {
		return time.Time{}
	}
	return a.Status.FinishedTime.Add(time.Duration(*a.Spec.TTLSecondsAfterFinished) * time.Second)
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// future is t, or zero if it has passed.
func future(t, now time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return time.Time{}
}
