/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package instancerules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

func TestConditionsStandInOrder(t *testing.T) {
	f := newFixture(provisioning)
	a := said(osbresult.Done, 200)
	a.State = osbresult.Failed
	f.after(Decide(f.si, f.in).Request, a)
	var order []string
	for _, c := range f.si.Status.Conditions {
		order = append(order, fmt.Sprintf("%s=%s", c.Type, c.Status))
	}
	want := "Reconciling=True Stalled=False Ready=False OrphanMitigation=True"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
