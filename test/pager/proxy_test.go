// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/test/internal/pki"
)

var _ = Describe("In a company's network", serial, func() {
	It("the operator sends through the proxy, and trusts the company's authority", func(ctx SpecContext) {
		address := ownAddress() // Go sends nothing to a loopback address through a proxy
		certificate := pki.Issue(&x509.Certificate{IPAddresses: []net.IP{address}, NotAfter: time.Now().Add(time.Hour)}, nil)
		hook := startSecure(ctx, address, certificate, inbox.New(inbox.Options{}).Handler())
		notifier := startSecure(ctx, address, certificate, notifytest.NewGRPC(""))
		proxy := startProxy()

		authorities := GinkgoT().TempDir()
		Expect(os.WriteFile(filepath.Join(authorities, "company.crt"), certificate.CertificatePEM, 0o600)).To(Succeed())
		operator.Kill()
		DeferCleanup(func(ctx SpecContext) { // once the environment is as before
			operator.Kill()
			startOperator(context.WithoutCancel(ctx))
		})
		GinkgoT().Setenv("HTTPS_PROXY", proxy.URL)
		GinkgoT().Setenv("SSL_CERT_DIR", authorities)
		startOperator(context.WithoutCancel(ctx), "--allow-outbound=127.0.0.1,"+address.String()) // it may be the API server's, too
		namespace := createNamespace(ctx)
		createReceiver(ctx, namespace, "hook", hook.URL)
		createReceiver(ctx, namespace, "notifier", "", func(r *v1beta1.Receiver) {
			r.Spec.Provider = v1beta1.Provider{GRPC: &v1beta1.GRPCProvider{Address: notifier.Listener.Addr().String()}}
		})
		a := createAlert(ctx, namespace, "a", nil, "hook", "notifier")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(proxy.hosts()).To(ContainElements(hook.Listener.Addr().String(), notifier.Listener.Addr().String()))
	})
})

// startSecure starts a server with TLS at an address.
func startSecure(ctx context.Context, address net.IP, certificate pki.Pair, handler http.Handler) *httptest.Server {
	GinkgoHelper()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(address.String(), "0"))
	Expect(err).NotTo(HaveOccurred())
	server := &httptest.Server{Listener: listener, EnableHTTP2: true, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}, TLS: &tls.Config{Certificates: []tls.Certificate{certificate.Certificate}}}
	server.StartTLS()
	DeferCleanup(server.Close)
	return server
}

// ownAddress returns an address of this machine that is not its loopback address.
func ownAddress() net.IP {
	GinkgoHelper()
	addresses, err := net.InterfaceAddrs()
	Expect(err).NotTo(HaveOccurred())
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP
		}
	}
	Fail("this machine has a loopback address only")
	return nil
}

// tunnelProxy is a proxy of https requests.
type tunnelProxy struct {
	*httptest.Server
	mu     sync.Mutex
	called []string
}

func startProxy() *tunnelProxy {
	p := &tunnelProxy{}
	p.Server = httptest.NewServer(p)
	DeferCleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// ServeHTTP connects a client with the host that it names.
func (p *tunnelProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	p.mu.Lock()
	p.called = append(p.called, r.Host)
	p.mu.Unlock()
	to, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	from, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	go func() { _, _ = io.Copy(to, from) }()
	go func() {
		defer func() { _, _ = from.Close(), to.Close() }()
		_, _ = io.Copy(from, to)
	}()
}

func (p *tunnelProxy) hosts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.called...)
}
