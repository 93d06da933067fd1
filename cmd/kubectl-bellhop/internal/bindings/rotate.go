// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindings

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

type rotate struct {
	e         *cli.Environment
	write     *cli.WriteFlags
	wait      cli.WaitFlags
	selection cli.Selection
}

func newRotate(e *cli.Environment) *cobra.Command {
	r := &rotate{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "rotate BINDING...",
		Short: "Replace credentials by new ones",
		Long: `Replace the credentials of ServiceBindings by new ones, in the same Secret. The old
ones stay valid for an hour after that, or for as long as the annotation
bellhop.gophernetes.io/rotation-overlap-seconds of the ServiceBinding says.

A container that has credentials in variables keeps the old ones until it is
restarted: restart it within that time.`,
		Example: `  # New credentials, and wait until they are in the Secret
  kubectl bellhop rotate orders --wait`,
		ValidArgsFunction: Complete(e),
		RunE:              func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	r.selection.AddFlags(cmd)
	r.wait.AddFlags(cmd, "the new credentials are in the Secret", bindTimeout)
	r.write.AddFlags(cmd)
	return cmd
}

func (r *rotate) run(ctx context.Context, names []string) error {
	if err := r.write.Validate(); err != nil {
		return err
	}
	r.write.HoldFor(&r.wait)
	client, err := clientOf(r.e)
	if err != nil {
		return err
	}
	bindings, err := cli.Select(ctx, r.e, &r.selection, names, client)
	if err != nil {
		return err
	}
	request := strconv.FormatInt(time.Now().UnixNano(), 10)
	for i, binding := range bindings {
		bindings[i], err = cli.Edit(ctx, r.e, r.write, client(binding.Namespace), binding, "gets new credentials", func(edited *v1beta1.ServiceBinding) error {
			metav1.SetMetaDataAnnotation(&edited.ObjectMeta, v1beta1.RebindAnnotation, request)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, binding := range bindings {
		if err := cli.FinishWhen(ctx, r.e, r.write, &r.wait, client(binding.Namespace), binding, hasRotated(request)); err != nil {
			return err
		}
	}
	return nil
}

// hasRotated reports whether the status of a binding is about a request for new credentials, and returns an error if the broker has refused
// them. An annotation changes no generation, so that Ready alone may be about the old credentials, which stay valid during a rotation.
func hasRotated(request string) func(*v1beta1.ServiceBinding) (bool, error) {
	return func(b *v1beta1.ServiceBinding) (bool, error) {
		s, health := &b.Status, cli.HealthOf(b)
		if s.Rebind == request && s.Attempts != nil && s.Attempts.Stopped && health.Ready {
			return false, cli.StalledError("%s keeps its credentials: %s", cli.ResourceName(b), health)
		}
		isAtRest := s.CurrentOperation == "" && s.PredecessorID == ""
		return s.Rebind == request && isAtRest || s.AttemptedRebind == request && health.Stalled, nil
	}
}
