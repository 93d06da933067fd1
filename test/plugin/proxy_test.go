// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// newProxy returns a handler that forwards requests to the API server.
func newProxy() http.Handler {
	GinkgoHelper()
	transport, err := rest.TransportFor(env.Cluster.Config)
	Expect(err).NotTo(HaveOccurred())
	target, err := url.Parse(env.Cluster.Config.Host)
	Expect(err).NotTo(HaveOccurred())
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.FlushInterval = transport, -1
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	return proxy
}

// proxied is a kubeconfig for the server of startProxied.
func (t *transcript) proxied() string { return filepath.Join(t.home, "proxied") }

// startProxied serves a handler in place of the API server.
func (t *transcript) startProxied(handler http.Handler) {
	GinkgoHelper()
	server := httptest.NewServer(handler)
	DeferCleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	config := clientcmdapi.NewConfig()
	config.Clusters["proxy"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["proxy"] = &clientcmdapi.Context{Cluster: "proxy", Namespace: t.namespace}
	config.CurrentContext = "proxy"
	Expect(clientcmd.WriteToFile(*config, t.proxied())).To(Succeed())
}

// passage is one request of a command on its way to the API server.
type passage struct {
	http.ResponseWriter
	request   *http.Request
	next      http.Handler
	interrupt func()
}

// writes reports whether the request stores something of a resource.
func (p *passage) writes(method, resource string) bool {
	return p.request.Method == method && !p.request.URL.Query().Has("dryRun") && strings.Contains(p.request.URL.Path+"/", "/"+resource+"/")
}

// pass forwards the request, also if the command has ended.
func (p *passage) pass() { p.next.ServeHTTP(p.ResponseWriter, p.request) }

// passLater returns a function that forwards the request after the command has got no answer.
func (p *passage) passLater() func() {
	p.WriteHeader(http.StatusGatewayTimeout)
	return func() { p.next.ServeHTTP(httptest.NewRecorder(), p.request) }
}

// passUnanswered forwards the request, and the command gets no answer but that of a conflict.
func (p *passage) passUnanswered() {
	answer := httptest.NewRecorder()
	p.next.ServeHTTP(answer, p.request)
	if answer.Code != http.StatusConflict {
		answer = &httptest.ResponseRecorder{Code: http.StatusGatewayTimeout, Body: &bytes.Buffer{}}
	}
	maps.Copy(p.Header(), answer.Header())
	p.WriteHeader(answer.Code)
	_, _ = p.Write(answer.Body.Bytes()) // the command may have ended
}

// runThrough runs the plugin, whose requests pass through a function.
func (t *transcript) runThrough(ctx context.Context, input, args string, at func(*passage)) (out string, code int) {
	GinkgoHelper()
	next, started := newProxy(), make(chan struct{})
	cmd := exec.CommandContext(ctx, filepath.Join(pluginDir, "kubectl-bellhop"), strings.Fields(args)...)
	t.startProxied(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer GinkgoRecover()
		body, err := io.ReadAll(r.Body)
		Expect(err).NotTo(HaveOccurred())
		r = r.WithContext(context.WithoutCancel(r.Context()))
		r.Body = io.NopCloser(bytes.NewReader(body))
		at(&passage{ResponseWriter: w, request: r, next: next, interrupt: func() {
			<-started
			_ = cmd.Process.Signal(os.Interrupt)
		}})
	}))
	cmd.Env = append(os.Environ(), "KUBECONFIG="+t.proxied(), "HOME="+t.home)
	cmd.Stdin = strings.NewReader(input)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	Expect(cmd.Start()).To(Succeed())
	close(started)
	_ = cmd.Wait() // an exit code is no error here
	return output.String(), cmd.ProcessState.ExitCode()
}
