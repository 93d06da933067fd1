// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Properties of classes and plans that restrictions select by.
const (
	propertyName         = "name"
	propertyExternalName = "spec.externalName"
	propertyExternalID   = "spec.externalID"
	propertyFree         = "spec.free"
)

// maxRestrictions bounds the selectors of a list, in bytes: to read them takes hundreds of times as much memory.
const maxRestrictions = 128 << 10

// Restrictions select the entries of a catalog that become classes and plans; without any, all do.
type Restrictions struct {
	class, plan labels.Selector
}

// ParseRestrictions parses the catalogRestrictions of a broker of a scope. After errors, the Restrictions select nothing.
func ParseRestrictions(restrictions *v1beta1.CatalogRestrictions, scope Scope) (Restrictions, field.ErrorList) {
	if restrictions == nil {
		return Restrictions{}, nil
	}
	path := field.NewPath("spec", "catalogRestrictions")
	class, errs := parseSelectors(restrictions.ServiceClass, path.Child("serviceClass"), classProperties())
	plan, planErrs := parseSelectors(restrictions.ServicePlan, path.Child("servicePlan"), planProperties(scope))
	return Restrictions{class: class, plan: plan}, append(errs, planErrs...)
}

func classProperties() []string {
	return []string{propertyName, propertyExternalName, propertyExternalID}
}

func planProperties(scope Scope) []string {
	return append(classProperties(), propertyFree, propertyClass(scope))
}

// propertyClass differs from the name of the label.
func propertyClass(scope Scope) string {
	if scope == Cluster {
		return "spec.clusterServiceClass.name"
	}
	return "spec.serviceClass.name"
}

// operator ends the property at the beginning of a selector.
var operator = regexp.MustCompile(`=|!=| in | notin `)

// parseSelectors parses selectors that all have to match. As in the original service-catalog, only the property at the beginning is
// checked: a property after a comma may be one that nothing has.
func parseSelectors(selectors []string, path *field.Path, properties []string) (labels.Selector, field.ErrorList) {
	size := 0
	for _, s := range selectors {
		size += len(s)
	}
	if size > maxRestrictions {
		return labels.Nothing(), field.ErrorList{field.Invalid(path, field.OmitValueType{}, fmt.Sprintf("has %d bytes, and may have %d", size, maxRestrictions))}
	}
	var errs field.ErrorList
	for i, s := range selectors {
		property := s
		if at := operator.FindStringIndex(s); at != nil {
			property = s[:at[0]]
		}
		if !slices.Contains(properties, property) {
			errs = append(errs, field.Invalid(path.Index(i), s, fmt.Sprintf("must begin with one of %s, then =, ==, !=, in or notin, the last two between single spaces, as %q",
				strings.Join(properties, ", "), propertyExternalName+" in (a, b)")))
		} else if name := tooManyWrong(s); name != "" {
			errs = append(errs, field.Invalid(path.Index(i), s, fmt.Sprintf("has more than %d values that no label can have, as %q", maxWrong, name)))
		} else if _, err := labels.Parse(s); err != nil {
			errs = append(errs, field.Invalid(path.Index(i), s, "must be a label selector, as "+strconv.Quote(property+" in (a, b)")+": "+err.Error()))
		}
	}
	if len(errs) > 0 {
		return labels.Nothing(), errs
	}
	joined := strings.Join(selectors, ", ")
	selector, err := labels.Parse(joined)
	if err != nil {
		return labels.Nothing(), field.ErrorList{field.Invalid(path, joined, "must be label selectors: "+err.Error())}
	}
	return selector, nil
}

// maxWrong bounds the values of a selector that no label can have: the error of labels.Parse lists them, and takes the square of their number.
const maxWrong = 32

// tooManyWrong returns a value of a selector that no label can have, if there are more than maxWrong.
func tooManyWrong(selector string) string {
	wrong := 0
	for value := range strings.FieldsFuncSeq(selector, func(r rune) bool { return strings.ContainsRune("=!(),<> \t\r\n", r) }) {
		if len(validation.IsValidLabelValue(value)) == 0 {
			continue
		}
		if wrong++; wrong > maxWrong {
			return value
		}
	}
	return ""
}

// MatchesClass reports whether the restrictions select a class. It also needs a plan that they select.
func (r Restrictions) MatchesClass(class v1beta1.Class) bool {
	return r.class == nil || r.class.Matches(labels.Set{
		propertyName:         class.GetName(),
		propertyExternalName: class.Common().ExternalName,
		propertyExternalID:   class.Common().ExternalID,
	})
}

// MatchesPlan reports whether the restrictions select a plan.
func (r Restrictions) MatchesPlan(plan v1beta1.Plan) bool {
	return r.plan == nil || r.plan.Matches(labels.Set{
		propertyName:                 plan.GetName(),
		propertyExternalName:         plan.Common().ExternalName,
		propertyExternalID:           plan.Common().ExternalID,
		propertyFree:                 strconv.FormatBool(plan.Common().Free),
		propertyClass(ScopeOf(plan)): plan.ClassName(),
	})
}
