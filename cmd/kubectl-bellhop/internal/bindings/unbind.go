/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package bindings

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
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
revokes the credentials: an application that still has them cannot log in.`,
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
	return cli.FinishGone(ctx, u.e, u.write, &u.wait, client, bindings...)
}
