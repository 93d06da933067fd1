// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command kubectl-bellhop is the kubectl plugin: kubectl bellhop sends alerts and provisions services.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(command.Run(ctx, genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, os.Args[1:]))
}
