//go:build mutation

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"testing"

	"github.com/gophernetes/bellhop/internal/mutationtest"
)

// mutations are mistakes in the rules, which the walks have to detect beside the rules' own tests.
var mutations = []mutationtest.Mutation{
	{Name: "what was removed is provisioned again under its id", Package: "../instancerules", File: "apply_remove.go", Test: "TestInstanceWalks",
		Right: "	ap.UseNextID()\n	rules.RecordRemoval", Wrong: "	rules.RecordRemoval"},
	{Name: "S24: what an instance's record does not show is taken for a leftover", Package: "../instancerules", File: "../operation/conflict.go", Test: "TestInstanceWalks",
		Right: "	if !ap.Call.NothingAtBroker && !ap.ConflictHeld {", Wrong: "	if true {"},
	{Name: "S24: a failed update is taken for a failed provisioning", Package: "../instancerules", File: "apply_provision.go", Test: "TestInstanceWalks",
		Right: "	if !ap.call.SeenRunning && ap.call.MayMitigate() {", Wrong: "	if false {"},
	{Name: "S24: what a binding's record does not show is taken for a leftover", Package: "../bindingrules", File: "../operation/conflict.go", Test: "TestBindingWalks",
		Right: "	if !ap.Call.NothingAtBroker && !ap.ConflictHeld {", Wrong: "	if true {"},
	{Name: "S24: a failed removal is taken for a failed replacement", Package: "../bindingrules", File: "apply_bind.go", Test: "TestAFailedPollOfASuccessor",
		Right: "	case ap.phase.IsReplacement() && isUnseen:", Wrong: "	case false:"},
	{Name: "S26: the answer of a gateway to a fetch is taken for a refusal", Package: "../bindingrules", File: "rotate.go", Test: "TestAFailedPollOfASuccessor",
		Right: "tried.unanswered > 0 && isPatient)", Wrong: "false && isPatient)"},
	{Name: "S26: a successor that may be in use is removed before another one is requested", Package: "../bindingrules", File: "rotate.go", Test: "TestASuccessorWhoseCredentialsAreRefused",
		Right: "	if d.recovery().requested ||", Wrong: "	if true ||"},
	{Name: "the slow retries of a recheck delay a renewal", Package: "../bindingrules", File: "credentials.go", Test: "TestAFailedRecheckDelaysNothing",
		Right: " && d.attemptsPrecede(at) {", Wrong: " && false {"},
	{Name: "S26: a successor is removed without a fetch once its predecessor has ended", Package: "../bindingrules", File: "rotate.go", Test: "TestASuccessorWhosePredecessorHasEnded",
		Right: "rotates && d.hasEnded() && s.InProgressProperties != nil) &&", Wrong: "false) &&"},
	{Name: "S25: an accepted provisioning is taken for a creation", Package: "../instancerules", File: "apply_provision.go", Test: "TestTwoClustersWithOneID",
		Right: "	ap.status.OwnershipUnknown = !ap.call.Owned\n", Wrong: "	ap.status.CreatedForUID = ap.si.UID\n"},
	{Name: "S25: an accepted binding is taken for a creation", Package: "../bindingrules", File: "apply_bind.go", Test: "TestTwoClustersWithOneID",
		Right: "		ap.status.OwnershipUnknown = !ap.call.Owned\n", Wrong: "		ap.status.CreatedForUID = ap.b.UID\n"},
	// F-S26: no clock takes credentials away.
	{Name: "the operator's clock removes credentials that have ended", Package: "../bindingrules", File: "credentials.go", Test: "TestBindingWalks",
		Right: "case d.isRenewalDue() && ", Wrong: "case d.hasEnded():\n\t\td.unbind(d.id())\n\tcase d.isRenewalDue() && "},
	{Name: "a predecessor is removed as soon as the Secret is written", Package: "../bindingrules", File: "secret.go", Test: "TestBindingWalks",
		Right: "retire(b, s, s.PredecessorID, begin)", Wrong: "s.Predecessors = append(s.Predecessors, v1beta1.PredecessorBinding{ID: s.PredecessorID, RemoveAt: metav1.NewTime(begin)})"},
	{Name: "a predecessor is removed before the Secret is written", Package: "../bindingrules", File: "rotate.go", Test: "TestBindingWalks",
		Right: "d.requestFirst()\n}\n\n// replacementBlocker", Wrong: "s.Predecessors = append(s.Predecessors, v1beta1.PredecessorBinding{ID: s.PredecessorID, RemoveAt: *times.Timestamp(d.in.Now)})\n\ts.PredecessorID = \"\"\n\td.unbind(s.Predecessors[0].ID)\n}\n\n// replacementBlocker"},
}

func TestMutations(t *testing.T) { mutationtest.Run(t, mutations) }
