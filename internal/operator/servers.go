// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/kube/reviews"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// stopTimeout is how long requests may take when the process stops.
const stopTimeout = time.Minute

// off is the address of a server that does not serve.
const off = "0"

// NewServers returns the servers of the process, with their bounds.
func NewServers(o Options) (*httpserver.Servers, error) {
	controlPlane, err := outbound.ParseNetworks("--control-plane-cidrs", o.ControlPlaneCIDRs)
	if err != nil {
		return nil, err
	}
	return httpserver.New(httpserver.Options{MemoryLimit: memoryLimit(), ControlPlane: controlPlane, Metrics: metrics.Registry})
}

// webhookServer serves the webhooks within bounds. Once the process is stopping, it closes each connection after the next answer, so that the API
// server opens its next one to another replica, and loses no request when this one ends.
type webhookServer struct {
	webhook.Server // has the handlers
	servers        *httpserver.Servers
	address        string
	certificates   string // directory; used unless settings have a certificate
	settings       []func(*tls.Config)
	bounds         *admission.Bounds
	stopping       context.Context //nolint:containedctx // a state of the process
	isServing      atomic.Bool
}

func newWebhookServer(stopping context.Context, servers *httpserver.Servers, o Options, settings []func(*tls.Config)) *webhookServer {
	return &webhookServer{
		Server: webhook.NewServer(webhook.Options{WebhookMux: http.NewServeMux()}), servers: servers, settings: settings, stopping: stopping, bounds: admission.NewBounds(newScheme()),
		address: net.JoinHostPort(o.WebhookHost, strconv.Itoa(o.WebhookPort)), certificates: o.WebhookCertDir,
	}
}

// Register serves a webhook, which learns from which client a request is. API servers have no credentials: connections of other clients are kept as
// well.
func (s *webhookServer) Register(path string, hook http.Handler) {
	hook = s.bounds.Serve(hook)
	s.Server.Register(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpserver.Admit(r.Context(), "")
		if s.stopping.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		hook.ServeHTTP(w, r.WithContext(admission.WithCaller(r.Context(), admission.Caller(httpserver.ClientOf(r.Context())))))
	}))
}

// Start serves until ctx ends.
func (s *webhookServer) Start(ctx context.Context) error {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, set := range s.settings {
		set(config)
	}
	if config.GetCertificate == nil {
		watcher, err := certwatcher.New(filepath.Join(s.certificates, corev1.TLSCertKey), filepath.Join(s.certificates, corev1.TLSPrivateKeyKey))
		if err != nil {
			return fmt.Errorf("the certificate of the webhooks in %s: %w", s.certificates, err)
		}
		config.GetCertificate = watcher.GetCertificate
		go func() {
			if err := watcher.Start(ctx); err != nil {
				ctrl.Log.Error(err, "The certificate of the webhooks is not read again when it changes")
			}
		}()
	}
	server, err := listen(ctx, s.servers, httpserver.Webhooks, s.address, config, s.WebhookMux())
	if err != nil {
		return err
	}
	s.isServing.Store(true)
	return server.Start(ctx)
}

// StartedChecker checks that the webhooks are served. It opens no connection, which clients that take all of them would make fail.
func (s *webhookServer) StartedChecker() healthz.Checker {
	return func(*http.Request) error {
		if !s.isServing.Load() {
			return errors.New("the webhooks are not served yet")
		}
		return nil
	}
}

// listen returns a server that needs no leader, and completes the requests in progress when the process stops. It listens from now on.
func listen(ctx context.Context, servers *httpserver.Servers, kind httpserver.Kind, address string, config *tls.Config, handler http.Handler) (*manager.Server, error) {
	server, listener, err := servers.Listen(ctx, kind, address, config, handler)
	if err != nil {
		return nil, fmt.Errorf("the server of %s: %w", kind.Name, err)
	}
	return &manager.Server{Name: kind.Name, Server: server, Listener: listener, ShutdownTimeout: new(stopTimeout)}, nil
}

// AddMetrics serves the metrics of the process to clients that may read them, with the certificate of the webhooks, whose TLS settings
// KeepCertificates returned: a client verifies it by the name of the Service, and sends its token to the operator only.
func AddMetrics(ctx context.Context, mgr ctrl.Manager, servers *httpserver.Servers, o Options, serving []func(*tls.Config)) error {
	if o.MetricsAddress == off {
		return nil
	}
	tokens, rights, err := reviews.New(mgr.GetConfig(), mgr.GetHTTPClient(), "")
	if err != nil {
		return err
	}
	handler := serveReaders(tokens, rights, promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	settings, err := o.certificateOf(mgr, "--metrics-bind-address", "", serving)
	if err != nil {
		return err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, set := range settings {
		set(config)
	}
	server, err := listen(ctx, servers, httpserver.Metrics, o.MetricsAddress, config, handler)
	if err != nil {
		return err
	}
	return mgr.Add(server)
}

// metricsPath is the only path of the server of metrics.
const metricsPath = "/metrics"

// serveReaders serves metrics to clients with a token of a user who may read them. Other methods and paths are refused before a review: its result is
// cached by method and path, which a client would choose.
func serveReaders(tokens authenticator.Token, rights authorizer.Authorizer, handler http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+metricsPath, func(w http.ResponseWriter, r *http.Request) {
		token := reviews.BearerToken(r)
		if token == "" {
			http.Error(w, "the header Authorization has no bearer token", http.StatusUnauthorized)
			return
		}
		response, isKnown, err := tokens.AuthenticateToken(r.Context(), token)
		if err != nil {
			http.Error(w, "the token cannot be reviewed now", http.StatusServiceUnavailable)
			return
		}
		if !isKnown {
			http.Error(w, "the token is not valid for the API server", http.StatusUnauthorized)
			return
		}
		verb := strings.ToLower(r.Method)
		decision, _, err := rights.Authorize(r.Context(), authorizer.AttributesRecord{User: response.User, Verb: verb, Path: metricsPath})
		switch {
		case err != nil:
			http.Error(w, "the right to read metrics cannot be reviewed now", http.StatusServiceUnavailable)
		case decision != authorizer.DecisionAllow:
			http.Error(w, fmt.Sprintf("the user %s may not %s the path %s", response.User.GetName(), verb, metricsPath), http.StatusForbidden)
		default:
			httpserver.Admit(r.Context(), response.User.GetName())
			handler.ServeHTTP(w, r)
		}
	})
	return mux
}

// AddProbes serves /healthz, and /readyz: webhooks are served, and the process is not stopping. Readiness does not wait for caches: their first
// list may need our own conversion webhook.
func AddProbes(ctx, stopping context.Context, mgr ctrl.Manager, servers *httpserver.Servers, o Options) error {
	if o.ProbeAddress == off || o.ProbeAddress == "" {
		return nil
	}
	mux := probes(map[string]healthz.Checker{"ping": healthz.Ping}, map[string]healthz.Checker{
		"webhooks": mgr.GetWebhookServer().StartedChecker(),
		"stopping": func(*http.Request) error {
			if stopping.Err() != nil {
				return errors.New("the operator is stopping")
			}
			return nil
		},
	})
	server, err := listen(ctx, servers, httpserver.Probes, o.ProbeAddress, nil, mux)
	if err != nil {
		return err
	}
	return mgr.Add(server)
}

// probes serves checks of liveness and readiness, and each of them by its name. Without checks of readiness there is no /readyz.
func probes(live, ready map[string]healthz.Checker) http.Handler {
	mux := http.NewServeMux()
	for path, checks := range map[string]map[string]healthz.Checker{"/healthz": live, "/readyz": ready} {
		if len(checks) > 0 {
			handler := http.StripPrefix(path, &healthz.Handler{Checks: checks})
			mux.Handle(path, handler)
			mux.Handle(path+"/", handler)
		}
	}
	return mux
}

// serveHealth serves /healthz until end is called. The manager does so only once it starts: a process that waits longer for its first
// certificate than the liveness probe has patience would be killed, again and again.
func serveHealth(ctx context.Context, servers *httpserver.Servers, address string) (end func(), err error) {
	if address == "" || address == off {
		return func() {}, nil
	}
	server, listener, err := servers.Listen(ctx, httpserver.Probes, address, nil, probes(map[string]healthz.Checker{"ping": healthz.Ping}, nil))
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with end
	}()
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}
