// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package injectionrules parses the requests of Pods for credentials, which are a label and annotations. The policies of config/injection parse the
// same; Go does it for clients.
package injectionrules

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

const (
	// Policy is the name of the MutatingAdmissionPolicy.
	Policy = "bellhop-injection"
	// Selector selects the Pods that request credentials.
	Selector = v1beta1.InjectLabel + "=true"
	// NamespaceSelector selects the Namespaces that permit it.
	NamespaceSelector = v1beta1.InjectionLabel + "=enabled"

	// maxBindings is the number of ServiceBindings that a Pod can name.
	maxBindings = 16
)

// Binding is a ServiceBinding whose credentials a Pod requests.
type Binding struct{ Name, Secret string }

// String is the entry of the annotation.
func (b Binding) String() string {
	if b.Secret == b.Name {
		return b.Name
	}
	return b.Name + "=" + b.Secret
}

// ParseBindings parses v1beta1.InjectBindingsAnnotation; an empty text has none. The error names the entry and the valid form.
func ParseBindings(annotation string) ([]Binding, error) {
	if strings.TrimSpace(annotation) == "" {
		return nil, nil
	}
	var bindings []Binding
	for entry := range strings.SplitSeq(annotation, ",") {
		entry = strings.TrimSpace(entry)
		b := Binding{Name: entry, Secret: entry}
		if name, secret, ok := strings.Cut(entry, "="); ok {
			b = Binding{Name: name, Secret: secret}
		}
		switch {
		case !isName(b.Name) || !isName(b.Secret):
			return nil, fmt.Errorf("annotation %s has the entry %q: it has to be NAME of a ServiceBinding, or NAME=SECRET if its Secret has another name",
				v1beta1.InjectBindingsAnnotation, entry)
		case slices.ContainsFunc(bindings, b.isNamesake):
			return nil, fmt.Errorf("annotation %s has %q more than once: name each ServiceBinding once", v1beta1.InjectBindingsAnnotation, b.Name)
		}
		bindings = append(bindings, b)
	}
	if len(bindings) > maxBindings {
		return nil, fmt.Errorf("annotation %s has %d entries: at most %d are possible", v1beta1.InjectBindingsAnnotation, len(bindings), maxBindings)
	}
	return bindings, nil
}

func isName(text string) bool { return len(validation.IsDNS1123Subdomain(text)) == 0 }

func (b Binding) isNamesake(other Binding) bool { return b.Name == other.Name }

// AddBinding returns the annotation with a ServiceBinding: its entry is replaced, or appended.
func AddBinding(annotation string, b Binding) (string, error) {
	bindings, err := ParseBindings(annotation)
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(bindings, b.isNamesake); i >= 0 {
		if bindings[i] == b {
			return annotation, nil
		}
		bindings[i] = b
	} else {
		bindings = append(bindings, b)
	}
	var entries []string
	for _, binding := range bindings {
		entries = append(entries, binding.String())
	}
	text := strings.Join(entries, ", ")
	_, err = ParseBindings(text)
	return text, err
}
