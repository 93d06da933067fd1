// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package servicecatalog_test runs the real operator against a real API server and fake brokers, and asserts what users see and what
// the brokers get.
package servicecatalog_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// env is the control plane and the operator. The other variables are shortcuts to its parts.
var (
	env      = &suite.Suite{}
	cluster  *local.Cluster
	operator *local.Operator
	k8s      client.Client
	logs     = &env.Logs

	createNamespace    = env.CreateNamespace
	kubectl            = env.Kubectl
	readEvents         = env.ReadEvents
	markAudit          = env.MarkAudit
	scrape             = env.Scrape
	createMetricsToken = env.CreateMetricsToken
	checkGone          = env.CheckGone
	serial             = suite.Serial
	haveCondition      = suite.HaveCondition[string]
	createSecret       = env.CreateSecret
	readFinalizers     = env.Finalizers
	runInParallel      = suite.RunInParallel
)

func TestServiceCatalog(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute) // many specs run at the same time
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(time.Second)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "servicecatalog")
}

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	started := env.Start(ctx)
	env.WaitForControllers(ctx, firstObjects)
	return started
}, func(started []byte) {
	env.Join(started, v1beta1.AddToScheme)
	cluster, operator, k8s = env.Cluster, env.Operator, env.Client
})

var (
	_ = BeforeEach(logs.Reset)
	_ = AfterEach(logs.Report)
)

// firstObjects are objects for which the operator sends no request to a broker.
const firstObjects = `
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceBinding
metadata: {name: first, namespace: default, annotations: {bellhop.gophernetes.io/deletion-policy: Retain}}
spec: {instanceRef: {name: first}}
---
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceInstance
metadata: {name: first, namespace: default, annotations: {bellhop.gophernetes.io/deletion-policy: Retain}}
spec: {serviceClassExternalName: none, servicePlanExternalName: none}
`

// startOperator runs an operator until it is stopped or killed.
func startOperator(ctx context.Context, args ...string) {
	GinkgoHelper()
	operator = env.StartOperator(ctx, args...)
}

// logAtHighestLevel replaces the operator until the spec ends. The new one logs bodies of requests, too.
func logAtHighestLevel(ctx SpecContext) {
	GinkgoHelper()
	operator.Kill()
	startOperator(context.WithoutCancel(ctx), "--zap-log-level=10")
	DeferCleanup(func(ctx SpecContext) {
		operator.Kill()
		startOperator(context.WithoutCancel(ctx))
	})
}

// update edits the present version of an object.
func update[T client.Object](ctx context.Context, o T, edit func(T)) {
	GinkgoHelper()
	suite.Update(ctx, env, o, edit)
}
