// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	// entryWeight is the weight of an entry of a map: its key, its value, and the room that the map grows by.
	entryWeight = 160
	// unknownWeight is the weight of an element of a field that no kind has.
	unknownWeight = 512
)

// weights says how many bytes parts of a request take once they are decoded, beside their text.
type weights struct {
	elements map[string]int  // of an element of an array, by the name of its field: the largest of the fields of this name
	heaviest int             // of an element of any of these arrays
	maps     map[string]bool // the names of fields that are maps
	// free are the paths within objects of fields without a schema, whose content stays text, and freeDepths has the most parts of such a path
	// by its last part.
	free       map[string]bool
	freeDepths map[string]int
}

// weightsOf returns the weights of reviews of the kinds of a scheme that are not Kubernetes' own.
func weightsOf(scheme *runtime.Scheme) weights {
	w := weights{elements: map[string]int{}, maps: map[string]bool{}, free: map[string]bool{}, freeDepths: map[string]int{}}
	largest := 0
	for _, kind := range scheme.AllKnownTypes() {
		if _, isList := kind.FieldByName("Items"); !isList && !isKubernetes(kind) {
			w.add(kind, nil)
			largest = max(largest, weightOf(kind))
		}
	}
	w.add(reflect.TypeFor[admissionv1.AdmissionReview](), nil)
	w.add(reflect.TypeFor[apiextensionsv1.ConversionReview](), nil)
	w.elements["objects"] = largest // of a ConversionReview
	w.heaviest = slices.Max(slices.Collect(maps.Values(w.elements)))
	return w
}

func isKubernetes(typ reflect.Type) bool {
	domain, _, _ := strings.Cut(typ.PkgPath(), "/")
	return domain == "k8s.io" || strings.HasSuffix(domain, ".k8s.io")
}

// add adds the fields of a struct, which is at a path.
func (w weights) add(typ reflect.Type, path []string) {
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		at := path
		if name != "" {
			at = append(slices.Clip(path), name)
		}
		w.addValue(f.Type, name, at)
	}
}

func (w weights) addValue(typ reflect.Type, name string, path []string) {
	switch {
	case typ == reflect.TypeFor[runtime.RawExtension]():
		w.free[strings.Join(path, ".")], w.freeDepths[name] = true, max(w.freeDepths[name], len(path))
	case typ.Kind() == reflect.Pointer:
		w.addValue(typ.Elem(), name, path)
	case typ.Kind() == reflect.Map:
		w.maps[name] = true
		w.addValue(typ.Elem(), name, append(path, "*"))
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8:
		w.elements[name] = max(w.elements[name], weightOf(typ.Elem()))
		w.addValue(typ.Elem(), name, append(path, "*"))
	case typ.Kind() == reflect.Struct && typ != reflect.TypeFor[metav1.Time]():
		w.add(typ, path)
	}
}

// weightOf returns the size of a value with all that it points to, without elements of slices and maps.
func weightOf(typ reflect.Type) int {
	return int(typ.Size()) + pointed(typ)
}

// pointed returns the size of all values that a value of a type points to.
func pointed(typ reflect.Type) (size int) {
	if typ.Kind() == reflect.Pointer {
		return weightOf(typ.Elem())
	}
	if typ.Kind() == reflect.Struct && typ != reflect.TypeFor[metav1.Time]() {
		for f := range typ.Fields() {
			size += pointed(f.Type)
		}
	}
	return size
}
