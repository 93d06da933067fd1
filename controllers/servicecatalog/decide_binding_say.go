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

package servicecatalog

import (
	"fmt"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// quietStart is how long after its creation a binding waits for its instance before the status says so.
const quietStart = 10 * time.Second

// comesSoon are the reasons to wait of a binding that was created together with its instance.
var comesSoon = []string{v1beta1.ReasonReferencesNonexistentInstance, v1beta1.ReasonErrorInstanceRefsUnresolved, v1beta1.ReasonErrorInstanceNotReady, v1beta1.ReasonErrorAsyncOperationInProgress}

// waitFor sets the conditions for a blocker. An event about what is missing, or its time, causes another reconcile.
func (d *bindingDecision) waitFor(why *blocker) {
	if !d.b.DeletionTimestamp.IsZero() {
		d.hold(why)
		return
	}
	soon := slices.Contains(comesSoon, why.reason)
	stalled, wake := why.isStalled(d.w.now)
	d.wake = wake
	if young := d.b.CreationTimestamp.Add(quietStart); d.w.now.Before(young) && soon && !stalled && len(d.status.Conditions) == 0 {
		d.wake = young
		return
	}
	if d.status.UnbindStatus == "" && d.isClean() {
		d.status.UnbindStatus = v1beta1.UnbindNotRequired
	}
	if d.isLive() {
		d.say(stillInjected("they cannot be replaced yet: " + why.message))
		return
	}
	v, _ := why.verdict(d.b, d.w.now)
	d.say(v)
}

// isStalled reports whether an instance is Stalled.
func isStalled(instance *v1beta1.ServiceInstance) bool {
	return instance != nil && isTrue(conditionOf(instance.Status.Conditions, v1beta1.ConditionStalled))
}

// isLive reports whether the credentials in the Secret are valid, and not about to end.
func (d *bindingDecision) isLive() bool {
	replaced := d.status.CurrentOperation == v1beta1.OperationUnbind && d.status.PredecessorID == ""
	return isDelivered(&d.status) && !replaced && (d.w.secret == secretGood || d.w.secret == secretUnseen) && !d.hasEnded()
}

// injected returns the conditions of a binding whose credentials are in its Secret.
func injected(b *v1beta1.ServiceBinding) verdict {
	return verdict{ready: v1beta1.ConditionTrue, reason: v1beta1.ReasonInjectedBindResult, message: fmt.Sprintf("The credentials are in Secret %q", catalog.SecretName(b))}
}

// stillInjected returns the same with a problem that does not concern these credentials.
func stillInjected(but string) verdict {
	return verdict{ready: v1beta1.ConditionTrue, reason: v1beta1.ReasonInjectedBindResult, message: "The credentials are in the Secret; " + but}
}

// cleaning returns the conditions during an orphan mitigation.
func cleaning(why string, a *v1beta1.Attempts) verdict {
	return cleanup(v1beta1.ReasonServiceBindingNeedsOrphanMitigation, cleaningUp+": "+why, a, nil)
}

// isSlowBinding reports whether requests for a binding are retried slowly. The removals of a binding that the broker has do not
// count: they were made to get new credentials.
func isSlowBinding(s *v1beta1.ServiceBindingStatus) bool {
	if a := s.Attempts; a != nil && isBound(s) {
		return isSlow(&v1beta1.Attempts{Misconfigured: a.Misconfigured})
	}
	return isSlow(s.Attempts)
}

// observe sets the observed generation.
func (d *bindingDecision) observe() { d.status.ObservedGeneration = d.b.Generation }

// say sets the conditions.
func (d *bindingDecision) say(v verdict) {
	d.observe()
	setBindingConditions(&d.status, v, d.w.now)
}

// hold sets the conditions for a blocker of a deletion or an orphan mitigation.
func (d *bindingDecision) hold(why *blocker) {
	v, wake := why.verdict(d.b, d.w.now)
	d.wake = wake
	if d.b.DeletionTimestamp.IsZero() && d.isLive() {
		v = stillInjected("what was there before them cannot be removed at the broker yet: " + why.message)
	}
	d.say(v)
}

// troubled returns the status for a blocker that appears after the decision, such as a full queue or an API server that does not
// answer.
func troubled(b *v1beta1.ServiceBinding, w bindingWorld, why *blocker) v1beta1.ServiceBindingStatus {
	d := &bindingDecision{b: b, w: w, bindingStep: bindingStep{status: *b.Status.DeepCopy()}}
	if d.status.UnbindStatus == "" && d.isClean() {
		d.status.UnbindStatus = v1beta1.UnbindNotRequired
	}
	v, _ := why.verdict(b, d.w.now)
	if b.DeletionTimestamp.IsZero() && d.isLive() {
		v = stillInjected(why.message)
	}
	d.say(v)
	return d.status
}

// stop ends the attempts until a person asks for new ones.
func (d *bindingDecision) stop(reason, message string) {
	if d.status.Attempts == nil {
		d.status.Attempts = &v1beta1.Attempts{}
	}
	a := d.status.Attempts
	a.Generation, a.ParametersVersion, a.Stopped, a.NextTime = d.b.Generation, d.w.parameters.version, true, nil
	d.say(givenUp(reason, reason, message))
}

// setBindingConditions sets the conditions; a binding whose credentials have ended is never Ready.
func setBindingConditions(status *v1beta1.ServiceBindingStatus, v verdict, now time.Time) {
	if v.ready == v1beta1.ConditionTrue && hasEnded(status, now) {
		v = verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: "The credentials have expired at " + when(status.ExpiresAt.Time)}
	}
	status.Conditions = v.conditions(status.Conditions, now)
	status.LastConditionState = lastConditionState(status.Conditions)
}
