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

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pager "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalog "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
)

// A stage is a fresh control plane with one subject on it.
type stage struct {
	cluster *local.Cluster
	api     client.WithWatch
	token   string // of who may read metrics
	process *local.Operator
	audit   string // file of the API server's log of requests; empty: there is none
}

// staging is what comes onto a stage.
type staging struct {
	binary  string
	args    []string
	audited bool // the API server logs requests, which costs it time
}

// onStage does something with a program that runs on a control plane of its own.
func (b *bench) onStage(ctx context.Context, o staging, do func(context.Context, *stage) error) (err error) {
	s := &stage{}
	if o.audited {
		s.audit = filepath.Join(b.dir, "audit.log")
		defer os.Remove(s.audit)
	}
	defer func() { err = errors.Join(err, s.close()) }() //nolint:contextcheck // it ends what runs above all when the context has ended
	if err := s.setUp(ctx, b.repo); err != nil {
		return err
	}
	ctx, cancel, err := s.start(ctx, o.binary, o.args, b.log)
	if err != nil {
		return err
	}
	defer cancel(nil)
	if err := do(ctx, s); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	return nil
}

// setUp starts a control plane.
func (s *stage) setUp(ctx context.Context, repo string) (err error) {
	if s.cluster, err = local.Start(ctx, local.Options{Repo: repo, AuditLog: s.audit}); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, pager.AddToScheme, servicecatalog.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config := *s.cluster.Config
	config.QPS = -1
	if s.api, err = client.NewWithWatch(&config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	s.token, err = metricsToken(ctx, s.api)
	return err
}

// metricsToken is of a ServiceAccount that may read metrics, as Prometheus would have one.
func metricsToken(ctx context.Context, api client.Client) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "bench"}}
	if err := api.Create(ctx, account); err != nil {
		return "", err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "bench"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "bellhop-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
	}
	if err := api.Create(ctx, binding); err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{}
	err := api.SubResource("token").Create(ctx, account, request)
	return request.Status.Token, err
}

// start runs a subject. The context that it returns ends with the subject, so that nobody waits for one that is gone.
func (s *stage) start(ctx context.Context, binary string, args []string, log io.Writer) (context.Context, context.CancelCauseFunc, error) {
	var err error
	s.process, err = s.cluster.StartOperator(ctx, local.OperatorOptions{
		Binary: binary, Args: append([]string{"--allow-outbound=127.0.0.1"}, args...), Log: log})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-s.process.Ended():
			cancel(fmt.Errorf("%s ended by itself", binary))
		case <-ctx.Done():
		}
	}()
	return ctx, cancel, nil
}

// close ends the subject and the control plane.
func (s *stage) close() error {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.Stop()
}
