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

// Package certificates keeps the certificate that the webhooks are served with:
// cert-controller makes and rotates it in a Secret and tells the API server
// whom to trust; here the Secret becomes the files that the server reads.
// Waiting for the kubelet to mount it instead would cost a minute at the first
// start.
package certificates

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// Options say which certificate is kept and who is to trust it.
type Options struct {
	// Secret holds the certificate. It must exist and may be empty.
	Secret types.NamespacedName
	// Dir is where tls.crt and tls.key are written.
	Dir string
	// DNSName is the name that the API server calls.
	DNSName string
	// Trust are the webhook configurations and CRDs that the API server calls it for.
	Trust []rotator.WebhookInfo
}

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations;validatingwebhookconfigurations,verbs=get;list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,resourceNames=bellhop-mutating-webhook-configuration,verbs=update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=bellhop-validating-webhook-configuration,verbs=update
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=get;list;watch
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=alerts.pager.k8s.co,verbs=update
// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,resourceNames=bellhop-webhook-server-cert,verbs=update

// Keep runs until ctx ends and closes ready once the files are there and the
// API server trusts them. It is a manager of its own: webhooks have to be
// served before the operator's caches can fill, which may need a conversion.
func Keep(ctx context.Context, cfg *rest.Config, o Options, ready chan struct{}) error {
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                 scheme.Scheme,
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {
			Namespaces: map[string]cache.Config{o.Secret.Namespace: {}},
			Field:      fields.OneTermEqualSelector("metadata.name", o.Secret.Name),
		}}},
	})
	if err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	if err := rotator.AddRotator(mgr, &rotator.CertRotator{
		SecretKey:      o.Secret,
		CertDir:        o.Dir,
		CAName:         "bellhop-webhook-ca",
		CAOrganization: "bellhop",
		DNSName:        o.DNSName,
		Webhooks:       o.Trust,
		FieldOwner:     "bellhop-certificates",
		IsReady:        ready,
	}); err != nil {
		return fmt.Errorf("setting up rotation: %w", err)
	}
	if err := ctrl.NewControllerManagedBy(mgr).Named("certificate-files").For(&corev1.Secret{}).
		Complete(&writer{mgr.GetClient(), o.Dir}); err != nil {
		return fmt.Errorf("setting up files: %w", err)
	}
	return mgr.Start(ctx)
}

// writer writes the Secret to files.
type writer struct {
	client client.Client
	dir    string
}

func (w *writer) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var secret corev1.Secret
	if err := w.client.Get(ctx, req.NamespacedName, &secret); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	// The key goes first: the certificate's file is what others wait for.
	for _, name := range []string{corev1.TLSPrivateKeyKey, corev1.TLSCertKey} {
		if len(secret.Data[name]) == 0 {
			return ctrl.Result{}, nil // not made yet
		}
		if err := replaceFile(filepath.Join(w.dir, name), secret.Data[name]); err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, nil
}

// replaceFile leaves no moment at which half of the content is there.
func replaceFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	next := path + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}
