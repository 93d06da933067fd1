//go:build mutation

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules_test

import (
	"testing"

	"github.com/gophernetes/bellhop/internal/mutationtest"
)

// mutations are mistakes in the rules, which the walks have to detect beside the rules' own tests.
var mutations = []mutationtest.Mutation{
	{Name: "what a receiver holds is forgotten where the severity falls below its minimum", Package: ".", File: "table.go", Test: "TestWalks",
		Right: "		case holding != HoldsNothing:\n			d.planResolveInTime(t, in)", Wrong: "		case false:\n			d.planResolveInTime(t, in)"},
	{Name: "a message in flight is not recorded", Package: ".", File: "plan.go", Test: "TestEveryReceiverHearsThatItIsOver",
		Right: "	d.Row = RowInFlight(d.Row, f)\n", Wrong: "	_ = f\n"},
	{Name: "a deletion resolves only what is confirmed", Package: ".", File: "table.go", Test: "TestEveryReceiverHearsThatItIsOver",
		Right: "		case holding != HoldsNothing && !t.isGone() && inTime:", Wrong: "		case holding == Holds && !t.isGone() && inTime:"},
	{Name: "the clock of the process expires an Alert", Package: ".", File: "spec.go", Test: "TestWalks",
		Right: "return !at.IsZero() && in.hasPassed(at)", Wrong: "return !at.IsZero() && !in.Now.Before(at)"},
	{Name: "a due time outlives a clock ahead", Package: ".", File: "../../kube/times/times.go", Test: "TestWalks",
		Right: "return recorded.Sub(now) > clockTolerance", Wrong: "return false"},
	{Name: "what instances have joined notifies nobody", Package: ".", File: "firing.go", Test: "TestWalks",
		Right: " && !d.rises(a) && !d.joins(a) {", Wrong: " && !d.rises(a) {"},
	{Name: "a join counts as told once it was attempted", Package: ".", File: "outcome.go", Test: "TestWalks",
		Right: "	row.FilteredHash = r.FilteredHash\n", Wrong: "	row.FilteredHash, row.JoinedTime = r.FilteredHash, r.JoinedTime\n"},
	{Name: "a change of which nobody has to be told is a message of its own", Package: ".", File: "table.go", Test: "TestWalks",
		Right: "		case d.isKeptBack(a, t):\n", Wrong: "		case false:\n"},
	{Name: "a change is kept back although another one may have arrived", Package: ".", File: "firing.go", Test: "TestJoins",
		Right: " && !d.Row.OutcomeUnknown && confirmed(d.Row, d.Row.ContentHash)\n", Wrong: "\n"},
	{Name: "a join resolves the incident that is open", Package: ".", File: "firing.go", Test: "TestWhatIsHeldDecides",
		Right: "return t.RaisesByReopening && opened && d.rises(a) && !refused", Wrong: "return t.RaisesByReopening && opened && (d.rises(a) || d.joins(a)) && !refused"},
	{Name: "an Alert that fires again expires as it did before", Package: ".", File: "spec.go", Test: "TestWalks",
		Right: "	return firingSince(a, in).Add(", Wrong: "	return a.CreationTimestamp.Add("},
	{Name: "an Alert fires since its creation, whatever was recorded", Package: ".", File: "occurrence.go", Test: "TestWalks",
		Right: "	return occurrence{recorded + 1, in.finishedAt()}\n", Wrong: "	return occurrence{recorded + 1, a.CreationTimestamp.Time}\n"},
	{Name: "an upgrade has what has expired fire again", Package: ".", File: "occurrence.go", Test: "TestAnUpgradeRecordsNoOccurrence",
		Right: " && row.State != v1beta1.DeliveryExpired\n", Wrong: "\n"},
	{Name: "time alone ends an alert of a source", Package: "../sourcerules", File: "unreported.go", Test: "TestNothingLapsesUnheard",
		Right: "lastPost(i, in).After(lapseDue(i, in))", Wrong: "in.Now.After(lapseDue(i, in))"},
	{Name: "a restart of the operator ends alerts of a source", Package: "../sourcerules", File: "unreported.go", Test: "TestNothingLapsesUnheard",
		Right: "times.Latest(since.Add(length), i.LapsesAt.Time)", Wrong: "i.LapsesAt.Time"},
	{Name: "a webhook marks what another route posts", Package: "../sourcerules", File: "unreported.go", Test: "TestTwoRoutesOfOneReceiver",
		Right: "r.isWebhook && r.poster != unkeyed && r.poster == i.Poster", Wrong: "r.isWebhook && r.poster != unkeyed"},
	{Name: "a webhook ends what it misses", Package: "../sourcerules", File: "unreported.go", Test: "TestARestartOfAlertmanagerEndsNothing",
		Right: "return !in.Now.Before(missedDue(i, in))", Wrong: "return true"},
	{Name: "a higher severity is cut", Package: "../sourcerules", File: "instances.go", Test: "TestAFullGroupRises",
		Right: "return rank(y) - rank(x)", Wrong: "return 0 * (rank(y) - rank(x))"},
	{Name: "the second sender of a pair starts again what has ended", Package: "../sourcerules", File: "instances.go", Test: "TestOrderOfAPair",
		Right: "if !isNew && now.Before(i.EndsAt.Add(endGrace)) {", Wrong: "if false {"},
	{Name: "the start of an earlier time that it fired counts", Package: "../sourcerules", File: "instances.go", Test: "TestOrderOfAPair",
		Right: "if isSame && !p.StartsAt.IsZero()", Wrong: "if !p.StartsAt.IsZero() && isSame == isSame"},
	{Name: "each alert that joins notifies", Package: "../sourcerules", File: "decide.go", Test: "TestWalk",
		Right: "	return joined.Add(joinEvery)\n", Wrong: "	return joined.Add(0)\n"},
	{Name: "what waits never joins", Package: "../sourcerules", File: "decide.go", Test: "TestWalk",
		Right: "	case waits && d.mayJoin():\n", Wrong: "	case waits && false:\n"},
	{Name: "the time of a lapse is written with each post", Package: "../sourcerules", File: "instances.go", Test: "TestWritesOfRepetitions",
		Right: "	if step.Before(at.Time) {\n", Wrong: "	if step = at.Time; false {\n"},
	{Name: "a person's resolve does not hold", Package: "../sourcerules", File: "decide.go", Test: "TestAPersonsResolveHolds",
		Right: "	isHeld := count(d.before, isAnnounced) > 0\n", Wrong: "	isHeld := false\n"},
}

func TestMutations(t *testing.T) { mutationtest.Run(t, mutations) }
