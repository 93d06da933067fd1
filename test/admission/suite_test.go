// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission_test runs the webhooks of both groups behind a real API server, without the operator's controllers,
// which would change the objects that the cases of the former service-catalog start from.
package admission_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	pagerv1alpha1 "github.com/gophernetes/bellhop/api/pager/v1alpha1"
	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/webhooks/pager"
	"github.com/gophernetes/bellhop/webhooks/servicecatalog"
)

var (
	env    *envtest.Environment
	config *rest.Config
	k8s    client.Client
	cache  client.Reader // of the webhooks
)

func TestAdmission(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "admission")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	binaries, err := exec.CommandContext(ctx, "go", "-C", filepath.Join(repo, "hack", "controlplane"), "run", ".").Output()
	Expect(err).NotTo(HaveOccurred())
	env = &envtest.Environment{
		BinaryAssetsDirectory: strings.TrimSpace(string(binaries)),
		// other suites may be compiling at the same time
		ControlPlaneStartTimeout: time.Minute, ControlPlaneStopTimeout: time.Minute,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{filepath.Join(repo, "config", "webhook", "manifests.yaml")}},
	}
	config, err = env.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return env.Stop() })
	config.QPS = -1
	createCRDs(repo)

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme, pagerv1alpha1.AddToScheme, pagerv1beta1.AddToScheme} {
		Expect(add(scheme)).To(Succeed())
	}
	k8s, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	startWebhooks(context.WithoutCancel(ctx), scheme)
	createUserRights(ctx)
	createClusterCatalog(ctx)
})

// createCRDs creates the CRDs of both groups. The webhooks' server converts Alerts.
func createCRDs(repo string) {
	GinkgoHelper()
	hooks := &env.WebhookInstallOptions
	crds, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{Paths: []string{filepath.Join(repo, "config", "crd", "bases")}, ErrorIfPathMissing: true})
	Expect(err).NotTo(HaveOccurred())
	Expect(crds).To(HaveLen(12))
	url := "https://" + net.JoinHostPort(hooks.LocalServingHost, strconv.Itoa(hooks.LocalServingPort)) + "/convert"
	for _, crd := range crds {
		if len(crd.Spec.Versions) > 1 {
			crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.WebhookConverter, Webhook: &apiextensionsv1.WebhookConversion{
				ClientConfig: &apiextensionsv1.WebhookClientConfig{URL: &url, CABundle: hooks.LocalServingCAData}, ConversionReviewVersions: []string{"v1"}}}
			_, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{crd}})
			Expect(err).NotTo(HaveOccurred())
		}
	}
}

func startWebhooks(ctx context.Context, scheme *runtime.Scheme) {
	GinkgoHelper()
	hooks := &env.WebhookInstallOptions
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: hooks.LocalServingHost, Port: hooks.LocalServingPort, CertDir: hooks.LocalServingCertDir,
		}),
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(index.AddIndexes(ctx, mgr.GetFieldIndexer())).To(Succeed())
	Expect(servicecatalog.Setup(mgr, servicecatalog.Options{Guard: outbound.NewGuard(nil, nil)})).To(Succeed())
	Expect(pager.Setup(mgr, pager.Options{OperatorNamespace: "default", Guard: outbound.NewGuard(nil, nil)})).To(Succeed())
	cache = mgr.GetCache()
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- mgr.Start(ctx) }()
	DeferCleanup(func() error {
		stop()
		return <-ended
	})
	address := net.JoinHostPort(hooks.LocalServingHost, strconv.Itoa(hooks.LocalServingPort))
	Eventually(func() error {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	}).Should(Succeed())
	// The webhooks' caches have to be filled before the first case needs them.
	for _, list := range []client.ObjectList{
		&v1beta1.ClusterServiceBrokerList{}, &v1beta1.ServiceBrokerList{}, &v1beta1.ClusterServiceClassList{}, &v1beta1.ServiceClassList{},
		&v1beta1.ClusterServicePlanList{}, &v1beta1.ServicePlanList{}, &v1beta1.ServiceInstanceList{}, &v1beta1.ServiceBindingList{},
		&metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}},
	} {
		Eventually(func() error { return mgr.GetCache().List(ctx, list) }).Should(Succeed()) // the cache starts after the webhooks
	}
}

// createUserRights allows the users of the cases everything in the group, and to read the Secrets osba-auth and tok.
func createUserRights(ctx context.Context) {
	GinkgoHelper()
	everybody := []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:authenticated"}}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "everybody"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1beta1.GroupVersion.Group, pagerv1beta1.GroupVersion.Group}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"osba-auth", "tok"}, Verbs: []string{"get"}},
	}}
	Expect(k8s.Create(ctx, role)).To(Succeed())
	Expect(k8s.Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "everybody"}, Subjects: everybody,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "everybody"}})).To(Succeed())
}

// user sends requests with the identity of a user, and collects warnings.
type user struct {
	client.Client
	warnings []string
	mu       sync.Mutex
}

func (u *user) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.warnings = append(u.warnings, text)
}

// impersonate returns a user with this name.
func impersonate(name string) *user {
	GinkgoHelper()
	u := &user{}
	c := rest.CopyConfig(config)
	c.Impersonate = rest.ImpersonationConfig{UserName: name, UID: "uid-" + name, Groups: []string{"system:authenticated"}}
	c.WarningHandlerWithContext = u
	var err error
	u.Client, err = client.New(c, client.Options{Scheme: k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return u
}

// receivedWarnings returns all warnings that the user got.
func (u *user) receivedWarnings() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return strings.Join(u.warnings, "\n")
}

// newNamespace creates a namespace for one case.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "example-"}}
	Expect(k8s.Create(ctx, ns)).To(Succeed())
	return ns.Name
}

// parseObject parses YAML as an object of one of the groups.
func parseObject(kind, namespace, name, text string) *unstructured.Unstructured {
	GinkgoHelper()
	u := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte(text), &u.Object)).To(Succeed())
	u.SetAPIVersion(v1beta1.GroupVersion.String())
	if !strings.Contains(kind, "Service") {
		u.SetAPIVersion(pagerv1beta1.GroupVersion.String())
	}
	u.SetKind(kind)
	if u.GetGenerateName() == "" && u.GetName() == "" {
		u.SetName(name)
	}
	if !strings.HasPrefix(kind, "Cluster") {
		u.SetNamespace(namespace)
	}
	return u
}

// createStored creates an object with its status, and waits until the webhooks' cache has it.
func createStored(ctx context.Context, by *user, u *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	status, has := u.Object["status"]
	Expect(by.Create(ctx, u)).To(Succeed())
	if has {
		u.Object["status"] = status
		Expect(by.Status().Update(ctx, u)).To(Succeed())
	}
	known := newTypedObject(u)
	Eventually(func() (string, error) {
		err := cache.Get(ctx, client.ObjectKeyFromObject(u), known)
		return known.GetResourceVersion(), err
	}).Should(Equal(u.GetResourceVersion()))
	return u
}

func newTypedObject(u *unstructured.Unstructured) client.Object {
	GinkgoHelper()
	obj, err := k8s.Scheme().New(u.GroupVersionKind())
	Expect(err).NotTo(HaveOccurred())
	return obj.(client.Object)
}

// createClusterCatalog creates what the reference calls the seed: class-1 and plan-1, and further classes and plans for other cases.
// The catalogs of their brokers count as read.
func createClusterCatalog(ctx context.Context) {
	GinkgoHelper()
	admin := &user{Client: k8s}
	createStored(ctx, admin, parseObject("ClusterServiceBroker", "", "seed", `{spec: {url: "https://seed.example.com"}, status: {lastCatalogRetrievalTime: "2100-01-01T00:00:00Z"}}`))
	for _, class := range []struct{ id, name, more string }{
		{"class-1", "azure-mysql", "planUpdatable: true"}, {"class-2", "fixed", "planUpdatable: false"}, {"class-3", "two-plans", ""},
	} {
		createStored(ctx, admin, parseObject("ClusterServiceClass", "", class.id, fmt.Sprintf(
			`{spec: {externalName: %s, externalID: %s, description: x, clusterServiceBrokerName: seed, bindable: true, %s}}`, class.name, class.id, class.more)))
	}
	for _, plan := range []struct{ id, name, class string }{
		{"plan-1", "basic50", "class-1"}, {"plan-2", "basic50", "class-2"}, {"plan-2b", "basic100", "class-2"}, {"plan-3", "a", "class-3"}, {"plan-3b", "b", "class-3"},
	} {
		createStored(ctx, admin, parseObject("ClusterServicePlan", "", plan.id, fmt.Sprintf(
			`{spec: {externalName: %s, externalID: %s-id, description: x, clusterServiceBrokerName: seed, clusterServiceClassRef: {name: %s}, free: true}}`, plan.name, plan.id, plan.class)))
	}
}
