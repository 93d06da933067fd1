// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package command has the tree of commands: it joins the commands of the other packages, and has help, completion and version.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/alerts"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/bindings"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/brokers"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/credentials"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/describe"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/doctor"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/instances"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/marketplace"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/sources"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/tree"
)

// Name is how users call the plugin.
const Name = "kubectl bellhop"

// interruptDelay is how long a command may take to end after an interrupt.
const interruptDelay = time.Second

// Run runs the command line args, and returns the exit code. The end of the context interrupts the command: what does not end by itself, such
// as discovery of a server that hangs, is left behind.
func Run(ctx context.Context, streams genericiooptions.IOStreams, args []string) int {
	e := cli.New(streams)
	e.ReadUntil(ctx)
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, e, args) }()
	select {
	case code := <-ended:
		return code
	case <-ctx.Done():
	}
	for {
		select {
		case code := <-ended:
			return code
		case <-time.After(interruptDelay):
			if !e.IsHeld() {
				fmt.Fprintln(e.ErrOut, "interrupted")
				return cli.ExitInterrupted
			}
		}
	}
}

func run(ctx context.Context, e *cli.Environment, args []string) int {
	root, started := newRoot(e) //nolint:contextcheck // commands and completions get the context from cobra
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit *cli.ExitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	case ctx.Err() != nil:
		if text := explainLeft(err); text != "" {
			fmt.Fprintln(e.ErrOut, text)
		}
		fmt.Fprintln(e.ErrOut, "interrupted")
		return cli.ExitInterrupted
	}
	err = e.WithMissingGroup(ctx, err)
	fmt.Fprintln(e.ErrOut, cli.Explain(err))
	code := cli.ExitCode(err)
	if !*started && code == cli.ExitError { // cobra's errors of arguments and flags
		code = cli.ExitUsage
	}
	return code
}

// explainLeft explains what an interrupted command has left; empty: the interrupt is the only error.
func explainLeft(err error) string {
	if parts := cli.Joined(err); parts != nil {
		var texts []string
		for _, part := range parts {
			if text := explainLeft(part); text != "" {
				texts = append(texts, text)
			}
		}
		return strings.Join(texts, "\n")
	}
	if _, isLeft := errors.AsType[*cli.LeftError](err); isLeft {
		return cli.Explain(err)
	}
	return ""
}

// New returns the tree of commands, for the generator of the reference.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	root, _ := newRoot(cli.New(streams))
	return root
}

// newRoot returns the tree of commands. Started becomes true once a command line was found to be right.
func newRoot(e *cli.Environment) (root *cobra.Command, started *bool) {
	started = new(bool)
	var chunkSize int64
	root = &cobra.Command{
		Use:   "kubectl-bellhop",
		Short: "Send alerts and provision services with Bellhop",
		Long: `Send alerts and provision services with Bellhop.

The commands read and write Bellhop's objects with the rights that you have in
the cluster, as kubectl does: nothing here needs another login.`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: Name},
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			*started = true
			cmd.SetContext(cli.WithChunkSize(cmd.Context(), chunkSize))
		},
	}
	root.SetOut(e.Out)
	root.SetErr(e.ErrOut)
	root.SetIn(e.In)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.WithHint(cli.UsageError("%w", err), "see %s --help", cmd.CommandPath())
	})
	addConnectionFlags(root, e)
	root.PersistentFlags().Int64Var(&chunkSize, "chunk-size", cli.DefaultChunkSize, "How many objects a list requests at once; 0: all")
	for _, group := range groups(e) {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, cmd := range group.commands {
			cmd.GroupID = group.id
			root.AddCommand(cmd)
		}
	}
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	setHelp(root)
	return root, started
}

// group is a section of the help.
type group struct {
	id, title string
	commands  []*cobra.Command
}

func groups(e *cli.Environment) []group {
	return []group{
		{"alerts", "Alerts:", append(alerts.Commands(e), sources.Commands(e)...)},
		{"catalog", "Brokers and their catalogs:", append(brokers.Commands(e), marketplace.Commands(e)...)},
		{"services", "Services:", append(instances.Commands(e), bindings.Commands(e)...)},
		{"credentials", "Credentials:", credentials.Commands(e)},
		{"diagnosis", "Diagnosis:", slices.Concat(tree.Commands(e), describe.Commands(e), doctor.Commands(e))},
		{"other", "Other commands:", []*cobra.Command{newVersion(e), newOptions(e), newExitCodes(e)}},
	}
}

// addConnectionFlags adds kubectl's flags, and -v, which logs the requests as kubectl does.
func addConnectionFlags(root *cobra.Command, e *cli.Environment) {
	flags := root.PersistentFlags()
	e.Connection.AddFlags(flags)
	logging := flag.NewFlagSet("", flag.ContinueOnError)
	logging.SetOutput(io.Discard)
	klog.InitFlags(logging)
	flags.AddGoFlag(logging.Lookup("v"))
	completeConnectionFlags(root, e)
}
