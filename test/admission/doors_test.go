// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// attempt is a request of a user who tries to break a guarantee.
type attempt struct {
	by *user
	// object is what the user wants to be stored, with the status of the attempt; before is the object as it is, nil for a new one.
	object, before *unstructured.Unstructured
	// patch is the merge patch that leads from before to object.
	patch  map[string]any
	dryRun bool
}

// send sends the attempt through a door. The object has what the API server answers.
type door struct {
	name    string
	send    func(ctx context.Context, a attempt) error
	creates bool
	// closed: the API server refuses every request.
	closed bool
}

func (a attempt) writes() (opts []client.PatchOption) {
	if a.dryRun {
		opts = append(opts, client.DryRunAll)
	}
	return opts
}

func (a attempt) apply(ctx context.Context) error {
	sent := a.object.DeepCopy()
	sent.SetManagedFields(nil)
	sent.SetResourceVersion("")
	opts := []client.ApplyOption{client.FieldOwner("attacker"), client.ForceOwnership}
	if a.dryRun {
		opts = append(opts, client.DryRunAll)
	}
	err := a.by.Apply(ctx, client.ApplyConfigurationFromUnstructured(sent), opts...)
	a.object.Object = sent.Object
	return err
}

// jsonPatch returns operations that set what a user can set.
func (a attempt) jsonPatch() []byte {
	GinkgoHelper()
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"`
	}
	var operations []operation
	for _, path := range [][]string{{"spec"}, {"metadata", "annotations"}, {"metadata", "finalizers"}, {"status"}} {
		value, has, err := unstructured.NestedFieldNoCopy(a.object.Object, path...)
		Expect(err).NotTo(HaveOccurred())
		_, had, _ := unstructured.NestedFieldNoCopy(a.before.Object, path...)
		pointer := "/" + strings.Join(path, "/")
		if has {
			operations = append(operations, operation{"add", pointer, value})
		} else if had {
			operations = append(operations, operation{Op: "remove", Path: pointer})
		}
	}
	text, err := json.Marshal(operations)
	Expect(err).NotTo(HaveOccurred())
	return text
}

func (a attempt) mergePatch() []byte {
	GinkgoHelper()
	text, err := json.Marshal(a.patch)
	Expect(err).NotTo(HaveOccurred())
	return text
}

func (a attempt) patchWith(ctx context.Context, kind types.PatchType, text []byte) error {
	target := a.before.DeepCopy()
	err := a.by.Patch(ctx, target, client.RawPatch(kind, text), a.writes()...)
	a.object.Object = target.Object
	return err
}

func (a attempt) create(ctx context.Context) error {
	var opts []client.CreateOption
	if a.dryRun {
		opts = append(opts, client.DryRunAll)
	}
	return a.by.Create(ctx, a.object, opts...)
}

// creations and updates are the doors by which a user reaches the API server.
var (
	creations = []door{
		{creates: true, name: "create", send: func(ctx context.Context, a attempt) error { return a.create(ctx) }},
		{creates: true, name: "create with generateName", send: func(ctx context.Context, a attempt) error {
			a.object.SetGenerateName(a.object.GetName() + "-")
			a.object.SetName("")
			return a.create(ctx)
		}},
		{creates: true, name: "server-side apply of a new object", send: func(ctx context.Context, a attempt) error { return a.apply(ctx) }},
	}
	updates = []door{
		{name: "merge patch", send: func(ctx context.Context, a attempt) error {
			return a.patchWith(ctx, types.MergePatchType, a.mergePatch())
		}},
		{name: "JSON patch", send: func(ctx context.Context, a attempt) error {
			return a.patchWith(ctx, types.JSONPatchType, a.jsonPatch())
		}},
		{name: "replace", send: func(ctx context.Context, a attempt) error {
			var opts []client.UpdateOption
			if a.dryRun {
				opts = append(opts, client.DryRunAll)
			}
			return a.by.Update(ctx, a.object, opts...)
		}},
		{name: "server-side apply", send: func(ctx context.Context, a attempt) error { return a.apply(ctx) }},
		{name: "patch of the status", send: func(ctx context.Context, a attempt) error {
			target := a.before.DeepCopy()
			var opts []client.SubResourcePatchOption
			if a.dryRun {
				opts = append(opts, client.DryRunAll)
			}
			err := a.by.Status().Patch(ctx, target, client.RawPatch(types.MergePatchType, a.mergePatch()), opts...)
			a.object.Object = target.Object
			return err
		}},
		{name: "strategic merge patch", closed: true, send: func(ctx context.Context, a attempt) error {
			return a.patchWith(ctx, types.StrategicMergePatchType, a.mergePatch())
		}},
		{name: "patch of the scale", closed: true, send: func(ctx context.Context, a attempt) error {
			return a.by.SubResource("scale").Patch(ctx, a.before.DeepCopy(), client.RawPatch(types.MergePatchType, a.mergePatch()))
		}},
	}
)

// statuses are those of a request: none, one that does not decode, and one of a wrong kind.
var statuses = []any{nil, map[string]any{"conditions": int64(7), "deliveries": int64(7), "removedFromBrokerCatalog": int64(7)}, int64(7)}

// merged returns a copy of an object with a merge patch.
func merged(u *unstructured.Unstructured, patch map[string]any) *unstructured.Unstructured {
	GinkgoHelper()
	text, err := json.Marshal(applyMergePatch(u.DeepCopy().Object, patch))
	Expect(err).NotTo(HaveOccurred())
	result := &unstructured.Unstructured{}
	Expect(result.UnmarshalJSON(text)).To(Succeed())
	return result
}

// try sends every attempt to break a guarantee, and returns those that succeeded. honest is an object that a user may have.
func (g guarantee) try(ctx context.Context, honest *unstructured.Unstructured, name string) (attempts int, broken []string) {
	GinkgoHelper()
	alice := impersonate("alice")
	id, _, _ := unstructured.NestedString(honest.Object, "spec", "externalID")
	for i, status := range statuses {
		for j, d := range g.doors() {
			for _, dryRun := range []bool{true, false} {
				attempts++
				patch := map[string]any{}
				forgery := strings.NewReplacer("$ID", id, "$N", strconv.Itoa(attempts)).Replace(g.forgery)
				Expect(json.Unmarshal([]byte(forgery), &patch)).To(Succeed())
				if status != nil {
					patch["status"] = status
				}
				a := attempt{by: alice, patch: patch, dryRun: dryRun}
				if d.creates {
					a.object = merged(withVersion(parseObject(g.kind, honest.GetNamespace(), fmt.Sprintf("%s-%d-%d", name, i, j), g.object), honest.GroupVersionKind().Version), patch)
				} else {
					a.before = honest.DeepCopy()
					Expect(k8s.Get(ctx, client.ObjectKeyFromObject(honest), a.before)).To(Succeed())
					a.object = merged(a.before, patch)
				}
				what := fmt.Sprintf("%s, status %v, dry run %t", d.name, status, dryRun)
				err := d.send(ctx, a)
				if err == nil && d.closed {
					broken = append(broken, what+": accepted")
				}
				if err != nil {
					continue // nothing is stored
				}
				stored := a.object
				if !dryRun {
					Expect(k8s.Get(ctx, client.ObjectKeyFromObject(stored), stored)).To(Succeed())
				}
				if a.before == nil && !dryRun {
					DeferCleanup(forceDelete, stored.DeepCopy())
				}
				if problem := g.broken("alice", a.before, stored); problem != "" {
					broken = append(broken, what+": "+problem)
				}
			}
		}
	}
	return attempts, broken
}

// control sends requests that break nothing through the doors. Were they refused as well, the attempts would prove nothing.
func (g guarantee) control(ctx context.Context, honest *unstructured.Unstructured, name string) {
	GinkgoHelper()
	alice := impersonate("alice")
	patch := map[string]any{"metadata": map[string]any{"labels": map[string]any{"example.com/harmless": "true"}}}
	for _, d := range g.doors() {
		a := attempt{by: alice, patch: patch, dryRun: true}
		if d.creates {
			a.object = merged(withVersion(parseObject(g.kind, honest.GetNamespace(), name+"-control", g.object), honest.GroupVersionKind().Version), patch)
		} else {
			a.before = honest.DeepCopy()
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(honest), a.before)).To(Succeed())
			a.object = merged(a.before, patch)
		}
		if err := d.send(ctx, a); !d.closed {
			Expect(err).NotTo(HaveOccurred(), d.name)
		}
	}
}

// doors are those by which a request can break the guarantee.
func (g guarantee) doors() []door {
	switch {
	case g.onlyUpdates:
		return updates
	case g.onlyCreations:
		return creations
	default:
		return append(slices.Clone(creations), updates...)
	}
}

// withVersion sets the version of an Alert.
func withVersion(u *unstructured.Unstructured, version string) *unstructured.Unstructured {
	if version == "v1alpha1" {
		u.SetAPIVersion("pager.k8s.co/v1alpha1")
		spec := u.Object["spec"].(map[string]any)
		spec["message"] = spec["content"]
		delete(spec, "content")
	}
	return u
}

// forceDelete deletes an object and its finalizers.
func forceDelete(ctx context.Context, u *unstructured.Unstructured) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(k8s.Patch(ctx, u.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))))).To(Succeed())
	Expect(client.IgnoreNotFound(k8s.Delete(ctx, u))).To(Succeed())
}

// changeHooks changes the webhook configurations until the spec ends, and waits until the API server has the change.
func changeHooks(ctx context.Context, change func(isMutating bool, hook *admissionregistrationv1.WebhookClientConfig, around **metav1.LabelSelector), effective func(ctx context.Context) error) {
	GinkgoHelper()
	each := func(ctx context.Context, change func(isMutating bool, name string, hook *admissionregistrationv1.WebhookClientConfig, around **metav1.LabelSelector)) {
		GinkgoHelper()
		var m admissionregistrationv1.MutatingWebhookConfigurationList
		Expect(k8s.List(ctx, &m)).To(Succeed())
		for i := range m.Items {
			for j := range m.Items[i].Webhooks {
				hook := &m.Items[i].Webhooks[j]
				change(true, hook.Name, &hook.ClientConfig, &hook.NamespaceSelector)
			}
			Expect(k8s.Update(ctx, &m.Items[i])).To(Succeed())
		}
		var v admissionregistrationv1.ValidatingWebhookConfigurationList
		Expect(k8s.List(ctx, &v)).To(Succeed())
		for i := range v.Items {
			for j := range v.Items[i].Webhooks {
				hook := &v.Items[i].Webhooks[j]
				change(false, hook.Name, &hook.ClientConfig, &hook.NamespaceSelector)
			}
			Expect(k8s.Update(ctx, &v.Items[i])).To(Succeed())
		}
	}
	type settings struct {
		client admissionregistrationv1.WebhookClientConfig
		around *metav1.LabelSelector
	}
	former := map[string]settings{}
	each(ctx, func(isMutating bool, name string, hook *admissionregistrationv1.WebhookClientConfig, around **metav1.LabelSelector) {
		former[name] = settings{*hook.DeepCopy(), (*around).DeepCopy()}
		change(isMutating, hook, around)
	})
	DeferCleanup(func(ctx SpecContext) {
		each(ctx, func(_ bool, name string, hook *admissionregistrationv1.WebhookClientConfig, around **metav1.LabelSelector) {
			*hook, *around = former[name].client, former[name].around
		})
		Eventually(func() error { return probe(ctx) }).Should(Succeed())
	})
	Eventually(func() error { return effective(ctx) }).Should(Succeed())
}

// probe reports whether both webhooks of ServiceBindings and of ServiceBrokers answer.
func probe(ctx context.Context) error {
	u := parseObject("ServiceBinding", "default", "probe", bindingManifest)
	if err := k8s.Create(ctx, u, client.DryRunAll); err != nil {
		return err
	}
	if madeIDOf(u) == "" {
		return fmt.Errorf("no mutating webhook was called")
	}
	u = parseObject("ServiceBinding", "default", "probe", `{metadata: {annotations: {bellhop.gophernetes.io/deletion-policy: Other}}, spec: {instanceRef: {name: x}}}`)
	if err := k8s.Create(ctx, u, client.DryRunAll); !apierrors.IsInvalid(err) {
		return fmt.Errorf("no validating webhook was called: %w", err)
	}
	return nil
}

// isAway reports whether no webhook answers.
func isAway(ctx context.Context) error {
	err := k8s.Create(ctx, parseObject("ServiceBinding", "default", "probe", bindingManifest), client.DryRunAll)
	if err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
		return fmt.Errorf("a webhook answers: %w", err)
	}
	return nil
}

// pointAt sends all calls of webhooks to an address.
func pointAt(ctx context.Context, address string) {
	GinkgoHelper()
	changeHooks(ctx, func(_ bool, hook *admissionregistrationv1.WebhookClientConfig, _ **metav1.LabelSelector) {
		url := "https://" + address + "/"
		hook.URL, hook.Service = &url, nil
	}, isAway)
}

// mode is what the webhooks do while attempts are made.
type mode struct {
	name  string
	enter func(ctx context.Context)
	// isFirst: the webhooks answer.
	isFirst bool
}

var modes = []mode{
	{name: "with all webhooks", isFirst: true, enter: func(context.Context) {}},
	{name: "without the mutating webhooks", enter: func(ctx context.Context) {
		GinkgoHelper()
		nowhere := &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/none": "none"}}
		changeHooks(ctx, func(isMutating bool, _ *admissionregistrationv1.WebhookClientConfig, around **metav1.LabelSelector) {
			if isMutating {
				*around = nowhere
			}
		}, func(ctx context.Context) error {
			err := k8s.Create(ctx, parseObject("ServiceBinding", "default", "probe", bindingManifest), client.DryRunAll)
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.externalID: Required value") {
				return fmt.Errorf("the mutating webhooks answer: %w", err)
			}
			return nil
		})
	}},
	{name: "while the webhooks are away", enter: func(ctx context.Context) {
		GinkgoHelper()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		Expect(listener.Close()).To(Succeed())
		pointAt(ctx, listener.Addr().String())
	}},
	{name: "while the webhooks close connections", enter: func(ctx context.Context) {
		GinkgoHelper()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		}()
		pointAt(ctx, listener.Addr().String())
	}},
	{name: "while the webhooks answer 503", enter: func(ctx context.Context) {
		GinkgoHelper()
		dir := env.WebhookInstallOptions.LocalServingCertDir
		certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
		Expect(err).NotTo(HaveOccurred())
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}} //nolint:gosec // a server of a test
		server.StartTLS()
		DeferCleanup(server.Close)
		pointAt(ctx, server.Listener.Addr().String())
	}},
}

// F-S57: a guarantee of admission holds for what is stored, by whatever door a request comes.
var _ = Describe("Each guarantee of admission", func() {
	all := guarantees()

	for _, m := range modes {
		Describe(m.name, Ordered, ContinueOnFailure, func() {
			honest := map[string]*unstructured.Unstructured{}
			var ns string
			BeforeAll(func(ctx SpecContext) {
				ns = newNamespace(ctx)
				createNamespacedCatalog(ctx, ns)
				admin := &user{Client: k8s}
				for i, g := range all {
					for _, version := range g.versions() {
						u := withVersion(parseObject(g.kind, ns, fmt.Sprintf("honest-%d-%s-%s", i, version, ns), g.object), version)
						if u.GroupVersionKind().Group == v1beta1.GroupVersion.Group {
							createStored(ctx, admin, u)
						} else {
							Expect(k8s.Create(ctx, u)).To(Succeed())
						}
						DeferCleanup(forceDelete, u.DeepCopy())
						honest[fmt.Sprint(i, version)] = u
					}
				}
				m.enter(ctx)
			})
			for i, g := range all {
				if !m.isFirst && g.second == controller {
					continue // the controller adds what is missing
				}
				for _, version := range g.versions() {
					It(fmt.Sprintf("holds for %s of %s: %s", g.kind, version, g.name), func(ctx SpecContext) {
						u, name := honest[fmt.Sprint(i, version)], fmt.Sprintf("forged-%d-%s-%s", i, version, ns)
						if m.isFirst {
							g.control(ctx, u, name)
						}
						attempts, broken := g.try(ctx, u, name)
						Expect(broken).To(BeEmpty(), "of %d attempts", attempts)
					})
				}
			}
		})
	}
})

// versions are those by which objects of the kind are served.
func (g guarantee) versions() []string {
	if g.kind == "Alert" {
		return []string{"v1beta1", "v1alpha1"}
	}
	return []string{"v1beta1"}
}
