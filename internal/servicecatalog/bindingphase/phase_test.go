// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingphase

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestPhases: each status has a phase, also one of the former service-catalog, and stays as it is when that is recorded.
func TestPhases(t *testing.T) {
	const bind, unbind = v1beta1.OperationBind, v1beta1.OperationUnbind
	start, operation, props := times.Timestamp(rulestest.T0), "op-1", &v1beta1.ServiceBindingPropertiesState{}
	begun, accepted := v1beta1.OperationStatus{OperationStartTime: start}, v1beta1.OperationStatus{AsyncOpInProgress: true, OperationStartTime: start}
	for name, test := range map[string]struct {
		status v1beta1.ServiceBindingStatus
		want   Phase
		exists bool
	}{
		"new":        {v1beta1.ServiceBindingStatus{}, Phase{}, false},
		"not sent":   {v1beta1.ServiceBindingStatus{UnbindStatus: v1beta1.UnbindNotRequired}, Phase{}, false},
		"begun":      {v1beta1.ServiceBindingStatus{OperationStatus: begun, CurrentOperation: bind, InProgressProperties: props, UnbindStatus: v1beta1.UnbindRequired}, Phase{Task: Binding}, true},
		"accepted":   {v1beta1.ServiceBindingStatus{OperationStatus: v1beta1.OperationStatus{AsyncOpInProgress: true, LastOperation: &operation, OperationStartTime: start}, CurrentOperation: bind, InProgressProperties: props, UnbindStatus: v1beta1.UnbindRequired}, Phase{Binding, true}, true},
		"bound":      {v1beta1.ServiceBindingStatus{ExternalProperties: props, UnbindStatus: v1beta1.UnbindRequired}, Phase{}, true},
		"to clean":   {v1beta1.ServiceBindingStatus{OperationStatus: v1beta1.OperationStatus{OrphanMitigationInProgress: true, OperationStartTime: start}, UnbindStatus: v1beta1.UnbindRequired}, Phase{Task: Mitigating}, true},
		"cleaning":   {v1beta1.ServiceBindingStatus{OperationStatus: v1beta1.OperationStatus{OrphanMitigationInProgress: true, AsyncOpInProgress: true, OperationStartTime: start}, UnbindStatus: v1beta1.UnbindRequired}, Phase{Mitigating, true}, true},
		"to unbind":  {v1beta1.ServiceBindingStatus{OperationStatus: begun, CurrentOperation: unbind, ExternalProperties: props, UnbindStatus: v1beta1.UnbindRequired}, Phase{Task: Deleting}, true},
		"unbinding":  {v1beta1.ServiceBindingStatus{OperationStatus: accepted, CurrentOperation: unbind, ExternalProperties: props, UnbindStatus: v1beta1.UnbindRequired}, Phase{Deleting, true}, true},
		"not undone": {v1beta1.ServiceBindingStatus{ExternalProperties: props, UnbindStatus: v1beta1.UnbindFailed}, Phase{}, true},
		"rotating": {v1beta1.ServiceBindingStatus{OperationStatus: begun, CurrentOperation: bind, PredecessorID: "id", Rotates: true, ExternalProperties: props, InProgressProperties: props, UnbindStatus: v1beta1.UnbindRequired},
			Phase{Task: Rotating}, true},
		"replacing": {v1beta1.ServiceBindingStatus{OperationStatus: accepted, CurrentOperation: bind, PredecessorID: "id", ExternalProperties: props, InProgressProperties: props, UnbindStatus: v1beta1.UnbindRequired},
			Phase{Replacing, true}, true},
		"cleaning after a rotation": {v1beta1.ServiceBindingStatus{OperationStatus: v1beta1.OperationStatus{OrphanMitigationInProgress: true, OperationStartTime: start}, CurrentOperation: bind, PredecessorID: "id", Rotates: true, ExternalProperties: props, InProgressProperties: props, UnbindStatus: v1beta1.UnbindRequired},
			Phase{Task: MitigatingSuccessor}, true},
		"removing a predecessor": {v1beta1.ServiceBindingStatus{OperationStatus: accepted, CurrentOperation: unbind, Predecessors: []v1beta1.PredecessorBinding{{ID: "id"}}, ExternalProperties: props, UnbindStatus: v1beta1.UnbindRequired},
			Phase{RemovingPredecessor, true}, true},
		"undone": {v1beta1.ServiceBindingStatus{UnbindStatus: v1beta1.UnbindSucceeded}, Phase{}, false},
	} {
		again := test.status.DeepCopy()
		if got := Of(again); got != test.want {
			t.Errorf("%s: phase %v, want %v", name, got, test.want)
		}
		if test.want.Encode(again); !equality.Semantic.DeepEqual(again, &test.status) {
			t.Errorf("%s: %+v becomes %+v", name, test.status, again)
		}
		if MayExist(again) != test.exists {
			t.Errorf("%s: it may exist: %t", name, !test.exists)
		}
	}
}

// TestRefusedByTheOriginal: only the original service-catalog gives a binding up with a condition alone.
func TestRefusedByTheOriginal(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*v1beta1.ServiceBindingStatus)
		want bool
	}{
		"by the original": {func(*v1beta1.ServiceBindingStatus) {}, true},
		"a new binding":   {func(s *v1beta1.ServiceBindingStatus) { s.ReconciledGeneration = 0 }, false},
		"with attempts":   {func(s *v1beta1.ServiceBindingStatus) { s.Attempts = &v1beta1.Attempts{} }, false},
		"waiting, Bellhop's own": {func(s *v1beta1.ServiceBindingStatus) {
			s.Conditions = append(s.Conditions, v1beta1.Condition{Type: v1beta1.ConditionStalled, Status: v1beta1.ConditionTrue})
		}, false},
	} {
		s := v1beta1.ServiceBindingStatus{OperationStatus: v1beta1.OperationStatus{ReconciledGeneration: 1, Conditions: []v1beta1.Condition{{Type: v1beta1.ConditionFailed, Status: v1beta1.ConditionTrue}}}}
		test.edit(&s)
		if got := IsRefusedByOriginal(&s); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
