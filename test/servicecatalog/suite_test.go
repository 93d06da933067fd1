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

// Package servicecatalog_test runs the real operator against a real API server and real
// HTTP brokers, and asserts what a user sees, and what the brokers do.
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

// its is the control plane and the operator; the others are parts of it.
var (
	its      = &suite.Suite{}
	cluster  *local.Cluster
	operator *local.Operator
	k8s      client.Client
	logs     = &its.Logs

	newNamespace  = its.Namespace
	kubectl       = its.Kubectl
	now           = its.Now
	scrape        = its.Scrape
	metricsToken  = its.MetricsToken
	gone          = its.Gone
	serial        = suite.Serial
	haveCondition = suite.HaveCondition[string]
)

func TestServiceCatalog(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute) // specs share the machine
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(time.Second)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "servicecatalog")
}

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	started := its.Start(ctx)
	its.AwaitControllers(ctx, firstObjects)
	return started
}, func(started []byte) {
	its.Join(started, v1beta1.AddToScheme)
	cluster, operator, k8s = its.Cluster, its.Operator, its.Client
})

var (
	_ = BeforeEach(logs.Reset)
	_ = AfterEach(logs.Report)
)

// firstObjects ask no broker for anything.
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

// startOperator runs the operator until stopped or killed.
func startOperator(ctx context.Context, args ...string) {
	GinkgoHelper()
	operator = its.StartOperator(ctx, args...)
}

// logEverything has another operator take over, which logs at the highest level, bodies of requests included, until the spec ends.
func logEverything(ctx SpecContext) {
	GinkgoHelper()
	operator.Kill()
	startOperator(context.WithoutCancel(ctx), "--zap-log-level=10")
	DeferCleanup(func(ctx SpecContext) {
		operator.Kill()
		startOperator(context.WithoutCancel(ctx))
	})
}

// update edits an object as it is now.
func update[T client.Object](ctx context.Context, o T, edit func(T)) {
	GinkgoHelper()
	suite.Update(ctx, its, o, edit)
}
