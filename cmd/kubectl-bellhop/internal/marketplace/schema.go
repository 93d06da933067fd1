// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package marketplace

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Operations that take parameters, as --for names them.
const (
	ForProvision = "provision"
	ForUpdate    = "update"
	ForBind      = "bind"
)

// SchemaOf is the schema of the parameters of an operation, nil if the plan has none.
func SchemaOf(plan v1beta1.Plan, operation string) *runtime.RawExtension {
	switch operation {
	case ForUpdate:
		return plan.Common().InstanceUpdateParameterSchema
	case ForBind:
		return plan.Common().ServiceBindingCreateParameterSchema
	default:
		return plan.Common().InstanceCreateParameterSchema
	}
}

type schemaCommand struct {
	e                         *cli.Environment
	operation, broker, format string
	output                    *cli.ListOutput
}

func newSchema(e *cli.Environment) *cobra.Command {
	s := &schemaCommand{e: e, output: cli.NewListOutput()}
	cmd := &cobra.Command{
		Use:   "schema CLASS/PLAN",
		Short: "Show which parameters a plan takes",
		Long: `Show which parameters a plan takes: types, defaults, and what is required, from
the JSON Schema in the broker's catalog. A field of an object is shown as
OBJECT.FIELD, and an element of a list as LIST[].`,
		Example: `  # The parameters of a new instance
  kubectl bellhop schema postgres/small

  # The parameters of a binding, as JSON Schema
  kubectl bellhop schema postgres/small --for bind -o json`,
		Args:              cli.OneArgument("CLASS/PLAN", "kubectl bellhop marketplace"),
		ValidArgsFunction: cli.CompleteFirst(completeClassPlans(e)),
		RunE:              func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().StringVar(&s.operation, "for", ForProvision, "The operation: provision, update or bind")
	cmd.Flags().StringVar(&s.broker, "broker", "", "The broker, where several offer a class of this name")
	cmd.Flags().StringVarP(&s.format, "output", "o", "table", "Output format, one of: table, wide, json, yaml; the last two print the JSON Schema")
	cli.CompleteFlag(cmd, "for", cobra.FixedCompletions([]string{ForProvision, ForUpdate, ForBind}, cobra.ShellCompDirectiveNoFileComp))
	cli.CompleteFlag(cmd, "output", cobra.FixedCompletions([]string{"table", "wide", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	cli.CompleteFlag(cmd, "broker", completeBrokers(e))
	return cmd
}

func (s *schemaCommand) run(ctx context.Context, name string) error {
	if s.operation != ForProvision && s.operation != ForUpdate && s.operation != ForBind {
		return cli.UsageError("--for=%s: must be provision, update or bind", s.operation)
	}
	className, planName, _ := strings.Cut(name, "/")
	c, err := readHere(ctx, s.e)
	if err != nil {
		return err
	}
	class, err := c.Class(className, s.broker)
	if err != nil {
		return err
	}
	plan, err := c.Plan(class, planName)
	if err != nil {
		return err
	}
	schema := SchemaOf(plan, s.operation)
	if schema == nil || len(schema.Raw) == 0 {
		fmt.Fprintf(s.e.ErrOut, "Plan %s/%s has no schema of the parameters to %s: the broker checks them\n", class.Common().ExternalName, plan.Common().ExternalName, s.operation)
		return nil
	}
	return s.print(schema.Raw)
}

func (s *schemaCommand) print(schema []byte) error {
	switch s.format {
	case "json":
		indented, err := indent(schema)
		if err != nil {
			return err
		}
		_, err = s.e.Data().Write(indented)
		return err
	case "yaml":
		text, err := yaml.JSONToYAML(schema)
		if err != nil {
			return err
		}
		_, err = s.e.Data().Write(text)
		return err
	case "table", "wide":
		fields, err := Fields(schema)
		if err != nil {
			return err
		}
		table := &cli.Table{Columns: []string{"Parameter", "Type", "Required", "Default", "Allowed", "Description"}}
		for _, f := range fields {
			required := ""
			if f.Required {
				required = "yes"
			}
			table.Rows = append(table.Rows, []any{f.Path, f.Type, dash(required), dash(f.Default), dash(f.Allowed), dash(f.Description)})
		}
		return s.output.PrintTable(s.e.Out, table)
	default:
		return cli.UsageError("--output=%s: must be table, wide, json or yaml", s.format)
	}
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
