// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package brokers has the clients of brokers, one for each version of a broker's spec and credentials, the limits and
// queues that all requests to a broker share, and the id by which brokers know the cluster.
package brokers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/outbound/versioned"
	"github.com/gophernetes/bellhop/internal/panics"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Key names a broker; of a ClusterServiceBroker the namespace is empty.
type Key struct{ Namespace, Name string }

// KeyOf returns the key of a broker.
func KeyOf(b v1beta1.Broker) Key { return Key{b.GetNamespace(), b.GetName()} }

// KeyOfReference returns the key of the broker that an object in a namespace references, whether or not it exists.
func KeyOfReference(namespace string, ref v1beta1.BrokerReference) Key {
	if ref.Kind == catalog.Namespaced.BrokerKind() {
		return Key{namespace, ref.Name}
	}
	return Key{"", ref.Name}
}

// Clients has a client for each broker, created once for each version of the broker's spec and Secrets, and the limits that all
// requests to the broker share.
type Clients struct {
	cache client.Reader // has the metadata of Secrets
	live  client.Reader // Secrets are read one at a time; they are not cached
	guard *outbound.Guard
	// timeout of a request.
	timeout time.Duration
	observe func(Key, osb.Observation)
	digests *DigestKey
	// Strict: a name of a ServiceBroker becomes no Service's by the search list of the operator's Pod. It is set before the first request.
	Strict bool

	clients *versioned.Cache[Key, *Client]
	// Limiters has one limiter for each broker. The limiters of a namespace's ServiceBrokers share a bound.
	Limiters limiter.Limiters[Key]
	// Successes has when each broker last answered a request with success.
	Successes Successes

	mu sync.Mutex
	// misconfigurations are the last answers of brokers that look like a misconfiguration.
	misconfigurations map[Key]string
	// addresses are the present addresses of brokers: each decision about their objects depends on them, and a process reads the key of the
	// digests once.
	addresses map[Key]presentAddress
}

// NewClients returns clients without a broker. observe is called after each request. digests is the key of the versions of credentials.
func NewClients(cache, live client.Reader, guard *outbound.Guard, timeout time.Duration, digests *DigestKey, observe func(Key, osb.Observation)) *Clients {
	c := &Clients{cache: cache, live: live, guard: guard, timeout: timeout, digests: digests, observe: observe, clients: versioned.NewCache[Key, *Client]()}
	c.Limiters.TenantOf = func(key Key) string { return key.Namespace }
	return c
}

// Client is a client, the version of the broker's endpoint and the broker's settings for requests. The version covers its address, its TLS settings
// and the content of its credentials: it changes neither with a request to read the catalog nor with the resourceVersion of the Secret.
type Client struct {
	*osb.Client
	EndpointVersion string
	// RequiresApp: the broker has refused a bind request without an application. RequiresAsync: it has refused to unbind without
	// accepts_incomplete. Neither is in its catalog. A client for a new version of the broker has to learn them again.
	RequiresApp, RequiresAsync atomic.Bool
}

func endpointVersion(b v1beta1.Broker, auth osb.Auth) string {
	spec := b.Common()
	oauth := ptr.Deref(auth.OAuth2, osb.OAuth2{})
	return catalog.Hash(fmt.Sprintf("%s %q %x %t %q %q %q %q %q %q %q %x %x", b.GetUID(), spec.URL, spec.CABundle, spec.InsecureSkipTLSVerify,
		auth.Username, auth.Password, auth.BearerToken, oauth.TokenURL, oauth.ClientID, oauth.ClientSecret, oauth.Scopes,
		auth.ClientCertificate, auth.ClientKey))
}

// RecordMisconfiguration records an answer that looks like a misconfiguration, without the broker's description, which belongs to the object of the
// request.
func (c *Clients) RecordMisconfiguration(key Key, what rules.Operation, out osbresult.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.misconfigurations == nil {
		c.misconfigurations = map[Key]string{}
	}
	c.misconfigurations[key] = fmt.Sprintf("%s: %s", what, rules.StatusOnly(out))
}

// Forget drops client and state of a broker that was deleted.
func (c *Clients) Forget(key Key) {
	c.clients.Forget(key)
	c.Successes.Forget(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.misconfigurations, key)
	delete(c.addresses, key)
}

// LastMisconfiguration returns the text that RecordMisconfiguration has recorded; empty: there is no text.
func (c *Clients) LastMisconfiguration(key Key) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.misconfigurations[key]
}

// CredentialsError is why a broker's credentials cannot be used. A person has to correct them, unless it is temporary.
type CredentialsError struct {
	Message   string
	Temporary bool
	// Missing: the Secret does not exist.
	Missing bool
}

// Blocker returns the blocker of requests to a broker.
func (e *CredentialsError) Blocker(b v1beta1.Broker, reason, message string) *rules.Blocker {
	switch {
	case e.Temporary:
		return rules.InProgress(reason, message)
	case e.Missing:
		return rules.MissingReference(b, reason, message)
	}
	return rules.BlockedBy(reason, message)
}

func (e *CredentialsError) Error() string { return e.Message }

// For returns the client of a broker. An error is a *CredentialsError, or an error of the cache.
func (c *Clients) For(ctx context.Context, b v1beta1.Broker) (*Client, error) {
	version, err := c.sourceVersion(ctx, b)
	if err != nil {
		return nil, err
	}
	return c.clients.Of(KeyOf(b), version, func(*Client) (*Client, error) { return c.newClient(ctx, b) })
}

// CredentialsVersion returns the version of the credentials with which a broker is reached, for its status: a keyed digest of their content,
// or one of why they cannot be used; the recorded version, where neither is known at the moment. It is empty for a broker without credentials.
func (c *Clients) CredentialsVersion(ctx context.Context, b v1beta1.Broker) (_ string, isKnown bool, err error) {
	if len(v1beta1.AuthSecrets(b)) == 0 {
		return "", true, nil
	}
	var version string
	var unusable *CredentialsError
	made, err := c.For(ctx, b)
	switch {
	case err == nil:
		version = made.EndpointVersion
	case errors.As(err, &unusable) && !unusable.Temporary:
		version = unusable.Message
	case errors.As(err, &unusable):
		return b.CommonStatus().CredentialsVersion, false, nil
	default:
		return "", false, err
	}
	key, err := c.digests.Get(ctx)
	if err != nil { // it stands in no request's way
		log.FromContext(ctx).Info("Could not tell whether the credentials of a broker have changed", "error", err.Error())
		return b.CommonStatus().CredentialsVersion, false, nil
	}
	return catalog.Digest(key, json.RawMessage(strconv.Quote(version))), true, nil
}

// sourceVersion returns the version of the objects that a client is created from.
func (c *Clients) sourceVersion(ctx context.Context, b v1beta1.Broker) (string, error) {
	parts := []string{string(b.GetUID()), fmt.Sprint(b.GetGeneration())}
	secrets := v1beta1.AuthSecrets(b)
	for _, field := range slices.Sorted(maps.Keys(secrets)) {
		meta := apiserver.Metadata("Secret")
		if err := c.cache.Get(ctx, secrets[field], meta, client.UnsafeDisableDeepCopy); err != nil {
			if apierrors.IsNotFound(err) {
				return "", noSecret(field, secrets[field])
			}
			return "", fmt.Errorf("looking up Secret %s: %w", secrets[field], err)
		}
		parts = append(parts, string(meta.UID), meta.ResourceVersion)
	}
	return strings.Join(parts, "/"), nil
}

func noSecret(field string, name types.NamespacedName) error {
	return &CredentialsError{Missing: true, Message: fmt.Sprintf("spec.authInfo.%s.secretRef: Secret %q does not exist in namespace %q", field, name.Name, name.Namespace)}
}

func (c *Clients) newClient(ctx context.Context, b v1beta1.Broker) (_ *Client, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = &CredentialsError{Temporary: true, Message: panics.Count(ctx, panics.Broker, "preparing the client of the broker", recovered).Error()}
		}
	}()
	spec, key := b.Common(), KeyOf(b)
	auth, err := c.auth(ctx, b)
	if err != nil {
		return nil, err
	}
	endpoint := endpointVersion(b, auth)
	made, err := osb.NewClient(osb.Options{
		URL: spec.URL, Version: b.CommonStatus().APIVersion, Auth: auth, Guard: c.guard, Catalog: catalogLimits(key),
		Outbound: c.outboundOptions(key, spec),
		Observe: func(ctx context.Context, o osb.Observation) {
			c.observe(key, o)
			if o.Outcome.IsSuccess() {
				c.Successes.Record(key, endpoint, o.Sent)
			}
			log.FromContext(ctx).V(1).Info("Broker answered", "broker", types.NamespacedName{Namespace: key.Namespace, Name: key.Name},
				"operation", o.Operation, "class", o.Outcome.Class, "status", o.Outcome.Status, "requestID", o.RequestID, "duration", o.Duration)
		},
	})
	if err != nil {
		return nil, &CredentialsError{Message: err.Error()}
	}
	c.Successes.Begin(key, endpoint)
	return &Client{Client: made, EndpointVersion: endpoint}, nil
}

func (c *Clients) outboundOptions(key Key, spec *v1beta1.CommonServiceBrokerSpec) outbound.Options {
	return outbound.Options{
		Timeout: c.timeout, CABundle: spec.CABundle, InsecureSkipVerify: spec.InsecureSkipTLSVerify,
		AbsoluteNames: c.Strict && ScopeOf(key) == catalog.Namespaced,
	}
}

// catalogLimits returns the limits of a broker's catalog. The limits of a ServiceBroker, which any tenant can create, allow for 500 entries of 2
// KiB on average.
func catalogLimits(key Key) osb.CatalogLimits {
	if ScopeOf(key) == catalog.Cluster {
		return osb.DefaultCatalogLimits
	}
	return osb.CatalogLimits{Bytes: 1 << 20, Entries: 500,
		Otherwise: fmt.Sprintf("reduce what the broker offers to a ServiceBroker, or request a ClusterServiceBroker, whose catalog may have %d bytes and %d services and plans",
			osb.DefaultCatalogLimits.Bytes, osb.DefaultCatalogLimits.Entries)}
}

// auth reads the credentials that the broker's authInfo names.
func (c *Clients) auth(ctx context.Context, b v1beta1.Broker) (auth osb.Auth, err error) {
	read := secretReader{ctx: ctx, live: c.live, secrets: v1beta1.AuthSecrets(b)}
	switch info := b.Common().AuthInfo; {
	case info == nil:
		return auth, nil
	case info.Basic != nil:
		auth.Username, auth.Password = read.value("basic", "username"), read.value("basic", "password")
	case info.Bearer != nil:
		auth.BearerToken = read.value("bearer", "token")
	case info.OAuth2 != nil:
		auth.OAuth2 = &osb.OAuth2{TokenURL: info.OAuth2.TokenURL, Scopes: info.OAuth2.Scopes,
			ClientID: read.value("oauth2", "clientID"), ClientSecret: read.value("oauth2", "clientSecret")}
	}
	if _, ok := read.secrets["clientCertificate"]; ok {
		auth.ClientCertificate = []byte(read.value("clientCertificate", "tls.crt"))
		auth.ClientKey = []byte(read.value("clientCertificate", "tls.key"))
	}
	return auth, read.err
}

// secretReader reads values of Secrets, up to the first error.
type secretReader struct {
	ctx     context.Context //nolint:containedctx // lives as long as one call
	live    client.Reader
	secrets map[string]types.NamespacedName
	read    map[types.NamespacedName]map[string][]byte
	err     error
}

func (r *secretReader) value(field, key string) string {
	name, ok := r.secrets[field]
	if r.err != nil || !ok {
		return ""
	}
	data, ok := r.read[name]
	if !ok {
		secret, err := secrets.Read(r.ctx, r.live, name)
		switch {
		case apierrors.IsNotFound(err):
			r.err = noSecret(field, name)
			return ""
		case err != nil:
			r.err = &CredentialsError{Temporary: true, Message: fmt.Sprintf("spec.authInfo.%s.secretRef: Secret %q could not be read: %s", field, name.Name, apierrors.ReasonForError(err))}
			return ""
		}
		data = secret.Data
		r.read = map[types.NamespacedName]map[string][]byte{name: data}
	}
	if len(data[key]) == 0 {
		r.err = &CredentialsError{Message: fmt.Sprintf("spec.authInfo.%s.secretRef: the key %q of Secret %q in namespace %q is missing or empty", field, key, name.Name, name.Namespace)}
	}
	return string(data[key])
}

// NameOf returns kind and name of a broker, for messages.
func NameOf(key Key) string {
	return fmt.Sprintf("%s %q", ScopeOf(key).BrokerKind(), key.Name)
}

// ResultOf returns the result by which the limiter delays other requests to the broker. A refusal is an answer.
func ResultOf(o osbresult.Outcome) limiter.Result {
	switch {
	case o.Throttled():
		return limiter.Result{Outcome: limiter.Throttled, RetryAfter: max(o.RetryAfter, time.Second)}
	case o.Status == 0 && o.Class == osbresult.Rejected:
		return limiter.Result{Outcome: limiter.NotSent}
	case o.Misconfigured() && o.Unauthorized():
		return limiter.Result{Outcome: limiter.Unauthorized}
	case o.Misconfigured():
		return limiter.Result{Outcome: limiter.Misconfigured}
	case o.Unavailable():
		return limiter.Result{Outcome: limiter.Unavailable}
	}
	isAbsent := o.Class == osbresult.Gone && o.Status == http.StatusNotFound // a gateway that is out of service answers 410
	if o.IsSuccess() || isAbsent {
		return limiter.Result{}
	}
	return limiter.Result{Outcome: limiter.Refused}
}

// ScopeOf returns the scope of a broker.
func ScopeOf(key Key) catalog.Scope {
	if key.Namespace == "" {
		return catalog.Cluster
	}
	return catalog.Namespaced
}

// ErrStopping is returned where a request is not sent because the process stops or no longer leads: it would compete with the next leader's
// requests.
var ErrStopping = errors.New("the process stops or no longer leads: nothing was sent")
