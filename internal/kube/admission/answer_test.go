// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/internal/kube/admission"
)

// F-S60: the text of an answer is bounded, whatever the request has.
func TestAnswersAreBounded(t *testing.T) {
	kind, long := schema.GroupKind{Group: "g", Kind: "K"}, strings.Repeat("ä", 1<<20)
	path := field.NewPath("spec", "list")
	errs := slices.Repeat(field.ErrorList{field.Invalid(path.Key(long), long, long), field.Invalid(path.Index(0), []string{long}, "is wrong"),
		field.Required(path, long), field.Invalid(path, field.OmitValueType{}, long)}, 20_000)
	text := admission.Invalid(kind, long, errs).Error()
	if len(text) > 128<<10 || !utf8.ValidString(text) || !strings.Contains(text, "spec.list[0]") || !strings.HasSuffix(text, "(and 79968 errors more)]") {
		t.Errorf("the error has %d bytes and ends with %q", len(text), text[max(0, len(text)-100):])
	}
	warnings := admission.Warnings(append(ctrladmission.Warnings{"first"}, long, long, long, long, long))
	if len(warnings) != 5 || warnings[0] != "first" || len(strings.Join(warnings, "")) > 4096+100 || warnings[4] != "2 more warnings are not shown" {
		t.Errorf("%d warnings, the last is %q", len(warnings), warnings[len(warnings)-1])
	}
	many := make(ctrladmission.Warnings, 20_000)
	if shown := admission.Warnings(many); len(shown) != 33 || shown[32] != "19968 more warnings are not shown" {
		t.Errorf("%d warnings, %q", len(shown), shown)
	}
}

// TestShortAnswersAreWhole: what an answer usually has is not changed.
func TestShortAnswersAreWhole(t *testing.T) {
	kind := schema.GroupKind{Group: "g", Kind: "K"}
	var errs field.ErrorList
	for i := range 32 {
		errs = append(errs, field.NotSupported(field.NewPath("spec").Index(i), metav1.LabelSelectorOperator("x"), []string{"a", "b"}), field.Invalid(field.NewPath("spec"), 7, "is odd"))
	}
	errs = errs[:32]
	if got, want := admission.Invalid(kind, "name", errs).Error(), apierrors.NewInvalid(kind, "name", errs).Error(); got != want {
		t.Errorf("%s\nis not\n%s", got, want)
	}
	warnings := ctrladmission.Warnings{"a", "b"}
	if got := admission.Warnings(warnings); fmt.Sprint(got) != fmt.Sprint(warnings) {
		t.Errorf("%q is not %q", got, warnings)
	}
}
