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

// A stage is a fresh control plane with one subject on it.
type stage struct {
	staging
	cluster *local.Cluster
	api     client.WithWatch
	token   string // of who may read metrics
	audit   string // file of the API server's log of requests; empty: there is none
	log     io.Writer

	profiles string // address at which the subject serves them

	process *local.Operator
	let     func()        // the process end
	died    chan struct{} // closed when it ended by itself
}

// staging is what comes onto a stage.
type staging struct {
	binary  string
	args    []string
	audited bool // the API server logs requests, which costs it time
}

// deployed is the operator as config/ has it, with all its requests logged. It keeps its lease through a minute in which the
// machine is too busy to answer.
func (b *bench) deployed() staging {
	return staging{binary: b.operator, args: []string{"--leader-elect", "--leader-elect-lease-duration=1m30s"}, audited: true}
}

// onStage does something with a program that runs on a control plane of its own. In a short run the operator has one for all parts.
func (b *bench) onStage(ctx context.Context, o staging, do func(context.Context, *stage) error) (err error) {
	shares := b.short && o.binary == b.operator
	if shares {
		o = b.deployed()
	}
	s := b.shared
	if s == nil || !shares {
		s = &stage{staging: o, log: b.log, died: make(chan struct{})}
		if shares {
			b.shared = s
		} else {
			defer func() { err = errors.Join(err, s.close()) }() //nolint:contextcheck // it ends what runs above all when the context has ended
		}
		if err := b.raise(ctx, s); err != nil {
			return err
		}
	}
	ctx, cancel := s.during(ctx)
	defer cancel(nil)
	if err := do(ctx, s); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	return nil
}

// raise starts a control plane, and the subject on it.
func (b *bench) raise(ctx context.Context, s *stage) error {
	if s.profiles = b.pprof; s.profiles == "" {
		port, err := local.FreePort()
		if err != nil {
			return err
		}
		s.profiles = fmt.Sprintf("127.0.0.1:%d", port)
	}
	s.args = append(slices.Clip(s.args), "--pprof-bind-address="+s.profiles)
	if s.audited {
		s.audit = filepath.Join(b.dir, b.unused("audit")+".log")
	}
	if err := s.setUp(ctx, b.repo); err != nil {
		return err
	}
	return s.start(ctx)
}

// setUp starts a control plane.
func (s *stage) setUp(ctx context.Context, repo string) (err error) {
	if s.cluster, err = local.Start(ctx, local.Options{Repo: repo, AuditLog: s.audit}); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, pagerv1alpha1.AddToScheme, pager.AddToScheme, servicecatalog.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config := *s.cluster.Config
	config.QPS = -1
	if s.api, err = client.NewWithWatch(&config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	s.token, err = metrics.Token(ctx, s.api, metav1.NamespaceDefault, "bench")
	return err
}

// start runs the subject, and returns once it is ready.
func (s *stage) start(ctx context.Context) (err error) {
	s.process, err = s.cluster.StartOperator(ctx, local.OperatorOptions{
		Binary: s.binary, Args: append([]string{"--allow-outbound=127.0.0.1"}, s.args...), Log: s.log})
	if err != nil {
		return err
	}
	ended, may := s.process.Ended(), make(chan struct{})
	s.let = sync.OnceFunc(func() { close(may) })
	go func() {
		<-ended
		select {
		case <-may:
		default:
			close(s.died)
		}
	}()
	return nil
}

// stop ends the subject, as Kubernetes would.
func (s *stage) stop() error {
	s.let()
	return s.process.Stop()
}

// again ends the subject, and starts it anew.
func (s *stage) again(ctx context.Context) error {
	if err := s.stop(); err != nil {
		return err
	}
	return s.start(ctx)
}

// during is a context that ends with the subject, so that nobody waits for one that is gone.
func (s *stage) during(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-s.died:
			cancel(fmt.Errorf("%s ended by itself", s.binary))
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// close ends the subject and the control plane.
func (s *stage) close() error {
	if s.let != nil {
		s.let()
	}
	var errs []error
	if s.cluster != nil {
		errs = append(errs, s.cluster.Stop())
	}
	if s.audit != "" {
		errs = append(errs, os.Remove(s.audit))
	}
	return errors.Join(errs...)
}
