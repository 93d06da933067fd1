// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1alpha1 "github.com/gophernetes/bellhop/api/pager/v1alpha1"
	pager "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalog "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/metrics"
)

// An environment is a control plane of its own with one subject, the program that is measured.
type environment struct {
	environmentOptions
	cluster      *local.Cluster
	api          client.WithWatch
	token        string // of a ServiceAccount that may read metrics
	auditLogPath string // of the API server; empty if it writes no audit log
	log          io.Writer

	profilesAddress string // at which the subject serves its profiles

	process    *local.Operator
	expectExit func()        // announces that the process is about to be stopped
	exited     chan struct{} // closed when the process ended without such an announcement
}

// environmentOptions say which subject runs, and how.
type environmentOptions struct {
	binary  string
	args    []string
	audited bool // the API server writes an audit log, which costs it CPU time
	// unshared: a short run makes an environment of its own, too.
	unshared bool
}

// deployedOptions are the options of the operator as config/ deploys it, with an audit log. Its lease lasts long enough that it
// stays the leader during a minute in which the machine is too busy to answer.
func (b *bench) deployedOptions() environmentOptions {
	return environmentOptions{binary: b.operator, args: []string{"--leader-elect", "--leader-elect-lease-duration=1m30s"}, audited: true}
}

// runInEnvironment runs a function in an environment of its own. A short run shares one environment among all parts that measure
// the operator.
func (b *bench) runInEnvironment(ctx context.Context, o environmentOptions, do func(context.Context, *environment) error) (err error) {
	shares := b.short && o.binary == b.operator && !o.unshared
	if shares {
		o = b.deployedOptions()
	}
	s := b.shared
	if s == nil || !shares {
		s = &environment{environmentOptions: o, log: b.log, exited: make(chan struct{})}
		if shares {
			b.shared = s
		} else {
			defer func() { err = errors.Join(err, s.close()) }() //nolint:contextcheck // close stops processes above all when the context has ended
		}
		if err := b.startEnvironment(ctx, s); err != nil {
			return err
		}
	}
	ctx, cancel := s.contextUntilExit(ctx)
	defer cancel(nil)
	if err := do(ctx, s); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	return nil
}

// startEnvironment starts a control plane, and the subject.
func (b *bench) startEnvironment(ctx context.Context, s *environment) error {
	if s.profilesAddress = b.pprof; s.profilesAddress == "" {
		port, err := local.FreePort()
		if err != nil {
			return err
		}
		s.profilesAddress = fmt.Sprintf("127.0.0.1:%d", port)
	}
	s.args = append(slices.Clip(s.args), "--pprof-bind-address="+s.profilesAddress)
	if s.audited {
		s.auditLogPath = filepath.Join(b.dir, b.uniqueName("audit")+".log")
	}
	if err := s.startControlPlane(ctx, b.repo); err != nil {
		return err
	}
	return s.startSubject(ctx)
}

func (env *environment) startControlPlane(ctx context.Context, repo string) (err error) {
	if env.cluster, err = local.Start(ctx, local.Options{Repo: repo, AuditLog: env.auditLogPath}); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, pagerv1alpha1.AddToScheme, pager.AddToScheme, servicecatalog.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config := *env.cluster.Config
	config.QPS = -1
	if env.api, err = client.NewWithWatch(&config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	env.token, err = metrics.Token(ctx, env.api, metav1.NamespaceDefault, "bench")
	return err
}

// startSubject runs the subject, and returns once it is ready.
func (env *environment) startSubject(ctx context.Context) (err error) {
	env.process, err = env.cluster.StartOperator(ctx, local.OperatorOptions{
		Binary: env.binary, Args: append([]string{"--allow-outbound=127.0.0.1"}, env.args...), Log: env.log})
	if err != nil {
		return err
	}
	ended, expected := env.process.Ended(), make(chan struct{})
	env.expectExit = sync.OnceFunc(func() { close(expected) })
	go func() {
		<-ended
		select {
		case <-expected:
		default:
			close(env.exited)
		}
	}()
	return nil
}

// stopSubject ends the subject with SIGTERM, as the kubelet would.
func (env *environment) stopSubject() error {
	env.expectExit()
	return env.process.Stop()
}

func (env *environment) restartSubject(ctx context.Context) error {
	if err := env.stopSubject(); err != nil {
		return err
	}
	return env.startSubject(ctx)
}

// contextUntilExit returns a context that is cancelled when the subject ends unexpectedly, so that no caller waits for a process
// that is gone.
func (env *environment) contextUntilExit(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-env.exited:
			cancel(fmt.Errorf("%s ended by itself", env.binary))
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// close ends the subject and the control plane.
func (env *environment) close() error {
	if env.expectExit != nil {
		env.expectExit()
	}
	var errs []error
	if env.cluster != nil {
		errs = append(errs, env.cluster.Stop())
	}
	if env.auditLogPath != "" {
		errs = append(errs, os.Remove(env.auditLogPath))
	}
	return errors.Join(errs...)
}
