// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/test/faults/snapshot"
)

// run applies random specs and then the first one, and compares with a twin that only had that.
func (w *walk) run() {
	first := w.randomSpec()
	w.applySpec(walkerName, first)
	w.kind.waitDone(w, walkerName)
	for range 2 + w.r.IntN(3) {
		w.tryInvalidSpecs()
		next := w.randomSpec()
		if w.kind.mutate != nil {
			w.kind.mutate(w, next)
		}
		w.applySpec(walkerName, next)
		if !w.skipsWaits || w.r.IntN(2) == 0 {
			w.kind.waitDone(w, walkerName)
		}
	}
	w.applySpec(walkerName, first)
	w.kind.waitDone(w, walkerName)
	w.applySpec(twinName, first)
	w.kind.waitDone(w, twinName)
	w.compareWithTwin()
}

// randomSpec returns a valid spec.
func (w *walk) randomSpec() map[string]any { return w.spec.randomObject(w.r).(map[string]any) }

// object returns an object with a spec; nil: without one.
func (w *walk) object(name string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(strings.SplitN(w.kind.crd, "_", 2)[0] + "/v1beta1")
	o.SetKind(w.kind.kind)
	meta := w.objectMeta(name)
	o.SetName(name)
	o.SetNamespace(meta.Namespace)
	o.SetLabels(meta.Labels)
	if spec != nil {
		o.Object["spec"] = decodedCopy(spec)
	}
	return o
}

// decodedCopy returns a spec as the API server decodes it.
func decodedCopy(spec map[string]any) map[string]any {
	text, err := json.Marshal(spec)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(`{"apiVersion":"v1","kind":"Any","spec":`+string(text)+`}`), o); err != nil {
		panic(err)
	}
	return o.Object["spec"].(map[string]any)
}

// applySpec gives an object a spec.
func (w *walk) applySpec(name string, spec map[string]any) {
	o := w.object(name, nil)
	switch err := w.get(o); {
	case apierrors.IsNotFound(err):
	case err != nil:
		w.must(err)
	case w.kind.recreated:
		w.remove(o)
		w.waitGone(o)
	default:
		edit(w.Environment, o, func(o *unstructured.Unstructured) { o.Object["spec"] = decodedCopy(spec) })
		return
	}
	w.create(w.object(name, spec))
}

// tryInvalidSpecs tries invalid specs: admission must name the field.
func (w *walk) tryInvalidSpecs() {
	all := slices.DeleteFunc(w.spec.invalidValues(w.r, "spec"), func(m invalidValue) bool {
		_, ok := m.value.(map[string]any)
		return !ok
	})
	for range 3 {
		m := all[w.r.IntN(len(all))]
		spec := m.value.(map[string]any)
		if strings.HasPrefix(m.field, "spec.parameters.") { // otherwise a Secret may have what is missing
			delete(spec, "parametersFrom")
		}
		o := w.object("mistake", spec)
		try := func() error { return w.Client.Create(w.Ctx, o) }
		if !w.kind.recreated && w.r.IntN(2) == 0 {
			o = w.object(walkerName, nil)
			try = func() error {
				w.must(w.get(o))
				o.Object["spec"] = decodedCopy(spec)
				return w.Client.Update(w.Ctx, o)
			}
		}
		err := try()
		for apierrors.IsConflict(err) {
			err = try()
		}
		text, _ := json.Marshal(spec)
		switch {
		case err == nil:
			w.Reportf("an invalid value at %s was not refused: %s", m.field, text)
		case !strings.Contains(err.Error(), m.field):
			w.Reportf("an invalid value at %s was refused without its field: %v", m.field, err)
		}
	}
}

// compareWithTwin waits until the object equals its twin.
func (w *walk) compareWithTwin() {
	w.await("the object equals its twin", func() error {
		one, err := w.fullState(walkerName)
		if err != nil {
			return err
		}
		two, err := w.fullState(twinName)
		if err == nil && one != two {
			err = errors.New("\n" + snapshot.Difference(two, one))
		}
		return err
	})
}

// generationFields depend on the number of edits.
var generationFields = regexp.MustCompile(`"[a-zA-Z]*[gG]eneration":\d+,?`)

// fullState returns an object and what exists of it elsewhere.
func (w *walk) fullState(name string) (string, error) {
	o := w.object(name, nil)
	if err := w.get(o); err != nil {
		return "", err
	}
	dropHistory(o)
	text := snapshot.Describe(o) + "\n" + w.kind.outside(w, name)
	return generationFields.ReplaceAllString(strings.ReplaceAll(text, name, "it"), ""), nil
}
