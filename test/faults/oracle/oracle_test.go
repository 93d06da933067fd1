// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

func TestCheckLog(t *testing.T) {
	const dump = "SIGQUIT: quit\ngoroutine 1 [running]:\nmain.main()\n\n"
	logging := dump + "goroutine 4 [runnable]:\nencoding/json.Marshal(0x1)\ngithub.com/gophernetes/bellhop/internal/operator.quiet.Write(0x1)\n" +
		"github.com/gophernetes/bellhop/internal/operator.(*quiet).Write(0x1)\nsigs.k8s.io/controller-runtime/pkg/controller/priorityqueue.f()\n"
	standing := dump + "goroutine 2 [chan receive]:\ngithub.com/gophernetes/bellhop/internal/operator.ReturnMemory(0x1)\n\n" +
		"goroutine 3 [runnable]:\nnet/http.(*persistConn).Read(0x1)\ngithub.com/gophernetes/bellhop/internal/operator.(*exclusiveLock).Update(0x1)\n\n"
	for log, want := range map[string]string{
		"all is well\n" + standing: "",
		logging:                    "",
		logging + "github.com/gophernetes/bellhop/controllers/servicecatalog.f()\n":                     "goroutine",
		`{"msg":"Observed a panic"}` + dump:                                                             "panic",
		`{"msg":"The operator panicked","component":"reconciler"}` + dump:                               "panic",
		`panic: assignment to entry in nil map` + dump:                                                  "panic",
		"==================\nWARNING: DATA RACE\n" + dump:                                               "panic",
		`{"msg":"Reconciler error","stacktrace":"internal/kube/guard.Reconciler.func1"}` + dump:         "",
		dump + "goroutine 3 [select]:\ngithub.com/gophernetes/bellhop/controllers/servicecatalog.f()\n": "goroutine",
		`{"password":"cAnaRy/+&\"<>%é-credential"}` + dump:                                              "canary",
	} {
		c := NewChecker(&scenario.Environment{})
		c.CheckLog(log, true)
		var said []string
		for _, p := range c.AllProblems() {
			said = append(said, NameOf(p))
		}
		if want == "" && said == nil {
			continue
		}
		if !slices.Equal(said, []string{want}) {
			t.Errorf("%q of %s", said, log)
		}
	}
}

func TestEqualOutcomeOfDelayedEdit(t *testing.T) {
	const (
		resolved = "chat Resolved: the disk is full"
		updated  = "chat Updated: the disk is full"
		object   = `v1beta1.Alert disk {"spec":{"state":"Resolved"}}`
	)
	for _, test := range []struct {
		name, fault, state string
		want               bool
	}{
		{"the older edit arrived last", "deposed@PATCH:receiver:chat#1", object + "\n" + updated, true},
		{"the message is gone", "deposed@PATCH:receiver:chat#1", object, false},
		{"an edit at another receiver", "deposed@PATCH:receiver:chat2#1", object + "\n" + updated, false},
		{"the leader was killed", "crash-before@PATCH:receiver:chat#1", object + "\n" + updated, false},
		{"the Alert differs", "deposed@PATCH:receiver:chat#1", `v1beta1.Alert disk {"spec":{}}` + "\n" + updated, false},
	} {
		env := &scenario.Environment{Receivers: map[string]*scenario.FakeReceiver{"chat": {}}}
		fault, err := proxy.ParseFault(test.fault)
		if err != nil {
			t.Fatal(err)
		}
		env.Fault = fault
		if got := NewChecker(env).EqualOutcome(test.state, object+"\n"+resolved); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestEqualOutcomeAfterEdits: what a neighbour edits, and edits back, may be sent or not. All else is as without the edits.
func TestEqualOutcomeAfterEdits(t *testing.T) {
	const (
		object   = `v1beta1.Alert disk {"spec":{"state":"Resolved"}}`
		fired    = "\nhook alert.fired of disk: the disk is full (under 1 keys)"
		resolved = "\nhook alert.resolved of disk: the disk is still full (under 1 keys)"
		updated  = "\nhook alert.updated of disk: the disk is still full (under 1 keys)"
		none     = "\nhook shows as firing: []"
		expected = object + fired + resolved + updated + none

		edited         = scenario.NeighbourText + " (under 1 keys)"
		firedEdited    = "\nhook alert.fired of disk: " + edited
		resolvedEdited = "\nhook alert.resolved of disk: " + edited
		updatedEdited  = "\nhook alert.updated of disk: " + edited
		editedBack     = "\nhook alert.updated of disk: the disk is full (under 2 keys)"

		phone         = "\nphone the disk is full (under 1 keys)"
		phoneEdited   = "\nphone " + edited
		phoneResolved = "\nphone Resolved: the disk is full The alert is over. (under 1 keys)"
		expectedPhone = object + phoneResolved + phone
	)
	for name, test := range map[string]struct {
		state, expected string
		want            bool
	}{
		"nothing was sent of the edits":      {expected, expected, true},
		"the edit and the edit back":         {object + fired + resolved + updatedEdited + editedBack + updated + none, expected, true},
		"the page has the edit":              {object + firedEdited + resolved + editedBack + updated + none, expected, true},
		"the resolve has the edit":           {object + fired + resolvedEdited + updatedEdited + none, expected, true},
		"it is not paged":                    {object + resolved + updated + none, expected, false},
		"it is paged nine times":             {strings.Replace(expected, "is full (under 1", "is full (under 9", 1), expected, false},
		"it is paged again with the edit":    {object + fired + firedEdited + resolved + updated + none, expected, false},
		"it is not resolved":                 {object + fired + updatedEdited + updated + none, expected, false},
		"it is shown as firing":              {strings.Replace(expected, "[]", `["disk"]`, 1), expected, false},
		"a change is not sent":               {object + fired + resolved + none, expected, false},
		"another content is sent":            {object + fired + resolved + strings.Replace(updated, "still", "not", 1) + updated + none, expected, false},
		"the Alert differs":                  {strings.Replace(expected, "Resolved", "Firing", 1), expected, false},
		"without keys, the edits":            {object + "\nphone Resolved: " + edited + phoneEdited, expectedPhone, true},
		"without keys, no resolve":           {object + "\nphone Updated: " + edited + phone, expectedPhone, false},
		"without keys, a page with the edit": {expectedPhone + phoneEdited, expectedPhone, false},
	} {
		c := NewChecker(&scenario.Environment{Fault: proxy.Fault{Kind: proxy.NeighbourEdits, At: proxy.Nth(1)}, Receivers: map[string]*scenario.FakeReceiver{
			"hook": {Inbox: inbox.New(inbox.Options{})}, "phone": {Service: notifytest.NewGotify("a")},
		}})
		if got := c.EqualOutcome(test.state, test.expected); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestEqualOutcomeOfLostAnswers: a fault explains a difference only where the call of the fault may have caused it.
func TestEqualOutcomeOfLostAnswers(t *testing.T) {
	const (
		object = `v1beta1.Alert disk {"spec":{"state":"Resolved"}}`
		page   = "\nhook alert.fired of disk: the disk is full (under 1 keys)"
		chat   = "\nchat Resolved: the disk is full (under 1 keys)"
		twice  = object + chat + "\nchat the disk is full (under 1 keys)"
		none   = "\nhook shows as firing: []"
		open   = "\nhook shows as firing: [\"disk\"]"

		otherPage = "\nhook alert.fired of disk: the disk is still full (under 1 keys)"
	)
	for _, test := range []struct {
		name, fault     string
		atMostOnce      bool
		state, expected string
		want            bool
	}{
		{"no resolve", "crash-after@PATCH:alerts/disk/status#1", true, object + open, object + none, true},
		{"no page", "lost@POST:receiver:hook#1", true, object + none, object + page + open, true},
		{"after two crashes", "crash-after@PATCH:alerts/other/status#1+crash-before@2", true, object + open, object + none, true},
		{"no resolve of another Alert", "crash-after@PATCH:alerts/other/status#1", true, object + open, object + none, false},
		{"no resolve after a later end of the process", "restart-ahead-1d@PATCH:alerts/other/status#1", true, object + open, object + none, true},
		{"no page of another Alert", "crash-after@PATCH:alerts/other/status#1", true, object + none, object + page + none, false},
		{"no page at another receiver", "lost@POST:receiver:chat#1", true, object + none, object + page + none, false},
		{"no page after a broker's answer", "lost@PUT:service_instances#1", true, object + none, object + page + none, false},
		{"no resolve where messages are repeated", "crash-after@PATCH:alerts/disk/status#1", false, object + open, object + none, false},
		{"a late page", "deposed@POST:receiver:hook#1", false, object + page + none, object + none, true},
		{"two late pages", "deposed@POST:receiver:hook#1", false, object + page + otherPage + none, object + none, false},
		{"a late page at another receiver", "deposed@POST:receiver:chat#1", false, object + page + none, object + none, false},
		{"a message twice", "lost@POST:receiver:chat#1", false, twice, object + chat, true},
		{"a message twice at another receiver", "lost@POST:receiver:hook#1", false, twice, object + chat, false},
		{"a message twice after a crash", "crash-after@POST:receiver:hook#1", false, twice, object + chat, true},
	} {
		fault, err := proxy.ParseFault(test.fault)
		if err != nil {
			t.Fatal(err)
		}
		c := NewChecker(&scenario.Environment{Fault: fault, Receivers: map[string]*scenario.FakeReceiver{
			"hook": {Inbox: inbox.New(inbox.Options{}), AtMostOnce: test.atMostOnce}, "chat": {Service: notifytest.NewDiscord("1", "a")},
		}})
		if got := c.EqualOutcome(test.state, test.expected); got != test.want {
			t.Errorf("%s with %s: %v", test.name, test.fault, got)
		}
	}
}

// TestEqualOutcomeOfUnknownOwnership: where the outcome of a request is not known, no later one tells whose request created a resource with a
// supplied id.
func TestEqualOutcomeOfUnknownOwnership(t *testing.T) {
	const (
		known   = `v1beta1.ServiceInstance db {"status":{"provisionStatus":"Provisioned"}}`
		unknown = `v1beta1.ServiceInstance db {"status":{"ownershipUnknown":true,"provisionStatus":"Provisioned"}}`
	)
	for text, want := range map[string]bool{
		"crash-after@PUT:service_instances#1":            true,
		"hang@PUT:service_instances#1":                   true,
		"api-late@PATCH:serviceinstances/db/status#1":    true,
		"api-timeout@PATCH:serviceinstances/db/status#1": false,
		"429@PUT:service_instances#1":                    false,
		"none":                                           false,
	} {
		fault, err := proxy.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := NewChecker(&scenario.Environment{Fault: fault}).EqualOutcome(unknown, known); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestMention: an event or another field of a status is not where a user looks for the reason.
func TestMention(t *testing.T) {
	condition := v1beta1.Condition{Type: v1beta1.ConditionReady, Message: "exceeded quota: " + proxy.RefusalText}
	binding := &v1beta1.ServiceBinding{}
	binding.Status.Conditions = []v1beta1.Condition{condition}
	for _, test := range []struct {
		object client.Object
		want   bool
	}{
		{binding, true},
		{&pagerv1beta1.Alert{Status: pagerv1beta1.AlertStatus{Conditions: []metav1.Condition{{Message: condition.Message}}}}, true},
		{&pagerv1beta1.Alert{Status: pagerv1beta1.AlertStatus{Deliveries: []pagerv1beta1.Delivery{{Message: condition.Message}}}}, false},
		{&eventsv1.Event{Note: condition.Message}, false},
	} {
		c := NewChecker(&scenario.Environment{Fault: proxy.Fault{Kind: "refused-secrets", At: proxy.Nth(1)}})
		if c.noteMention(test.object); c.hasMention.Load() != test.want {
			t.Errorf("%T: %v", test.object, c.hasMention.Load())
		}
	}
}

// TestFiring: of each incident the last message counts that was accepted for the first time; a page after its resolve is another end.
func TestFiring(t *testing.T) {
	for name, test := range map[string]struct {
		posts []string // of one Alert: the event, and "!" where it is refused
		want  string
	}{
		"fired":                            {[]string{"alert.fired"}, `["disk"]`},
		"refused":                          {[]string{"alert.fired!"}, `[]`},
		"resolved":                         {[]string{"alert.fired", "alert.resolved"}, `[]`},
		"the resolve is refused":           {[]string{"alert.fired", "alert.resolved!"}, `["disk"]`},
		"fired after its resolve":          {[]string{"alert.resolved", "alert.fired"}, `["disk"]`},
		"accepted again after its resolve": {[]string{"alert.fired", "alert.resolved", "alert.fired"}, `[]`},
		"accepted only after its resolve":  {[]string{"alert.fired!", "alert.resolved", "alert.fired"}, `["disk"]`},
	} {
		t.Run(name, func(t *testing.T) {
			i := inbox.New(inbox.Options{})
			server := httptest.NewServer(i.Handler())
			defer server.Close()
			for _, post := range test.posts {
				event, isRefused := strings.CutSuffix(post, "!")
				i.Respond(nil)
				if isRefused {
					i.Respond(inbox.Answer(http.StatusServiceUnavailable, nil))
				}
				state := map[bool]string{true: "Resolved", false: "Firing"}[event == "alert.resolved"]
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL,
					strings.NewReader(`{"version":"1","type":"`+event+`","data":{"uid":"u","name":"disk","incident":"i","state":"`+state+`"}}`))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("webhook-id", event)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			c := NewChecker(&scenario.Environment{Receivers: map[string]*scenario.FakeReceiver{"hook": {Inbox: i}}})
			if got := strings.Join(c.receivedMessages(), "\n"); !strings.Contains(got, "hook shows as firing: "+test.want) {
				t.Errorf("the end state is %s", got)
			}
		})
	}
}

// TestCheckRepeats: one request more than without the fault is allowed, and one for each answer that may be lost.
func TestCheckRepeats(t *testing.T) {
	const bind, unbind = "PUT service_instances/service_bindings", "DELETE service_instances/service_bindings"
	named := func(name string, n int) []proxy.Call { return slices.Repeat([]proxy.Call{{Name: name}}, n) }
	for _, test := range []struct {
		fault    string
		calls    []proxy.Call
		troubled bool
		want     int
	}{
		{"date-ahead-1h@1", named(bind, 2), false, 0},
		{"date-ahead-1h@1", named(bind, 3), false, 1},
		{"date-ahead-1h@1", slices.Concat(named(bind, 9), named(unbind, 9)), false, 2},
		{"date-ahead-1h@1", named(bind, 9), true, 0},
		{"start-date-ahead-1h@1", named(bind, 3), false, 0},
		{"start-date-ahead-1h@1", named(bind, 4), false, 1},
		{"stopped-leader@PUT:service_instances/service_bindings#1", named(bind, 3), false, 0},
		{"stopped-leader@PUT:service_instances/service_bindings#1", named(bind, 4), false, 1},
		{"stopped-leader@PUT:service_instances/service_bindings#1", slices.Concat(named(bind, 3), named(unbind, 2)), false, 1},
		{"stopped-leader@PUT:service_instances#1", named(bind, 2), false, 0},
		{"stopped-leader@PUT:service_instances#1", named(bind, 3), false, 1},
		{"neighbour-labels@1", named(bind, 3), false, 1},
		{"neighbour-edits@1", named(bind, 3), false, 0},
		{"refused-status@1", named(bind, 3), false, 1},
		{"refused-secrets@1", named(bind, 6), false, 0},
		{"namespace-deleted@1", named(unbind, 3), false, 0},
		{"500@1", named(bind, 3), false, 0},
	} {
		fault, err := proxy.ParseFault(test.fault)
		if err != nil {
			t.Fatal(err)
		}
		c := NewChecker(&scenario.Environment{Fault: fault, MaxRepeats: fault.MaxRepeats(), Troubled: test.troubled})
		c.CheckRepeats(test.calls, named(bind, 1))
		if n := len(c.AllProblems()); n != test.want {
			t.Errorf("%s with %d requests: %q", test.fault, len(test.calls), c.AllProblems())
		}
	}
}

// TestCheckAttempts: a message is repeated where its answer may be lost. Of two leaders, one must send nothing more.
func TestCheckAttempts(t *testing.T) {
	const here, elsewhere = "@POST:receiver:hook#1", "@POST:receiver:chat#1"
	for _, test := range []struct {
		name, fault string
		attempts    map[string]int // by the UID of an Alert, and the number of its message
		atMostOnce  bool
		want        int
	}{
		{"one that was in flight", "stopped-leader" + here, map[string]int{"a 1": 2, "a 2": 1, "b 1": 2}, false, 0},
		{"those of two leaders", "stopped-leader" + here, map[string]int{"a 1": 2, "a 2": 2}, false, 1},
		{"those of two leaders after another call", "stopped-leader@PATCH:alerts/disk/status#1", map[string]int{"a 1": 2, "a 2": 2, "a 3": 2}, false, 1},
		{"one three times", "stopped-leader" + here, map[string]int{"a 1": 3}, false, 2},
		{"the late one, and one at the end of the lease", "deposed" + here, map[string]int{"a 1": 2, "a 2": 2}, false, 0},
		{"those of a leader that is deposed", "deposed" + here, map[string]int{"a 1": 2, "a 2": 2, "a 3": 2}, false, 1},
		{"a lost answer", "lost" + here, map[string]int{"a 1": 2}, false, 0},
		{"two after a lost answer", "lost" + here, map[string]int{"a 1": 2, "b 1": 2}, false, 1},
		{"a lost answer of another receiver", "lost" + elsewhere, map[string]int{"a 1": 2}, false, 2},
		{"a crash", "crash-after" + elsewhere, map[string]int{"a 1": 2, "a 2": 2, "b 1": 2}, false, 0},
		{"two crashes", "crash-after" + elsewhere + "+crash-after@1", map[string]int{"a 1": 3}, false, 0},
		{"at most once", "stopped-leader" + here, map[string]int{"a 1": 2}, true, 2},
	} {
		hook := &scenario.FakeReceiver{Inbox: inbox.New(inbox.Options{}), AtMostOnce: test.atMostOnce}
		for message, n := range test.attempts {
			uid, _, _ := strings.Cut(message, " ")
			for range n {
				body := `{"version":"1","type":"alert.fired","data":{"uid":"` + uid + `","name":"disk","incident":"i","state":"Firing"}}`
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
				r.Header.Set("Webhook-Id", message)
				hook.Inbox.Handler().ServeHTTP(httptest.NewRecorder(), r)
			}
		}
		fault, err := proxy.ParseFault(test.fault)
		if err != nil {
			t.Fatal(err)
		}
		c := NewChecker(&scenario.Environment{Fault: fault, MaxRepeats: fault.MaxRepeats()})
		c.checkAttempts("hook", hook)
		if all := c.AllProblems(); len(all) != test.want || len(all) > 0 && NameOf(all[0]) != "once" {
			t.Errorf("%s: %q", test.name, all)
		}
	}
}

func TestNameOf(t *testing.T) {
	for problem, want := range map[string]string{
		"db is Ready: not within 1m0s: generation 2":                                        "reached",
		"the end state differs from the run without faults:\n  - a\n  + b":                  "end",
		"the operator does not become idle: PATCH serviceinstances/db/status":               "rest",
		"the broker has 1, which no object claims":                                          "orphan",
		"PUT of 1, which no object has":                                                     "recorded",
		"db is gone, and the broker still has 1":                                            "finalizer",
		"db is Ready, and the broker has nothing of its id":                                 "truth",
		`disk reports that hook has "the disk is full", which did not arrive`:               "truth",
		"DELETE of 1, which the undeleted db uses":                                          "in use",
		"DELETE of 1, which the operator did not create":                                    "stranger",
		"the broker lost 1, which the operator did not create":                              "stranger",
		"protocol violation: a PUT without id":                                              "protocol",
		"receiver hook received 2 times under one key: alert.fired":                         "once",
		"receiver phone received 2 times: the disk is full":                                 "once",
		"receiver hook received 2 times what joined at 12h01":                               "once",
		"receiver hook received 2 times what it had got under the same key":                 "once",
		`receiver hook received {"type":"b"} under the key of {"type":"a"}`:                 "key",
		"receiver hook refused 1 requests":                                                  "refused",
		"Secret app has credentials that the broker does not have":                          "secret",
		"a Secret of another owner was written":                                             "secret",
		"DELETE of 1, whose credentials are in Secret app":                                  "secret",
		"a credential is in the log":                                                        "canary",
		"the operator panicked: panic: 1":                                                   "panic",
		"the user had to request 1 retries, though nothing was refused":                     "asked",
		"nothing failed, and there is the event Retrying about Alert disk: 1":               "warning",
		"an idle operator has the goroutine: main.f":                                        "goroutine",
		"a post was answered with 401: no":                                                  "answer",
		"receiver hook was notified 2 times of a, which began to fire 1 times":              "notified",
		`receiver hook was notified of nothing new: "a is full"`:                            "notified",
		"Alert prom-1 notifies of what joins 1s after it did":                               "joined",
		`the instance "a is full" of Alert prom-1 has ended, which its sender has not said`: "ended",
		"the broker got 5 requests PUT service_instances, and 1 without the fault":          "repeats",
		"receiver hook has not received the end of disk, whose namespace was deleted":       "resolved",
		"reading metrics: EOF":                                                              "",
	} {
		if got := NameOf(problem); got != want {
			t.Errorf("%q is reported by %q, not by %q", problem, got, want)
		}
	}
}
