// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conversion_test converts Alerts with every field filled to the other version and back.
package conversion_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook/conversion"
	"sigs.k8s.io/randfill"

	"github.com/gophernetes/bellhop/api/pager/v1alpha1"
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	pagerconversion "github.com/gophernetes/bellhop/webhooks/pager/conversion"
)

const seeds = 500

func newConverter(t *testing.T) conversion.Converter {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, v1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	converter, err := pagerconversion.AlertConverter(scheme)
	if err != nil {
		t.Fatal(err)
	}
	return converter
}

// newFiller returns a filler that leaves no field at its zero value.
func newFiller(seed int64) *randfill.Filler {
	return randfill.NewWithSeed(seed).NilChance(0).NumElements(1, 4).MaxDepth(20).Funcs(
		func(t *metav1.Time, c randfill.Continue) { t.Time = time.Unix(1+int64(c.Uint32()), 0) },
		func(f *metav1.FieldsV1, _ randfill.Continue) { f.SetRawString(`{"f:spec":{}}`) },
		func(s *string, c randfill.Continue) { *s = c.String(20) + "x" },
		fillText[types.UID], fillText[metav1.ConditionStatus], fillText[metav1.ManagedFieldsOperationType],
		fillText[v1beta1.Severity], fillText[v1beta1.AlertState], fillText[v1beta1.ReceiverKind], fillText[v1beta1.DeliveryState],
		func(n *int64, c randfill.Continue) { *n = 1 + int64(c.Uint32()) },
		func(n *int32, c randfill.Continue) { *n = 1 + c.Int31n(1<<20) },
		func(b *bool, _ randfill.Continue) { *b = true },
	)
}

func fillText[T ~string](s *T, c randfill.Continue) { *s = T(c.String(20) + "x") }

func TestFromTheHubAndBack(t *testing.T) {
	converter := newConverter(t)
	for seed := range int64(seeds) {
		hub := &v1beta1.Alert{}
		newFiller(seed).Fill(hub)
		hub.TypeMeta = metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "Alert"}
		requireAllFieldsSet(t, reflect.ValueOf(*hub), "Alert")
		before := hub.DeepCopy()
		spoke := &v1alpha1.Alert{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Alert"}}
		convert(t, converter, hub, spoke)
		if !equality.Semantic.DeepEqual(before, hub) {
			t.Fatal("the conversion changed its source")
		}
		back := &v1beta1.Alert{TypeMeta: hub.TypeMeta}
		convert(t, converter, spoke, back)
		if !equality.Semantic.DeepEqual(hub, back) {
			t.Fatalf("seed %d:\nwas  %+v\nwent %+v\ncame %+v", seed, hub, spoke, back)
		}
	}
}

func TestFromTheSpokeAndBack(t *testing.T) {
	converter := newConverter(t)
	for seed := range int64(seeds) {
		spoke := &v1alpha1.Alert{}
		newFiller(seed).Fill(spoke)
		spoke.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Alert"}
		requireAllFieldsSet(t, reflect.ValueOf(*spoke), "Alert")
		switch seed % 3 { // with a title among other annotations, as the only annotation, and without
		case 0:
			spoke.Annotations[v1alpha1.TitleAnnotation] = "title"
		case 1:
			spoke.Annotations = map[string]string{v1alpha1.TitleAnnotation: "title"}
		}
		before := spoke.DeepCopy()
		hub := &v1beta1.Alert{TypeMeta: metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "Alert"}}
		convert(t, converter, spoke, hub)
		if !equality.Semantic.DeepEqual(before, spoke) {
			t.Fatal("the conversion changed its source")
		}
		if _, ok := hub.Annotations[v1alpha1.TitleAnnotation]; ok {
			t.Fatal("the hub shows the title twice")
		}
		back := &v1alpha1.Alert{TypeMeta: spoke.TypeMeta}
		convert(t, converter, hub, back)
		if !equality.Semantic.DeepEqual(spoke, back) {
			t.Fatalf("seed %d:\nwas  %+v\nwent %+v\ncame %+v", seed, spoke, hub, back)
		}
	}
}

// An empty title is the only thing that a round trip drops.
func TestAnEmptyTitleIsDropped(t *testing.T) {
	converter := newConverter(t)
	spoke := &v1alpha1.Alert{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Alert"},
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.TitleAnnotation: "", "other": ""}},
	}
	hub := &v1beta1.Alert{TypeMeta: metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "Alert"}}
	convert(t, converter, spoke, hub)
	back := &v1alpha1.Alert{TypeMeta: spoke.TypeMeta}
	convert(t, converter, hub, back)
	if want := map[string]string{"other": ""}; !reflect.DeepEqual(back.Annotations, want) {
		t.Errorf("annotations are %v, want %v", back.Annotations, want)
	}
}

func convert(t *testing.T, converter conversion.Converter, from, to runtime.Object) {
	t.Helper()
	if err := converter.ConvertObject(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
}

// requireAllFieldsSet fails if a field has its zero value: a round trip would not show that it was lost.
func requireAllFieldsSet(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	if v.IsZero() {
		t.Fatalf("the filler leaves %s at its zero value", path)
	}
	switch v.Kind() { //nolint:exhaustive // the others have nothing inside
	case reflect.Pointer:
		requireAllFieldsSet(t, v.Elem(), path)
	case reflect.Slice:
		for i := range v.Len() {
			requireAllFieldsSet(t, v.Index(i), path+"[]")
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[metav1.Time]() || v.Type() == reflect.TypeFor[metav1.FieldsV1]() {
			return
		}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			// the API server sets these two, and no version has them in JSON
			if field.IsExported() && !strings.Contains("SelfLink TypeMeta", field.Name) {
				requireAllFieldsSet(t, v.Field(i), path+"."+field.Name)
			}
		}
	}
}
