// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/forward"
)

type connectOptions struct {
	names    nameFlags
	keys     keyFlags
	port     uint16
	endpoint string
}

func newConnect(e *cli.Environment) *cobra.Command {
	o := &connectOptions{}
	cmd := &cobra.Command{
		Use:   "connect BINDING [--port LOCAL] [-- COMMAND [ARGUMENT...]]",
		Short: "Forward a local port to the service of a binding",
		Long: `Forward a local port to the service of a binding.

Use it where the service runs in the cluster, and a program of this machine has
to reach it: the host in the credentials is a Service or a Pod. The connection
goes through the API server, as that of "kubectl port-forward", and needs the
right to create pods/portforward. A service outside of the cluster needs
"exec" instead.

connect prints the local address, and the credentials as variables for a client,
in which host, port and URIs are those of the local address. It stays until
Ctrl-C. With a command it runs that with these variables, and ends with its exit
code. If the Pod ends, connect ends with an error. Keys become variables as they
do with "exec".

The certificate of a service with TLS is for its own name, and not for
127.0.0.1: tell the client the name, or not to check it.`,
		Example: `  # Forward a free local port to the database of the binding orders
  kubectl bellhop connect orders

  # The same at port 3307
  kubectl bellhop connect orders --port 3307

  # Run a program that reads DB_HOST, DB_PORT, ... while connected
  kubectl bellhop connect orders --prefix DB_ --upper-case -- ./migrate up

  # Choose one of several hosts in the credentials
  kubectl bellhop connect orders --endpoint orders-replica:3306`,
		Args: func(cmd *cobra.Command, args []string) error {
			binding, command, err := bindingAndCommand(cmd, args)
			if err == nil && len(command) == 0 && cmd.ArgsLenAtDash() >= 0 {
				err = cli.WithHint(cli.UsageError("there is no command after --"), "without -- connect waits for Ctrl-C; see %s %s -- env", cmd.CommandPath(), binding)
			}
			return err
		},
		ValidArgsFunction: completeBindingAndCommand(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(cmd); err != nil {
				return err
			}
			return o.run(cmd.Context(), e, args[0], args[1:])
		},
	}
	cmd.Flags().Uint16Var(&o.port, "port", 0, "Port of this machine; 0: a free one")
	cmd.Flags().StringVar(&o.endpoint, "endpoint", "", "HOST:PORT in the credentials, if they have more than one or it is not found")
	o.names.addFlags(cmd)
	o.keys.addFlags(cmd, e)
	cli.CompleteFlag(cmd, "port", cobra.NoFileCompletions)
	cli.CompleteFlag(cmd, "endpoint", cobra.NoFileCompletions)
	return cmd
}

func (o *connectOptions) validate(cmd *cobra.Command) error {
	if _, ok := splitHostPort(o.endpoint); !ok && cmd.Flags().Changed("endpoint") {
		return cli.UsageError("--endpoint=%s: must be HOST:PORT or HOST", o.endpoint)
	}
	return o.names.validate()
}

func (o *connectOptions) run(ctx context.Context, e *cli.Environment, name string, command []string) error {
	c, err := o.keys.read(ctx, e, name)
	if err != nil {
		return err
	}
	data, err := c.without(o.keys.omit)
	if err != nil {
		return err
	}
	_, leftOut, err := o.names.variables(data) // before anything is opened
	if err != nil {
		return err
	}
	o.names.warnLeftOut(e, leftOut)
	path := ""
	if len(command) > 0 {
		if path, err = findCommand(e, command[0]); err != nil {
			return err
		}
	}
	r := &rewriting{namespace: c.binding.Namespace}
	if r.from, err = o.from(c); err != nil {
		return err
	}
	tunnel, target, err := o.open(ctx, e, name, r)
	if err != nil {
		return err
	}
	defer tunnel.Close()
	r.local = tunnel.LocalPort
	variables, err := o.rewritten(e, data, r)
	if err != nil {
		return err
	}
	if len(command) > 0 {
		return runWhileConnected(ctx, e, tunnel, path, command, environment(os.Environ(), variables))
	}
	fmt.Fprintf(e.ErrOut, "Forwarding %s to %s.\nA client uses these variables, as long as this command runs. Ctrl-C ends it.\n\n", r.localAddress(), target)
	if err := writeExports(e.Data(), variables); err != nil {
		return err
	}
	select {
	case <-ctx.Done(): // Ctrl-C
		return nil
	case <-tunnel.Done():
		return tunnel.Err()
	}
}

// rewritten returns the variables with the address of the tunnel, and warns of variables in which another address stays.
func (o *connectOptions) rewritten(e *cli.Environment, data map[string][]byte, r *rewriting) ([]variable, error) {
	data, unchanged := r.apply(data)
	if len(unchanged) > 0 {
		fmt.Fprintf(e.ErrOut, "warning: host %q stays in %s %s: connect does not know how to change it there\n",
			r.from.host, plural("key", len(unchanged)), quotedList(unchanged))
	}
	variables, _, err := o.names.variables(data) // those that are left out were named
	return variables, err
}

// from is the host and port that programs use.
func (o *connectOptions) from(c *credentials) (hostPort, error) {
	if o.endpoint != "" {
		h, _ := splitHostPort(o.endpoint)
		return h, nil
	}
	return endpointOf(c.data, c.binding.Namespace)
}

// open opens the tunnel to the Pod of the host.
func (o *connectOptions) open(ctx context.Context, e *cli.Environment, name string, r *rewriting) (*forward.Tunnel, *forward.Target, error) {
	config, err := e.Config()
	if err != nil {
		return nil, nil, err
	}
	core, err := e.Core()
	if err != nil {
		return nil, nil, err
	}
	discovery, err := discoveryclient.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	resolver := &forward.Resolver{Core: core, Discovery: discovery, Namespace: r.namespace}
	target, err := resolver.Resolve(ctx, r.from.host, r.from.port)
	if _, ok := errors.AsType[*forward.OutsideError](err); ok {
		return nil, nil, cli.WithHint(err, "to a service that this machine reaches, connect without a tunnel: kubectl bellhop exec %s -- COMMAND", name)
	}
	if err != nil {
		return nil, nil, err
	}
	tunnel, err := forward.Open(ctx, config, core, target, int(o.port))
	return tunnel, target, err
}
