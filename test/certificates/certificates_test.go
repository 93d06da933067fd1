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
// Package certificates_test runs the operator with a certificate of its own, and lets the API server call its webhooks by a Service, as
// in a cluster.
package certificates_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

const (
	secretName  = "bellhop-webhook-server-cert"
	serviceName = "bellhop-webhook-service"
)

var its = &suite.Suite{}

func TestCertificates(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "certificates")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	its.Join(its.Start(ctx, "--webhook-cert-secret="+secretName, "--webhook-cert-dir=/nowhere"), apiextensionsv1.AddToScheme)
	// The API server finds this machine where a cluster has the operator's pods.
	Expect(its.Client.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: its.Cluster.Namespace, Name: serviceName},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost", Ports: []corev1.ServicePort{{Port: int32(its.Cluster.WebhookPort)}}},
	})).To(Succeed())
	forgetTrust(ctx)
})

var (
	_ = BeforeEach(its.Logs.Reset)
	_ = AfterEach(its.Logs.Report)
)

// toService lets a webhook be called by the Service, without saying whom to trust: as the manifests do.
func toService(path *string) admissionv1.WebhookClientConfig {
	port := int32(its.Cluster.WebhookPort)
	return admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: its.Cluster.Namespace, Name: serviceName, Path: path, Port: &port}}
}

// paths are where the webhooks are, by name.
var paths = map[string]*string{}

// forgetTrust puts the objects that lead to webhooks as the manifests have them.
func forgetTrust(ctx context.Context) {
	GinkgoHelper()
	mutating, validating, crd := trusting(ctx)
	for i := range mutating.Webhooks {
		mutating.Webhooks[i].ClientConfig = toService(pathOf(mutating.Webhooks[i].Name, mutating.Webhooks[i].ClientConfig))
	}
	for i := range validating.Webhooks {
		validating.Webhooks[i].ClientConfig = toService(pathOf(validating.Webhooks[i].Name, validating.Webhooks[i].ClientConfig))
	}
	convert := toService(new("/convert")).Service
	crd.Spec.Conversion.Webhook.ClientConfig = &apiextensionsv1.WebhookClientConfig{Service: &apiextensionsv1.ServiceReference{
		Namespace: convert.Namespace, Name: convert.Name, Path: convert.Path, Port: convert.Port,
	}}
	for _, o := range []client.Object{mutating, validating, crd} {
		Expect(its.Client.Update(ctx, o)).To(Succeed())
	}
}

func pathOf(name string, config admissionv1.WebhookClientConfig) *string {
	if config.URL != nil {
		path := "/" + strings.TrimLeft((*config.URL)[len(its.Cluster.WebhookURL):], "/")
		paths[name] = &path
	}
	return paths[name]
}

func trusting(ctx context.Context) (*admissionv1.MutatingWebhookConfiguration, *admissionv1.ValidatingWebhookConfiguration, *apiextensionsv1.CustomResourceDefinition) {
	GinkgoHelper()
	mutating, validating, crd := &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}, &apiextensionsv1.CustomResourceDefinition{}
	Expect(its.Client.Get(ctx, client.ObjectKey{Name: "bellhop-mutating-webhook-configuration"}, mutating)).To(Succeed())
	Expect(its.Client.Get(ctx, client.ObjectKey{Name: "bellhop-validating-webhook-configuration"}, validating)).To(Succeed())
	Expect(its.Client.Get(ctx, client.ObjectKey{Name: "alerts.pager.k8s.co"}, crd)).To(Succeed())
	return mutating, validating, crd
}

func theSecret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: its.Cluster.Namespace, Name: secretName}}
}

// certificate is the one in the Secret, if all who call webhooks trust it.
func certificate(ctx context.Context) func() (*x509.Certificate, error) {
	return func() (*x509.Certificate, error) {
		secret := theSecret()
		if err := its.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret); err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
		if err != nil {
			return nil, err
		}
		mutating, validating, crd := trusting(ctx)
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
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: serviceName + "." + its.Cluster.Namespace + ".svc"}); err != nil {
				return nil, fmt.Errorf("bundle %d: %w", i, err)
			}
		}
		return pair.Leaf, nil
	}
}

// webhooksAnswer fails unless an Alert of the old version gets through conversion, and a Receiver through admission, which must not
// be passed over.
func webhooksAnswer(ctx context.Context) func(Gomega) {
	return func(g Gomega) {
		out, err := its.Kubectl(ctx, `{apiVersion: pager.k8s.co/v1alpha1, kind: Alert, metadata: {generateName: a-}, spec: {message: x}}`,
			"create", "--dry-run=server", "-n", "default", "-f-")
		g.Expect(err).NotTo(HaveOccurred(), out)
		out, err = its.Kubectl(ctx, `{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {generateName: r-}, spec: {event: {}}}`,
			"create", "--dry-run=server", "-n", "default", "-f-")
		g.Expect(err).NotTo(HaveOccurred(), out)
	}
}

var _ = Describe("The webhooks' certificate", Ordered, ContinueOnFailure, func() {
	// made has the certificate that there was, and waits for another that works.
	made := func(ctx SpecContext, before *x509.Certificate) {
		GinkgoHelper()
		Eventually(certificate(ctx)).ShouldNot(HaveField("SerialNumber", before.SerialNumber))
		Eventually(webhooksAnswer(ctx)).Should(Succeed())
	}
	now := func(ctx SpecContext) *x509.Certificate {
		GinkgoHelper()
		leaf, err := certificate(ctx)()
		Expect(err).NotTo(HaveOccurred())
		return leaf
	}

	It("F-C1: is made by an operator that finds no Secret", func(ctx SpecContext) {
		Eventually(certificate(ctx)).ShouldNot(BeNil())
		Eventually(webhooksAnswer(ctx)).Should(Succeed())
	})

	It("F-C1: is made again where the Secret was deleted, without a call that fails", func(ctx SpecContext) {
		before := now(ctx)
		Expect(its.Client.Delete(ctx, theSecret())).To(Succeed())
		Eventually(func(g Gomega) {
			webhooksAnswer(ctx)(Default) // each time
			leaf, err := certificate(ctx)()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(leaf.SerialNumber).NotTo(Equal(before.SerialNumber))
		}).Should(Succeed())
		webhooksAnswer(ctx)(Default)
	})

	for why, data := range map[string]map[string][]byte{
		"has no data":        {"ca.crt": nil, "ca.key": nil, "tls.crt": nil, "tls.key": nil},
		"is broken":          {"tls.crt": []byte("broken")},
		"has another's keys": {"ca.key": []byte("another's")},
	} {
		It("F-C1: is made again where the Secret "+why, func(ctx SpecContext) {
			before := now(ctx)
			suite.Update(ctx, its, theSecret(), func(secret *corev1.Secret) { maps.Copy(secret.Data, data) })
			made(ctx, before)
		})
	}

	It("F-C1: lets a second operator start after that", func(ctx SpecContext) {
		before := now(ctx)
		Expect(its.Client.Delete(ctx, theSecret())).To(Succeed())
		port, err := local.FreePort()
		Expect(err).NotTo(HaveOccurred())
		second, err := its.Cluster.StartOperator(ctx, local.OperatorOptions{
			Binary: its.Binary, Args: []string{"--webhook-cert-secret=" + secretName}, Log: &its.Logs, WebhookPort: port,
		})
		Expect(err).NotTo(HaveOccurred())
		made(ctx, before)
		Expect(second.Stop()).To(Succeed())
	})

	It("is trusted again after an apply of the manifests", func(ctx SpecContext) {
		forgetTrust(ctx)
		Eventually(certificate(ctx)).ShouldNot(BeNil())
		Eventually(webhooksAnswer(ctx)).Should(Succeed())
	})

	It("F-C1: is made where the Secret was deleted while no operator ran", func(ctx SpecContext) {
		before := now(ctx)
		its.Operator.Kill()
		Expect(its.Client.Delete(ctx, theSecret())).To(Succeed())
		its.StartOperator(ctx)
		made(ctx, before)
	})
})
