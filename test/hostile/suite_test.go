// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package hostile_test attacks the real operator from all sides at once, and asserts that others notice nothing: their Alerts and instances
// are as quick as beside as many harmless requests, no credential of theirs leaves, and nothing of theirs is changed.
package hostile_test

import (
	"context"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// attackFor is for how long the attack lasts. The limits of time hold from a minute on: the gate counts only.
var attackFor = flag.Duration("attack", 10*time.Second, "how long the attack lasts")

// isTimed reports whether this run measures.
func isTimed() bool { return *attackFor >= time.Minute }

// memoryLimit is that of config/manager, in bytes.
const memoryLimit = 1 << 30

var (
	env    = &suite.Suite{}
	listen string // where the operator serves AlertSources
)

func TestHostile(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "hostile")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	GinkgoT().Setenv("MEMORY_LIMIT", strconv.Itoa(memoryLimit))
	port, err := local.FreePort()
	Expect(err).NotTo(HaveOccurred())
	listen = "127.0.0.1:" + strconv.Itoa(port)
	env.Join(env.Start(ctx, "--zap-log-level=info", "--ingest-bind-address="+listen), pagerv1beta1.AddToScheme, servicecatalogv1beta1.AddToScheme)
	env.WaitForControllers(ctx, "apiVersion: pager.k8s.co/v1beta1\nkind: AlertSource\nmetadata: {name: first, namespace: default}")
})

var (
	_ = BeforeEach(env.Logs.Reset)
	_ = AfterEach(env.Logs.Report)
)

// as returns a client with the rights of a user.
func as(user string) client.Client {
	GinkgoHelper()
	config := rest.CopyConfig(env.Cluster.Config)
	config.QPS = -1
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	config.WarningHandler = rest.NoWarnings{}
	c, err := client.New(config, client.Options{Scheme: env.Client.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// object reads a manifest.
func object(namespace, manifest string) *unstructured.Unstructured {
	GinkgoHelper()
	u := &unstructured.Unstructured{}
	if json.Unmarshal([]byte(manifest), &u.Object) != nil { // a large one is read faster as JSON
		Expect(yaml.Unmarshal([]byte(manifest), &u.Object)).To(Succeed(), manifest)
	}
	u.SetNamespace(namespace)
	return u
}

// create creates the object of a manifest as an administrator.
func create(ctx context.Context, namespace, manifest string) *unstructured.Unstructured {
	GinkgoHelper()
	u := object(namespace, manifest)
	Expect(env.Client.Create(ctx, u)).To(Succeed(), manifest)
	return u
}

// createReady creates the object of a manifest, and returns once it is Ready.
func createReady(ctx context.Context, namespace, manifest string) *unstructured.Unstructured {
	GinkgoHelper()
	u := create(ctx, namespace, manifest)
	Eventually(ctx, readiness(ctx, u)).Should(Equal("True"), manifest)
	return u
}

// readiness reads the status of the condition Ready.
func readiness(ctx context.Context, u *unstructured.Unstructured) func() (string, error) {
	return func() (string, error) {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
			return "", err
		}
		conditions, _, err := unstructured.NestedSlice(u.Object, "status", "conditions")
		for _, c := range conditions {
			if c, ok := c.(map[string]any); ok && c["type"] == "Ready" {
				return c["status"].(string), err
			}
		}
		return "", err
	}
}

// grant gives a user rights in a namespace: of a ClusterRole, or of rules.
func grant(ctx context.Context, namespace, user, clusterRole string) {
	GinkgoHelper()
	create(ctx, namespace, `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: `+user+`-`+clusterRole+`},
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: `+user+`}], roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: `+clusterRole+`}}`)
}

// serve returns the URL of a server that runs until the spec ends.
func serve(server *httptest.Server) string {
	DeferCleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}
