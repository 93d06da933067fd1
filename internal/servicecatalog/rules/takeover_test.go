// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestWhatIsFromTheOriginal: what Bellhop has written is its own, also without a record of the id.
func TestWhatIsFromTheOriginal(t *testing.T) {
	ready := v1beta1.Condition{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionTrue}
	ours := rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: "x"}.Conditions(nil, rulestest.T0)
	for name, test := range map[string]struct {
		made       string
		createdFor types.UID
		conditions []v1beta1.Condition
		want       bool
	}{
		"ready at the original":      {conditions: []v1beta1.Condition{ready}, want: true},
		"the same, held":             {conditions: rules.RequireTakeover([]v1beta1.Condition{ready}, rulestest.T0), want: true},
		"the same, taken over":       {conditions: []v1beta1.Condition{ready}, createdFor: "uid"},
		"new":                        {},
		"an id that was made":        {conditions: []v1beta1.Condition{ready}, made: "id 2026-11-20T12:00:00Z"},
		"Bellhop's own, id supplied": {conditions: ours},
	} {
		si := &v1beta1.ServiceInstance{}
		if test.made != "" {
			si.Annotations = map[string]string{v1beta1.MadeIDAnnotation: test.made}
		}
		if got := rules.IsFromOriginal(si, test.conditions, test.createdFor); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	old := &metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(rulestest.T0)}
	if rules.IsTakenOver(old, time.Time{}) || rules.IsTakenOver(old, rulestest.T0) || !rules.IsTakenOver(old, rulestest.T0.Add(time.Second)) {
		t.Error("what the original recorded counts on objects that are older than the takeover only")
	}
	held := rules.RequireTakeover([]v1beta1.Condition{ready}, rulestest.T0)
	if again := rules.RequireTakeover(held, rulestest.T0.Add(time.Hour)); len(again) != 2 || rules.LastConditionState(again) != v1beta1.ConditionReady {
		t.Errorf("held: %v", again)
	}
	if after := rules.EndTakeover(held); len(after) != 1 || after[0] != ready {
		t.Errorf("taken over: %v", after)
	}
}
