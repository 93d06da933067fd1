// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/load"
	"github.com/gophernetes/bellhop/test/internal/pki"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// endpoints forwards each connection to an operator that is ready, as a Service does. Like a Service it notices late that one is not: after
// a second.
type endpoints struct {
	listener net.Listener
	mu       sync.Mutex
	ready    []string // addresses of webhook servers
	next     int
}

// listen starts to forward connections, until the spec ends.
func listen() *endpoints {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(listener.Close)
	e := &endpoints{listener: listener}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go e.forward(connection.(*net.TCPConn))
		}
	}()
	return e
}

func (e *endpoints) port() int { return e.listener.Addr().(*net.TCPAddr).Port }

// pick returns the next operator.
func (e *endpoints) pick() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++
	return e.ready[e.next%len(e.ready)]
}

func (e *endpoints) forward(from *net.TCPConn) {
	defer func() { _ = from.Close() }()
	connection, err := net.Dial("tcp", e.pick())
	if err != nil {
		return
	}
	to := connection.(*net.TCPConn)
	defer func() { _ = to.Close() }()
	var copies sync.WaitGroup
	for _, pair := range [][2]*net.TCPConn{{from, to}, {to, from}} {
		copies.Go(func() {
			_, _ = io.Copy(pair[1], pair[0])
			_ = pair[1].CloseWrite()
		})
	}
	copies.Wait()
}

// add forwards to an operator until it is not ready.
func (e *endpoints) add(ctx context.Context, address, readyz string) {
	e.mu.Lock()
	e.ready = append(e.ready, address)
	e.mu.Unlock()
	go func() {
		defer GinkgoRecover()
		for tick := time.Tick(time.Second); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
			}
			resp, err := http.Get(readyz)
			if err == nil {
				resp.Body.Close()
			}
			if err == nil && resp.StatusCode == http.StatusOK {
				continue
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			for i, a := range e.ready {
				if a == address {
					e.ready = append(e.ready[:i:i], e.ready[i+1:]...)
					return
				}
			}
		}
	}()
}

var _ = Describe("A rolling restart", func() {
	// F-C2: the listener closes after the endpoint was withdrawn.
	It("refuses no request", func(ctx SpecContext) {
		service := listen()
		start := func() *local.Operator {
			GinkgoHelper()
			port, err := local.FreePort()
			Expect(err).NotTo(HaveOccurred())
			operator, err := env.Cluster.StartOperator(ctx, local.OperatorOptions{
				Binary: env.Binary, Args: []string{"--webhook-cert-secret=" + secretName, "--shutdown-delay=3s"}, Log: &env.Logs, WebhookPort: port,
			})
			Expect(err).NotTo(HaveOccurred())
			service.add(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), operator.HealthURL+"/readyz")
			return operator
		}
		replicas := []*local.Operator{start(), start()}
		callThrough(ctx, service.port())

		load := load.Start(ctx, env.Client, 40, load.Receiver())
		for _, old := range replicas {
			start()
			Expect(old.Stop()).To(Succeed())
		}
		expectNoRefusal(load)
	})
})

var _ = Describe("Admission requests", func() {
	It("F-C1: do not fail while certificate and authority are renewed, and the Secret is deleted", func(ctx SpecContext) {
		Eventually(checkWebhooks(ctx)).Should(Succeed())
		load := load.Start(ctx, env.Client, 50, load.Receiver())
		for _, replace := range []func(){
			func() { suite.Update(ctx, env, newSecretObject(), expireCertificate) },
			func() { suite.Update(ctx, env, newSecretObject(), expireAuthority) },
			func() { Expect(env.Client.Delete(ctx, newSecretObject())).To(Succeed()) },
		} {
			before := servedCertificate()
			replace()
			Eventually(func() []byte { return servedCertificate().Raw }).WithTimeout(40 * time.Second).ShouldNot(Equal(before.Raw))
			Eventually(func(g Gomega) {
				trusted, err := readTrustedCertificate(ctx)()
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(servedCertificate().Raw).To(Equal(trusted.Raw))
				g.Expect(time.Until(trusted.NotAfter)).To(BeNumerically(">", 300*24*time.Hour))
			}).WithTimeout(40 * time.Second).Should(Succeed())
		}
		expectNoRefusal(load)
	})
})

// expectNoRefusal ends the requests, none of which may have been refused.
func expectNoRefusal(l *load.Load) {
	GinkgoHelper()
	accepted := l.Stop()
	Expect(l.Refused()).To(BeEmpty(), "%d requests were accepted", accepted)
	Expect(accepted).To(BeNumerically(">", 100))
}

// servedCertificate returns the certificate with which the webhooks are served.
func servedCertificate() *x509.Certificate {
	GinkgoHelper()
	//nolint:gosec // it looks at what is served, whoever signed it
	connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(env.Cluster.WebhookPort)), &tls.Config{InsecureSkipVerify: true})
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = connection.Close() }()
	return connection.ConnectionState().PeerCertificates[0]
}

// expireCertificate puts a certificate into the Secret that ends in a month.
func expireCertificate(secret *corev1.Secret) {
	authority, err := tls.X509KeyPair(secret.Data["ca.crt"], secret.Data["ca.key"])
	Expect(err).NotTo(HaveOccurred())
	issue(secret, authority)
}

// expireAuthority puts an authority into the Secret that ends in a month, and a certificate that it signed. What signed the one before is trusted still.
func expireAuthority(secret *corev1.Secret) {
	authority := pki.Issue(&x509.Certificate{Subject: pkix.Name{CommonName: "ends soon"}, NotAfter: time.Now().Add(month)}, nil)
	secret.Data["ca.crt"] = append(authority.CertificatePEM, secret.Data["ca.crt"]...)
	secret.Data["ca.key"] = authority.KeyPEM
	issue(secret, authority.Certificate)
}

const month = 30 * 24 * time.Hour

// issue puts a certificate into the Secret that ends in a month.
func issue(secret *corev1.Secret, authority tls.Certificate) {
	pair := pki.Issue(&x509.Certificate{
		DNSNames: []string{serviceName + "." + env.Cluster.Namespace + ".svc"}, NotAfter: time.Now().Add(month),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, &authority)
	secret.Data["tls.crt"], secret.Data["tls.key"] = pair.CertificatePEM, pair.KeyPEM
}

// callThrough makes the API server call the webhooks by a port of this machine.
func callThrough(ctx context.Context, port int) {
	GinkgoHelper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: env.Cluster.Namespace, Name: serviceName}}
	set := func(ctx context.Context, port int) {
		suite.Update(ctx, env, service, func(s *corev1.Service) { s.Spec.Ports = []corev1.ServicePort{{Port: int32(port)}} })
		setClientConfigs(ctx, port)
		Eventually(readTrustedCertificate(ctx)).ShouldNot(BeNil())
		Eventually(checkWebhooks(ctx)).Should(Succeed())
	}
	set(ctx, port)
	DeferCleanup(func(ctx SpecContext) { set(ctx, env.Cluster.WebhookPort) })
}
