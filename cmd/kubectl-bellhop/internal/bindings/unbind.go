// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindings

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/workloads"
	"github.com/gophernetes/bellhop/internal/servicecatalog/injectionrules"
)

type unbind struct {
	e         *cli.Environment
	write     *cli.WriteFlags
	wait      cli.WaitFlags
	selection cli.Selection
}

func newUnbind(e *cli.Environment) *cobra.Command {
	u := &unbind{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "unbind BINDING...",
		Short: "Revoke credentials: delete ServiceBindings",
		Long: `Revoke credentials: delete ServiceBindings. Their Secrets go, and the broker
revokes the credentials: an application that still has them cannot log in. A note
names the workloads whose Pods still request them by an annotation.`,
		Example: `  # One binding, and wait until the broker has confirmed that it is gone
  kubectl bellhop unbind orders --wait`,
		ValidArgsFunction: Complete(e),
		RunE:              func(cmd *cobra.Command, args []string) error { return u.run(cmd.Context(), args) },
	}
	u.selection.AddFlags(cmd)
	u.wait.AddFlags(cmd, "the bindings are gone", 5*time.Minute)
	u.write.AddFlags(cmd)
	return cmd
}

// noteUsers prints which workloads have a deleted binding in the annotation of their Pods, where the user may list Pods: new Pods would wait
// for its Secret.
func (u *unbind) noteUsers(ctx context.Context, bindings []*v1beta1.ServiceBinding) error {
	core, err := u.e.Core()
	if err != nil {
		return err
	}
	pods := map[string][]*corev1.Pod{}
	for _, binding := range bindings {
		if _, known := pods[binding.Namespace]; !known {
			pods[binding.Namespace], err = workloads.ListPods(ctx, core, binding.Namespace, injectionrules.Selector)
			if err != nil && !apierrors.IsForbidden(err) {
				return err
			}
		}
		users := slices.DeleteFunc(slices.Clone(pods[binding.Namespace]), func(pod *corev1.Pod) bool {
			return !slices.ContainsFunc(workloads.Requested(pod), func(b injectionrules.Binding) bool { return b.Name == binding.Name })
		})
		if len(users) > 0 {
			fmt.Fprintf(u.e.ErrOut, "note: remove %s from the annotation %s of the template of %s: new Pods wait for its Secret\n",
				binding.Name, v1beta1.InjectBindingsAnnotation, workloads.Names(users))
		}
	}
	return nil
}

func (u *unbind) run(ctx context.Context, names []string) error {
	if err := u.write.Validate(); err != nil {
		return err
	}
	client, err := clientOf(u.e)
	if err != nil {
		return err
	}
	bindings, err := cli.Select(ctx, u.e, &u.selection, names, client)
	if err != nil {
		return err
	}
	for _, binding := range bindings {
		if err := cli.Delete(ctx, u.e, u.write, client(binding.Namespace), binding); err != nil {
			return err
		}
	}
	if err := u.noteUsers(ctx, bindings); err != nil {
		return err
	}
	return cli.FinishGone(ctx, u.e, u.write, &u.wait, client, bindings...)
}
