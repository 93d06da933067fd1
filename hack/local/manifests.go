// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// fieldOwner is the field manager for server-side apply.
const fieldOwner = client.FieldOwner("bellhop-local")

// manifests are the objects of a folder in config/ that an operator outside of the cluster needs.
type manifests struct {
	serviceAccount *unstructured.Unstructured
	accessObjects  []*unstructured.Unstructured // namespace, service account, roles and bindings, in the order in which they can be applied
	crds           []*apiextensionsv1.CustomResourceDefinition
	mutating       []*admissionregistrationv1.MutatingWebhookConfiguration
	validating     []*admissionregistrationv1.ValidatingWebhookConfiguration
}

// render builds a kustomization, and sorts the objects by their use.
func render(dir string) (*manifests, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy // the namespace before its objects
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("kustomize build %s: %w", dir, err)
	}
	m := &manifests{}
	for _, resource := range resources.Resources() {
		content, err := resource.Map()
		if err != nil {
			return nil, err
		}
		if err := m.addObject(&unstructured.Unstructured{Object: content}); err != nil {
			return nil, fmt.Errorf("%s: %w", resource.CurId(), err)
		}
	}
	if m.serviceAccount == nil || len(m.crds) == 0 {
		return nil, fmt.Errorf("%s renders no ServiceAccount or no CustomResourceDefinition", dir)
	}
	return m, nil
}

func (m *manifests) addObject(object *unstructured.Unstructured) error {
	switch object.GetKind() {
	case "ServiceAccount":
		if m.serviceAccount != nil {
			return errors.New("a second ServiceAccount: the operator has exactly one")
		}
		m.serviceAccount = object
		m.accessObjects = append(m.accessObjects, object)
	case "Namespace", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding":
		m.accessObjects = append(m.accessObjects, object)
	case "CustomResourceDefinition":
		crd, err := decode[apiextensionsv1.CustomResourceDefinition](object)
		m.crds = append(m.crds, crd)
		return err
	case "MutatingWebhookConfiguration":
		hooks, err := decode[admissionregistrationv1.MutatingWebhookConfiguration](object)
		m.mutating = append(m.mutating, hooks)
		return err
	case "ValidatingWebhookConfiguration":
		hooks, err := decode[admissionregistrationv1.ValidatingWebhookConfiguration](object)
		m.validating = append(m.validating, hooks)
		return err
	}
	return nil
}

func decode[T any](object *unstructured.Unstructured) (*T, error) {
	into := new(T)
	return into, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true)
}

// install installs RBAC, CRDs and webhooks. The operator gets the certificate of the webhooks through --webhook-cert-dir.
func (c *Cluster) install(ctx context.Context, host string) error {
	for _, object := range c.manifests.accessObjects {
		if err := c.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership); err != nil {
			return fmt.Errorf("installing %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}

	if host == "" {
		var err error
		if host, err = findHostAddress(ctx, c.Config.Host); err != nil {
			return fmt.Errorf("finding out how the API server reaches this machine: %w", err)
		}
	}
	port, err := FreePort()
	if err != nil {
		return err
	}
	// the host may be an address that only the API server can use, so the operator cannot listen on it
	hooks := &envtest.WebhookInstallOptions{
		MutatingWebhooks: c.manifests.mutating, ValidatingWebhooks: c.manifests.validating,
		LocalServingHost: "127.0.0.1", LocalServingHostExternalName: host, LocalServingPort: port,
		IgnoreSchemeConvertible: true, // the scheme here does not have Bellhop's types
	}
	if err := hooks.PrepWithoutInstalling(); err != nil {
		return fmt.Errorf("preparing webhooks: %w", err)
	}
	c.cleanups = append(c.cleanups, hooks.Cleanup)
	c.hooks, c.WebhookPort = hooks, port
	c.WebhookURL = "https://" + net.JoinHostPort(host, strconv.Itoa(port))

	converted, plain := splitByConversion(c.manifests.crds)
	if _, err := envtest.InstallCRDs(c.Config, envtest.CRDInstallOptions{CRDs: converted, WebhookOptions: *hooks, Scheme: scheme}); err != nil {
		return fmt.Errorf("installing CRDs: %w", err)
	}
	if _, err := envtest.InstallCRDs(c.Config, envtest.CRDInstallOptions{CRDs: plain, Scheme: scheme}); err != nil {
		return fmt.Errorf("installing CRDs: %w", err)
	}
	if err := hooks.Install(c.Config); err != nil {
		return fmt.Errorf("installing webhooks: %w", err)
	}
	return nil
}

// splitByConversion returns the CRDs with a conversion webhook in config/, and the others, as envtest would add a conversion to all.
func splitByConversion(crds []*apiextensionsv1.CustomResourceDefinition) (converted, plain []*apiextensionsv1.CustomResourceDefinition) {
	for _, crd := range crds {
		if conversion := crd.Spec.Conversion; conversion != nil && conversion.Strategy == apiextensionsv1.WebhookConverter {
			converted = append(converted, crd)
		} else {
			plain = append(plain, crd)
		}
	}
	return converted, plain
}

// removeWebhooks removes the webhook configurations that lead to this process, since they would block every write without it, and
// restores the conversion of CRDs. It leaves those alone that lead elsewhere, as after a deployment meanwhile.
func (c *Cluster) removeWebhooks(ctx context.Context) error {
	var errs []error
	for _, ours := range c.manifests.mutating {
		found := &admissionregistrationv1.MutatingWebhookConfiguration{}
		if err := c.client.Get(ctx, client.ObjectKeyFromObject(ours), found); err == nil && len(found.Webhooks) > 0 {
			errs = append(errs, c.deleteIfOwn(ctx, found, found.Webhooks[0].ClientConfig.CABundle))
		} else {
			errs = append(errs, client.IgnoreNotFound(err))
		}
	}
	for _, ours := range c.manifests.validating {
		found := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		if err := c.client.Get(ctx, client.ObjectKeyFromObject(ours), found); err == nil && len(found.Webhooks) > 0 {
			errs = append(errs, c.deleteIfOwn(ctx, found, found.Webhooks[0].ClientConfig.CABundle))
		} else {
			errs = append(errs, client.IgnoreNotFound(err))
		}
	}
	asRendered, err := render(filepath.Join(c.repo, "config", c.overlay)) // install replaced Services by URLs in the former result
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	converted, _ := splitByConversion(asRendered.crds)
	for _, ours := range converted {
		errs = append(errs, c.restoreConversion(ctx, ours))
	}
	return errors.Join(errs...)
}

// isOwnCertificate reports whether a webhook leads to this process, as only this process has the certificate.
func (c *Cluster) isOwnCertificate(caBundle []byte) bool {
	return string(caBundle) == string(c.hooks.LocalServingCAData)
}

func (c *Cluster) deleteIfOwn(ctx context.Context, object client.Object, caBundle []byte) error {
	if !c.isOwnCertificate(caBundle) {
		return nil
	}
	version := object.GetResourceVersion()
	err := c.client.Delete(ctx, object, client.Preconditions{ResourceVersion: &version})
	if apierrors.IsConflict(err) {
		return nil // it leads elsewhere by now
	}
	return client.IgnoreNotFound(err)
}

// restoreConversion makes the conversion lead to the Service of a deployed operator. Until there is one, the API server refuses other
// versions than the stored one. Without a conversion it would accept them, and drop fields with other names.
func (c *Cluster) restoreConversion(ctx context.Context, ours *apiextensionsv1.CustomResourceDefinition) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := c.client.Get(ctx, client.ObjectKeyFromObject(ours), crd); err != nil {
		return client.IgnoreNotFound(err)
	}
	conversion := crd.Spec.Conversion
	if conversion == nil || conversion.Webhook == nil || conversion.Webhook.ClientConfig == nil || !c.isOwnCertificate(conversion.Webhook.ClientConfig.CABundle) {
		return nil
	}
	before := crd.DeepCopy()
	crd.Spec.Conversion = ours.Spec.Conversion
	return c.client.Patch(ctx, crd, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// WebhookCertDir is the folder with the certificate of the webhooks.
func (c *Cluster) WebhookCertDir() string { return c.hooks.LocalServingCertDir }

// WebhookCA is the CA of that certificate, as PEM.
func (c *Cluster) WebhookCA() []byte { return c.hooks.LocalServingCAData }
