// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// F-B18: the webhook of plans of both scopes refuses an unknown value of the annotation that is new, and no other change.
func TestPlanDefaulterChecksSchemaPolicy(t *testing.T) {
	checkPlanPolicy(t, planDefaulter[*v1beta1.ClusterServicePlan]{decoder}, func() *v1beta1.ClusterServicePlan {
		return clusterPlan(clusterClass("broker", "class"), "plan")
	})
	checkPlanPolicy(t, planDefaulter[*v1beta1.ServicePlan]{decoder}, func() *v1beta1.ServicePlan {
		p := &v1beta1.ServicePlan{}
		p.Namespace, p.Name = "ns", "plan"
		return p
	})
}

func checkPlanPolicy[P v1beta1.Plan](t *testing.T, d planDefaulter[P], newPlan func() P) {
	t.Helper()
	const refused = `metadata.annotations[bellhop.gophernetes.io/schema-policy]: Unsupported value: "Ignore": supported values: "Enforce", "Warn"`
	with := func(value string) P {
		p := newPlan()
		if value != "" {
			p.SetAnnotations(map[string]string{v1beta1.SchemaPolicyAnnotation: value})
		}
		return p
	}
	for _, c := range []struct {
		before, after string
		refused       bool
	}{
		{"", "", false}, {"", "Warn", false}, {"Warn", "Enforce", false}, {"Warn", "", false}, {"", "Ignore", true}, {"Warn", "Ignore", true}, {"Ignore", "Ignore", false},
	} {
		want := []string{}
		if c.refused {
			want = append(want, refused)
		}
		err := d.Default(request(t, with(c.before)), with(c.after))
		says(t, c.before+" to "+c.after, text(err), want...)
	}
	says(t, "a new plan", text(d.Default(request(t, nil), with("Ignore"))), refused)
	says(t, "a new plan with Warn", text(d.Default(request(t, nil), with("Warn"))))
}
