// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package brokers

import (
	"context"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// brokerUnderTest is a broker whose Secret changes.
type brokerUnderTest struct {
	*testing.T
	cluster client.Client
	clients *Clients
	broker  v1beta1.Broker
	// panicking: a read of the Secret panics.
	panicking bool
	secrets   int
}

func newBrokerUnderTest(t *testing.T, url string, auth *v1beta1.AuthInfo) *brokerUnderTest {
	b := &brokerUnderTest{T: t, broker: controllertest.NewBroker(catalogsync.AllKinds[1], url)}
	b.broker.SetNamespace("demo")
	b.broker.Common().AuthInfo = auth
	b.cluster = controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if _, ok := o.(*corev1.Secret); ok && b.panicking {
			panic("the content of a Secret")
		}
		return c.Get(ctx, key, o, opts...)
	}})
	guard := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil)
	b.clients = NewClients(b.cluster, b.cluster, guard, 10*time.Second, nil, func(Key, osb.Observation) {})
	return b
}

// set replaces the Secret; nil: there is none.
func (b *brokerUnderTest) set(data map[string]string) {
	b.Helper()
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = "demo", "credentials"
	if err := b.cluster.Delete(b.Context(), secret); client.IgnoreNotFound(err) != nil {
		b.Fatal(err)
	}
	if data == nil {
		return
	}
	b.secrets++
	secret.UID, secret.Data = types.UID(strings.Repeat("s", b.secrets)), map[string][]byte{}
	for key, value := range data {
		secret.Data[key] = []byte(value)
	}
	if err := b.cluster.Create(b.Context(), secret); err != nil {
		b.Fatal(err)
	}
}

// catalog fetches the catalog as the controller does. An error is a *CredentialsError.
func (b *brokerUnderTest) catalog() (osbresult.Class, error) {
	b.Helper()
	made, err := b.clients.For(b.Context(), b.broker)
	if _, ok := errors.AsType[*CredentialsError](err); err != nil && !ok {
		b.Fatalf("%T is no *CredentialsError: %v", err, err)
	}
	if (made == nil) != (err != nil) {
		b.Fatalf("the client is %v, and the error %v", made, err)
	}
	if err != nil {
		return "", err
	}
	_, out := made.Catalog(b.Context(), "")
	return out.Class, nil
}

func (b *brokerUnderTest) mustWork(after string) {
	b.Helper()
	if class, err := b.catalog(); err != nil || class != osbresult.Done {
		b.Errorf("after %s: %s, %v", after, class, err)
	}
}

// F-P66: for each key of the Secret of a broker: wrong, missing, then right; right, wrong, then right.
func TestCorrectedCredentialsAreUsed(t *testing.T) {
	secret := v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: "credentials"}}
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, password, _ := r.BasicAuth(); id != "id" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token": "t0ken", "token_type": "bearer", "expires_in": 3600}`))
	}))
	defer tokens.Close()
	for name, test := range map[string]struct {
		options osbtest.Options
		auth    v1beta1.AuthInfo
		right   map[string]string
	}{
		"basic":  {osbtest.Options{Username: "ada", Password: "p4ssword"}, v1beta1.AuthInfo{Basic: &secret}, map[string]string{"username": "ada", "password": "p4ssword"}},
		"bearer": {osbtest.Options{Token: "t0ken"}, v1beta1.AuthInfo{Bearer: &secret}, map[string]string{"token": "t0ken"}},
		"oauth2": {osbtest.Options{Token: "t0ken"}, v1beta1.AuthInfo{OAuth2: &v1beta1.OAuth2Auth{SecretAuth: secret, TokenURL: tokens.URL}},
			map[string]string{"clientID": "id", "clientSecret": "s3cret"}},
	} {
		for key := range test.right {
			for what, wrong := range map[string]string{"of another account": "another", "in quotes": `"` + test.right[key] + `"`, "with a colon": "a:b", "with a control character": "a\x01b", "empty": "", "too long": strings.Repeat("a", 100000)} {
				t.Run(name+"/"+key+"/"+what, func(t *testing.T) {
					b := newBrokerUnderTest(t, osbtest.Start(t, test.options).URL, &test.auth)
					bad, missing := maps.Clone(test.right), maps.Clone(test.right)
					bad[key] = wrong
					delete(missing, key)
					mustFail := func(data map[string]string) {
						t.Helper()
						b.set(data)
						if class, err := b.catalog(); err == nil && class == osbresult.Done {
							t.Errorf("%v works", data)
						}
					}
					mustFail(bad)
					mustFail(missing)
					b.set(test.right)
					b.mustWork("a wrong and a missing key")
					mustFail(bad)
					mustFail(nil)
					b.set(test.right)
					b.mustWork("a wrong key and no Secret")
				})
			}
		}
	}
}

// F-P66: a CA bundle that was wrong and is corrected is used.
func TestCorrectedCABundleIsUsed(t *testing.T) {
	server := httptest.NewTLSServer(osbtest.New(osbtest.Options{}))
	defer server.Close()
	b := newBrokerUnderTest(t, server.URL, nil)
	use := func(bundle []byte) {
		b.broker.Common().CABundle = bundle
		b.broker.SetGeneration(b.broker.GetGeneration() + 1)
	}
	right := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for _, wrong := range [][]byte{[]byte("none"), nil, append([]byte("-----BEGIN CERTIFICATE-----\n"), 1)} {
		use(wrong)
		if class, err := b.catalog(); err == nil && class == osbresult.Done {
			t.Errorf("%q works", wrong)
		}
		use(right)
		b.mustWork("a wrong bundle")
	}
}

// F-P66: a panic while a client is prepared is an error of this broker, which ends with its cause.
func TestPanicWhilePreparingAClient(t *testing.T) {
	b := newBrokerUnderTest(t, osbtest.Start(t, osbtest.Options{Token: "t0ken"}).URL, &v1beta1.AuthInfo{Bearer: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: "credentials"}}})
	b.set(map[string]string{"token": "t0ken"})
	b.panicking = true
	for range 2 {
		if _, err := b.catalog(); err == nil || !strings.Contains(err.Error(), "a mistake in Bellhop") || strings.Contains(err.Error(), "content") {
			t.Errorf("the error is %v", err)
		}
	}
	b.panicking = false
	b.mustWork("a panic")
}
