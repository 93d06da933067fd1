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
	return func(f *fixture) { f.notWritten(with(201), u) }
}

// refetched is that credentials that end were fetched again after an update of the instance, and could not be written.
func refetched(u Unwritten) func(*fixture) { return refetchedOf(expiring, u) }

// refetchedOf is the same of a binding.
func refetchedOf(is func(*fixture), u Unwritten) func(*fixture) {
	return func(f *fixture) {
		for _, edit := range bfs(retrievable, rotatable, is, instanceUpdated) {
			edit(f)
		}
		f.notWritten(with(200), u)
	}
}

// A binding whose credentials cannot be written until something else changes says so, whatever happened since. Valid credentials in the
// Secret stay Ready, and are renewed in time.
func TestABindingSaysWhyItsCredentialsAreNotWritten(t *testing.T) {
	inTheWay := Unwritten{SecretsVersion: "v"}
	v := func(f *fixture) { f.in.SecretsVersion = "v" }
	reverted := func(f *fixture) { f.after(without(osbresult.Done, 200)) } // the broker has something under the id of the successor
	none := func(f *fixture) {
		a := with(201)
		a.Binding.Credentials = json.RawMessage(`{}`)
		f.notWritten(a, Unwritten{Unfit: true})
	}
	const refused, still = "The credentials cannot be put into the Secret: x", "The credentials are in the Secret; those that the broker returned since cannot be put into the Secret: x"
	for name, test := range map[string]struct {
		is        []func(*fixture)
		does, say string
	}{
		"successor, expired":           {bfs(expiring, v, copying, read, rebound, unwritten(inTheWay), in(2*time.Hour), stepped), "nothing: ErrorInjectingBindResult", refused},
		"successor, valid":             {bfs(expiring, v, copying, read, rebound, unwritten(inTheWay), in(time.Minute), stepped), "wait", still},
		"successor, rebound again":     {bfs(expiring, v, copying, read, rebound, unwritten(inTheWay), requestRebind("again")), "journal unbind 231", ""},
		"replacement reverted":         {bfs(v, unwritten(inTheWay), rebound, reverted, in(time.Hour), stepped), "nothing: ErrorInjectingBindResult", refused},
		"fetched again, unfit":         {bfs(refetched(Unwritten{Unfit: true})), "wait", still},
		"the same, renewal due":        {bfs(refetched(Unwritten{Unfit: true}), in(50*time.Minute)), "journal bind " + next1 + " for id", ""},
		"fetched again, in the way":    {bfs(v, refetched(inTheWay)), "wait", still},
		"the same, to be renewed":      {bfs(v, refetched(inTheWay), in(50*time.Minute)), "journal bind " + next1 + " for id", ""},
		"no credentials":               {bfs(none), "nothing: ErrorInjectingBindResult", refused},
		"no credentials, and rebound":  {bfs(none, rebound), "journal bind " + next1, ""},
		"unfit, after other decisions": {bfs(unwritten(Unwritten{Unfit: true}), stepped, in(time.Hour), stepped), "nothing: ErrorInjectingBindResult", refused},
	} {
		next := newFixture(test.is...).step()
		if got := next.say(); got != test.does {
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
		"sources not read":                {bfs(copying), "sources"},
		"sources read":                    {bfs(copying, read), "journal bind id"},
		"source missing, young":           {bfs(copying, sources(nil)), "wait"},
		"source missing":                  {bfs(old, copying, sources(nil)), "nothing: "},
		"fetch: sources not read":         {bfs(retrievable, bound1, secretGone, copying), "sources"},
		"fetch: source missing":           {bfs(old, retrievable, bound1, secretGone, copying, sources(nil)), "nothing: ErrorInjectingBindResult"},
		"repeat: sources not read":        {bfs(bound1, secretGone, copying), "sources"},
		"replacement: sources not read":   {bfs(bound1, rebound, copying), "sources wait"},
		"replacement: source missing":     {bfs(old, bound1, rebound, copying, sources(nil)), "wait"},
		"replacement: repeated":           {bfs(bound1, rebound, func(f *fixture) { f.after(saidOf(osbresult.Unknown, 500)) }, in(time.Hour), copying), "sources"},
		"Secret in the way":               {bfs(version("before"), unwritten(inTheWay)), "nothing: ErrorInjectingBindResult"},
		"Secret in the way, an hour on":   {bfs(version("before"), unwritten(inTheWay), in(time.Hour)), "nothing: ErrorInjectingBindResult"},
		"Secret in the way, then not":     {bfs(version("before"), unwritten(inTheWay), version("after")), "bind id again"},
		"then fetched":                    {bfs(retrievable, version("before"), unwritten(inTheWay), version("after")), "fetch id again"},
		"recheck: sources not read":       {bfs(retrievable, bound1, instanceUpdated, copying), "sources"},
		"recheck: source missing":         {bfs(old, retrievable, bound1, instanceUpdated, copying, sources(nil)), "nothing: Ready"},
		"recheck: then not":               {bfs(retrievable, bound1, instanceUpdated, copying, sources(nil), stepped, read), "fetch id again"},
		"API server refuses":              {bfs(unwritten(Unwritten{})), "wait"},
		"API server refused":              {bfs(unwritten(Unwritten{}), in(2*time.Second)), "permission"},
		"API server refuses, then not":    {bfs(unwritten(Unwritten{}), in(2*time.Second), permitted), "bind id again"},
		"fits into no Secret":             {bfs(unwritten(Unwritten{Unfit: true}), version("after"), in(time.Hour)), "nothing: ErrorInjectingBindResult"},
		"fits into no Secret, new wanted": {bfs(unwritten(Unwritten{Unfit: true}), rebound), "journal bind " + next1},
		"replacement: API server refuses": {bfs(bound1, rebound, unwritten(Unwritten{})), "wait"},
		"replacement: then not":           {bfs(bound1, rebound, unwritten(Unwritten{}), in(2*time.Second), permitted), "bind " + next1},
		"not to be replaced meanwhile":    {bfs(unwritten(Unwritten{}), rebound), "wait"},
		"after a restart":                 {bfs(retrievable, unwritten(inTheWay), restarted1), "fetch id again"},

		"fits into no Secret, instance updated":       {bfs(unwritten(Unwritten{Unfit: true}), updated), "bind id again"},
		"fits into no Secret, instance being updated": {bfs(unwritten(Unwritten{Unfit: true}), beingUpdated), "nothing: ErrorInjectingBindResult"},
		"the same, then fetched":                      {bfs(retrievable, unwritten(Unwritten{Unfit: true}), updated), "fetch id again"},
		"the same, and no credentials again":          {bfs(unwritten(Unwritten{Unfit: true}), updated, unwritten(Unwritten{Unfit: true})), "nothing: ErrorInjectingBindResult"},
		"Secret in the way, instance updated":         {bfs(version("before"), unwritten(inTheWay), updated), "bind id again"},
		"API server refuses, instance updated":        {bfs(unwritten(Unwritten{}), updated), "wait"},
		"replacement: instance updated":               {bfs(version("before"), bound1, rebound, unwritten(inTheWay), updated), "bind " + next1},
		"recheck: fits into no Secret":                {bfs(refetchedOf(bound1, Unwritten{Unfit: true})), "nothing: Ready"},
		"recheck: the same, instance updated":         {bfs(refetchedOf(bound1, Unwritten{Unfit: true}), updated), "fetch id again"},
		"recheck: Secret in the way":                  {bfs(version("before"), refetchedOf(bound1, inTheWay)), "nothing: Ready"},
		"recheck: the same, then not":                 {bfs(version("before"), refetchedOf(bound1, inTheWay), version("after")), "fetch id again"},
		"recheck: the same, instance updated instead": {bfs(version("before"), refetchedOf(bound1, inTheWay), updated), "fetch id again"},
	} {
		f := newFixture(test.is...)
		if got := f.step().say(); got != test.want && (!strings.HasSuffix(test.want, ": ") || !strings.HasPrefix(got, test.want)) {
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
		a := without(osbresult.Done, status)
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
	succeeded := func(f *fixture) { f.after(pollOf(osbresult.Succeeded)) }
	again := func(f *fixture) { f.after(drain(200)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"repeated":                    {bfs(unwritten, again), "nothing: Ready"},
		"fetched":                     {bfs(retrievable, unwritten, again), "nothing: Ready"},
		"fetched after a poll":        {bfs(binding1, succeeded, notWritten(200), again), "nothing: Ready"},
		"repeated after a restart":    {bfs(unwritten, restarted1, again), "journal bind " + next1},
		"repeated, under another id":  {bfs(unwritten, rebound, func(f *fixture) { f.after(with(201)) }, secretGone, again), "journal bind " + next2},
		"without the URL":             {bfs(unwritten, func(f *fixture) { f.after(without(osbresult.Done, 200)) }), "journal bind " + next1},
		"the Secret is deleted later": {bfs(unwritten, again, secretGone, again), "journal bind " + next1},
	} {
		f := newFixture(test.is...)
		if got := f.step().say(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// F-S41: a change of a copied Secret caused no reconcile of a binding that is Ready, though credentials that the broker returned after an
// update of the instance waited for it. Once they are written, it causes none again.
func TestABindingWhoseCredentialsWaitIsNotSettled(t *testing.T) {
	for name, is := range map[string][]func(*fixture){
		"source missing":    bfs(retrievable, bound1, instanceUpdated, copying, sources(nil), stepped, read),
		"Secret in the way": bfs(refetchedOf(bound1, Unwritten{SecretsVersion: "before"}), stepped),
	} {
		f := newFixture(is...)
		ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady)
		if ready.Status != v1beta1.ConditionTrue || IsSettled(f.b, f.in.BoundInstance.Instance) {
			t.Errorf("%s: a change of the Secret causes no reconcile; Ready is %s", name, ready.Status)
		}
		if f.after(with(200)); f.in.Memory.Unwritten != nil || !IsSettled(f.b, f.in.BoundInstance.Instance) {
			t.Errorf("%s: it is not settled with %+v", name, f.b.Status)
		}
	}
}

// F-S41: the removal of a predecessor waited for new credentials that could not be had.
func TestAPredecessorIsRemovedWhileCredentialsWait(t *testing.T) {
	replaced := func(f *fixture) {
		for _, edit := range bfs(bound1, rebound, bound1) {
			edit(f)
		}
	}
	for name, is := range map[string][]func(*fixture){
		"not returned":        bfs(replaced, instanceUpdated),
		"source missing":      bfs(retrievable, replaced, instanceUpdated, copying, sources(nil)),
		"fits into no Secret": bfs(refetchedOf(replaced, Unwritten{Unfit: true})),
	} {
		f := newFixture(append(is, in(overlap))...)
		if got := f.step().say(); got != "unbind id" {
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
				t.Fatal(next.say())
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
				a := without(osbresult.Done, 200)
				if next.Request.NothingAtBroker {
					a = with(201)
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
		"bound":    bfs(retrievable, during, bound1),
		"repaired": bfs(retrievable, bound1, during, secretGone, func(f *fixture) { f.after(with(200)) }),
		stopped: bfs(retrievable, during, bound1, func(f *fixture) {
			f.b.Status.ReconciledGeneration, f.b.Status.InstanceFingerprint = 0, ""
			f.b.Status = f.step().Status
		}),
	} {
		f := newFixture(append(is, after, updated)...)
		if got := f.step().say(); got != "fetch id again" || IsSettled(f.b, f.in.BoundInstance.Instance) {
			t.Errorf("%s: %s; the fingerprint is %q", name, got, f.b.Status.InstanceFingerprint)
		}
		f = newFixture(append(is, after)...)
		if got := f.step().say(); !strings.HasPrefix(got, "nothing") && name != stopped { // of which it is not known when it received them
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
	notTold := func(f *fixture) { f.after(without(osbresult.Done, 200)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		then string
	}{
		"retrievable":           {bfs(retrievable, bound1, updated, stopped), "fetch id again"},
		"not retrievable":       {bfs(bound1, updated, stopped), "nothing: Ready"},
		"retrievable, not told": {bfs(retrievable, bound1, updated, stopped, notTold), "nothing: Ready"},
	} {
		next := newFixture(test.is...).step()
		if ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady); next.say() != test.then || !rules.IsTrue(ready) || strings.Contains(ready.Message, "was updated") {
			t.Errorf("%s: %s, want %s; Ready is %+v", name, next.say(), test.then, ready)
		}
	}
}

// F-S41: the same where that process has written credentials of after an update into the Secret, those that another process fetches cannot be
// written, and the update is taken back.
func TestCredentialsOfAnUpdateThatIsTakenBack(t *testing.T) {
	for version, want := range map[string]string{"7": "nothing: Ready", "8": "fetch id again"} {
		f := newFixture(retrievable, bound1)
		issued := f.in.BoundInstance.Instance.Status.ExternalProperties.DeepCopy()
		updated(f)
		f.in.SecretVersion = version
		next := f.step()
		if next.WriteAhead {
			f.b.Status = next.Status
		}
		recorded := f.b.Status.InstanceFingerprint
		f.notWritten(with(200), Unwritten{Unfit: true})
		f.b.Status.InstanceFingerprint = recorded // as the reconciler restores it
		f.in.BoundInstance.Instance.Status.ExternalProperties = issued
		if got := f.step().say(); got != want {
			t.Errorf("the Secret has version %s: %s, want %s", version, got, want)
		}
	}
}

// A predecessor that is due is removed although the binding has to be fetched, and the broker fails that.
func TestAPredecessorIsRemovedWhileFetchesFail(t *testing.T) {
	f := newFixture(retrievable, bound1, rebound, bound1, instanceUpdated, in(overlap))
	var sent []string
	for len(sent) < 8 {
		next := f.step()
		switch {
		case next.Request != nil:
			sent = append(sent, string(next.Request.Operation))
			f.after(saidOf(osbresult.Unknown, 500))
		case !next.RequeueAt.After(f.in.Now):
			t.Fatalf("after %q: %s", sent, next.say())
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
