// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command run is "make run": it runs the operator on this machine against the cluster of the current kubeconfig, and serves webhooks
// and conversion from this machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/hack/local"
)

func main() {
	host := flag.String("host", "", "address at which the API server reaches this machine, if it cannot be detected")
	flag.Parse()
	log.SetLogger(logr.Discard()) // controller-runtime logs nothing: the command prints what the user needs

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *host, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "run: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, host string, args []string) (err error) {
	repo, err := local.FindRepo()
	if err != nil {
		return err
	}
	binary, err := local.BuildOperator(ctx, repo)
	if err != nil {
		return err
	}
	cfg, err := config.GetConfig()
	if err != nil {
		return err
	}
	if err := refuseIfDeployed(ctx, cfg); err != nil {
		return err
	}

	cluster, err := local.Start(ctx, local.Options{Repo: repo, Existing: cfg, Host: host})
	if err != nil {
		return err
	}
	defer func() { //nolint:contextcheck // Ctrl-C must not keep it from cleaning up
		// For any cause of the end: a webhook without a server would block writes of users.
		if stopErr := cluster.Stop(); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("the cluster may still have webhooks that lead to this machine (run it again, or \"make deploy\"): %w", stopErr))
			return
		}
		printf("The webhooks that led to this machine are deleted. The API server refuses v1alpha1 until an operator runs again and converts it.\n" +
			"CRDs, objects and RBAC are kept (make uninstall deletes them).")
	}()
	printf("Installed CRDs, RBAC and webhooks in %s.\nIts API server has to reach %s; if it cannot, set another address with make run HOST=address.",
		cfg.Host, cluster.WebhookURL)

	operator, err := cluster.StartOperator(ctx, local.OperatorOptions{Binary: binary, Args: args, Log: os.Stderr})
	if err != nil {
		return err
	}
	printf("The operator is ready. Ctrl-C ends it.")
	select {
	case <-ctx.Done():
		return operator.Stop()
	case <-operator.Ended():
		return errors.Join(errors.New("the operator ended by itself"), operator.Stop())
	}
}

// refuseIfDeployed returns an error if an operator is deployed: both would overwrite the webhooks of each other.
func refuseIfDeployed(ctx context.Context, cfg *rest.Config) error {
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		return err
	}
	deployment := &appsv1.Deployment{}
	err = c.Get(ctx, client.ObjectKey{Namespace: "bellhop-system", Name: "bellhop-controller-manager"}, deployment)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil && (deployment.Spec.Replicas == nil || *deployment.Spec.Replicas > 0) {
		return errors.New("bellhop is deployed in this cluster; undeploy it first (make undeploy keeps all objects)")
	}
	return err
}

func printf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...)
}
