// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package marketplace

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Commands are the commands that show catalogs.
func Commands(e *cli.Environment) []*cobra.Command {
	return []*cobra.Command{newMarketplace(e), newPlans(e), newSchema(e)}
}

type marketplace struct {
	e             *cli.Environment
	output        *cli.ListOutput
	broker        string
	allNamespaces bool
}

func newMarketplace(e *cli.Environment) *cobra.Command {
	m := &marketplace{e: e, output: cli.NewListOutput()}
	cmd := &cobra.Command{
		Use:   "marketplace",
		Short: "List the services that brokers offer, with their plans and costs",
		Long: `List the services that brokers offer: those of the ClusterServiceBrokers, and
those of the ServiceBrokers of the namespace. There is a line for each plan.`,
		Example: `  # What can be ordered in this namespace
  kubectl bellhop marketplace

  # What one broker offers, with all columns
  kubectl bellhop marketplace --broker acme -o wide`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.run(cmd.Context()) },
	}
	m.output.AddFlags(cmd)
	cmd.Flags().StringVar(&m.broker, "broker", "", "List only what this broker offers")
	cmd.Flags().BoolVarP(&m.allNamespaces, "all-namespaces", "A", false, "List also what ServiceBrokers of other namespaces offer")
	cli.CompleteFlag(cmd, "broker", completeBrokers(e))
	return cmd
}

func completeBrokers(e *cli.Environment) cobra.CompletionFunc {
	return cli.Complete(func(ctx context.Context) ([]string, error) {
		c, err := readHere(ctx, e)
		if err != nil {
			return nil, err
		}
		brokers := map[string]bool{}
		for _, class := range c.Classes {
			brokers[class.BrokerName()] = true
		}
		return slices.Collect(maps.Keys(brokers)), nil
	})
}

func (m *marketplace) run(ctx context.Context) error {
	namespace, err := m.e.Namespace()
	if err != nil {
		return err
	}
	if m.allNamespaces {
		namespace = ""
	}
	c, err := Read(ctx, m.e, namespace)
	if err != nil {
		return err
	}
	table := &cli.Table{
		Columns: []string{"Class", "Plan", "Cost", "Description", "Broker"},
		Wide:    []string{"Class-Description", "Bindable", "Plan-Updatable", "Version", "Namespace", "Plan-ID"},
	}
	var objects []runtime.Object
	for _, class := range c.Classes {
		if m.broker != "" && class.BrokerName() != m.broker {
			continue
		}
		for _, plan := range c.PlansOf(class) {
			objects = append(objects, plan)
			table.Rows = append(table.Rows, []any{
				class.Common().ExternalName, plan.Common().ExternalName, costOf(plan), describe(class, plan), class.BrokerName(),
				class.Common().Description, catalog.EffectiveOf(class, plan).Bindable, catalog.EffectiveOf(class, plan).PlanUpdatable,
				versionOf(plan), scopeOf(class), plan.Common().ExternalID,
			})
		}
	}
	none := "No broker offers a service here; an administrator registers one with kubectl bellhop register"
	if m.broker != "" {
		none = fmt.Sprintf("Broker %q offers no service here", m.broker)
	}
	return m.output.Print(m.e, objects, table, none)
}

// describe is the description of a plan, and whether it is still offered.
func describe(class v1beta1.Class, plan v1beta1.Plan) string {
	if plan.CommonStatus().RemovedFromBrokerCatalog || class.CommonStatus().RemovedFromBrokerCatalog {
		return "(no longer offered) " + plan.Common().Description
	}
	return plan.Common().Description
}

func scopeOf(class v1beta1.Class) string {
	if class.GetNamespace() == "" {
		return "all"
	}
	return class.GetNamespace()
}

func versionOf(plan v1beta1.Plan) string {
	if info := plan.Common().MaintenanceInfo; info != nil {
		return info.Version
	}
	return ""
}

// costOf is the price of a plan: free, or the costs in its metadata, as "usd 99/monthly", by the catalog metadata conventions of the OSB profile.
func costOf(plan v1beta1.Plan) string {
	if plan.Common().Free {
		return "free"
	}
	var metadata struct {
		Costs []struct {
			Amount map[string]json.Number `json:"amount"`
			Unit   string                 `json:"unit"`
		} `json:"costs"`
	}
	if raw := plan.Common().ExternalMetadata; raw != nil {
		_ = json.Unmarshal(raw.Raw, &metadata) // the broker may have other metadata of this name
	}
	var costs []string
	for _, cost := range metadata.Costs {
		for _, currency := range slices.Sorted(maps.Keys(cost.Amount)) {
			costs = append(costs, strings.TrimSuffix(fmt.Sprintf("%s %s/%s", currency, cost.Amount[currency], strings.ToLower(cost.Unit)), "/"))
		}
	}
	if len(costs) == 0 {
		return "not free"
	}
	return strings.Join(costs, " + ")
}
