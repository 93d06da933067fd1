// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"testing"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return o
}

// F-B13: a status is read in whatever form its controller writes it, and what cannot be judged says so, also after Trim.
func TestAStatusOfAnotherForm(t *testing.T) {
	signs := []Sign{{Condition: "Available", Status: "False"}, {Condition: "NotReady", Status: "True"}}
	for name, c := range map[string]struct {
		status   string
		failures []Sign
		want     string
	}{
		"none":                           {status: `null`, want: "Unknown NotReported"},
		"an empty one":                   {status: `{}`, want: "Unknown NotReported"},
		"a generation alone":             {status: `{"observedGeneration":4}`, want: "Unknown NotReported"},
		"no conditions yet":              {status: `{"conditions":[]}`, want: "Unknown NotReported"},
		"a text":                         {status: `"fine"`, want: "Unknown NotReported"},
		"a phase":                        {status: `{"phase":"Degraded"}`, want: "Unknown NoConditions"},
		"fields that are not read":       {status: `{"currentReplicas":3}`, want: "Unknown NoConditions"},
		"other conditions":               {status: `{"conditions":[{"type":"Available","status":"False"}]}`, want: "Unknown NoConditions"},
		"conditions of another form":     {status: `{"conditions":"Ready"}`, want: "Unknown NoConditions"},
		"a generation as text":           {status: `{"observedGeneration":"4","conditions":[{"type":"Ready","status":"False","reason":"R"}]}`, want: "Failing R"},
		"an earlier generation as text":  {status: `{"observedGeneration":"3","conditions":[{"type":"Ready","status":"False","reason":"R"}]}`, want: "Progressing GenerationNotObserved"},
		"a hash for a generation":        {status: `{"observedGeneration":"6f8d","conditions":[{"type":"Ready","status":"False","reason":"R"}]}`, want: "Failing R"},
		"a condition without a time":     {status: `{"conditions":[{"type":"Ready","status":"False","reason":"R","lastTransitionTime":""}]}`, want: "Failing R"},
		"a condition with null":          {status: `{"conditions":[{"type":"Ready","status":"True","reason":null,"lastTransitionTime":null,"message":7}]}`, want: "Healthy Ready=True"},
		"a map by type":                  {status: `{"conditions":{"Ready":{"status":"False","reason":"R"}}}`, want: "Failing R"},
		"a map of statuses":              {status: `{"conditions":{"Ready":"False"}}`, want: "Failing Ready=False"},
		"a boolean":                      {status: `{"conditions":[{"type":"Ready","status":false,"reason":"R"}]}`, want: "Failing R"},
		"lower case":                     {status: `{"conditions":[{"type":"Ready","status":"true"}]}`, want: "Healthy Ready=True"},
		"a sign":                         {failures: signs, status: `{"conditions":[{"type":"Available","status":"False","reason":"R"}]}`, want: "Failing R"},
		"a sign without a reason":        {failures: signs, status: `{"conditions":[{"type":"NotReady","status":"True"}]}`, want: "Failing NotReady=True"},
		"a sign that does not hold":      {failures: signs, status: `{"conditions":[{"type":"Available","status":"True"}]}`, want: "Healthy NoFailure"},
		"a sign, and Ready is False":     {failures: signs, status: `{"conditions":[{"type":"Ready","status":"False"}]}`, want: "Healthy NoFailure"},
		"a sign of another generation":   {failures: signs, status: `{"observedGeneration":"3","conditions":[{"type":"Available","status":"False"}]}`, want: "Progressing GenerationNotObserved"},
		"a sign, and there is no status": {failures: signs, status: `{}`, want: "Unknown NotReported"},
		"a sign, and no conditions":      {failures: signs, status: `{"phase":"Healthy"}`, want: "Unknown NoConditions"},
	} {
		t.Run(name, func(t *testing.T) {
			o := parse(t, `{"apiVersion":"example.com/v1","kind":"X","metadata":{"name":"x","generation":4},"status":`+c.status+`}`)
			e := Evidence{Failures: c.failures}
			r := Compute(o, e)
			if got := string(r.State) + " " + r.Reason; got != c.want {
				t.Errorf("%s: %s", got, r.Message)
			}
			trimmed, err := Trim(o)
			if err != nil {
				t.Fatal(err)
			}
			left, err := trimmed.Object()
			if err != nil {
				t.Fatal(err)
			}
			if after := Compute(left, e); after != r {
				t.Errorf("after Trim %+v, want %+v", after, r)
			}
		})
	}
}

// A kind that Compute knows is judged by conditions where an administrator has named them.
func TestSignsOfABuiltInKind(t *testing.T) {
	o := parse(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x","generation":1},"status":{"observedGeneration":1,
		"conditions":[{"type":"Progressing","status":"True","reason":"ReplicaSetUpdated"},{"type":"Available","status":"False","reason":"R"}]}}`)
	if r := Compute(o, Evidence{Failures: []Sign{{Condition: "Available", Status: "False"}}}); r.State != Failing {
		t.Errorf("%+v", r)
	}
}

// F-B17: a claim whose class waits for the first consumer is as it should be until it has one.
func TestComputeClaim(t *testing.T) {
	const wait, immediate = storagev1.VolumeBindingWaitForFirstConsumer, storagev1.VolumeBindingImmediate
	for name, c := range map[string]struct {
		annotations, spec string
		mode              storagev1.VolumeBindingMode
		want              string
		hasSince          bool
	}{
		"waits for a consumer":    {mode: wait, want: "Healthy WaitForFirstConsumer"},
		"has one":                 {mode: wait, annotations: `"volume.kubernetes.io/selected-node":"n"`, want: "Failing Pending"},
		"names a volume":          {mode: wait, spec: `"volumeName":"v"`, want: "Failing Pending", hasSince: true},
		"waits for its provision": {mode: immediate, want: "Failing Pending", hasSince: true},
		"a class that is unknown": {want: "Failing Pending", hasSince: true},
	} {
		o := parse(t, `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"x","creationTimestamp":"2026-01-01T00:00:00Z",
			"annotations":{`+c.annotations+`}},"spec":{`+c.spec+`},"status":{"phase":"Pending"}}`)
		r := Compute(o, Evidence{BindingMode: c.mode})
		if got := string(r.State) + " " + r.Reason; got != c.want || r.Since.IsZero() == c.hasSince {
			t.Errorf("%s: %s since %v", name, got, r.Since)
		}
	}
}

// What a user can do about an object that cannot be judged depends on the reason of its result.
func TestRemedyOfUnknown(t *testing.T) {
	for text, want := range map[string]string{
		`"apiVersion":"example.com/v1","kind":"X","status":{"phase":"Fine"}`:                                        "Name the conditions that mean a failure in --page-kinds, such as rollouts.argoproj.io:Available=False, or remove the label",
		`"apiVersion":"example.com/v1","kind":"X"`:                                                                  "Check that its controller runs, or remove the label",
		`"apiVersion":"networking.k8s.io/v1","kind":"Ingress","status":{"loadBalancer":{"ingress":[]},"hasMore":1}`: "Check that its controller runs, or remove the label",
		`"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","status":{"replicas":1}`:                              "Check that its controller runs, or remove the label",
		`"apiVersion":"v1","kind":"Service","spec":{"type":"ClusterIP"},"status":{"hasMore":1}`:                     "Remove the label",
		`"apiVersion":"v1","kind":"Service","spec":{"type":"ClusterIP"},"status":{"loadBalancer":{}}`:               "Remove the label",
		`"apiVersion":"batch/v1","kind":"CronJob","spec":{"schedule":"never"},"status":{}`:                          "Correct its schedule or time zone, or remove the label",
		`"apiVersion":"apps/v1","kind":"Deployment","status":{"replicas":"three"}`:                                  "Update the operator, or remove the label",
	} {
		o := parse(t, "{"+text+"}")
		if r := Compute(o, Evidence{}); r.State != Unknown {
			t.Errorf("%s: %+v", text, r)
		}
		if got := RemedyOfUnknown(o); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
