// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

const (
	// DefaultTimeout of a request with its answer.
	DefaultTimeout = 60 * time.Second

	maxAnswer = 1 << 20
)

// versions are the supported versions, newest first.
var versions = []string{"2.17", "2.16", "2.15", "2.14", "2.13"}

// Operation is an operation of the protocol.
type Operation string

// The operations of the protocol.
const (
	GetCatalog               Operation = "GetCatalog"
	ProvisionInstance        Operation = "ProvisionInstance"
	GetInstance              Operation = "GetInstance"
	UpdateInstance           Operation = "UpdateInstance"
	DeprovisionInstance      Operation = "DeprovisionInstance"
	PollLastOperation        Operation = "PollLastOperation"
	Bind                     Operation = "Bind"
	GetBinding               Operation = "GetBinding"
	Unbind                   Operation = "Unbind"
	PollBindingLastOperation Operation = "PollBindingLastOperation"
)

// kind classifies operations by their action. The meaning of an answer depends on it.
type kind int

const (
	lists kind = iota
	creates
	updates
	removes
	fetches
	polls
)

const (
	instancePath = "service_instances/{instance_id}"
	bindingPath  = instancePath + "/service_bindings/{binding_id}"
)

// operations has the requests of the operations. A path is without "/v2/"; {instance_id} and {binding_id} stand for the ids.
var operations = map[Operation]struct {
	kind         kind
	method, path string
}{
	GetCatalog:               {lists, http.MethodGet, "catalog"},
	ProvisionInstance:        {creates, http.MethodPut, instancePath},
	GetInstance:              {fetches, http.MethodGet, instancePath},
	UpdateInstance:           {updates, http.MethodPatch, instancePath},
	DeprovisionInstance:      {removes, http.MethodDelete, instancePath},
	PollLastOperation:        {polls, http.MethodGet, instancePath + "/last_operation"},
	Bind:                     {creates, http.MethodPut, bindingPath},
	GetBinding:               {fetches, http.MethodGet, bindingPath},
	Unbind:                   {removes, http.MethodDelete, bindingPath},
	PollBindingLastOperation: {polls, http.MethodGet, bindingPath + "/last_operation"},
}

// Observation is a call that has ended.
type Observation struct {
	Operation Operation
	Outcome   osbresult.Outcome
	// Sent is when the call began, and Duration how long it took.
	Sent     time.Time
	Duration time.Duration
	// RequestID of the last request, as in the broker's log; empty: none was sent.
	RequestID string
}

// Options of a client.
type Options struct {
	// URL is the prefix of "/v2/…".
	URL string
	// Version to begin with: the last result of Client.Version. Empty or unknown: the newest.
	Version string
	Auth    Auth
	Guard   *outbound.Guard
	// Catalog bounds the catalog; the zero value: DefaultCatalogLimits.
	Catalog CatalogLimits
	// Outbound has the timeout and the TLS settings. The limits of answers are the client's.
	Outbound outbound.Options
	// Observe is called after every call; nil: nothing is.
	Observe func(context.Context, Observation)
	// Now is the clock; nil: the real one.
	Now func() time.Time
}

// Client is a client of one broker. It is safe for concurrent use.
type Client struct {
	base    string // without a slash at its end
	version atomic.Value
	auth    authorizer
	catalog *outbound.Client // reads more than the other
	limits  CatalogLimits
	client  *outbound.Client
	observe func(context.Context, Observation)
	now     func() time.Time
}

// NewClient returns a client with connections of its own. An error names the option, without its content.
func NewClient(o Options) (*Client, error) {
	base, user, err := ParseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if user != nil && o.Auth.isNone() {
		o.Auth.Username = user.Username()
		o.Auth.Password, _ = user.Password()
	}
	c := &Client{base: base, observe: o.Observe, now: o.Now, limits: o.Catalog}
	if c.limits == (CatalogLimits{}) {
		c.limits = DefaultCatalogLimits
	}
	if c.observe == nil {
		c.observe = func(context.Context, Observation) {}
	}
	if c.now == nil {
		c.now = time.Now //nolint:forbidigo // only to measure, and to know when a token ends
	}
	c.version.Store(versions[0])
	if slices.Contains(versions, o.Version) {
		c.version.Store(o.Version)
	}
	if err := c.connect(o); err != nil {
		return nil, err
	}
	return c, nil
}

// connect creates the HTTP clients.
func (c *Client) connect(o Options) error {
	limits := o.Outbound
	if limits.Timeout <= 0 {
		limits.Timeout = DefaultTimeout
	}
	limits.MaxBody = maxAnswer
	var err error
	if c.auth, err = newAuthorizer(o.Auth, o.Guard, limits, c.now); err != nil {
		return err
	}
	if len(o.Auth.ClientCertificate)+len(o.Auth.ClientKey) > 0 {
		limits.ClientCertificate, limits.ClientKey = o.Auth.ClientCertificate, o.Auth.ClientKey
	}
	if c.client, err = outbound.NewClient(o.Guard, limits); err != nil {
		return err
	}
	limits.MaxBody = int64(c.limits.Bytes)
	c.catalog, err = outbound.NewClient(o.Guard, limits)
	return err
}

// Version returns the version of the protocol in use: after a catalog was read, one that the broker supports.
func (c *Client) Version() string { return c.version.Load().(string) }

// Close closes idle connections. The client can still be used.
func (c *Client) Close() {
	c.client.CloseIdleConnections()
	c.catalog.CloseIdleConnections()
	c.auth.close()
}

// ParseURL returns a broker's address as requests use it, without a user, and the user in it, which is how older manifests gave credentials.
func ParseURL(value string) (string, *url.Userinfo, error) {
	u, err := url.Parse(strings.TrimSpace(value))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", nil, errors.New("url: must be an absolute http or https URL")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", nil, errors.New(`url: must have neither query nor fragment, since "/v2/…" is appended to it`)
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"), u.User, nil
}
