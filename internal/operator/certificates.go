// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/certificates"
	"github.com/gophernetes/bellhop/internal/pager/ingest"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
)

// KeepCertificates maintains the webhook server's certificate until ctx ends, and calls stop if that fails. It returns the TLS
// settings once there is a certificate that the API server trusts; without --webhook-cert-secret it returns none.
func KeepCertificates(ctx context.Context, stop context.CancelCauseFunc, cfg *rest.Config, servers *httpserver.Servers, o Options) ([]func(*tls.Config), error) {
	if o.CertSecret == "" {
		return nil, nil
	}
	keeper := certificates.New(certificates.Options{
		Secret:   types.NamespacedName{Namespace: o.Namespace, Name: o.CertSecret},
		DNSNames: o.dnsNames(),
		Service:  types.NamespacedName{Namespace: o.Namespace, Name: o.webhookService()},
		Trust:    o.callers(),
	})
	endHealth, err := serveHealth(ctx, servers, o.ProbeAddress)
	if err != nil {
		return nil, fmt.Errorf("serving /healthz: %w", err)
	}
	defer endHealth()
	go func() { stop(keeper.Run(ctx, cfg)) }()
	select {
	case <-keeper.Ready():
		return []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = keeper.GetCertificate }}, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("keeping certificates: %w", context.Cause(ctx))
	}
}

// callers are the objects by which the API server calls the webhooks.
func (o *Options) callers() []certificates.Target {
	callers := []certificates.Target{
		certificates.MutatingWebhooks(o.APIs.ObjectName("mutating-webhook-configuration")),
		certificates.ValidatingWebhooks(o.APIs.ObjectName("validating-webhook-configuration")),
	}
	if o.APIs.Pager {
		callers = append(callers, certificates.Conversion("alerts."+pagerv1beta1.GroupVersion.Group))
	}
	return callers
}

// webhookService is the name of the Service by which the API server calls the webhooks.
func (o *Options) webhookService() string {
	return cmp.Or(o.WebhookService, o.APIs.ObjectName("webhook-service"))
}

// dnsNames are the names of the certificate: that by which the API server calls the webhooks, and those by which Prometheus knows the metrics
// endpoint and senders of alerts reach the listener.
func (o *Options) dnsNames() []string {
	names := []string{o.webhookService() + "." + o.Namespace + ".svc"}
	if o.MetricsAddress != off {
		service := cmp.Or(o.MetricsService, o.APIs.ObjectName("controller-manager-metrics-service"))
		names = append(names, service+"."+o.Namespace+".svc", service+"."+o.Namespace)
	}
	if o.IngestAddress != endpoint.Off && o.IngestCertDir == "" {
		names = append(names, o.IngestService+"."+o.Namespace+".svc", o.IngestService+"."+o.Namespace)
	}
	return names
}

// Ingest returns the options of the listener of AlertSources. It uses the certificate of its own directory, else the webhooks' certificate, whose TLS
// settings KeepCertificates returned.
func (o *Options) Ingest(mgr ctrl.Manager, servers *httpserver.Servers, serving []func(*tls.Config)) (ingest.Options, error) {
	options := ingest.Options{Servers: servers, Metrics: metrics.Registry}
	if o.IngestAddress == endpoint.Off {
		return options, nil
	}
	options.Address = o.IngestAddress
	var err error
	options.TLS, err = o.certificateOf(mgr, "--ingest-bind-address", o.IngestCertDir, serving)
	return options, err
}

// certificateOf returns TLS settings for the address of a flag: with the certificate in a directory, else with the webhooks' certificate, whose TLS
// settings KeepCertificates returned. A file is read again when it changes.
func (o *Options) certificateOf(mgr ctrl.Manager, address, directory string, serving []func(*tls.Config)) ([]func(*tls.Config), error) {
	if directory == "" && o.CertSecret != "" {
		return serving, nil
	}
	directory = cmp.Or(directory, o.WebhookCertDir)
	watcher, err := certwatcher.New(filepath.Join(directory, corev1.TLSCertKey), filepath.Join(directory, corev1.TLSPrivateKeyKey))
	if err != nil {
		return nil, fmt.Errorf("the certificate of %s in %s: %w", address, directory, err)
	}
	return []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = watcher.GetCertificate }}, mgr.Add(watcher)
}

// onlyClientsOf returns TLS settings that refuse clients without a certificate of the authorities in a file.
func onlyClientsOf(file string) (func(*tls.Config), error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--webhook-client-ca: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--webhook-client-ca: %s has no certificate in PEM form", file)
	}
	return func(config *tls.Config) {
		config.ClientCAs, config.ClientAuth = authorities, tls.RequireAndVerifyClientCert
	}, nil
}
