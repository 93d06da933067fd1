// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// copying is a binding whose Secret gets the keys of another one.
func copying(f *fixture) {
	f.b.Spec.SecretTransforms = []v1beta1.SecretTransform{{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Name: "more"}}}}
}

// sources is what a read of that Secret has found.
func sources(others map[string]map[string][]byte) func(*fixture) {
	return func(f *fixture) {
		f.in.Sources = Sources{Known: true}
		if err := bindingsecret.CheckSources(f.b, others); err != nil {
			f.in.Sources.Blocker = bindingsecret.BlockerForSources(f.b, err)
		}
	}
}

// read is that it exists.
func read(f *fixture) { sources(map[string]map[string][]byte{"more": nil})(f) }

// instanceUpdated is that the instance was updated after the credentials were made.
func instanceUpdated(f *fixture) { f.b.Status.InstanceFingerprint = "former" }

// updated is that the instance was updated after the broker returned the last credentials.
func updated(f *fixture) {
	f.in.BoundInstance.Instance.Status.ExternalProperties.ParameterChecksum = "other"
}

// beingUpdated is that it is being updated.
func beingUpdated(f *fixture) {
	updated(f)
	f.in.BoundInstance.Instance.Status.CurrentOperation = v1beta1.OperationUpdate
}

// permitted is that the API server would accept the Secret.
func permitted(f *fixture) { f.in.MayWrite = true }

// notWritten takes credentials into the status and the memory that could not be written.
func (f *fixture) notWritten(a Answer, u Unwritten) {
	next := f.step()
	f.in.Memory = f.in.Memory.ObserveAnswer(f.b, *next.Request, a)
	f.b.Status = ApplySecretRefused(f.b, Apply(f.b, next.Status, *next.Request, a, f.in.Now), "x", false, f.in.Now)
	u.Time, u.Message, u.InstanceFingerprint = f.in.Now, "x", InstanceFingerprint(f.in.BoundInstance.Instance)
	f.in.Memory.RecordUnwritten(u)
}

// unwritten is a binding that was created, and whose credentials could not be written.
func unwritten(u Unwritten) func(*fixture) {
	return func(f *fixture) { f.notWritten(answerWithCredentials(201), u) }
}

// refetched is that credentials that end were fetched again after an update of the instance, and could not be written.
func refetched(u Unwritten) func(*fixture) { return refetchedOf(expiring, u) }

// refetchedOf is the same of a binding.
func refetchedOf(is func(*fixture), u Unwritten) func(*fixture) {
	return func(f *fixture) {
		for _, edit := range edits(retrievable, rotatable, is, instanceUpdated) {
			edit(f)
		}
		f.notWritten(answerWithCredentials(200), u)
	}
}

// A binding whose credentials cannot be written until something else changes says so, whatever happened since. Valid credentials in the
// Secret stay Ready, and are renewed in time.
func TestABindingSaysWhyItsCredentialsAreNotWritten(t *testing.T) {
	inTheWay := Unwritten{SecretsVersion: "v"}
	v := func(f *fixture) { f.in.SecretsVersion = "v" }
	reverted := func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) } // the broker has something under the id of the successor
	none := func(f *fixture) {
		a := answerWithCredentials(201)
		a.Binding.Credentials = json.RawMessage(`{}`)
		f.notWritten(a, Unwritten{Unfit: true})
	}
	const refused, still = "The credentials cannot be put into the Secret: x", "The credentials are in the Secret; those that the broker returned since cannot be put into the Secret: x"
	for name, test := range map[string]struct {
		is        []func(*fixture)
		does, say string
	}{
		"successor, expired":                         {edits(expiring, v, copying, read, rebound, unwritten(inTheWay), later(2*time.Hour), decided), "nothing: ErrorInjectingBindResult", refused},
		"successor, valid":                           {edits(expiring, v, copying, read, rebound, unwritten(inTheWay), later(time.Minute), decided), "wait", still},
		"successor, rebound again":                   {edits(expiring, v, copying, read, rebound, unwritten(inTheWay), requestRebind("again")), "write-ahead unbind 231", ""},
		"replacement reverted":                       {edits(v, unwritten(inTheWay), rebound, reverted, later(time.Hour), decided), "nothing: ErrorInjectingBindResult", refused},
		"fetched again, unfit":                       {edits(refetched(Unwritten{Unfit: true})), "wait", still},
		"the same, renewal due":                      {edits(refetched(Unwritten{Unfit: true}), later(50*time.Minute)), "write-ahead bind " + next1 + " for id", ""},
		"fetched again, in the way":                  {edits(v, refetched(inTheWay)), "wait", still},
		"the same, to be renewed":                    {edits(v, refetched(inTheWay), later(50*time.Minute)), "write-ahead bind " + next1 + " for id", ""},
		"no credentials":                             {edits(none), "nothing: ErrorInjectingBindResult", refused},
		"no credentials, and rebound":                {edits(none, rebound), "write-ahead bind " + next1, ""},
		"credentialsDoNotFit, after other decisions": {edits(unwritten(Unwritten{Unfit: true}), decided, later(time.Hour), decided), "nothing: ErrorInjectingBindResult", refused},
	} {
		next := newFixture(test.is...).step()
		if got := next.describe(); got != test.does {
			t.Errorf("%s: %s, want %s", name, got, test.does)
		}
		if got := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady).Message; test.say != "" && got != test.say {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// F-S41: credentials that could not be written were kept, up to 1 MiB for each binding. What they need is read first, and those that
// cannot be written are requested again once that may help.
func TestCredentialsAreRequestedOnceTheyCanBeWritten(t *testing.T) {
	inTheWay := Unwritten{SecretsVersion: "before"}
	version := func(is string) func(*fixture) { return func(f *fixture) { f.in.SecretsVersion = is } }
	old := func(f *fixture) { f.in.Now = f.b.CreationTimestamp.Add(time.Hour) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"sources not read":                {edits(copying), "read sources"},
		"sources read":                    {edits(copying, read), "write-ahead bind id"},
		"source missing, young":           {edits(copying, sources(nil)), "wait"},
		"source missing":                  {edits(old, copying, sources(nil)), "nothing: "},
		"fetch: sources not read":         {edits(retrievable, bound, secretGone, copying), "read sources"},
		"fetch: source missing":           {edits(old, retrievable, bound, secretGone, copying, sources(nil)), "nothing: ErrorInjectingBindResult"},
		"repeat: sources not read":        {edits(bound, secretGone, copying), "read sources"},
		"replacement: sources not read":   {edits(bound, rebound, copying), "read sources wait"},
		"replacement: source missing":     {edits(old, bound, rebound, copying, sources(nil)), "wait"},
		"replacement: repeated":           {edits(bound, rebound, func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }, later(time.Hour), copying), "read sources"},
		"Secret in the way":               {edits(version("before"), unwritten(inTheWay)), "nothing: ErrorInjectingBindResult"},
		"Secret in the way, an hour on":   {edits(version("before"), unwritten(inTheWay), later(time.Hour)), "nothing: ErrorInjectingBindResult"},
		"Secret in the way, then not":     {edits(version("before"), unwritten(inTheWay), version("after")), "bind id again"},
		"then fetched":                    {edits(retrievable, version("before"), unwritten(inTheWay), version("after")), "fetch id again"},
		"recheck: sources not read":       {edits(retrievable, bound, instanceUpdated, copying), "read sources"},
		"recheck: source missing":         {edits(old, retrievable, bound, instanceUpdated, copying, sources(nil)), "nothing: Ready"},
		"recheck: then not":               {edits(retrievable, bound, instanceUpdated, copying, sources(nil), decided, read), "fetch id again"},
		"API server refuses":              {edits(unwritten(Unwritten{})), "wait"},
		"API server refused":              {edits(unwritten(Unwritten{}), later(2*time.Second)), "try write"},
		"API server refuses, then not":    {edits(unwritten(Unwritten{}), later(2*time.Second), permitted), "bind id again"},
		"fits into no Secret":             {edits(unwritten(Unwritten{Unfit: true}), version("after"), later(time.Hour)), "nothing: ErrorInjectingBindResult"},
		"fits into no Secret, new wanted": {edits(unwritten(Unwritten{Unfit: true}), rebound), "write-ahead bind " + next1},
		"replacement: API server refuses": {edits(bound, rebound, unwritten(Unwritten{})), "wait"},
		"replacement: then not":           {edits(bound, rebound, unwritten(Unwritten{}), later(2*time.Second), permitted), "bind " + next1},
		"not to be replaced meanwhile":    {edits(unwritten(Unwritten{}), rebound), "wait"},
		"after a restart":                 {edits(retrievable, unwritten(inTheWay), restarted), "fetch id again"},

		"fits into no Secret, instance updated":       {edits(unwritten(Unwritten{Unfit: true}), updated), "bind id again"},
		"fits into no Secret, instance being updated": {edits(unwritten(Unwritten{Unfit: true}), beingUpdated), "nothing: ErrorInjectingBindResult"},
		"the same, then fetched":                      {edits(retrievable, unwritten(Unwritten{Unfit: true}), updated), "fetch id again"},
		"the same, and no credentials again":          {edits(unwritten(Unwritten{Unfit: true}), updated, unwritten(Unwritten{Unfit: true})), "nothing: ErrorInjectingBindResult"},
		"Secret in the way, instance updated":         {edits(version("before"), unwritten(inTheWay), updated), "bind id again"},
		"API server refuses, instance updated":        {edits(unwritten(Unwritten{}), updated), "wait"},
		"replacement: instance updated":               {edits(version("before"), bound, rebound, unwritten(inTheWay), updated), "bind " + next1},
		"recheck: fits into no Secret":                {edits(refetchedOf(bound, Unwritten{Unfit: true})), "nothing: Ready"},
		"recheck: the same, instance updated":         {edits(refetchedOf(bound, Unwritten{Unfit: true}), updated), "fetch id again"},
		"recheck: Secret in the way":                  {edits(version("before"), refetchedOf(bound, inTheWay)), "nothing: Ready"},
		"recheck: the same, then not":                 {edits(version("before"), refetchedOf(bound, inTheWay), version("after")), "fetch id again"},
		"recheck: the same, instance updated instead": {edits(version("before"), refetchedOf(bound, inTheWay), updated), "fetch id again"},
	} {
		f := newFixture(test.is...)
		if got := f.step().describe(); got != test.want && (!strings.HasSuffix(test.want, ": ") || !strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if r := f.in.Memory.Received; r != nil {
			t.Errorf("%s: credentials are kept: %+v", name, r)
		}
	}
}

// TestALogDrainIsReceivedAgain: the URL of a log drain is all that some services return. Where it could not be written, the answer that has it
// again is as good as the first one, and no other binding is created. Of a binding whose creation was not seen, credentials may be withheld.
func TestALogDrainIsReceivedAgain(t *testing.T) {
	drain := func(status int) Answer {
		a := answerWithoutCredentials(osbresult.Done, status)
		a.Binding.SyslogDrainURL = "syslog://x"
		return a
	}
	notWritten := func(status int) func(*fixture) {
		return func(f *fixture) {
			f.in.SecretsVersion = "before"
			f.notWritten(drain(status), Unwritten{SecretsVersion: "before"})
			f.in.SecretsVersion = "after"
		}
	}
	unwritten := notWritten(201)
	succeeded := func(f *fixture) { f.after(pollAnswer(osbresult.Succeeded)) }
	again := func(f *fixture) { f.after(drain(200)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"repeated":                    {edits(unwritten, again), "nothing: Ready"},
		"fetched":                     {edits(retrievable, unwritten, again), "nothing: Ready"},
		"fetched after a poll":        {edits(bindAccepted, succeeded, notWritten(200), again), "nothing: Ready"},
		"repeated after a restart":    {edits(unwritten, restarted, again), "write-ahead bind " + next1},
		"repeated, under another id":  {edits(unwritten, rebound, func(f *fixture) { f.after(answerWithCredentials(201)) }, secretGone, again), "write-ahead bind " + next2},
		"without the URL":             {edits(unwritten, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) }), "write-ahead bind " + next1},
		"the Secret is deleted later": {edits(unwritten, again, secretGone, again), "write-ahead bind " + next1},
	} {
		f := newFixture(test.is...)
		if got := f.step().describe(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// F-S41: a change of a copied Secret caused no reconcile of a binding that is Ready, though credentials that the broker returned after an
// update of the instance waited for it. Once they are written, it causes none again.
func TestABindingWhoseCredentialsWaitIsNotSettled(t *testing.T) {
	for name, is := range map[string][]func(*fixture){
		"source missing":    edits(retrievable, bound, instanceUpdated, copying, sources(nil), decided, read),
		"Secret in the way": edits(refetchedOf(bound, Unwritten{SecretsVersion: "before"}), decided),
	} {
		f := newFixture(is...)
		ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady)
		if ready.Status != v1beta1.ConditionTrue || IsSettled(f.b, f.in.BoundInstance.Instance) {
			t.Errorf("%s: a change of the Secret causes no reconcile; Ready is %s", name, ready.Status)
		}
		if f.after(answerWithCredentials(200)); f.in.Memory.Unwritten != nil || !IsSettled(f.b, f.in.BoundInstance.Instance) {
			t.Errorf("%s: it is not settled with %+v", name, f.b.Status)
		}
	}
}

// F-S41: the removal of a predecessor waited for new credentials that could not be had.
func TestAPredecessorIsRemovedWhileCredentialsWait(t *testing.T) {
	replaced := func(f *fixture) {
		for _, edit := range edits(bound, rebound, bound) {
			edit(f)
		}
	}
	for name, is := range map[string][]func(*fixture){
		"not returned":        edits(replaced, instanceUpdated),
		"source missing":      edits(retrievable, replaced, instanceUpdated, copying, sources(nil)),
		"fits into no Secret": edits(refetchedOf(replaced, Unwritten{Unfit: true})),
	} {
		f := newFixture(append(is, later(overlap))...)
		if got := f.step().describe(); got != "unbind id" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// F-S41: neither the API server nor the broker is asked again and again. A policy may refuse the placeholders of a dry run for ever, and would
// accept the credentials: after a few dry runs these are requested. A quota is the same for both.
func TestUnwrittenCredentialsAreRequestedWithBackoff(t *testing.T) {
	for name, test := range map[string]struct {
		refuses, certain bool
		fetches          [2]int // at least, at most, in a day
	}{
		"a policy refuses the dry runs":      {true, false, [2]int{10, 24}},
		"a quota is exceeded":                {true, true, [2]int{0, 0}},
		"dry runs succeed, the write is not": {false, false, [2]int{100, 200}},
	} {
		f := newFixture(retrievable, unwritten(Unwritten{}))
		start, asked, fetches := f.in.Now, 0, 0
		for f.in.Now.Sub(start) < 24*time.Hour {
			switch next := f.step(); {
			case next.Need == rules.NeedPermission && test.refuses:
				f.in.Memory.RecordRefusedAgain(test.certain, f.in.Now)
				asked++
			case next.Need == rules.NeedPermission:
				f.in.MayWrite = true
				asked++
			case next.Request != nil:
				unwritten(Unwritten{})(f)
				f.in.MayWrite = false
				fetches++
			case next.RequeueAt.After(f.in.Now):
				f.in.Now = next.RequeueAt
			default:
				t.Fatal(next.describe())
			}
		}
		if asked < 100 || asked > 200 || fetches < test.fetches[0] || fetches > test.fetches[1] {
			t.Errorf("%s: asked %d times in a day, and %d fetches", name, asked, fetches)
		}
	}
}

// F-S41: a broker that returns credentials once is not asked for new ones without end.
func TestCredentialsThatAreReturnedOnceAreRequestedAFewTimes(t *testing.T) {
	for name, plan := range map[string]func(*fixture){"replaced": func(*fixture) {}, "rotated": rotatable} {
		f := newFixture(plan)
		start, created := f.in.Now, 0
		for f.in.Now.Sub(start) < 30*24*time.Hour {
			next := f.step()
			f.b.Status = next.Status
			switch {
			case next.Need == rules.NeedPermission:
				f.in.Memory.RecordRefusedAgain(false, f.in.Now)
			case next.Request != nil:
				a := answerWithoutCredentials(osbresult.Done, 200)
				if next.Request.NothingAtBroker {
					a = answerWithCredentials(201)
					created++
				}
				f.in.Memory = f.in.Memory.ObserveAnswer(f.b, *next.Request, a)
				f.b.Status = Apply(f.b, next.Status, *next.Request, a, f.in.Now)
			case next.SecretAction != "":
				f.b.Status = ApplySecretRefused(f.b, next.Status, "x", false, f.in.Now)
				f.in.Memory.RecordUnwritten(Unwritten{Judged: true, Time: f.in.Now})
			case next.RequeueAt.After(f.in.Now):
				f.in.Now = next.RequeueAt
			default:
				f.in.Now = f.in.Now.Add(time.Hour)
			}
		}
		if created < 2 || created > rules.MaxRemovals+maxRotations+1 {
			t.Errorf("%s: %d bindings were created", name, created)
		}
	}
}

// F-S41: that a service has no credentials is no secret, and a broker may say it only once.
func TestThatAServiceHasNoCredentialsIsRemembered(t *testing.T) {
	m := RequestMemory{Received: &Received{BindingID: "id", Binding: &osbresult.Binding{Created: true, Credentials: json.RawMessage("{}"), Parameters: json.RawMessage(`{"a":1}`)}}}
	m.RecordUnwritten(Unwritten{})
	if r := m.Received; r == nil || r.BindingID != "id" || r.Binding.Parameters != nil {
		t.Errorf("%+v", r)
	}
}

// F-S41: credentials that are made or repaired while the instance is updated may be those of before the update, and are fetched after it.
func TestCredentialsOfDuringAnUpdate(t *testing.T) {
	during := func(f *fixture) { f.in.BoundInstance.Instance.Status.CurrentOperation = v1beta1.OperationUpdate }
	after := func(f *fixture) { f.in.BoundInstance.Instance.Status.CurrentOperation = "" }
	const stopped = "written by a process that was stopped"
	for name, is := range map[string][]func(*fixture){
		"bound":    edits(retrievable, during, bound),
		"repaired": edits(retrievable, bound, during, secretGone, func(f *fixture) { f.after(answerWithCredentials(200)) }),
		stopped: edits(retrievable, during, bound, func(f *fixture) {
			f.b.Status.ReconciledGeneration, f.b.Status.InstanceFingerprint = 0, ""
			f.b.Status = f.step().Status
		}),
	} {
		f := newFixture(append(is, after, updated)...)
		if got := f.step().describe(); got != "fetch id again" || IsSettled(f.b, f.in.BoundInstance.Instance) {
			t.Errorf("%s: %s; the fingerprint is %q", name, got, f.b.Status.InstanceFingerprint)
		}
		f = newFixture(append(is, after)...)
		if got := f.step().describe(); !strings.HasPrefix(got, "nothing") && name != stopped { // of which it is not known when it received them
			t.Errorf("%s, and the update has failed: %s", name, got)
		}
	}
}

// F-S41: where a process was stopped before it could record that the Secret is written, it is not known whether the instance was updated since. Another
// process fetches the credentials, and does not say that they are those of the instance as it is.
func TestCredentialsOfBeforeAnUpdate(t *testing.T) {
	stopped := func(f *fixture) {
		f.b.Status.ReconciledGeneration, f.b.Status.InstanceFingerprint = 0, ""
		f.b.Status = f.step().Status
	}
	notReturned := func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		then string
	}{
		"retrievable":               {edits(retrievable, bound, updated, stopped), "fetch id again"},
		"not retrievable":           {edits(bound, updated, stopped), "nothing: Ready"},
		"retrievable, not returned": {edits(retrievable, bound, updated, stopped, notReturned), "nothing: Ready"},
	} {
		next := newFixture(test.is...).step()
		if ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady); next.describe() != test.then || !rules.IsTrue(ready) || strings.Contains(ready.Message, "was updated") {
			t.Errorf("%s: %s, want %s; Ready is %+v", name, next.describe(), test.then, ready)
		}
	}
}

// R6: credentials that the broker does not return are not fetched at each attempt.
func TestFetchesOfSettledBindingsEnd(t *testing.T) {
	for status, test := range map[int]struct {
		answer Answer
		most   int // fetches in 1,000 minutes
		then   string
	}{
		404: {answerOf(osbresult.Gone, 404), 1, "nothing: Ready"},
		422: {answerOf(osbresult.Rejected, 422), 1, "nothing: Ready"},
		401: {answerOf(osbresult.Misconfigured, 401), 110, "fetch id again"}, // no refusal (R12): they are fetched again at the slow schedule
		410: {answerOf(osbresult.Misconfigured, 410), 110, "fetch id again"},
		412: {answerOf(osbresult.NeedsCatalog, 412), 110, "fetch id again"},
	} {
		f := newFixture(retrievable, bound, updated)
		f.b.Status.ReconciledGeneration, f.b.Status.InstanceFingerprint = 0, ""
		f.b.Status = f.step().Status
		fetches := 0
		for range 2000 {
			next := f.step()
			switch {
			case next.Request != nil && next.Request.Operation == rules.Fetch:
				fetches++
				f.after(test.answer)
			case next.Request != nil:
				t.Fatalf("%d: %s", status, next.describe())
			default:
				f.b.Status = next.Status
			}
			later(30 * time.Second)(f)
		}
		restarted(f)
		later(time.Hour)(f)
		if got := f.step().describe(); fetches == 0 || fetches > test.most || got != test.then {
			t.Errorf("%d: %d fetches, then %s; want at most %d, and then %s", status, fetches, got, test.most, test.then)
		}
	}
}

// F-S41: the same where that process has written credentials of after an update into the Secret, those that another process fetches cannot be
// written, and the update is taken back.
func TestCredentialsOfAnUpdateThatIsTakenBack(t *testing.T) {
	for version, want := range map[string]string{"7": "nothing: Ready", "8": "fetch id again"} {
		f := newFixture(retrievable, bound)
		issued := f.in.BoundInstance.Instance.Status.ExternalProperties.DeepCopy()
		updated(f)
		f.in.SecretVersion = version
		next := f.step()
		if next.WriteAhead {
			f.b.Status = next.Status
		}
		recorded := f.b.Status.InstanceFingerprint
		f.notWritten(answerWithCredentials(200), Unwritten{Unfit: true})
		f.b.Status.InstanceFingerprint = recorded // as the reconciler restores it
		f.in.BoundInstance.Instance.Status.ExternalProperties = issued
		if got := f.step().describe(); got != want {
			t.Errorf("the Secret has version %s: %s, want %s", version, got, want)
		}
	}
}

// A predecessor that is due is removed although the binding has to be fetched, and the broker fails that.
func TestAPredecessorIsRemovedWhileFetchesFail(t *testing.T) {
	f := newFixture(retrievable, bound, rebound, bound, instanceUpdated, later(overlap))
	var sent []string
	for len(sent) < 8 {
		next := f.step()
		switch {
		case next.Request != nil:
			sent = append(sent, string(next.Request.Operation))
			f.after(answerOf(osbresult.Unknown, 500))
		case !next.RequeueAt.After(f.in.Now):
			t.Fatalf("after %q: %s", sent, next.describe())
		default:
			f.in.Now = next.RequeueAt
		}
	}
	for _, want := range []rules.Operation{rules.Fetch, rules.Unbind} {
		if n := len(slices.DeleteFunc(slices.Clone(sent), func(s string) bool { return s != string(want) })); n < 3 {
			t.Errorf("%s is sent %d times: %q", want, n, sent)
		}
	}
}
