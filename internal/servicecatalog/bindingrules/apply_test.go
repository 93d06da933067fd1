// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestBindAnswers has each row of the response matrix.
// conformance: B12 O08 O09
func TestBindAnswers(t *testing.T) {
	route, drain := answerWithCredentials(201), answerWithCredentials(201)
	route.Binding.RouteServiceURL, drain.Binding.SyslogDrainURL = "https://x", "syslog://x"
	timeout := Answer{Outcome: osbresult.Outcome{Class: osbresult.Unknown, Sent: true}}
	for name, test := range map[string]struct {
		is     []func(*fixture)
		answer Answer
		state  string // LastConditionState
		undo   v1beta1.UnbindStatus
		next   string // after a day
	}{
		"201":                     {nil, answerWithCredentials(201), "Ready", "Required", "nothing: Ready"},
		"201 without credentials": {nil, answerWithoutCredentials(osbresult.Done, 201), "Ready", "Required", "nothing: Ready"},
		"200":                     {nil, answerWithCredentials(200), "Ready", "Required", "nothing: Ready"},
		"200 without credentials": {nil, answerWithoutCredentials(osbresult.Done, 200), "Ready", "Required", "nothing: Ready"},
		"and after a lost answer": {edits(repeated(1, answerOf(osbresult.Unknown, 500))), answerWithoutCredentials(osbresult.Done, 200), "Binding", "Required", "write-ahead bind " + next1},
		"and under a supplied id": {edits(suppliedID), answerWithoutCredentials(osbresult.Done, 200), "Binding", "Required", "nothing: ErrorInjectingBindResult"},
		"201 with a route":        {nil, route, "ServiceBindingNeedsOrphanMitigation", "Required", "unbind id"},
		"201 with a log drain":    {nil, drain, "Ready", "Required", "nothing: Ready"}, // F-B24
		"202":                     {edits(retrievable), answerWithoutCredentials(osbresult.Accepted, 202), "Binding", "Required", "poll id"},
		"200 malformed":           {nil, answerOf(osbresult.Malformed, 200), "BindCallFailed", "Required", "bind id"},
		"400":                     {nil, answerOf(osbresult.Rejected, 400), "Failed", "NotRequired", "nothing: Failed"},
		"400 to a repeat":         {edits(repeated(1, answerOf(osbresult.Unknown, 500))), answerOf(osbresult.Rejected, 400), "ServiceBindingNeedsOrphanMitigation", "Required", "unbind id"},
		"400 after a restart":     {edits(restarted), answerOf(osbresult.Rejected, 400), "ServiceBindingNeedsOrphanMitigation", "Required", "unbind id"},
		"400 under a supplied id": {edits(suppliedID, restarted), answerOf(osbresult.Rejected, 400), "Failed", "Required", "nothing: Failed"},
		"401":                     {nil, answerOf(osbresult.Misconfigured, 401), "BindCallFailed", "NotRequired", "write-ahead bind id"},
		"404":                     {nil, answerOf(osbresult.Misconfigured, 404), "BindCallFailed", "NotRequired", "write-ahead bind id"},
		"408":                     {nil, answerOf(osbresult.Retry, 408), "BindCallFailed", "NotRequired", "write-ahead bind id"},
		"409":                     {nil, answerOf(osbresult.Conflict, 409), "Failed", "Required", "bind id"},
		"409, retrievable":        {edits(retrievable), answerOf(osbresult.Conflict, 409), "Conflict", "Required", "fetch id"},
		"409 under a supplied id": {edits(suppliedID), answerOf(osbresult.Conflict, 409), "Conflict", "NotRequired", "write-ahead bind id"},
		"410":                     {nil, answerOf(osbresult.Misconfigured, 410), "BindCallFailed", "NotRequired", "write-ahead bind id"},
		// F-JS8: it is retried, as the table of retries in the documentation says.
		"412":                       {nil, answerOf(osbresult.NeedsCatalog, 412), "BindCallFailed", "NotRequired", "write-ahead bind id"},
		"AsyncRequired":             {nil, answerOf(osbresult.NeedsAsync, 422), "Failed", "NotRequired", "nothing: Failed"},
		"RequiresApp":               {nil, answerOf(osbresult.NeedsApp, 422), "BindingRequestInFlight", "Required", "bind id"},
		"ConcurrencyError":          {nil, answerOf(osbresult.Concurrency, 422), "BindCallFailed", "NotRequired", "write-ahead bind id"},
		"ConcurrencyErrors":         {edits(repeated(9, answerOf(osbresult.Concurrency, 422))), answerOf(osbresult.Concurrency, 422), "BindCallFailed", "NotRequired", "write-ahead bind id"},
		"422":                       {nil, answerOf(osbresult.Rejected, 422), "Failed", "NotRequired", "nothing: Failed"},
		"429":                       {nil, answerOf(osbresult.Retry, 429), "BindCallFailed", "NotRequired", "write-ahead bind id"},
		"refused connection":        {nil, Answer{Outcome: osbresult.Outcome{Class: osbresult.Retry}}, "BindCallFailed", "NotRequired", "write-ahead bind id"},
		"refused after a restart":   {edits(restarted), Answer{Outcome: osbresult.Outcome{Class: osbresult.Retry}}, "BindCallFailed", "Required", "bind id"},
		"500":                       {nil, answerOf(osbresult.Unknown, 500), "BindCallFailed", "Required", "bind id"},
		"201 malformed":             {nil, answerOf(osbresult.Unknown, 201), "BindCallFailed", "Required", "bind id"},
		"204":                       {nil, answerOf(osbresult.Unknown, 204), "BindCallFailed", "Required", "bind id"},
		"timeout":                   {nil, timeout, "BindCallFailed", "Required", "bind id"},
		"timeouts":                  {edits(repeated(rules.MaxRepeats, timeout)), timeout, "BindCallFailed", "Required", "write-ahead unbind id"},
		"500s under a supplied id":  {edits(suppliedID, repeated(rules.MaxRepeats, timeout)), timeout, "BindCallFailed", "Required", "bind id"},
		"timeouts and then a Retry": {edits(repeated(1, timeout)), answerOf(osbresult.Retry, 429), "BindCallFailed", "Required", "bind id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			f.after(test.answer)
			if got := f.b.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			if got := f.b.Status.UnbindStatus; got != test.undo {
				t.Errorf("unbinding is %s, want %s", got, test.undo)
			}
			f.in.Now = f.in.Now.Add(24 * time.Hour)
			if got := f.step().describe(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// F-B18: as for instances. The parameters of a binding cannot be changed, so that another one is needed.
func TestBindRefusalNamesRequiredParameter(t *testing.T) {
	const advice = `; the plan's schema requires the parameter "role": if the broker does not accept it, ` +
		`delete this ServiceBinding and create it again without the parameter, with the annotation bellhop.gophernetes.io/schema-policy set to Warn on the new one or on the plan`
	refused, failed := answerOf(osbresult.Rejected, 400), pollAnswer(osbresult.Failed)
	refused.Description, failed.OperationDescription = "role: set by the plan", "role: set by the plan"
	for name, test := range map[string]struct {
		is     []func(*fixture)
		answer Answer
	}{
		"a request":    {nil, refused},
		"an operation": {edits(bindAccepted), failed},
	} {
		f := newFixture(func(f *fixture) { f.in.Parameters.Required = []string{"role"} })
		for _, edit := range test.is {
			edit(f)
		}
		f.after(test.answer)
		if got := f.b.Status.Attempts.LastError; !strings.Contains(got, advice) || strings.Contains(got, "leave it out") {
			t.Errorf("%s: says %s, want %s", name, got, advice)
		}
	}
}

// TestUnbindAnswers has each row of the response matrix.
// conformance: N02 N03 N04
func TestUnbindAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer Answer
		state  string
		next   string // after an hour
	}{
		"200":              {answerOf(osbresult.Done, 200), "UnboundSuccessfully", "release UnboundSuccessfully"},
		"410":              {answerOf(osbresult.Gone, 410), "Ready", "wait"}, // F-JS14
		"202":              {answerOf(osbresult.Accepted, 202), "Unbinding", "poll id (removal)"},
		"202 malformed":    {answerOf(osbresult.Unknown, 202), "UnbindCallFailed", "unbind id"},
		"204":              {answerOf(osbresult.Unknown, 204), "UnbindCallFailed", "unbind id"},
		"400":              {answerOf(osbresult.Rejected, 400), "UnbindCallFailed", "unbind id"},
		"404":              {answerOf(osbresult.Misconfigured, 404), "UnbindCallFailed", "unbind id"},
		"409":              {answerOf(osbresult.Conflict, 409), "UnbindCallFailed", "unbind id"},
		"AsyncRequired":    {answerOf(osbresult.NeedsAsync, 422), "Ready", "unbind id"},
		"ConcurrencyError": {answerOf(osbresult.Concurrency, 422), "UnbindCallFailed", "unbind id"},
		"500":              {answerOf(osbresult.Unknown, 500), "UnbindCallFailed", "unbind id"},
		"timeout":          {Answer{Outcome: osbresult.Outcome{Class: osbresult.Unknown, Sent: true}}, "UnbindCallFailed", "unbind id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(bound, deleted, definitionExists, secretDeleted)
			f.after(test.answer)
			if got := f.b.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady)
			if test.state == v1beta1.ReasonUnbindCallFailed && (ready.Status != v1beta1.ConditionUnknown || !strings.Contains(ready.Message, "the next is at") ||
				!strings.Contains(ready.Message, "Deleted at") || !strings.Contains(ready.Message, v1beta1.DeletionPolicyRetain)) {
				t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
			}
			if removing := test.next != "release UnboundSuccessfully" && test.state != v1beta1.ConditionReady; removing && !strings.Contains(ready.Message, rules.HowToRelease(f.b)) {
				t.Errorf("it does not say how to release it: %s", ready.Message)
			}
			f.in.Now = f.in.Now.Add(time.Hour)
			if got := f.step().describe(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestBindingPollAnswers has what brokers say of operations.
func TestBindingPollAnswers(t *testing.T) {
	unbinding := edits(bound, deleted, definitionExists, secretDeleted, func(f *fixture) { f.after(answerOf(osbresult.Accepted, 202)) })
	making := edits(bindAccepted)
	for name, test := range map[string]struct {
		is     []func(*fixture)
		answer Answer
		state  string
		next   string // after an hour
	}{
		"in progress":           {making, pollAnswer(osbresult.InProgress), "Binding", "poll id"},
		"succeeded":             {making, pollAnswer(osbresult.Succeeded), "Binding", "fetch id again"},
		"failed":                {making, pollAnswer(osbresult.Failed), "ServiceBindingNeedsOrphanMitigation", "unbind id"},
		"failed, supplied id":   {edits(suppliedID, bindAccepted), pollAnswer(osbresult.Failed), "Failed", "write-ahead bind id"},
		"500":                   {making, answerOf(osbresult.Retry, 500), "ErrorPollingLastOperation", "poll id"},
		"404":                   {making, answerOf(osbresult.Malformed, 404), "ErrorPollingLastOperation", "poll id"},
		"410":                   {making, answerOf(osbresult.Malformed, 410), "ErrorPollingLastOperation", "poll id"},
		"unbind, in progress":   {unbinding, pollAnswer(osbresult.InProgress), "Unbinding", "poll id (removal)"},
		"unbind, succeeded":     {unbinding, pollAnswer(osbresult.Succeeded), "UnboundSuccessfully", "release UnboundSuccessfully"},
		"unbind, failed":        {unbinding, pollAnswer(osbresult.Failed), "UnbindCallFailed", "unbind id"},
		"unbind, 410":           {unbinding, answerOf(osbresult.Gone, 410), "Unbinding", "wait"}, // F-JS14
		"unbind, 404":           {unbinding, answerOf(osbresult.Malformed, 404), "UnbindCallFailed", "unbind id"},
		"unbind, 500":           {unbinding, answerOf(osbresult.Retry, 500), "ErrorPollingLastOperation", "poll id (removal)"},
		"unbind takes too long": {append(unbinding, later(8*24*time.Hour)), answerOf(osbresult.Accepted, 202), "Unbinding", "poll id (removal)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			f.after(test.answer)
			if got := f.b.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady)
			if waits := f.b.DeletionTimestamp != nil && !strings.HasPrefix(test.next, "release"); waits && strings.Count(ready.Message, rules.HowToRelease(f.b)) != 1 {
				t.Errorf("it does not say how to release it: %s", ready.Message)
			}
			f.in.Now = f.in.Now.Add(time.Hour)
			if got := f.step().describe(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestABindingThatTakesTooLongIsRemoved: it has failed then, whatever the broker may still
// make of it.
// conformance: L12 L14
func TestABindingThatTakesTooLongIsRemoved(t *testing.T) {
	f := newFixture(bindAccepted, func(f *fixture) { f.after(pollAnswer(osbresult.InProgress)) }, later(8*24*time.Hour))
	f.after(pollAnswer(osbresult.InProgress))
	if got := f.b.Status.Attempts.LastError; !strings.Contains(got, "timed out after 7d") {
		t.Errorf("it says %s", got)
	}
	if got := f.step().describe(); got != "unbind id" {
		t.Errorf("then: %s", got)
	}
}

// TestBindingFetchAnswers has what comes of asking for credentials again.
// conformance: F04 F08
func TestBindingFetchAnswers(t *testing.T) {
	made := func(f *fixture) { bindAccepted(f); f.after(pollAnswer(osbresult.Succeeded)) }
	ours, others := answerWithCredentials(200), answerWithCredentials(200)
	ours.Binding.Parameters, others.Binding.Parameters = parametersOf("p0"), parametersOf("p1")
	for name, test := range map[string]struct {
		is     []func(*fixture)
		answer Answer
		next   string // after an hour
	}{
		"after making it":                {edits(made), answerWithCredentials(200), "nothing: Ready"},
		"a service without credentials":  {edits(made), answerWithoutCredentials(osbresult.Done, 200), "nothing: Ready"},
		"not yet":                        {edits(made), answerOf(osbresult.Gone, 404), "fetch id again"},
		"for long":                       {edits(made, repeated(manyFetches, answerOf(osbresult.Gone, 404))), answerOf(osbresult.Gone, 404), "bind id again"},
		"an answer was lost":             {edits(made, repeated(1, answerOf(osbresult.Retry, 0))), answerWithoutCredentials(osbresult.Done, 200), "bind id again"},
		"busy":                           {edits(made), answerOf(osbresult.Concurrency, 422), "fetch id again"},
		"a Secret that is gone":          {edits(retrievable, bound, secretGone), answerWithCredentials(200), "nothing: Ready"},
		"a binding that is gone":         {edits(retrievable, bound, secretGone), answerOf(osbresult.Gone, 404), "bind id again"},
		"a conflict, and it is ours":     {edits(retrievable, repeated(1, answerOf(osbresult.Conflict, 409))), ours, "nothing: Ready"},
		"a conflict, and it was another": {edits(retrievable, restarted, repeated(1, answerOf(osbresult.Conflict, 409))), others, "fetch id"},
		"a conflict, and who knows":      {edits(retrievable, restarted, repeated(1, answerOf(osbresult.Conflict, 409))), answerWithCredentials(200), "unbind id"},
		"a conflict, no longer ours": {edits(retrievable, repeated(1, answerOf(osbresult.Conflict, 409)), func(f *fixture) {
			f.in.Claimants = rules.Claimants{{UID: "other", Display: "the other", Owns: true}}
		}), others, "nothing: Failed"},
		"a conflict, not returned": {edits(retrievable, restarted, repeated(1, answerOf(osbresult.Conflict, 409))), answerWithoutCredentials(osbresult.Done, 200), "unbind id"},
		// F-S24: without a request on record whose outcome is unknown, nothing is removed
		"a conflict of a blank record": {edits(retrievable, repeated(1, answerOf(osbresult.Conflict, 409))), answerWithoutCredentials(osbresult.Done, 200), "fetch id"},
		"a conflict with nothing":      {edits(retrievable, repeated(1, answerOf(osbresult.Conflict, 409))), answerOf(osbresult.Gone, 404), "bind id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			f.after(test.answer)
			f.in.Now = f.in.Now.Add(time.Hour)
			if got := f.step().describe(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestABindingHasANewIDAfterEachRemoval: a removal that is carried out late hits nothing (R2).
func TestABindingHasANewIDAfterEachRemoval(t *testing.T) {
	mitigated := func(f *fixture) {
		repeated(4, answerOf(osbresult.Unknown, 500))(f)
		repeated(1, answerOf(osbresult.Done, 200))(f)
	}
	supplied := func(f *fixture) { // and created by this object
		suppliedID(f)
		retrievable(f)
		f.after(answerWithoutCredentials(osbresult.Accepted, 202))
		f.b.Status.CreatedForUID = f.b.UID
		f.after(pollAnswer(osbresult.Failed))
		f.after(answerOf(osbresult.Done, 200))
		later(time.Hour)(f)
		rebound(f)
	}
	rotatedInVain := func(f *fixture) {
		repeated(4, answerOf(osbresult.Unknown, 500))(f)
		repeated(1, answerOf(osbresult.Done, 200))(f)
	}
	second := tail(catalog.NextID("uid-b", "id", 2))
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"once":                        {edits(mitigated), "write-ahead bind " + next1},
		"twice":                       {edits(mitigated, mitigated), "write-ahead bind " + second},
		"a supplied id":               {edits(supplied), "write-ahead bind " + next1},
		"refused under the new id":    {edits(mitigated, func(f *fixture) { f.after(answerOf(osbresult.Conflict, 409)) }, later(time.Hour)), "bind " + next1},
		"rotated in vain":             {edits(rotatable, bound, rebound, rotatedInVain, requestRebind("again")), "write-ahead bind " + second + " for id"},
		"deleted after the new id":    {edits(mitigated, func(f *fixture) { f.after(answerWithCredentials(201)) }, secretGone, deleted, definitionExists), "unbind " + next1},
		"what is asked for is kept":   {edits(mitigated, func(f *fixture) { f.after(answerWithCredentials(201)) }), "nothing: Ready"},
		"the first one was not given": {edits(repeated(3, answerOf(osbresult.Unknown, 500))), "bind id"},
	} {
		t.Run("F-S5 "+name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := f.step().describe(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if f.b.Spec.ExternalID != "id" {
				t.Errorf("spec.externalID became %s", f.b.Spec.ExternalID)
			}
		})
	}
}

// TestAnOperationOfInstancesIsAProgrammingError: it is not taken for another one.
func TestAnOperationOfInstancesIsAProgrammingError(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was applied")
		}
	}()
	Apply(&v1beta1.ServiceBinding{}, v1beta1.ServiceBindingStatus{}, Request{Request: operation.Request{Operation: rules.Update}}, Answer{}, rulestest.T0)
}

// A rotation sends no parameters: where it fails with the name of a required one, the advice to leave that out would be wrong.
func TestARotationIsNotAboutParameters(t *testing.T) {
	f := newFixture(retrievable, rotatable, bound, rebound)
	f.in.Parameters.Required = []string{"role"}
	f.after(answerWithoutCredentials(osbresult.Accepted, 202))
	if call := f.step().Request; call == nil || call.Operation != rules.Poll {
		t.Fatalf("it sends %+v", call)
	}
	failed := pollAnswer(osbresult.Failed)
	failed.OperationDescription = "the role of the predecessor is gone"
	f.after(failed)
	for _, c := range f.b.Status.Conditions {
		if strings.Contains(c.Message, "without the parameter") {
			t.Errorf("%s says %s", c.Type, c.Message)
		}
	}
}
