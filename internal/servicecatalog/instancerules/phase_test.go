// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestPhaseOfOriginalStatus has the statuses that the original service-catalog leaves, also after it gave up.
func TestPhaseOfOriginalStatus(t *testing.T) {
	const (
		provision, update, deprovision = v1beta1.OperationProvision, v1beta1.OperationUpdate, v1beta1.OperationDeprovision
		provisioned, notProvisioned    = v1beta1.Provisioned, v1beta1.NotProvisioned
		required, notRequired          = v1beta1.DeprovisionRequired, v1beta1.DeprovisionNotRequired
		succeeded, failed              = v1beta1.DeprovisionSucceeded, v1beta1.DeprovisionFailed
	)
	accepted, mitigating := v1beta1.OperationStatus{AsyncOpInProgress: true}, v1beta1.OperationStatus{OrphanMitigationInProgress: true}
	mitigationAccepted := v1beta1.OperationStatus{OrphanMitigationInProgress: true, AsyncOpInProgress: true}
	early, earlyRefused := v1beta1.OperationStatus{ReconciledGeneration: 1}, v1beta1.OperationStatus{ReconciledGeneration: 1}
	earlyRefused.Conditions = []v1beta1.Condition{{Type: v1beta1.ConditionFailed, Status: v1beta1.ConditionTrue}}
	for name, test := range map[string]struct {
		status v1beta1.ServiceInstanceStatus
		want   Phase
	}{
		"never written":                     {v1beta1.ServiceInstanceStatus{}, New},
		"the schema's default":              {v1beta1.ServiceInstanceStatus{OperationStatus: v1beta1.OperationStatus{ObservedGeneration: rulestest.SchemaDefault}}, New},
		"initialised":                       {v1beta1.ServiceInstanceStatus{DeprovisionStatus: notRequired}, NotCreated},
		"provision request in flight":       {v1beta1.ServiceInstanceStatus{CurrentOperation: provision, DeprovisionStatus: required}, Provisioning},
		"the same after a clean-up":         {v1beta1.ServiceInstanceStatus{CurrentOperation: provision, ProvisionStatus: notProvisioned, DeprovisionStatus: required}, Provisioning},
		"provision answered with 409":       {v1beta1.ServiceInstanceStatus{CurrentOperation: provision, DeprovisionStatus: notRequired}, ProvisionRefused},
		"provision answered with 400":       {v1beta1.ServiceInstanceStatus{DeprovisionStatus: notRequired}, NotCreated},
		"being provisioned":                 {v1beta1.ServiceInstanceStatus{OperationStatus: accepted, CurrentOperation: provision, DeprovisionStatus: required}, Provisioning.accepted()},
		"orphan mitigation":                 {v1beta1.ServiceInstanceStatus{OperationStatus: mitigating, CurrentOperation: provision, DeprovisionStatus: required}, Mitigating},
		"orphan mitigation, polled":         {v1beta1.ServiceInstanceStatus{OperationStatus: mitigationAccepted, CurrentOperation: provision, DeprovisionStatus: required}, Mitigating.accepted()},
		"orphan mitigation has ended":       {v1beta1.ServiceInstanceStatus{ProvisionStatus: notProvisioned, DeprovisionStatus: succeeded}, Removed},
		"orphan mitigation was given up":    {v1beta1.ServiceInstanceStatus{DeprovisionStatus: failed}, RemovalFailed},
		"provisioned":                       {v1beta1.ServiceInstanceStatus{ProvisionStatus: provisioned, DeprovisionStatus: required}, Provisioned},
		"provisioned by the first releases": {v1beta1.ServiceInstanceStatus{ProvisionStatus: provisioned}, Provisioned},
		"F-S64 of an early version":         {v1beta1.ServiceInstanceStatus{OperationStatus: early}, Provisioned},
		"F-S64 the same, being deleted":     {v1beta1.ServiceInstanceStatus{OperationStatus: early, CurrentOperation: deprovision}, Deprovisioning},
		"F-S64 the same, refused":           {v1beta1.ServiceInstanceStatus{OperationStatus: earlyRefused, DeprovisionStatus: notRequired}, NotCreated},
		"update request in flight":          {v1beta1.ServiceInstanceStatus{CurrentOperation: update, ProvisionStatus: provisioned, DeprovisionStatus: required}, Updating},
		"being updated":                     {v1beta1.ServiceInstanceStatus{OperationStatus: accepted, CurrentOperation: update, ProvisionStatus: provisioned, DeprovisionStatus: required}, Updating.accepted()},
		"deprovision request in flight":     {v1beta1.ServiceInstanceStatus{CurrentOperation: deprovision, ProvisionStatus: provisioned, DeprovisionStatus: required}, Deprovisioning},
		"the same of one that has failed":   {v1beta1.ServiceInstanceStatus{CurrentOperation: deprovision, DeprovisionStatus: required}, Deprovisioning},
		"being deprovisioned":               {v1beta1.ServiceInstanceStatus{OperationStatus: accepted, CurrentOperation: deprovision, ProvisionStatus: provisioned, DeprovisionStatus: required}, Deprovisioning.accepted()},
		"deprovisioning was given up":       {v1beta1.ServiceInstanceStatus{ProvisionStatus: provisioned, DeprovisionStatus: failed}, RemovalFailed},
		"an operation of a later version":   {v1beta1.ServiceInstanceStatus{CurrentOperation: "Backup", ProvisionStatus: provisioned, DeprovisionStatus: required}, Updating},
		"the same, accepted":                {v1beta1.ServiceInstanceStatus{OperationStatus: accepted, CurrentOperation: "Backup", ProvisionStatus: provisioned, DeprovisionStatus: required}, Updating.accepted()},
		"the same of one not provisioned":   {v1beta1.ServiceInstanceStatus{ProvisionStatus: notProvisioned, DeprovisionStatus: failed}, RemovalFailed},
	} {
		if got := PhaseOf(&test.status); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestPhaseIsDecodedAsEncoded: whatever the status had before.
func TestPhaseIsDecodedAsEncoded(t *testing.T) {
	word, when := "word", times.Timestamp(rulestest.T0)
	before := map[string]v1beta1.ServiceInstanceStatus{
		"an empty status": {},
		"a mitigation": {OperationStatus: v1beta1.OperationStatus{OrphanMitigationInProgress: true, AsyncOpInProgress: true, LastOperation: &word, OperationStartTime: when},
			CurrentOperation: v1beta1.OperationProvision, InProgressProperties: &v1beta1.ServiceInstancePropertiesState{}, ProvisionStatus: v1beta1.NotProvisioned, DeprovisionStatus: v1beta1.DeprovisionRequired},
	}
	for _, phase := range recordedPhases() {
		for name, s := range before {
			phase.encode(&s)
			if got := PhaseOf(&s); got != phase {
				t.Errorf("%v in %s is decoded as %v: %+v", phase, name, got, s)
			}
			if s.LastOperation != nil && !phase.Accepted || (s.OperationStartTime != nil || s.InProgressProperties != nil) && !phase.HasOperation() {
				t.Errorf("%v in %s leaves another operation: %+v", phase, name, s)
			}
		}
	}
}

// recordedPhases returns the phases that statuses can have, but for New and RemovalFailed.
func recordedPhases() (all []Phase) {
	for phase := range fieldsOf {
		if all = append(all, phase); phase.HasOperation() && phase != ProvisionRefused {
			all = append(all, phase.accepted())
		}
	}
	return all
}

// TestDecideOriginalStatus: where the original service-catalog gave up, an edit or a deletion goes on.
func TestDecideOriginalStatus(t *testing.T) {
	for name, test := range map[string]struct {
		status       v1beta1.ServiceInstanceStatus
		is           []func(*fixture)
		want, reason string
	}{
		"refused":                       {v1beta1.ServiceInstanceStatus{DeprovisionStatus: v1beta1.DeprovisionNotRequired}, edits(givenUp), "nothing: Failed", "it is not retried"},
		"refused, and edited":           {v1beta1.ServiceInstanceStatus{DeprovisionStatus: v1beta1.DeprovisionNotRequired}, edits(givenUp, otherParameters), "write-ahead provision id small-id", "the spec is another"},
		"refused, and deleted":          {v1beta1.ServiceInstanceStatus{DeprovisionStatus: v1beta1.DeprovisionNotRequired}, edits(givenUp, deleted, definitionExists), "release DeprovisionedSuccessfully", "the broker has nothing"},
		"asked again":                   {v1beta1.ServiceInstanceStatus{DeprovisionStatus: v1beta1.DeprovisionRequired, CurrentOperation: v1beta1.OperationProvision}, edits(givenUp), "write-ahead provision id small-id", "the condition is older than the operation"},
		"F-S65 removal given up":        {v1beta1.ServiceInstanceStatus{DeprovisionStatus: v1beta1.DeprovisionFailed}, edits(givenUp, deleted, definitionExists), "nothing: DeprovisionCallFailed", "a person has to ask for it"},
		"F-S65 the same, asked":         {v1beta1.ServiceInstanceStatus{DeprovisionStatus: v1beta1.DeprovisionFailed}, edits(givenUp, deleted, definitionExists, removalRequested), "deprovision id small-id", "a person has asked for it"},
		"F-S65 the same, in progress":   {v1beta1.ServiceInstanceStatus{DeprovisionStatus: v1beta1.DeprovisionFailed, CurrentOperation: v1beta1.OperationDeprovision}, edits(givenUp, deleted, definitionExists), "nothing: DeprovisionCallFailed", "the original sent nothing more"},
		"F-S65 the same, retained":      {v1beta1.ServiceInstanceStatus{DeprovisionStatus: v1beta1.DeprovisionFailed}, edits(givenUp, deleted, definitionExists, toBeKept), "release Retained", "nothing is sent"},
		"of an early version":           {v1beta1.ServiceInstanceStatus{OperationStatus: v1beta1.OperationStatus{ReconciledGeneration: 1}}, edits(deleted, definitionExists), "deprovision id small-id", "its broker has it"},
		"removal of a ready one, ended": {v1beta1.ServiceInstanceStatus{ProvisionStatus: v1beta1.Provisioned, DeprovisionStatus: v1beta1.DeprovisionFailed}, edits(givenUp, deleted, definitionExists), "nothing: DeprovisionCallFailed", "the same"},
	} {
		f := newFixture()
		f.si.Status = test.status
		for _, edit := range test.is {
			edit(f)
		}
		if got := Decide(f.si, f.inputs()).describe(); got != test.want {
			t.Errorf("%s: %s, want %s (%s)", name, got, test.want, test.reason)
		}
	}
}

// F-S65: what the original service-catalog said stays in the conditions until a person asks for a retry, also after a restart. The retry is handled
// with the broker's answer: from then on the deletion is like any other.
func TestAnInstanceWhoseRemovalWasGivenUp(t *testing.T) {
	f := newFixture(ready, deleted, definitionExists, func(f *fixture) {
		f.si.Status.DeprovisionStatus, f.si.Status.Attempts = v1beta1.DeprovisionFailed, nil
		f.si.Status.Conditions = []v1beta1.Condition{
			{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonDeprovisionCallFailed, Message: "Status: 500; out of disk."},
			{Type: v1beta1.ConditionFailed, Status: v1beta1.ConditionTrue, Message: "Stopping reconciliation retries"},
		}
	})
	for range 2 {
		next := Decide(f.si, f.inputs())
		c := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionStalled)
		for _, want := range []string{"Status: 500; out of disk.; Stopping reconciliation retries", v1beta1.RetryDeletionAnnotation + "=1", v1beta1.DeletionPolicyRetain} {
			if next.Request != nil || !rules.IsTrue(c) || !strings.Contains(c.Message, want) {
				t.Errorf("%s: %+v has no %q", next.describe(), c, want)
			}
		}
		f.si.Status = next.Status
	}
	if f.si.Status.DeprovisionStatus != v1beta1.DeprovisionFailed {
		t.Errorf("deprovisionStatus is %s", f.si.Status.DeprovisionStatus)
	}
	removalRequested(f)
	if next := Decide(f.si, f.inputs()); next.Status.DeprovisionStatus != v1beta1.DeprovisionFailed {
		t.Errorf("before the answer, deprovisionStatus is %s", next.Status.DeprovisionStatus)
	}
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Unknown, 500))
	delete(f.si.Annotations, v1beta1.RetryDeletionAnnotation)
	if got := Decide(f.si, f.inputs()).describe(); got != "wait" || f.si.Status.DeprovisionStatus != v1beta1.DeprovisionRequired {
		t.Errorf("after the answer: %s, deprovisionStatus is %s", got, f.si.Status.DeprovisionStatus)
	}
}

// removalRequested has a person ask for a removal that was given up.
func removalRequested(f *fixture) {
	metav1.SetMetaDataAnnotation(&f.si.ObjectMeta, v1beta1.RetryDeletionAnnotation, "1")
}

// givenUp has the conditions that the original service-catalog set where it did not retry.
func givenUp(f *fixture) {
	f.si.Status.ObservedGeneration, f.si.Status.LastConditionState = f.si.Generation, v1beta1.ConditionFailed
	f.si.Status.Conditions = []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionFalse}, {Type: v1beta1.ConditionFailed, Status: v1beta1.ConditionTrue}}
}

// TestQueuedInstanceIsNotGivenUp: Failed is True as well while an instance waits for the probe of a broker that looks misconfigured.
func TestQueuedInstanceIsNotGivenUp(t *testing.T) {
	queued := func(f *fixture) {
		probed := &rules.Blocker{Failed: true, Cause: rules.Cause{Reason: v1beta1.ReasonQueued, Message: "the broker looks misconfigured"}}
		f.si.Status = StatusForBlocker(f.si, probed, f.in.Now)
	}
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"after another blocker":  {edits(unreachable, queued), "write-ahead provision id small-id"},
		"after a Secret changed": {edits(ready, rotated("v2", "p5"), queued), "write-ahead update id small-id +parameters"},
	} {
		f := newFixture(test.is...)
		if got := Decide(f.si, f.inputs()).describe(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
