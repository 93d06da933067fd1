// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/operator"
)

type version struct {
	e                 *cli.Environment
	output            cli.DataOutput
	clientOnly        bool
	operatorNamespace string
}

// versions is the result of the command.
type versions struct {
	Client clientVersion `json:"clientVersion"`
	// Operators are the operators of the cluster; nil: they were not looked up, or the user may not read them.
	Operators []operatorVersion `json:"operatorVersions,omitempty"`
}

type clientVersion struct {
	Version  string `json:"version"`
	Go       string `json:"goVersion"`
	Platform string `json:"platform"`
}

type operatorVersion struct {
	Version    string   `json:"version"`
	Image      string   `json:"image"`
	Namespace  string   `json:"namespace"`
	Deployment string   `json:"deployment"`
	APIGroups  []string `json:"apiGroups"`
}

func newVersion(e *cli.Environment) *cobra.Command {
	v := &version{e: e}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the plugin and of the operator",
		Long: `Print the versions of the plugin and of the operator.

The version of an operator is the tag of its image, else the label
app.kubernetes.io/version of its Deployment. Where you may not read the
Deployments of all namespaces, or the operator runs outside of the cluster, a
note says what is not known.`,
		Example: `  # Both versions
  kubectl bellhop version

  # The version of the plugin, without a request
  kubectl bellhop version --client -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&v.clientOnly, "client", false, "Print the version of the plugin alone, and send no request")
	cmd.Flags().StringVar(&v.operatorNamespace, "operator-namespace", cli.OperatorNamespace, "Namespace of the operator, where you may not list Deployments of all namespaces")
	v.output.AddFlag(cmd)
	return cmd
}

func (v *version) run(ctx context.Context) error {
	if err := v.output.Validate(); err != nil {
		return err
	}
	found := versions{Client: clientVersion{Version: cli.Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}}
	var err error
	if !v.clientOnly {
		found.Operators, err = v.operators(ctx)
	}
	if printErr := v.print(found); printErr != nil {
		return printErr
	}
	return err
}

// operators returns the versions of the cluster's operators. If there is none, it prints a note.
func (v *version) operators(ctx context.Context) ([]operatorVersion, error) {
	apps, err := v.e.Apps()
	if err != nil {
		return nil, err
	}
	deployments, areAll, err := operator.ListAll(ctx, apps, v.operatorNamespace)
	switch {
	case apierrors.IsForbidden(err):
		fmt.Fprintf(v.e.ErrOut, "note: the version of the operator is not known: %s\n", kinds.Reason(err))
		return nil, nil
	case err != nil:
		return nil, err
	case !areAll && len(deployments) == 0:
		fmt.Fprintf(v.e.ErrOut, "note: the version of the operator is not known: it has no Deployment in namespace %q, and you may not list those of all namespaces; "+
			"--operator-namespace names another one\n", v.operatorNamespace)
	case !areAll:
		fmt.Fprintln(v.e.ErrOut, "note: you may not list Deployments of all namespaces: other namespaces may have operators, too")
	case len(deployments) == 0:
		fmt.Fprintln(v.e.ErrOut, "note: there is no Deployment of the operator: it runs outside of the cluster, or not at all")
	}
	var operators []operatorVersion
	for _, d := range deployments {
		operators = append(operators, operatorVersion{
			Version: d.Version(), Image: d.Image, Namespace: d.Namespace, Deployment: d.Name, APIGroups: operator.Groups(d.APIs),
		})
	}
	return operators, nil
}

func (v *version) print(found versions) error {
	if !v.output.IsText() {
		return v.output.Print(v.e, found)
	}
	if _, err := fmt.Fprintf(v.e.Out, "kubectl-bellhop %s (%s, %s)\n", found.Client.Version, found.Client.Go, found.Client.Platform); err != nil {
		return err
	}
	for _, o := range found.Operators {
		if _, err := fmt.Fprintf(v.e.Out, "operator %s (Deployment %s/%s, %s)\n", o.Version, o.Namespace, o.Deployment, o.Image); err != nil {
			return err
		}
	}
	return nil
}
