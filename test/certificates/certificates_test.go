// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
// Package certificates_test runs the operator with certificates that it issues itself, and makes the API server call its webhooks
// through a Service, as in a cluster.
package certificates_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/metrics"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

const (
	secretName  = "bellhop-webhook-server-cert"
	serviceName = "bellhop-webhook-service"
)

var (
	env           = &suite.Suite{}
	ingestAddress string // where the operator serves AlertSources
)

func TestCertificates(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "certificates")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	port, err := local.FreePort()
	Expect(err).NotTo(HaveOccurred())
	ingestAddress = fmt.Sprintf("127.0.0.1:%d", port)
	env.Join(env.Start(ctx, "--webhook-cert-secret="+secretName, "--webhook-cert-dir=/nowhere", "--ingest-bind-address="+ingestAddress), apiextensionsv1.AddToScheme, pagerv1beta1.AddToScheme)
	// The Service leads the API server to this machine instead of to the operator's pods.
	Expect(env.Client.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: env.Cluster.Namespace, Name: serviceName},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost", Ports: []corev1.ServicePort{{Port: int32(env.Cluster.WebhookPort)}}},
	})).To(Succeed())
	setClientConfigs(ctx, env.Cluster.WebhookPort)
})

var (
	_ = BeforeEach(env.Logs.Reset)
	_ = AfterEach(env.Logs.Report)
)

// clientConfigOfService makes the API server call a webhook through the Service. As in the manifests it has no CA bundle.
func clientConfigOfService(path *string, port int) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: env.Cluster.Namespace, Name: serviceName, Path: path, Port: new(int32(port))}}
}

// webhookPaths has the URL paths of the webhooks by their names.
var webhookPaths = map[string]*string{}

// setClientConfigs sets the objects that configure webhooks as the manifests do, without CA bundles, with a port of the Service.
func setClientConfigs(ctx context.Context, port int) {
	GinkgoHelper()
	mutating, validating, crd := getWebhookObjects(ctx)
	for i := range mutating.Webhooks {
		mutating.Webhooks[i].ClientConfig = clientConfigOfService(webhookPath(mutating.Webhooks[i].Name, mutating.Webhooks[i].ClientConfig), port)
	}
	for i := range validating.Webhooks {
		validating.Webhooks[i].ClientConfig = clientConfigOfService(webhookPath(validating.Webhooks[i].Name, validating.Webhooks[i].ClientConfig), port)
	}
	convert := clientConfigOfService(new("/convert"), port).Service
	crd.Spec.Conversion.Webhook.ClientConfig = &apiextensionsv1.WebhookClientConfig{Service: &apiextensionsv1.ServiceReference{
		Namespace: convert.Namespace, Name: convert.Name, Path: convert.Path, Port: convert.Port,
	}}
	for _, o := range []client.Object{mutating, validating, crd} {
		Expect(env.Client.Update(ctx, o)).To(Succeed())
	}
}

func webhookPath(name string, config admissionregistrationv1.WebhookClientConfig) *string {
	if config.URL != nil {
		path := "/" + strings.TrimLeft((*config.URL)[len(env.Cluster.WebhookURL):], "/")
		webhookPaths[name] = &path
	}
	return webhookPaths[name]
}

func getWebhookObjects(ctx context.Context) (*admissionregistrationv1.MutatingWebhookConfiguration, *admissionregistrationv1.ValidatingWebhookConfiguration, *apiextensionsv1.CustomResourceDefinition) {
	GinkgoHelper()
	mutating, validating, crd := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}, &apiextensionsv1.CustomResourceDefinition{}
	Expect(env.Client.Get(ctx, client.ObjectKey{Name: "bellhop-mutating-webhook-configuration"}, mutating)).To(Succeed())
	Expect(env.Client.Get(ctx, client.ObjectKey{Name: "bellhop-validating-webhook-configuration"}, validating)).To(Succeed())
	Expect(env.Client.Get(ctx, client.ObjectKey{Name: "alerts.pager.k8s.co"}, crd)).To(Succeed())
	return mutating, validating, crd
}

// monitoredEndpoint is what a ServiceMonitor says about the connection to an endpoint.
type monitoredEndpoint struct {
	Authorization struct{ Credentials corev1.SecretKeySelector }
	TLSConfig     struct {
		CA         struct{ Secret corev1.SecretKeySelector }
		ServerName string
	}
}

// endpointOf reads the only endpoint of the ServiceMonitor in a file.
func endpointOf(path string) monitoredEndpoint {
	GinkgoHelper()
	data, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	var monitor struct {
		Spec struct{ Endpoints []monitoredEndpoint }
	}
	Expect(yaml.Unmarshal(data, &monitor)).To(Succeed())
	Expect(monitor.Spec.Endpoints).To(HaveLen(1))
	return monitor.Spec.Endpoints[0]
}

func newSecretObject() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: env.Cluster.Namespace, Name: secretName}}
}

// readTrustedCertificate reads the certificate in the Secret, and fails unless all CA bundles trust it.
func readTrustedCertificate(ctx context.Context) func() (*x509.Certificate, error) {
	return func() (*x509.Certificate, error) {
		secret := newSecretObject()
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret); err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
		if err != nil {
			return nil, err
		}
		mutating, validating, crd := getWebhookObjects(ctx)
		bundles := [][]byte{crd.Spec.Conversion.Webhook.ClientConfig.CABundle}
		for _, webhook := range mutating.Webhooks {
			bundles = append(bundles, webhook.ClientConfig.CABundle)
		}
		for _, webhook := range validating.Webhooks {
			bundles = append(bundles, webhook.ClientConfig.CABundle)
		}
		for i, bundle := range bundles {
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(bundle)
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: serviceName + "." + env.Cluster.Namespace + ".svc"}); err != nil {
				return nil, fmt.Errorf("bundle %d: %w", i, err)
			}
		}
		return pair.Leaf, nil
	}
}

// checkWebhooks fails unless an Alert of v1alpha1 passes the conversion webhook, and a Receiver passes a validating webhook with
// failurePolicy Fail.
func checkWebhooks(ctx context.Context) func(Gomega) {
	return func(g Gomega) {
		out, err := env.Kubectl(ctx, `{apiVersion: pager.k8s.co/v1alpha1, kind: Alert, metadata: {generateName: a-}, spec: {message: x}}`,
			"create", "--dry-run=server", "-n", "default", "-f-")
		g.Expect(err).NotTo(HaveOccurred(), out)
		out, err = env.Kubectl(ctx, `{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {generateName: r-}, spec: {event: {}}}`,
			"create", "--dry-run=server", "-n", "default", "-f-")
		g.Expect(err).NotTo(HaveOccurred(), out)
	}
}

var _ = Describe("The certificate of the webhooks", Ordered, ContinueOnFailure, func() {
	// waitForNewCertificate waits until another certificate than the former one is served and trusted.
	waitForNewCertificate := func(ctx SpecContext, before *x509.Certificate) {
		GinkgoHelper()
		Eventually(readTrustedCertificate(ctx)).ShouldNot(HaveField("SerialNumber", before.SerialNumber))
		Eventually(checkWebhooks(ctx)).Should(Succeed())
	}
	currentCertificate := func(ctx SpecContext) *x509.Certificate {
		GinkgoHelper()
		leaf, err := readTrustedCertificate(ctx)()
		Expect(err).NotTo(HaveOccurred())
		return leaf
	}

	It("F-C1: is issued by an operator that finds no Secret", func(ctx SpecContext) {
		Eventually(readTrustedCertificate(ctx)).ShouldNot(BeNil())
		Eventually(checkWebhooks(ctx)).Should(Succeed())
	})

	It("is served to senders of alerts under the names of their Service", func(ctx SpecContext) {
		served := currentCertificate(ctx)
		secret := newSecretObject()
		Expect(env.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
		pool := x509.NewCertPool()
		Expect(pool.AppendCertsFromPEM(secret.Data["ca.crt"])).To(BeTrue())
		for _, name := range []string{"bellhop-ingest-service." + env.Cluster.Namespace + ".svc", "bellhop-ingest-service." + env.Cluster.Namespace} {
			dialer := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: name}}
			connection, err := dialer.DialContext(ctx, "tcp", ingestAddress)
			Expect(err).NotTo(HaveOccurred())
			Expect(connection.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber).To(Equal(served.SerialNumber))
			Expect(connection.Close()).To(Succeed())
		}
	})

	It("F-U26: is served to Prometheus, which knows name, CA and token by the ServiceMonitor", func(ctx SpecContext) {
		repo, err := local.FindRepo()
		Expect(err).NotTo(HaveOccurred())
		folder := filepath.Join(repo, "config", "prometheus")
		out, err := env.Kubectl(ctx, "", "apply", "--filename="+filepath.Join(folder, "reader.yaml"))
		Expect(err).NotTo(HaveOccurred(), out)
		DeferCleanup(func(ctx SpecContext) {
			out, err := env.Kubectl(ctx, "", "delete", "--filename="+filepath.Join(folder, "reader.yaml"))
			Expect(err).NotTo(HaveOccurred(), out)
		})
		endpoint := endpointOf(filepath.Join(folder, "monitor.yaml"))
		read := func(from corev1.SecretKeySelector) []byte {
			secret := &corev1.Secret{}
			Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: env.Cluster.Namespace, Name: from.Name}, secret)).To(Succeed())
			return secret.Data[from.Key]
		}
		// No controller of this control plane fills Secrets with tokens.
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: env.Cluster.Namespace, Name: "bellhop-metrics-reader"}}
		issued := &authenticationv1.TokenRequest{}
		Expect(env.Client.SubResource("token").Create(ctx, account, issued)).To(Succeed())
		token := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: env.Cluster.Namespace, Name: "bellhop-metrics-reader-token"}}
		suite.Update(ctx, env, token, func(s *corev1.Secret) { s.Data = map[string][]byte{"token": []byte(issued.Status.Token)} })

		pool := x509.NewCertPool()
		Expect(pool.AppendCertsFromPEM(read(endpoint.TLSConfig.CA.Secret))).To(BeTrue())
		prometheus := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: endpoint.TLSConfig.ServerName}}}
		defer prometheus.CloseIdleConnections()
		text, err := metrics.FetchWith(ctx, prometheus, env.Operator.MetricsURL, string(read(endpoint.Authorization.Credentials)))
		Expect(err).NotTo(HaveOccurred())
		Expect(text).To(ContainSubstring("bellhop_build_info{"))
	})

	It("F-C1: is issued again when the Secret is deleted, and no call of a webhook fails meanwhile", func(ctx SpecContext) {
		before := currentCertificate(ctx)
		Expect(env.Client.Delete(ctx, newSecretObject())).To(Succeed())
		Eventually(func(g Gomega) {
			checkWebhooks(ctx)(Default) // at each poll
			leaf, err := readTrustedCertificate(ctx)()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(leaf.SerialNumber).NotTo(Equal(before.SerialNumber))
		}).Should(Succeed())
		checkWebhooks(ctx)(Default)
	})

	for why, data := range map[string]map[string][]byte{
		"has no data":        {"ca.crt": nil, "ca.key": nil, "tls.crt": nil, "tls.key": nil},
		"is broken":          {"tls.crt": []byte("broken")},
		"has another's keys": {"ca.key": []byte("another's")},
	} {
		It("F-C1: is issued again where the Secret "+why, func(ctx SpecContext) {
			before := currentCertificate(ctx)
			suite.Update(ctx, env, newSecretObject(), func(secret *corev1.Secret) { maps.Copy(secret.Data, data) })
			waitForNewCertificate(ctx, before)
		})
	}

	It("F-C1: is issued again when the Secret is deleted, and a second operator can start", func(ctx SpecContext) {
		before := currentCertificate(ctx)
		Expect(env.Client.Delete(ctx, newSecretObject())).To(Succeed())
		port, err := local.FreePort()
		Expect(err).NotTo(HaveOccurred())
		second, err := env.Cluster.StartOperator(ctx, local.OperatorOptions{
			Binary: env.Binary, Args: []string{"--webhook-cert-secret=" + secretName}, Log: &env.Logs, WebhookPort: port,
		})
		Expect(err).NotTo(HaveOccurred())
		waitForNewCertificate(ctx, before)
		Expect(second.Stop()).To(Succeed())
	})

	It("is trusted again after the manifests are applied", func(ctx SpecContext) {
		setClientConfigs(ctx, env.Cluster.WebhookPort)
		Eventually(readTrustedCertificate(ctx)).ShouldNot(BeNil())
		Eventually(checkWebhooks(ctx)).Should(Succeed())
	})

	It("F-C1: is issued when the Secret was deleted while no operator ran", func(ctx SpecContext) {
		before := currentCertificate(ctx)
		env.Operator.Kill()
		Expect(env.Client.Delete(ctx, newSecretObject())).To(Succeed())
		env.StartOperator(ctx)
		waitForNewCertificate(ctx, before)
	})
})
