// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// fromSecret has the parameters come from a Secret: a version of it, with a JSON object.
func fromSecret(version, object string) func(*fixture) {
	return func(f *fixture) {
		merged, bad := catalog.Merge(nil, []catalog.SecretSource{{Secret: "s", Key: "k", Data: map[string][]byte{"k": []byte(object)}}})
		if bad != nil {
			panic(bad)
		}
		f.in.Parameters = rules.Parameters{Parameters: merged, Known: true, Version: version, Digest: catalog.Digest([]byte("key"), merged.Sent)}
	}
}

// unread forgets the content of the Secret.
func unread(f *fixture) { f.in.Parameters = rules.Parameters{Version: f.in.Parameters.Version} }

// byOriginal has the status be one of the original service-catalog, which records neither version nor digest.
func byOriginal(f *fixture) {
	f.si.Status.ExternalProperties.ParametersVersion, f.si.Status.ExternalProperties.ParametersDigest = "", ""
}

func parametersPolicy(value string) func(*fixture) {
	return func(f *fixture) { f.si.Annotations[v1beta1.ParametersPolicyAnnotation] = value }
}

// requested asks for an update without a change.
func requested(f *fixture) { f.si.Generation++; f.si.Spec.UpdateRequests++ }

const (
	large  = `{"limit":9007199254740992}`
	larger = `{"limit":9007199254740993}`
)

// F-S28: a Secret that changes without a change of what is sent changes nothing: attempts, stop and slow retry stay, nothing is sent.
// F-S31: a change of a large number is a change.
// F-S14: a status without a version leads to no request that the spec does not ask for, and can be followed from then on.
func TestWhatIsSentDecides(t *testing.T) {
	slow := unknownTimes(2)
	for name, c := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"a touch is read first":                {edits(fromSecret("1", large), ready, fromSecret("2", large), unread), "read parameters"},
		"a touch":                              {edits(fromSecret("1", large), ready, fromSecret("2", `{ "limit" : 9007199254740992 }`)), "nothing: Ready"},
		"another large number":                 {edits(fromSecret("1", large), ready, fromSecret("2", larger)), "write-ahead update id small-id +parameters"},
		"the same, edited in the spec":         {edits(fromSecret("", large), ready, fromSecret("", larger), requested), "write-ahead update id small-id +parameters"},
		"the same version":                     {edits(fromSecret("1", large), ready, unread), "nothing: Ready"},
		"refused, and a touch is read first":   {edits(fromSecret("1", large), refusedOnce, fromSecret("2", large), unread), "read parameters"},
		"refused, and a touch":                 {edits(fromSecret("1", large), refusedOnce, fromSecret("2", large)), "nothing: Failed"},
		"refused, and the Secret is deleted":   {edits(fromSecret("1", large), refusedOnce, missingSecret), "nothing: Failed"},
		"refused, and other parameters":        {edits(fromSecret("1", large), refusedOnce, fromSecret("2", larger)), "write-ahead provision id small-id"},
		"waiting, and a touch":                 {edits(fromSecret("1", large), slow, sooner, fromSecret("2", large)), "wait"},
		"a key that was lost":                  {edits(fromSecret("1", large), ready, fromSecret("2", large), otherKey), "nothing: Ready"},
		"a key that was lost, and a change":    {edits(fromSecret("1", large), ready, fromSecret("2", `{"limit":1}`), otherKey), "write-ahead update id small-id +parameters"},
		"of the original is read first":        {edits(fromSecret("1", large), ready, byOriginal, unread), "read parameters"},
		"of the original":                      {edits(fromSecret("1", large), ready, byOriginal, fromSecret("2", `{"limit":1}`)), "nothing: Ready"},
		"of the original, then a touch":        {edits(fromSecret("1", large), ready, byOriginal, fromSecret("2", `{"limit":1}`), decided, fromSecret("3", `{"limit":1}`)), "nothing: Ready"},
		"of the original, then a change":       {edits(fromSecret("1", large), ready, byOriginal, fromSecret("2", `{"limit":1}`), decided, fromSecret("3", `{"limit":2}`)), "write-ahead update id small-id +parameters"},
		"of the original, and an update":       {edits(fromSecret("1", large), ready, byOriginal, fromSecret("2", `{"limit":1}`), decided, requested), "write-ahead update id small-id +parameters"},
		"of the original, then a new plan":     {edits(fromSecret("1", large), ready, byOriginal, otherPlan), "write-ahead update id large-id +plan"},
		"of the original, a large number":      {edits(inSpec(large), ready, byOriginal, inSpec(larger), requested), "write-ahead update id small-id +parameters"},
		"Manual, and a change":                 {edits(parametersPolicy("Manual"), fromSecret("1", large), ready, fromSecret("2", `{"limit":1}`), unread), "nothing: Ready"},
		"Manual, a change, and an update":      {edits(parametersPolicy("Manual"), fromSecret("1", large), ready, fromSecret("2", `{"limit":1}`), requested), "write-ahead update id small-id +parameters"},
		"Manual, a change, and then Automatic": {edits(parametersPolicy("Manual"), fromSecret("1", large), ready, fromSecret("2", `{"limit":1}`), parametersPolicy("Automatic")), "write-ahead update id small-id +parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(c.is...)
			if got := Decide(f.si, f.inputs()).describe(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// inSpec has the parameters be in the spec.
func inSpec(object string) func(*fixture) {
	return func(f *fixture) {
		merged, _ := catalog.Merge(&runtime.RawExtension{Raw: []byte(object)}, nil)
		f.in.Parameters = rules.Parameters{Parameters: merged, Known: true, Digest: catalog.Digest(nil, merged.Sent)}
	}
}

func missingSecret(f *fixture) {
	f.in.Parameters = rules.Parameters{Known: true, SecretMissing: true, Version: "none", Blocker: rules.BlockedBy(v1beta1.ReasonErrorWithParameters, "x")}
}

func otherKey(f *fixture) {
	f.in.Parameters.Digest = catalog.Digest([]byte("another key"), f.in.Parameters.Sent)
}

// sooner is before the next attempt is due.
func sooner(f *fixture) { f.in.Now = f.si.Status.Attempts.LastTime.Add(time.Millisecond) }

// F-S18: a CRD that is being deleted may be created again, of which no watch tells.
func TestATerminatingDefinitionIsReadAgain(t *testing.T) {
	f := newFixture(created, deleted, func(f *fixture) { f.in.Definition = rules.DefinitionTerminating })
	if at := Decide(f.si, f.inputs()).RequeueAt; !at.Equal(f.in.Now.Add(rules.DefinitionRetry)) {
		t.Errorf("again at %s", at)
	}
}

// A touch is not recorded, but for a status that no change can be found by.
func TestATouchIsNotRecorded(t *testing.T) {
	f := newFixture(fromSecret("1", large), ready, fromSecret("2", large))
	if got := Decide(f.si, f.inputs()).Status.ExternalProperties.ParametersVersion; got != "1" {
		t.Errorf("version %q is recorded", got)
	}
	f = newFixture(fromSecret("1", large), ready, byOriginal, fromSecret("2", larger))
	if got := Decide(f.si, f.inputs()).Status.ExternalProperties; got.ParametersVersion != "2" || got.ParametersDigest != f.in.Parameters.Digest {
		t.Errorf("%+v is recorded of what the original has sent", got)
	}
	refusal := answerOf(osbresult.Rejected, 400)
	f = newFixture(fromSecret("1", large))
	f.after(Decide(f.si, f.inputs()).Request, refusal)
	if got := f.si.Status.Attempts; got.ParametersDigest != f.in.Parameters.Digest {
		t.Errorf("attempts have the digest %q", got.ParametersDigest)
	}
}

// F-B18: a plan may set a parameter itself that its schema requires. The refusal says what a person can do, where it names the parameter.
func TestRefusalNamesRequiredParameter(t *testing.T) {
	const advice = `; the plan's schema requires the parameter "mysql_version": if the broker does not accept it, leave it out, ` +
		`and set the annotation bellhop.gophernetes.io/schema-policy to Warn on this object or its plan`
	requires := func(f *fixture) { f.in.Parameters.Required = []string{"size", "mysql_version"} }
	unread := func(f *fixture) { f.in.Parameters.Required = nil }
	for name, test := range map[string]struct {
		is          []func(*fixture)
		description string
		advised     bool
	}{
		"a provisioning":                {edits(requires), "plan defined parameters cannot be changed: mysql_version", true},
		"an update":                     {edits(ready, otherParameters, requires), `the parameter "mysql_version" is set by the plan`, true},
		"an update of the plan":         {edits(ready, otherPlan, requires), "mysql_version", false},
		"another parameter":             {edits(requires), "mysql_version_minor and my-size are unknown", false},
		"the schema does not matter":    {edits(unread), "mysql_version", false},
		"the description is not shown":  {edits(requires), "", false},
		"an adopted instance, repeated": {edits(requires, unknownOnce), "mysql_version", true},
		"an operation":                  {edits(requires, provisioning), "plan defined parameters cannot be changed: mysql_version", true},
		"an operation of an update":     {edits(ready, otherParameters, requires, provisioning), "mysql_version", true},
		"an operation for another plan": {edits(ready, otherPlan, requires, provisioning), "mysql_version", false},
		"an edit after its beginning":   {edits(requires, provisioning, otherParameters), "mysql_version", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			answer := answerOf(osbresult.Rejected, 400)
			answer.Description = test.description
			call := Decide(f.si, f.inputs()).Request
			if call.Operation == rules.Poll {
				answer = pollAnswer(osbresult.Failed)
				answer.OperationDescription = test.description
			}
			f.after(call, answer)
			if got := strings.Contains(f.si.Status.Attempts.LastError, advice); got != test.advised {
				t.Errorf("advised: %t, %s", got, f.si.Status.Attempts.LastError)
			}
		})
	}
}
