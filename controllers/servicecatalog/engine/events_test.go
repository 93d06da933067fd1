// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/events"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

func TestWhatIsGivenUpIsLoggedOnce(t *testing.T) {
	ctx, logged := controllertest.RecordLog(t)
	recorder, about := events.NewFakeRecorder(100), &v1beta1.ServiceInstance{}
	failing := rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonProvisionCallFailed, Message: "HTTP 500"}
	first := failing.Conditions(nil, rulestest.Noon)
	emitEvents(ctx, recorder, about, nil, first, false)
	if said := logged(); said != "" {
		t.Errorf("what is tried again is logged: %s", said)
	}
	failing.Stalled, failing.Failed = true, &rules.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: "HTTP 400: no room"}
	second := failing.Conditions(first, rulestest.Noon)
	emitEvents(ctx, recorder, about, first, second, true)
	if said := logged(); !strings.Contains(said, `"msg"="Failed"`) || !strings.Contains(said, "no room") {
		t.Errorf("logged is %q", said)
	}
	emitEvents(ctx, recorder, about, second, second, true)
	EmitRelease(ctx, recorder, about, audit.External{}, rules.Cause{Reason: v1beta1.ReasonDeprovisionedSuccessfully, Message: "done"}, true)
	if said := logged(); said != "" {
		t.Errorf("logged again is %q", said)
	}
	EmitRelease(ctx, recorder, about, audit.External{}, rules.Cause{Reason: v1beta1.ReasonRetained, Message: "the deletion policy is Retain"}, false)
	if said := logged(); !strings.Contains(said, `"msg"="Left at the broker"`) || !strings.Contains(said, "the deletion policy is Retain") {
		t.Errorf("logged is %q", said)
	}
}

// F-S45: a restore from a backup leaves what was in force at the broker. The events have all ids that an object has had.
func TestAnEventHasANewIDAndTheFormerOnes(t *testing.T) {
	ctx, logged := controllertest.RecordLog(t)
	before := &v1beta1.ServiceBinding{}
	before.Spec.ExternalID, before.Status.ExternalID = "first", "second"
	for _, test := range []struct{ id, want string }{
		{"", ""}, {"first", ""}, {"second", ""},
		{"third", `Normal ExternalIDChanged The id at the broker is "third" from now on; former ids of this object: first, second`},
	} {
		recorder := events.NewFakeRecorder(1)
		announceNextID(ctx, recorder, before, test.id)
		got := ""
		if len(recorder.Events) > 0 {
			got = <-recorder.Events
		}
		if got != test.want {
			t.Errorf("%q: the event is %q, want %q", test.id, got, test.want)
		}
	}
	if said := logged(); strings.Count(said, "third") != 1 {
		t.Errorf("logged is %q", said)
	}
}

// F-U10: the event about a deletion that makes progress does not say how to leave everything at the broker; the condition, and an event
// about a failure, do.
// The API server refuses an event with a longer note.
func TestNoteOfARefusedFinalizerIsBounded(t *testing.T) {
	recorder := events.NewFakeRecorder(1)
	EmitFinalizerRefused(recorder, rulestest.NewInstance(), fmt.Errorf("adding it: %w", &patch.RefusedError{Err: errors.New(strings.Repeat("because ", 500))}))
	if note := strings.TrimPrefix(<-recorder.Events, "Warning FinalizerRefused "); !strings.HasPrefix(note, "The API server refuses ") || len(note) > rules.MaxNote {
		t.Errorf("a note of %d bytes: %s", len(note), note)
	}
}

func TestEventsAboutProgressHaveNoWayOut(t *testing.T) {
	ctx, _ := controllertest.RecordLog(t)
	about := &v1beta1.ServiceInstance{}
	about.DeletionTimestamp = times.Timestamp(rulestest.Noon)
	message := "The broker is asked. " + rules.HowToRelease(about)
	for want, set := range map[string]rules.ConditionSet{
		"Normal DeprovisionBlockedByExistingCredentials The broker is asked": {
			Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonDeprovisionBlockedByExistingCredentials, Message: message,
		},
		"Warning DeprovisionCallFailed " + message: {Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonDeprovisionCallFailed, Message: message},
	} {
		recorder := events.NewFakeRecorder(1)
		emitEvents(ctx, recorder, about, nil, set.Conditions(nil, rulestest.Noon), false)
		if got := <-recorder.Events; got != want {
			t.Errorf("the event is %q, want %q", got, want)
		}
	}
}

// F-U6: a failure that is repeated has one event. F-U9: an object for which no request was sent has none.
// A life is what Ready says one after another, as "status reason"; what begins with a word
// alone is a release.
func TestOnlyWhatCouldNotBeExpectedAndItsEndMakeEvents(t *testing.T) {
	const (
		provisioned, updated, bound = "True ProvisionedSuccessfully", "True InstanceUpdatedSuccessfully", "True InjectedBindResult"
		asked, waits                = "False ProvisionRequestInFlight", "False Queued"
		failed                      = "False ProvisionCallFailed"
		removed                     = "DeprovisionedSuccessfully"
		isReady                     = `"level"=0 "msg"="Ready" "reason"=`
	)
	for what, c := range map[string]struct{ life, events, logged []string }{
		"uneventful": {[]string{provisioned, removed}, nil,
			[]string{isReady + `"ProvisionedSuccessfully"`}},
		"of a binding": {[]string{"False BindingRequestInFlight", bound, "UnboundSuccessfully"}, nil,
			[]string{isReady + `"InjectedBindResult"`}},
		// F-B3: what waits for its instance makes no Warning.
		"that waits": {[]string{"False ErrorInstanceNotReady", "False ErrorAsyncOperationInProgress", bound},
			[]string{"Normal ErrorInstanceNotReady", "Normal ErrorAsyncOperationInProgress", "Normal InjectedBindResult"}, nil},
		"never sent": {[]string{removed}, nil, nil},
		"in a queue": {[]string{waits, asked, provisioned, waits, removed}, nil,
			[]string{isReady + `"ProvisionedSuccessfully"`}},
		"with updates": {[]string{provisioned, updated, "False UpdateInstanceRequestInFlight", updated, provisioned}, nil,
			[]string{isReady + `"ProvisionedSuccessfully"`, isReady + `"InstanceUpdatedSuccessfully"`, isReady + `"InstanceUpdatedSuccessfully"`, isReady + `"ProvisionedSuccessfully"`}},
		"in the broker's own time": {[]string{"False Provisioning", provisioned, "False Deprovisioning", removed},
			[]string{"Normal Provisioning", "Normal ProvisionedSuccessfully"}, nil},
		"of a binding, in the broker's own time": {[]string{"False Binding", bound, "False Unbinding", "UnboundSuccessfully"},
			[]string{"Normal Binding", "Normal InjectedBindResult"}, nil},
		"with a failure to remove, in the broker's own time": {[]string{provisioned, "Unknown DeprovisionCallFailed", "False Deprovisioning", removed},
			[]string{"Warning DeprovisionCallFailed", "Normal DeprovisionedSuccessfully"}, []string{isReady + `"ProvisionedSuccessfully"`}},
		"with a failure": {[]string{failed, provisioned, removed},
			[]string{"Warning ProvisionCallFailed", "Normal ProvisionedSuccessfully"}, nil},
		"with a failure, and asked again": {[]string{failed, waits, asked, provisioned, removed},
			[]string{"Warning ProvisionCallFailed", "Normal ProvisionedSuccessfully"}, nil},
		"with a failure, and deleted while it is asked again": {[]string{failed, asked, removed},
			[]string{"Warning ProvisionCallFailed", "Normal DeprovisionedSuccessfully"}, nil},
		"with a failure, and made anew": {[]string{failed, asked, provisioned, waits, removed},
			[]string{"Warning ProvisionCallFailed", "Normal ProvisionedSuccessfully"}, nil},
		"with a failure to remove": {[]string{provisioned, "Unknown DeprovisionCallFailed", waits, removed},
			[]string{"Warning DeprovisionCallFailed", "Normal DeprovisionedSuccessfully"}, []string{isReady + `"ProvisionedSuccessfully"`}},
		"retained": {[]string{provisioned, v1beta1.ReasonRetained},
			[]string{"Warning Retained"}, []string{isReady + `"ProvisionedSuccessfully"`, `"level"=0 "msg"="Left at the broker" "id"="" "broker"="" "user"="" "reason"="Retained" "message"="because"`}},
	} {
		ctx, logged := controllertest.RecordLog(t)
		recorder := events.NewFakeRecorder(100)
		var conditions []v1beta1.Condition
		open := false
		for _, step := range c.life {
			status, reason, isVerdict := strings.Cut(step, " ")
			if !isVerdict {
				EmitRelease(ctx, recorder, &v1beta1.ServiceInstance{}, audit.External{}, rules.Cause{Reason: step, Message: "because"}, hasOpenProblem(conditions, open))
				continue
			}
			after := rules.ConditionSet{Ready: v1beta1.ConditionStatus(status), Reason: reason, Message: "because"}.Conditions(conditions, rulestest.Noon)
			open = hasOpenProblem(conditions, open)
			emitEvents(ctx, recorder, &v1beta1.ServiceInstance{}, conditions, after, open)
			conditions = after
		}
		close(recorder.Events)
		var said []string
		for e := range recorder.Events {
			said = append(said, strings.TrimSuffix(strings.TrimSuffix(e, ` (id "" at a broker that is not known)`), " Because"))
		}
		if !slices.Equal(said, c.events) {
			t.Errorf("%s: events are %q, want %q", what, said, c.events)
		}
		if lines := logged(); lines != strings.Join(c.logged, "\n") {
			t.Errorf("%s: logged is\n%s\nwant\n%s", what, lines, strings.Join(c.logged, "\n"))
		}
	}
}
