// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// quietStart is how long after its creation a binding waits for its instance before the status says so.
const quietStart = 10 * time.Second

// setBlocked sets the conditions for a blocker. An event about the missing object, or the time of the blocker, causes another reconcile.
func (d *decision) setBlocked(why *rules.Blocker) {
	if !d.b.DeletionTimestamp.IsZero() {
		d.blockRemoval(why)
		return
	}
	stalled, wake := why.IsStalled(d.in.Now)
	d.RequeueAt = wake
	if young := d.b.CreationTimestamp.Add(quietStart); d.in.Now.Before(young) && rules.TraitsOf(why.Reason).Transient && !stalled && d.Status.UnbindStatus == "" {
		d.RequeueAt = young
		return
	}
	if d.Status.UnbindStatus == "" && d.hasNothingAtBroker() {
		d.Status.UnbindStatus = v1beta1.UnbindNotRequired
	}
	if d.hasUsableCredentials() {
		d.setConditions(stillInjectedConditions("they cannot be replaced yet: " + why.Message))
		return
	}
	set, _ := why.ConditionSet(d.b, d.in.Now)
	d.setConditions(set)
}

// hasUsableCredentials reports whether the credentials in the Secret are valid.
func (d *decision) hasUsableCredentials() bool {
	return bindingphase.IsDelivered(&d.Status) && (d.in.Secret == SecretInSync || d.in.Secret == SecretUnknown) && !d.hasEnded()
}

// injectedConditions returns the conditions of a binding whose credentials are in its Secret.
func injectedConditions(b *v1beta1.ServiceBinding) rules.ConditionSet {
	return rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: v1beta1.ReasonInjectedBindResult, Message: fmt.Sprintf("The credentials are in Secret %q", catalog.SecretName(b))}
}

// deliveredConditions returns the conditions of a binding that is not to be replaced now. inSecret: its credentials are in the Secret;
// otherwise the broker has refused to replace them.
func deliveredConditions(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus, inSecret bool) rules.ConditionSet {
	switch a := s.Attempts; {
	case a == nil || !a.Stopped:
		return injectedConditions(b)
	case inSecret:
		return stillInjectedConditions("replacing them failed: " + a.LastError + howToReplace)
	default:
		return rules.Terminal(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, "The credentials are not in the Secret, and were not replaced: "+a.LastError+howToReplace)
	}
}

// howToReplace says how a person replaces credentials after the broker has refused it.
const howToReplace = "; it is not retried any more" + untilAsked + ". Where the broker allows only one binding, delete this ServiceBinding and create it again"

// stillInjectedConditions returns the same with a problem that does not concern these credentials.
func stillInjectedConditions(but string) rules.ConditionSet {
	return rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: v1beta1.ReasonInjectedBindResult, Message: "The credentials are in the Secret; " + but}
}

// unwrittenConditions returns the conditions of a binding whose credentials cannot be put into the Secret until something else changes.
// others: the Secret has other ones, which are valid.
func unwrittenConditions(why string, others bool) rules.ConditionSet {
	const what = "cannot be put into the Secret: "
	if others {
		return stillInjectedConditions("those that the broker returned since " + what + why)
	}
	return rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonErrorInjectingBindResult, Stalled: true, Message: "The credentials " + what + why}
}

// mitigatingConditions returns the conditions during an orphan mitigation.
func mitigatingConditions(why string, a *v1beta1.Attempts) rules.ConditionSet {
	return rules.Mitigating(v1beta1.ReasonServiceBindingNeedsOrphanMitigation, rules.MitigationPrefix+": "+why, a, nil)
}

func (d *decision) setConditions(set rules.ConditionSet) {
	d.Status.ObservedGeneration = d.b.Generation
	setBindingConditions(&d.Status, set, d.in.Now)
}

// blockRemoval sets the conditions for a blocker of a deletion or an orphan mitigation.
func (d *decision) blockRemoval(why *rules.Blocker) {
	set, wake := why.ConditionSet(d.b, d.in.Now)
	d.RequeueAt = wake
	if d.b.DeletionTimestamp.IsZero() && d.hasUsableCredentials() {
		set = stillInjectedConditions("the previous binding cannot be removed at the broker yet: " + why.Message)
	}
	d.setConditions(set)
}

// StatusForBlocker returns the status for a blocker that appears after the decision, such as a full queue or an API server that does not
// answer.
func StatusForBlocker(b *v1beta1.ServiceBinding, in Inputs, why *rules.Blocker) v1beta1.ServiceBindingStatus {
	d := newDecision(b, in)
	if d.Status.UnbindStatus == "" && d.hasNothingAtBroker() {
		d.Status.UnbindStatus = v1beta1.UnbindNotRequired
	}
	set, _ := why.ConditionSet(b, d.in.Now)
	if b.DeletionTimestamp.IsZero() && d.hasUsableCredentials() {
		set = stillInjectedConditions(why.Message)
	}
	d.setConditions(set)
	d.nameSecret()
	return d.Status
}

// stopRetrying ends the attempts until a person asks for new ones.
func (d *decision) stopRetrying(reason, message string) {
	d.Status.Attempts = d.schedule().Stop()
	d.setConditions(rules.Terminal(reason, reason, message))
}

// setBindingConditions sets the conditions; a binding whose credentials have ended is never Ready.
func setBindingConditions(status *v1beta1.ServiceBindingStatus, set rules.ConditionSet, now time.Time) {
	if set.Ready == v1beta1.ConditionTrue && hasEnded(status, now) {
		set = expiredConditions(status)
	}
	status.Conditions = set.Conditions(status.Conditions, now)
	status.LastConditionState = rules.LastConditionState(status.Conditions)
}

// expiredConditions returns the conditions of a binding whose credentials have ended by this clock. They stay in the Secret until others
// replace them.
func expiredConditions(s *v1beta1.ServiceBindingStatus) rules.ConditionSet {
	message := "The credentials in the Secret have expired at " + times.Format(s.ExpiresAt.Time)
	if a := s.Attempts; a != nil && a.Stopped {
		return rules.Terminal(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message+", and were not replaced: "+a.LastError+howToReplace)
	}
	return rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonRebinding, Message: message + ", and are replaced"}
}
