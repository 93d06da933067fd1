// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package marketplace

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

type plans struct {
	e      *cli.Environment
	output *cli.ListOutput
	broker string
}

func newPlans(e *cli.Environment) *cobra.Command {
	p := &plans{e: e, output: cli.NewListOutput()}
	cmd := &cobra.Command{
		Use:   "plans CLASS",
		Short: "List the plans of a service",
		Long: `List the plans of a service: what each costs, and what it allows. CLASS is the
name of the service in the catalog, its id there, or the name of its object.`,
		Example: `  # The plans of the service postgres
  kubectl bellhop plans postgres`,
		Args:              cli.OneArgument("CLASS", "kubectl bellhop marketplace"),
		ValidArgsFunction: cli.CompleteFirst(CompleteClasses(e)),
		RunE:              func(cmd *cobra.Command, args []string) error { return p.run(cmd.Context(), args[0]) },
	}
	p.output.AddFlags(cmd)
	cmd.Flags().StringVar(&p.broker, "broker", "", "The broker, where several offer a class of this name")
	cli.CompleteFlag(cmd, "broker", completeBrokers(e))
	return cmd
}

func (p *plans) run(ctx context.Context, name string) error {
	c, err := readHere(ctx, p.e)
	if err != nil {
		return err
	}
	class, err := c.Class(name, p.broker)
	if err != nil {
		return err
	}
	table := &cli.Table{
		Columns: []string{"Plan", "Cost", "Bindable", "Updatable", "Version", "Parameters", "Description"},
		Wide:    []string{"Rotatable", "Features", "Plan-ID", "Object"},
	}
	var objects []runtime.Object
	for _, plan := range c.PlansOf(class) {
		objects = append(objects, plan)
		effective := catalog.EffectiveOf(class, plan)
		table.Rows = append(table.Rows, []any{
			plan.Common().ExternalName, costOf(plan), effective.Bindable, effective.PlanUpdatable, versionOf(plan), parametersOf(plan), describe(class, plan),
			effective.BindingRotatable, featuresOf(plan), plan.Common().ExternalID, plan.GetName(),
		})
	}
	return p.output.Print(p.e, objects, table, fmt.Sprintf("Class %q has no plan", name))
}

// parametersOf tells which operations of a plan have a schema of their parameters.
func parametersOf(plan v1beta1.Plan) string {
	var operations []string
	for _, operation := range []string{ForProvision, ForUpdate, ForBind} {
		if schema := SchemaOf(plan, operation); schema != nil && len(schema.Raw) > 0 {
			operations = append(operations, operation)
		}
	}
	return strings.Join(operations, ",")
}

// featuresOf are the bullets in the plan's metadata, by the catalog metadata conventions of the OSB profile.
func featuresOf(plan v1beta1.Plan) string {
	var metadata struct {
		Bullets []string `json:"bullets"`
	}
	if raw := plan.Common().ExternalMetadata; raw != nil {
		_ = json.Unmarshal(raw.Raw, &metadata) // the broker may have other metadata of this name
	}
	return strings.Join(metadata.Bullets, "; ")
}
