// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

func TestConditionsStandInOrder(t *testing.T) {
	f := newFixture(provisioning)
	a := answerOf(osbresult.Done, 200)
	a.State = osbresult.Failed
	f.after(Decide(f.si, f.inputs()).Request, a)
	var order []string
	for _, c := range f.si.Status.Conditions {
		order = append(order, fmt.Sprintf("%s=%s", c.Type, c.Status))
	}
	want := "Reconciling=True Stalled=False Ready=False OrphanMitigation=True"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
