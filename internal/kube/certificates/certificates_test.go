// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// service is the Service that the targets name.
var service = types.NamespacedName{Namespace: "bellhop-system", Name: "bellhop-webhook-service"}

var dnsNames = []string{"bellhop-webhook-service.bellhop-system.svc", "bellhop-ingest-service.bellhop-system.svc"}

var (
	secretName = types.NamespacedName{Namespace: "bellhop-system", Name: "cert"}
	targets    = []Target{MutatingWebhooks("m"), ValidatingWebhooks("v"), Conversion("c")}
)

// cluster is an API server, with a clock.
type cluster struct {
	*testing.T
	client client.WithWatch
	now    time.Time
}

func newCluster(t *testing.T, objects ...client.Object) *cluster {
	t.Helper()
	for _, target := range targets {
		objects = append(objects, untrusting(target))
	}
	return &cluster{t, fake.NewClientBuilder().WithObjects(objects...).Build(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

// untrusting is a target as the manifests have it.
func untrusting(target Target) *unstructured.Unstructured {
	o := target.object()
	o.SetName(target.name)
	o.Object["webhooks"] = []any{
		map[string]any{"name": "a", "clientConfig": map[string]any{"service": map[string]any{"name": service.Name, "namespace": service.Namespace}}},
		map[string]any{"name": "b", "clientConfig": map[string]any{"caBundle": "", "service": map[string]any{"name": service.Name, "namespace": service.Namespace}}},
	}
	if target.kind.Kind == "CustomResourceDefinition" {
		delete(o.Object, "webhooks")
		o.Object["spec"] = map[string]any{"conversion": map[string]any{"strategy": "Webhook", "webhook": map[string]any{"clientConfig": map[string]any{
			"service": map[string]any{"name": service.Name, "namespace": service.Namespace},
		}}}}
	}
	return o
}

// replica is a Keeper of this cluster.
func (c *cluster) replica() *Keeper {
	k := New(Options{Secret: secretName, DNSNames: dnsNames, Service: service, Trust: targets})
	k.client, k.now = c.client, func() time.Time { return c.now }
	return k
}

// reconcile lets a replica work, and returns when it wants to look again.
func (c *cluster) reconcile(k *Keeper) time.Duration {
	c.Helper()
	result, err := k.Reconcile(c.Context(), ctrl.Request{})
	if err != nil {
		c.Fatal(err)
	}
	return result.RequeueAfter
}

func (c *cluster) secret() *corev1.Secret {
	c.Helper()
	secret := &corev1.Secret{}
	if err := c.client.Get(c.Context(), secretName, secret); err != nil {
		c.Fatal(err)
	}
	return secret
}

// write puts data into the Secret.
func (c *cluster) write(data map[string][]byte) {
	c.Helper()
	secret := c.secret()
	secret.Data = data
	if err := c.client.Update(c.Context(), secret); err != nil {
		c.Fatal(err)
	}
}

// served is the certificate of a replica, which every target has to trust.
func (c *cluster) served(k *Keeper) *x509.Certificate {
	c.Helper()
	certificate, err := k.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		c.Fatal(err)
	}
	for i, bundle := range c.bundles() {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(bundle) {
			c.Fatalf("bundle %d: %q", i, bundle)
		}
		for _, name := range k.options.DNSNames {
			if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: c.now}); err != nil {
				c.Fatalf("bundle %d: %v", i, err)
			}
		}
	}
	return certificate.Leaf
}

// bundles are those of the targets, which are all of their webhooks'.
func (c *cluster) bundles() (bundles [][]byte) {
	c.Helper()
	for _, target := range targets {
		o := target.object()
		if err := c.client.Get(c.Context(), client.ObjectKey{Name: target.name}, o); err != nil {
			c.Fatal(err)
		}
		webhooks, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
		if conversion, ok, _ := unstructured.NestedMap(o.Object, "spec", "conversion", "webhook"); ok {
			webhooks = append(webhooks, conversion)
		}
		for _, webhook := range webhooks {
			encoded, _, _ := unstructured.NestedString(webhook.(map[string]any), "clientConfig", "caBundle")
			bundle, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				c.Fatal(err)
			}
			bundles = append(bundles, bundle)
		}
	}
	return bundles
}

func TestMake(t *testing.T) {
	t.Run("F-C1 a missing Secret is made", func(t *testing.T) {
		c := newCluster(t)
		k := c.replica()
		if _, err := k.GetCertificate(nil); err == nil {
			t.Error("a certificate before there is one")
		}
		c.reconcile(k)
		select {
		case <-k.Ready():
		default:
			t.Error("not ready")
		}
		leaf := c.served(k)
		if n := len(c.bundles()); n != 5 {
			t.Errorf("%d bundles, want 5", n)
		}
		version := c.secret().ResourceVersion
		c.reconcile(k)
		if c.secret().ResourceVersion != version || !c.served(k).Equal(leaf) {
			t.Error("made again")
		}
	})
	t.Run("F-C1 and so is an empty one, or one that has something else too", func(t *testing.T) {
		c := newCluster(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: secretName.Namespace, Name: secretName.Name}, Data: map[string][]byte{"x": []byte("y")}})
		k := c.replica()
		c.reconcile(k)
		c.served(k)
		if string(c.secret().Data["x"]) != "y" {
			t.Error("something else is gone")
		}
	})
	t.Run("what is missing is trusted when it comes, and what an apply has emptied again", func(t *testing.T) {
		c := newCluster(t)
		k := c.replica()
		for _, target := range targets {
			if err := c.client.Delete(t.Context(), untrusting(target)); err != nil {
				t.Fatal(err)
			}
		}
		c.reconcile(k)
		for _, target := range targets {
			if err := c.client.Create(t.Context(), untrusting(target)); err != nil {
				t.Fatal(err)
			}
			c.reconcile(k)
		}
		c.served(k)
	})
	t.Run("a CRD without a conversion stays as it is", func(t *testing.T) {
		crd := map[string]any{"spec": map[string]any{"conversion": map[string]any{"strategy": "None"}}}
		if err := setInConversion(crd, service, "x"); err != nil || len(crd["spec"].(map[string]any)["conversion"].(map[string]any)) != 1 {
			t.Errorf("got %v, %v", crd, err)
		}
	})
}

// Two installations of different forms have one definition of Alerts: an operator whose Service it does not name leaves it as it is.
func TestServiceOfAnotherInstallation(t *testing.T) {
	crd := untrusting(Conversion("alerts.pager.k8s.co")).Object
	if err := setInConversion(crd, types.NamespacedName{Namespace: service.Namespace, Name: "bellhop-pager-webhook-service"}, "x"); err != nil {
		t.Fatal(err)
	}
	if bundle, found, _ := unstructured.NestedString(crd, "spec", "conversion", "webhook", "clientConfig", "caBundle"); found {
		t.Errorf("the bundle of another installation became %q", bundle)
	}
}

// F-U26: The listener of AlertSources is turned on, or a release with another name is installed: the certificate gets the name, and the authority,
// which others may trust already, stays. A replica without the name takes the new certificate over.
func TestNameIsAdded(t *testing.T) {
	c := newCluster(t)
	without, with := c.replica(), c.replica()
	without.options.DNSNames = dnsNames[:1]
	c.reconcile(without)
	before, bundles := c.served(without), c.bundles()
	c.reconcile(with)
	after := c.served(with)
	if after.Equal(before) || !slices.Equal(after.DNSNames, dnsNames) {
		t.Errorf("the names are %v", after.DNSNames)
	}
	if !bytes.Equal(c.bundles()[0], bundles[0]) {
		t.Error("the authority was replaced")
	}
	secret := c.secret()
	c.reconcile(without)
	if !maps.EqualFunc(c.secret().Data, secret.Data, bytes.Equal) {
		t.Error("the replica without the name has replaced the certificate")
	}
}

func TestReplicas(t *testing.T) {
	c := newCluster(t)
	a, b := c.replica(), c.replica()
	// Both find nothing, and a writes first.
	b.client = &late{WithWatch: c.client, before: func() { c.reconcile(a) }}
	if wait := c.reconcile(b); wait != afterConflict {
		t.Errorf("looks again after %s", wait)
	}
	if _, err := b.GetCertificate(nil); err == nil {
		t.Error("F-C1: a replica serves what it could not write")
	}
	b.client = c.client
	c.reconcile(b)
	if !c.served(a).Equal(c.served(b)) {
		t.Error("F-C1: the replicas have different certificates")
	}
	b.client = &late{WithWatch: c.client, err: errors.New("no right")}
	if err := c.client.Delete(t.Context(), c.secret()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Reconcile(t.Context(), ctrl.Request{}); err == nil {
		t.Error("an error that is no conflict is not reported")
	}
}

// late is a client whose first create finds that something has happened before.
type late struct {
	client.WithWatch
	before func()
	err    error
}

func (l *late) Create(ctx context.Context, o client.Object, options ...client.CreateOption) error {
	if l.err != nil {
		return l.err
	}
	l.before()
	err := l.WithWatch.Create(ctx, o, options...)
	if !apierrors.IsAlreadyExists(err) {
		return errors.New("it was not there")
	}
	return err
}

func TestBroken(t *testing.T) {
	foreign := newCluster(t)
	foreign.reconcile(foreign.replica())
	other := foreign.secret().Data
	for why, breakIt := range map[string]func(data map[string][]byte){
		"no data":                      func(data map[string][]byte) { clear(data) },
		"no certificate":               func(data map[string][]byte) { delete(data, "tls.crt") },
		"an empty key":                 func(data map[string][]byte) { data["tls.key"] = nil },
		"no PEM":                       func(data map[string][]byte) { data["tls.crt"] = []byte("broken") },
		"half of the certificate":      func(data map[string][]byte) { data["tls.crt"] = data["tls.crt"][:200] },
		"another's key":                func(data map[string][]byte) { data["tls.key"] = other["tls.key"] },
		"another's certificate":        func(data map[string][]byte) { data["tls.crt"], data["tls.key"] = other["tls.crt"], other["tls.key"] },
		"another's authority":          func(data map[string][]byte) { data["ca.crt"], data["ca.key"] = other["ca.crt"], other["ca.key"] },
		"an authority without its key": func(data map[string][]byte) { data["ca.key"] = other["ca.key"] },
		"no authority":                 func(data map[string][]byte) { delete(data, "ca.crt") },
		"no authority's key":           func(data map[string][]byte) { delete(data, "ca.key") },
		"a broken authority": func(data map[string][]byte) {
			data["ca.crt"] = bytes.ReplaceAll(data["ca.crt"], []byte("A"), []byte("B"))
		},
		"a certificate as authority":  func(data map[string][]byte) { data["ca.crt"], data["ca.key"] = data["tls.crt"], data["tls.key"] },
		"the first authority is over": func(data map[string][]byte) { data["ca.crt"] = append(expired(t), data["ca.crt"]...) },
	} {
		t.Run("F-C1 "+why, func(t *testing.T) {
			c := newCluster(t)
			a := c.replica()
			c.reconcile(a)
			before := c.served(a)
			data := maps.Clone(c.secret().Data)
			breakIt(data)
			c.write(data)

			starting := c.replica()
			c.reconcile(starting)
			c.served(starting)
			if reason := mended(c); reason != "" {
				t.Errorf("still broken: %s", reason)
			}
			c.reconcile(a)
			c.now = c.now.Add(settle)
			c.reconcile(a)
			if after := c.served(a); !after.Equal(c.served(starting)) {
				t.Errorf("the replicas serve different certificates, one of them since %s", before.NotBefore)
			}
		})
	}
}

// mended is what renew finds wrong with the Secret.
func mended(c *cluster) string {
	_, reason, err := parse(c.secret().Data, dnsNames, c.now).renew(nil, dnsNames, c.now)
	if err != nil {
		c.Fatal(err)
	}
	return reason
}

// expired is an authority of long ago.
func expired(t *testing.T) []byte {
	t.Helper()
	c, err := content{}.replaceAuthority(nil, time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return c.bundle()
}

// One replica may serve the certificate of a new authority before the other does, and the Secret may be deleted again just then.
func TestDeletedAgain(t *testing.T) {
	c := newCluster(t)
	early, late := c.replica(), c.replica()
	c.reconcile(early)
	c.reconcile(late)
	deleteSecret := func() {
		if err := c.client.Delete(t.Context(), c.secret()); err != nil {
			t.Fatal(err)
		}
	}
	deleteSecret()
	c.reconcile(early)
	c.now = c.now.Add(time.Second)
	c.reconcile(late)
	c.now = c.now.Add(settle - time.Second)
	c.reconcile(early)
	if c.served(early).Equal(c.served(late)) {
		t.Fatal("both replicas serve the new certificate")
	}
	deleteSecret()
	c.reconcile(late)
	c.served(early) // fails unless it is trusted
	c.served(late)
}

// Helm deletes the Secret before the Pods where an upgrade has other objects, and does not take over one without its labels later.
func TestDeletedSecretKeepsItsLabels(t *testing.T) {
	c := newCluster(t)
	a := c.replica()
	c.reconcile(a)
	secret := c.secret()
	secret.Labels, secret.Annotations = map[string]string{"app.kubernetes.io/managed-by": "Helm"}, map[string]string{"meta.helm.sh/release-name": "bellhop"}
	if err := c.client.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	c.reconcile(a)
	if err := c.client.Delete(t.Context(), c.secret()); err != nil {
		t.Fatal(err)
	}
	c.reconcile(a)
	if made := c.secret(); !maps.Equal(made.Labels, secret.Labels) || !maps.Equal(made.Annotations, secret.Annotations) {
		t.Errorf("the Secret that is made again has %v and %v", made.Labels, made.Annotations)
	}
}

// A replica goes on with the certificate that is trusted until the next one is, and the other can be as late as a day.
func TestDeleted(t *testing.T) {
	c := newCluster(t)
	a, b := c.replica(), c.replica()
	c.reconcile(a)
	c.reconcile(b)
	first := c.served(a)
	if err := c.client.Delete(t.Context(), c.secret()); err != nil {
		t.Fatal(err)
	}
	if wait := c.reconcile(a); wait != settle {
		t.Errorf("F-C1: looks again after %s, want %s", wait, settle)
	}
	if !c.served(a).Equal(first) || !c.served(b).Equal(first) {
		t.Error("F-C1: a certificate that not every API server trusts yet")
	}
	c.now = c.now.Add(settle)
	c.reconcile(a)
	second := c.served(a)
	if second.Equal(first) {
		t.Error("F-C1: the new certificate is not served")
	}
	c.now = c.now.Add(overlap - settle - clockSkew - time.Minute)
	c.reconcile(a)
	if !c.served(b).Equal(first) { // which is late
		t.Error("not the first one")
	}
	c.reconcile(b)
	c.now = c.now.Add(settle)
	c.reconcile(b)
	c.now = c.now.Add(time.Minute)
	c.reconcile(b)
	c.reconcile(a)
	if !c.served(b).Equal(second) || bytes.Count(c.secret().Data["ca.crt"], []byte("BEGIN")) != 1 || bytes.Count(c.bundles()[0], []byte("BEGIN")) != 1 {
		t.Error("F-C1: the authority before is trusted after a day")
	}
	for range 10 {
		if err := c.client.Delete(t.Context(), c.secret()); err != nil {
			t.Fatal(err)
		}
		c.reconcile(a)
		c.now = c.now.Add(settle)
		c.reconcile(a)
	}
	if n := bytes.Count(c.bundles()[0], []byte("BEGIN")); n != maxAuthorities {
		t.Errorf("%d authorities, want %d", n, maxAuthorities)
	}
}

// A year passes, and ten: each replica is trusted at any time.
func TestRotation(t *testing.T) {
	c := newCluster(t)
	replicas := []*Keeper{c.replica(), c.replica()}
	certificates, authorities := map[string]bool{}, map[string]bool{}
	const step = 20 * day // and not each time at which a replica would look
	for end := c.now.Add(25 * year); c.now.Before(end); {
		wait := step
		for _, k := range replicas {
			if again := c.reconcile(k); again < maxWait {
				wait = min(wait, again)
			}
			for _, other := range replicas { // whoever has not looked yet
				if other.serving.Load() == nil {
					continue
				}
				leaf := c.served(other)
				certificates[leaf.SerialNumber.String()] = true
				if left := leaf.NotAfter.Sub(c.now); left < servingRenewal-step-settle {
					t.Fatalf("F-C1: %s left", left)
				}
			}
		}
		authorities[parse(c.secret().Data, dnsNames, c.now).authorities[0].SerialNumber.String()] = true
		c.now = c.now.Add(wait)
	}
	if len(certificates) < 33 || len(certificates) > 36 || len(authorities) != 4 {
		t.Errorf("F-C1: %d certificates of %d authorities in 25 years", len(certificates), len(authorities))
	}
}
