// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// hook is a webhook of Bellhop that the API server calls.
type hook struct {
	// object is the configuration that has it.
	object string
	name   string
	bundle []byte
	// target is the Service or URL that it calls, such as Service bellhop-system/bellhop-webhook-service.
	target string
	// resources are Bellhop's resources for which it is called.
	resources []string
}

// hooks are all of Bellhop's webhooks.
type hooks struct {
	mutating, validating, conversion []hook
	// unreadable is the first error about an object that the user may not read.
	unreadable error
}

func (h *hooks) all() []hook { return slices.Concat(h.mutating, h.validating, h.conversion) }

// loadHooks reads the webhooks once.
func (i *inspector) loadHooks(ctx context.Context) (*hooks, error) {
	if i.hooks != nil {
		return i.hooks, nil
	}
	h := &hooks{}
	mutating, err := i.admission.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err := h.forbidden(err); err != nil {
		return nil, err
	}
	if err == nil {
		for _, configuration := range mutating.Items {
			for _, w := range configuration.Webhooks {
				h.mutating = appendHook(h.mutating, "MutatingWebhookConfiguration/"+configuration.Name, w.Name, w.ClientConfig, w.Rules)
			}
		}
	}
	validating, err := i.admission.ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err := h.forbidden(err); err != nil {
		return nil, err
	}
	if err == nil {
		for _, configuration := range validating.Items {
			for _, w := range configuration.Webhooks {
				h.validating = appendHook(h.validating, "ValidatingWebhookConfiguration/"+configuration.Name, w.Name, w.ClientConfig, w.Rules)
			}
		}
	}
	if err := i.loadConversion(ctx, h); err != nil {
		return nil, err
	}
	i.hooks = h
	return h, nil
}

// forbidden records an error about an object that the user may not read; other errors are returned.
func (h *hooks) forbidden(err error) error {
	if !isForbidden(err) {
		return err
	}
	if h.unreadable == nil {
		h.unreadable = err
	}
	return nil
}

// appendHook adds a webhook, if it is one of Bellhop's.
func appendHook(list []hook, object, name string, config admissionregistrationv1.WebhookClientConfig, rules []admissionregistrationv1.RuleWithOperations) []hook {
	if !slices.ContainsFunc(cli.Groups, func(group string) bool { return strings.HasSuffix(name, "."+group) }) {
		return list
	}
	return append(list, hook{object: object, name: name, bundle: config.CABundle, target: targetOf(config), resources: resourcesOf(rules)})
}

// servesGroup reports whether one of some webhooks is for an API group.
func servesGroup(hooks []hook, group string) bool {
	return slices.ContainsFunc(hooks, func(h hook) bool { return strings.HasSuffix(h.name, "."+group) })
}

// loadConversion adds the webhook that converts Alerts.
func (i *inspector) loadConversion(ctx context.Context, h *hooks) error {
	name := kinds.Alert.Resource + "." + kinds.Alert.Group
	crd, err := i.dynamic.Resource(definitions).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return h.forbidden(err)
	}
	path := []string{"spec", "conversion", "webhook", "clientConfig"}
	if _, ok, _ := unstructured.NestedMap(crd.Object, path...); !ok {
		return nil
	}
	encoded, _, _ := unstructured.NestedString(crd.Object, append(path, "caBundle")...)
	bundle, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		bundle = []byte(encoded) // is reported as no certificate
	}
	h.conversion = []hook{{object: crdLabel(name), name: "conversion of " + name, bundle: bundle}}
	return nil
}

// fixTrust is the advice about a caBundle that is missing or wrong.
const fixTrust = "the operator writes it: see that the operator runs, and its log; with cert-manager, see that the annotation cert-manager.io/inject-ca-from names the Certificate"

// checkWebhooks looks whether webhooks exist, and have an authority that the API server trusts.
func checkWebhooks(ctx context.Context, i *inspector) (result, error) {
	var r result
	h, err := i.loadHooks(ctx)
	if err != nil {
		return r, err
	}
	if h.unreadable != nil {
		return skipForbidden(h.unreadable)
	}
	for kind, found := range map[string][]hook{"MutatingWebhookConfiguration": h.mutating, "ValidatingWebhookConfiguration": h.validating} {
		for _, group := range i.groups {
			if !servesGroup(found, group) {
				r.add(Finding{ID: "webhooks-missing", Severity: Problem, Object: kind,
					Message: fmt.Sprintf("none has a webhook of Bellhop for %s, so that its objects are neither completed nor checked", group), Fix: fixInstall})
			}
		}
		r.findings = append(r.findings, evaluateTargets(found)...)
	}
	if len(h.conversion) == 0 && i.hasGroup(cli.PagerGroup) {
		r.add(Finding{ID: "webhooks-missing", Severity: Problem, Object: crdLabel(kinds.Alert.Resource + "." + kinds.Alert.Group),
			Message: "no webhook converts Alerts, so that version v1alpha1 cannot be used", Fix: fixInstall})
	}
	for _, hook := range h.all() {
		if len(hook.bundle) == 0 {
			r.add(Finding{ID: "webhook-without-ca", Severity: Problem, Object: hook.object,
				Message: fmt.Sprintf("the webhook %s has no caBundle, so that the API server does not trust it", hook.name), Fix: fixTrust})
		}
	}
	r.message = fmt.Sprintf("%s and %s exist", cli.Count(len(h.mutating), "mutating webhook"), cli.Count(len(h.validating), "validating webhook"))
	if len(h.conversion) > 0 {
		r.message += ", and the conversion of Alerts"
	}
	if len(r.findings) > 0 {
		r.message = "webhooks are missing, are not trusted, or are of two installations"
	}
	slices.SortFunc(r.findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Object, b.Object), strings.Compare(a.Message, b.Message))
	})
	return r, nil
}

// expirySoon is how long before the end of an authority a warning is given.
const expirySoon = 3 * 24 * time.Hour

// checkCertificates looks whether the authorities of webhooks are certificates that have not expired.
func checkCertificates(ctx context.Context, i *inspector) (result, error) {
	var r result
	h, err := i.loadHooks(ctx)
	if err != nil {
		return r, err
	}
	if h.unreadable != nil {
		return skipForbidden(h.unreadable)
	}
	var earliest time.Time
	checked := map[string]bool{}
	for _, hook := range h.all() {
		key := hook.object + string(hook.bundle)
		if len(hook.bundle) == 0 || checked[key] {
			continue
		}
		checked[key] = true
		end, err := bundleEnd(hook.bundle)
		f := Finding{Object: hook.object}
		switch {
		case err != nil:
			f.ID, f.Severity, f.Fix = "certificate-unreadable", Problem, fixTrust
			f.Message = fmt.Sprintf("the caBundle of webhook %s is no certificate: %v", hook.name, err)
			r.add(f)
			continue
		case !end.After(i.now()):
			f.ID, f.Severity, f.Fix = "certificate-expired", Problem, fixTrust
			f.Message = fmt.Sprintf("the authority of its webhooks expired at %s", cli.Stamp(end))
			r.add(f)
		case end.Before(i.now().Add(expirySoon)):
			f.ID, f.Severity, f.Fix = "certificate-expires", Warning, fixTrust
			f.Message = fmt.Sprintf("the authority of its webhooks expires at %s, and should have been renewed", cli.Stamp(end))
			r.add(f)
		}
		if earliest.IsZero() || end.Before(earliest) {
			earliest = end
		}
	}
	switch {
	case len(checked) == 0:
		return skip("no webhook has a caBundle")
	case len(r.findings) > 0:
		r.message = "authorities of webhooks cannot be used, or end soon"
	default:
		r.message = fmt.Sprintf("the authorities of the webhooks are valid until %s", cli.Stamp(earliest))
	}
	return r, nil
}

// bundleEnd is when the last certificate of a PEM bundle ends: during a renewal a bundle has the former one, too.
func bundleEnd(bundle []byte) (time.Time, error) {
	var end time.Time
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return end, err
		}
		if certificate.NotAfter.After(end) {
			end = certificate.NotAfter
		}
	}
	if end.IsZero() {
		return end, errors.New("it has no block in PEM form")
	}
	return end, nil
}
